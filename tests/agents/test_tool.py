"""Tools: refused when declared wrong, and contained when they misbehave."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from pydantic import BaseModel

from agents import Money, Tool, ToolContext, ToolFailed, ToolOutcomeUnknown, tool
from agents.errors import InvalidTool
from agents.policy.labels import STAFF, Integrity, Label, Labelled
from tests.agents.builders import context


class Answer(BaseModel):
    """An answer."""

    text: str
    raw: bytes = b""


async def nothing(ctx: ToolContext) -> Answer | None:
    return None


async def nothing_about(ctx: ToolContext, order_id: str) -> Answer | None:
    return None


def read(function: Callable[..., Any], **options: Any) -> Tool:
    return tool(effect="read", name="t", timeout=0.05, **options)(function)


def effect(function: Callable[..., Any], lookup: Callable[..., Awaitable[Any]] = nothing) -> Tool:
    return tool(effect="write", name="t", sinks=set(), lookup=lookup, timeout=0.05)(function)


def test_the_schema_comes_from_the_signature() -> None:
    @tool(effect="read")
    def find(ctx: ToolContext, order_id: str, amount: Money, limit: int = 3) -> Answer:
        """Find it.

        Well.
        """
        return Answer(text="")

    assert (find.name, find.description) == ("find", "Find it.\n\nWell.")
    assert find.input_model.model_json_schema()["required"] == ["order_id", "amount"]
    args = find.check_args({"order_id": "1", "amount": {"minor": 1, "currency": "USD"}})
    assert args == {"order_id": "1", "amount": Money(minor=1, currency="USD"), "limit": 3}


@pytest.mark.parametrize("args", [{}, {"order_id": 1}, {"order_id": "1", "x": 2}, {"order_id": None}])
def test_arguments_that_do_not_fit_are_refused_before_the_call(args: dict[str, Any]) -> None:
    @tool(effect="read")
    def find(ctx: ToolContext, order_id: str) -> Answer:
        raise AssertionError("never called")

    with pytest.raises(ToolFailed) as failed:
        asyncio.run(find.call(context(), args))
    assert failed.value.code == "bad_argument"


def late_context(order_id: str, ctx: ToolContext) -> Answer:
    raise NotImplementedError


def no_return(ctx: ToolContext):  # type: ignore[no-untyped-def]
    raise NotImplementedError


def no_schema(ctx: ToolContext) -> Callable[[], int]:
    raise NotImplementedError


def untyped(ctx: ToolContext, order_id) -> Answer:  # type: ignore[no-untyped-def]
    raise NotImplementedError


def many(ctx: ToolContext, *args: str) -> Answer:
    raise NotImplementedError


def keywords(ctx: ToolContext, **args: str) -> Answer:
    raise NotImplementedError


def positional(ctx: ToolContext, order_id: str, /) -> Answer:
    raise NotImplementedError


def underscore(ctx: ToolContext, _order_id: str) -> Answer:
    raise NotImplementedError


def strange(ctx: ToolContext, lock: threading.Event) -> Answer:
    raise NotImplementedError


class Answers(BaseModel):
    items: list[Answer] | None
    free: dict[str, Any]


def nested(ctx: ToolContext, order_id: str) -> Answers:
    raise NotImplementedError


def good(ctx: ToolContext, order_id: str) -> Answer:
    raise NotImplementedError


@pytest.mark.parametrize(
    "function, options, message",
    [
        (late_context, {"effect": "read"}, "takes `ctx: ToolContext` as its first parameter"),
        (no_return, {"effect": "read"}, "does not say what it returns"),
        (no_schema, {"effect": "read"}, "its answer cannot be described"),
        (untyped, {"effect": "read"}, "parameter order_id has no type"),
        (many, {"effect": "read"}, "named parameters only"),
        (keywords, {"effect": "read"}, "named parameters only"),
        (positional, {"effect": "read"}, "named parameters only"),
        (underscore, {"effect": "read"}, "begins with an underscore"),
        (strange, {"effect": "read"}, "cannot be described"),
        (good, {"effect": "write", "lookup": nothing_about}, "say which arguments are sinks"),
        (good, {"effect": "irreversible", "sinks": {"order_id"}}, "no lookup"),
        (good, {"effect": "write", "sinks": {"order"}, "lookup": nothing_about}, "has no argument order"),
        (good, {"effect": "write", "sinks": {"order_id"}, "lookup": nothing}, "lookup takes other parameters"),
        (good, {"effect": "read", "owned_by": "email"}, "has no argument email"),
        (good, {"effect": "read", "outputs": {"txet": "system"}}, "no field 'txet'"),
        (good, {"effect": "read", "outputs": {"text": "operator"}}, "'operator' is none of"),
        (good, {"effect": "read", "name": "Shop.find"}, "lower-case"),
        (good, {"effect": "read", "name": "a.b.c"}, "at most one dot"),
        (good, {"effect": "write", "lookup": nothing_about}, r'add sinks=\{"order_id"\}'),
        (
            good,
            {"effect": "write"},
            r"find_good\(ctx: ToolContext, order_id: str\) -> Answer \| None:.*lookup=find",
        ),
        (good, {"effect": "write", "owned_by": "email"}, "sinks.*lookup.*has no argument email"),
        (nested, {"effect": "read", "outputs": {"items.ntoe": "untrusted"}}, r"Answers has no field 'items\.ntoe'"),
        (nested, {"effect": "read", "readers": {"items.text.x": "nobody"}}, r"Answers has no field 'items\.text\.x'"),
    ],
)
def test_a_wrong_declaration_says_what_to_change(
    function: Callable[..., Any], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidTool, match=message):
        tool(**options)(function)


def test_a_field_within_lists_and_of_free_names_is_found() -> None:
    declared = tool(effect="read", outputs={"items.text": "system", "free.any.thing": "untrusted"})(nested)
    assert ("items", "text") in declared.outputs


def raises(error: BaseException) -> tuple[Callable[..., Any], Callable[..., Any]]:
    async def later(ctx: ToolContext) -> Answer:
        raise error

    def now(ctx: ToolContext) -> Answer:
        raise error

    return later, now


async def hang(ctx: ToolContext) -> Answer:
    await asyncio.Event().wait()
    raise NotImplementedError


async def hang_and_ignore(ctx: ToolContext) -> Answer:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        await asyncio.Event().wait()  # it goes on, until the loop itself ends
    raise NotImplementedError


RELEASE = threading.Event()


def hang_in_thread(ctx: ToolContext) -> Answer:
    RELEASE.wait(5)
    raise NotImplementedError


def wrong(value: object) -> Callable[..., Any]:
    async def answers(ctx: ToolContext) -> Answer:
        return value  # type: ignore[return-value]

    return answers


async def unserialisable(ctx: ToolContext) -> Answer:
    return Answer(text="x", raw=b"\xff")


async def constructed(ctx: ToolContext) -> Answer:
    return Answer.model_construct(text=5)


class Tripwire:
    """Raises whatever is done with it."""

    def __getattr__(self, name: str) -> Any:
        raise ZeroDivisionError(name)

    def __str__(self) -> str:
        raise ZeroDivisionError

    __repr__ = __str__


class BadError(Exception):
    """An error that cannot be shown."""

    def __str__(self) -> str:
        raise ZeroDivisionError


HOSTILE: list[Callable[..., Any]] = [
    *[
        function
        for error in (
            ValueError("x"),
            SystemExit(1),
            KeyboardInterrupt(),
            GeneratorExit(),
            asyncio.CancelledError(),
            StopIteration(1),
            TimeoutError(),
            RecursionError(),
            MemoryError(),
            BaseException("b"),
            BadError(),
        )
        for function in raises(error)
    ],
    hang,
    hang_and_ignore,
    hang_in_thread,
    wrong({"txet": 1}),
    wrong("text"),
    wrong(5),
    wrong(object()),
    wrong(Tripwire()),
    unserialisable,
    constructed,
]


@pytest.mark.parametrize("function", HOSTILE)
async def test_a_misbehaving_tool_is_an_error_of_the_tool(function: Callable[..., Any]) -> None:
    with pytest.raises(ToolFailed):
        await read(function).call(context(), {})
    with pytest.raises(ToolOutcomeUnknown):
        await effect(function).call(context(), {})


@pytest.mark.parametrize("function", HOSTILE)
async def test_a_misbehaving_lookup_leaves_the_outcome_unknown(function: Callable[..., Any]) -> None:
    async def act(ctx: ToolContext) -> Answer:
        raise NotImplementedError

    with pytest.raises(ToolOutcomeUnknown):
        await effect(act, lookup=function).look_up(context(), {})


async def test_a_lookup_answers_nothing_or_what_stands() -> None:
    async def act(ctx: ToolContext) -> Answer:
        raise NotImplementedError

    async def found(ctx: ToolContext) -> Answer | None:
        return Answer(text=ctx.key)

    assert await effect(act, nothing).look_up(context(), {}) is None
    assert await effect(act, found).look_up(context("k-1"), {}) == {"text": "k-1", "raw": ""}
    with pytest.raises(ToolOutcomeUnknown, match="no lookup"):
        await read(act).look_up(context(), {})


async def test_a_tool_that_answers_none_is_an_error() -> None:
    with pytest.raises(ToolFailed):
        await read(wrong(None)).call(context(), {})


async def test_only_the_tool_itself_may_say_that_an_effect_changed_nothing() -> None:
    async def act(ctx: ToolContext) -> Answer:
        raise ToolFailed("closed", code="closed")

    with pytest.raises(ToolFailed) as failed:
        await effect(act).call(context(), {})
    assert failed.value.code == "closed"


async def test_a_tool_that_is_too_late_may_clean_up() -> None:
    cleaned: list[str] = []

    async def act(ctx: ToolContext) -> Answer:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.append("closed")
        raise NotImplementedError

    with pytest.raises(ToolFailed, match=r"did not answer within 0\.05 s"):
        await read(act).call(context(), {})
    assert cleaned == ["closed"]


async def test_cancelling_the_caller_cancels_the_tool() -> None:
    started, ended = asyncio.Event(), asyncio.Event()

    async def act(ctx: ToolContext) -> Answer:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        raise NotImplementedError

    task = asyncio.create_task(tool(effect="read", name="t")(act).call(context(), {}))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(ended.wait(), 5)


def test_a_thread_that_answers_after_the_loop_is_closed_disturbs_nobody() -> None:
    release, ended = threading.Event(), threading.Event()

    def act(ctx: ToolContext) -> Answer:
        release.wait(5)
        threading.Thread(target=_when_over, args=(threading.current_thread(), ended)).start()
        return Answer(text="late")

    with pytest.raises(ToolFailed):
        asyncio.run(read(act).call(context(), {}))
    release.set()
    assert ended.wait(5)


def _when_over(thread: threading.Thread, ended: threading.Event) -> None:
    thread.join()
    ended.set()


async def test_a_synchronous_tool_does_not_block_the_others() -> None:
    release = threading.Event()

    def act(ctx: ToolContext) -> Answer:
        assert release.wait(5)
        return Answer(text="b")

    async def free() -> None:
        release.set()

    one, _ = await asyncio.gather(tool(effect="read", name="t")(act).call(context(), {}), free())
    assert one["text"] == "b"


@tool(effect="read", outputs={"": "directory", "text": "system"}, owned_by="email")
async def find(ctx: ToolContext, email: str) -> Answer:
    """Find."""
    return Answer(text="a")


async def test_a_plain_function_is_a_tool_too() -> None:
    @tool(effect="read")
    def total(prices: list[int], discount: int = 0) -> int:
        """Add up."""
        return sum(prices) - discount

    @tool(effect="read")
    async def echo(ctx: ToolContext, text: str) -> list[str]:
        return [ctx.key, text]

    assert (total.name, total.description) == ("total", "Add up.")
    assert await total.call(context(), {"prices": [1, 2], "discount": 1}) == {"answer": 2}
    assert await echo.call(context("k"), {"text": "a"}) == {"answer": ["k", "a"]}
    with pytest.raises(ToolFailed, match="prices"):
        await total.call(context(), {"prices": "x"})


@pytest.mark.parametrize(
    "integrity, owner",
    [(Integrity.UNTRUSTED, None), (Integrity.DIRECTORY, "ada@example.com"), (Integrity.PLAN, "ada@example.com")],
)
def test_an_output_belongs_to_whom_a_trusted_argument_names(integrity: Integrity, owner: str | None) -> None:
    email = Labelled(data="ada@example.com", label=Label(integrity=integrity))
    output = find.labelled({"text": "a", "raw": ""}, step="s", args={"email": email}, requester="ada@example.com")
    label = Label(
        integrity=Integrity.SYSTEM if owner else Integrity.UNTRUSTED,
        origins=frozenset({"step s"}),
        owner=owner,
        readers=frozenset({owner, STAFF} if owner else {STAFF}),
    )
    assert output.at(("text",)).label == label
    assert output.at(("raw",)).label.integrity is min(label.integrity, Integrity.DIRECTORY)


def test_what_is_not_declared_is_untrusted() -> None:
    @tool(effect="read")
    async def say(ctx: ToolContext) -> Answer:
        raise NotImplementedError

    assert (
        say.labelled({"text": "a"}, step="s", args={}, requester="ada@example.com").weakest().integrity
        is Integrity.UNTRUSTED
    )


def test_a_missing_setting_is_named() -> None:
    assert context().setting("url") == "http://x"
    with pytest.raises(ToolFailed, match=r"\[tools.settings\] password") as failed:
        context().setting("password")
    assert failed.value.code == "setting_missing"


def test_evidence_kept_during_a_call_goes_with_it() -> None:
    ctx = context()
    kept = ctx.keep(b"x", media_type="text/plain", label="l")
    assert ctx.kept == [kept]
    assert ctx.evidence_store.get(kept.sha256) == b"x"


@pytest.mark.parametrize(
    "declared, whole, text",
    [
        (None, {STAFF}, {STAFF}),
        ({"": "requester"}, {STAFF, "ada@example.com"}, {STAFF, "ada@example.com"}),
        ({"": "requester", "text": "staff"}, {STAFF, "ada@example.com"}, {STAFF}),
        ({"": "anyone", "text": "nobody"}, None, set()),
        ({"text": "anyone"}, {STAFF}, None),
    ],
)
def test_who_may_be_told_is_what_was_declared(declared: Any, whole: set[str] | None, text: set[str] | None) -> None:
    @tool(effect="read", readers=declared, outputs={"raw": "system"})
    async def say(ctx: ToolContext) -> Answer:
        raise NotImplementedError

    value = say.labelled({"text": "a", "raw": ""}, step="s", args={}, requester="ada@example.com")
    assert value.label.readers == whole
    assert value.at(("text",)).label.readers == text
    assert value.at(("raw",)).label.readers == whole


@pytest.mark.parametrize(
    "integrity, readers", [(Integrity.UNTRUSTED, {STAFF}), (Integrity.SYSTEM, {STAFF, "ada@example.com"})]
)
def test_an_output_is_for_no_more_eyes_than_the_words_it_may_repeat(integrity: Integrity, readers: set[str]) -> None:
    @tool(effect="read", outputs={"text": "system"}, readers={"": "requester"})
    async def echo(ctx: ToolContext, text: str) -> Answer:
        raise NotImplementedError

    said = Labelled(data="a", label=Label(integrity=integrity, readers=frozenset({STAFF})))
    output = echo.labelled({"text": "a"}, step="s", args={"text": said}, requester="ada@example.com")
    assert (output.label.readers, output.at(("text",)).label.readers) == (frozenset(readers), frozenset(readers))


def test_records_whose_owner_nobody_vouches_for_are_for_staff() -> None:
    email = Labelled(data="bob@example.com", label=Label(integrity=Integrity.UNTRUSTED))
    output = find.labelled({"text": "a", "raw": ""}, step="s", args={"email": email}, requester="ada@example.com")
    assert output.weakest().readers == frozenset({STAFF})


@pytest.mark.parametrize("declaration", [{"readers": {"": "everybody"}}, {"readers": {"txt": "staff"}}, {"told": "me"}])
def test_readers_that_make_no_sense_are_refused(declaration: Any) -> None:
    with pytest.raises(InvalidTool, match=r"readers|told"):

        @tool(effect="read", **declaration)
        async def say(ctx: ToolContext) -> Answer:
            raise NotImplementedError
