"""How hard a new password is to guess, and what to tell whoever chose one that is not."""

from typing import Any

from nexus.security.passwords import normalised
from nexus.security.russian import FREQUENT

#: The same keys on the two keyboards: who types Russian words in the wrong layout hides nothing.
LATIN = "`qwertyuiop[]asdfghjkl;'zxcvbnm,."
CYRILLIC = "ёйцукенгшщзхъфывапролджэячсмитьбю"
LAYOUTS = (str.maketrans(LATIN, CYRILLIC), str.maketrans(CYRILLIC, LATIN))

#: What is scored of a password: the estimate takes longer with the square of the length and more.
SCORED = 40

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
    if normalised(password).casefold() == normalised(email).casefold():
        return "is_the_email"
    if least == 0:
        return None
    weakest = min((_estimate(form, email) for form in _forms(password)), key=lambda found: found["score"])
    if weakest["score"] >= least:
        return None
    longest = max(weakest["sequence"], key=lambda part: len(part["token"]))
    return REASONS.get(longest["pattern"], "too_guessable")


def _forms(password: str) -> set[str]:
    """The password's beginning, and what it would be on the other keyboard."""
    scored = normalised(password)[:SCORED].lower()
    return {scored, *(scored.translate(layout) for layout in LAYOUTS)}


def _estimate(password: str, email: str) -> dict[str, Any]:
    # Its dictionaries take memory that a shop without a minimum has no use for.
    from zxcvbn import zxcvbn

    own = ["nexus", email, *email.split("@")]
    found: dict[str, Any] = zxcvbn(password, user_inputs=[*own, *FREQUENT])
    return found
