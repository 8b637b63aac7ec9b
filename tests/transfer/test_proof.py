"""The verification detects altered rows, at once and later; corrections, orphans, conflicts are reported."""

import json
import resource
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nexus.config import Settings
from nexus.transfer.importing import opened
from tests.environment import environment
from tests.sql import query
from tests.transfer.conftest import HASH, UUID, Run, counts, old, order, write

#: A trigger that alters inserted orders.
ALTERING_TRIGGER = """
CREATE FUNCTION alter_order() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN {} RETURN NEW; END $$;
CREATE TRIGGER alter_order BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION alter_order();
"""


def named(report: dict[str, Any]) -> list[tuple[str, Any, str]]:
    return [(one["table"], one["id"], one["field"]) for one in report["problems"]["named"]]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ("NEW.name := upper(NEW.name);", "name"),
        ("NEW.amount := NEW.amount + 1;", "amount"),
        ("NEW.created_at := NEW.created_at + interval '1 microsecond';", "createdAt"),
        ("NEW.product_id := NULL;", "productId"),
    ],
)
def test_an_altered_write_is_detected_and_undone(
    shop: Settings, flask: Run, tmp_path: Path, change: str, field: str
) -> None:
    query(shop, ALTERING_TRIGGER.format(f"IF NEW.old_id = 'ord_1' THEN {change} END IF;"))

    run = flask("db", "import", write(tmp_path / "a.json", old()), "--json")

    assert run.exit_code == 1
    report = json.loads(run.stdout)
    assert named(report) == [("orders", "ord_1", field)]
    sums = report["tables"][2]["checksums"]
    assert [name for name, sides in sums.items() if not sides["holds"]] == [field]
    assert report["tables"][2]["sums"]["paid"]["holds"] is (field != "amount")
    assert counts(shop) == [0, 0, 0]


def test_a_lost_write_is_detected_and_undone(shop: Settings, flask: Run, tmp_path: Path) -> None:
    lost = ALTERING_TRIGGER.format("IF NEW.old_id = 'ord_1' THEN RETURN NULL; END IF;")
    query(shop, lost)

    run = flask("db", "import", write(tmp_path / "a.json", old()))

    assert run.exit_code == 1
    assert "orders ord_1 id: is not in the database\n" in run.stdout
    assert counts(shop) == [0, 0, 0]


def test_verify_reports_what_has_changed_since_the_import(shop: Settings, flask: Run, tmp_path: Path) -> None:
    file = write(tmp_path / "a.json", old())
    flask("db", "import", file)
    query(shop, "UPDATE users SET email = 'ann@example.org' WHERE id = 1")
    query(shop, "DELETE FROM products WHERE id = 3")
    query(shop, "UPDATE orders SET name = '' WHERE name IS NULL")

    run = flask("db", "verify", file, "--json", "--report", tmp_path / "report.json")

    assert run.exit_code == 1
    assert run.stderr == "Error: the database differs from the file\n"
    assert named(json.loads(run.stdout)) == [
        ("users", 1, "email"),
        ("products", 3, "id"),
        ("orders", "ord_1", "productId"),
        ("orders", UUID, "productId"),
        ("orders", UUID, "name"),
    ]
    assert json.loads((tmp_path / "report.json").read_text()) == json.loads(run.stdout)
    assert stat.S_IMODE((tmp_path / "report.json").stat().st_mode) == 0o600


def test_verify_reads_a_single_snapshot(shop: Settings, flask: Run, tmp_path: Path) -> None:
    file = write(tmp_path / "a.json", old())
    flask("db", "import", file)

    def meanwhile(_: int) -> None:
        query(shop, "UPDATE products SET price = price + 1")

    with opened(file, shop, fixes=None, limit=1, advance=meanwhile) as transfer:
        report = transfer.verify()

    assert report.holds
    assert flask("db", "verify", file).exit_code == 1


def test_a_checksum_reports_the_number_of_its_values(flask: Run, tmp_path: Path) -> None:
    run = flask("db", "import", write(tmp_path / "a.json", old()), "--json")

    sums = json.loads(run.stdout)["tables"][2]["checksums"]
    # One of the two orders has no name, and the file has no currency.
    values = {name: sums[name]["values"] for name in ("id", "name", "currency")}
    assert values == {"id": 2, "name": 1, "currency": 0}


