"""When the proof of a charge was last looked at again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0006"


def upgrade() -> None:
    """Add the column; charges that stand already are looked at in the next sweep."""
    op.add_column("billing_outcomes", sa.Column("looked_at", sa.DateTime(timezone=True), nullable=True))
