"""Passwords: how they are hashed, how hashes of the old system are still honoured."""

import secrets
import unicodedata
from base64 import b64encode
from threading import Lock

import bcrypt
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

#: OWASP's second choice of settings: 19 MiB, two passes, one lane; about 30 ms.
HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)

#: A hash takes a core, and its memory, for as long as it runs, and other threads have reads to answer: so a
#: process makes one at a time. It is no matter of correctness, and other processes make theirs.
ALONE = Lock()

BCRYPT = ("$2a$", "$2b$", "$2y$")
#: What bcrypt reads of a password. The old system cut longer ones here without a word.
BCRYPT_BYTES = 72


def _random(size: int) -> str:
    return b64encode(secrets.token_bytes(size)).decode().rstrip("=")


#: A hash without a password, verified against where there is no hash, so that all refusals take equally long.
#: It is put together from random bytes, since hashing would delay the start of every command.
NOBODY = (
    f"$argon2id$v=19$m={HASHER.memory_cost},t={HASHER.time_cost},p={HASHER.parallelism}"
    f"${_random(HASHER.salt_len)}${_random(HASHER.hash_len)}"
)


def hash_password(password: str) -> str:
    """Hash a new password with argon2id."""
    with ALONE:
        return HASHER.hash(normalised(password))


def verify(password: str, stored: str | None) -> bool:
    """Whether the password is the one of a stored hash.

    None, for no account, and a text that is no hash are False and cost as much as a wrong password.
    """
    if stored is None:
        stored = NOBODY
    check = _bcrypt if stored.startswith(BCRYPT) else _argon2
    return any(check(one, stored) for one in spellings(password))


def spellings(password: str) -> tuple[str, ...]:
    """A password in the one form in which we hash it, and as it was typed where that is another text.

    Rows of the old data may hold the hash of either. Most passwords have one spelling, and cost one hash.
    """
    normal = normalised(password)
    return (normal,) if normal == password else (normal, password)


def normalised(password: str) -> str:
    """The same keys make different characters on different systems; NFKC makes them one password again."""
    return unicodedata.normalize("NFKC", password)


def outdated(password: str, stored: str) -> bool:
    """Whether the hash of a password was made otherwise than `hash_password` makes it now."""
    if stored.startswith(BCRYPT) or HASHER.check_needs_rehash(stored):
        return True
    normal, *others = spellings(password)
    return bool(others) and not _argon2(normal, stored)


def _argon2(password: str, stored: str) -> bool:
    try:
        with ALONE:
            return HASHER.verify(stored, password)
    except VerificationError:
        return False
    except InvalidHashError:
        return _argon2(password, NOBODY)


def _bcrypt(password: str, stored: str) -> bool:
    try:
        with ALONE:
            return bcrypt.checkpw(password.encode()[:BCRYPT_BYTES], stored.encode())
    except ValueError:
        # Not a whole bcrypt hash: such an account cannot sign in, which is no reason to fail.
        return _argon2(password, NOBODY)
