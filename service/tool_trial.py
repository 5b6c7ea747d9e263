"""Tries one tool of a deployment: a read for real, an effect only as a rehearsal makes it up."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue, TypeAdapter, ValidationError

from agents.documents import nearest
from agents.errors import ToolFailed
from agents.policy.labels import STAFF, Integrity, Label, Labelled
from agents.receipt import REPLY_TOOL, Effect
from agents.rehearsal import rehearsed
from agents.tools import Tool, Toolbox
from service.errors import ToolNotTried
from service.rehearsal import Rehearsal

SOMEBODY = "requester@example.com"
"""The requester where nothing says who it is."""
MAX_ITEMS = 3
"""So many items of each list are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One field of an answer, as a person is shown it."""

    path: str
    value: JsonValue
    vouched_by: str
    told: str
    """Who may be told it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What came of trying a tool."""

    tool: Tool
    args: dict[str, JsonValue]
    made_up: bool
    """True if nothing was called: the answer is a rehearsal's."""
    fields: tuple[Shown, ...]
    evidence: tuple[str, ...]
    """What the tool kept as evidence: labels and media types."""


async def try_tool(
    rehearsal: Rehearsal, name: str, given: Mapping[str, str], *, requester: str = "", rehearse: bool = False
) -> Trial:
    """Call the tool ``name`` once with what was written on the command line.

    Args:
        given: arguments as text; what is no text is written as JSON.
        requester: the e-mail address of the customer it is called for; the argument that names the owner of the
            records, if left out.
        rehearse: make up the answer of an effect.

    Raises:
        ToolNotTried: there is no such tool, it has an effect, or the arguments do not fit.
        ToolFailed: it was called and failed.
    """
    toolbox = rehearsal.deployment.toolbox
    tool = toolbox.get(name)
    if tool is None:
        raise ToolNotTried(f"there is no tool {name}; {nearest(name, toolbox.names())}")
    if tool.name == REPLY_TOOL:
        raise ToolNotTried(f"{name} writes to requesters; it is not called from here")
    made_up = tool.effect is not Effect.READ
    if made_up and not rehearse:
        raise ToolNotTried(f"{name} has an effect ({tool.effect.value}) and is not called from here; add --rehearse")
    args = _arguments(tool, given)
    called = next(iter(rehearsed(Toolbox([tool])))) if made_up else tool
    owner = args.get(tool.owned_by) if tool.owned_by is not None else None
    email = requester or (owner if isinstance(owner, str) else SOMEBODY)
    context = rehearsal.tool_context(email)
    answer = await called.call(context, args)
    typed = Label(integrity=Integrity.OPERATOR, origins=frozenset({"command line"}))
    labelled = {arg: Labelled(data=value, label=typed) for arg, value in args.items()}
    output = tool.labelled(answer, step="try", args=labelled, requester=email)
    return Trial(
        tool=tool,
        args=args,
        made_up=made_up,
        fields=tuple(_fields(output, output.without_secrets(), ())),
        evidence=tuple(f"{one.label} ({one.media_type})" for one in context.kept),
    )


def _arguments(tool: Tool, given: Mapping[str, str]) -> dict[str, JsonValue]:
    """The arguments, as text where that fits the signature and else as the JSON that it is."""
    unknown = sorted(given.keys() - tool.input_model.model_fields.keys())
    if unknown:
        hint = nearest(unknown[0], tool.input_model.model_fields)
        raise ToolNotTried(f"{tool.name} has no argument {unknown[0]}; {hint}")
    args = {name: _value(tool, name, text) for name, text in given.items()}
    try:
        tool.check_args(args)
    except ToolFailed as error:
        raise ToolNotTried(str(error)) from None
    return args


def _value(tool: Tool, name: str, text: str) -> JsonValue:
    kind: Any = tool.input_model.model_fields[name].annotation
    try:
        TypeAdapter(kind).validate_python(text)
    except ValidationError:
        try:
            data: JsonValue = json.loads(text)
        except ValueError:
            return text  # the check of all arguments says what is wrong with it
        return data
    return text


def _fields(output: Labelled, shown: JsonValue, path: tuple[str | int, ...]) -> Iterator[Shown]:
    match shown:
        case dict() if shown:
            for name in shown:
                yield from _fields(output, shown[name], (*path, name))
        case list() if shown:
            for index in range(min(len(shown), MAX_ITEMS)):
                yield from _fields(output, shown[index], (*path, index))
            if len(shown) > MAX_ITEMS:
                yield _shown(output, f"{len(shown) - MAX_ITEMS} more", (*path, MAX_ITEMS))
        case _:
            yield _shown(output, shown, path)


def _shown(output: Labelled, value: JsonValue, path: tuple[str | int, ...]) -> Shown:
    label = output.at(path).label
    readers = label.readers
    told = "anyone" if readers is None else ", ".join(sorted(readers - {STAFF})) or ("staff" if readers else "nobody")
    dotted = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")
    return Shown(path=dotted, value=value, vouched_by=label.integrity.name.lower(), told=told)
