"""The ways to an MCP server, each bounded in bytes while it is read: a program's pipes, and streamable HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx2
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.message import SessionMessage
from mcp_types import jsonrpc_message_adapter
from pydantic import ValidationError

MAX_ANSWER = 4 * 1024 * 1024
"""Bytes of one message."""
CALL_SECONDS = 600.0
"""A tool's own timeout is shorter."""
STOP_SECONDS = 2.0
"""For a server to end once its input is closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class McpServer:
    """How one server is reached, with all places filled in."""

    name: str
    command: tuple[str, ...] = ()
    folder: Path | None = None
    environment: Mapping[str, str]
    url: str = ""
    headers: Mapping[str, str]
    wanted: tuple[str, ...]
    """Its tools that are needed."""


class Unreachable(Exception):
    """Control flow: no session with the server; the message says why, without a word of the server."""


class Pipe:
    """A server that is a program: started with nothing in its environment but what is declared."""

    def __init__(self, server: McpServer) -> None:
        self._server = server
        self.ended = False
        self.why = ""

    async def __aenter__(self) -> Any:
        server = self._server
        program = shutil.which(server.command[0], path=server.environment.get("PATH", os.defpath)) or server.command[0]
        try:
            self._process = await asyncio.create_subprocess_exec(
                program,
                *server.command[1:],
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env=dict(server.environment),
                cwd=server.folder,
                limit=MAX_ANSWER,
                start_new_session=True,
            )
        except OSError as error:
            raise Unreachable(f"{server.command[0]} does not start: {error.strerror}") from None
        self._to_session, incoming = anyio.create_memory_object_stream[SessionMessage | Exception](0)
        outgoing, self._from_session = anyio.create_memory_object_stream[SessionMessage](0)
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._write())]
        return incoming, outgoing

    async def __aexit__(self, *_: object) -> None:
        process = self._process
        assert process.stdin is not None, "it has pipes"
        process.stdin.close()
        for patience in (STOP_SECONDS, STOP_SECONDS, None):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await process.wait()
                    break
            self._kill(signal.SIGTERM if patience and process.returncode is None else signal.SIGKILL)
        self._kill(signal.SIGKILL)
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)

    async def _read(self) -> None:
        stdout = self._process.stdout
        assert stdout is not None, "it has pipes"
        async with self._to_session:
            with contextlib.suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
                while line := await self._line(stdout):
                    try:
                        message = jsonrpc_message_adapter.validate_json(line, by_name=False)
                    except ValidationError:
                        self.why = "it wrote what is no JSON-RPC message"
                        break
                    await self._to_session.send(SessionMessage(message))
            self.ended = True
        self._kill(signal.SIGKILL)

    async def _line(self, stdout: asyncio.StreamReader) -> bytes:
        try:
            return await stdout.readline()
        except ValueError:
            self.why = f"it answered with more than {MAX_ANSWER} bytes"
            return b""

    async def _write(self) -> None:
        stdin = self._process.stdin
        assert stdin is not None, "it has pipes"
        async with self._from_session:
            with contextlib.suppress(ConnectionError):
                async for message in self._from_session:
                    stdin.write(message.message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n")
                    await stdin.drain()

    def _kill(self, how: signal.Signals) -> None:
        """The program and all that it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, how)


@asynccontextmanager
async def over_http(server: McpServer, excess: Callable[[], None]) -> AsyncIterator[Any]:
    """A server with a URL; ``excess`` is told when it answers with more than `MAX_ANSWER` bytes."""
    client = httpx2.AsyncClient(
        headers={**server.headers, "Accept-Encoding": "identity"},
        trust_env=False,
        follow_redirects=False,
        timeout=httpx2.Timeout(CALL_SECONDS, connect=5.0),
        transport=_Bounded(httpx2.AsyncHTTPTransport(), excess),
    )
    async with client, streamable_http_client(server.url, http_client=client, max_sse_event_size=MAX_ANSWER) as streams:
        yield streams


class _TooLarge(httpx2.StreamError):
    """Control flow: more than `MAX_ANSWER` bytes, or compressed ones."""


class _Bounded(httpx2.AsyncBaseTransport):
    """Answers are cut off where they are too large. The stream of a GET is none; it is bounded event by event."""

    def __init__(self, inner: httpx2.AsyncHTTPTransport, excess: Callable[[], None]) -> None:
        self._inner = inner
        self._excess = excess

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await self._inner.handle_async_request(request)
        stream = response.stream
        assert isinstance(stream, httpx2.AsyncByteStream), "an asynchronous transport"
        if request.method == "POST":
            response.stream = _Counted(stream, self._excess)
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            await stream.aclose()
            raise httpx2.RemoteProtocolError("compressed data, which nobody asked for")
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Counted(httpx2.AsyncByteStream):
    def __init__(self, inner: httpx2.AsyncByteStream, excess: Callable[[], None]) -> None:
        self._inner = inner
        self._excess = excess

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for part in self._inner:
            size += len(part)
            if size > MAX_ANSWER:
                self._excess()
                raise _TooLarge(f"it answered with more than {MAX_ANSWER} bytes")
            yield part

    async def aclose(self) -> None:
        await self._inner.aclose()
