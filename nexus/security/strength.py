"""How hard a new password is to guess, and why one is too easy."""

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

from nexus.schemas.fields import spellings
from nexus.security.passwords import normalised
from nexus.security.russian import FREQUENT

#: The same keys in both layouts, since a Russian word typed in the Latin layout is just as easy to guess.
LATIN = "`qwertyuiop[]asdfghjkl;'zxcvbnm,."
CYRILLIC = "ёйцукенгшщзхъфывапролджэячсмитьбю"
LAYOUTS = (str.maketrans(LATIN, CYRILLIC), str.maketrans(CYRILLIC, LATIN))

#: How many characters of a password are scored: the time grows at least with the square of the length.
SCORED = 40

#: How many readings of leetspeak are tried. Every letter with several signs for it multiplies them, and 40
#: characters can have hundreds of readings, which would take seconds.
READINGS = 8

REASONS = {
    "dictionary": "too_common",
    "date": "too_dated",
    "regex": "too_dated",
    "repeat": "too_regular",
    "sequence": "too_regular",
    "spatial": "too_regular",
}


def objection(password: str, *, email: str, least: int) -> str | None:
    """The code of the objection to a new password, or None; `least` is a zxcvbn score from 0 to 4."""
    if is_the_email(password, email):
        return "is_the_email"
    if least == 0:
        return None
    weakest = min((_estimate(form, email) for form in _forms(password)), key=lambda found: found["score"])
    if weakest["score"] >= least:
        return None
    longest = max(weakest["sequence"], key=lambda part: len(part["token"]))
    return REASONS.get(longest["pattern"], "too_guessable")


def is_the_email(password: str, email: str) -> bool:
    """Whether a password equals the e-mail address in any equivalent spelling."""
    address = normalised(email).casefold()
    return any(normalised(one).casefold() == address for one in spellings(password))


def _forms(password: str) -> set[str]:
    """The beginning of the password, as typed and as the same keys in the other layout."""
    scored = normalised(password)[:SCORED].lower()
    return {scored, *(scored.translate(layout) for layout in LAYOUTS)}


def _estimate(password: str, email: str) -> dict[str, Any]:
    # Imported here, since its dictionaries take memory that a shop without a minimum score does not need.
    from zxcvbn import zxcvbn
    from zxcvbn.matching import L33T_TABLE

    own = ["nexus", email, *email.split("@")]
    readable = with_fewer_signs(password, L33T_TABLE)
    found: dict[str, Any] = zxcvbn(readable, user_inputs=[*own, *FREQUENT])
    return found


def with_fewer_signs(password: str, table: Mapping[str, Sequence[str]]) -> str:
    """The password, with just one sign for each letter of a table if it had too many readings."""
    present = [[sign for sign in signs if sign in password] for signs in table.values()]
    if prod(len(signs) or 1 for signs in present) <= READINGS:
        return password
    return password.translate({ord(sign): signs[0] for signs in present for sign in signs})
