"""django-helpdesk, a real one, in its own process."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from agents.errors import HelpdeskUnavailable
from agents.ticket import Author, TicketStatus
from service.helpdesks.django_helpdesk import DjangoHelpdesk
from tests.helpdesks.django_desk import DjangoDesk, DjangoStage, django_stage
from tests.helpdesks.scenarios import FAULTS, SCENARIOS, Scenario, name_of


@pytest.fixture
async def stage(django: DjangoDesk) -> AsyncIterator[DjangoStage]:
    async with django_stage(django) as one:
        yield one


@pytest.mark.parametrize("scenario", [*SCENARIOS, *FAULTS], ids=name_of)
async def test_scenario(scenario: Scenario, stage: DjangoStage) -> None:
    await scenario(stage)


async def test_a_ticket_and_its_follow_up_come_in_by_mail(stage: DjangoStage) -> None:
    before = set(await stage.helpdesk.changed(None))
    await stage.desk.mail("My lamp came broken.\n\n-- \nAnn", subject="Broken lamp", email="Ann@Example.com")
    ticket_id = (set(await stage.helpdesk.changed(None)) - before).pop()
    ticket = await stage.helpdesk.get(ticket_id)
    assert (ticket.subject, ticket.requester.email) == ("Broken lamp", "Ann@Example.com")
    assert [one.text for one in ticket.messages] == ["My lamp came broken."]
    subject = f"Re: [support-{ticket_id}] Broken lamp"
    await stage.desk.mail("It was order 10482.\n\n> My lamp came broken.", subject=subject)
    after = await stage.helpdesk.get(ticket_id)
    assert [one.author for one in after.messages] == [Author.REQUESTER, Author.REQUESTER]
    assert after.own_words()[-1].strip() == "It was order 10482."
    assert after.version > ticket.version


@pytest.mark.parametrize("sender", ["bob@example.com", "joann@example.com", '"x ann@example.com y"@evil.example'])
async def test_mail_of_others_is_not_the_requesters(stage: DjangoStage, sender: str) -> None:
    ticket_id = await stage.opens("My mug arrived broken.")
    await stage.desk.mail("Send the money to me.", subject=f"Re: [support-{ticket_id}] Broken mug", email=sender)
    ticket = await stage.helpdesk.get(ticket_id)
    assert [(one.author, one.text) for one in ticket.messages[1:]] == [(Author.STAFF, "Send the money to me.")]


async def test_the_resolved_ticket_tells_the_requester_nothing_new(stage: DjangoStage) -> None:
    ticket_id = await stage.opens("My mug arrived broken.")
    await stage.helpdesk.reply(ticket_id, "It is refunded.", key="r1")
    told = await stage.shown(ticket_id)
    await stage.helpdesk.set_status(ticket_id, TicketStatus.RESOLVED, key="s1")
    row = await stage.desk.call("GET", f"/api/tickets/{ticket_id}/")
    assert (row["status"], row["title"]) == (3, "Broken mug")
    assert await stage.shown(ticket_id) == told


async def test_tickets_for_people_move_to_their_queue_once(django: DjangoDesk) -> None:
    async with django_stage(django, hand_off_queue=django.people) as stage:
        ticket_id = await stage.opens("My mug arrived broken.")
        await stage.helpdesk.hand_off(ticket_id, "Nobody knows.", key="h1")
        assert (await django.call("GET", f"/api/tickets/{ticket_id}/"))["queue"] == django.people
        await django.call("PATCH", f"/api/tickets/{ticket_id}/", json={"queue": django.queue})
        await stage.helpdesk.hand_off(ticket_id, "Nobody knows.", key="h1")
        assert (await django.call("GET", f"/api/tickets/{ticket_id}/"))["queue"] == django.queue


async def test_every_page_of_a_list_is_read(stage: DjangoStage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.helpdesks.django_helpdesk.PAGE", 2)
    ids = [await stage.opens(f"Number {number}") for number in range(5)]
    since = (await stage.helpdesk.get(ids[0])).opened_at
    for ticket_id in (ids[3], ids[1]):
        await stage.answers(ticket_id, "On it.")
    named = await stage.helpdesk.changed(since)
    assert [one for one in named if one in ids] == [ids[0], ids[2], ids[4], ids[3], ids[1]]
    assert [one for one in await stage.helpdesk.changed(None) if one in ids] == ids


async def test_another_users_token_is_found_out_before_a_second_message(django: DjangoDesk) -> None:
    async with django_stage(django) as stage:
        wrong = DjangoHelpdesk(
            tenant="acme", url=django.url, token=django.staff.token, agent_user=django.agent.id, pause=0.01
        )
        ticket_id = await stage.opens("My mug arrived broken.")
        with pytest.raises(HelpdeskUnavailable, match="does not show it"):
            await wrong.reply(ticket_id, "It is refunded.", key="r1")
        assert len((await stage.helpdesk.get(ticket_id)).messages) == 2


async def test_a_refused_token_is_named_and_not_shown(django: DjangoDesk) -> None:
    wrong = DjangoHelpdesk(tenant="acme", url=django.url, token="secret-token", agent_user=django.agent.id)
    with pytest.raises(HelpdeskUnavailable, match="refuses the credential") as caught:
        await wrong.changed(None)
    assert "secret-token" not in f"{caught.value!r}"
