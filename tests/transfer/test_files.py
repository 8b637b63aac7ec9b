"""Malformed or truncated files: each fails with a message and a position, and nothing is written."""

import json
from pathlib import Path

import pytest

from nexus.config import Settings
from tests.sql import query
from tests.transfer.conftest import Run, counts, old, write


def problems(flask: Run, file: Path) -> list[tuple[int, int, str]]:
    run = flask("db", "import", file, "--json")
    assert run.exit_code == 1, run.output
    assert run.exception is None or isinstance(run.exception, SystemExit), run.exception
    return [
        (one["line"], one["column"], one["reason"]) for one in json.loads(run.stdout)["problems"]["named"]
    ]


@pytest.mark.parametrize(
    ("text", "line", "column", "reason"),
    [
        ("[]", 1, 1, "the file is not a JSON object"),
        ("<html>", 1, 1, "the file is not a JSON object"),
        ('{"users": []', 1, 13, "expected a comma"),
        ('{"users": []} {}', 1, 14, "something follows"),
        ('{"users": [],\n "users": []}', 2, 2, "'users' appears a second time"),
        ('{"carts": []}', 1, 2, "'carts' is not a table"),
        ('{"users": 5}', 1, 11, "expected a list or a map"),
        ('{"users": [5, "x"]}', 1, 12, "is not an object"),
        ('{"users": [{"id": x}]}', 1, 19, "is not JSON: "),
        ('{"users": [{"id": 1} {"id": 2}]}', 1, 21, "not JSON: neither a comma nor the end"),
        ('{"users": [{"id": 1, "email": "a}]}', 1, 36, "the file ends in the middle of a row"),
        ('{"users": [{"name": "ёж 𝕬"} 5]}', 1, 28, "not JSON: neither a comma nor the end"),
        ('{"format": "nexus", "version": 2}', 1, 32, "the version is not"),
        (
            '{"users": {"a@example.com": {"id": 1, "email": "b@example.com"}}}',
            1,
            29,
            "is not 'a@example.com'",
        ),
    ],
)
def test_a_malformed_file_is_refused_with_line_and_column(
    shop: Settings, flask: Run, tmp_path: Path, text: str, line: int, column: int, reason: str
) -> None:
    file = tmp_path / "a.json"
    file.write_text(text)

    found = problems(flask, file)

    assert found[0][:2] == (line, column)
    assert reason in found[0][2]
    assert counts(shop) == [0, 0, 0]


@pytest.mark.parametrize("shape", ["arrays", "entries", "objects", "lines"])
def test_a_file_truncated_anywhere_is_refused(shop: Settings, flask: Run, tmp_path: Path, shape: str) -> None:
    whole = write(tmp_path / "whole", old(), shape=shape, indent=1).read_bytes().rstrip()
    file = tmp_path / ("a.ndjson" if shape == "lines" else "a.json")
    for length in range(1, len(whole), 29):
        file.write_bytes(whole[:length])
        assert problems(flask, file)
    assert counts(shop) == [0, 0, 0]


def test_lost_lines_are_detected(shop: Settings, flask: Run, tmp_path: Path) -> None:
    head, *rows, last = (
        write(tmp_path / "a.ndjson", old(), shape="lines").read_text().splitlines(keepends=True)
    )
    for lines, line, reason in (
        ([head, *rows], 7, 'the file ends too early: its last line, {"rows": N}, is missing'),
        ([head, *rows[:-1], last], 6, "5 rows were written, but the file has 4: some are missing"),
        ([head, *rows, last, rows[0]], 8, "something follows the line that counts the rows"),
    ):
        (tmp_path / "a.ndjson").write_text("".join(lines))
        assert problems(flask, tmp_path / "a.ndjson") == [(line, 1, reason)]
    assert counts(shop) == [0, 0, 0]


