"""What every connector gets from its client: limits, and no word about the credential."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from agents.errors import HelpdeskUnavailable
from service.helpdesks import client as module
from service.helpdesks.client import HelpdeskClient

SECRET = {"Authorization": "Bearer secret-token"}


class Answers:
    """A server that answers with the bytes it was given, one after the other, and keeps what it was asked."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.asked.append(head)
        length = next((int(line.split(":")[1]) for line in head.lower().split("\r\n") if "content-length" in line), 0)
        await reader.readexactly(length)
        answer = self.answers.pop(0) if self.answers else b""
        if answer == b"silence":
            await reader.read()
        else:
            writer.write(answer)
        writer.close()


@asynccontextmanager
async def serving(*answers: bytes, **limits: Any) -> AsyncIterator[tuple[Answers, HelpdeskClient]]:
    given = Answers(*answers)
    server = await asyncio.start_server(given.serve, "127.0.0.1", 0)
    url = "http://{}:{}".format(*server.sockets[0].getsockname())
    yield given, HelpdeskClient(url=url, headers=SECRET, **{"pause": 0.01, **limits})
    server.close()


def answer(status: int, body: bytes = b"{}", headers: str = "") -> bytes:
    head = f"HTTP/1.1 {status} -\r\n{headers}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


async def nothing() -> None:
    return None


async def test_a_busy_helpdesk_says_when_to_come_back() -> None:
    async with serving(answer(429, headers="Retry-After: 0\r\n"), answer(200, b'{"a": 1}'), pause=3600) as (_, client):
        assert await client.read("/x") == {"a": 1}


async def test_whoever_asks_for_too_much_patience_is_left() -> None:
    async with serving(answer(429, headers="Retry-After: 3600\r\n")) as (given, client):
        with pytest.raises(HelpdeskUnavailable) as caught:
            await client.read("/x")
        assert caught.value.retry_after == 3600
        assert len(given.asked) == 1


async def test_a_broken_helpdesk_is_asked_as_often_as_is_allowed() -> None:
    async with serving(*[answer(500)] * 9, attempts=3) as (given, client):
        with pytest.raises(HelpdeskUnavailable, match="status 500"):
            await client.read("/x")
        assert len(given.asked) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 405, 409, 422, 302, 307])
async def test_what_will_not_change_is_not_tried_again(status: int) -> None:
    async with serving(answer(status, headers="Location: http://127.0.0.2/\r\n")) as (given, client):
        with pytest.raises(HelpdeskUnavailable, match=str(status)) as caught:
            await client.write("POST", "/x", {})
        assert len(given.asked) == 1
        assert "secret" not in f"{caught.value!r}{client!r}"


async def test_silence_is_waited_for_only_so_long() -> None:
    async with serving(b"silence", answer(200, b"[]"), timeout=0.5) as (_, client):
        assert await client.read("/x") == []


async def test_a_write_lost_in_silence_is_never_sent_again() -> None:
    async with serving(b"silence", answer(200), timeout=0.5, attempts=3) as (given, client):
        with pytest.raises(HelpdeskUnavailable, match="no whole answer"):
            await client.write_once("/x", {}, nothing)
        assert len(given.asked) == 1


@pytest.mark.parametrize("status, sent", [(429, 2), (500, 2), (503, 2), (502, 1), (504, 1)])
async def test_a_write_is_sent_again_only_if_the_helpdesk_has_finished_with_it(status: int, sent: int) -> None:
    async with serving(answer(status), answer(201), attempts=3) as (given, client):
        with pytest.raises(HelpdeskUnavailable):
            await client.write_once("/x", {}, nothing)
        assert len(given.asked) == sent


async def test_a_write_that_stands_is_not_sent() -> None:
    async def standing() -> str:
        return "it stands"

    async with serving() as (given, client):
        assert await client.write_once("/x", {}, standing) == "it stands"
        assert given.asked == []


async def test_a_key_goes_with_what_may_be_repeated() -> None:
    async with serving(answer(500), answer(200)) as (given, client):
        await client.write("PUT", "/x", {"text": "您好"}, key="k-1")
        assert ["idempotency-key: k-1" in head.lower() for head in given.asked] == [True, True]


async def test_an_answer_may_be_only_so_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_JSON", 10)
    async with serving(answer(200, b"[" + b" " * 10 + b"]")) as (given, client):
        with pytest.raises(HelpdeskUnavailable, match="larger than 10 bytes"):
            await client.read("/x")
        assert len(given.asked) == 1


async def test_a_file_may_be_only_so_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_FILE", 2)
    async with serving(answer(200, b"\x00\x01"), answer(404), answer(200, b"\x00\x01\x02")) as (_, client):
        assert await client.download("/file") == b"\x00\x01"
        assert await client.download("/file") is None
        with pytest.raises(HelpdeskUnavailable, match="larger than 2 bytes"):
            await client.download("/file")


async def test_deeply_nested_answers_are_no_json() -> None:
    async with serving(*[answer(200, b"[" * 100_000)] * 4, attempts=2) as (_, client):
        with pytest.raises(HelpdeskUnavailable, match="no JSON"):
            await client.read("/x")


@pytest.mark.parametrize("url", ["ftp://desk.example", "desk.example", "https://", "https://ann:pw@desk.example"])
def test_an_address_that_cannot_be_used(url: str) -> None:
    with pytest.raises(ValueError, match="https://host"):
        HelpdeskClient(url=url, headers=SECRET)


@pytest.mark.parametrize("token", ["", " secret", "sécret", "secret\r\nX: y"])
def test_a_credential_that_cannot_be_used_is_not_shown(token: str) -> None:
    with pytest.raises(ValueError, match="Authorization") as caught:
        HelpdeskClient(url="https://desk.example", headers={"Authorization": token})
    assert "cret" not in str(caught.value)
