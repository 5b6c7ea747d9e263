"""A step for a model, in a deployment: asked over HTTP, paid from budgets, remembered, and shown to people."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from agents.errors import InvalidDocument
from service.helpdesks.embedded import NewAttachment
from service.models import spent
from service.spending import SqlSpending
from tests.examples.running import running as back_office
from tests.fakes import provider_anthropic as wire
from tests.fakes.provider import ProviderServer, Reply
from tests.service.retail_desk import Office, RetailDesk, desk_at_work


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    database = tmp_path_factory.mktemp("office") / "back_office.db"
    with back_office(database) as process:
        yield Office(url=process.url, database=database)


ASKS = "Where is my order {order}? When will it arrive?"
STEP = """\
  - id: look
    open: Find out whether the parcel travels.
    tools:
      shop.find_orders: {email: "${task.requester.email}"}
    leaves: {travels: boolean}
    answers: 4
  - {id: travels, require: look.travels, else: {hand_off: parcel_rests}}
"""
MODELS = '[models]\nexecutor = ["anthropic:claude-sonnet-5"]\n'
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def look(number: int = 1) -> Reply:
    return wire.whole(wire.message(wire.called("shop__find_orders", f"toolu_{number}")))


def finish(travels: bool = True) -> Reply:
    return wire.whole(wire.message(wire.called("finish", "toolu_9", travels=travels)))


def add_step(deployment: Path) -> None:
    path = deployment / "procedures" / "where-is-my-order.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("  - {id: preparing,", f"{STEP}  - {{id: preparing,"), encoding="utf-8")


@asynccontextmanager
async def desk(
    folder: Path, office: Office, monkeypatch: pytest.MonkeyPatch, *replies: Reply, sections: str = MODELS
) -> AsyncIterator[tuple[RetailDesk, ProviderServer]]:
    async with ProviderServer(*replies) as server:
        monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-hidden-0123456789")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        async with desk_at_work(folder, office, sections=sections, edit=add_step) as made:
            yield made, server


def bodies(server: ProviderServer) -> Sequence[Any]:
    return [one.body for one in server.asked]


async def test_a_model_is_asked_paid_and_kept(tmp_path: Path, office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    order = office.order("ann@example.com", status="shipped")
    async with desk(tmp_path, office, monkeypatch, look(), finish()) as (made, server):
        await made.asks("T-1", "ann@example.com", ASKS.format(order=order))
        assert made.outcome("T-1")[:2] == ("verified", "proof_passed")
        assert "on its way" in (await made.replies("T-1"))[0]
        answers = [one for one in made.receipts("T-1") if one.of_model]
        assert [one.tool for one in answers] == ["model:anthropic:claude-sonnet-4-5-20250929"] * 2
        day = SqlSpending(made.run.database).spent("acme", made.run.clock.now().date())
        assert day == spent(answers).micros > 0
        first, second = bodies(server)
        assert json.loads(first["messages"][0]["content"][0]["text"])["known"]["order"]["id"] == order
        assert first["system"] == second["system"]
        assert order in json.dumps(second["messages"][-1])
        kept = (tmp_path / "state").rglob("*")
        assert not any(b"sk-ant-hidden" in path.read_bytes() for path in kept if path.is_file())


async def test_what_a_model_says_decides_no_more_than_the_procedure_lets_it(
    tmp_path: Path, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = office.order("ann@example.com", status="shipped")
    async with desk(tmp_path, office, monkeypatch, finish(travels=False)) as (made, _):
        await made.asks("T-1", "ann@example.com", ASKS.format(order=order))
        assert made.stands("T-1") == ("handed_off", "parcel_rests")
        note = (await made.notes("T-1"))[-1]
        assert "- done: asked anthropic:claude" in note
        assert "input_tokens" not in note


async def test_a_photo_is_shown_to_a_model_that_can_see(
    tmp_path: Path, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = office.order("ann@example.com", status="shipped")
    photo = NewAttachment(name="parcel.png", media_type="image/png", data=PNG)
    async with desk(tmp_path, office, monkeypatch, finish()) as (made, server):
        await made.asks("T-1", "ann@example.com", ASKS.format(order=order), attachments=[photo])
        assert made.outcome("T-1")[0] == "verified"
        shown = bodies(server)[0]["messages"][0]["content"][1]
        assert (shown["type"], shown["source"]["data"]) == ("image", base64.b64encode(PNG).decode())


@pytest.mark.parametrize(
    "sections, code",
    [
        (MODELS + 'dollars_per_day = "0.000001"\n', "model_budget"),
        (MODELS + "[models.run]\ncalls = 1\n", "model_budget"),
        ("", "no_model"),
        ('[models]\nexecutor = ["kimi:k3"]\n', "model_not_allowed"),
    ],
)
async def test_what_may_not_be_spent_goes_to_a_person(
    tmp_path: Path, office: Office, monkeypatch: pytest.MonkeyPatch, sections: str, code: str
) -> None:
    monkeypatch.delenv("MOONSHOT_API_KEY", raising=False)
    order = office.order("ann@example.com", status="shipped")
    async with desk(tmp_path, office, monkeypatch, look(), finish(), sections=sections) as (made, server):
        await made.asks("T-1", "ann@example.com", ASKS.format(order=order))
        assert made.stands("T-1") == ("handed_off", code)
        assert len(server.asked) == ("calls" in sections)


async def test_a_model_asks_and_the_answer_goes_on_where_it_stood(
    tmp_path: Path, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = office.order("ann@example.com", status="shipped")
    question = wire.whole(wire.message(wire.said("Did the carrier leave a card?")))
    async with desk(tmp_path, office, monkeypatch, question, finish()) as (made, server):
        await made.asks("T-1", "ann@example.com", ASKS.format(order=order))
        assert made.stands("T-1") == ("waiting_requester", "input_missing")
        await made.writes("T-1", "No, nothing was there.")
        assert made.outcome("T-1")[0] == "verified"
        assert len(server.asked) == 2
        assert "nothing was there" in json.dumps(bodies(server)[1]["messages"][-1])


AGENT = """
[models.agents.parcels]
models = ["anthropic:claude-opus-5"]
instructions = "You know parcels."
"""


async def test_a_step_may_be_given_to_another_agent_with_the_tools_of_the_step_alone(
    tmp_path: Path, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    def edit(deployment: Path) -> None:
        add_step(deployment)
        path = deployment / "procedures" / "where-is-my-order.yaml"
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace("    answers: 4\n", "    answers: 4\n    agent: parcels\n"), encoding="utf-8")

    order = office.order("ann@example.com", status="shipped")
    async with ProviderServer(look(), finish()) as server:
        monkeypatch.setenv("ANTHROPIC_API_KEY", "k")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        async with desk_at_work(tmp_path / "a", office, sections=MODELS + AGENT, edit=edit) as made:
            await made.asks("T-1", "ann@example.com", ASKS.format(order=order))
            assert made.outcome("T-1")[0] == "verified"
        first = bodies(server)[0]
        assert first["model"] == "claude-opus-5"
        assert "You know parcels." in json.dumps(first["system"])
        assert [one["name"] for one in first["tools"]] == ["shop__find_orders", "finish", "give_to_person"]
    with pytest.raises(InvalidDocument, match=r"no \[models.agents.parcels\]"):
        async with desk_at_work(tmp_path / "b", office, sections=MODELS, edit=edit):
            pass
