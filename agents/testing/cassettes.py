"""Cassettes: HTTP answers that were recorded once and are played ever after, without secrets, network or keys.

vcrpy does the recording, `agents.testing.cleaning` says what may stand in the file, and this module makes sure that
nothing goes past it. A test fails when a request is not on its cassette, when an answer on it is not played, and when
anything connects to anywhere, whatever library it is that does.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

from agents.testing.cleaning import Cleaner

RECORD = "SETTLE_RECORD_CASSETTES"
"""The environment variable that has cassettes recorded anew: ``SETTLE_RECORD_CASSETTES=1 pytest tests/test_it.py``."""
_SECRET_VARIABLE = re.compile(r".*(KEY|TOKEN|SECRET|PASSWORD|CREDENTIALS?)", re.IGNORECASE)
_SHORTEST = 8
"""An environment variable with fewer characters is no secret: it would be found everywhere."""


class CassetteFailed(AssertionError):
    """A cassette is missing, was not played as it is, or something went past it; the message says what."""


class Cassette:
    """One cassette while its test runs."""

    def __init__(self, path: Path, *, recording: bool) -> None:
        self.path = path
        self.recording = recording
        """True while it is recorded: requests then really go out."""
        self._cleaner = Cleaner(
            value for name, value in os.environ.items() if _SECRET_VARIABLE.fullmatch(name) and len(value) >= _SHORTEST
        )
        self._strangers: list[str] = []
        self._past: list[str] = []

    def hide(self, *secrets: str) -> None:
        """These values are secrets too, wherever they stand; say so before the first request.

        Known without being told are the values of environment variables that are called key, token, secret or
        password, and what stands in fields and parameters of such names.
        """
        self._cleaner.hide(*secrets)

    @contextmanager
    def inserted(self) -> Iterator[Cassette]:
        """Record or play; at the end, `CassetteFailed` unless everything on it was played and nothing else was asked.

        Raises:
            CassetteFailed: there is no such cassette yet, or vcrpy is not installed.
        """
        try:
            import vcr  # only now: it patches what it finds imported, and no test without a cassette needs it
        except ImportError:
            raise CassetteFailed("cassettes need vcrpy: pip install 'settle-agents[testing]'") from None
        if not self.recording and not self.path.is_file():
            raise CassetteFailed(f"there is no {self.path}; record it: {RECORD}=1 pytest ...")
        recorder = vcr.VCR(
            record_mode=vcr.mode.ALL if self.recording else vcr.mode.NONE,
            serializer="settle",
            match_on=("method", "scheme", "host", "port", "path", "query", "body"),
            before_record_request=self._request,
            before_record_response=self._response,
            decode_compressed_response=True,
            drop_unused_requests=True,
        )
        recorder.register_serializer("settle", _Introduced)
        with recorder.use_cassette(str(self.path)) as tape:
            if self.recording:
                yield self
                count, unplayed = len(tape), []
            else:
                tape.can_play_response_for = self._noticing(tape.can_play_response_for)
                with patch.multiple(socket.socket, connect=self._refuse, connect_ex=self._refuse), self._no_names():
                    yield self
                count = len(tape)
                unplayed = [
                    f"{one.method} {one.uri}" for at, one in enumerate(tape.requests) if not tape.play_counts[at]
                ]
        self._finish(count, unplayed)

    def _finish(self, count: int, unplayed: list[str]) -> None:
        wrong = [f"not on it: {one}" for one in self._strangers]
        wrong += [f"past it, a connection to {one}" for one in self._past]
        wrong += [f"not played: {one}" for one in unplayed]
        if self.recording and not count:
            wrong.append("nothing was recorded: no request was made, or by a library that vcrpy does not know")
        if wrong:
            hint = "" if self.recording else f"\nIf that is as it should be, record it anew: {RECORD}=1 pytest ..."
            raise CassetteFailed("\n  ".join([f"{self.path}:", *wrong]) + hint)

    def _noticing(self, can_play: Callable[[Any], bool]) -> Callable[[Any], bool]:
        def noticing(request: Any) -> bool:
            found = can_play(request)
            if not found:
                cleaned = self._request(request)
                self._strangers.append(f"{cleaned.method} {cleaned.uri}")
            return found

        return noticing

    @property
    def _refuse(self) -> Callable[..., Any]:
        def refuse(connecting: socket.socket, address: Any) -> Any:
            if connecting.family not in (socket.AF_INET, socket.AF_INET6):
                return _connect(connecting, address)
            raise self._went_past(":".join(map(str, address[:2])))

        return refuse

    @contextmanager
    def _no_names(self) -> Iterator[None]:
        """Looking up a name is the first step past a cassette, and is noticed where there is no network either."""

        def look_up(host: Any, *more: Any, **options: Any) -> Any:
            raise self._went_past(str(host))

        with patch.object(socket, "getaddrinfo", look_up):
            yield

    def _went_past(self, where: str) -> CassetteFailed:
        self._past.append(where)
        return CassetteFailed(f"{self.path}: a connection to {where} went past the cassette")

    def _request(self, request: Any) -> Any:
        cleaned = copy(request)
        cleaned.uri = self._cleaner.address(request.uri)
        cleaned.headers = self._cleaner.sent(request.headers)
        if request.body:
            cleaned.body = self._cleaner.body(request.body, str(request.headers.get("content-type", "")))
        return cleaned

    def _response(self, response: dict[str, Any]) -> dict[str, Any]:
        headers = self._cleaner.answered(response["headers"])
        kind = next((values[0] for name, values in headers.items() if name.lower() == "content-type"), "")
        return {
            **response,
            "headers": headers,
            "body": {"string": self._cleaner.body(response["body"]["string"], kind)},
        }


class _Introduced:
    """The cassette as YAML, with words about where it comes from."""

    @staticmethod
    def serialize(data: Mapping[str, Any]) -> str:
        from vcr.serializers import yamlserializer

        hosts = sorted({urlsplit(one["request"]["uri"]).hostname or "" for one in data["interactions"]})
        local = [host for host in hosts if host in ("127.0.0.1", "localhost", "::1")]
        words = ["# Recorded by settle's pytest plugin; headers, and secrets in addresses and bodies, were taken out."]
        words += [f"# Answered by a stand-in at {host} when it was recorded, not by a provider." for host in local]
        text: str = yamlserializer.serialize(data)
        return "\n".join([*words, text])

    @staticmethod
    def deserialize(text: str) -> Any:
        from vcr.serializers import yamlserializer

        return yamlserializer.deserialize(text)


_connect: Callable[[socket.socket, Any], Any] = socket.socket.connect
