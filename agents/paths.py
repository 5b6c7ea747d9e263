"""Paths and templates: ``${order.items[0].id}`` carries a value with its type and label; text around it makes text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from agents.errors import PathError
from agents.policy.labels import PLAN, Label, Labelled, Path, join_all

_PATH = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*|\[\d{1,4}\])*")
_PLACE = re.compile(r"\$\{([^{}]*)\}")
_PART = re.compile(r"\.?([A-Za-z_]\w*)|\[(\d+)\]")


def parse_path(text: str) -> Path:
    """``a.b[0]`` as ``("a", "b", 0)``; `PathError` if it is not a plain path."""
    if not _PATH.fullmatch(text):
        raise PathError(text, text, "not a plain path such as order.items[0].id")
    return tuple(name or int(index) for name, index in _PART.findall(text))


def resolve(path: Path, values: Mapping[str, Labelled]) -> Labelled:
    """The value at ``path``; `PathError` if it leads nowhere."""
    text = str(path[0]) + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path[1:])
    root = values.get(str(path[0]))
    if root is None:
        raise PathError(text, str(path[0]), f"nothing here is called {path[0]}")
    try:
        return root.at(path[1:])
    except LookupError as error:
        raise PathError(text, str(error), f"there is no {error.args[0]!r} in it") from None


@dataclass(frozen=True, slots=True)
class Template:
    """Text with ``${path}`` places, compiled once."""

    source: str
    parts: tuple[str | Path, ...]

    @classmethod
    def compile(cls, source: str) -> Template:
        """Compile ``source``; `PathError` for a malformed path."""
        parts: list[str | Path] = []
        end = 0
        for place in _PLACE.finditer(source):
            if place.start() > end:
                parts.append(source[end : place.start()])
            parts.append(parse_path(place.group(1)))
            end = place.end()
        if end < len(source):
            parts.append(source[end:])
        if any(isinstance(part, str) and "${" in part for part in parts):
            raise PathError(source, source, "a ${ that is not closed")
        return cls(source, tuple(parts))

    def paths(self) -> tuple[Path, ...]:
        """Every path in it."""
        return tuple(part for part in self.parts if not isinstance(part, str))

    def fill(self, values: Mapping[str, Labelled], author: Label = PLAN) -> Labelled:
        """A lone ``${path}`` gives that value with its type and label; anything else gives text.

        ``author`` is the label of the words around the paths: of whoever wrote the template.
        """
        if len(self.parts) == 1 and not isinstance(self.parts[0], str):
            return resolve(self.parts[0], values)
        found = {part: resolve(part, values) for part in self.parts if not isinstance(part, str)}
        text = "".join(part if isinstance(part, str) else _text(found[part], part) for part in self.parts)
        return Labelled(data=text, label=join_all([author, *(value.weakest() for value in found.values())]))


def _text(value: Labelled, path: Path) -> str:
    if isinstance(value.data, dict | list) or value.data is None:
        raise PathError(".".join(map(str, path)), str(path[-1]), "not a single value, so it cannot stand inside text")
    return str(value.data)
