"""A toolbox: the tools of one deployment, each under one name."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from agents.canonical import sha256_hex
from agents.errors import InvalidDocument, InvalidTool, Problem
from agents.tools.declaration import Declared, declarations
from agents.tools.tool import Tool


class Toolbox:
    """Tools by name."""

    def __init__(self, tools: Iterable[Tool] = (), *, unread: Iterable[str] = ()) -> None:
        """A toolbox with ``tools``; `InvalidTool` if two share a name."""
        self.unread = frozenset(unread)
        """Names of the files (``shop``) whose tools are not known, because they could not be read."""
        self._tools: dict[str, Tool] = {}
        for tool in tools:
            if tool.name in self._tools:
                raise InvalidTool(tool.name, "is defined twice")
            self._tools[tool.name] = tool

    @classmethod
    def load(cls, modules: Iterable[Path], builtin: Iterable[Tool] = ()) -> Toolbox:
        """The tools of Python files, each named ``file.function``, with ``builtin`` ones beside them.

        A file may import others beside it.

        Raises:
            InvalidDocument: a file cannot be imported, or a declaration in it is refused; nothing is registered then.
        """
        toolbox, problems = cls.read(modules, builtin)
        if problems:
            raise InvalidDocument(problems)
        return toolbox

    @classmethod
    def read(
        cls, modules: Iterable[Path], builtin: Iterable[Tool] = (), unread: Iterable[str] = ()
    ) -> tuple[Toolbox, list[Problem]]:
        """As `load`, but what is wrong comes beside the tools of the files that are sound."""
        found, unread = list(builtin), list(unread)
        problems: list[Problem] = []
        for path in modules:
            try:
                tools = [replace(tool, name=f"{path.stem}.{tool.name}") for tool in _tools_in(path)]
                cls([*found, *tools])
                found += tools
            except InvalidDocument as error:
                problems += error.problems
                unread.append(path.stem)
            except InvalidTool as error:
                problems.append(_problem(path, None, str(error)))
        return cls(found, unread=unread), problems

    def get(self, name: str) -> Tool | None:
        """The tool of that name, or None."""
        return self._tools.get(name)

    def __iter__(self) -> Iterator[Tool]:
        return iter(self._tools.values())

    def names(self) -> list[str]:
        """All names, sorted."""
        return sorted(self._tools)


def _tools_in(path: Path) -> list[Tool]:
    name = f"settle_tools_{sha256_hex(str(path.resolve()).encode())[:12]}_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.exists():
        raise _refused(path, None, "is not a Python file that exists; correct [tools] modules in settle.toml")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    beside = str(path.parent.resolve())
    if beside not in sys.path:
        sys.path.append(beside)
    with declarations() as declared:
        try:
            spec.loader.exec_module(module)
        except (Exception, SystemExit) as error:
            sys.modules.pop(name)
            line = _line_in(str(spec.origin), error)
            found = _problem(path, line, f"{type(error).__name__}: {error}")
            raise InvalidDocument([*_wrong(path, declared), found]) from error
    wrong = _wrong(path, declared)
    if wrong:
        sys.modules.pop(name)
        raise InvalidDocument(wrong)
    return [value for value in vars(module).values() if isinstance(value, Tool)]


def _wrong(path: Path, declared: Iterable[Declared]) -> list[Problem]:
    """The declarations that are refused, and those whose name another one in the same file has."""
    wrong: list[Problem] = []
    first: dict[tuple[str, str], int] = {}
    for one in declared:
        line = first.setdefault((one.file, one.name), one.line)
        if one.error is not None:
            wrong.append(_problem(path, one.line, str(one.error)))
        elif line != one.line:
            wrong.append(_problem(path, one.line, f"tool {one.name}: is defined twice, first in line {line}"))
    return wrong


def _refused(path: Path, line: int | None, message: str) -> InvalidDocument:
    return InvalidDocument([_problem(path, line, message)])


def _problem(path: Path, line: int | None, message: str) -> Problem:
    return Problem(file=str(path), line=line, field="", message=message)


def _line_in(path: str, error: BaseException) -> int | None:
    if isinstance(error, SyntaxError) and error.filename == path:
        return error.lineno
    trace, line = error.__traceback__, None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == path:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
