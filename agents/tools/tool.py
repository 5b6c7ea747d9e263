"""Tools: typed functions with a declared effect.

    @tool(effect="irreversible", sinks={"order_id", "amount"}, lookup=find_refund)
    async def refund(ctx: ToolContext, order_id: str, amount: Money) -> Refund:
        \"\"\"Refund an order in the back office.\"\"\"

The input schema comes from the signature, the description from the docstring. A function that needs no context leaves
it out; an answer that is no pydantic model becomes one with the field ``answer``.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import threading
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, cast

from pydantic import BaseModel, JsonValue, ValidationError

from agents.clock import Clock
from agents.errors import BrowserUnavailable, HelpdeskUnavailable, InvalidTool, ToolFailed, ToolOutcomeUnknown
from agents.evidence import Evidence, EvidenceStore
from agents.knowledge.library import Library
from agents.policy.labels import STAFF, Integrity, Label, Labelled, join_all
from agents.receipt import Effect
from agents.ticket import Helpdesk
from agents.tools.declaration import (
    Audience,
    Readers,
    check_declaration,
    note_declaration,
    output_integrity,
    output_readers,
)
from agents.tools.http import HttpClient
from agents.tools.signature import read_signature

if TYPE_CHECKING:
    from agents.tools.browser.session import Browser
    from agents.tools.mcp_client import McpServers

GRACE = 1.0
"""Seconds a tool that is too late has to clean up; one that ignores it is left behind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolContext:
    """What a tool is given beside its arguments."""

    tenant: str
    task_id: str
    ticket_id: str
    requester_email: str
    language: str
    key: str
    """The call's idempotency key: pass it on to the other system wherever it takes a reference."""
    clock: Clock
    settings: Mapping[str, str]
    """The deployment's settings for tools, for example ``back_office_url``; credentials among them."""
    evidence_store: EvidenceStore
    helpdesk: Helpdesk | None = None
    """For the built-in reply tool alone."""
    browser: Browser | None = None
    """The browser of this process; None where none is available."""
    library: Library | None = None
    """The deployment's articles; None where it has none."""
    secrets: frozenset[str] = frozenset()
    """The credentials among the settings: they are cut out of whatever a tool answers, and out of its errors."""
    http: HttpClient = field(default_factory=HttpClient)
    """For addresses that are not fixed in the settings."""
    mcp: McpServers | None = None
    """The deployment's MCP servers, for the tools that are made of theirs; None where it has none."""
    kept: list[Evidence] = field(default_factory=list)
    """Evidence kept during this call; it goes into the receipt."""

    def keep(self, data: bytes, *, media_type: str, label: str) -> Evidence:
        """Keep ``data`` as evidence of this call."""
        evidence = self.evidence_store.put(data, media_type=media_type, label=label)
        self.kept.append(evidence)
        return evidence

    def setting(self, name: str) -> str:
        """One setting; `ToolFailed` naming it if the deployment lacks it."""
        try:
            return self.settings[name]
        except KeyError:
            raise ToolFailed(f"settle.toml has no [tools.settings] {name}", code="setting_missing") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A registered tool. Made by `tool`; named by the `Toolbox` that holds it."""

    name: str
    description: str
    version: str
    """Changes with the tool's source; part of every receipt."""
    effect: Effect
    sinks: frozenset[str]
    """Arguments that decide where an effect goes or how much it moves; untrusted text never reaches them unseen."""
    input_model: type[BaseModel]
    output_model: type[BaseModel]
    outputs: Mapping[tuple[str, ...], Integrity]
    """Who vouches for which output field; everything else is untrusted."""
    owned_by: str | None
    """The argument that names the customer whose records are returned, and only theirs."""
    readers: Mapping[tuple[str, ...], Readers]
    """Who may be told which output field; ``()`` is the whole output."""
    told: Audience
    """Who learns the arguments."""
    addresses: frozenset[str]
    """Arguments that are addresses: the run's grant names the hosts they may lead to."""
    timeout: float
    """Seconds one call may take."""
    tries: int
    """How often a read is tried when it fails in a way that may pass."""
    function: Callable[..., Any]
    lookup: Callable[..., Any] | None
    """Finds out whether an effect happened: the output model, or None if it certainly did not."""
    rehearse: Callable[..., Any] | None = None
    """Makes up what the tool would answer, without doing or reading anything."""

    def check_args(self, args: Mapping[str, JsonValue]) -> dict[str, Any]:
        """The arguments as the function takes them; `ToolFailed` if they do not fit the signature."""
        try:
            model = self.input_model.model_validate(dict(args))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            raise ToolFailed(f"{self.name}: argument {place}: {first['msg']}", code="bad_argument") from None
        except Exception as error:
            raise ToolFailed(f"{self.name}: the arguments do not fit: {error}", code="bad_argument") from error
        return {name: getattr(model, name) for name in type(model).model_fields}

    async def call(self, context: ToolContext, args: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
        """Call it once and return its validated output as JSON data.

        Raises:
            ToolFailed: it failed and changed nothing (for a tool with an effect only the tool itself may say so).
            ToolOutcomeUnknown: a tool with an effect raised, timed out or answered in another shape.
            HelpdeskUnavailable: the reply tool's helpdesk does not answer; the whole job is continued later.
        """
        answer = await self._guarded(self.function, context, self.check_args(args))
        assert answer is not None, "only a lookup may answer None"
        return answer

    async def look_up(self, context: ToolContext, args: Mapping[str, JsonValue]) -> dict[str, JsonValue] | None:
        """What an earlier call under this key achieved; None if it certainly had no effect.

        Raises:
            ToolOutcomeUnknown: there is no lookup, or it could not tell.
        """
        if self.lookup is None:
            raise ToolOutcomeUnknown(f"{self.name} has no lookup, so nobody can say whether it happened")
        try:
            return await self._guarded(self.lookup, context, self.check_args(args), optional=True)
        except ToolFailed as error:
            raise ToolOutcomeUnknown(f"{self.name}: the lookup failed: {error}") from error

    def labelled(self, output: JsonValue, *, step: str, args: Mapping[str, Labelled], requester: str) -> Labelled:
        """The output with its labels: declared fields as declared, the rest untrusted, records of a known owner.

        ``requester`` is the e-mail address of the task's requester. Records are for the eyes of their owner; whose they
        are is known only where a trusted argument says so. What untrusted words picked, of nobody knows whose records,
        is untrusted: no effect may rest on it. What untrusted arguments were not for, the output is not for either: it
        may repeat them.
        """
        origins = frozenset({f"step {step}"})
        labels = {path: Label(integrity=level, origins=origins) for path, level in self.outputs.items()}
        whole = labels.pop((), Label(integrity=Integrity.UNTRUSTED, origins=origins))
        value = Labelled(data=output, label=whole, parts=labels)
        owner = self._owner(args)
        picked = owner is None and any(arg.weakest().integrity < Integrity.DIRECTORY for arg in args.values())
        eyes = requester if self.owned_by is None else owner
        value = value.read_by({path: _eyes(readers, eyes) for path, readers in self.readers.items()})
        given = join_all(
            label for label in map(Labelled.weakest, args.values()) if label.integrity < Integrity.DIRECTORY
        )
        value = value.weakened(Label(integrity=Integrity.OPERATOR, readers=given.readers))
        if owner is not None:
            return value.owned(owner)
        return value.weakened(Label(integrity=Integrity.UNTRUSTED)) if picked else value

    def _owner(self, args: Mapping[str, Labelled]) -> str | None:
        owner = args.get(self.owned_by) if self.owned_by is not None else None
        if owner is None or not isinstance(owner.data, str):
            return None
        return owner.data if owner.label.integrity >= Integrity.DIRECTORY else None

    async def _guarded(
        self, function: Callable[..., Any], context: ToolContext, args: dict[str, Any], *, optional: bool = False
    ) -> dict[str, JsonValue] | None:
        fails = ToolFailed if self.effect is Effect.READ or optional else ToolOutcomeUnknown
        try:
            if inspect.iscoroutinefunction(function):
                answer = await _within(self.timeout, function(context, **args))
            else:
                answer = await _within(self.timeout, _in_thread(lambda: function(context, **args)))
        except (ToolFailed, ToolOutcomeUnknown, HelpdeskUnavailable):
            raise
        except BrowserUnavailable as error:
            raise ToolFailed(str(error), code="browser_unavailable") from error
        except _TooLate:
            raise fails(f"{self.name} did not answer within {self.timeout:g} s") from None
        except Exception as error:
            raise fails(f"{self.name} raised {_said(error)}") from error
        if optional and answer is None:
            return None
        try:
            data: dict[str, JsonValue] = self.output_model.model_validate(answer).model_dump(
                mode="json", warnings="error"
            )
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(str(part) for part in first["loc"]) or "its answer"
            raise fails(f"{self.name} answered in another shape: {place}: {first['msg']}") from None
        except Exception as error:
            raise fails(f"{self.name} answered in another shape: {_said(error)}") from error
        return data


def tool(
    *,
    effect: Literal["read", "write", "irreversible"],
    sinks: set[str] | None = None,
    outputs: Mapping[str, Literal["untrusted", "directory", "system"]] | None = None,
    owned_by: str | None = None,
    readers: Mapping[str, Readers] | None = None,
    told: Audience = "staff",
    addresses: set[str] | None = None,
    lookup: Callable[..., Awaitable[Any]] | None = None,
    rehearse: Callable[..., Any] | None = None,
    name: str | None = None,
    timeout: float = 30.0,
    tries: int = 3,
) -> Callable[[Callable[..., Any]], Tool]:
    """Declare a function as a tool.

    Args:
        effect: what it may do to the world.
        sinks: arguments that decide where an effect goes or how much it moves. Required for effects.
        outputs: dotted output field to who vouches for it (``{"items": "system", "items.note": "untrusted"}``);
            list positions are left out; ``""`` is the whole output.
        owned_by: the argument that names the customer whose records come back.
        readers: dotted output field to who may be told it: ``"requester"``, ``"staff"``, ``"anyone"``, or ``"nobody"``
            for a secret; ``""`` is the whole output, which is for the requester where ``owned_by`` names them or the
            tool has an effect, else for staff.
        told: who learns the arguments: ``"staff"`` for the tenant's own systems, ``"anyone"`` for a stranger's.
        addresses: arguments that are addresses of the web; a run may address the hosts of ``[tools.http]`` alone.
        lookup: for effects: same parameters, answers the output of an earlier call under ``ctx.key`` or None.
        rehearse: for effects whose answer later steps look at: a plain function of the same parameters that makes up
            what a rehearsal answers; its context has no settings and no browser.
        name: defaults to the function's name; a toolbox puts its module's name before it.
        timeout: seconds.
        tries: how often a read is tried when it says it may pass.

    Raises:
        InvalidTool: the declaration is incomplete or contradicts itself; the message says what to add.
    """

    def declare(function: Callable[..., Any]) -> Tool:
        called, made, refused = name or function.__name__, None, None
        try:
            made = checked(function)
        except InvalidTool as error:
            refused = error
        note_declaration(function, called, refused)
        return made or cast(Tool, function)  # a file with a refused declaration is not used

    def checked(function: Callable[..., Any]) -> Tool:
        called = name or function.__name__
        shape = read_signature(function, called, ToolContext)
        input_model, output_model = shape.input_model, shape.output_model
        check_declaration(
            called,
            effect=effect,
            sinks=sinks,
            outputs=outputs or {},
            owned_by=owned_by,
            readers=readers or {},
            told=told,
            addresses=addresses,
            lookup=lookup,
            input_model=input_model,
            output_model=output_model,
        )
        taken = ", ".join(input_model.model_fields)
        if lookup is not None and not shape.fits(lookup):
            raise InvalidTool(called, f"its lookup takes other parameters than {taken}")
        if rehearse is not None and (not shape.fits(rehearse) or inspect.iscoroutinefunction(rehearse)):
            raise InvalidTool(called, f"its rehearse is a plain function of the same parameters: {taken}")
        return Tool(
            name=called,
            description=inspect.cleandoc(function.__doc__ or called),
            version=shape.version,
            effect=Effect(effect),
            sinks=frozenset(sinks or ()),
            input_model=input_model,
            output_model=output_model,
            outputs=output_integrity(outputs or {}),
            owned_by=owned_by,
            readers=output_readers(readers or {}, effect=effect, owned_by=owned_by),
            told=told,
            addresses=frozenset(addresses or ()),
            timeout=timeout,
            tries=tries,
            function=shape.function,
            lookup=lookup,
            rehearse=rehearse,
        )

    return declare


def _eyes(readers: Readers, owner: str | None) -> frozenset[str] | None:
    match readers:
        case "anyone":
            return None
        case "nobody":
            return frozenset()
        case "requester" if owner is not None:
            return frozenset({owner, STAFF})
        case _:
            return frozenset({STAFF})


def _said(error: Exception) -> str:
    try:
        return f"{type(error).__name__}: {error}"[:300]
    except Exception:
        return type(error).__name__


class _TooLate(Exception):
    """Control flow: the time is up. Not a `TimeoutError`, which a tool may raise itself."""


async def _within(seconds: float, work: Coroutine[Any, Any, Any]) -> Any:
    """The answer of ``work``, or `_TooLate`; returns in time even if ``work`` ignores that it is cancelled."""
    task = asyncio.ensure_future(_contained(work))
    try:
        done, _ = await asyncio.wait({task}, timeout=seconds)
        if done:
            return task.result()
        task.cancel()
        await asyncio.wait({task}, timeout=min(seconds, GRACE))
        raise _TooLate
    finally:
        task.cancel()
        task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())


async def _contained(work: Coroutine[Any, Any, Any]) -> Any:
    """What a tool raises to end the process, or to look cancelled, is an error of the tool and nothing more."""
    try:
        return await work
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise RuntimeError("it cancelled itself") from None
    except Exception:
        raise
    except BaseException as error:
        raise RuntimeError(f"it tried to end the process: {error!r}") from error


async def _in_thread(function: Callable[[], Any]) -> Any:
    """Run ``function`` in a daemon thread: one that hangs for ever does not keep the process from ending."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()

    def deliver(setter: Callable[[Any], None], value: Any) -> None:
        if not future.done():
            setter(value)

    def work() -> None:
        try:
            setter, value = future.set_result, function()
        except Exception as error:
            setter, value = (
                future.set_exception,
                RuntimeError(repr(error)) if isinstance(error, StopIteration) else error,
            )
        except BaseException as error:
            setter, value = future.set_exception, RuntimeError(f"it tried to end the process: {error!r}")
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(deliver, setter, value)

    threading.Thread(target=work, daemon=True, name="settle-tool").start()
    return await future
