"""Signing keys: how a setting lists them, and which are too weak."""

PLACEHOLDERS = ("secret", "change", "password", "example", "your-", "default")


def split(value: str) -> list[str]:
    """The elements of a list separated by commas."""
    return [part.strip() for part in value.split(",") if part.strip()]


def weak_keys(value: str) -> str | None:
    """What is wrong with a list of keys, each identified by its position if there are several."""
    keys = split(value) or [""]
    found = [(place, weakness(key)) for place, key in enumerate(keys, 1)]
    if len(keys) == 1:
        return found[0][1]
    return "; ".join(f"key {place} {weak}" for place, weak in found if weak) or None


def weakness(secret: str) -> str | None:
    """Why a signing key is too weak, or None if it is strong enough."""
    if not secret:
        return "is required in production"
    if len(secret.encode()) < 32:
        return f"has {len(secret.encode())} bytes and needs 32 or more"
    if len(set(secret)) < 10 or any(word in secret.lower() for word in PLACEHOLDERS):
        return "looks like a placeholder"
    return None