def test_an_existing_row_with_other_content_is_a_conflict(shop: Settings, flask: Run, tmp_path: Path) -> None:
    flask("db", "import", write(tmp_path / "a.json", old()))
    tables = old()
    tables["products"][0]["price"] = 101
    tables["orders"].append(order(id="ord_2", productId=99))

    run = flask("db", "import", write(tmp_path / "b.json", tables), "--json")

    assert run.exit_code == 1
    report = json.loads(run.stdout)
    assert named(report) == [("products", 3, "price"), ("orders", "ord_2", "productId")]
    assert report["problems"]["named"][0]["reason"] == "is '101' in the file and '100' in the database"
    assert counts(shop) == [2, 1, 2]


def test_corrections_are_applied_first_and_listed_with_the_original(
    shop: Settings, flask: Run, tmp_path: Path
) -> None:
    tables = old()
    tables["users"][1]["email"] = "Ann@Example.com"
    file, fixes = write(tmp_path / "a.json", tables, shape="entries"), tmp_path / "fixes.json"
    fixes.write_text('{"users": {"5": {"email": "ann.5@example.com"}}}')

    without = flask("db", "import", file, "--json")
    corrected = flask("db", "import", file, "--fixes", fixes, "--json")
    plain = flask("db", "verify", file, "--fixes", fixes)

    assert {(name, identity) for name, identity, _ in named(json.loads(without.stdout))} == {
        ("users", 1),
        ("users", 5),
    }
    change = {
        "table": "users",
        "id": "5",
        "field": "email",
        "was": "Ann@Example.com",
        "now": "ann.5@example.com",
    }
    assert json.loads(corrected.stdout)["corrections"] == [change]
    assert query(shop, "SELECT email FROM users WHERE id = 5") == [("ann.5@example.com",)]
    assert plain.exit_code == 0
    assert "corrected users 5 email: 'Ann@Example.com' is now 'ann.5@example.com'\n" in plain.stdout
    assert flask("db", "verify", file).exit_code == 1


@pytest.mark.parametrize(
    ("fixes", "says"),
    [
        ('{"users": {"77": {"email": "a"}}}', "users 77: the file has no such row to correct"),
        ('{"carts": {}}', "'carts' is not a table"),
        ('{"users": {"1": {"mail": "a"}}}', "users 1 has no field 'mail'"),
        ("{", "Expecting property name"),
    ],
)
def test_a_correction_without_a_target_is_an_error(
    shop: Settings, flask: Run, tmp_path: Path, fixes: str, says: str
) -> None:
    (tmp_path / "fixes.json").write_text(fixes)

    run = flask("db", "import", write(tmp_path / "a.json", old()), "--fixes", tmp_path / "fixes.json")

    assert run.exit_code == 1
    assert says in run.output
    assert counts(shop) == [0, 0, 0]


def test_orders_of_unknown_products_are_refused_or_kept(shop: Settings, flask: Run, tmp_path: Path) -> None:
    tables = old()
    tables["orders"].append(order(id="ord_9", productId=99))
    file = write(tmp_path / "a.json", tables)

    refused = flask("db", "import", file)
    kept = flask("db", "import", file, "--orphans", "keep", "--json")

    assert "orders ord_9 productId: no products row has the id 99 (see --orphans)\n" in refused.stdout
    assert (refused.exit_code, kept.exit_code) == (1, 0)
    (orphan,) = json.loads(kept.stdout)["orphans"]["named"]
    assert (orphan["id"], orphan["field"]) == ("ord_9", "productId")
    sql = "SELECT product_id, seller_id, product_name FROM orders WHERE old_id = 'ord_9'"
    assert query(shop, sql) == [(None, None, "")]
    assert flask("db", "verify", file).exit_code == 0
    again = flask("db", "import", file, "--orphans", "keep")
    assert again.stdout.endswith("nothing to write: all rows are already there\n")


