"""Tools of MCP servers, over stdio and streamable HTTP (extra ``settle-agents[mcp]``).

What a server says about its tools is pinned: a person reads it once and accepts it into the deployment's
``mcp.lock.json``, and the tools are made from there, without asking the server. A server that says something else later
is not called until a person has accepted that too. What it claims about effects is never used.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from agents.canonical import sha256_hex
from agents.errors import InvalidTool, ToolFailed, ToolOutcomeUnknown
from agents.tools.declared import Remote, ToolDeclaration, declared_tool
from agents.tools.schemas import MALFORMED, Schemas, Unsupported, said
from agents.tools.tool import Tool, ToolContext

LOCK = "mcp.lock.json"
"""The file with what was accepted, below the deployment's folder."""
_TEXT = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
"""What a tool without an output schema answers."""


class McpDeclaration(BaseModel):
    """One MCP server: a program that is started, or a URL."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    command: tuple[str, ...] = ()
    """The program, run in the deployment's folder; ``{python}``, ``{state}`` and ``{deployment}`` are filled in."""
    environment: dict[str, str] = {}
    """All of the program's environment; nothing is inherited."""
    url: str = ""
    headers: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$")], str] = {}
    """Sent with every request, the credential among them."""
    text_formats: tuple[str, ...] = ()
    """Formats beside the known ones, read as plain text."""
    tools: Annotated[dict[str, ToolDeclaration], Field(min_length=1)]
    """By the server's own name of the tool; the others of the server are not there."""

    @model_validator(mode="after")
    def _one_way_there(self) -> McpDeclaration:
        if bool(self.command) == bool(self.url):
            raise ValueError("has either a command or a url")
        if (self.environment and self.url) or (self.headers and self.command):
            raise ValueError("environment goes with a command, headers go with a url")
        return self

    @property
    def wanted(self) -> tuple[str, ...]:
        """The server's tools that are needed: the declared ones, and those that their lookups call."""
        lookups = (one.lookup.call for one in self.tools.values() if one.lookup is not None)
        return tuple(dict.fromkeys([*self.tools, *lookups]))


class PinnedTool(BaseModel):
    """What a server says about one of its tools."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    description: str
    arguments: dict[str, Any]
    """JSON Schema."""
    answer: dict[str, Any] | None
    """JSON Schema; None where the server only promises text."""

    def sha256(self, name: str) -> str:
        """Fingerprint of all of it, with the tool's name."""
        return sha256_hex(json.dumps([name, self.model_dump()], sort_keys=True, ensure_ascii=False).encode())

    def changed(self, now: PinnedTool) -> list[str]:
        """The fields in which ``now`` says something else."""
        return [field for field in type(self).model_fields if getattr(self, field) != getattr(now, field)]


class ServerRefused(Exception):
    """Control flow: the server says that a call failed. Its ``words`` are data, and in no error."""

    def __init__(self, words: str) -> None:
        self.words = words
        super().__init__()


Pinned = Mapping[str, PinnedTool]
"""By the tool's name."""


def accepted_tools(folder: Path) -> dict[str, dict[str, PinnedTool]]:
    """What was accepted, by server; empty where there is no lock file.

    Raises:
        ValueError: the file cannot be used, or was changed by hand.
    """
    file = folder / LOCK
    if not file.exists():
        return {}
    again = "remove it, and accept the servers again with `settle tool accept SERVER`"
    try:
        data = json.loads(file.read_bytes())
        found: dict[str, dict[str, PinnedTool]] = {}
        for server, tools in data["servers"].items():
            for name, entry in tools.items():
                pinned = PinnedTool.model_validate({key: value for key, value in entry.items() if key != "sha256"})
                if entry["sha256"] != pinned.sha256(name):
                    raise ValueError(f"{server}.{name} was changed after a person accepted it; {again}")
                found.setdefault(server, {})[name] = pinned
    except (OSError, KeyError, TypeError, AttributeError, ValidationError, json.JSONDecodeError):
        raise ValueError(f"cannot be read; {again}") from None
    return found


