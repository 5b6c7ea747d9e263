"""The doorbell: who may ring, and what is never lost by it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from standardwebhooks.webhooks import Webhook

from service.helpdesks import webhooks as module
from service.helpdesks.webhooks import Doorbell, webhook_app

SECRET = "whsec_" + base64.b64encode(b"k" * 24).decode()
PATH_SECRET = "s3cret-in-the-path-of-the-webhook"
RING = b'{"type": "ticket.changed", "data": {"ticket_id": "T-1"}}'


async def post(secret: str, doorbell: Doorbell, *requests: dict[str, Any], path: str = "/webhook") -> list[int]:
    transport = httpx2.ASGITransport(app=webhook_app(secret, doorbell))
    async with httpx2.AsyncClient(transport=transport, base_url="http://settle.example") as client:
        return [(await client.post(path, **request)).status_code for request in requests]


def signed(
    body: bytes = RING, *, id: str = "d-1", secret: str = SECRET, ago: timedelta = timedelta()
) -> dict[str, Any]:
    at = datetime.now(UTC) - ago
    signature = Webhook(secret).sign(id, at, body.decode("utf-8", "surrogateescape"))
    headers = {"webhook-id": id, "webhook-timestamp": str(int(at.timestamp())), "webhook-signature": signature}
    return {"content": body, "headers": headers}


def altered(name: str, value: str) -> dict[str, Any]:
    request = signed()
    request["headers"][name] = value
    return request


async def test_a_signed_delivery_rings_once_however_often_it_comes() -> None:
    doorbell = Doorbell()
    assert await post(SECRET, doorbell, signed(), signed(), signed(id="d-2")) == [204, 204, 204]
    assert doorbell.take() == ("T-1",)
    assert doorbell.take() == ()


FORGED: dict[str, Callable[[], dict[str, Any]]] = {
    "nothing signed": lambda: {"content": RING},
    "another key": lambda: signed(secret="whsec_" + base64.b64encode(b"x" * 24).decode()),
    "too old": lambda: signed(ago=timedelta(minutes=6)),
    "from the future": lambda: signed(ago=timedelta(minutes=-60)),
    "another body": lambda: {**signed(), "content": RING.replace(b"T-1", b"T-2")},
    "another id": lambda: altered("webhook-id", "d-9"),
    "half a signature": lambda: altered("webhook-signature", "v1"),
    "a signature that is no base64": lambda: altered("webhook-signature", "v1,!!!"),
    "an empty signature": lambda: altered("webhook-signature", ""),
    "a time that is none": lambda: altered("webhook-timestamp", "soon"),
    "a body that is no text": lambda: {**signed(), "content": b"\xff\xfe"},
}


@pytest.mark.parametrize("name", FORGED)
async def test_who_cannot_prove_to_be_the_helpdesk_rings_nothing(name: str) -> None:
    doorbell = Doorbell()
    assert await post(SECRET, doorbell, FORGED[name]()) == [401]
    assert doorbell.take() == ()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense",
        b"[" * 100_000,
        b"[]",
        b"{}",
        b'{"ticket_id": null}',
        b'{"ticket_id": true}',
        b'{"ticket_id": ""}',
        b'{"ticket": []}',
        json.dumps({"ticket_id": "T" * 201}).encode(),
    ],
    ids=lambda body: repr(body[:20]),
)
async def test_a_delivery_that_names_no_ticket(body: bytes) -> None:
    doorbell = Doorbell()
    assert await post(SECRET, doorbell, signed(body)) == [400]
    assert doorbell.take() == ()


async def test_too_much_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BODY", 100)
    assert await post(SECRET, Doorbell(), signed(RING + b" " * 100)) == [413]


async def test_a_helpdesk_that_signs_nothing_knows_the_address() -> None:
    doorbell, body = Doorbell(), {"json": {"ticket": {"id": 7, "title": "Broken mug"}, "queue_slug": "support"}}
    assert await post(PATH_SECRET, doorbell, body, path=f"/webhook/{PATH_SECRET}") == [204]
    assert doorbell.take() == ("7",)
    for path, status in (("/webhook/guess", 401), ("/webhook/s\u00e9cret", 401), ("/webhook", 404)):
        assert await post(PATH_SECRET, doorbell, body, path=path) == [status]
    assert doorbell.take() == ()


async def test_ringing_without_end_fills_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 3)
    doorbell = Doorbell()
    requests = [signed(json.dumps({"ticket_id": n}).encode(), id=str(n)) for n in range(5)]
    assert await post(SECRET, doorbell, *requests) == [204] * 5
    assert doorbell.take() == ("0", "1", "2")


@pytest.mark.parametrize("secret", ["", "short", "whsec_", "whsec_!", "é" * 30])
def test_a_secret_that_is_none(secret: str) -> None:
    with pytest.raises(ValueError, match="secret") as caught:
        webhook_app(secret, Doorbell())
    assert not secret or secret not in str(caught.value) or secret == "whsec_"
