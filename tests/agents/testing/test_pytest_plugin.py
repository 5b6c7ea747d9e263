"""The plugin ``settle``: fixtures that fail a test by themselves, and that cost nothing where nobody uses them."""

from __future__ import annotations

from pathlib import Path

from tests.agents.testing.plugin_runs import run_pytest

MODELS = """
import asyncio

from agents.models.messages import ModelRequest
from agents.testing import UnexpectedRequest

ASK = ModelRequest(system="", messages=())

async def test_used(scripted_model):
    model = scripted_model("yes", "no")
    assert [(await model.respond(ASK)).turn.text for _ in range(2)] == ["yes", "no"]

async def test_unused(scripted_model):
    await scripted_model("yes", "no").respond(ASK)

async def test_unexpected(scripted_model):
    model = scripted_model("yes")
    await model.respond(ASK)
    try:
        await model.respond(ASK)
    except UnexpectedRequest:
        pass

async def test_unexpected_and_not_caught(scripted_model):
    await scripted_model().respond(ASK)

def test_clock_and_helpdesk_are_the_benchs(fake_clock, fake_helpdesk, workbench):
    bench = workbench()
    assert (bench.clock, bench.helpdesk) == (fake_clock, fake_helpdesk)
    assert workbench(clock=None).clock is not fake_clock
"""


def test_a_scripted_model_fails_the_test_that_asks_too_much_or_too_little(tmp_path: Path) -> None:
    (tmp_path / "test_models.py").write_text(MODELS)
    done = run_pytest(tmp_path, "-rA")
    assert "1 failed, 4 passed, 3 errors" in done.stdout, done.stdout
    for line in (
        "ERROR test_models.py::test_unused - agents.models.scripted.UnusedAnswers: 1 of 2 answers",
        "ERROR test_models.py::test_unexpected - agents.models.scripted.UnexpectedRequest",
        "FAILED test_models.py::test_unexpected_and_not_caught",
    ):
        assert line in done.stdout, done.stdout


UNRELATED = """
import sys

def test_nothing_of_settle_was_loaded(pytestconfig):
    assert pytestconfig.pluginmanager.has_plugin("settle")
    heavy = {"agents", "evaluators", "billing", "anthropic", "openai", "vcr", "httpx2", "pydantic", "yaml"}
    assert not heavy & set(sys.modules)

def test_the_kit_brings_no_sdk(workbench, fake_helpdesk, scripted_model):
    workbench(), scripted_model()
    assert not {"anthropic", "openai", "vcr", "playwright", "dbos", "sqlalchemy"} & set(sys.modules)
"""


def test_other_peoples_tests_do_not_notice_it(tmp_path: Path) -> None:
    (tmp_path / "test_unrelated.py").write_text(UNRELATED)
    done = run_pytest(tmp_path)
    assert "2 passed" in done.stdout, done.stdout + done.stderr
