"""Accounts and their credentials."""

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
    #: The password hash; the column's name is from the old system.
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
        """The account with this e-mail address, ignoring case."""
        return cls.select().where(fn.lower(cls.email) == fn.lower(email))

    @classmethod
    def register(cls, *, email: str, password: str) -> "User":
        """Create an account; EmailTaken if another one has the address."""
        hashed = passwords.hash_password(password)
        with unique_email():
            (user,) = cls.written(cls.insert(email=email, password=hashed))
        return user

    @classmethod
    def sign_in(cls, *, emails: Sequence[str], password: str) -> "User":
        """The account with the first of these addresses that is known, if the password is right.

        Otherwise InvalidCredentials, which takes equally long for an unknown address and a wrong password.
        """
        found = (cls.by_email(email).first() for email in emails)
        user: User | None = next(filter(None, found), None)
        if not passwords.verify(password, user.password if user else None) or user is None:
            raise InvalidCredentials
        if passwords.outdated(password, user.password):
            user.upgrade_hash(password)
        return user

    def upgrade_hash(self, password: str) -> None:
        """Hash the same password anew with the current settings, unless it was changed meanwhile."""
        table = type(self)
        hashed = passwords.hash_password(password)
        same = (table.id == self.id) & (table.password == self.password)
        if table.update(password=hashed).where(same).execute():
            self.password = hashed


User.add_index(fn.lower(User.email), unique=True, name="users_email")


@contextmanager
def unique_email() -> Iterator[None]:
    """Turn a violation of the unique index into EmailTaken."""
    try:
        yield
    except peewee.IntegrityError as error:
        if violated(error) == "users_email":
            raise EmailTaken from None
        raise
