"""Problems with the connection: slow, unencrypted, or through a pooler in the wrong mode."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from nexus.config import Settings
from tests.doctor.conftest import Doctor, name
from tests.pooler.bouncer import Bouncer, needed
from tests.pooler.conftest import Start
from tests.sql import query


@needed
@pytest.mark.parametrize(
    ("mode", "direct", "pooled"),
    [("transaction", "fail", "ok"), ("session", "ok", "ok"), ("statement", "fail", "fail")],
)
@pytest.mark.parametrize("size", [1, 3])
def test_the_mode_of_a_pooler_is_detected(
    doctor: Doctor, shop: Settings, start: Start, mode: str, direct: str, pooled: str, size: int
) -> None:
    # A pooler in session mode with one connection would block, and serves nobody.
    bouncer = start(shop, mode=mode, size=max(size, 2) if mode == "session" else size)

    report = doctor(shop, database_url=bouncer.url())
    assert f"in {mode} mode" in report.detail("pooler")
    assert report.status("pooler") == direct

    report = doctor(shop, database_pool_url=bouncer.url())
    assert f"in {mode} mode" in report.detail("pool pooler")
    assert report.status("pool pooler") == pooled
    assert report.status("pooler") == "ok"


@needed
def test_every_check_of_a_healthy_shop_behind_a_pooler_is_ok(
    doctor: Doctor, shop: Settings, start: Start
) -> None:
    bouncer = start(shop)
    report = doctor(shop, database_pool_url=bouncer.url())

    assert {line["status"] for line in report.lines.values()} == {"ok"}
    assert report.detail("connections").startswith("2 needed (for commands")
    assert report.detail("pool connections").startswith("16 to the pooler")
    assert report.detail("pool database") == "the same as DATABASE_URL"
    assert bouncer.left_behind() == []


@needed
def test_a_pooler_for_another_database_fails(
    doctor: Doctor, shop: Settings, settings: Settings, start: Start
) -> None:
    report = doctor(shop, database_pool_url=start(settings).url())

    assert report.status("pool database") == "fail"


def test_a_pool_url_without_a_pooler_is_reported(doctor: Doctor, shop: Settings) -> None:
    report = doctor(shop, database_pool_url=shop.database_url)

    assert report.status("pool pooler") == "warn"
    assert report.code == 0


def test_a_pooler_that_is_down_is_reported_while_the_server_is_ok(doctor: Doctor, shop: Settings) -> None:
    report = doctor(shop, database_pool_url="postgresql://nobody@127.0.0.1:1/nothing")

    assert report.status("migrations") == "ok"
    assert [check for check in report.lines if check.startswith("pool ")] == ["pool reachable"]
    assert "DATABASE_POOL_URL" in report.advice("pool reachable")


def test_several_hosts_without_target_session_attrs_are_reported(doctor: Doctor, shop: Settings) -> None:
    assert shop.direct
    there = shop.direct.parameters
    twice = "&".join(f"{part}={there[part]},{there[part]}" for part in ("host", "port") if part in there)
    url = f"postgresql:///{there['dbname']}?user={there.get('user', '')}&{twice}"

    report = doctor(shop, database_url=url)
    assert (report.status("reachable"), report.code) == ("warn", 0)
    assert "target_session_attrs=read-write" in report.advice("reachable")

    assert doctor(shop, database_url=f"{url}&target_session_attrs=read-write").status("reachable") == "ok"


def test_missing_timeouts_are_reported_with_the_statements_that_set_them(
    doctor: Doctor, scratch: Settings
) -> None:
    report = doctor(scratch)
    assert report.status("limits") == "warn"
    head, *lines = report.advice("limits").splitlines()
    assert head == "set limits for new connections:"
    for line in lines:
        query(scratch, line)

    report = doctor(scratch)
    assert report.status("limits") == "ok"
    assert report.detail("limits") == (
        "statement_timeout 15s, lock_timeout 5s, idle_in_transaction_session_timeout 30s"
    )


def test_only_the_missing_timeout_is_named(doctor: Doctor, shop: Settings) -> None:
    query(shop, f"ALTER DATABASE {name(shop)} SET lock_timeout = 0")

    _, *lines = doctor(shop).advice("limits").splitlines()
    assert [line.partition(" SET ")[2] for line in lines] == ["lock_timeout = '5s';"]


@needed
def test_missing_tls_is_reported_only_between_machines(
    doctor: Doctor, shop: Settings, start: Start, certificate: tuple[Path, Path]
) -> None:
    plain, safe = start(shop), start(shop, certificate=certificate)
    # The name of another machine, with the address of a tunnel to it.
    far = "?host=db.example.com&hostaddr=127.0.0.1"

    report = doctor(shop, database_pool_url=plain.url())
    assert report.status("pool tls") == "ok"

    report = doctor(shop, database_pool_url=plain.url(query=far))
    assert report.status("pool tls") == "warn"
    assert "sslmode=require" in report.advice("pool tls")

    report = doctor(shop, database_pool_url=safe.url(query=f"{far}&sslmode=require"))
    assert report.status("pool tls") == "ok"
    assert report.detail("pool tls").startswith("TLSv1.3, ")

    report = doctor(shop, database_pool_url=plain.url(query="?sslmode=require"))
    assert (
        report.advice("pool reachable")
        == "enable ssl on the server, or remove sslmode from DATABASE_POOL_URL"
    )


@pytest.fixture
def distant(shop: Settings, start: Start) -> Iterator[str]:
    """The URL of a distant pooler: its responses are delayed."""
    bouncer = start(shop)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=forward, args=(listener, bouncer), daemon=True).start()
        yield bouncer.url().replace(f":{bouncer.port}/", f":{listener.getsockname()[1]}/")


def forward(listener: socket.socket, bouncer: Bouncer) -> None:
    """Forward bytes between each client and the pooler until both have disconnected."""
    with suppress(OSError):
        while True:
            client, _ = listener.accept()
            server = socket.create_connection(("127.0.0.1", bouncer.port))
            for pair, delay in (((client, server), 0.0), ((server, client), 0.05)):
                threading.Thread(target=copy, args=(*pair, delay), daemon=True).start()


def copy(source: socket.socket, target: socket.socket, delay: float) -> None:
    with suppress(OSError), source, target:
        while chunk := source.recv(65536):
            time.sleep(delay)
            target.sendall(chunk)
        target.shutdown(socket.SHUT_RDWR)


@needed
def test_a_distant_server_is_reported(doctor: Doctor, shop: Settings, distant: str) -> None:
    report = doctor(shop, database_pool_url=distant)

    assert report.status("latency") == "ok"
    assert report.status("pool latency") == "warn"
