"""The only way out of a script: a proxy on this machine that connects to the hosts that were named and to no other.

To intercept requests in the page is not enough: redirects, web sockets and what workers fetch pass that by.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

DEFAULT_PORTS = {"http": 80, "https": 443}
MAX_HEAD = 256 * 1024
"""Bytes of a request line with its headers."""


def is_named(url: str, hosts: Iterable[str]) -> bool:
    """True if the host of ``url`` is one of ``hosts``: ``host:port``, or ``host`` at its default port."""
    try:
        parts = urlsplit(url)
        place = (parts.hostname, parts.port or DEFAULT_PORTS[parts.scheme])
    except (ValueError, KeyError):
        return False
    if not parts.hostname:
        return False
    named = [urlsplit(f"//{host}") for host in hosts]
    return any(place == (host.hostname, host.port or DEFAULT_PORTS[parts.scheme]) for host in named)


@asynccontextmanager
async def gate(hosts: Iterable[str]) -> AsyncIterator[str]:
    """A running proxy, by its address; whoever asks it for another host is hung up on."""
    named = tuple(hosts)
    open_now: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(_serve(reader, writer, named))
        open_now.add(task)
        task.add_done_callback(open_now.discard)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=MAX_HEAD)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in open_now:
            task.cancel()
        await asyncio.gather(*open_now, return_exceptions=True)


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, named: tuple[str, ...]) -> None:
    try:
        with suppress(OSError, ValueError, EOFError, asyncio.LimitOverrunError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            line, _, headers = head.partition("\r\n")
            method, target, version = line.split(" ")
            tunnel = method == "CONNECT"
            url = f"https://{target}" if tunnel else target
            if not is_named(url, named) and not (tunnel and is_named(f"http://{target}", named)):
                return
            parts = urlsplit(url)
            there = await asyncio.open_connection(parts.hostname, parts.port or DEFAULT_PORTS[parts.scheme])
            if tunnel:
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
                there[1].write(f"{method} {path} {version}\r\n{_closing(headers)}".encode("latin-1"))
            await _join((reader, writer), there)
    finally:
        writer.close()


def _closing(headers: str) -> str:
    """The headers of one request on a connection of its own."""
    kept = [line for line in headers.split("\r\n") if line and line.partition(":")[0].lower() not in _HOP]
    return "\r\n".join([*kept, "Connection: close", "", ""])


_HOP = frozenset({"connection", "proxy-connection", "keep-alive"})
_Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _join(here: _Ends, there: _Ends) -> None:
    """Carry bytes both ways until the other side has said everything."""
    forth = asyncio.create_task(_carry(here[0], there[1]))
    try:
        await _carry(there[0], here[1])
    finally:
        forth.cancel()
        there[1].close()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(64 * 1024):
            writer.write(data)
            await writer.drain()
