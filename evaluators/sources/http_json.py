"""Records over HTTP: GET one JSON object per record, with a bearer token that belongs to the evaluators alone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, NoReturn
from urllib.parse import urlsplit

import httpx2
from pydantic import JsonValue, SecretStr

from agents.clock import Clock, SystemClock
from evaluators.errors import SourceUnavailable, UnknownSource
from evaluators.sources.source import acceptable_key, with_age

MAX_BYTES = 1024 * 1024
"""Largest answer that is read."""
MAX_DEPTH = 40
"""Deepest nesting of an answer."""
ATTEMPTS = 3
"""The first request and two more, after connection errors and 5xx answers."""


class HttpJsonSource:
    """A system of record with a JSON API. It only ever sends GET, follows no redirect and ignores proxy variables."""

    def __init__(
        self,
        *,
        name: str,
        base_url: str,
        token: str,
        paths: Mapping[str, str],
        clock: Clock | None = None,
        age_from: tuple[str, ...] = (),
        timeout: float = 10.0,
        pause: float = 0.25,
    ) -> None:
        """Set up a source; nothing is sent yet.

        Args:
            name: what contracts call it (``acme_back_office``), and what errors name.
            base_url: ``https://host``, with a path if the API has one; no user name or password in it.
            token: the evaluators' own read-only credential, sent as ``Authorization: Bearer``.
            paths: the path of each kind of record: ``{"order": "/api/v1/orders/{key}"}``.
            age_from: fields with dates; the first that is not null gives the record's ``age_days``.
            timeout: seconds for one whole request.
            pause: seconds before the second request, twice that before the third.

        Raises:
            ValueError: an argument is unusable; the message never holds the token.
        """
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            raise ValueError(f"source {name}: base_url must look like https://host, without a user name or password")
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            raise ValueError(f"source {name}: the token must be non-empty ASCII without spaces or line breaks")
        for kind, path in paths.items():
            if not path.startswith("/") or path.count("{key}") != 1 or path.replace("{key}", "").count("{"):
                raise ValueError(f"source {name}: the path of {kind} must start with / and hold {{key}} once")
        self.name = name
        self.base_url = base_url.rstrip("/")
        self._token = SecretStr(token)
        self._paths = dict(paths)
        self._clock = clock or SystemClock()
        self._age_from = age_from
        self._timeout = timeout
        self._pause = pause
        self._tls = httpx2.create_ssl_context()

    def __repr__(self) -> str:
        return f"HttpJsonSource(name={self.name!r}, base_url={self.base_url!r}, kinds={sorted(self._paths)!r})"

    async def read(self, kind: str, key: str) -> dict[str, JsonValue] | None:
        """The record on a fresh read, numbers with a fraction as text; None for 404 and for unacceptable keys.

        Raises:
            SourceUnavailable: no connection, an error answer, a redirect, too large, or not a JSON object.
            UnknownSource: no path is set up for ``kind``.
        """
        if kind not in self._paths:
            raise UnknownSource(f"{self.name}.{kind}", tuple(f"{self.name}.{known}" for known in sorted(self._paths)))
        if not acceptable_key(key):
            return None
        status, body = await self._get(self.base_url + self._paths[kind].replace("{key}", key))
        if status == 404:
            return None
        if status != 200:
            self._refuse(status)
        return with_age(self._record(body), self._age_from, self._clock.now())

    async def _get(self, url: str) -> tuple[int, bytes]:
        """Status and body; the body is empty for every status but 200."""
        problem = ""
        for attempt in range(ATTEMPTS):
            await asyncio.sleep(self._pause * attempt)
            try:
                async with (
                    asyncio.timeout(self._timeout),
                    self._client() as client,
                    client.stream("GET", url) as response,
                ):
                    if response.status_code < 500:
                        return response.status_code, await self._body(response)
                    problem = f"answered {response.status_code}"
            except TimeoutError:
                problem = f"gave no answer within {self._timeout:g} seconds"
            except httpx2.HTTPError as error:
                problem = f"could not be reached ({type(error).__name__})"
        raise SourceUnavailable(
            self.name, f"{self.base_url} {problem}, {ATTEMPTS} times; check that the system is up and base_url is right"
        )

    def _client(self) -> httpx2.AsyncClient:
        """A client for one request, whose only time limit is the one around it; no event loop is held on to."""
        headers = {
            "authorization": f"Bearer {self._token.get_secret_value()}",
            "accept": "application/json",
            "accept-encoding": "identity",
        }
        return httpx2.AsyncClient(headers=headers, timeout=None, verify=self._tls, trust_env=False)

    async def _body(self, response: httpx2.Response) -> bytes:
        if response.status_code != 200:
            return b""
        if response.headers.get("content-encoding", "identity") != "identity":
            raise SourceUnavailable(self.name, "answered compressed although asked not to; switch compression off")
        body = bytearray()
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > MAX_BYTES:
                raise SourceUnavailable(
                    self.name, f"the answer is larger than {MAX_BYTES} bytes; point `paths` at a single record"
                )
        return bytes(body)

    def _refuse(self, status: int) -> NoReturn:
        if status in (401, 403):
            advice = "the credential is refused; check the evaluators' read-only token"
        elif 300 <= status < 400:
            advice = "redirects are not followed; set base_url and paths to the final address"
        else:
            advice = "check base_url and paths"
        raise SourceUnavailable(self.name, f"{self.base_url} answered {status}: {advice}")

    def _record(self, body: bytes) -> dict[str, JsonValue]:
        try:
            record = json.loads(body, parse_float=str, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            record = None
        if not isinstance(record, dict) or _deeper_than(record, MAX_DEPTH):
            raise SourceUnavailable(self.name, "the answer is not one JSON object; check base_url and paths")
        return record


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _deeper_than(value: Any, depth: int) -> bool:
    level = [value]
    for _ in range(depth):
        level = [item for one in level for item in _inside(one)]
        if not level:
            return False
    return True


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
