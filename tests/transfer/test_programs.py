"""Which PostgreSQL client programs create and read a backup, and how they connect."""

from pathlib import Path

import pytest

from nexus import postgres_programs
from nexus.config import Settings
from nexus.postgres_programs import ProgramMissing
from nexus.transfer.backup import Backup, Server
from tests.environment import flask
from tests.transfer.test_backup import change, everything


def test_programs_older_than_the_server_are_refused(stocked: Settings, backup: Path, tmp_path: Path) -> None:
    server = Server(stocked)
    server.version = 99

    with pytest.raises(ProgramMissing, match=r"^pg_dump .* is older than the server, which is 99: install"):
        server.back_up(tmp_path / "file")
    with pytest.raises(ProgramMissing, match=r"^pg_restore .* install"):
        Backup(backup, server=server)


def test_newer_programs_work_with_an_older_server(
    stocked: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a machine that has only the programs of the embedded PostgreSQL, which are the newest."""
    monkeypatch.setattr(postgres_programs, "DEBIAN", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    server = Server(stocked)
    before = everything(stocked)
    server.back_up(tmp_path / "shop.backup")
    change(stocked)

    Backup(tmp_path / "shop.backup", server=server).restore()

    assert everything(stocked) == before


def test_a_newer_program_is_used_if_the_first_cannot_read_the_file(
    stocked: Settings, backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server(stocked)
    old = tmp_path / "bin" / "pg_restore"
    old.parent.mkdir()
    said = f"pg_restore (PostgreSQL) {server.version}.0"
    old.write_text(
        f"#!/bin/sh\n[ $1 = --version ] && echo '{said}' && exit\necho no such format >&2; exit 1\n"
    )
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{old.parent}:/usr/bin:/bin")
    before = everything(stocked)
    change(stocked)

    Backup(backup, server=server).restore()

    assert everything(stocked) == before


def test_backup_and_restore_refuse_a_pooler(root: Path, stocked: Settings, backup: Path) -> None:
    url = str(stocked.database_url)
    pooled = stocked.model_copy(
        update={"database_url": url + ("&" if "?" in url else "?") + "pgbouncer=true"}
    )
    for words in (("backup", backup, "--force"), ("restore", backup, "--yes")):
        run = flask(root, pooled, "db", *map(str, words))
        assert (run.returncode, run.stdout, run.stderr.count("\n")) == (1, "", 1)
        assert "a pooler would leak" in run.stderr