def test_a_dry_run_reports_the_same_and_writes_nothing(shop: Settings, flask: Run, tmp_path: Path) -> None:
    file = write(tmp_path / "a.json", old())

    dry = flask("db", "import", file, "--dry-run")

    assert dry.exit_code == 0
    assert dry.stdout.endswith("this was a dry run: nothing was written\n")
    assert counts(shop) == [0, 0, 0]
    assert query(shop, "SELECT last_value, is_called FROM users_id_seq") == [(1, False)]
    real = flask("db", "import", file)
    assert real.stdout + "this was a dry run: nothing was written\n" == dry.stdout
    assert query(shop, "SELECT nextval('users_id_seq'), nextval('products_id_seq')") == [(6, 4)]


def test_a_sequence_that_is_ahead_is_not_set_back(shop: Settings, flask: Run, tmp_path: Path) -> None:
    query(shop, "SELECT setval('users_id_seq', 1000)")

    flask("db", "import", write(tmp_path / "a.json", old()))

    assert query(shop, "SELECT nextval('users_id_seq')") == [(1001,)]


def test_new_rows_get_no_id_that_an_old_row_refers_to(shop: Settings, flask: Run, tmp_path: Path) -> None:
    tables = old()
    tables["orders"][0]["productId"] = 9
    # The largest possible id must not exhaust the sequence.
    tables["users"][0]["id"] = 2**63 - 1
    file = write(tmp_path / "old.json", tables)
    assert flask("db", "import", file, "--orphans", "keep").exit_code == 0

    user = f"INSERT INTO users (email, password) VALUES ('new@example.com', '{HASH}') RETURNING id"
    assert query(shop, user) == [(6,)]
    product = "INSERT INTO products (user_id, name, price, currency) VALUES (5, 'New', 1, 'USD') RETURNING id"
    assert query(shop, product) == [(10,)]
    assert flask("db", "import", file, "--orphans", "keep").exit_code == 0
    assert flask("db", "verify", file).exit_code == 0


def test_a_refused_value_is_not_also_reported_as_a_difference(
    shop: Settings, flask: Run, tmp_path: Path
) -> None:
    assert flask("db", "import", write(tmp_path / "a.json", old())).exit_code == 0
    tables = old()
    tables["users"][0]["email"] = "a\0b"
    tables["users"][1]["email"] = "other@example.com"

    run = flask("db", "import", write(tmp_path / "b.json", tables), "--json")

    found = json.loads(run.stdout)["problems"]
    assert [(one["id"], one["field"], one["reason"][:10]) for one in found["named"]] == [
        (1, "email", "contains N"),
        (5, "email", "is 'other@"),
    ]
    assert found["count"] == 2


def test_if_the_report_cannot_be_written_no_row_is_either(shop: Settings, flask: Run, tmp_path: Path) -> None:
    file, report = write(tmp_path / "old.json", old()), tmp_path / "report.json"
    largest = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, largest[1]))
    try:
        run = flask("db", "import", file, "--report", report)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, largest)

    assert run.exit_code == 1
    assert run.stderr == f"Error: {report}: File too large: nothing was written\n"
    assert counts(shop) == [0, 0, 0]
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("output", [">/dev/full", "| true"])
def test_an_import_succeeds_even_if_its_output_cannot_be_written(
    root: Path, shop: Settings, tmp_path: Path, output: str
) -> None:
    file = write(tmp_path / "old.json", old())
    command = f"{sys.executable} -m flask db import {file} {output}; exit ${{PIPESTATUS[0]}}"

    run = subprocess.run(
        ["bash", "-c", command], cwd=root, env=environment(shop), capture_output=True, text=True, check=False
    )

    assert counts(shop) == [2, 1, 2]
    assert (run.returncode, run.stdout) == (0, "")
    assert run.stderr.startswith("everything is written, but the report was not shown: ")
    assert run.stderr.count("\n") == 1


def test_the_report_cannot_overwrite_an_input_file(flask: Run, tmp_path: Path) -> None:
    file = write(tmp_path / "a.json", old())
    fixes = tmp_path / "fixes.json"
    fixes.write_text("{}")
    before = file.read_bytes()

    assert flask("db", "import", file, "--report", file).exit_code == 2
    assert flask("db", "import", file, "--fixes", fixes, "--report", fixes).exit_code == 2
    assert (file.read_bytes(), fixes.read_text()) == (before, "{}")
