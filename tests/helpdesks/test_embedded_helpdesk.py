"""The embedded helpdesk does what every helpdesk does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest

from agents.clock import SystemClock
from agents.ticket import Author, Requester
from service.database import Database
from service.helpdesks.embedded import EmbeddedHelpdesk, NewAttachment, NewTicket
from tests.fakes.faulty_proxy import FaultyProxy
from tests.helpdesks.scenarios import ANN, SCENARIOS, Scenario, name_of


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedStage:
    """`tests.helpdesks.scenarios.Stage` on the embedded helpdesk."""

    helpdesk: EmbeddedHelpdesk
    proxy: FaultyProxy | None = None
    numbers: count[int] = field(default_factory=lambda: count(1))

    async def opens(self, text: str, *, subject: str = "Broken mug", file: bytes = b"") -> str:
        id = str(next(self.numbers))
        files = [NewAttachment(name="mug.png", media_type="image/png", data=file)] if file else []
        requester = Requester(email=ANN, name="Ann")
        ticket = NewTicket(id=id, requester=requester, subject=subject, messages=[text], attachments=files)
        assert self.helpdesk.open(ticket)
        return id

    async def asks(self, ticket_id: str, text: str) -> None:
        self.helpdesk.write(ticket_id, text, key=f"word-{next(self.numbers)}", author=Author.REQUESTER)

    async def answers(self, ticket_id: str, text: str, *, public: bool = True) -> None:
        key = f"word-{next(self.numbers)}"
        self.helpdesk.write(ticket_id, text, key=key, author=Author.STAFF, public=public)

    async def merges(self, ticket_id: str, *, into: str) -> None:
        self.helpdesk.merge(ticket_id, into=into)

    async def shown(self, ticket_id: str) -> list[str]:
        return [one.text for one in (await self.helpdesk.get(ticket_id)).messages if one.public]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[EmbeddedStage]:
    database = Database(f"sqlite:///{tmp_path / 'app.db'}")
    database.upgrade()
    yield EmbeddedStage(helpdesk=EmbeddedHelpdesk(database, "acme", SystemClock()))
    database.close()


@pytest.mark.parametrize("scenario", SCENARIOS, ids=name_of)
async def test_scenario(scenario: Scenario, stage: EmbeddedStage) -> None:
    await scenario(stage)
