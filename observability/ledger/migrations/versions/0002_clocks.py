"""Clocks of several promises: what stopped them, what people did to them, whom their rungs reached."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column

from observability.ledger.moment import Moment

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply it."""
    clocks: tuple[Column[Any], ...] = (
        Column("promise", sa.String(length=80), nullable=False, server_default="unit"),
        Column("started_at", Moment(), nullable=True),
        Column("stopped_at", Moment(), nullable=True),
        Column("raw_us", sa.BigInteger(), nullable=True),
        Column("paused_us", sa.BigInteger(), nullable=False, server_default="0"),
        Column("generation", sa.Integer(), nullable=False, server_default="1"),
        Column("calendar", sa.String(length=80), nullable=True),
        Column("task", sa.String(length=80), nullable=True),
    )
    for column in clocks:
        op.add_column("clocks", column)
    op.create_index("ix_clocks_promise_due_at", "clocks", ["promise", "due_at"])
    entries: tuple[Column[Any], ...] = (
        Column("generation", sa.Integer(), nullable=False, server_default="1"),
        Column("number", sa.Integer(), nullable=False, server_default="0"),
        Column("reached", sa.JSON(), nullable=True),
        Column("actor", sa.String(length=200), nullable=True),
        Column("acting_for", sa.String(length=200), nullable=True),
        Column("reason", sa.Text(), nullable=True),
        Column("evidence", sa.Text(), nullable=True),
        Column("amount_us", sa.BigInteger(), nullable=True),
    )
    for column in entries:
        op.add_column("clock_entries", column)
    op.add_column("tasks", Column("also", sa.Text(), nullable=False, server_default=""))
    op.add_column("tasks", Column("urgency", sa.Integer(), nullable=False, server_default="0"))
