"""An import keeps roles, and reports new admins."""

import json
from pathlib import Path

from nexus.config import Settings
from tests.sql import query
from tests.transfer.conftest import Run, counts, old, write


def test_an_import_reports_new_admins(shop: Settings, flask: Run, tmp_path: Path) -> None:
    tables = old()
    plain = flask("db", "import", write(tmp_path / "plain.json", tables), "--dry-run")
    tables["users"][1]["role"] = "admin"

    with_admin = flask("db", "import", write(tmp_path / "admin.json", tables))
    again = flask("db", "import", tmp_path / "admin.json", "--json")

    assert "admins" not in plain.stdout
    assert "\nadmins among the new users: 1\n" in with_admin.stdout
    assert json.loads(again.stdout)["admins"] == 0
    assert query(shop, "SELECT id, role FROM users ORDER BY id") == [(1, "seller"), (5, "admin")]


def test_an_unknown_role_in_a_file_is_refused(shop: Settings, flask: Run, tmp_path: Path) -> None:
    tables = old()
    tables["users"][0]["role"] = "owner"

    refused = flask("db", "import", write(tmp_path / "a.json", tables))

    assert refused.exit_code == 1
    assert "users 1 role:" in refused.stdout
    assert counts(shop) == [0, 0, 0]
