"""What every connector does, as a table of scenarios. A connector's tests give each of them a `Stage`.

@pytest.mark.parametrize("scenario", SCENARIOS, ids=name_of)
async def test_mine(scenario: Scenario, my_stage: Stage) -> None:
    await scenario(my_stage)
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

import pytest

from agents.errors import AttachmentMissing, HelpdeskUnavailable, TicketNotFound
from agents.ticket import Author, Helpdesk, Message, TicketStatus
from tests.fakes.faulty_proxy import Fault, FaultyProxy

ANN = "ann@example.com"
WORDS = "My mug arrived broken."
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))


class Stage(Protocol):
    """A helpdesk with the connector under test, and what other people do in it."""

    @property
    def helpdesk(self) -> Helpdesk:
        """The connector."""
        ...

    @property
    def proxy(self) -> FaultyProxy | None:
        """What stands between the connector and its helpdesk; None where nothing does."""
        ...

    async def opens(self, text: str, *, subject: str = "Broken mug", file: bytes = b"") -> str:
        """Ann opens a ticket, perhaps with a picture ``mug.png``; returns its id."""
        ...

    async def asks(self, ticket_id: str, text: str) -> None:
        """Ann writes once more."""
        ...

    async def answers(self, ticket_id: str, text: str, *, public: bool = True) -> None:
        """Somebody of the staff writes."""
        ...

    async def merges(self, ticket_id: str, *, into: str) -> None:
        """Somebody of the staff says that ``into`` goes on in place of the ticket."""
        ...

    async def shown(self, ticket_id: str) -> list[str]:
        """Everything that Ann gets to see of the ticket, as it reaches her."""
        ...


Scenario = Callable[[Stage], Awaitable[None]]


async def opened_and_read(stage: Stage) -> None:
    ticket_id = await stage.opens(WORDS, subject="Broken mug")
    ticket = await stage.helpdesk.get(ticket_id)
    assert (ticket.tenant, ticket.id, ticket.subject) == ("acme", ticket_id, "Broken mug")
    assert ticket.requester.email == ANN
    assert ticket.status is TicketStatus.OPEN
    assert _said(ticket.messages) == [(Author.REQUESTER, WORDS)]
    assert ticket.opened_at.tzinfo is not None
    assert abs(datetime.now(UTC) - ticket.opened_at) < timedelta(hours=1)
    assert ticket.messages[0].at >= ticket.opened_at
    assert (ticket.merged_into, ticket.satisfaction) == ("", None)


async def history_in_order_with_who_said_what(stage: Stage) -> None:
    ticket_id = await stage.opens(WORDS)
    await stage.helpdesk.reply(ticket_id, "Which order?", key="ask")
    await stage.asks(ticket_id, "It is order 10482.")
    await stage.answers(ticket_id, "I know Ann, she is right.", public=False)
    await stage.answers(ticket_id, "We look into it.")
    ticket = await stage.helpdesk.get(ticket_id)
    assert _said(ticket.messages) == [
        (Author.REQUESTER, WORDS),
        (Author.AGENT, "Which order?"),
        (Author.REQUESTER, "It is order 10482."),
        (Author.STAFF, "I know Ann, she is right."),
        (Author.STAFF, "We look into it."),
    ]
    assert [one.public for one in ticket.messages] == [True, True, True, False, True]
    assert [one.at for one in ticket.messages] == sorted(one.at for one in ticket.messages)
    assert len({one.id for one in ticket.messages}) == 5
    assert [one.text for one in ticket.requester_messages()] == [WORDS, "It is order 10482."]


async def one_reply_per_key(stage: Stage) -> None:
    ticket_id = await stage.opens(WORDS)
    assert await stage.helpdesk.find_reply(ticket_id, key="r1") is None
    first = await stage.helpdesk.reply(ticket_id, "It is refunded.", key="r1")
    again = await stage.helpdesk.reply(ticket_id, "It is refunded!", key="r1")
    other = await stage.helpdesk.reply(ticket_id, "It is refunded.", key="r2")
    assert (first.author, first.text, first.public) == (Author.AGENT, "It is refunded.", True)
    assert again == first
    assert other.id != first.id
    assert await stage.helpdesk.find_reply(ticket_id, key="r1") == first
    assert await _own(stage, ticket_id) == ["It is refunded.", "It is refunded."]
    assert sum("It is refunded." in text for text in await stage.shown(ticket_id)) == 2


async def text_arrives_as_it_was_written(stage: Stage) -> None:
    text = (
        'Guten Tag, Zoë! 您好 <b>5 < 6</b> & "quotes"\n\n'
        "{{ ticket.submitter_email }} {% if %} %} {# no #} {}} {{{ 100% } #10482\n"
        "Ref: 00000000"
    )
    ticket_id = await stage.opens(WORDS)
    sent = await stage.helpdesk.reply(ticket_id, text, key="r1")
    assert sent.text == text
    assert (await stage.helpdesk.get(ticket_id)).messages[-1].text == text


async def a_note_is_not_for_the_requester(stage: Stage) -> None:
    ticket_id = await stage.opens(WORDS)
    for _ in range(2):
        await stage.helpdesk.note(ticket_id, "Looks like the third one this week.", key="n1")
    notes = [one for one in (await stage.helpdesk.get(ticket_id)).messages if not one.public]
    assert _said(notes) == [(Author.AGENT, "Looks like the third one this week.")]
    assert not any("third one" in text for text in await stage.shown(ticket_id))


async def one_change_of_status_per_key(stage: Stage) -> None:
    ticket_id = await stage.opens(WORDS)
    for number, status in enumerate(
        [TicketStatus.WAITING, TicketStatus.OPEN, TicketStatus.RESOLVED, TicketStatus.WAITING, TicketStatus.OPEN]
    ):
        await stage.helpdesk.set_status(ticket_id, status, key=f"s{number}")
        assert (await stage.helpdesk.get(ticket_id)).status is status
    await stage.helpdesk.set_status(ticket_id, TicketStatus.RESOLVED, key="s2")
    ticket = await stage.helpdesk.get(ticket_id)
    assert ticket.status is TicketStatus.OPEN
    assert _said(ticket.messages) == [(Author.REQUESTER, WORDS)]


async def handed_to_people(stage: Stage) -> None:
    ticket_id = await stage.opens(WORDS)
    await stage.helpdesk.set_status(ticket_id, TicketStatus.RESOLVED, key="s1")
    for _ in range(2):
        await stage.helpdesk.hand_off(ticket_id, "Ann says it is still broken.", key="h1")
    ticket = await stage.helpdesk.get(ticket_id)
    assert ticket.status is TicketStatus.WITH_STAFF
    notes = [one for one in ticket.messages if not one.public]
    assert len(notes) == 1
    assert "Ann says it is still broken." in notes[0].text
    assert not any("still broken" in text for text in await stage.shown(ticket_id))


async def version_counts_others_and_not_ourselves(stage: Stage) -> None:
    ticket_id = await stage.opens(WORDS)
    versions = [(await stage.helpdesk.get(ticket_id)).version]
    await stage.helpdesk.reply(ticket_id, "Which order?", key="r1")
    await stage.helpdesk.note(ticket_id, "Asked for the order.", key="n1")
    await stage.helpdesk.set_status(ticket_id, TicketStatus.WAITING, key="s1")
    await stage.helpdesk.hand_off(ticket_id, "Nobody knows.", key="h1")
    assert (await stage.helpdesk.get(ticket_id)).version == versions[0]
    await stage.asks(ticket_id, "Order 10482.")
    versions.append((await stage.helpdesk.get(ticket_id)).version)
    await stage.answers(ticket_id, "I take this one.", public=False)
    versions.append((await stage.helpdesk.get(ticket_id)).version)
    assert versions == sorted(set(versions))


async def requester_comes_back_after_resolution(stage: Stage) -> None:
    ticket_id = await stage.opens(WORDS)
    await stage.helpdesk.reply(ticket_id, "It is refunded.", key="r1")
    await stage.helpdesk.set_status(ticket_id, TicketStatus.RESOLVED, key="s1")
    resolved = await stage.helpdesk.get(ticket_id)
    since = resolved.messages[-1].at
    await stage.asks(ticket_id, "No, it is not.")
    back = await stage.helpdesk.get(ticket_id)
    assert back.version > resolved.version
    assert back.requester_messages()[-1].text == "No, it is not."
    assert back.requester_messages()[-1].at >= since
    assert ticket_id in await stage.helpdesk.changed(since)


async def merged_into_another(stage: Stage) -> None:
    first, second = await stage.opens(WORDS), await stage.opens("The mug again")
    before = await stage.helpdesk.get(first)
    await stage.merges(first, into=second)
    merged = await stage.helpdesk.get(first)
    assert merged.merged_into == second
    assert merged.version != before.version
    assert (await stage.helpdesk.get(second)).merged_into == ""
    assert first in await stage.helpdesk.changed(before.opened_at)


async def attachment_to_the_last_byte(stage: Stage) -> None:
    ticket_id = await stage.opens(WORDS, file=PNG)
    files = (await stage.helpdesk.get(ticket_id)).messages[0].attachments
    assert [(one.name, one.media_type, one.size) for one in files] == [("mug.png", "image/png", len(PNG))]
    assert await stage.helpdesk.attachment(ticket_id, files[0].id) == PNG
    with pytest.raises(AttachmentMissing):
        await stage.helpdesk.attachment(ticket_id, "987654")


async def changes_leave_no_ticket_out(stage: Stage) -> None:
    ids = [await stage.opens(f"{WORDS} {number}") for number in range(3)]
    assert set(ids) <= set(await stage.helpdesk.changed(None))
    since = (await stage.helpdesk.get(ids[2])).messages[-1].at
    assert ids[2] in await stage.helpdesk.changed(since)
    await stage.asks(ids[0], "Anyone?")
    await stage.answers(ids[1], "On it.", public=False)
    named = await stage.helpdesk.changed(since)
    assert set(ids) <= set(named)
    assert len(named) == len(set(named))
    last = max([(await stage.helpdesk.get(one)).messages[-1].at for one in ids])
    assert ids[1] in await stage.helpdesk.changed(last)


async def unknown_ticket(stage: Stage) -> None:
    for ticket_id in ("987654", "T-1000", "../1", "1/../2?x=", ""):
        with pytest.raises(TicketNotFound):
            await stage.helpdesk.get(ticket_id)
    with pytest.raises(TicketNotFound):
        await stage.helpdesk.reply("987654", "Hello?", key="r1")


SCENARIOS: tuple[Scenario, ...] = (
    opened_and_read,
    history_in_order_with_who_said_what,
    one_reply_per_key,
    text_arrives_as_it_was_written,
    a_note_is_not_for_the_requester,
    one_change_of_status_per_key,
    handed_to_people,
    version_counts_others_and_not_ourselves,
    requester_comes_back_after_resolution,
    merged_into_another,
    attachment_to_the_last_byte,
    changes_leave_no_ticket_out,
    unknown_ticket,
)
"""For every connector."""


async def writes_survive_every_fault(stage: Stage) -> None:
    ticket_id = await stage.opens(WORDS)
    faults = (Fault.BUSY, Fault.BROKEN, Fault.BROKEN_AFTER, Fault.LOST, Fault.HALF, Fault.CUT)
    for fault in faults:
        _proxy(stage).expect(fault)
        assert (await stage.helpdesk.reply(ticket_id, f"After {fault.name}.", key=fault.name)).author is Author.AGENT
        _proxy(stage).expect(fault)
        await stage.helpdesk.note(ticket_id, f"Noted {fault.name}.", key=f"note {fault.name}")
    ticket = await stage.helpdesk.get(ticket_id)
    written = [text for fault in faults for text in (f"After {fault.name}.", f"Noted {fault.name}.")]
    assert [one.text for one in ticket.messages[1:]] == written
    shown = await stage.shown(ticket_id)
    assert [sum(text in one for one in shown) for text in written[::2]] == [1] * len(faults)


async def reads_survive_every_fault(stage: Stage) -> None:
    ticket_id = await stage.opens(WORDS, file=PNG)
    whole = await stage.helpdesk.get(ticket_id)
    for fault in (Fault.BUSY, Fault.BROKEN, Fault.LOST, Fault.DROPPED, Fault.HALF, Fault.CUT):
        _proxy(stage).expect(fault, method="GET")
        assert await stage.helpdesk.get(ticket_id) == whole
        _proxy(stage).expect(fault, method="GET")
        assert ticket_id in await stage.helpdesk.changed(None)
    _proxy(stage).expect(Fault.BUSY, Fault.HALF, Fault.BROKEN, method="GET")
    assert await stage.helpdesk.attachment(ticket_id, whole.messages[0].attachments[0].id) == PNG


async def a_helpdesk_that_is_away(stage: Stage) -> None:
    ticket_id = await stage.opens(WORDS)
    proxy = _proxy(stage)
    proxy.away = True
    for call in (
        lambda: stage.helpdesk.changed(None),
        lambda: stage.helpdesk.get(ticket_id),
        lambda: stage.helpdesk.reply(ticket_id, "Hello?", key="r1"),
        lambda: stage.helpdesk.find_reply(ticket_id, key="r1"),
        lambda: stage.helpdesk.note(ticket_id, "Hello?", key="n1"),
        lambda: stage.helpdesk.set_status(ticket_id, TicketStatus.RESOLVED, key="s1"),
        lambda: stage.helpdesk.hand_off(ticket_id, "Hello?", key="h1"),
        lambda: stage.helpdesk.attachment(ticket_id, "1"),
    ):
        before = len(proxy.requests)
        with pytest.raises(HelpdeskUnavailable) as caught:
            await call()
        assert 1 <= len(proxy.requests) - before <= 5
        assert "secret" not in f"{caught.value!r} {caught.value}"
    proxy.away = False
    assert await _own(stage, ticket_id) == []


async def a_redirect_is_not_followed(stage: Stage) -> None:
    ticket_id = await stage.opens(WORDS)
    _proxy(stage).expect(Fault.REDIRECTED, method="GET")
    with pytest.raises(HelpdeskUnavailable):
        await stage.helpdesk.get(ticket_id)


FAULTS: tuple[Scenario, ...] = (
    writes_survive_every_fault,
    reads_survive_every_fault,
    a_helpdesk_that_is_away,
    a_redirect_is_not_followed,
)
"""For connectors that talk to their helpdesk over HTTP."""


def name_of(scenario: Scenario) -> str:
    """Its name, for pytest's ids."""
    return getattr(scenario, "__name__", "scenario")


def _proxy(stage: Stage) -> FaultyProxy:
    assert stage.proxy is not None, "this scenario is about the way to the helpdesk"
    return stage.proxy


def _said(messages: tuple[Message, ...] | list[Message]) -> list[tuple[Author, str]]:
    return [(one.author, one.text) for one in messages]


async def _own(stage: Stage, ticket_id: str) -> list[str]:
    ticket = await stage.helpdesk.get(ticket_id)
    return [one.text for one in ticket.messages if one.author is Author.AGENT and one.public]
