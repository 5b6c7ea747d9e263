"""What a careful reader would ask about a tool that could be registered; `settle tool check` shows it.

A fault is something that will go wrong. A doubt is something that mostly is an oversight, with the line to add.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, get_args, get_type_hints

from pydantic import JsonValue, ValidationError

from agents.clock import SystemClock
from agents.errors import AgentsError, InvalidTool
from agents.evidence import MemoryEvidenceStore
from agents.models.tool_names import ToolNames
from agents.planner.samples import sample
from agents.receipt import Effect
from agents.rehearsal import rehearsed
from agents.tools.tool import Tool, ToolContext
from agents.tools.toolbox import Toolbox


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """One thing about one tool."""

    tool: str
    message: str
    fault: bool
    """True if it will go wrong; False if it may be meant like this."""


async def remarks(tool: Tool) -> list[Remark]:
    """Everything to be said about ``tool``. Nothing of it is called but its ``rehearse``."""
    faults = [*_answer(tool), *_name(tool), *await _rehearsal(tool)]
    doubts = [*_undescribed(tool), *_unvouched(tool), *_unowned(tool), *_keyless(tool), *_lookup(tool)]
    return [
        Remark(tool=tool.name, message=message, fault=fault)
        for messages, fault in ((faults, True), (doubts, False))
        for message in messages
    ]


def _answer(tool: Tool) -> Iterator[str]:
    """A sample of the answer is the same after it was kept and read again."""
    model = tool.output_model
    try:
        kept = model.model_validate(_fields(tool)).model_dump(mode="json")
    except ValidationError:
        return  # its fields want more than their types say, and no sample of ours has it
    except Exception as error:
        yield f"a sample of its answer cannot be kept: {error}"
        return
    try:
        again = model.model_validate({name: kept[name] for name in model.model_fields}).model_dump(mode="json")
    except Exception as error:
        yield f"its answer cannot be read again once it is kept: {str(error).splitlines()[0]}"
        return
    changed = sorted(name for name in kept if kept[name] != again.get(name))
    if changed:
        yield f"{', '.join(changed)} of its answer is not the same once it was kept and read again"


def _fields(tool: Tool) -> dict[str, JsonValue]:
    return {name: value for name, value in sample(tool.output_model).items() if name in tool.output_model.model_fields}


def _name(tool: Tool) -> Iterator[str]:
    try:
        ToolNames([tool.name])
    except InvalidTool as error:
        yield str(error)


async def _rehearsal(tool: Tool) -> list[str]:
    """An effect has an answer in a rehearsal: its own ``rehearse`` runs, or a sample of its answer fits."""
    if tool.effect is Effect.READ:
        return []
    args = sample(tool.input_model)
    try:
        tool.check_args(args)
    except AgentsError:
        return []  # the arguments want more than their types say
    (made_up,) = rehearsed(Toolbox([tool]))
    try:
        await made_up.call(_context(), args)
    except AgentsError as error:
        return [f"it cannot be rehearsed: {error}"]
    return []


def _undescribed(tool: Tool) -> Iterator[str]:
    if tool.description == tool.name.rpartition(".")[2]:
        yield 'models are shown no description; write what it does, in one sentence, as its docstring: """Find …"""'


def _unvouched(tool: Tool) -> Iterator[str]:
    if tool.outputs:
        return
    name = next((name for name, value in _fields(tool).items() if isinstance(value, list)), "")
    yield (
        "nobody vouches for what it answers, so an effect that rests on it waits for a person; if the system of record "
        f'says it, add outputs={{"{name}": "system"}}'
    )


def _unowned(tool: Tool) -> Iterator[str]:
    named = [name for name in tool.input_model.model_fields if "email" in name or name == "requester"]
    if tool.effect is Effect.READ and tool.owned_by is None and named:
        yield (
            "nothing says whose records come back, so nobody but staff may be told them; if they are those of the "
            f'customer with that address, add owned_by="{named[0]}"'
        )


def _keyless(tool: Tool) -> Iterator[str]:
    if tool.effect is Effect.READ:
        return
    if not _uses_key(tool.function):
        yield "it does not pass ctx.key on: give it to the other system as a reference, so that a repeat is seen there"
    if tool.lookup is not None and not _uses_key(tool.lookup):
        yield "its lookup does not ask for ctx.key, so it cannot tell this call from another like it"


def _uses_key(function: Callable[..., Any]) -> bool:
    """True if the context's key is read, or the whole context handed on, or nobody can see."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return True
    context = next(iter(inspect.signature(function).parameters), "ctx")
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id=name), attr="key") if name == context:
                return True
            case ast.Call(args=args, keywords=keywords):
                given = [*args, *(keyword.value for keyword in keywords)]
                if any(isinstance(one, ast.Name) and one.id == context for one in given):
                    return True
    return False


def _lookup(tool: Tool) -> Iterator[str]:
    """A lookup that never says None cannot say that nothing happened."""
    try:
        answer = get_type_hints(tool.lookup)["return"] if tool.lookup is not None else None
    except (KeyError, NameError, TypeError):
        return
    if tool.lookup is not None and answer is not Any and type(None) not in (answer, *get_args(answer)):
        shown = getattr(answer, "__name__", str(answer))
        yield f"its lookup has no way to say that nothing happened; let it answer -> {shown} | None"


def _context() -> ToolContext:
    return ToolContext(
        tenant="check",
        task_id="check",
        ticket_id="check",
        requester_email="requester@example.com",
        language="en",
        key="check",
        clock=SystemClock(),
        settings={},
        evidence_store=MemoryEvidenceStore(),
    )
