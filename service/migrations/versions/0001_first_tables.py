"""First tables."""

from alembic import op
from sqlmodel import SQLModel

from billing.append_only import statements

revision = "0001"
down_revision = None


def upgrade() -> None:
    connection = op.get_bind()
    SQLModel.metadata.create_all(connection)
    for statement in statements(connection.dialect.name):
        op.execute(statement)
