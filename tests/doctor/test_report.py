"""The report as a whole: its lines, its exit code, and the secrets that it must not show."""

import json
from pathlib import Path

import pytest

from nexus.config import Settings
from tests.doctor.conftest import Doctor
from tests.environment import flask

SECRET = "hunter2-hunter2"


def test_every_check_of_a_healthy_shop_is_ok(doctor: Doctor, shop: Settings) -> None:
    report = doctor(shop)

    assert {line["status"] for line in report.lines.values()} == {"ok"}
    assert report.code == 0


def test_the_lines_are_aligned_with_the_advice_below(root: Path, scratch: Settings) -> None:
    done = flask(root, scratch, "db", "doctor")

    lines = done.stdout.splitlines()
    place = lines[0].index("reachable")
    width = lines[0].index(next(word for word in lines[0].split()[2:]))
    assert (done.returncode, done.stderr) == (1, "")
    assert "\x1b" not in done.stdout
    for line in lines:
        if line.startswith(("ok  ", "warn", "fail")):
            assert line[place - 2 : place] == "  "
            assert line[width - 2 : width] == "  "
        else:
            assert line.startswith(" " * width + "> ")
    migrations = [line.split()[1] for line in lines].index("migrations")
    assert lines[migrations + 1].split() == [">", "flask", "migrate"]


@pytest.mark.parametrize(
    ("url", "said", "advised"),
    [
        ("127.0.0.1:1/nothing", "Connection refused", "start the server"),
        # Too long for a host name, so that no name server is queried.
        (f"{'x' * 64}/nothing", "translate host name", "correct the host in DATABASE_URL"),
    ],
)
def test_without_a_server_one_check_reports_why(
    root: Path, settings: Settings, url: str, said: str, advised: str
) -> None:
    url = f"postgresql://nexus:{SECRET}@{url}"
    done, listed = (
        flask(root, settings, "db", "doctor", *words, DATABASE_URL=url) for words in ([], ["--json"])
    )

    first, second = done.stdout.splitlines()
    assert first.startswith("fail  reachable  ")
    assert said in first
    assert advised in second
    (finding,) = json.loads(listed.stdout)
    assert (finding["check"], finding["status"]) == ("reachable", "fail")
    assert (done.returncode, listed.returncode) == (1, 1)
    assert SECRET not in done.stdout + done.stderr + listed.stdout + listed.stderr


def test_a_password_in_a_driver_error_is_masked(doctor: Doctor, shop: Settings) -> None:
    assert shop.direct
    host = shop.direct.parameters.get("host", "")
    url = f"postgresql://{SECRET}:{SECRET}@/nexus?host={host}&port={shop.direct.parameters.get('port', 5432)}"
    report = doctor(shop, database_url=url)

    assert list(report.lines) == ["reachable"]
    assert "***" in report.detail("reachable")
    assert SECRET not in json.dumps(report.lines)


def test_a_missing_database_is_advised_to_be_created(doctor: Doctor, shop: Settings) -> None:
    url = f"{str(shop.database_url).partition('?')[0]}_gone"
    query = str(shop.database_url).partition("?")[2]
    report = doctor(shop, database_url=f"{url}?{query}")

    assert report.advice("reachable") == "create it (docs/DATABASE.md), or correct DATABASE_URL"
