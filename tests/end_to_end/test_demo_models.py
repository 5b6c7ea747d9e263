"""``settle demo`` with a model: a scripted one that says so, a real one only after a yes, within a cap."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
from pathlib import Path

from tests.fakes import provider_anthropic as wire
from tests.fakes.provider import ProviderServer
from tests.service.builders import PYTHON, ROOT

MODEL = "anthropic:claude-sonnet-5"
STUCK = json.dumps({"subject": "requester:${task.requester.email}", "steps": [{"id": "stuck", "require": "false"}]})


async def demo(folder: Path, *args: str, says: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
    command = [str(PYTHON), "-m", "service.cli", "demo", "--state", str(folder), "--no-browser", *args]
    return await asyncio.to_thread(
        subprocess.run,
        command,
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "200", **environ},
        input=says,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


async def test_the_scripted_model_plans_asks_plans_anew_and_is_denied_what_is_injected(tmp_path: Path) -> None:
    ran = await demo(tmp_path / "state", "--scripted", ANTHROPIC_API_KEY="k", ANTHROPIC_BASE_URL="http://127.0.0.1:9")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    said = ran.stdout
    assert said.startswith("SCRIPTED MODEL")
    assert "plan 2: orders > order > open > cancel > reply" in said, "M-1002 is planned anew"
    assert re.search(r"M-1001 +│ en +│ order cancelled +│ passed +│ effect_verified", said)
    assert "the model wanted back_office__refund: refused" in said
    assert "the model wanted admin__export: refused" in said
    assert "asked a person: plan.widen(['back_office.refund']): rejected" in said
    assert "Resolved 2 of 4 tickets; 0 without a model." in said
    assert "Outcomes 1.58 USD = ledger 1.58 USD = invoices 1.58 USD." in said


async def test_nothing_is_asked_without_a_yes_or_a_key(tmp_path: Path) -> None:
    async with ProviderServer(wire.whole(wire.message(wire.said("hi")))) as server:
        known = {"ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": server.url}
        refused = await demo(tmp_path / "a", "--model", MODEL, says="n\n", **known)
        assert (refused.returncode, server.asked) == (1, [])
        assert "Nothing was asked." in refused.stdout
        assert "at list prices (a guess" in refused.stdout
        keyless = await demo(tmp_path / "b", "--model", MODEL, "--yes", ANTHROPIC_API_KEY="")
        assert keyless.returncode == 2
        assert "ANTHROPIC_API_KEY" in keyless.stdout
        both = await demo(tmp_path / "c", "--model", MODEL, "--scripted", **known)
        assert both.returncode == 2
        assert server.asked == []


async def test_what_no_procedure_fits_goes_to_the_model_and_is_counted(tmp_path: Path) -> None:
    async with ProviderServer(wire.whole(wire.message(wire.said(STUCK)))) as server:
        known = {"ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": server.url}
        ran = await demo(tmp_path / "state", "--model", MODEL, "--yes", "--dollars", "5.00", **known)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    counted = re.search(r"Resolved (\d+) of 35 tickets; (\d+) without a model\. \S+ was asked (\d+) times", ran.stdout)
    assert counted is not None, ran.stdout
    resolved, alone, asked = map(int, counted.groups())
    assert resolved == alone == 21, "two of the 23 proven ones were reopened"
    assert asked == len(server.asked) > 0
    assert "14.19 USD" in ran.stdout
