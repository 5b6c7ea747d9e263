"""The subscriptions' JSON API, as the tools beside this file call it."""

from __future__ import annotations

import ssl
from typing import Any

import httpx2

from agents import ToolContext, ToolFailed

TIMEOUT = 10.0
TLS = ssl.create_default_context()
"""Made once: it takes longer than a request."""


async def fetch(ctx: ToolContext, path: str, params: dict[str, str] | None = None) -> Any:
    """GET with the read-only credential; `ToolFailed` says whether trying again may help."""
    try:
        answer = await _request(ctx, "GET", path, token=ctx.setting("subscriptions_read_token"), params=params)
    except httpx2.HTTPError as error:
        raise ToolFailed(f"the subscriptions do not answer: {type(error).__name__}", retryable=True) from None
    if answer.status_code >= 500:
        raise ToolFailed(f"the subscriptions answer {answer.status_code}", retryable=True)
    return _accepted(answer, f"GET {path}")


async def send(ctx: ToolContext, method: str, path: str, body: dict[str, object]) -> Any:
    """POST or PUT with the writing credential, under the call's key; a refusal changed nothing (`ToolFailed`)."""
    body = {**body, "reference": ctx.key}
    answer = await _request(ctx, method, path, token=ctx.setting("subscriptions_write_token"), body=body)
    return _accepted(answer, f"{method} {path}")


async def _request(
    ctx: ToolContext,
    method: str,
    path: str,
    *,
    token: str,
    params: dict[str, str] | None = None,
    body: dict[str, object] | None = None,
) -> httpx2.Response:
    async with httpx2.AsyncClient(base_url=ctx.setting("subscriptions_url"), timeout=TIMEOUT, verify=TLS) as client:
        headers = {"Authorization": f"Bearer {token}"}
        return await client.request(method, f"/api/v1{path}", headers=headers, params=params, json=body)


def _accepted(answer: httpx2.Response, what: str) -> Any:
    if 400 <= answer.status_code < 500:
        raise ToolFailed(f"the subscriptions refuse {what}: {answer.status_code} {answer.text[:200]}")
    answer.raise_for_status()
    return answer.json()
