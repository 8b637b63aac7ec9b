"""How hard a new password is to guess, and what to tell whoever chose one that is not."""

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

from nexus.schemas.fields import spellings
from nexus.security.passwords import normalised
from nexus.security.russian import FREQUENT

#: The same keys on the two keyboards: who types Russian words in the wrong layout hides nothing.
LATIN = "`qwertyuiop[]asdfghjkl;'zxcvbnm,."
CYRILLIC = "ёйцукенгшщзхъфывапролджэячсмитьбю"
LAYOUTS = (str.maketrans(LATIN, CYRILLIC), str.maketrans(CYRILLIC, LATIN))

#: What is scored of a password: the estimate takes longer with the square of the length and more.
SCORED = 40

#: How many readings of signs as letters are tried. Every letter with several signs multiplies them, and 40
#: characters can have hundreds of readings, which take seconds.
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
    """The code of what speaks against a new password, or None; `least` is a score of zxcvbn, 0 to 4."""
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
    """Whether a password is the address, in any spelling that means the same."""
    address = normalised(email).casefold()
    return any(normalised(one).casefold() == address for one in spellings(password))


def _forms(password: str) -> set[str]:
    """The password's beginning, and what it would be on the other keyboard."""
    scored = normalised(password)[:SCORED].lower()
    return {scored, *(scored.translate(layout) for layout in LAYOUTS)}


def _estimate(password: str, email: str) -> dict[str, Any]:
    # Its dictionaries take memory that a shop without a minimum has no use for.
    from zxcvbn import zxcvbn
    from zxcvbn.matching import L33T_TABLE

    own = ["nexus", email, *email.split("@")]
    readable = with_fewer_signs(password, L33T_TABLE)
    found: dict[str, Any] = zxcvbn(readable, user_inputs=[*own, *FREQUENT])
    return found


def with_fewer_signs(password: str, table: Mapping[str, Sequence[str]]) -> str:
    """The password, with one sign for each letter of a table where they would have too many readings."""
    present = [[sign for sign in signs if sign in password] for signs in table.values()]
    if prod(len(signs) or 1 for signs in present) <= READINGS:
        return password
    return password.translate({ord(sign): signs[0] for signs in present for sign in signs})
