"""docs/support-team.md: its commands are run as they stand, in order, and print what the page shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.pages import blocks, clone, fences, run
from tests.service.builders import ROOT

PAGE = ROOT / "docs" / "support-team.md"


@pytest.mark.timeout(280)
def test_every_command_of_the_page_runs_and_prints_what_it_shows(tmp_path: Path) -> None:
    run(PAGE, clone(tmp_path / "settle"))


def test_the_page_has_no_command_that_is_not_run() -> None:
    assert {kind for _, kind, _ in fences(PAGE)} == {"sh", "text"}
    assert len(blocks(PAGE)) >= 8
