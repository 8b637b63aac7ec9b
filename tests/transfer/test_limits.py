"""An import may take hours, whatever timeouts a role or a database has for requests."""

from pathlib import Path

from nexus.config import Settings
from tests.sql import query
from tests.transfer.conftest import Run, old, write

TIMEOUTS = ("statement_timeout", "idle_in_transaction_session_timeout")
#: Records the timeouts under which the rows are inserted.
RECORDING_TRIGGER = """
CREATE TABLE limits (statement text, idle text);
CREATE FUNCTION note_limits() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO limits VALUES (
        current_setting('statement_timeout'), current_setting('idle_in_transaction_session_timeout')
    );
    RETURN NEW;
END $$;
CREATE TRIGGER note_limits BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION note_limits();
"""


def test_no_timeout_of_the_database_applies_to_an_import(shop: Settings, flask: Run, tmp_path: Path) -> None:
    query(shop, RECORDING_TRIGGER)
    ((name,),) = query(shop, "SELECT quote_ident(current_database())")
    for limit in TIMEOUTS:
        query(shop, f"ALTER DATABASE {name} SET {limit} = '1min'")

    run = flask("db", "import", write(tmp_path / "a.json", old()))

    assert run.exit_code == 0, run.output
    assert query(shop, "SELECT DISTINCT statement, idle FROM limits") == [("0", "0")]
