"""The generic connector, against a helpdesk with the documented API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from agents.errors import HelpdeskUnavailable
from service.helpdesks import http as module
from service.helpdesks.http import HttpHelpdesk
from tests.fakes.faulty_proxy import FaultyProxy
from tests.fakes.http_desk import TOKEN, HttpDesk
from tests.helpdesks.scenarios import ANN, FAULTS, SCENARIOS, Scenario, name_of


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpStage:
    """`tests.helpdesks.scenarios.Stage` on the generic connector."""

    desk: HttpDesk
    helpdesk: HttpHelpdesk
    proxy: FaultyProxy

    async def opens(self, text: str, *, subject: str = "Broken mug", file: bytes = b"") -> str:
        return self.desk.open(text, subject=subject, email=ANN, file=file)

    async def asks(self, ticket_id: str, text: str) -> None:
        self.desk.write(ticket_id, text, author="requester")

    async def answers(self, ticket_id: str, text: str, *, public: bool = True) -> None:
        self.desk.write(ticket_id, text, author="staff", public=public)

    async def merges(self, ticket_id: str, *, into: str) -> None:
        self.desk.merge(ticket_id, into=into)

    async def shown(self, ticket_id: str) -> list[str]:
        return [one["text"] for one in self.desk.tickets[ticket_id]["messages"] if one["public"]]


@pytest.fixture
async def stage() -> AsyncIterator[HttpStage]:
    desk = HttpDesk()
    async with FaultyProxy("http://desk.example", desk.transport) as proxy:
        helpdesk = HttpHelpdesk(tenant="acme", url=proxy.url, token=TOKEN, pause=0.01)
        yield HttpStage(desk=desk, helpdesk=helpdesk, proxy=proxy)


@pytest.mark.parametrize("scenario", [*SCENARIOS, *FAULTS], ids=name_of)
async def test_scenario(scenario: Scenario, stage: HttpStage) -> None:
    await scenario(stage)


@pytest.mark.parametrize(
    "wrong",
    [
        {"status": "on fire"},
        {"opened_at": "2026-03-01T08:00:00"},
        {"messages": [{"id": "1", "author": "requester", "at": "2026-03-01T08:00:00Z"}]},
        {"requester": None},
        {"id": "T-9"},
    ],
)
async def test_an_answer_that_is_no_ticket(stage: HttpStage, wrong: dict[str, Any]) -> None:
    ticket_id = await stage.opens("My mug arrived broken.")
    stage.desk.tickets[ticket_id] |= wrong
    with pytest.raises(HelpdeskUnavailable):
        await stage.helpdesk.get(ticket_id)


async def test_a_list_without_end(stage: HttpStage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_PAGES", 2)
    for number in range(5):
        await stage.opens(f"Number {number}")
    with pytest.raises(HelpdeskUnavailable, match="does not end"):
        await stage.helpdesk.changed(datetime(2026, 1, 1, tzinfo=UTC))


async def test_a_rating_is_news(stage: HttpStage) -> None:
    ticket_id = await stage.opens("My mug arrived broken.")
    before = await stage.helpdesk.get(ticket_id)
    stage.desk.tickets[ticket_id] |= {"satisfaction": 1, "tags": ["mug"]}
    after = await stage.helpdesk.get(ticket_id)
    assert (after.satisfaction, after.tags) == (1, ("mug",))
    assert after.version > before.version
