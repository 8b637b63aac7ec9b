"""What becomes of an account: a new password, another address, another role, its end."""

import secrets
from typing import Any
from uuid import UUID

import peewee
from peewee import SQL, fn

from nexus.db import database
from nexus.errors import InvalidCredentials, InvalidResetToken, OpenOrders
from nexus.models.base import Model, TimeField
from nexus.models.catalog import Product
from nexus.models.orders import Order
from nexus.models.sessions import Session, digest
from nexus.models.users import User, unique_email
from nexus.security import passwords

#: How many of an account's open orders OpenOrders names when it cannot be erased.
NAMED = 100

#: How long a token for a new password is good.
RESET_SECONDS = 3600


class Reset(Model):
    """An account's password-reset token: at most one, deleted when used."""

    user = peewee.ForeignKeyField(User, primary_key=True, on_delete="CASCADE", lazy_load=False)
    user_id: int
    #: Only a hash, so that reading the table yields no usable token.
    hash = peewee.TextField(constraints=[SQL("CONSTRAINT resets_hash UNIQUE")])
    expires_at = TimeField()

    class Meta:
        """Peewee's options."""

        table_name = "resets"

    @classmethod
    def make(cls, user: User) -> str:
        """A token good for one hour and one use, in the place of any that the account had."""
        token = secrets.token_urlsafe(32)
        row = {
            "user": user.id,
            "hash": digest(token),
            "expires_at": SQL("now() + make_interval(secs => %s)", (RESET_SECONDS,)),
        }
        replaced = [cls.hash, cls.expires_at]
        cls.insert(row).on_conflict(conflict_target=[cls.user], preserve=replaced).execute()
        return token

    @classmethod
    def owner(cls, token: str) -> User:
        """The account that a token is for, without using it; InvalidResetToken for no such token."""
        user: User | None = User.select().join(cls).where(cls._valid(token)).first()
        if user is None:
            raise InvalidResetToken
        return user

    @classmethod
    def spend(cls, token: str) -> int:
        """The account that a token is for; of two who come at once, one is InvalidResetToken."""
        spent = list(cls.delete().where(cls._valid(token)).returning(cls.user).execute())
        if not spent:
            raise InvalidResetToken
        return int(spent[0].user_id)

    @classmethod
    def sweep(cls, *, batch: int) -> int:
        """Delete up to so many tokens that are good no longer; how many."""
        return cls.swept(cls.expires_at <= fn.now(), batch=batch)

    @classmethod
    def _valid(cls, token: str) -> Any:
        return (cls.hash == digest(token)) & (cls.expires_at > fn.now())


@database.rerun
def change_password(user: User, *, current: str, new: str, keep: UUID) -> None:
    """Give the account another password, known by the present one, and end its sessions but one.

    InvalidCredentials where the present password is another.
    """
    _confirm(user, current)
    hashed = passwords.hash_password(new)
    with database.atomic():
        # Of two changes at once that both knew the old password, one wins.
        if not User.update(password=hashed).where(_unchanged(user)).execute():
            raise InvalidCredentials
        _end_resets(user.id)
        Session.end_all(user.id, but=keep)


@database.rerun
def set_password(user_id: int, *, new: str) -> None:
    """Give the account another password, without asking for the present one, and end its sessions."""
    hashed = passwords.hash_password(new)
    with database.atomic():
        User.update(password=hashed).where(User.id == user_id).execute()
        _end_resets(user_id)
        Session.end_all(user_id)


@database.rerun
def reset_password(token: str, *, new: str) -> None:
    """Give the account of a token another password, and end its sessions; InvalidResetToken for no token."""
    hashed = passwords.hash_password(new)
    with database.atomic():
        user_id = Reset.spend(token)
        User.update(password=hashed).where(User.id == user_id).execute()
        Session.end_all(user_id)


@database.rerun
def change_email(user: User, *, email: str, current: str) -> User:
    """Give the account another address: InvalidCredentials, or EmailTaken where another account has it."""
    _confirm(user, current)
    with unique_email(), database.atomic():
        changed = User.written(User.update(email=email).where(_unchanged(user)))
        if not changed:
            raise InvalidCredentials
        # Whoever was sent a token to the old address must not get in by it.
        _end_resets(user.id)
    return changed[0]


def of_role(role: str | None) -> "peewee.ModelSelect[User]":
    """The accounts with a role, or all of them, by id."""
    found = User.select().order_by(User.id)
    return found.where(User.role == role) if role else found


def belongings(user_id: int) -> dict[str, int]:
    """How many `products`, `orders` and `openOrders` an account has."""
    return {
        "products": Product.select().where(Product.user == user_id).count(),
        "orders": Order.select().where(Order.seller == user_id).count(),
        "openOrders": Order.open_of(user_id).count(),
    }


def change_role(user: User, *, role: str) -> None:
    """Make the account a seller's or an admin's."""
    User.update(role=role).where(User.id == user.id).execute()


@database.rerun
def leave(user: User, *, password: str) -> None:
    """Erase one's own account: InvalidCredentials for a wrong password, else as `erase`."""
    _confirm(user, password)
    with database.atomic():
        if User.select(User.id).where(_unchanged(user)).for_update().first() is None:
            raise InvalidCredentials
        erase(user.id)


@database.rerun
def erase(user_id: int) -> None:
    """Delete the account and its products, while its orders stay; OpenOrders where some still need a seller.

    Placing an order locks the seller's row until commit. While we hold it no order is in flight: earlier
    ones are counted here, later ones find no product.
    """
    with database.atomic():
        User.select(User.id).where(User.id == user_id).for_update().first()
        waiting = Order.open_of(user_id).limit(NAMED)
        if orders := [str(order.id) for order in waiting]:
            raise OpenOrders(orders=orders)
        User.delete().where(User.id == user_id).execute()


def _confirm(user: User, password: str) -> None:
    if not passwords.verify(password, user.password):
        raise InvalidCredentials


def _unchanged(user: User) -> Any:
    """The account as long as it has the password that was confirmed."""
    return (User.id == user.id) & (User.password == user.password)


def _end_resets(user_id: int) -> None:
    Reset.delete().where(Reset.user == user_id).execute()
