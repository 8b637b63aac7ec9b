"""Keys that sign: how a setting lists them, and which are too weak to protect anything."""

PLACEHOLDERS = ("secret", "change", "password", "example", "your-", "default")


def split(value: str) -> list[str]:
    """The parts of a list as a variable holds it, separated by commas."""
    return [part.strip() for part in value.split(",") if part.strip()]


def weak_keys(value: str) -> str | None:
    """What is wrong with a list of keys, each named by its place where there are several."""
    keys = split(value) or [""]
    found = [(place, weakness(key)) for place, key in enumerate(keys, 1)]
    if len(keys) == 1:
        return found[0][1]
    return "; ".join(f"key {place} {weak}" for place, weak in found if weak) or None


def weakness(secret: str) -> str | None:
    """Say why a signing key cannot protect anything, or None when it can."""
    if not secret:
        return "is required in production"
    if len(secret.encode()) < 32:
        return f"has {len(secret.encode())} bytes and needs 32 or more"
    if len(set(secret)) < 10 or any(word in secret.lower() for word in PLACEHOLDERS):
        return "looks like a placeholder"
    return None