@pytest.mark.parametrize("shape", ["arrays", "entries", "objects", "lines"])
@pytest.mark.parametrize(
    "again", ['"price": 5, "price"', '"price" : 5, "price"', '"pr\\u0069ce": 5, "price"']
)
def test_a_duplicate_field_in_a_row_is_reported(
    shop: Settings, flask: Run, tmp_path: Path, shape: str, again: str
) -> None:
    file = write(tmp_path / ("a.ndjson" if shape == "lines" else "a.json"), old(), shape=shape)
    file.write_text(file.read_text().replace('"price"', again))

    named = json.loads(flask("db", "import", file, "--json").stdout)["problems"]["named"]

    assert [(one["table"], one["id"], one["field"], one["reason"]) for one in named] == [
        ("products", 3, "price", "appears in the row more than once")
    ]
    assert counts(shop) == [0, 0, 0]


def test_a_text_that_looks_like_a_key_is_not_taken_for_one(
    shop: Settings, flask: Run, tmp_path: Path
) -> None:
    tables = old()
    tables["products"][0]["description"] = 'a ": b" :'

    assert flask("db", "import", write(tmp_path / "a.json", tables)).exit_code == 0
    assert counts(shop) == [2, 1, 2]


def test_invalid_utf_8_is_reported(shop: Settings, flask: Run, tmp_path: Path) -> None:
    file = write(tmp_path / "a.json", old())
    file.write_bytes(file.read_bytes().replace(b'"Zo', b'"\xff'))

    ((_, _, reason),) = problems(flask, file)

    assert reason.startswith("is not Unicode")


def test_empty_and_missing_files_fail_in_one_line(flask: Run, tmp_path: Path) -> None:
    (tmp_path / "a.json").touch()

    empty, gone = (flask("db", "import", tmp_path / name) for name in ("a.json", "b.json"))

    assert (empty.exit_code, empty.stderr) == (1, "Error: the file is empty\n")
    assert gone.exit_code == 2


def test_a_special_file_is_refused_in_one_line(flask: Run) -> None:
    run = flask("db", "import", "/dev/null")

    assert (run.exit_code, run.stderr) == (
        1,
        "Error: /dev/null is not a regular file: write the output of a pipe into one first\n",
    )


@pytest.mark.parametrize("command", ["import", "verify"])
def test_without_the_tables_the_error_says_to_migrate(
    shop: Settings, flask: Run, tmp_path: Path, command: str
) -> None:
    query(shop, "DROP TABLE idempotency_keys, order_events, orders")

    run = flask("db", command, write(tmp_path / "a.json", old()))

    said = 'Error: relation "orders" does not exist: bring the schema up to date with flask migrate\n'
    assert (run.exit_code, run.stderr) == (1, said)


def test_a_corrections_file_may_have_a_byte_order_mark_and_limited_depth(flask: Run, tmp_path: Path) -> None:
    file, fixes = write(tmp_path / "a.json", old()), tmp_path / "fixes.json"
    fixes.write_text('\ufeff{"users": {"1": {"email": "other@example.com"}}}', encoding="utf-8")
    assert flask("db", "import", file, "--fixes", fixes).exit_code == 0

    fixes.write_text("[" * 100_000)
    deep = flask("db", "import", file, "--fixes", fixes)

    assert deep.exit_code == 1
    assert deep.stderr.startswith(f"Error: {fixes}: ")
    assert deep.stderr.count("\n") == 1


def test_control_characters_in_a_file_are_escaped_in_messages(flask: Run, tmp_path: Path) -> None:
    tables = old()
    tables["orders"][0] |= {"id": "a\nError: \x1b[31m", "status": "lost"}

    run = flask("db", "import", write(tmp_path / "a.json", tables))

    assert "\\nError: \\x1b[31m" in run.stdout
    assert "\x1b" not in run.stdout


def test_duplicate_corrections_are_refused(flask: Run, tmp_path: Path) -> None:
    fixes = tmp_path / "fixes.json"
    fixes.write_text('{"users": {"1": {"email": "a@example.com"}, "1": {"email": "b@example.com"}}}')

    run = flask("db", "import", write(tmp_path / "a.json", old()), "--fixes", fixes)

    assert (run.exit_code, run.stderr) == (
        1,
        f"Error: {fixes}: '1' appears more than once in one object\n",
    )


