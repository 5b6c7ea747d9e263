"""A rehearsal asks no model unless it is told to, and then no more than it may spend."""

from __future__ import annotations

import asyncio
import json
import subprocess
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import typer

from service.cli.spending import spending
from service.spending import Purse
from tests.fakes.provider import ProviderServer
from tests.service.builders import deployment_in, example_tickets, settle
from tests.service.test_desk_models import MODELS, add_step, finish, look

ASKING = ("--models", "--dollars", "1", "--yes")


@pytest.fixture
def deployment(tmp_path: Path) -> Path:
    """The retail example, with a step for a model where somebody asks for an order."""
    made = deployment_in(tmp_path)
    add_step(made)
    with (made / "settle.toml").open("a", encoding="utf-8") as file:
        file.write(MODELS)
    return made


async def told(
    deployment: Path, server: ProviderServer, command: str, *arguments: str | Path
) -> subprocess.CompletedProcess[str]:
    """What ``settle`` said about T-1001, a refund without models, and T-1002, about an order that is not sent yet."""
    tickets = example_tickets("T-1001", "T-1002")
    tickets[1]["expected_outcome"] = "order_status_told"
    file = deployment.parent / "past.jsonl"
    file.write_text("".join(f"{json.dumps(one)}\n" for one in tickets), encoding="utf-8")

    def run() -> subprocess.CompletedProcess[str]:
        return settle(
            command,
            file,
            *arguments,
            cwd=deployment.parent,
            ANTHROPIC_API_KEY="sk-ant-hidden",
            ANTHROPIC_BASE_URL=server.url,
        )

    return await asyncio.to_thread(run)


def played(done: subprocess.CompletedProcess[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The summary, and the ticket that comes to the model."""
    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout)
    return data["summary"], data["tickets"][1]


async def test_without_models_it_ends_where_one_is_needed(deployment: Path) -> None:
    page = deployment.parent / "page.html"
    async with ProviderServer(finish()) as server:
        done = await told(deployment, server, "simulate", "--deployment", deployment, "--json", "--html", page)
        assert server.asked == []
    summary, asked = played(done)
    assert (summary["ends"]["needs_model"], summary["ends"]["resolved"], summary["models"]["calls"]) == (1, 1, 0)
    assert (asked["rehearsed"]["end"], asked["judged"]["right"]) == ("needs_model", None)
    assert asked["rehearsed"]["why"] == "step look is for a model; no model was asked"
    assert summary["missed"] == 0
    text = page.read_text(encoding="utf-8")
    assert "models in this rehearsal: no model was asked" in text
    assert '<rect class="model"' in text


async def test_a_deployment_without_models_would_hand_it_off(deployment: Path) -> None:
    settings = deployment / "settle.toml"
    settings.write_text(settings.read_text(encoding="utf-8").replace(MODELS, ""), encoding="utf-8")
    async with ProviderServer(finish()) as server:
        done = await told(deployment, server, "simulate", "--deployment", deployment, "--json", *ASKING)
    summary, asked = played(done)
    assert (summary["ends"]["needs_model"], asked["rehearsed"]["tasks"][0]["code"]) == (0, "no_model")
    assert asked["rehearsed"]["end"] == "handed_off"
    assert "none will be asked" in done.stderr


async def test_with_models_what_they_took_is_counted(deployment: Path) -> None:
    async with ProviderServer(look(), finish()) as server:
        done = await told(deployment, server, "simulate", "--deployment", deployment, "--json", *ASKING)
        assert len(server.asked) == 2
    summary, asked = played(done)
    assert (asked["rehearsed"]["end"], asked["judged"]["right"]) == ("resolved", True)
    used = asked["rehearsed"]["tasks"][0]["models"]
    assert used == summary["models"]
    assert (used["calls"], used["uncounted"]) == (2, 0)
    assert used["micros"] > 0
    assert "1 run may ask models" in done.stderr
    assert "no more than 1.00 USD is spent here" in done.stderr


async def test_nothing_is_asked_that_could_cost_too_much_or_that_nobody_agreed_to(deployment: Path) -> None:
    async with ProviderServer(finish()) as server:
        capped = ("--models", "--dollars", "0.0001", "--yes")
        summary, asked = played(
            await told(deployment, server, "simulate", "--deployment", deployment, "--json", *capped)
        )
        assert asked["rehearsed"]["why"] == "step look is for a model; the dollars of this rehearsal are used up"
        assert (summary["ends"]["needs_model"], summary["models"]["calls"]) == (1, 0)
        refused = await told(deployment, server, "simulate", "--deployment", deployment, *ASKING[:-1])
        assert (refused.returncode, refused.stdout) == (2, "")
        assert refused.stderr.endswith("Nothing was asked: say --yes to spend that.\n")
        assert server.asked == []


async def test_versions_are_compared_with_models_when_that_is_asked_for(deployment: Path) -> None:
    async with ProviderServer(finish()) as server:
        done = await told(deployment, server, "eval", "--candidate", deployment, "--json", *ASKING)
        assert json.loads(done.stdout)["candidate"]["models"]["calls"] == 1 == len(server.asked)


@pytest.mark.parametrize(
    ("models", "dollars"), [(True, None), (False, "1"), (True, "much"), (True, "0"), (True, "nan"), (True, "-1")]
)
def test_slips_about_money_are_refused(models: bool, dollars: str | None) -> None:
    with pytest.raises(typer.BadParameter):
        spending(models, dollars)


def test_an_amount_is_for_all_days_together() -> None:
    assert (spending(False, None), spending(True, "0.25")) == (None, Decimal("0.25"))
    purse = Purse()
    assert purse.reserve("acme", date(2026, 11, 24), "a", 60, 100)
    assert not purse.refused
    assert not purse.reserve("acme", date(2026, 11, 25), "b", 41, 100)
    assert purse.refused
    purse.settle("acme", "a", 59)
    assert purse.reserve("acme", date(2026, 11, 25), "c", 41, 100)
