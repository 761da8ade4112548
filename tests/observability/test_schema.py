"""The schema: migrations and tables say the same, and a program meets no other schema than its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from observability.ledger import migrations
from observability.ledger.columns import metadata
from observability.ledger.page import schema_page
from observability.ledger.store import Ledger, LedgerError, LedgerUnavailableError, SchemaError
from workers.engine.ports import free_ports


def test_migrations_make_the_tables_that_the_code_declares(ledger: Ledger):
    """A column without a migration, or the reverse, is found in both databases."""
    with ledger.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        found = compare_metadata(context, metadata)
    differences = [d for d in found if not (isinstance(d, tuple) and d[0].endswith("comment"))]
    flat = [d for d in differences if not (isinstance(d, list) and all(part[0] == "modify_comment" for part in d))]

    assert flat == []


def test_the_files_names_say_which_revision_is_the_newest():
    """What a worker reads off the file names is what Alembic finds in the files."""
    scripts = ScriptDirectory.from_config(migrations.config())

    assert scripts.get_current_head() == migrations.head()
    assert {script.revision for script in scripts.walk_revisions()} == set(migrations.known())


def test_every_column_says_what_it_holds():
    """The generated page has nothing else to say."""
    silent = [f"{table}.{c.name}" for table in metadata.tables.values() for c in table.columns if not c.comment]

    assert silent + [table.name for table in metadata.tables.values() if not table.comment] == []


def test_an_empty_database_is_told_from_a_ledger(database: str):
    """Whoever needs a ledger says how to make one; making it twice changes nothing."""
    ledger = Ledger(database)
    with pytest.raises(SchemaError, match="has no tables yet: workunits ledger migrate"):
        ledger.check()

    assert (None, migrations.head()) == ledger.migrate()
    assert (migrations.head(), migrations.head()) == ledger.migrate()
    ledger.check()
    ledger.close()


def test_asking_makes_no_file(tmp_path):
    """An empty one would look like a ledger, and stop the next worker that starts beside it."""
    file = tmp_path / "new" / "ledger.sqlite"
    ledger = Ledger(f"sqlite:///{file}")
    with pytest.raises(SchemaError, match="has no tables yet: workunits ledger migrate"):
        ledger.check()
    for use in (ledger.read, ledger.write):
        with pytest.raises(LedgerUnavailableError, match="no such file; make it: workunits ledger migrate"), use():
            pass

    assert not file.parent.exists()


def test_a_newer_ledger_stops_an_older_program(ledger: Ledger):
    """It is neither used nor migrated."""
    with ledger.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaError, match="9999, which is newer than this program: upgrade the program"):
        ledger.check()
    with pytest.raises(SchemaError, match="newer"):
        ledger.migrate()


@pytest.mark.parametrize(
    "url", ["", "ledger.sqlite", "sqlite://", "mysql://host/ledger", "nonsense://x", "sqlite:///:memory:"]
)
def test_an_address_that_is_none_is_refused(url):
    """With an example of what to write."""
    with pytest.raises(LedgerError, match="postgresql://"):
        Ledger(url)


def test_an_unreachable_database_says_why_and_never_its_password(tmp_path):
    """The address is named without its password, the cause in words."""
    ledger = Ledger(f"postgresql://workunits:hush@127.0.0.1:{free_ports(1)[0]}/ledger")
    with pytest.raises(LedgerUnavailableError, match="nothing listens there") as error:
        ledger.check()

    assert "hush" not in str(error.value)
    assert "hush" not in str(ledger)
    assert str(ledger).startswith("postgresql://workunits:***@127.0.0.1:")


def test_a_file_that_is_no_database(tmp_path):
    """Another program's file is not overwritten."""
    file = tmp_path / "notes.txt"
    file.write_text("my notes, which are long enough to be no header of a database at all" * 20, encoding="utf-8")
    ledger = Ledger(f"sqlite:///{file}")
    with pytest.raises(LedgerUnavailableError, match="no SQLite database"):
        ledger.migrate()

    assert file.read_text(encoding="utf-8").startswith("my notes")


def test_only_its_owner_reads_the_file(tmp_path):
    """It holds what people did."""
    ledger = Ledger(f"sqlite:///{tmp_path / 'new' / 'ledger.sqlite'}")
    ledger.migrate()

    assert (tmp_path / "new" / "ledger.sqlite").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700


def test_the_page_of_the_schema_is_up_to_date():
    """docs/ledger.md is what `workunits ledger schema` prints."""
    page = Path(__file__).parents[2] / "docs" / "ledger.md"

    assert schema_page() == page.read_text(encoding="utf-8"), "workunits ledger schema > docs/ledger.md"