def test_every_invalid_row_is_reported_up_to_the_limit(flask: Run, tmp_path: Path) -> None:
    tables = old()
    tables["users"] = [{"id": number, "email": f"{number}", "password": "x"} for number in range(1, 8001)]
    file = write(tmp_path / "a.json", tables, indent=0)

    report = json.loads(flask("db", "import", file, "--json", "--limit", "3").stdout)
    plain = flask("db", "import", file, "--limit", "3")

    assert report["problems"]["count"] == 8000
    assert [one["id"] for one in report["problems"]["named"]] == [1, 2, 3]
    assert "7997 more of 8000 problems are not shown\n" in plain.stdout
    assert plain.stderr == "Error: nothing was written\n"


def test_tables_may_be_in_any_order_and_one_may_be_missing(
    shop: Settings, flask: Run, tmp_path: Path
) -> None:
    tables = old()
    del tables["orders"]
    file = write(tmp_path / "a.json", dict(reversed(tables.items())))

    assert flask("db", "import", file).exit_code == 0
    assert counts(shop) == [2, 1, 0]
    assert flask("db", "import", write(tmp_path / "b.json", {"orders": old()["orders"]})).exit_code == 0
    assert counts(shop) == [2, 1, 2]


def test_a_row_longer_than_the_read_buffer_is_read(shop: Settings, flask: Run, tmp_path: Path) -> None:
    tables = old()
    tables["products"][0]["description"] = '\\"é' * 2**20

    assert flask("db", "import", write(tmp_path / "a.json", tables)).exit_code == 0
    assert counts(shop) == [2, 1, 2]


def test_a_row_split_within_a_token_by_the_read_buffer_is_read(flask: Run, tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    before, after = '{"id": {}, "email": "', '", "password": '
    text = "x" * (2**16 - len(before + after) - len("nu"))
    file.write_text(f'{{"users": [{before}{text}{after}null}}, {{}}]}}')

    assert not [reason for _, _, reason in problems(flask, file) if "JSON" in reason]


def test_ndjson_needs_its_header_and_known_tables(flask: Run, tmp_path: Path) -> None:
    file = tmp_path / "a.ndjson"
    file.write_text('{"table": "users", "row": {}}\n')
    assert problems(flask, file)[0][:2] == (1, 1)

    file.write_text('{"format": "nexus", "version": 1}\n{"table": "carts", "row": {"id": 1}}\n')
    assert problems(flask, file) == [
        (2, 1, "'carts' is not a table: there are users, products, orders, order_events")
    ]


def test_problems_before_a_truncation_are_reported_too(flask: Run, tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text('{"users": [{"id": 0, "email": "a", "password": "b"}, {"id": 7, "email": "b')

    report = json.loads(flask("db", "import", file, "--json").stdout)

    named = [(one["table"], one["id"], one["field"]) for one in report["problems"]["named"]]
    assert named == [("users", 0, "id"), ("users", 0, "password"), ("users", 7, None)]


def test_rows_nested_too_deeply_are_refused_one_by_one(flask: Run, tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    # Python can parse some hundred levels, depending on its remaining stack.
    rows = [f'{{"id" : {depth}, "email": {"[" * depth}{"]" * depth}}}' for depth in range(600, 1001)]
    file.write_text(f'{{"users": [{", ".join(rows)}]}}')

    run = flask("db", "import", file, "--limit", "1000", "--json")

    assert run.exit_code == 1
    assert json.loads(run.stdout)["problems"]["count"] >= len(rows)


def test_a_time_finer_than_microseconds_is_refused_unless_the_rest_is_zeros(
    shop: Settings, flask: Run, tmp_path: Path
) -> None:
    tables = old()
    tables["users"][0]["createdAt"] = "2025-10-10T09:00:33.123456000Z"
    assert flask("db", "import", write(tmp_path / "a.json", tables)).exit_code == 0
    tables["users"][0]["createdAt"] = "2025-10-10T09:00:33.123456001Z"

    run = flask("db", "verify", write(tmp_path / "b.json", tables), "--json")

    (found,) = json.loads(run.stdout)["problems"]["named"]
    assert (found["field"], found["reason"][:32]) == ("createdAt", "is not a time to the microsecond")
