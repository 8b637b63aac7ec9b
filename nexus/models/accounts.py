"""Changes to an account: a new password, e-mail address or role, and its deletion."""

import secrets
from typing import Any
from uuid import UUID

import peewee
from peewee import SQL, fn

from nexus.db import database
from nexus.errors import InvalidCredentials, InvalidResetToken, NotFound, OpenOrders
from nexus.models.base import Model, TimeField
from nexus.models.catalog import Product
from nexus.models.orders import Order
from nexus.models.sessions import Session, digest
from nexus.models.users import User, unique_email
from nexus.security import passwords

#: How many of an account's open orders OpenOrders names when it cannot be erased.
MAX_NAMED = 100

#: How long a password-reset token is valid.
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
        """Make a token that is valid for one hour and one use, replacing any that the account had."""
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
        """The account that a token is for, without using the token; InvalidResetToken for an invalid one."""
        user: User | None = User.select().join(cls).where(cls._valid(token)).first()
        if user is None:
            raise InvalidResetToken
        return user

    @classmethod
    def spend(cls, token: str) -> int:
        """Use a token up: the id of its account; of two concurrent uses one raises InvalidResetToken."""
        spent = list(cls.delete().where(cls._valid(token)).returning(cls.user).execute())
        if not spent:
            raise InvalidResetToken
        return int(spent[0].user_id)

    @classmethod
    def sweep(cls, *, batch: int) -> int:
        """Delete up to `batch` expired tokens; the number deleted."""
        return cls.swept(cls.expires_at <= fn.now(), batch=batch)

    @classmethod
    def _valid(cls, token: str) -> Any:
        return (cls.hash == digest(token)) & (cls.expires_at > fn.now())


@database.rerun
def change_password(user: User, *, current: str, new: str, keep: UUID) -> None:
    """Change the password of someone who knows the current one, and end all sessions but `keep`.

    Raises InvalidCredentials if the current password is wrong.
    """
    _confirm(user, current)
    hashed = passwords.hash_password(new)
    with database.atomic():
        # Of two concurrent changes that both knew the old password, only one succeeds.
        if not User.update(password=hashed).where(_unchanged(user)).execute():
            raise InvalidCredentials
        _end_resets(user.id)
        Session.end_all(user.id, but=keep)


@database.rerun
def set_password(user_id: int, *, new: str) -> None:
    """Set an account's password without asking for the current one, and end its sessions."""
    hashed = passwords.hash_password(new)
    with database.atomic():
        User.update(password=hashed).where(User.id == user_id).execute()
        _end_resets(user_id)
        Session.end_all(user_id)


@database.rerun
def reset_password(token: str, *, new: str) -> None:
    """Set the password of a reset token's account, and end its sessions; InvalidResetToken if invalid."""
    hashed = passwords.hash_password(new)
    with database.atomic():
        user_id = Reset.spend(token)
        User.update(password=hashed).where(User.id == user_id).execute()
        Session.end_all(user_id)


@database.rerun
def change_email(user: User, *, email: str, current: str) -> User:
    """Change the e-mail address; InvalidCredentials, or EmailTaken if another account has the address."""
    _confirm(user, current)
    with unique_email(), database.atomic():
        changed = User.written(User.update(email=email).where(_unchanged(user)))
        if not changed:
            raise InvalidCredentials
        # A reset token that was sent to the old address must not work any more.
        _end_resets(user.id)
    return changed[0]


def of_role(role: str | None) -> "peewee.ModelSelect[User]":
    """The accounts with a role, or all of them, by id."""
    found = User.select().order_by(User.id)
    return found.where(User.role == role) if role else found


def belongings(user_id: int) -> dict[str, int]:
    """The numbers of `products`, `orders` and `openOrders` of an account."""
    return {
        "products": Product.select().where(Product.user == user_id).count(),
        "orders": Order.select().where(Order.seller == user_id).count(),
        "openOrders": Order.still_open(user_id).count(),
    }


@database.rerun
def change_role(user_id: int, *, role: str) -> str:
    """Change an account's role, and return the one it had before; NotFound if there is no such account."""
    with database.atomic():
        # The lock that an UPDATE takes: it holds up other changes of the account, but no orders.
        locked = User.by_id(user_id).for_update("FOR NO KEY UPDATE")  # type: ignore[arg-type]
        user: User | None = locked.first()
        if user is None:
            raise NotFound
        if role != user.role:
            User.update(role=role).where(User.id == user_id).execute()
    return user.role


@database.rerun
def leave(user: User, *, password: str) -> None:
    """Delete the account of someone who knows its password: InvalidCredentials, or as `erase`."""
    _confirm(user, password)
    with database.atomic():
        if User.select(User.id).where(_unchanged(user)).for_update().first() is None:
            raise InvalidCredentials
        erase(user.id)


@database.rerun
def erase(user_id: int) -> None:
    """Delete the account and its products, and keep its orders; OpenOrders if some still need a seller.

    Placing an order locks the seller's row until commit. So while this transaction holds the lock no order
    is in flight: earlier ones are counted here, later ones find no product.
    """
    with database.atomic():
        User.select(User.id).where(User.id == user_id).for_update().first()
        waiting = Order.still_open(user_id).limit(MAX_NAMED)
        if orders := [str(order.id) for order in waiting]:
            raise OpenOrders(orders=orders)
        User.delete().where(User.id == user_id).execute()


def _confirm(user: User, password: str) -> None:
    if not passwords.verify(password, user.password):
        raise InvalidCredentials


def _unchanged(user: User) -> Any:
    """The condition for the account, as long as it has the password that was confirmed."""
    return (User.id == user.id) & (User.password == user.password)


def _end_resets(user_id: int) -> None:
    Reset.delete().where(Reset.user == user_id).execute()
