"""Tables of the embedded helpdesk."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column
from sqlmodel import Field, SQLModel

from agents.tables import UtcDateTime


class TicketRow(SQLModel, table=True):
    """One ticket."""

    __tablename__ = "helpdesk_ticket"

    tenant: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    subject: str
    requester_email: str
    requester_name: str
    status: str
    tags: list[Any] = Field(sa_column=Column(JSON, nullable=False))
    opened_at: datetime = Field(sa_type=UtcDateTime)
    version: int
    changed_at: datetime | None = Field(default=None, sa_type=UtcDateTime, index=True)
    merged_into: str = Field(default="", sa_column_kwargs={"server_default": ""})
    satisfaction: int | None = None


class MessageRow(SQLModel, table=True):
    """One message; ``id`` is the key it was written under."""

    __tablename__ = "helpdesk_message"

    tenant: str = Field(primary_key=True)
    ticket_id: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    position: int
    author: str
    text: str
    at: datetime = Field(sa_type=UtcDateTime)
    public: bool
    automatic: bool
    attachments: list[Any] = Field(default_factory=list, sa_column=Column(JSON, nullable=False, server_default="[]"))


class AttachmentRow(SQLModel, table=True):
    """The bytes of one attachment."""

    __tablename__ = "helpdesk_attachment"

    tenant: str = Field(primary_key=True)
    ticket_id: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    data: bytes


class ChangeRow(SQLModel, table=True):
    """One change that was made under a key."""

    __tablename__ = "helpdesk_change"

    tenant: str = Field(primary_key=True)
    ticket_id: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
