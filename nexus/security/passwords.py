"""Passwords: how they are hashed, and how hashes of the old system are still accepted."""

import os
import secrets
import sys
import unicodedata
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import bcrypt
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

#: The second of the settings that OWASP recommends: 19 MiB, two passes, one lane; about 30 ms.
HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)

#: By how much the priority of hashing is lower than that of requests, as `nice` counts.
NICENESS = 5


def _give_way() -> None:
    # Only Linux has a priority for each thread; elsewhere this would change the process's. A sandbox may
    # forbid it.
    if sys.platform == "linux":
        with suppress(OSError):
            os.nice(NICENESS)


#: The thread that computes a process's hashes, one after another: each occupies a core and its memory while
#: others have requests to serve. This only bounds the load; other processes hash at the same time.
HASHING = ThreadPoolExecutor(1, "hashing", _give_way)

BCRYPT = ("$2a$", "$2b$", "$2y$")
#: How much of a password bcrypt reads. The old system silently truncated longer ones here.
BCRYPT_BYTES = 72


def _random(size: int) -> str:
    return b64encode(secrets.token_bytes(size)).decode().rstrip("=")


#: A hash that no password matches, verified where there is none, so that all refusals take equally long.
#: It is made of random bytes, since computing one would delay the start of every command.
DUMMY_HASH = (
    f"$argon2id$v=19$m={HASHER.memory_cost},t={HASHER.time_cost},p={HASHER.parallelism}"
    f"${_random(HASHER.salt_len)}${_random(HASHER.hash_len)}"
)


def hash_password(password: str) -> str:
    """Hash a new password with argon2id."""
    return HASHING.submit(HASHER.hash, normalised(password)).result()


def verify(password: str, stored: str | None) -> bool:
    """Whether the password matches a stored hash.

    None, for no account, and a text that is not a hash match nothing, and take as long as a wrong password.
    """
    if stored is None:
        stored = DUMMY_HASH
    check = _bcrypt if stored.startswith(BCRYPT) else _argon2
    return any(check(one, stored) for one in spellings(password))


def spellings(password: str) -> tuple[str, ...]:
    """A password in the normalised form that we hash, and also as it was typed, if that differs.

    Imported accounts may have the hash of either. Most passwords have one spelling and take one hash.
    """
    normal = normalised(password)
    return (normal,) if normal == password else (normal, password)


def normalised(password: str) -> str:
    """The password in NFKC, since the same keys produce different characters on different systems."""
    return unicodedata.normalize("NFKC", password)


def outdated(password: str, stored: str) -> bool:
    """Whether the hash was made in another way than `hash_password` makes it now."""
    if stored.startswith(BCRYPT) or HASHER.check_needs_rehash(stored):
        return True
    normal, *others = spellings(password)
    return bool(others) and not _argon2(normal, stored)


def _argon2(password: str, stored: str) -> bool:
    try:
        return HASHING.submit(HASHER.verify, stored, password).result()
    except VerificationError:
        return False
    except InvalidHashError:
        return _argon2(password, DUMMY_HASH)


def _bcrypt(password: str, stored: str) -> bool:
    try:
        return HASHING.submit(bcrypt.checkpw, password.encode()[:BCRYPT_BYTES], stored.encode()).result()
    except ValueError:
        # A malformed bcrypt hash: the account cannot sign in, but the request must not fail.
        return _argon2(password, DUMMY_HASH)
