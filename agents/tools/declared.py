"""What a person declares about a tool whose code is elsewhere: an operation of an HTTP API, a tool of an MCP server.

The other side says which arguments there are and what comes back. What it does to the world, and who vouches for what,
is never taken from there: without a declaration there is no tool.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Set
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from agents.canonical import fingerprint
from agents.errors import InvalidTool, ToolFailed, ToolOutcomeUnknown
from agents.receipt import Effect
from agents.tools.declaration import Audience, Readers, check_declaration, output_integrity, output_readers
from agents.tools.tool import Tool, ToolContext
from agents.tools.wire import to_wire

_PLACE = re.compile(r"\$\{([^}]*)\}")
_KEY = "key"
ToolName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LookupDeclaration(_Section):
    """How to find out whether an effect happened: a read of the same API or server, asked for the call's key."""

    call: str
    """The operation or tool that is asked."""
    args: dict[str, str]
    """Its arguments: text with ``${key}`` and ``${args.NAME}``."""
    answer: str = ""
    """Dotted path of the record in its answer; a list there has one item at most. Nothing there means that the effect
    did not happen, as a 404 does."""


class ToolDeclaration(_Section):
    """One tool."""

    name: ToolName | None = None
    """What follows the dot in the tool's name; made from the other side's name where it is left out."""
    effect: Literal["read", "write", "irreversible"] | None = None
    sinks: tuple[str, ...] | None = None
    outputs: dict[str, Literal["untrusted", "directory", "system"]] = {}
    owned_by: str | None = None
    readers: dict[str, Readers] = {}
    told: Audience = "staff"
    addresses: set[str] | None = None
    key_argument: str | None = None
    """The argument that takes the call's idempotency key; procedures do not give it."""
    lookup: LookupDeclaration | None = None
    rehearse: dict[str, Any] | None = None
    """What a rehearsal answers; a sample made from the answer's schema where it is left out."""
    timeout: Annotated[float, Field(gt=0, le=600)] = 30.0
    tries: Annotated[int, Field(ge=1, le=10)] = 3


Send = Callable[[ToolContext, Mapping[str, Any], bool], Awaitable[Any]]
"""(context, arguments as the other side names them, whether it reads) to the answer's data; None if a read finds
nothing (404). Raises `ToolFailed` if certainly nothing changed, else `ToolOutcomeUnknown`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """One operation as the other side describes it."""

    name: str
    """Its own name."""
    description: str
    version: str
    """Changes with what the other side says about it."""
    input_model: type[BaseModel]
    output_model: type[BaseModel]
    send: Send
    sends_key: bool = False
    """It sends the call's key beside the arguments, in a header."""
    reads: bool | None = None
    """What the other side claims: a suggestion for people, and nothing else."""


def declared_tool(group: str, declaration: ToolDeclaration, remotes: Mapping[str, Remote], name: str) -> Tool:
    """The tool ``group.NAME``: operation ``name`` of ``remotes`` with what a person declares about it.

    Raises:
        InvalidTool: the declaration is incomplete or does not fit; the message says which lines to add.
    """
    remote = remotes[name]
    called = f"{group}.{declaration.name or snake_case(name)}"
    if declaration.effect is None:
        raise InvalidTool(called, _lines_to_add(declaration, remote))
    input_model = _without_key(remote.input_model, declaration.key_argument, called)
    lookup = None
    if declaration.effect != "read":
        lookup = _lookup(declaration, remote, remotes, called)
    elif declaration.lookup is not None or declaration.key_argument is not None:
        raise InvalidTool(called, "only reads, so it needs neither lookup nor key_argument")
    check_declaration(
        called,
        effect=declaration.effect,
        sinks=declaration.sinks,
        outputs=declaration.outputs,
        owned_by=declaration.owned_by,
        readers=declaration.readers,
        told=declaration.told,
        addresses=declaration.addresses,
        lookup=lookup,
        input_model=input_model,
        output_model=remote.output_model,
    )
    reads = declaration.effect == "read"
    key_argument = declaration.key_argument

    async def call(ctx: ToolContext, /, **args: Any) -> Any:
        if key_argument is not None:
            args[key_argument] = ctx.key
        answer = await remote.send(ctx, to_wire(remote.input_model, args), reads)
        if answer is None:
            raise ToolFailed(f"{called}: there is nothing there", code="not_found")
        return answer

    return Tool(
        name=called,
        description=remote.description,
        version=fingerprint([remote.version, declaration.model_dump_json()])[:12],
        effect=Effect(declaration.effect),
        sinks=frozenset(declaration.sinks or ()),
        input_model=input_model,
        output_model=remote.output_model,
        outputs=output_integrity(declaration.outputs),
        owned_by=declaration.owned_by,
        readers=output_readers(declaration.readers, effect=declaration.effect, owned_by=declaration.owned_by),
        told=declaration.told,
        addresses=frozenset(declaration.addresses or ()),
        timeout=declaration.timeout,
        tries=declaration.tries,
        function=call,
        lookup=lookup,
        rehearse=_rehearsal(declaration, remote, called),
    )


