"""How much there was to read for whoever decided on a proposal."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply it."""
    op.add_column("proposals", sa.Column("words", sa.Integer(), nullable=True))
