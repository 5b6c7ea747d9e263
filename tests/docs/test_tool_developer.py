"""docs/tool-developer.md: from nothing to a tested tool, with the page's own commands and files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agents import tool
from service import pytest_plugin
from service.deployment import load_deployment
from tests.agents.testing.plugin_runs import installed
from tests.docs.pages import blocks, clone, fences, run
from tests.service.builders import ROOT

PAGE = ROOT / "docs" / "tool-developer.md"


@pytest.mark.timeout(280)
def test_every_command_of_the_page_runs_and_prints_what_it_shows(tmp_path: Path) -> None:
    folder = clone(tmp_path / "settle")
    run(PAGE, folder, installed(tmp_path / "site"))
    names = load_deployment(folder / "desk").toolbox.names()
    assert {"visits.find", "reminders.send"} <= set(names)


def test_the_page_has_no_command_that_is_not_run() -> None:
    assert {kind for _, kind, _ in fences(PAGE)} == {"sh", "text", "python", "toml"}
    assert len(blocks(PAGE)) >= 7


def test_the_page_names_what_is_declared_and_every_fixture() -> None:
    page = PAGE.read_text(encoding="utf-8")
    declared = set(tool.__annotations__) - {"return", "name"}
    fixtures = set(re.findall(r"(?m)^@pytest\.fixture\ndef (\w+)", Path(pytest_plugin.__file__).read_text()))
    assert len(fixtures) >= 6
    assert [name for name in declared | fixtures if f"`{name}" not in page] == []