def snake_case(name: str) -> str:
    """``createRefund`` and ``create-refund`` as ``create_refund``."""
    parted = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    plain = re.sub(r"[^a-z0-9]+", "_", parted.lower()).strip("_")
    return plain if plain[:1].isalpha() else f"call_{plain}"


def _lookup(
    declaration: ToolDeclaration, remote: Remote, remotes: Mapping[str, Remote], called: str
) -> Callable[..., Awaitable[Any]]:
    wanted = declaration.lookup
    if wanted is None or (declaration.key_argument is None and not remote.sends_key):
        raise InvalidTool(
            called,
            "has an effect: say how the other side is told the call's key (key_argument, or key_header for an HTTP "
            "API) and how it is asked for it (lookup); without both a crash leaves its outcome unknown",
        )
    asked = remotes.get(wanted.call)
    if asked is None:
        raise InvalidTool(called, f"its lookup {wanted.call!r} is not there")
    _check_lookup(wanted, asked, remote.input_model.model_fields.keys() - {declaration.key_argument}, called)
    path = tuple(wanted.answer.split(".")) if wanted.answer else ()

    async def look_up(ctx: ToolContext, /, **args: Any) -> Any:
        values = {_KEY: ctx.key} | {f"args.{name}": value for name, value in args.items()}
        given = {name: _filled(text, values) for name, text in wanted.args.items()}
        model = asked.input_model.model_validate(given)
        wire = to_wire(asked.input_model, {name: getattr(model, name) for name in asked.input_model.model_fields})
        return _record(await asked.send(ctx, wire, True), path, called)

    return look_up


def _check_lookup(wanted: LookupDeclaration, asked: Remote, given: Set[str | None], called: str) -> None:
    places = [place for text in wanted.args.values() for place in _PLACE.findall(text)]
    known = {_KEY, *(f"args.{name}" for name in given)}
    for place in places:
        if place not in known:
            raise InvalidTool(called, f"its lookup has ${{{place}}}; known: {', '.join(sorted(known))}")
    if _KEY not in places:
        raise InvalidTool(called, 'its lookup does not ask for the call\'s key; write "${key}" in one of its args')
    fields = asked.input_model.model_fields
    for name in wanted.args.keys() - fields.keys():
        raise InvalidTool(called, f"its lookup {asked.name} has no argument {name!r}; known: {', '.join(fields)}")
    for name, info in fields.items():
        if info.is_required() and name not in wanted.args:
            raise InvalidTool(called, f"its lookup {asked.name} needs the argument {name!r}")


def _record(data: Any, path: tuple[str, ...], called: str) -> Any:
    """What is at ``path`` of a lookup's answer; None if nothing is."""
    for part in path:
        if data is None:
            return None
        if not isinstance(data, dict):
            raise ToolOutcomeUnknown(f"{called}: the answer of its lookup has no {'.'.join(path)}")
        data = data.get(part)
    if path and isinstance(data, list):
        if len(data) > 1:
            raise ToolOutcomeUnknown(f"{called}: its lookup found {len(data)} records under one key")
        return data[0] if data else None
    return data


def _filled(text: str, values: Mapping[str, Any]) -> str:
    return _PLACE.sub(lambda place: str(values[place.group(1)]), text)


def _without_key(model: type[BaseModel], key_argument: str | None, called: str) -> type[BaseModel]:
    """``model`` without the argument that takes the key."""
    if key_argument is None:
        return model
    if key_argument not in model.model_fields:
        raise InvalidTool(called, f"key_argument: there is no argument {key_argument!r}")
    rest = {name: info for name, info in model.model_fields.items() if name != key_argument}
    fields: dict[str, Any] = {name: (info.rebuild_annotation(), info) for name, info in rest.items()}
    return create_model(model.__name__, __config__=model.model_config, **fields)


def _rehearsal(declaration: ToolDeclaration, remote: Remote, called: str) -> Callable[..., Any] | None:
    said = declaration.rehearse
    if said is None:
        return None
    try:
        answer = remote.output_model.model_validate(said)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InvalidTool(called, f"rehearse.{place}: {first['msg']}") from None

    def rehearse(ctx: ToolContext, /, **args: Any) -> BaseModel:
        return answer

    return rehearse


def _lines_to_add(declaration: ToolDeclaration, remote: Remote) -> str:
    """What to write where no effect is declared, as a message."""
    names = list(remote.input_model.model_fields)
    if remote.reads:
        refused = "has no declared effect, so it counts as a write and is refused; if it does nothing but read, add"
        return f'{refused}\n    effect = "read"'
    shown = ", ".join(f'"{name}"' for name in names)
    lines = ['effect = "irreversible"', f"sinks = [{shown}]"]
    if not remote.sends_key and declaration.key_argument is None:
        lines.append('key_argument = "..."')
    if declaration.lookup is None:
        lines.append('lookup = { call = "...", args = { ... = "${key}" } }')
    return "\n    ".join(["has no declared effect, so it counts as a write and is refused; add", *lines])
