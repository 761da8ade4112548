"""What became of proposals, and how far models may go."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column

from observability.ledger.moment import Moment

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply it."""
    for column in (
        Column("executor", sa.String(length=200), nullable=True),
        Column("level", sa.String(length=2), nullable=True),
        Column("risk", sa.String(length=12), nullable=True),
        Column("route", sa.String(length=12), nullable=True),
        Column("why", sa.String(length=60), nullable=True),
        Column("sampled", sa.String(length=5), nullable=True),
        Column("shown", sa.Boolean(), nullable=True),
        Column("seeded", sa.String(length=6), nullable=True),
        Column("raw", sa.Double(), nullable=True),
        Column("confidence", sa.Double(), nullable=True),
        Column("threshold", sa.Double(), nullable=True),
        Column("certificate", sa.String(length=40), nullable=True),
        Column("input_hash", sa.String(length=32), nullable=True),
        Column("output_hash", sa.String(length=32), nullable=True),
        Column("cost_usd", sa.Double(), nullable=True),
        Column("tokens", sa.Integer(), nullable=True),
        Column("decision", sa.String(length=8), nullable=True),
        Column("differs", sa.JSON(none_as_null=True), nullable=True),
        Column("overridden", sa.Boolean(), nullable=True),
        Column("agrees", sa.Boolean(), nullable=True),
        Column("reason", sa.String(length=60), nullable=True),
        Column("opened", sa.Integer(), nullable=True),
        Column("decided_at", Moment(), nullable=True),
    ):
        op.add_column("proposals", column)
    op.create_table(
        "autonomy_grants",
        Column("grant_id", sa.String(length=40), nullable=False),
        Column("unit", sa.String(length=60), nullable=False),
        Column("version", sa.String(length=40), nullable=False),
        Column("step", sa.String(length=60), nullable=False),
        Column("segment", sa.String(length=100), nullable=False),
        Column("executor", sa.String(length=200), nullable=False),
        Column("level", sa.String(length=2), nullable=False),
        Column("threshold", sa.Double(), nullable=True),
        Column("points", sa.JSON(), nullable=False),
        Column("calibration", sa.String(length=40), nullable=False),
        Column("certificate", sa.JSON(), nullable=False),
        Column("signed_at", Moment(), nullable=False),
        Column("signed_by", sa.String(length=200), nullable=False),
        Column("role", sa.String(length=120), nullable=False),
        Column("expires_at", Moment(), nullable=True),
        Column("ended_at", Moment(), nullable=True),
        Column("ended_by", sa.String(length=200), nullable=True),
        Column("ended_why", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("grant_id", name="pk_autonomy_grants"),
    )
    op.create_index("ix_autonomy_grants_unit_step", "autonomy_grants", ["unit", "step"])
    op.create_table(
        "autonomy_stops",
        Column("unit", sa.String(length=60), nullable=False),
        Column("step", sa.String(length=60), nullable=False),
        Column("at", Moment(), nullable=False),
        Column("actor", sa.String(length=200), nullable=False),
        Column("reason", sa.Text(), nullable=False),
        Column("lifted_at", Moment(), nullable=True),
        Column("lifted_by", sa.String(length=200), nullable=True),
        Column("lifted_why", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("unit", "step", "at", name="pk_autonomy_stops"),
    )
    op.create_table(
        "autonomy_audits",
        Column("case_id", sa.String(length=400), nullable=False),
        Column("key", sa.String(length=80), nullable=False),
        Column("at", Moment(), nullable=False),
        Column("auditor", sa.String(length=200), nullable=False),
        Column("wrong", sa.Boolean(), nullable=False),
        Column("severe", sa.Boolean(), nullable=False),
        Column("note", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.case_id"], name="fk_autonomy_audits_case_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("case_id", "key", name="pk_autonomy_audits"),
    )
