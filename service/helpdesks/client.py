"""How connectors talk to a helpdesk over HTTP: bounded tries, bounded answers, and nothing written twice.

A request ends in one of four ways. It was *refused*, and trying again is no use. It *passed by*: the helpdesk was not
reached, was busy or broke down, and has finished with it. It got *lost*: nobody knows whether it was, or still is
being, carried out. Or it was answered. What may be repeated is tried again within limits; what may not be is looked
for before every try, and never sent again once it got lost.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx2
from pydantic import BaseModel, JsonValue, ValidationError

from agents.errors import HelpdeskUnavailable

MAX_JSON = 16 * 1024 * 1024
"""Bytes of an answer that are read at most."""
MAX_FILE = 32 * 1024 * 1024
"""Bytes of an attachment that are read at most."""
_FINISHED = {429, 500, 503}
_STILL_AT_IT = {408, 502, 504}
_Found = TypeVar("_Found")
_Row = TypeVar("_Row", bound=BaseModel)


class _Failed(Exception):
    """A request that was not answered with what was wanted."""

    def __init__(
        self, message: str, *, passing: bool = False, lost: bool = False, retry_after: float | None = None
    ) -> None:
        self.passing = passing or lost
        self.lost = lost
        self.retry_after = retry_after
        super().__init__(message)


class HelpdeskClient:
    """Requests to one helpdesk. It follows no redirect, ignores proxy variables, and no error holds its credential."""

    def __init__(
        self,
        *,
        url: str,
        headers: Mapping[str, str],
        timeout: float = 20.0,
        attempts: int = 4,
        pause: float = 0.5,
        patience: float = 60.0,
    ) -> None:
        """Set up a client; nothing is sent yet.

        Args:
            url: ``https://host``, with a path if the API has one; no user name or password in it.
            headers: sent with every request, the credential among them.
            timeout: seconds for one whole request.
            attempts: how often a request is sent at most.
            pause: seconds before the second attempt, doubled before each further one; ``Retry-After`` goes first.
            patience: seconds from the first attempt after which no other is begun.

        Raises:
            ValueError: ``url`` or a header cannot be used; the message holds no header's value.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            raise ValueError("a helpdesk's url must look like https://host, without a user name or password")
        for name, value in headers.items():
            if not value or not value.isascii() or not value.isprintable() or value != value.strip():
                raise ValueError(f"the helpdesk's {name} must be non-empty ASCII in one line")
        self._url = url.rstrip("/")
        self._host = parts.netloc
        self._headers = dict(headers)
        self._timeout = timeout
        self._attempts = attempts
        self._pause = pause
        self._patience = patience
        self._tls = httpx2.create_ssl_context()

    def __repr__(self) -> str:
        return f"HelpdeskClient({self._url!r})"

    async def read(self, path: str, params: Mapping[str, str] | None = None) -> JsonValue | None:
        """The JSON at ``path``; None for 404.

        Raises:
            HelpdeskUnavailable: no usable answer within the limits.
        """
        return await self._repeated(lambda: self._json("GET", path, params=params))

    async def download(self, path: str) -> bytes | None:
        """The bytes at ``path``; None for 404. Raises `HelpdeskUnavailable`."""
        return await self._repeated(lambda: self._answer("GET", path, headers=self._headers, limit=MAX_FILE))

    async def write(self, method: str, path: str, body: Mapping[str, Any], *, key: str = "") -> JsonValue | None:
        """Write what is the same when it is written twice, because it is or because the helpdesk heeds ``key``.

        Args:
            key: sent as ``Idempotency-Key``.

        Returns:
            The answer; None for 404, and an empty object where there is none.

        Raises:
            HelpdeskUnavailable: no usable answer within the limits; it may have been written.
        """
        headers = {**self._headers, **({"Idempotency-Key": key} if key else {})}
        return await self._repeated(lambda: self._json(method, path, body=body, headers=headers))

    async def write_once(
        self, path: str, body: Mapping[str, Any], look: Callable[[], Awaitable[_Found | None]]
    ) -> _Found:
        """POST what the helpdesk itself would write twice: only while ``look`` finds that it does not stand.

        Returns:
            What ``look`` finds in the end.

        Raises:
            HelpdeskUnavailable: it does not stand, as far as can be seen, within the limits. If it got lost it may
                still come to stand, so a later call looks again before it writes.
        """
        tries = _Tries(self._attempts, self._pause, self._patience)
        lost: _Failed | None = None
        while (standing := await look()) is None:
            failed = lost
            if failed is None:
                try:
                    await self._json("POST", path, body=body)
                    failed = lost = _Failed("the helpdesk took a message and does not show it", lost=True)
                    continue
                except _Failed as now:
                    failed = now
                    lost = now if now.lost else None
            await tries.another(failed)
        return standing

    async def _repeated(self, attempt: Callable[[], Awaitable[_Found]]) -> _Found:
        tries = _Tries(self._attempts, self._pause, self._patience)
        while True:
            try:
                return await attempt()
            except _Failed as failed:
                await tries.another(failed)

    async def _json(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> JsonValue | None:
        content = None if body is None else json.dumps(dict(body), ensure_ascii=False).encode()
        answer = await self._answer(
            method, path, params=params, content=content, headers=headers or self._headers, limit=MAX_JSON
        )
        if answer is None:
            return None
        if not answer and method != "GET":
            return {}
        try:
            parsed: JsonValue = json.loads(answer)
        except (ValueError, RecursionError):
            raise _Failed(f"{self._host} answered {method} {path} with what is no JSON", lost=True) from None
        return parsed

    async def _answer(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        limit: int,
        params: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> bytes | None:
        """The body of a 2xx answer, None for 404; anything else is `_Failed`."""
        what = f"{self._host}: {method} {path}"
        if content is not None:
            headers = {**headers, "Content-Type": "application/json"}
        client = httpx2.AsyncClient(
            verify=self._tls, trust_env=False, follow_redirects=False, timeout=self._timeout, headers=headers
        )
        try:
            async with (
                asyncio.timeout(self._timeout),
                client,
                client.stream(method, self._url + path, params=params, content=content) as response,
            ):
                _check(what, response)
                parts, size = [], 0
                async for part in response.aiter_bytes():
                    size += len(part)
                    if size > limit:
                        raise _Failed(f"{what}: the answer is larger than {limit} bytes")
                    parts.append(part)
                return None if response.status_code == 404 else b"".join(parts)
        except (httpx2.ConnectError, httpx2.ConnectTimeout):
            raise _Failed(f"{what}: not reached", passing=True) from None
        except (TimeoutError, httpx2.TimeoutException):
            raise _Failed(f"{what}: no whole answer within {self._timeout:g} s", lost=True) from None
        except httpx2.TransportError:
            raise _Failed(f"{what}: the connection broke", lost=True) from None
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise _Failed(f"{what}: {type(error).__name__}") from None


def parsed(model: type[_Row], answer: object) -> _Row:
    """An answer as a record; `HelpdeskUnavailable` names the field that does not fit."""
    try:
        return model.model_validate(answer)
    except ValidationError as error:
        place = ".".join(map(str, error.errors()[0]["loc"]))
        raise HelpdeskUnavailable(f"the helpdesk's answer has no usable {place or model.__name__}") from None


class _Tries:
    """Counts the attempts at one request, and waits between them."""

    def __init__(self, attempts: int, pause: float, patience: float) -> None:
        self._left = attempts
        self._pause = pause
        self._end = asyncio.get_running_loop().time() + patience

    async def another(self, failed: _Failed) -> None:
        """Return when the next attempt may begin; `HelpdeskUnavailable` if there is to be none."""
        self._left -= 1
        pause = self._pause if failed.retry_after is None else failed.retry_after
        self._pause *= 2
        late = asyncio.get_running_loop().time() + pause > self._end
        if not failed.passing or self._left == 0 or late:
            raise HelpdeskUnavailable(str(failed), retry_after=failed.retry_after) from None
        await asyncio.sleep(pause)


def _check(what: str, response: httpx2.Response) -> None:
    status = response.status_code
    if status in _FINISHED | _STILL_AT_IT:
        wait = response.headers.get("Retry-After", "")
        seconds = float(wait) if wait.isascii() and wait.isdigit() and len(wait) < 6 else None
        message = f"{what}: status {status}"
        raise _Failed(message, passing=True, lost=status in _STILL_AT_IT, retry_after=seconds)
    if status in (401, 403):
        raise _Failed(f"{what}: the helpdesk refuses the credential (status {status})")
    if response.is_redirect:
        raise _Failed(f"{what}: a redirect (status {status}), which is not followed; correct the helpdesk's url")
    if not response.is_success and status != 404:
        raise _Failed(f"{what}: status {status}", passing=status > 500)
