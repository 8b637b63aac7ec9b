"""The two clients, with every call as a method of both."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import wraps
from typing import Any, Generic, ParamSpec, TypeVar, overload

from nexus.client import calls
from nexus.client.call import Call, Page
from nexus.client.drivers import Awaiting, Blocking

Given = ParamSpec("Given")
Result = TypeVar("Result")
Row = TypeVar("Row")


class Method(Generic[Given, Result]):
    """A call as a method, which returns its result in a blocking client, and an awaitable in an async one."""

    def __init__(self, make: Callable[Given, Call[Result]]) -> None:
        self._make = make
        self.__doc__ = make.__doc__

    @overload
    def __get__(self, client: Blocking, kind: type[Blocking]) -> Callable[Given, Result]: ...

    @overload
    def __get__(self, client: Awaiting, kind: type[Awaiting]) -> Callable[Given, Awaitable[Result]]: ...

    def __get__(self, client: Any, kind: Any) -> Any:
        @wraps(self._make)
        def call(*args: Given.args, **kwargs: Given.kwargs) -> Any:
            return client.call(self._make(*args, **kwargs))

        return call


class Listing(Generic[Given, Row]):
    """A list as a method, which returns an iterator over the rows of all pages."""

    def __init__(self, make: Callable[Given, Call[Page[Row]]]) -> None:
        self._make = make
        self.__doc__ = make.__doc__

    @overload
    def __get__(self, client: Blocking, kind: type[Blocking]) -> Callable[Given, Iterator[Row]]: ...

    @overload
    def __get__(self, client: Awaiting, kind: type[Awaiting]) -> Callable[Given, AsyncIterator[Row]]: ...

    def __get__(self, client: Any, kind: Any) -> Any:
        @wraps(self._make)
        def pages(*args: Given.args, **kwargs: Given.kwargs) -> Any:
            return client.pages(self._make(*args, **kwargs))

        return pages


class Shop:
    """Every call, as described in `calls.py`."""

    register = Method(calls.register)
    sign_in = Method(calls.sign_in)
    sign_out = Method(calls.sign_out)
    me = Method(calls.me)
    sessions = Method(calls.sessions)
    end_session = Method(calls.end_session)
    change_email = Method(calls.change_email)
    change_password = Method(calls.change_password)
    reset_password = Method(calls.reset_password)
    delete_account = Method(calls.delete_account)
    product = Method(calls.product)
    products = Listing(calls.products)
    add_product = Method(calls.add_product)
    change_product = Method(calls.change_product)
    delete_product = Method(calls.delete_product)
    place_order = Method(calls.place_order)
    order = Method(calls.order)
    orders = Listing(calls.orders)
    order_events = Method(calls.order_events)
    move_order = Method(calls.move_order)
    issue_receipt = Method(calls.issue_receipt)
    stats = Method(calls.stats)


class Client(Shop, Blocking):
    """A client for threads: `with Client("https://shop.example.com") as shop: shop.product(1)`."""


class AsyncClient(Shop, Awaiting):
    """A client for tasks: `async with AsyncClient(...) as shop: await shop.product(1)`."""