def accept(folder: Path, server: str, tools: Pinned) -> None:
    """Keep what ``server`` says as accepted, in the place of what was."""
    standing = accepted_tools(folder) | {server: dict(tools)}
    data = {
        one: {name: {"sha256": tool.sha256(name), **tool.model_dump()} for name, tool in sorted(pinned.items())}
        for one, pinned in sorted(standing.items())
    }
    temporary = folder / f"{LOCK}.new"
    temporary.write_text(json.dumps({"servers": data}, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    temporary.replace(folder / LOCK)


def mcp_tools(
    group: str, declaration: McpDeclaration, pinned: Pinned
) -> tuple[tuple[Tool, ...], list[tuple[str, str]]]:
    """The tools of server ``group``, and what is wrong as (tool or empty, message); no tools if anything is."""
    missing = [name for name in declaration.wanted if name not in pinned]
    if missing:
        what = f"nobody has accepted {', '.join(missing)} of this server yet"
        return (), [("", f"{what}; read and accept what it says with `settle tool accept {group}`")]
    remotes: dict[str, Remote] = {}
    problems: list[tuple[str, str]] = []
    for name in declaration.wanted:
        try:
            remotes[name] = _remote(group, name, pinned[name], declaration.text_formats)
        except (Unsupported, *MALFORMED) as error:
            problems.append((name, said(error)))
    tools: list[Tool] = []
    for name, one in declaration.tools.items():
        if problems:
            break
        try:
            made = declared_tool(group, one, remotes, name)
            if made.name in {tool.name for tool in tools}:
                raise InvalidTool(made.name, "another tool of this server makes the same name; give one a `name`")
            tools.append(made)
        except InvalidTool as error:
            problems.append((name, str(error)))
            tools = []
    return (() if problems else tuple(tools)), problems


def _remote(group: str, name: str, pinned: PinnedTool, text_formats: Sequence[str]) -> Remote:
    arguments = Schemas(pinned.arguments, answers=False, text_formats=text_formats)
    answers = Schemas(pinned.answer or {}, answers=True, text_formats=text_formats)
    input_model = arguments.model(f"{name}_arguments", pinned.arguments, (name, "arguments"))
    output_model, field = answers.answer_model(f"{name}_answer", pinned.answer or _TEXT, (name, "answer"))

    async def send(ctx: ToolContext, args: Mapping[str, Any], reads: bool) -> Any:
        if ctx.mcp is None:
            raise ToolFailed(f"{group}: MCP servers are not reached here", code="mcp_unavailable")
        try:
            answer = await ctx.mcp.call(group, name, args, reads=reads)
        except ServerRefused as refused:
            words = ctx.keep(refused.words.encode(), media_type="text/plain", label=f"what {group} said")
            message = f"{group} says that {name} failed; its words are kept as evidence {words.sha256[:12]}"
            raise (ToolFailed(message, code="mcp_failed") if reads else ToolOutcomeUnknown(message)) from None
        return {field: answer} if field else answer

    return Remote(
        name=name,
        description=pinned.description or name,
        version=pinned.sha256(name),
        input_model=input_model,
        output_model=output_model,
        send=send,
    )


def changed(pinned: Pinned, now: Pinned) -> dict[str, list[str]]:
    """In what a server says something else than was accepted, by tool."""
    names = sorted(pinned.keys() | now.keys())
    found = {
        name: pinned[name].changed(now[name])
        if name in pinned and name in now
        else ["is new" if name in now else "is gone"]
        for name in names
    }
    return {name: fields for name, fields in found.items() if fields}


def differences(pinned: Pinned, now: Pinned) -> Iterator[str]:
    """The same in full, with the server's words, for a person at a terminal."""
    for name, fields in changed(pinned, now).items():
        if name not in pinned or name not in now:
            yield f"{name} {fields[0]}"
        for field in PinnedTool.model_fields if name not in pinned else fields:
            after = getattr(now[name], field) if name in now else None
            if name not in pinned:
                yield f"  {field}: {_shown(after)}"
            elif name in now:
                yield f"{name} {field}: {_shown(getattr(pinned[name], field))} became {_shown(after)}"


def _shown(value: Any) -> str:
    """For a terminal: on one line, and with nothing in it that is not seen."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return "".join(letter if letter.isprintable() else f"\\u{{{ord(letter):x}}}" for letter in repr(text)[1:-1])
