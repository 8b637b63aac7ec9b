"""Rules that no schema can express, for which the shop may refuse a request whatever its description."""

from collections.abc import Callable
from typing import Any
from zoneinfo import available_timezones

from email_validator import SPECIAL_USE_DOMAIN_NAMES
from schemathesis.core.failures import AcceptedNegativeData

from nexus.api.keys import ANONYMOUS_SHORTEST, NAME
from nexus.limits import MAX_LINE
from nexus.security.passwords import normalised

Values = dict[str, Any]


def _reserved(email: str) -> bool:
    """Return whether an address is in a reserved domain, such as `.test` (RFC 6761)."""
    domain = email.rpartition("@")[2].lower()
    return any(domain == name or domain.endswith(f".{name}") for name in SPECIAL_USE_DOMAIN_NAMES)


def _password_of_another_length(value: Any, sent: Values) -> bool:
    """Whether a value is the new password, with another number of characters in its normalised form."""
    given = value in (sent.get("password"), sent.get("newPassword"))
    return given and isinstance(value, str) and len(normalised(value)) != len(value)


#: Per code of a problem or an error: whether its rule refuses this value, given all values of the request.
RULES: dict[str, Callable[[Any, Values], bool]] = {
    # 10.0 is an integer in JSON Schema, but an amount of money must not be a float here.
    "not_an_integer": lambda value, _: isinstance(value, float) and value.is_integer(),
    "not_an_email": lambda value, _: _reserved(value),
    # Another account may have the address.
    "email_taken": lambda _, sent: "email" in sent,
    # Only the operator can create valid tokens.
    "invalid_reset_token": lambda _, sent: "token" in sent,
    # One of two parameters is required.
    "user_id_required": lambda _, sent: "userId" not in sent and not str(sent.get("q", "")).strip(),
    # Only cursors from a previous page are valid.
    "not_a_cursor": lambda *_: True,
    # A key without an account must be long, and the characters of a password are counted once normalised.
    "too_short": lambda value, sent: (
        (sent.get(NAME) == value and len(value) < ANONYMOUS_SHORTEST)
        or _password_of_another_length(value, sent)
    ),
    "too_long": _password_of_another_length,
    # The valid names are those of this system's time zone database.
    "not_a_time_zone": lambda value, _: value not in available_timezones() - {"localtime", "Factory"},
    "after_to": lambda value, sent: "to" not in sent or value > sent["to"],
    "too_many_intervals": lambda value, sent: value < sent.get("to", "9999"),
}


def _body(case: Any) -> Values:
    return case.body if isinstance(case.body, dict) else {}


def refused_by_a_rule(_: Any, response: Any, case: Any) -> None:
    """Fail if a request that the description allows is answered 400 for a reason other than these rules."""
    if response.status_code != 400 or not (case.meta and case.meta.generation.mode.is_positive):
        return
    answer = response.json()
    sent = {**(case.headers or {}), **(case.query or {}), **_body(case)}
    found = {answer["code"]: None}
    if answer["code"] == "validation_failed":
        found = {problem["code"]: sent.get(problem["field"]) for problem in answer["errors"]}
    for code, value in found.items():
        assert code in RULES, f"{code} is no rule: {value!r}"
        assert RULES[code](value, sent), f"{code} does not hold for {value!r}"


def is_a_failure(_: Any, failure: Any, case: Any, response: Any) -> bool:
    """Whether a failure counts, since no schema can express what the shop does."""
    line = f"{response.request.method} {response.request.path_url} HTTP/1.1"
    # Refused before any operation sees it.
    too_long = response.status_code == 414 and len(line) > MAX_LINE
    sent = _body(case)
    accepted = isinstance(failure, AcceptedNegativeData) and any(
        _password_of_another_length(value, sent) for value in sent.values()
    )
    return not (too_long or accepted)
