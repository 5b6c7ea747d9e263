"""The one YAML loader: scalars stay text, every node knows its line, pydantic gives the types.

``no`` is the text "no", ``0.10`` is the text "0.10" (no float money), duplicate keys, aliases and oversized files are
refused. Problems name file, line and field, and the nearest known name for a misspelled one.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from agents.errors import InvalidDocument, Problem

MAX_BYTES = 256 * 1024
"""Largest document read; procedures and contracts are a few kilobytes."""
MAX_DEPTH = 40
NOT_UTF_8 = "is not UTF-8 text; save it as UTF-8"

Model = TypeVar("Model", bound=BaseModel)
_Lines = dict[tuple[str | int, ...], int]


class Source:
    """A parsed document: plain data (dicts, lists, text, None) and the line of every field."""

    def __init__(self, file: str, data: Any, lines: _Lines) -> None:
        self.file = file
        self.data = data
        self._lines = lines

    def problem(self, field: tuple[str | int, ...], message: str) -> Problem:
        """A problem at ``field``, with the line of the nearest enclosing field that exists."""
        place = field
        while place not in self._lines and place:
            place = place[:-1]
        return Problem(file=self.file, line=self._lines.get(place), field=dotted(field), message=message)


def read_document(path: Path) -> Source:
    """Parse the YAML file ``path``.

    Raises:
        InvalidDocument: it is missing, too large, not UTF-8, not YAML, or uses a feature that is refused.
    """
    name = str(path)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise InvalidDocument(
            [Problem(file=name, line=None, field="", message=f"cannot be read: {error.strerror}")]
        ) from None
    if len(raw) > MAX_BYTES:
        message = f"{len(raw)} bytes; at most {MAX_BYTES} are read"
        raise InvalidDocument([Problem(file=name, line=None, field="", message=message)])
    try:
        return parse_document(raw.decode("utf-8"), name)
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise InvalidDocument([Problem(file=name, line=line, field="", message=NOT_UTF_8)]) from None


def parse_document(text: str, file: str) -> Source:
    """Parse YAML ``text``; ``file`` is the name that problems carry."""
    lines: _Lines = {}
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):
                line = event.start_mark.line + 1 if event.start_mark else 1
                raise _refused(file, line, "aliases (*name) are not supported; write the value out")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = mark.line + 1 if mark else None
        hint = "; indent with spaces, not with tabs" if "'\\t'" in str(error.problem) else ""
        message = f"not YAML: {error.problem}{hint}"
        raise InvalidDocument([Problem(file=file, line=where, field="", message=message)]) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise _refused(file, line, f"the character #x{int(error.character):04x} is not allowed") from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise InvalidDocument([Problem(file=file, line=None, field="", message=f"not YAML: {error}")]) from None
    except RecursionError:
        raise _refused(file, 1, f"nested deeper than {MAX_DEPTH} levels") from None
    data = _plain(node, (), lines, file) if node is not None else None
    return Source(file, data, lines)


def load_model(source: Source, model: type[Model], field: tuple[str | int, ...] = ()) -> Model:
    """Type the document (or its part at ``field``) with a pydantic model.

    Raises:
        InvalidDocument: every field that does not fit, each with its line.
    """
    data = source.data
    for part in field:
        data = data[part]
    if not isinstance(data, dict):
        what = "is empty" if data is None else "is not a valid dictionary"
        raise InvalidDocument([source.problem(field, f"{what}; write fields, one `name: value` on a line")])
    try:
        return model.model_validate(data)
    except ValidationError as error:
        problems = []
        for found in _without_echoes(error.errors(include_url=False), model):
            place = field + tuple(part for part in found["loc"] if part in _parts_of(source, field, found["loc"]))
            problems.append(source.problem(place, _explain(found, model)))
        raise InvalidDocument(problems) from None


def dotted(field: tuple[str | int, ...]) -> str:
    """``("steps", 2, "args")`` as ``steps[2].args``."""
    text = ""
    for part in field:
        text += f"[{part}]" if isinstance(part, int) else (f".{part}" if text else str(part))
    return text


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint for a misspelled name: the nearest known one, or all of them when few."""
    known = sorted(known)
    close = _closest(name, known)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"known: {', '.join(known)}" if 0 < len(known) <= 12 else "nothing like it is known"


