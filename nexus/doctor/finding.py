"""How the doctor speaks: a verdict on one question, and the line of the report that it becomes."""

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Verdict:
    """How things stand, and what to do unless they are well."""

    status: Status
    detail: str
    advice: str | None = None


@dataclass(frozen=True)
class Finding:
    """One line of the report: the verdict on a question, which is named uniquely."""

    check: str
    status: Status
    detail: str
    advice: str | None


def ok(detail: str) -> Verdict:
    """All is well."""
    return Verdict("ok", detail)


def warn(detail: str, advice: str) -> Verdict:
    """It works, and could be better or will not last."""
    return Verdict("warn", detail, advice)


def fail(detail: str, advice: str) -> Verdict:
    """Something does not work, or is about to go wrong."""
    return Verdict("fail", detail, advice)
