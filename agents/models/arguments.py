"""Arguments of a tool call as a model writes them: taken whole and unambiguous, or not at all."""

from __future__ import annotations

import json
import math
from typing import Any

from pydantic import JsonValue

MAX_BYTES = 256 * 1024
"""Arguments longer than this are malformed."""
MAX_DEPTH = 64
"""And those nested deeper."""


class _Doubled(dict[str, Any]):
    """An object that has a key twice: which of the two was meant, nobody knows."""


class Fragments:
    """Arguments that come in pieces; what is too long anyway is not kept."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._length = 0

    def add(self, piece: str) -> None:
        """The next piece."""
        if self._length <= MAX_BYTES:
            self._pieces.append(piece)
            self._length += len(piece)

    @property
    def text(self) -> str:
        """All pieces; too long for `parse` where some were dropped."""
        return "".join(self._pieces)


def load(text: str | bytes) -> Any:
    """JSON in which `check` still sees what is wrong with arguments; `ValueError` if it is no JSON."""
    try:
        return json.loads(text, object_pairs_hook=_object)
    except RecursionError:
        raise ValueError("nested too deep") from None


def parse(text: str) -> tuple[dict[str, JsonValue], str]:
    """The arguments in ``text`` and what is wrong with them; where anything is, there are no arguments.

    Nothing at all stands for no arguments: some providers send that.
    """
    if len(text) > MAX_BYTES:
        return {}, _TOO_LONG
    try:
        return check(load(text) if text.strip() else {})
    except ValueError as error:
        return {}, f"the arguments are no JSON: {error}"


def check(value: Any) -> tuple[dict[str, JsonValue], str]:
    """The same for what `load` read."""
    if not isinstance(value, dict):
        return {}, "the arguments are no object"
    wrong = _wrong(value)
    return ({}, wrong) if wrong else (value, "")


_TOO_LONG = f"the arguments are longer than {MAX_BYTES // 1024} kB"


def _wrong(arguments: dict[str, Any]) -> str:
    left: list[tuple[Any, int]] = [(arguments, 1)]
    size = 0
    while left:
        item, depth = left.pop()
        if depth > MAX_DEPTH:
            return "the arguments are nested too deep"
        match item:
            case _Doubled():
                return "the arguments have a key twice in one object"
            case dict() as value:
                left += [(each, depth + 1) for each in (*value, *value.values())]
            case list() as value:
                left += [(each, depth + 1) for each in value]
            case str() as value:
                try:
                    size += len(value.encode())
                except UnicodeEncodeError:
                    return "the arguments hold half a character (a lone surrogate)"
            case float() as value if not math.isfinite(value):
                return "the arguments hold a number that is not finite"
        size += 2
        if size > MAX_BYTES:
            return _TOO_LONG
    return ""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else _Doubled(found)
