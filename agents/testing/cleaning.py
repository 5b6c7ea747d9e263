"""Takes secrets out of HTTP requests and answers before they are written into a cassette."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

REMOVED = "[removed]"
"""What stands in a cassette in the place of a secret."""
_SENT_HEADERS = frozenset({"accept", "content-type", "anthropic-version", "anthropic-beta", "openai-beta"})
"""The headers of requests that are kept; every other may hold who knows what."""
_NO_HEADER = re.compile("cookie|auth|token|secret|key|session|signature|organization|project|account", re.IGNORECASE)
"""The headers of answers that are not kept."""
_SECRET = re.compile(
    r"(x[-_]?)?(api[-_]?key|apikey|key|token|secret|password|passwd|credentials?|authorization|signature|sig|"
    r"amz[-_](credential|security[-_]token|signature)|"
    r"(access|refresh|id|session|bearer|auth|client|private)[-_]?(token|key|secret))",
    re.IGNORECASE,
)
"""Fields and query parameters whose value is a secret."""


class Cleaner:
    """Knows what is secret by its name, and by its value."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._hidden = {one for one in secrets if one}

    def hide(self, *secrets: str) -> None:
        """These values are secret too."""
        self._hidden.update(one for one in secrets if one)

    def sent(self, headers: Mapping[str, Any]) -> dict[str, str]:
        """What is kept of a request's headers."""
        return {name: self._without(_text(value)) for name, value in headers.items() if name.lower() in _SENT_HEADERS}

    def answered(self, headers: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
        """What is kept of an answer's headers."""
        return {
            name: [self._header(name.lower(), value) for value in values]
            for name, values in headers.items()
            if not _NO_HEADER.search(name) and name.lower() not in ("content-length", "date")
        }

    def _header(self, name: str, value: str) -> str:
        if name == "location":
            return self.address(value)
        plain = unquote(value)
        return self._without(value) if self._without(plain) == plain else REMOVED

    def address(self, url: str) -> str:
        """``url`` without user, secret parameters, and the port of a server on this machine: it is never the same."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        local = host in ("127.0.0.1", "localhost", "::1")
        place = f"[{host}]" if ":" in host else host
        if parts.port is not None and not local:
            place = f"{place}:{parts.port}"
        path = unquote(parts.path)
        cleaned = self._without(path)
        path = parts.path if cleaned == path else quote(cleaned)
        return self._without(urlunsplit((parts.scheme, place, path, self._fields(parts.query), "")))

    def _fields(self, text: str) -> str:
        """A query, or a form."""
        fields = parse_qsl(text, keep_blank_values=True)
        return urlencode(
            [
                (self._without(name), REMOVED if _SECRET.fullmatch(name) else self._without(value))
                for name, value in fields
            ]
        )

    def body(self, body: Any, kind: str) -> bytes:
        """``body`` without secrets; ``kind`` is its content type."""
        raw = body if isinstance(body, bytes) else str(body).encode()
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            return self._without_bytes(raw)
        if "json" in kind:
            text = self._json(text)
        elif "event-stream" in kind:
            text = re.sub(r"(?m)^(data: ?)(.*?)(\r?)$", lambda line: line[1] + self._json(line[2]) + line[3], text)
        elif "form-urlencoded" in kind:
            text = self._fields(text)
        return self._without_bytes(text.encode())

    def _json(self, text: str) -> str:
        """JSON ``text`` without secrets; as it is where there is none, or where it is no JSON."""
        try:
            data = json.loads(text)
        except ValueError:
            return text
        cleaned = self._data(data)
        return text if cleaned == data else json.dumps(cleaned, ensure_ascii=False)

    def _data(self, data: Any) -> Any:
        match data:
            case str():
                return self._without(data)
            case dict():
                return {
                    self._without(name): REMOVED
                    if isinstance(value, str) and _SECRET.fullmatch(name)
                    else self._data(value)
                    for name, value in data.items()
                }
            case list():
                return [self._data(value) for value in data]
            case _:
                return data

    def _without(self, text: str) -> str:
        return self._without_bytes(text.encode()).decode()

    def _without_bytes(self, data: bytes) -> bytes:
        for secret in sorted(self._hidden, key=len, reverse=True):
            for written in (secret, json.dumps(secret)[1:-1], urlencode({"": secret})[1:]):
                data = data.replace(written.encode(), REMOVED.encode())
        return data


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
