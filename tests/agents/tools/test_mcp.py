"""Tools of a real MCP server, a process of its own and over HTTP, and what becomes of one that cannot be trusted."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agents.errors import ToolFailed, ToolOutcomeUnknown
from agents.rehearsal import rehearsed
from agents.runtime.inline import InlineRuntime
from agents.tools.conversation import reply
from agents.tools.mcp import LOCK, McpDeclaration, Pinned, PinnedTool, accept, accepted_tools, mcp_tools
from agents.tools.mcp_client import McpServers, offered
from agents.tools.mcp_transport import McpServer
from agents.tools.tool import Tool, ToolContext
from agents.tools.toolbox import Toolbox
from agents.work import Claimed
from tests.agents import builders
from tests.agents.builders import context
from tests.fakes import mcp_server
from tests.fakes.raw_server import RawServer, answer
from tests.fakes.refund_api import served

KEY = "T-1:task-1:refund"
REFUND = {
    "effect": "irreversible",
    "sinks": ["order"],
    "key_argument": "reference",
    "lookup": {"call": "find_refunds", "args": {"reference": "${key}"}, "answer": "found"},
}
DECLARED: dict[str, Any] = {
    "find_orders": {"effect": "read", "owned_by": "email", "outputs": {"items": "system"}},
    "refund": REFUND,
    "lie": {"effect": "read"},
    "environment": {"effect": "read"},
}


class Desk:
    """One server of a deployment and what was accepted of it."""

    def __init__(self, server: McpServer, declaration: McpDeclaration) -> None:
        self.server = server
        self.declaration = declaration
        self.pinned: Pinned = {}
        self.tools: dict[str, Tool] = {}

    async def accept(self) -> None:
        self.use(await offered(self.server))

    def use(self, pinned: Pinned) -> None:
        self.pinned = pinned
        found, problems = mcp_tools("shop", self.declaration, self.pinned)
        assert problems == []
        self.tools = {tool.name: tool for tool in found}

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[ToolContext]:
        servers = McpServers({"shop": (self.server, self.pinned)})
        try:
            yield replace(context(KEY), mcp=servers)
        finally:
            await servers.close()


def a_desk(folder: Path, tools: dict[str, Any] | None = None, **reached: Any) -> Desk:
    program = (sys.executable, mcp_server.__file__, str(folder))
    command: dict[str, Any] = reached or {"command": program, "environment": {"SHOP_TOKEN": "t"}}
    declaration = McpDeclaration.model_validate({"tools": tools or DECLARED, **command})
    server = McpServer(
        name="shop",
        command=declaration.command,
        folder=folder,
        environment=declaration.environment,
        url=declaration.url,
        headers=declaration.headers,
        wanted=declaration.wanted,
    )
    return Desk(server, declaration)


@pytest.fixture(scope="module")
def says(tmp_path_factory: pytest.TempPathFactory) -> Pinned:
    """What the server says when it does not misbehave."""
    return asyncio.run(offered(a_desk(tmp_path_factory.mktemp("accepted")).server))


@pytest.fixture
def desk(tmp_path: Path, says: Pinned) -> Desk:
    made = a_desk(tmp_path)
    made.use(says)
    return made


def starts(folder: Path) -> list[int]:
    file = folder / "starts"
    return [int(line) for line in file.read_text().split()] if file.exists() else []


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


async def test_one_process_answers_all_calls_and_is_gone_afterwards(desk: Desk, tmp_path: Path) -> None:
    async with desk.at_work() as ctx:
        assert starts(tmp_path) == []
        find = desk.tools["shop.find_orders"]
        answers = await asyncio.gather(*(find.call(ctx, {"email": "a@x.example"}) for _ in range(5)))
        assert answers == [{"items": [{"id": "1", "total": "12.1", "note": None}]}] * 5
        refund = desk.tools["shop.refund"]
        assert refund.effect == "irreversible"
        assert "reference" not in refund.input_model.model_fields
        assert await refund.look_up(ctx, {"order": "1"}) is None
        assert await refund.call(ctx, {"order": "1"}) == {"order": "1", "reference": KEY}
        assert await refund.look_up(ctx, {"order": "1"}) == {"order": "1", "reference": KEY}
        (process,) = starts(tmp_path)
        assert is_running(process)
    assert not is_running(process)


def test_calls_and_the_end_may_come_from_different_loops(desk: Desk, tmp_path: Path) -> None:
    servers = McpServers({"shop": (desk.server, desk.pinned)})
    ctx = replace(context(KEY), mcp=servers)
    for _ in range(2):
        assert asyncio.run(desk.tools["shop.find_orders"].call(ctx, {"email": "a@x.example"}))
    (process,) = starts(tmp_path)
    asyncio.run(servers.close())
    assert not is_running(process)


async def test_the_process_has_what_is_declared_and_no_more(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIPE_API_KEY", "sk_live")
    async with desk.at_work() as ctx:
        found = await desk.tools["shop.environment"].call(ctx, {})
    assert json.loads(str(found["result" if "result" in found else "text"])).keys() <= {"SHOP_TOKEN", "LC_CTYPE"}


async def test_what_is_not_declared_is_not_there_and_claims_are_not_believed(desk: Desk, tmp_path: Path) -> None:
    assert sorted(desk.tools) == ["shop.environment", "shop.find_orders", "shop.lie", "shop.refund"]
    _, problems = mcp_tools("shop", a_desk(tmp_path, {"refund": {}}).declaration, desk.pinned)
    assert "counts as a write" in problems[0][1]
    assert 'sinks = ["order", "reference"]' in problems[0][1]


async def test_a_server_that_dies_in_a_call_leaves_an_effect_to_be_looked_up(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "mode").write_text("dies")
    async with desk.at_work() as ctx:
        with pytest.raises(ToolOutcomeUnknown):
            await desk.tools["shop.refund"].call(ctx, {"order": "1"})
        found = await desk.tools["shop.refund"].look_up(ctx, {"order": "1"})
        assert found == {"order": "1", "reference": KEY}
        assert len(starts(tmp_path)) == 2
    assert not any(is_running(process) for process in starts(tmp_path))


PROCEDURE = """\
procedure: refund
version: 1
outcome: refund_issued
triggers: {like: [refund please]}
inputs: {order_id: {pattern: "#?([0-9]+)", ask: which-order}}
subject: "order:${found.id}"
steps:
  - {id: orders, tool: shop.find_orders, args: {email: "${task.requester.email}"}}
  - {id: found, select: {from: "${orders.items}", where: "it.total == '12.1'"}, else: {reply: not-found}}
  - {id: refund, tool: shop.refund, args: {order: "${found.id}"}}
  - {id: reply, reply: done, with: {amount: "${found.id}"}}
