"""Toolboxes: all tools of the files, or none."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents import Toolbox
from agents.errors import InvalidDocument, InvalidTool, Problem
from agents.tools import reply
from tests.agents.builders import Shop

GOOD = '''
from pydantic import BaseModel
from agents import ToolContext, tool

class Out(BaseModel):
    ok: bool

@tool(effect="read")
async def find(ctx: ToolContext) -> Out:
    """Find."""
    return Out(ok=True)
'''


def problem(path: Path, text: str) -> Problem:
    path.write_text(text)
    with pytest.raises(InvalidDocument) as refused:
        Toolbox.load([path])
    (found,) = refused.value.problems
    assert found.file == str(path)
    return found


def test_tools_are_named_by_file_and_function(tmp_path: Path) -> None:
    path = tmp_path / "shop.py"
    path.write_text(GOOD)
    box = Toolbox.load([path], builtin=[reply])
    assert box.names() == ["conversation.reply", "shop.find"] == sorted(tool.name for tool in box)
    found = box.get("shop.find")
    assert found is not None
    assert found.name == "shop.find"
    assert box.get("find") is None


def test_the_version_changes_with_the_source(tmp_path: Path) -> None:
    one, two = tmp_path / "one.py", tmp_path / "two.py"
    one.write_text(GOOD)
    two.write_text(GOOD.replace("ok=True", "ok=False"))
    versions = {tool.version for tool in Toolbox.load([one, two])}
    assert len(versions) == 2


@pytest.mark.parametrize(
    "text, line, message",
    [
        (GOOD + "\nx = 1 / 0\n", 13, "ZeroDivisionError"),
        (GOOD + "\ndef (:\n", 13, "SyntaxError"),
        (GOOD + "\nimport nothing_of_that_name\n", 13, "ModuleNotFoundError"),
        (GOOD + "\nraise SystemExit(3)\n", 13, "SystemExit"),
        (GOOD + "\ndef inner():\n    raise KeyError('x')\n\ninner()\n", 14, "KeyError"),
        (GOOD.replace('effect="read"', 'effect="write"'), 8, "sinks"),
        (GOOD.replace("(ctx: ToolContext)", "(ctx: ToolContext, *many: str)"), 8, "named parameters"),
        ("x = '\x00'", None, ""),
    ],
)
def test_a_file_that_cannot_be_imported_is_named_with_its_line(
    text: str, line: int | None, message: str, tmp_path: Path
) -> None:
    found = problem(tmp_path / "shop.py", text)
    assert line is None or found.line == line
    assert message in found.message


def test_every_refused_declaration_of_a_file_is_listed_and_nothing_of_it_is_there(tmp_path: Path) -> None:
    one = GOOD.replace('effect="read"', 'effect="write"')
    two = one[one.index("@tool") :].replace("def find", "def lose")
    (tmp_path / "shop.py").write_text(one + two + GOOD[GOOD.index("@tool") :].replace("def find", "def look"))
    box, problems = Toolbox.read([tmp_path / "shop.py"])
    assert [(one.line, one.message.split(":")[0]) for one in problems] == [(8, "tool find"), (12, "tool lose")]
    assert box.names() == []
    (tmp_path / "shop.py").write_text(one + "\nfind.name\n")
    _, problems = Toolbox.read([tmp_path / "shop.py"])
    assert ["sinks" in problems[0].message, "AttributeError" in problems[1].message, len(problems)] == [True, True, 2]


@pytest.mark.parametrize("by_name", [False, True])
def test_a_name_is_given_once_in_a_file_too(by_name: bool, tmp_path: Path) -> None:
    declared = GOOD[GOOD.index("@tool") :]
    if by_name:
        declared = declared.replace('effect="read"', 'effect="read", name="find"').replace("def find", "def other")
    found = problem(tmp_path / "shop.py", GOOD + declared)
    assert (found.line, found.message) == (12, "tool find: is defined twice, first in line 8")


def test_a_relative_path_has_lines_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert problem(Path("shop.py"), "\nx = 1 / 0\n").line == 2


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none.py", tmp_path / "tools.txt"):
        with pytest.raises(InvalidDocument, match="is not a Python file"):
            Toolbox.load([path])


def test_a_name_is_given_once(tmp_path: Path) -> None:
    with pytest.raises(InvalidTool, match="defined twice"):
        Toolbox([*Shop().tools(), *Shop().tools()])
    fake = tmp_path / "conversation.py"
    fake.write_text(GOOD.replace("def find", "def reply"))
    with pytest.raises(InvalidDocument, match=r"conversation\.reply: is defined twice"):
        Toolbox.load([fake], builtin=[reply])
