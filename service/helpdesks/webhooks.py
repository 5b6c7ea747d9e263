"""Webhooks of a helpdesk: a doorbell. They say which ticket to look at; what happened is read from the helpdesk."""

from __future__ import annotations

import asyncio
import hmac
import json
from typing import Any

from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

PATH = "/webhook"
SIGNED = "whsec_"
"""How the secret of signed webhooks begins."""
SHORTEST = 24
"""Characters that a secret in the path has at least."""
MAX_BODY = 4 * 1024 * 1024
MAX_WAITING = 10_000
"""Tickets that wait to be looked at; who rings beyond that is found by the next look at the whole helpdesk."""
MAX_KNOWN = 4096
"""Deliveries that are remembered, so that the same one does not ring twice."""


class Doorbell:
    """The tickets that webhooks named, until somebody looks."""

    def __init__(self) -> None:
        self._waiting: dict[str, None] = {}
        self._rung = asyncio.Event()

    def ring(self, ticket_id: str) -> None:
        """Something happened on a ticket; twice is once."""
        if len(self._waiting) < MAX_WAITING:
            self._waiting[ticket_id] = None
        self._rung.set()

    async def rung(self) -> None:
        """Return when somebody rang."""
        await self._rung.wait()

    def take(self) -> tuple[str, ...]:
        """The tickets that were named since the last time, in order."""
        named, self._waiting = tuple(self._waiting), {}
        self._rung.clear()
        return named


def webhook_app(secret: str, doorbell: Doorbell) -> Starlette:
    """The application that webhooks are sent to.

    A ``secret`` that begins with ``whsec_`` signs them, as standardwebhooks.com has it, and they go to ``/webhook``.
    Any other stands in the address, ``/webhook/SECRET``, for helpdesks that sign nothing. Answers: 204 taken, 400 names
    no ticket, 401 not proven to be the helpdesk's or older than five minutes, 413 too large.

    Raises:
        ValueError: the secret is none; the message does not hold it.
    """
    hook = _Hook(secret, doorbell)
    path = PATH if hook.signed else f"{PATH}/{{secret}}"
    return Starlette(routes=[Route(path, hook.deliver, methods=["POST"])])


class _Refused(Exception):
    def __init__(self, status: int) -> None:
        self.status = status


class _Hook:
    def __init__(self, secret: str, doorbell: Doorbell) -> None:
        self.signed = secret.startswith(SIGNED)
        if not self.signed and (len(secret) < SHORTEST or not secret.isascii()):
            raise ValueError(f"a webhook secret begins with {SIGNED} or has at least {SHORTEST} ASCII characters")
        try:
            self._webhook = Webhook(secret) if self.signed else None
        except Exception:
            raise ValueError(f"what follows {SIGNED} in a webhook secret is base64") from None
        self._secret = secret
        self._doorbell = doorbell
        self._known: dict[str, None] = {}

    async def deliver(self, request: Request) -> Response:
        try:
            if not self.signed:
                self._check_path(request)
            body = await _read(request)
            if self.signed:
                self._check_signature(body, request)
            ticket_id = _ticket_id(body)
        except _Refused as refused:
            return Response(status_code=refused.status)
        if self._is_new(request.headers.get("webhook-id", "")):
            self._doorbell.ring(ticket_id)
        return Response(status_code=204)

    def _check_path(self, request: Request) -> None:
        given = str(request.path_params["secret"])
        if not hmac.compare_digest(given.encode(), self._secret.encode()):
            raise _Refused(401)

    def _check_signature(self, body: bytes, request: Request) -> None:
        assert self._webhook is not None, "signed webhooks have a key"
        try:
            self._webhook.verify(body, dict(request.headers), json_parse=False)
        except (WebhookVerificationError, ValueError):  # a malformed signature, or a body that is no text
            raise _Refused(401) from None

    def _is_new(self, delivery: str) -> bool:
        if not self.signed:  # nobody vouches for an id
            return True
        new = delivery not in self._known
        self._known[delivery] = None
        while len(self._known) > MAX_KNOWN:
            del self._known[next(iter(self._known))]
        return new


async def _read(request: Request) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY:
            raise _Refused(413)
    return bytes(body)


def _ticket_id(body: bytes) -> str:
    """From ``{"ticket_id": ...}`` or ``{"ticket": {"id": ...}}``, there or below ``data``."""
    try:
        payload: Any = json.loads(body)
    except (ValueError, RecursionError):
        raise _Refused(400) from None
    payload = payload.get("data", payload) if isinstance(payload, dict) else payload
    if isinstance(payload, dict):
        ticket = payload.get("ticket")
        id = payload.get("ticket_id", ticket.get("id") if isinstance(ticket, dict) else None)
        if isinstance(id, str | int) and not isinstance(id, bool) and 0 < len(str(id)) <= 200:
            return str(id)
    raise _Refused(400)
