"""What is declared about a tool: whether it is whole and fits, and what it means for its answers.

Declarations in Python, in OpenAPI documents and of MCP servers are checked here alike.
"""

from __future__ import annotations

import contextlib
import inspect
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, JsonValue
from pydantic.fields import FieldInfo

from agents.errors import InvalidTool
from agents.policy.labels import Integrity

_VOUCHED = ("untrusted", "directory", "system")
Readers = Literal["anyone", "requester", "staff", "nobody"]
_READERS: tuple[Readers, ...] = get_args(Readers)
Audience = Literal["staff", "requester", "anyone"]
_AUDIENCES: tuple[Audience, ...] = get_args(Audience)
_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """A declaration in a file that is being read."""

    file: str
    line: int
    name: str
    error: InvalidTool | None
    """Why it is refused."""


_declared: ContextVar[list[Declared] | None] = ContextVar("declared", default=None)


@contextlib.contextmanager
def declarations() -> Iterator[list[Declared]]:
    """Within it, declarations are listed, and a refused one is no error, so that a file is read to its end."""
    found: list[Declared] = []
    token = _declared.set(found)
    try:
        yield found
    finally:
        _declared.reset(token)


def note_declaration(function: Callable[..., Any], name: str, error: InvalidTool | None) -> None:
    """List a declaration where somebody lists them; where nobody does, raise ``error``, if there is one."""
    listed = _declared.get()
    if listed is not None:
        code = function.__code__
        listed.append(Declared(file=code.co_filename, line=code.co_firstlineno, name=name, error=error))
    elif error is not None:
        raise error


def check_declaration(
    called: str,
    *,
    effect: str,
    sinks: Collection[str] | None,
    outputs: Mapping[str, str],
    owned_by: str | None,
    readers: Mapping[str, str],
    told: str,
    addresses: Collection[str] | None,
    lookup: Callable[..., Any] | None,
    input_model: type[BaseModel],
    output_model: type[BaseModel],
) -> None:
    """`InvalidTool` where what is declared about a tool is incomplete, or does not fit its arguments and answer.

    Its message names everything that is wrong.
    """
    arguments, answer = input_model.model_fields, output_model.__name__
    wrong = []
    if not _NAME.fullmatch(called):
        wrong.append("a name has lower-case letters, digits and underscores, at most one dot")
    if effect != "read" and sinks is None:
        every = ", ".join(f'"{name}"' for name in arguments)
        wrong.append(
            f"has effect={effect!r}: say which arguments are sinks, those that decide where it goes or how much it "
            f"moves; add sinks={{{every}}}, without those that do not"
        )
    if effect != "read" and lookup is None:
        find, takes = (
            f"find_{called.replace('.', '_')}",
            ", ".join(["ctx: ToolContext", *map(_typed, arguments.items())]),
        )
        wrong.append(
            "has an effect and no lookup: without one a crash leaves its outcome unknown; "
            f"write `async def {find}({takes}) -> {answer} | None:` above it, which says what stands under ctx.key, "
            f"and add lookup={find}"
        )
    for declared, words, known in (("outputs", outputs, _VOUCHED), ("readers", readers, _READERS)):
        for path, word in words.items():
            if word not in known:
                wrong.append(f"{declared}: {word!r} is none of {', '.join(known)}")
            if path and not _reaches(output_model, path.split(".")):
                wrong.append(f"{declared}: {answer} has no field {path!r}")
    if told not in _AUDIENCES:
        wrong.append(f"told: {told!r} is none of {', '.join(_AUDIENCES)}")
    named = {*(sinks or ()), *(addresses or ()), *((owned_by,) if owned_by is not None else ())}
    unknown = named - arguments.keys()
    if unknown:
        wrong.append(f"has no argument {', '.join(sorted(unknown))}")
    if wrong:
        raise InvalidTool(called, "; ".join(wrong))


def _typed(argument: tuple[str, FieldInfo]) -> str:
    name, about = argument
    kind: Any = about.annotation
    plain = isinstance(kind, type) and not get_args(kind)
    return f"{name}: {kind.__name__ if plain else inspect.formatannotation(kind)}"


def _reaches(annotation: Any, path: Sequence[str]) -> bool:
    """True if there is something at ``path`` in values of this type, or if the type does not say."""
    if not path:
        return True
    arguments = get_args(annotation)
    if arguments:
        inner = arguments[:1] if get_origin(annotation) is Annotated else arguments
        return get_origin(annotation) is dict or any(_reaches(one, path) for one in inner)
    if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        return annotation is Any or annotation is JsonValue
    fields = {name: field.annotation for name, field in annotation.model_fields.items()}
    fields |= {name: field.return_type for name, field in annotation.model_computed_fields.items()}
    if path[0] not in fields:
        return annotation.model_config.get("extra") == "allow"
    return _reaches(fields[path[0]], path[1:])


def output_integrity(outputs: Mapping[str, str]) -> dict[tuple[str, ...], Integrity]:
    """Who vouches for which output field, by path."""
    return {_path(path): Integrity[level.upper()] for path, level in outputs.items()}


def output_readers(
    readers: Mapping[str, Readers], *, effect: str, owned_by: str | None
) -> dict[tuple[str, ...], Readers]:
    """Who may be told which output field, by path; the whole output has its usual readers where none are declared."""
    usual: Readers = "requester" if owned_by is not None or effect != "read" else "staff"
    return {(): usual, **{_path(path): who for path, who in readers.items()}}


def _path(dotted: str) -> tuple[str, ...]:
    return tuple(dotted.split(".")) if dotted else ()
