"""The learning ledger."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column

from observability.ledger.moment import Moment

revision = "0005"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply it."""
    op.create_table(
        "learning",
        Column("unit", sa.String(length=60), nullable=False),
        Column("seq", sa.Integer(), nullable=False),
        Column("at", Moment(), nullable=False),
        Column("actor", sa.String(length=200), nullable=False),
        Column("entry", sa.String(length=12), nullable=False),
        Column("change", sa.Integer(), nullable=True),
        Column("from_version", sa.String(length=40), nullable=True),
        Column("to_version", sa.String(length=40), nullable=True),
        Column("measure", sa.String(length=60), nullable=True),
        Column("owner", sa.String(length=120), nullable=True),
        Column("hypothesis", sa.Text(), nullable=True),
        Column("expected", sa.Text(), nullable=True),
        Column("verdict", sa.String(length=12), nullable=True),
        Column("decision", sa.String(length=12), nullable=True),
        Column("reason", sa.Text(), nullable=True),
        Column("baseline", sa.String(length=100), nullable=True),
        Column("detail", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("unit", "seq", name="pk_learning"),
    )
    op.create_index("ix_learning_unit_change", "learning", ["unit", "change"])
    _only_ever_add("learning")


def _only_ever_add(table: str) -> None:
    """Have the database refuse to change or delete rows, whoever asks."""
    refuse = f"{table}: rows are only ever added"
    if op.get_bind().dialect.name == "sqlite":
        for action in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{refuse}'); END"
            )
        return
    op.execute(
        f"CREATE FUNCTION {table}_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{refuse}'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_refuse()"
    )
