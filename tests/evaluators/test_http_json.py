"""The HTTP source against a real server on the loopback: what it sends, what it takes, and what it never says."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from agents.clock import ManualClock
from evaluators import HttpJsonSource, SourceUnavailable, UnknownSource
from tests.evaluators.judging import NOW

TOKEN = "audit-token-very-secret"


class Office:
    """A server that gives the prepared answers, one per request, the last one for ever; it notes every request."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        self.answers: list[tuple[int, dict[str, str], bytes]] = [(200, {}, b'{"id": "10482"}')]
        office = self

        class Handler(BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                office.seen.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
                status, headers, body = office.answers.pop(0) if len(office.answers) > 1 else office.answers[0]
                if status == 0:
                    self.close_connection = True
                    return
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                try:
                    self.wfile.write(body)
                except ConnectionError:
                    self.close_connection = True

            do_GET = do_POST = do_PUT = do_DELETE = handle_any

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.answers = [(status, headers, body)]


@pytest.fixture
def office() -> Iterator[Office]:
    office = Office()
    thread = threading.Thread(target=office.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield office
    office.server.shutdown()
    office.server.server_close()
    thread.join()


def source_at(url: str, **changes: Any) -> HttpJsonSource:
    values: dict[str, Any] = {
        "name": "acme_back_office",
        "base_url": url,
        "token": TOKEN,
        "paths": {"order": "/api/v1/orders/{key}"},
        "clock": ManualClock(NOW),
        "age_from": ("delivered_at", "placed_at"),
        "pause": 0,
    }
    return HttpJsonSource(**{**values, **changes})


async def refusal_of(source: HttpJsonSource) -> str:
    with pytest.raises(SourceUnavailable) as caught:
        await source.read("order", "10482")
    assert caught.value.source == "acme_back_office"
    assert TOKEN not in f"{caught.value} {caught.value!r}"
    return str(caught.value)


async def test_a_record_is_one_get_with_the_own_token(office: Office) -> None:
    office.answer(200, b'{"id": "10482", "placed_at": "2026-06-01T00:00:00Z", "delivered_at": null, "weight": 1.50}')
    assert await source_at(office.url + "/").read("order", "10482") == {
        "id": "10482",
        "placed_at": "2026-06-01T00:00:00Z",
        "delivered_at": None,
        "weight": "1.50",
        "age_days": 30,
    }
    [(method, path, headers)] = office.seen
    assert (method, path, headers["authorization"]) == ("GET", "/api/v1/orders/10482", f"Bearer {TOKEN}")


async def test_every_read_is_fresh(office: Office) -> None:
    office.answers = [(200, {}, b'{"n": 1}'), (200, {}, b'{"n": 2}')]
    source = source_at(office.url)
    assert [await source.read("order", "1"), await source.read("order", "1")] == [{"n": 1}, {"n": 2}]


async def test_no_such_record(office: Office) -> None:
    office.answer(404, b'{"detail": "no"}')
    assert await source_at(office.url).read("order", "10482") is None
    assert len(office.seen) == 1


@pytest.mark.parametrize("key", ["", "..", "1/../2", "1?x=1", "1%2F2", "1\n", "1 2", "a" * 65, "\u0661"])
async def test_a_key_that_is_none_reaches_no_server(office: Office, key: str) -> None:
    assert await source_at(office.url).read("order", key) is None
    assert office.seen == []


async def test_a_kind_that_is_not_set_up(office: Office) -> None:
    with pytest.raises(UnknownSource, match=r"acme_back_office\.customer.*did you mean|known") as caught:
        await source_at(office.url).read("customer", "1")
    assert caught.value.known == ("acme_back_office.order",)
    assert office.seen == []


@pytest.mark.parametrize("fault", [500, 503, 0])
async def test_a_fault_is_tried_three_times(office: Office, fault: int) -> None:
    broken: tuple[int, dict[str, str], bytes] = (fault, {}, b"")
    office.answers = [broken, broken, (200, {}, b'{"id": "10482"}')]
    assert await source_at(office.url).read("order", "10482") == {"id": "10482"}
    office.answer(fault)
    office.seen.clear()
    assert "3 times" in await refusal_of(source_at(office.url))
    assert len(office.seen) == 3


async def test_nobody_there() -> None:
    gone = Office()
    gone.server.server_close()
    assert "could not be reached" in await refusal_of(source_at(gone.url))


async def test_no_answer_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert "within 0.05 seconds" in await refusal_of(source_at(url, timeout=0.05))


async def test_an_answer_that_breaks_off(office: Office) -> None:
    office.answer(200, b"", **{"Content-Length": "5"})
    assert "RemoteProtocolError" in await refusal_of(source_at(office.url))


@pytest.mark.parametrize(
    ("status", "advice"),
    [(401, "token"), (403, "token"), (302, "redirects are not followed"), (400, "base_url"), (204, "base_url")],
)
async def test_refusals_say_what_to_do(office: Office, status: int, advice: str) -> None:
    office.answer(status, Location="/elsewhere")
    message = await refusal_of(source_at(office.url))
    assert str(status) in message
    assert advice in message
    assert len(office.seen) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[1]",
        b'"text"',
        b"<html>",
        b'{"a": NaN}',
        b"\xff\xfe",
        b'{"n": ' + b"9" * 5_000 + b"}",
        b"[" * 100_000,
        b'{"a": ' * 60 + b"1" + b"}" * 60,
    ],
)
async def test_what_is_no_record(office: Office, body: bytes) -> None:
    office.answer(200, body)
    assert "not one JSON object" in await refusal_of(source_at(office.url))


async def test_what_is_too_large(office: Office) -> None:
    office.answer(200, b'{"a": "' + b"x" * 1024 * 1024 + b'"}')
    assert "larger than 1048576 bytes" in await refusal_of(source_at(office.url))


async def test_what_is_compressed(office: Office) -> None:
    office.answer(200, b"\x1f\x8b", **{"Content-Encoding": "gzip"})
    assert "compress" in await refusal_of(source_at(office.url))


async def test_the_token_is_in_no_repr(office: Office) -> None:
    source = source_at(office.url)
    assert TOKEN not in f"{source!r} {source!s} {vars(source)!r}"


@pytest.mark.parametrize(
    "wrong",
    [
        {"base_url": "ftp://office"},
        {"base_url": "office"},
        {"base_url": f"https://user:{TOKEN}@office"},
        {"token": ""},
        {"token": TOKEN + "\r\nx: y"},
        {"token": TOKEN + "\u00e9"},
        {"paths": {"order": "orders/{key}"}},
        {"paths": {"order": "/orders"}},
        {"paths": {"order": "/{tenant}/{key}"}},
    ],
)
def test_settings_that_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="acme_back_office") as caught:
        source_at("https://office", **wrong)
    assert TOKEN not in str(caught.value)


async def test_proxies_in_the_environment_see_nothing(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert await source_at(office.url).read("order", "10482") == {"id": "10482"}
