"""The retail desk on a real django-helpdesk: from a customer's words to the charge, and back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agents.errors import TicketNotFound
from agents.ticket import TicketStatus
from service.errors import NoLiveHelpdesk, TicketsElsewhere
from service.helpdesks.webhooks import Doorbell, webhook_app
from service.serving import Service, Watermark, listening
from tests.examples.running import running as back_office
from tests.fakes.faulty_proxy import Fault, FaultyProxy
from tests.helpdesks.django_desk import DjangoDesk
from tests.service.retail_desk import BROKEN, Office, RetailDesk, desk_at_work

ANN = "ann@example.com"
SECRET = "a-secret-in-the-path-of-webhooks"


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    database = tmp_path_factory.mktemp("office") / "back_office.db"
    with back_office(database) as process:
        yield Office(url=process.url, database=database)


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """A desk on a django-helpdesk, with all that stands around it."""

    desk: RetailDesk
    django: DjangoDesk
    proxy: FaultyProxy
    service: Service
    doorbell: Doorbell

    async def looks(self) -> None:
        """One look at the helpdesk, and all the work it calls for."""
        await self.service.look()
        await self.desk.run.desk.idle()

    async def refunded(self, ticket_id: str, order: str) -> None:
        """The ticket is resolved by one refund and one reply, also in the eyes of the helpdesk and of Ann."""
        assert self.desk.stands(ticket_id) == ("claimed", "")
        assert self.desk.outcome(ticket_id)[:2] == ("verified", "proof_passed")
        assert self.desk.office.refunds(order) == [3490]
        assert (await self.desk.ticket(ticket_id)).status is TicketStatus.RESOLVED
        assert (await self.django.call("GET", f"/api/tickets/{ticket_id}/"))["status"] == 3
        assert len(await self.desk.replies(ticket_id)) == 1
        mails = [mail for mail in self.django.sent_to(ANN) if f"[support-{ticket_id}]" in mail.partition("\n")[0]]
        assert sum("We have refunded" in mail for mail in mails) == 1

    async def open(self, order: str) -> str:
        return await self.django.open(BROKEN.format(order=order), subject="Broken mug")


@asynccontextmanager
async def live(folder: Path, office: Office, django: DjangoDesk) -> AsyncIterator[Live]:
    async with FaultyProxy(django.url) as proxy:
        section = (
            f'[helpdesk]\nkind = "django-helpdesk"\nurl = "{proxy.url}"\ntoken = "{django.agent.token}"\n'
            f'agent_user = {django.agent.id}\noverlap_seconds = 0\npoll_seconds = 3600\nwebhook_secret = "{SECRET}"\n'
        )
        async with desk_at_work(folder, office, sections=section) as desk:
            doorbell = Doorbell()
            service = Service(desk.run, doorbell=doorbell, progress=desk.moments.append)
            service.begin(None)
            yield Live(desk=desk, django=django, proxy=proxy, service=service, doorbell=doorbell)


@pytest.fixture
async def at(tmp_path: Path, office: Office, django: DjangoDesk) -> AsyncIterator[Live]:
    async with live(tmp_path, office, django) as one:
        yield one


async def test_a_ticket_through_the_api_is_resolved_and_charged(at: Live) -> None:
    order = at.desk.office.order(ANN)
    ticket_id = await at.open(order)
    await at.looks()
    await at.refunded(ticket_id, order)
    await at.looks()
    await at.refunded(ticket_id, order)
    await at.desk.settle()
    assert at.desk.outcome(ticket_id) == ("settled", "proof_stands", 99)


async def test_a_mail_is_resolved_and_a_second_one_reopens_and_reverses(at: Live) -> None:
    order = at.desk.office.order(ANN)
    await at.django.mail(BROKEN.format(order=order), subject=f"Mug of order {order}")
    await at.looks()
    (ticket_id,) = {one.ticket_id for one in at.desk.moments if one.name == "claim.made"}
    await at.refunded(ticket_id, order)
    await at.desk.settle()
    assert at.desk.charged() == 99
    await at.django.mail("I got no money. This is not solved!", subject=f"Re: [support-{ticket_id}] Mug")
    await at.looks()
    assert at.desk.outcome(ticket_id)[::2] == ("reversed", 0)
    assert at.desk.stands(ticket_id) == ("handed_off", "reopened")
    assert (await at.desk.ticket(ticket_id)).status is TicketStatus.WITH_STAFF
    assert (await at.django.call("GET", f"/api/tickets/{ticket_id}/"))["status"] == 2
    assert at.desk.office.refunds(order) == [3490]
    mails = at.django.sent_to(ANN)
    assert not any("Handed off by Settle" in mail for mail in mails)


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.HALF, Fault.BROKEN_AFTER, Fault.DROPPED, Fault.BUSY])
async def test_a_reply_whose_answer_is_lost_is_sent_once(at: Live, fault: Fault) -> None:
    order = at.desk.office.order(ANN)
    ticket_id = await at.open(order)
    at.proxy.expect(fault)
    await at.looks()
    await at.looks()
    await at.refunded(ticket_id, order)


async def test_work_goes_on_when_the_helpdesk_is_back(at: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    order = at.desk.office.order(ANN)
    ticket_id = await at.open(order)
    original = at.desk.run.helpdesk.reply

    async def goes_away(*args: str, **rest: str) -> object:
        at.proxy.away = True
        return await original(*args, **rest)

    monkeypatch.setattr(at.desk.run.helpdesk, "reply", goes_away)
    await at.looks()
    monkeypatch.undo()
    assert at.desk.told("job.postponed", ticket_id) == 1
    assert at.desk.office.refunds(order) == [3490]
    await at.looks()
    assert [one.name for one in at.desk.moments][-1] == "helpdesk.away"
    at.proxy.away = False
    await at.looks()
    assert at.desk.told("helpdesk.back", "") == 1
    await at.refunded(ticket_id, order)


async def test_what_happened_while_nobody_looked_is_found(tmp_path: Path, office: Office, django: DjangoDesk) -> None:
    order = office.order(ANN)
    async with live(tmp_path, office, django) as first:
        await first.looks()
        begun = Watermark(first.desk.run.state.folder / "watermark").get()
        state = first.desk.run.state
    ticket_id = await django.open(BROKEN.format(order=order), subject="Broken mug")
    assert Watermark(state.folder / "watermark").get() == begun
    async with live(tmp_path / "again", office, django) as second:
        Watermark(second.desk.run.state.folder / "watermark").set(begun or datetime.now(UTC))
        assert second.service.begin(None) == begun
        await second.looks()
        await second.refunded(ticket_id, order)


async def test_one_bad_ticket_stops_no_other(at: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    orders = [at.desk.office.order(ANN) for _ in range(3)]
    ids = [await at.open(order) for order in orders]
    original = at.desk.run.helpdesk.get

    async def get(ticket_id: str) -> object:
        if ticket_id == ids[0]:
            raise TicketNotFound(ticket_id)
        if ticket_id == ids[1]:
            raise ValueError("nobody expected this")
        return await original(ticket_id)

    monkeypatch.setattr(at.desk.run.helpdesk, "get", get)
    await at.looks()
    monkeypatch.undo()
    await at.refunded(ids[2], orders[2])


async def test_what_staff_closed_before_it_was_seen_is_theirs(at: Live) -> None:
    order = at.desk.office.order(ANN)
    ticket_id = await at.open(order)
    closed = {"ticket": ticket_id, "comment": "I called her.", "public": False, "new_status": 3}
    await at.django.call("POST", "/api/followups/", json=closed)
    await at.looks()
    assert await at.desk.replies(ticket_id) == []
    assert at.desk.office.refunds(order) == []
    reopened = {"ticket": ticket_id, "comment": "Not done after all.", "public": False, "new_status": 2}
    await at.django.call("POST", "/api/followups/", json=reopened)
    await at.looks()
    await at.refunded(ticket_id, order)


async def test_a_webhook_of_the_helpdesk_starts_the_work(at: Live) -> None:
    order, stop = at.desk.office.order(ANN), asyncio.Event()
    bells = at.django.folder / "webhooks"
    async with listening(webhook_app(SECRET, at.doorbell), "127.0.0.1", 0) as port:
        serving = asyncio.create_task(at.service.until(stop))
        try:
            await _until(lambda: len(at.proxy.requests) >= 3)  # the only look for an hour
            bells.write_text(f"http://127.0.0.1:{port}/webhook/guess http://127.0.0.1:{port}/webhook/{SECRET}")
            ticket_id = await at.open(order)
            await _until(lambda: at.desk.told("ticket.resolved", ticket_id) == 1)
        finally:
            bells.unlink(missing_ok=True)
            stop.set()
            await serving
    await at.refunded(ticket_id, order)


async def _until(true: object) -> None:
    assert callable(true)
    async with asyncio.timeout(120):
        while not true():
            await asyncio.sleep(0.05)


async def test_tickets_from_files_and_a_live_helpdesk_are_two_things(at: Live, tmp_path: Path, office: Office) -> None:
    with pytest.raises(TicketsElsewhere, match="django-helpdesk"):
        _ = at.desk.run.embedded
    async with desk_at_work(tmp_path / "files", office) as desk:
        with pytest.raises(NoLiveHelpdesk, match=r"\[helpdesk\]"):
            Service(desk.run, doorbell=Doorbell(), progress=desk.moments.append)