"""


async def test_a_run_goes_on_when_its_server_dies_in_an_effect_and_the_effect_happens_once(
    desk: Desk, tmp_path: Path
) -> None:
    (tmp_path / "mode").write_text("dies in refund")
    tools = (desk.tools["shop.find_orders"], desk.tools["shop.refund"])
    work = builders.desk("Refund order 10001 please", text=PROCEDURE)
    work.toolbox = Toolbox([*tools, reply])
    async with desk.at_work() as ctx:
        executor = work.executor()
        executor.mcp = ctx.mcp
        end = await executor.run(work.work(), InlineRuntime())
    assert isinstance(end, Claimed), end
    assert json.loads((tmp_path / "refunds.json").read_text()) == {"task-1:refund": "1"}
    assert work.journal.receipts["acme", "task-1:refund"].result == {"order": "1", "reference": "task-1:refund"}
    assert len(starts(tmp_path)) == 2


async def test_a_server_that_dies_in_a_read_is_started_again(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "mode").write_text("dies")
    async with desk.at_work() as ctx:
        find = desk.tools["shop.find_orders"]
        with pytest.raises(ToolFailed) as failed:
            await find.call(ctx, {"email": "a@x.example"})
        assert failed.value.retryable
        assert await find.call(ctx, {"email": "a@x.example"})


async def test_a_call_that_never_ends_has_its_time_and_the_server_is_stopped(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "mode").write_text("hangs")
    async with desk.at_work() as ctx:
        with pytest.raises(ToolOutcomeUnknown, match="did not answer within"):
            await replace(desk.tools["shop.refund"], timeout=2.0).call(ctx, {"order": "1"})
    assert not any(is_running(process) for process in starts(tmp_path))


async def test_an_answer_that_is_not_as_promised(desk: Desk) -> None:
    async with desk.at_work() as ctx:
        with pytest.raises(ToolFailed) as failed:
            await desk.tools["shop.lie"].call(ctx, {"size": "3"})
        assert len(str(failed.value)) < 400


async def test_an_answer_of_ten_megabytes_is_not_read(desk: Desk, tmp_path: Path) -> None:
    async with desk.at_work() as ctx:
        with pytest.raises(ToolFailed, match="more than 4194304 bytes"):
            await desk.tools["shop.lie"].call(ctx, {"size": str(10 * 1024 * 1024)})
        assert await desk.tools["shop.find_orders"].call(ctx, {"email": "a@x.example"})
        assert len(starts(tmp_path)) == 2


async def test_what_a_server_says_about_a_failure_is_evidence_and_in_no_error(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "mode").write_text("refuses")
    async with desk.at_work() as ctx:
        with pytest.raises(ToolOutcomeUnknown, match="says that refund failed") as unknown:
            await desk.tools["shop.refund"].call(ctx, {"order": "1"})
        (words,) = ctx.kept
        assert words.sha256[:12] in str(unknown.value)
        assert "for you" not in str(unknown.value)
        assert b"for you" in ctx.evidence_store.get(words.sha256)
        assert await desk.tools["shop.refund"].look_up(ctx, {"order": "1"}) is None


async def test_a_server_that_changed_is_not_called_until_a_person_accepts_it(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "mode").write_text("changed")
    async with desk.at_work() as ctx:
        for name, args in [("shop.refund", {"order": "1"}), ("shop.find_orders", {"email": "a@x.example"})]:
            with pytest.raises(ToolFailed, match="settle tool accept shop") as failed:
                await desk.tools[name].call(ctx, args)
            assert failed.value.code == "mcp_changed"
            assert "(refund description)" in str(failed.value)
            assert "mallory" not in str(failed.value)
    assert not (tmp_path / "refunds.json").exists()
    await desk.accept()
    async with desk.at_work() as ctx:
        assert await desk.tools["shop.refund"].call(ctx, {"order": "1"})


async def test_a_change_of_a_tool_that_nobody_uses_changes_nothing(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "mode").write_text("smaller")
    async with desk.at_work() as ctx:
        assert await desk.tools["shop.find_orders"].call(ctx, {"email": "a@x.example"})


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("/nowhere/at/all",), "does not start: No such file"),
        ((sys.executable, "-c", "raise SystemExit(3)"), "shop is not reached"),
        ((sys.executable, "-c", "print('hello')"), "no JSON-RPC message"),
        ((sys.executable, "-c", "import sys; sys.stdout.write('x' * 10_000_000)"), "more than 4194304 bytes"),
    ],
)
async def test_a_program_that_is_no_server(tmp_path: Path, command: tuple[str, ...], message: str) -> None:
    with pytest.raises(ToolFailed, match=message) as failed:
        await offered(a_desk(tmp_path, command=command).server)
    assert failed.value.code == "mcp_unavailable"


@pytest.mark.parametrize("plain", [True, False])
async def test_the_same_over_http(tmp_path: Path, plain: bool) -> None:
    app = mcp_server.shop(tmp_path).streamable_http_app(json_response=plain)
    async with served(app) as url:
        desk = a_desk(tmp_path, url=f"{url}/mcp", headers={"Authorization": "Bearer t"})
        await desk.accept()
        async with desk.at_work() as ctx:
            assert await desk.tools["shop.find_orders"].call(ctx, {"email": "a@x.example"})
            assert await desk.tools["shop.refund"].call(ctx, {"order": "1"})
            with pytest.raises(ToolFailed, match="more than 4194304 bytes"):
                await desk.tools["shop.lie"].call(ctx, {"size": str(10 * 1024 * 1024)})
            found = await desk.tools["shop.refund"].look_up(ctx, {"order": "1"})
            assert found == {"order": "1", "reference": KEY}


async def test_a_server_over_http_that_is_gone(tmp_path: Path) -> None:
    app = mcp_server.shop(tmp_path).streamable_http_app()
    async with served(app) as url:
        desk = a_desk(tmp_path, url=f"{url}/mcp")
        await desk.accept()
    async with desk.at_work() as ctx:
        with pytest.raises(ToolFailed) as failed:
            await desk.tools["shop.refund"].call(ctx, {"order": "1"})
        assert (failed.value.code, failed.value.retryable) == ("mcp_unavailable", True)


async def test_a_server_over_http_that_sends_elsewhere_or_packs_is_not_followed(tmp_path: Path) -> None:
    async with RawServer() as raw, RawServer() as other:
        raw.answers["/moved"] = answer(
            status="307 Temporary Redirect", headers=f"Location: http://127.0.0.1:{other.port}/mcp\r\n"
        )
        raw.answers["/packed"] = answer(b"x", headers="Content-Type: application/json\r\nContent-Encoding: gzip\r\n")
        for path in ("moved", "packed"):
            with pytest.raises(ToolFailed):
                await offered(a_desk(tmp_path, url=f"http://127.0.0.1:{raw.port}/{path}").server)
        assert other.requests == []


async def test_a_rehearsal_calls_no_effect(desk: Desk, tmp_path: Path) -> None:
    tool = rehearsed(Toolbox(desk.tools.values())).get("shop.refund")
    assert tool is not None
    async with desk.at_work() as ctx:
        assert (await tool.call(ctx, {"order": "7"}))["order"] == "7"
    assert starts(tmp_path) == []


PIN = PinnedTool(description="d", arguments={"type": "object", "properties": {"a": {"type": "string"}}}, answer=None)


def test_what_was_accepted_is_kept_and_a_change_by_hand_is_seen(tmp_path: Path) -> None:
    assert accepted_tools(tmp_path) == {}
    accept(tmp_path, "shop", {"one": PIN})
    accept(tmp_path, "crm", {"two": PIN})
    assert accepted_tools(tmp_path) == {"shop": {"one": PIN}, "crm": {"two": PIN}}
    file = tmp_path / LOCK
    file.write_text(file.read_text().replace('"description": "d"', '"description": "e"', 1))
    with pytest.raises(ValueError, match="was changed after a person accepted it"):
        accepted_tools(tmp_path)
    file.write_text('{"servers": {"shop": []}}')
    with pytest.raises(ValueError, match="cannot be read"):
        accepted_tools(tmp_path)


@pytest.mark.parametrize(
    ("tools", "arguments", "message"),
    [
        ({"other": {"effect": "read"}}, {}, "nobody has accepted other"),
        ({"one": {"effect": "read"}}, {"type": "string"}, "is not an object"),
        ({"one": {"effect": "read"}}, {"type": "object", "properties": {"a": {"not": {}}}}, "'not'"),
        ({"one": {"effect": "read", "owned_by": "b"}}, PIN.arguments, "has no argument b"),
        ({"one": {"effect": "read", "name": "x"}, "two": {"effect": "read", "name": "x"}}, {}, "the same name"),
        ({"one": {"effect": "write", "sinks": ["a"]}}, PIN.arguments, "say how the other side is told"),
        (
            {"one": {"effect": "write", "sinks": [], "key_argument": "a", "lookup": {"call": "find", "args": {}}}},
            PIN.arguments,
            "nobody has accepted find",
        ),
    ],
)
def test_what_cannot_be_a_tool_is_refused_and_nothing_is_registered(
    tools: dict[str, Any], arguments: dict[str, Any], message: str
) -> None:
    declaration = McpDeclaration.model_validate({"url": "https://x.example", "tools": tools})
    pinned = {"one": PinnedTool(description="", arguments=arguments or PIN.arguments, answer=None), "two": PIN}
    found, problems = mcp_tools("shop", declaration, pinned)
    assert found == ()
    assert message in problems[0][1]
