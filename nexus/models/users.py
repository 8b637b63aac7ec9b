"""Accounts: who may sign in, and with what."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import peewee
from peewee import fn

from nexus.db import violated
from nexus.errors import EmailTaken, InvalidCredentials
from nexus.models.base import BigIdentityField, Model
from nexus.security import passwords

SELLER, ADMIN = "seller", "admin"


class User(Model):
    """Someone who can sign in and sell."""

    id = BigIdentityField()
    email = peewee.TextField()
    #: The hash; the column has the name that the old system gave it.
    password = peewee.TextField()
    role = peewee.TextField(
        constraints=[
            peewee.SQL("DEFAULT 'seller'"),
            peewee.Check("role IN ('seller', 'admin')", "users_role"),
        ]
    )

    class Meta:
        """Peewee's options."""

        table_name = "users"

    @classmethod
    def by_id(cls, user_id: int) -> "peewee.ModelSelect[User]":
        """The account with this id."""
        return cls.select().where(cls.id == user_id)

    @classmethod
    def by_email(cls, email: str) -> "peewee.ModelSelect[User]":
        """The account with this e-mail address, whatever its letters' case."""
        return cls.select().where(fn.lower(cls.email) == fn.lower(email))

    @classmethod
    def register(cls, *, email: str, password: str) -> "User":
        """Make an account; EmailTaken where another has the address."""
        hashed = passwords.hash_password(password)
        with unique_email():
            (user,) = cls.written(cls.insert(email=email, password=hashed))
        return user

    @classmethod
    def sign_in(cls, *, emails: Sequence[str], password: str) -> "User":
        """The account that the first known of these addresses and the password belong to.

        InvalidCredentials, equally slow, where there is none.
        """
        found = (cls.by_email(email).first() for email in emails)
        user: User | None = next(filter(None, found), None)
        if not passwords.verify(password, user.password if user else None) or user is None:
            raise InvalidCredentials
        if passwords.outdated(password, user.password):
            user.upgrade_hash(password)
        return user

    def upgrade_hash(self, password: str) -> None:
        """Store the same password as it is hashed now, unless it was changed meanwhile."""
        table = type(self)
        hashed = passwords.hash_password(password)
        same = (table.id == self.id) & (table.password == self.password)
        if table.update(password=hashed).where(same).execute():
            self.password = hashed


User.add_index(fn.lower(User.email), unique=True, name="users_email")


@contextmanager
def unique_email() -> Iterator[None]:
    """Turn the index's refusal into EmailTaken."""
    try:
        yield
    except peewee.IntegrityError as error:
        if violated(error) == "users_email":
            raise EmailTaken from None
        raise
