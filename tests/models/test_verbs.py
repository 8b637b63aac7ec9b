"""Methods of the models, including what the API does not use today."""

from collections.abc import Iterator

import pytest
from playhouse.test_utils import assert_query_count

from nexus.db import database
from nexus.errors import EmailTaken, InvalidCredentials
from nexus.models import accounts
from nexus.models.catalog import Product
from nexus.models.orders import Order
from nexus.models.steps import Actor
from nexus.models.users import User
from tests.factories import PASSWORD, Person


@pytest.fixture(autouse=True)
def _connected(seller: Person) -> Iterator[None]:
    with database.connection_context():
        yield


def test_an_accounts_address_and_password_can_be_changed(seller: Person) -> None:
    user = User.by_id(seller.id).get()

    accounts.set_password(user.id, new="another password")
    changed = accounts.change_email(
        User.by_id(user.id).get(), email="New@example.com", current="another password"
    )

    assert changed.email == "New@example.com"
    assert User.sign_in(emails=["new@EXAMPLE.com"], password="another password") == user
    with pytest.raises(InvalidCredentials):
        User.sign_in(emails=["new@example.com"], password=PASSWORD)


def test_changing_to_an_address_in_use_is_refused(seller: Person) -> None:
    User.register(email="taken@example.com", password=PASSWORD)

    with pytest.raises(EmailTaken):
        accounts.change_email(User.by_id(seller.id).get(), email="TAKEN@example.com", current=PASSWORD)

    assert User.by_id(seller.id).get().email == "seller@example.com"


def test_deleting_an_account_deletes_only_its_own_products(seller: Person) -> None:
    user = User.by_id(seller.id).get()
    other = User.register(email="other@example.com", password=PASSWORD)
    for owner in (user, other):
        Product.offer(owner, currency="USD", name="Course", price=1)

    User.delete().where(User.id == user.id).execute()

    assert [product.user_id for product in Product.select()] == [other.id]
    assert list(User.select()) == [other]


def test_a_product_and_its_owner_are_loaded_in_one_query(seller: Person) -> None:
    user = User.by_id(seller.id).get()
    product = Product.offer(user, currency="USD", name="Course", price=1)

    with assert_query_count(1):
        found = Product.with_owner(product.id).get()
        assert found.user.email == "seller@example.com"


def test_a_buyers_orders_and_their_products_are_loaded_newest_first_in_one_query(seller: Person) -> None:
    user = User.by_id(seller.id).get()
    product = Product.offer(user, currency="USD", name="Course", price=5)
    placed = [
        Order.place(product_id=product.id, email=email, name=None, amount=None, buyer=None, by=Actor("buyer"))
        for email in ("Anna@example.com", "anna@EXAMPLE.com", "boris@example.com")
    ]

    with assert_query_count(1):
        found = list(Order.by_email("ANNA@example.com"))
        assert [order.product and order.product.name for order in found] == ["Course", "Course"]
    assert {str(order.id) for order in found} == {order.id for order in placed[:2]}
    assert found[0].created_at >= found[1].created_at
