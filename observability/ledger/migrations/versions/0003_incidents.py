"""Incidents, and which step compensates which."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column

from observability.ledger.moment import Moment

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply it."""
    op.create_table(
        "incidents",
        Column("case_id", sa.String(length=400), nullable=False),
        Column("key", sa.String(length=80), nullable=False),
        Column("step", sa.String(length=60), nullable=False),
        Column("code", sa.String(length=100), nullable=False),
        Column("opened_at", Moment(), nullable=False),
        Column("closed_at", Moment(), nullable=True),
        Column("tries", sa.Integer(), nullable=False),
        Column("attempts", sa.Integer(), nullable=False),
        Column("state", sa.String(length=12), nullable=False),
        Column("who", sa.String(length=200), nullable=True),
        Column("why", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["cases.case_id"], name="fk_incidents_case_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("case_id", "key", name="pk_incidents"),
    )
    op.create_index("ix_incidents_state_code", "incidents", ["state", "code"])
    op.add_column("steps", Column("undoes", sa.String(length=80), nullable=True))
