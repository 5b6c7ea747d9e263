"""Checks the tools of a deployment, or of one file, without anything else of the deployment being sound."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agents.errors import Problem
from agents.tools import Tool, Toolbox
from agents.tools.soundness import remarks
from service.declared_tools import read_declared
from service.deployment import SETTINGS
from service.errors import NoDeployment
from service.settings import read_settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What was found out about tools."""

    tools: tuple[Tool, ...]
    """Those that can be registered."""
    problems: tuple[Problem, ...]
    """What keeps tools from being registered, or will go wrong in them."""
    warnings: tuple[Problem, ...]
    """What mostly is an oversight."""


def check_tools(place: Path) -> Checked:
    """Load the tools at ``place``, a deployment's folder or one Python file, and look at each.

    Raises:
        NoDeployment: it is neither.
    """
    if place.suffix == ".py" and place.is_file():
        toolbox, problems = Toolbox.read([place])
        return _checked(toolbox, problems, [place], place)
    if not (place / SETTINGS).is_file():
        raise NoDeployment(f"{place} has no {SETTINGS}; name a deployment folder, or a file of tools")
    source, settings, found = read_settings(place / SETTINGS)
    problems = [one for one in found if settings is None or one.field.startswith("tools")]
    if settings is None:
        return Checked(tools=(), problems=tuple(problems), warnings=())
    modules = [place / module for module in settings.tools.modules]
    made, _, more = read_declared(place, source, settings.tools)
    toolbox, wrong = Toolbox.read(modules, builtin=made)
    listed = {path.resolve() for path in modules}
    unlisted = [path for path in sorted((place / "tools").glob("*.py")) if path.resolve() not in listed]
    checked = _checked(toolbox, [*problems, *more, *wrong], modules, place / SETTINGS)
    forgotten = [
        source.problem(
            ("tools", "modules"),
            f"does not list {path.relative_to(place).as_posix()}, so its tools are not there; add it",
        )
        for path in unlisted
        if "@tool" in path.read_text(encoding="utf-8", errors="replace")
    ]
    return Checked(tools=checked.tools, problems=checked.problems, warnings=(*checked.warnings, *forgotten))


def _checked(toolbox: Toolbox, problems: Sequence[Problem], modules: Sequence[Path], other: Path) -> Checked:
    files = {path.stem: path for path in modules}
    wrong, doubtful = list(problems), list[Problem]()
    for tool in toolbox:
        file = files.get(tool.name.partition(".")[0], other)
        for one in asyncio.run(remarks(tool)):
            found = Problem(file=str(file), line=_line(tool, file), field="", message=f"tool {one.tool}: {one.message}")
            (wrong if one.fault else doubtful).append(found)
    return Checked(tools=tuple(toolbox), problems=tuple(wrong), warnings=tuple(doubtful))


def _line(tool: Tool, file: Path) -> int | None:
    """Where the tool is declared, if that is in ``file``."""
    code = getattr(tool.function, "__code__", None)
    if code is None or Path(code.co_filename).resolve() != file.resolve():
        return None
    line: int = code.co_firstlineno
    return line
