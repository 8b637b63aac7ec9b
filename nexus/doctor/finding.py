"""The results of the doctor: the verdict of a check, and its line in the report."""

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Verdict:
    """The result of a check, and what to do unless it is ok."""

    status: Status
    detail: str
    advice: str | None = None


@dataclass(frozen=True)
class Finding:
    """One line of the report: a verdict with the unique name of its check."""

    check: str
    status: Status
    detail: str
    advice: str | None


def ok(detail: str) -> Verdict:
    """All is well."""
    return Verdict("ok", detail)


def warn(detail: str, advice: str) -> Verdict:
    """It works, but could be better or will not last."""
    return Verdict("warn", detail, advice)


def fail(detail: str, advice: str) -> Verdict:
    """Something does not work, or is about to go wrong."""
    return Verdict("fail", detail, advice)
