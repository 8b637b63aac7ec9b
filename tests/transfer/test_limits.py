"""An import may take hours, whatever limits a role or a database has for requests."""

from pathlib import Path

from nexus.config import Settings
from tests.sql import query
from tests.transfer.conftest import Run, old, write

LIMITS = ("statement_timeout", "idle_in_transaction_session_timeout")
#: A database that keeps which limits the rows came under.
NOTING = """
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


def test_no_limit_of_a_database_ends_an_import(shop: Settings, flask: Run, tmp_path: Path) -> None:
    query(shop, NOTING)
    ((name,),) = query(shop, "SELECT quote_ident(current_database())")
    for limit in LIMITS:
        query(shop, f"ALTER DATABASE {name} SET {limit} = '1min'")

    run = flask("db", "import", write(tmp_path / "a.json", old()))

    assert run.exit_code == 0, run.output
    assert query(shop, "SELECT DISTINCT statement, idle FROM limits") == [("0", "0")]
