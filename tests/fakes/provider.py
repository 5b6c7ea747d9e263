"""A model provider on loopback: answers and breaks the way it was told to, and keeps what it was asked.

The answers are built from the SDKs' own types by `provider_anthropic`, `provider_openai` and `provider_chat`.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One answer as bytes."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cut_at: int | None = None
    """The connection ends after so many bytes of the body, without a word."""
    sized: bool = True
    """False: no length is given, so that a cut looks like the end."""
    silent: bool = False
    """No answer at all, for as long as the client waits."""

    def cut(self, at: int) -> Reply:
        """The same answer, cut."""
        return replace(self, cut_at=at)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Any


def json_reply(data: Any, *, status: int = 200, **headers: str) -> Reply:
    """An answer in one piece of JSON; ``retry_after="3"`` is the header Retry-After."""
    body = data if isinstance(data, bytes) else json.dumps(data).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(body=body, status=status, headers={"content-type": "application/json"} | named)


def sse_reply(events: Iterable[tuple[str, str]], **headers: str) -> Reply:
    """A stream of (event, data); events without a name have none."""
    lines = [(f"event: {name}\n" if name else "") + f"data: {data}\n\n" for name, data in events]
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(body="".join(lines).encode(), headers={"content-type": "text/event-stream"} | named, sized=False)


SILENT = Reply(silent=True)
DROPPED = Reply(cut_at=0, headers={"content-type": "application/json"}, body=b"{}")


class ProviderServer:
    """``server.replies`` are given in order, one a request; when there are none, the last one again."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = deque(replies)
        self.asked: list[Asked] = []
        self.url = ""

    async def __aenter__(self) -> ProviderServer:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, path, _ = head[0].split(" ")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:-2])}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            self.asked.append(Asked(method=method, path=path, headers=headers, body=json.loads(body or b"null")))
            reply = self.replies.popleft() if len(self.replies) > 1 else self.replies[0]
            if reply.silent:
                await reader.read()
                return
            length = f"Content-Length: {len(reply.body)}\r\n" if reply.sized else ""
            lines = "".join(f"{name}: {value}\r\n" for name, value in reply.headers.items())
            writer.write(f"HTTP/1.1 {reply.status} -\r\n{lines}{length}Connection: close\r\n\r\n".encode())
            writer.write(reply.body[: reply.cut_at])
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client went away
        finally:
            writer.close()
