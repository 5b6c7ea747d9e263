"""Between a connector and its helpdesk, over HTTP: loses, breaks and delays what it is told to."""

from __future__ import annotations

import asyncio
from collections import deque
from enum import StrEnum
from types import TracebackType

import httpx2


class Fault(StrEnum):
    """What happens to one request."""

    BUSY = "429, and the helpdesk never sees it"
    BROKEN = "500, and the helpdesk never sees it"
    BROKEN_AFTER = "the helpdesk carries it out, and then 500"
    LOST = "the helpdesk carries it out, and the connection breaks before the answer"
    DROPPED = "the connection breaks, and the helpdesk never sees it"
    HALF = "the helpdesk carries it out, and the connection breaks in the middle of the answer"
    CUT = "the helpdesk carries it out, and half of the answer comes as if it were whole"
    REDIRECTED = "302 to another host"
    SILENT = "no answer at all, for as long as the client waits"


class FaultyProxy:
    """Passes everything on, but for the faults it was given."""

    def __init__(self, upstream: str, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        """``transport`` leads to an application in this process instead of over the network."""
        self._upstream = upstream
        self._client = httpx2.AsyncClient(trust_env=False, timeout=60, transport=transport)
        self._faults: deque[tuple[str, Fault]] = deque()
        self.away = False
        """True: every connection breaks at once."""
        self.requests: list[str] = []
        """``POST /path`` of every request, faulty or not."""
        self.url = ""

    def expect(self, *faults: Fault, method: str = "POST") -> None:
        """The next requests of that method meet these faults, one each."""
        self._faults.extend((method, fault) for fault in faults)

    async def __aenter__(self) -> FaultyProxy:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        await self._client.aclose()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, target, _ = head[0].split(" ")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:-2])}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            writer.write(await self._answer(method, target, headers, body, reader))
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client went away
        finally:
            writer.close()

    async def _answer(
        self, method: str, target: str, headers: dict[str, str], body: bytes, reader: asyncio.StreamReader
    ) -> bytes:
        self.requests.append(f"{method} {target}")
        if self.away:
            return b""
        fault = self._faults.popleft()[1] if self._faults and self._faults[0][0] == method else None
        match fault:
            case Fault.BUSY:
                return _raw(429, b"{}", "Retry-After: 0\r\n")
            case Fault.BROKEN:
                return _raw(500, b"<h1>Server Error</h1>")
            case Fault.REDIRECTED:
                return _raw(302, b"", "Location: http://127.0.0.2/elsewhere\r\n")
            case Fault.DROPPED:
                return b""
            case Fault.SILENT:
                await reader.read()
                return b""
        passed = {name: value for name, value in headers.items() if name not in ("host", "connection")}
        answer = await self._client.request(method, self._upstream + target, headers=passed, content=body)
        whole = _raw(answer.status_code, answer.content, f"Content-Type: {answer.headers.get('content-type', '')}\r\n")
        match fault:
            case Fault.BROKEN_AFTER:
                return _raw(500, b"<h1>Server Error</h1>")
            case Fault.LOST:
                return b""
            case Fault.HALF:
                return whole[: -(len(answer.content) + 1) // 2]
            case Fault.CUT:
                return _raw(answer.status_code, answer.content[: len(answer.content) // 2])
        return whole


def _raw(status: int, body: bytes, headers: str = "") -> bytes:
    return f"HTTP/1.1 {status} -\r\n{headers}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body
