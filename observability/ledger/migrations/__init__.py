"""The ledger's schema over time: one file for each revision, applied by Alembic.

Which revision is the newest follows from the files' names, so that a worker can compare without importing Alembic.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

if TYPE_CHECKING:
    from alembic.config import Config

_HERE = Path(__file__).parent


@cache
def known() -> tuple[str, ...]:
    """All revisions up to this program's, oldest first."""
    return tuple(sorted(path.name.partition("_")[0] for path in (_HERE / "versions").glob("[0-9]*_*.py")))


def head() -> str:
    """The revision that this program needs."""
    return known()[-1]


def revision(connection: Connection) -> str | None:
    """The revision that a database is at; None for an empty one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


def config() -> Config:
    """Alembic's configuration; it has no file of its own."""
    from alembic.config import Config

    made = Config()
    made.set_main_option("script_location", str(_HERE))
    made.set_main_option("path_separator", "os")
    return made


def upgrade(connection: Connection, to: str = "head") -> None:
    """Apply what is missing, on an open transaction."""
    from alembic import command

    made = config()
    made.attributes["connection"] = connection
    command.upgrade(made, to)
