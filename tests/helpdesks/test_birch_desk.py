"""A second desk, connected by following docs/connectors.md alone; unlike Acorn it stores no reference of ours."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from agents.ticket import Author, TicketStatus
from tests.fakes.faulty_proxy import FaultyProxy
from tests.helpdesks.birch_desk import BirchDesk
from tests.helpdesks.birch_server import AGENT, STAFF, TOKEN, BirchServer
from tests.helpdesks.scenarios import ANN, FAULTS, SCENARIOS, WORDS, Scenario, name_of


@dataclass(frozen=True, slots=True, kw_only=True)
class BirchStage:
    """`tests.helpdesks.scenarios.Stage` on the imaginary desk."""

    server: BirchServer
    helpdesk: BirchDesk
    proxy: FaultyProxy

    async def opens(self, text: str, *, subject: str = "Broken mug", file: bytes = b"") -> str:
        return self.server.open(text, subject=subject, address=ANN, file=file)

    async def asks(self, ticket_id: str, text: str) -> None:
        self.server.write(int(ticket_id), text, address=ANN)

    async def answers(self, ticket_id: str, text: str, *, public: bool = True) -> None:
        self.server.write(int(ticket_id), text, account=STAFF, team=not public)

    async def merges(self, ticket_id: str, *, into: str) -> None:
        self.server.change(int(ticket_id), continues_in=int(into), phase="done")

    async def shown(self, ticket_id: str) -> list[str]:
        posts = self.server.threads[int(ticket_id)]["posts"]
        return [one["content"] for one in posts if one["visibility"] == "everyone"]


@pytest.fixture
async def stage() -> AsyncIterator[BirchStage]:
    server = BirchServer()
    async with FaultyProxy("http://birch.example", server.transport) as proxy:
        helpdesk = BirchDesk(tenant="acme", url=proxy.url, token=TOKEN, account=str(AGENT), pause=0.01)
        yield BirchStage(server=server, helpdesk=helpdesk, proxy=proxy)


@pytest.mark.parametrize("scenario", [*SCENARIOS, *FAULTS], ids=name_of)
async def test_scenario(scenario: Scenario, stage: BirchStage) -> None:
    await scenario(stage)


async def test_a_strangers_words_are_not_the_requesters(stage: BirchStage) -> None:
    ticket_id = await stage.opens(WORDS)
    reply = await stage.helpdesk.reply(ticket_id, "Which order?", key="r1")
    sent = (await stage.shown(ticket_id))[0]
    stage.server.write(int(ticket_id), sent, address="mallory@example.com")
    await stage.asks(ticket_id, sent)
    messages = (await stage.helpdesk.get(ticket_id)).messages
    assert [one.author for one in messages] == [Author.REQUESTER, Author.AGENT, Author.STAFF, Author.REQUESTER]
    assert [one.text for one in messages[2:]] == [sent, sent]  # only our own messages lose the reference
    assert await stage.helpdesk.find_reply(ticket_id, key="r1") == reply


async def test_a_rating_and_tags_are_read_and_a_phase_of_its_own_is_for_people(stage: BirchStage) -> None:
    ticket_id = await stage.opens(WORDS)
    await stage.helpdesk.set_status(ticket_id, TicketStatus.RESOLVED, key="s1")
    before = await stage.helpdesk.get(ticket_id)
    tags = stage.server.threads[int(ticket_id)]["tags"]
    stage.server.change(int(ticket_id), smile="happy", tags=[*tags, "vip"], phase="spam")
    after = await stage.helpdesk.get(ticket_id)
    assert (before.tags, before.satisfaction) == ((), None)
    assert (after.tags, after.satisfaction, after.status) == (("vip",), 5, TicketStatus.WITH_STAFF)
    assert after.version > before.version


async def test_times_are_in_utc(stage: BirchStage) -> None:
    ticket = await stage.helpdesk.get(await stage.opens(WORDS))
    assert {ticket.opened_at.utcoffset(), ticket.messages[0].at.utcoffset()} == {timedelta(0)}


async def test_one_key_for_different_things(stage: BirchStage) -> None:
    ticket_id = await stage.opens(WORDS)
    await stage.helpdesk.note(ticket_id, "Noted.", key="k")
    assert await stage.helpdesk.find_reply(ticket_id, key="k") is None
    await stage.helpdesk.reply(ticket_id, "Sent.", key="k")
    await stage.helpdesk.set_status(ticket_id, TicketStatus.WAITING, key="k")
    ticket = await stage.helpdesk.get(ticket_id)
    assert [one.text for one in ticket.messages[1:]] == ["Noted.", "Sent."]
    assert ticket.status is TicketStatus.WAITING


def test_it_is_as_short_as_the_page_says() -> None:
    lines = Path(__file__).with_name("birch_desk.py").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 150
