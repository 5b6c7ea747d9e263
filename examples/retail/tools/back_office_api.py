"""The back office's JSON API, as the tools beside this file call it."""

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
    return await _send(ctx, "GET", path, token=ctx.setting("back_office_read_token"), params=params)


async def send(ctx: ToolContext, method: str, path: str, body: dict[str, object]) -> Any:
    """POST or PUT with the writing credential."""
    return await _send(ctx, method, path, token=ctx.setting("back_office_write_token"), body=body)


async def _send(
    ctx: ToolContext,
    method: str,
    path: str,
    *,
    token: str,
    params: dict[str, str] | None = None,
    body: dict[str, object] | None = None,
) -> Any:
    url = ctx.setting("back_office_url")
    try:
        async with httpx2.AsyncClient(base_url=url, timeout=TIMEOUT, verify=TLS) as client:
            headers = {"Authorization": f"Bearer {token}"}
            answer = await client.request(method, path, headers=headers, params=params, json=body)
    except httpx2.HTTPError as error:
        if method != "GET":
            raise
        raise ToolFailed(f"the back office at {url} does not answer: {type(error).__name__}", retryable=True) from None
    if answer.status_code >= 500 and method == "GET":
        raise ToolFailed(f"the back office answers {answer.status_code}", retryable=True)
    if 400 <= answer.status_code < 500:
        raise ToolFailed(f"the back office refuses {method} {path}: {answer.status_code} {answer.text[:200]}")
    answer.raise_for_status()
    return answer.json()
