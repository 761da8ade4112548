"""Cumulative totals for the metrics endpoint; cases of before are counted by the follower's first pass."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column

from observability.ledger.moment import Moment

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply it."""
    op.create_table(
        "totals",
        Column("metric", sa.String(length=80), nullable=False),
        Column("labels", sa.String(length=700), nullable=False),
        Column("part", sa.String(length=8), nullable=False),
        Column("amount", sa.BigInteger(), nullable=False),
        Column("example", sa.String(length=400), nullable=True),
        Column("example_trace", sa.String(length=32), nullable=True),
        Column("example_us", sa.BigInteger(), nullable=True),
        Column("example_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("metric", "labels", "part", name="pk_totals"),
    )
    op.add_column("cases", Column("counted", sa.JSON(none_as_null=True), nullable=True))
