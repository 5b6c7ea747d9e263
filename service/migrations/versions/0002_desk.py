"""Several issues in a ticket, attachments, merged and rated tickets, and when a ticket last changed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns and the table of attachments; existing rows keep what they say."""
    op.add_column("task", sa.Column("procedure", sa.String(), nullable=False, server_default=""))
    op.add_column("task", sa.Column("about", sa.JSON(), nullable=False, server_default="[]"))
    op.add_column("task", sa.Column("heard", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("task", sa.Column("changed_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(op.f("ix_task_requester_email"), "task", ["requester_email"], unique=False)
    op.add_column("run", sa.Column("ticket_sha256", sa.String(), nullable=False, server_default=""))
    op.add_column("helpdesk_ticket", sa.Column("changed_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("helpdesk_ticket", sa.Column("merged_into", sa.String(), nullable=False, server_default=""))
    op.add_column("helpdesk_ticket", sa.Column("satisfaction", sa.Integer(), nullable=True))
    op.create_index(op.f("ix_helpdesk_ticket_changed_at"), "helpdesk_ticket", ["changed_at"], unique=False)
    op.add_column("helpdesk_message", sa.Column("attachments", sa.JSON(), nullable=False, server_default="[]"))
    op.create_table(
        "helpdesk_attachment",
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("ticket_id", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "ticket_id", "id"),
    )
