"""Connections to MCP servers: one for each server and process, opened by the first call, closed with the process.

Every answer is bounded in bytes while it is read. A server that is gone is connected to once more by the next call.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

import anyio
from mcp import Client, MCPError
from mcp_types import CallToolResult, TextContent, ToolListChangedNotification

from agents.errors import ToolFailed, ToolOutcomeUnknown
from agents.tools.mcp import Pinned, PinnedTool, ServerRefused, changed
from agents.tools.mcp_transport import CALL_SECONDS, MAX_ANSWER, McpServer, Pipe, Unreachable, over_http
from agents.tools.wire import without_floats

MAX_PAGES = 20
MAX_SAID = 100_000
"""Characters that a server says about one tool."""
CONNECT_SECONDS = 20.0
CLOSE_SECONDS = 10.0
"""For a session to end in good order."""

logging.getLogger("mcp").addHandler(logging.NullHandler())
logging.getLogger("mcp").propagate = False  # it quotes what servers say


class McpServers:
    """The servers of a deployment, by name. They live on a loop of their own, so that calls may come from any loop."""

    def __init__(self, servers: Mapping[str, tuple[McpServer, Pinned]]) -> None:
        """Nothing is started yet; with each server goes what was accepted of it."""
        self._links = {name: _Link(server, pinned) for name, (server, pinned) in servers.items()}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._starting = threading.Lock()

    async def call(self, server: str, tool: str, args: Mapping[str, Any], *, reads: bool) -> Any:
        """What ``tool`` of ``server`` answers: its structured content, or ``{"text": ...}``.

        Raises:
            ToolFailed: it was not called, or it reads and has no usable answer.
            ToolOutcomeUnknown: a tool with an effect was called and has no usable answer.
            ServerRefused: the server says that it failed.
        """
        call = self._links[server].call(tool, args, reads=reads)
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(call, self._running()))

    async def close(self) -> None:
        """Stop all that were started."""
        loop, self._loop = self._loop, None
        if loop is not None:
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._close(), loop))
            loop.call_soon_threadsafe(loop.stop)

    async def _close(self) -> None:
        for link in self._links.values():
            await link.close()

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._starting:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=_run, args=(self._loop,), daemon=True, name="settle-mcp").start()
            return self._loop


def _run(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()


async def offered(server: McpServer) -> dict[str, PinnedTool]:
    """What ``server`` says now about the tools that are needed.

    Raises:
        ToolFailed: it is not reached, lacks one of them, or says more than is read.
    """
    connection = _Connection(server)
    try:
        found = await _listed(await connection.client(), server)
    finally:
        await connection.close()
    missing = [name for name in server.wanted if name not in found]
    if missing:
        raise ToolFailed(f"{server.name} has no tool {', '.join(missing)}", code="mcp_changed")
    return found


class _Link:
    """The connection to one server, checked against what was accepted."""

    def __init__(self, server: McpServer, pinned: Pinned) -> None:
        self._server = server
        self._pinned = pinned
        self._connection: _Connection | None = None
        self._opening = asyncio.Lock()
        self._refused: str | None = None
        """Why it is not called any more in this process."""

    async def call(self, tool: str, args: Mapping[str, Any], *, reads: bool) -> Any:
        async with self._opening:
            connection = await self._checked()
        client = await connection.client()
        try:
            result = await client.session.call_tool(tool, dict(args), read_timeout_seconds=CALL_SECONDS)
            return _content(result, structured=self._pinned[tool].answer is not None)
        except (MCPError, RuntimeError, ValueError, anyio.ClosedResourceError) as error:
            why = connection.why or ("it ended" if connection.ended else _kind(error))
            message = f"{self._server.name} gave no usable answer to {tool}: {why}"
            failed = ToolFailed(message, code="mcp_failed", retryable=True)
            raise (failed if reads else ToolOutcomeUnknown(message)) from None

    async def close(self) -> None:
        """Stop the server, if it was started."""
        if self._connection is not None:
            await self._connection.close()
        self._connection = None

    async def _checked(self) -> _Connection:
        """A live connection to a server that says what was accepted."""
        if self._refused is not None:
            raise ToolFailed(self._refused, code="mcp_changed")
        if self._connection is not None and self._connection.ended:
            await self.close()
        if self._connection is None:
            self._connection = _Connection(self._server)
        connection = self._connection
        try:
            client = await connection.client()
            if not connection.checked:
                connection.checked = True
                now = await _listed(client, self._server)
                pinned = {name: self._pinned[name] for name in self._server.wanted}
                others = changed(pinned, now)
                if others:
                    told = "; ".join(f"{name} {', '.join(fields)}" for name, fields in others.items())
                    self._refused = (
                        f"{self._server.name} no longer says what was accepted ({told}); read and accept it with "
                        f"`settle tool accept {self._server.name}`, then start again"
                    )
                    raise ToolFailed(self._refused, code="mcp_changed")
        except BaseException:
            await self.close()
            raise
        return connection


class _Connection:
    """One session with a server, entered and left by a task of its own."""

    def __init__(self, server: McpServer) -> None:
        self._server = server
        self._stop = asyncio.Event()
        self._ready: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
        self._task: asyncio.Task[None] | None = None
        self._pipe: Pipe | None = None
        self._too_large = ""
        self.checked = False

    @property
    def ended(self) -> bool:
        """The server is gone, or can no longer be understood."""
        pipe_ended = self._pipe is not None and self._pipe.ended
        return pipe_ended or bool(self._too_large) or (self._task is not None and self._task.done())

    @property
    def why(self) -> str:
        """What is wrong with it, as far as it is known."""
        return self._pipe.why if self._pipe is not None else self._too_large

    async def client(self) -> Client:
        """The session, once it stands; `ToolFailed` if it cannot be had."""
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                return await asyncio.shield(self._ready)
        except TimeoutError:
            why = f"it did not answer within {CONNECT_SECONDS:g} s"
        except Unreachable as error:
            why = str(error)
        raise ToolFailed(f"{self._server.name} is not reached: {why}", code="mcp_unavailable", retryable=True)

    async def close(self) -> None:
        """Leave the session; a server that was started is stopped."""
        self._stop.set()
        if self._task is None:
            return
        if not self._ready.done():
            self._task.cancel()
        done, _ = await asyncio.wait({self._task}, timeout=CLOSE_SECONDS)
        if not done:
            self._task.cancel()
            await asyncio.wait({self._task})
        if self._ready.done() and not self._ready.cancelled():
            self._ready.exception()

    async def _run(self) -> None:
        try:
            transport: AbstractAsyncContextManager[Any]
            if self._server.command:
                transport = self._pipe = Pipe(self._server)
            else:
                transport = over_http(self._server, self._excess)
            async with Client(transport, cache=None, message_handler=self._heard) as client:
                self._ready.set_result(client)
                await self._stop.wait()
        except BaseException as error:
            if not self._ready.done():
                self._ready.set_exception(Unreachable(self.why or _kind(error)))
            elif not isinstance(error, Exception | BaseExceptionGroup):
                raise

    def _excess(self) -> None:
        self._too_large = f"it answered with more than {MAX_ANSWER} bytes"

    async def _heard(self, message: Any) -> None:
        """The server says that its tools are others now."""
        if isinstance(message, ToolListChangedNotification):
            self.checked = False


async def _listed(client: Client, server: McpServer) -> dict[str, PinnedTool]:
    """What the server says about the tools that are needed; `ToolFailed` if it cannot be used."""
    found: dict[str, PinnedTool] = {}
    cursor: str | None = None
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            for _ in range(MAX_PAGES):
                page = await client.list_tools(cursor=cursor)
                for tool in page.tools:
                    if tool.name not in server.wanted:
                        continue
                    said = PinnedTool(
                        description=tool.description or "", arguments=tool.input_schema, answer=tool.output_schema
                    )
                    if tool.name in found:
                        raise _unusable(server, f"two of its tools are called {tool.name}")
                    if len(said.model_dump_json()) > MAX_SAID:
                        raise _unusable(server, f"it says more than {MAX_SAID} characters about {tool.name}")
                    found[tool.name] = said
                cursor = page.next_cursor
                if cursor is None:
                    return found
    except (MCPError, RuntimeError, ValueError, TimeoutError) as error:
        message = f"{server.name} does not say what its tools are: {_kind(error)}"
        raise ToolFailed(message, code="mcp_unavailable", retryable=True) from None
    raise _unusable(server, "it lists tools without end")


def _unusable(server: McpServer, why: str) -> ToolFailed:
    return ToolFailed(f"{server.name} cannot be used: {why}", code="mcp_unusable")


def _content(result: CallToolResult, *, structured: bool) -> Any:
    text = "\n".join(part.text for part in result.content if isinstance(part, TextContent))
    if result.is_error:
        raise ServerRefused(text)
    if structured:
        return without_floats(result.structured_content)
    if len(text.encode("utf-8", "replace")) > MAX_ANSWER:
        raise ValueError(f"it answered with more than {MAX_ANSWER} bytes")
    return {"text": text}


def _kind(error: BaseException) -> str:
    """What went wrong, without a word of the server."""
    match error:
        case BaseExceptionGroup():
            return _kind(error.exceptions[0])
        case MCPError():
            return f"error {error.error.code}"
        case RuntimeError() | ValueError():
            return "it is not as promised"
        case Unreachable():
            return str(error)
    return type(error).__name__
