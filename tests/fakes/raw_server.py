"""A server on loopback that answers bytes as it is told, with or without TLS, and keeps what it was asked."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable

Handler = Callable[[str, asyncio.StreamWriter], Awaitable[None]]


def answer(body: bytes = b"", *, status: str = "200 OK", headers: str = "Content-Type: text/plain\r\n") -> bytes:
    """A whole HTTP answer."""
    return f"HTTP/1.1 {status}\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body


def redirect(location: str, status: str = "302 Found") -> bytes:
    """A redirect."""
    return answer(status=status, headers=f"Location: {location}\r\n")


class RawServer:
    """Answers by path; ``server.answers["/a"] = answer(b"...")``, or a coroutine that writes itself."""

    def __init__(self, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> None:
        self.answers: dict[str, bytes | Handler] = {}
        self.requests: list[str] = []
        """Head of every request, as it came."""
        self.names: list[str | None] = []
        """Names asked for in TLS."""
        self.port = 0
        self._host = host
        self._tls = tls
        if tls is not None:
            tls.sni_callback = lambda _socket, name, _context: self.names.append(name)

    @property
    def paths(self) -> list[str]:
        """Paths asked for, in order."""
        return [head.split(" ")[1] for head in self.requests]

    async def __aenter__(self) -> RawServer:
        self._server = await asyncio.start_server(self._serve, self._host, 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            self.requests.append(head)
            path = head.split(" ")[1]
            wanted = self.answers.get(path, answer(status="404 Not Found"))
            if isinstance(wanted, bytes):
                writer.write(wanted)
                await writer.drain()
            else:
                await wanted(path, writer)
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            pass
        finally:
            writer.close()