def _closest(name: str, known: Iterable[str]) -> list[str]:
    return difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.6)


def _refused(file: str, line: int, message: str) -> InvalidDocument:
    return InvalidDocument([Problem(file=file, line=line, field="", message=message)])


def _plain(node: yaml.Node, place: tuple[str | int, ...], lines: _Lines, file: str) -> Any:
    line = node.start_mark.line + 1
    lines[place] = line
    if len(place) > MAX_DEPTH:
        raise _refused(file, line, f"nested deeper than {MAX_DEPTH} levels")
    if isinstance(node, yaml.MappingNode):
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise _refused(file, key_node.start_mark.line + 1, "a field's name must be plain text")
            key = str(key_node.value)
            if key in result:
                field = dotted((*place, key))
                problem = Problem(file=file, line=key_node.start_mark.line + 1, field=field, message="given twice")
                raise InvalidDocument([problem])
            result[key] = _plain(value_node, (*place, key), lines, file)
        return result
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, (*place, index), lines, file) for index, item in enumerate(node.value)]
    quoted = isinstance(node, yaml.ScalarNode) and node.style is not None
    return None if not quoted and node.value in ("", "~", "null") else str(node.value)


def _parts_of(source: Source, field: tuple[str | int, ...], loc: tuple[str | int, ...]) -> set[str | int]:
    """The parts of pydantic's location that are real fields of the document (it also names union branches)."""
    data = source.data
    for part in field:
        data = data[part]
    real: set[str | int] = set()
    for index, part in enumerate(loc):
        match data, part:
            case dict(), str() if part in data:
                data = data[part]
            case list(), int() if part < len(data):
                data = data[part]
            case ((str() | list()), str()):
                continue
            case _ if index < len(loc) - 1:
                continue
        real.add(part)
    return real


def _without_echoes(errors: Sequence[Any], model: type[BaseModel]) -> list[Any]:
    """``errors`` without "is required" for the fields of which a misspelling is reported."""
    misspelled: set[tuple[str | int, ...]] = set()
    for found in errors:
        if found["type"] == "extra_forbidden":
            inside = found["loc"][:-1]
            close = _closest(str(found["loc"][-1]), _fields_at(model, inside))
            misspelled.update((*inside, name) for name in close)
    return [found for found in errors if found["type"] != "missing" or found["loc"] not in misspelled]


def _explain(found: Any, model: type[BaseModel]) -> str:
    match found["type"]:
        case "missing":
            return "is required"
        case "extra_forbidden":
            return f"is not a known field; {nearest(str(found['loc'][-1]), _fields_at(model, found['loc'][:-1]))}"
        case "value_error":
            return str(found["ctx"]["error"])
        case _:
            given = found.get("input")
            shown = f" (found {given!r})" if isinstance(given, str | int) and len(str(given)) <= 60 else ""
            message = str(found["msg"])
            return message[:1].lower() + message[1:] + shown


def _fields_at(model: type[BaseModel], loc: tuple[str | int, ...]) -> list[str]:
    """Names of the fields of the model that sits at ``loc`` below ``model``."""
    current = [model]
    for part in loc:
        found = [candidate.model_fields[part].annotation for candidate in current if part in candidate.model_fields]
        inside = [inner for annotation in found for inner in _models_in(annotation)]
        current = inside or current
    return [field.alias or name for candidate in current for name, field in candidate.model_fields.items()]


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [inner for argument in get_args(annotation) for inner in _models_in(argument)]
