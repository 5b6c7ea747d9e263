"""One call of an operation of an HTTP API: where each argument goes, and what an answer means."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from agents.errors import ToolFailed, ToolOutcomeUnknown
from agents.tools.http import HttpAnswer
from agents.tools.tool import ToolContext
from agents.tools.wire import from_wire

MAX_SAID = 200
"""Characters of what the other side says about a failure."""
_AGAIN = frozenset({408, 425, 429})
_MAYBE_DONE = frozenset({408, 409})
"""Refusals after which the effect may stand: too late, or the same key is at work."""


def url_setting(group: str) -> str:
    """The name of the tool setting that holds the filled-in URL of API ``group``."""
    return f"openapi.{group}.url"


def header_setting(group: str, header: str) -> str:
    """The name of the tool setting that holds a filled-in header of API ``group``."""
    return f"openapi.{group}.headers.{header}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """How one operation is called."""

    group: str
    name: str
    method: str
    path: str
    places: Mapping[str, str]
    """Argument to path, query, query-comma, header, body (a field of it) or whole (all of it)."""
    headers: tuple[str, ...]
    key_header: str | None
    answer_field: str
    has_body: bool

    async def send(self, ctx: ToolContext, args: Mapping[str, Any], reads: bool) -> Any:
        """Call it once; see `agents.tools.declared.Send`."""
        base = ctx.setting(url_setting(self.group)).rstrip("/")
        host = (urlsplit(base).hostname or "").lower()
        secret = {name: ctx.setting(header_setting(self.group, name)) for name in self.headers}
        headers = {"Accept": "application/json", **secret}
        headers |= {name: _text(args[name]) for name in self._at("header", args)}
        headers |= {self.key_header: ctx.key} if self.key_header is not None else {}
        body = self._body(args)
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            answer = await ctx.http.to(host).request(
                self.method, base + self._path(args), headers=headers, content=body, hosts={host}
            )
        except ToolOutcomeUnknown as error:
            if reads:
                raise ToolFailed(str(error), code="no_answer", retryable=True) from None
            raise
        return self._read(answer, reads, secret.values())

    def _read(self, answer: HttpAnswer, reads: bool, secrets: Any) -> Any:
        status = answer.status
        if 200 <= status < 300:
            if not self.has_body:
                return {"status": status}
            try:
                data = from_wire(answer.body)
            except ValueError as error:
                message = f"{self.group} answered {self.name} with what is no JSON: {error}"
                raise (ToolFailed(message) if reads else ToolOutcomeUnknown(message)) from None
            return {self.answer_field: data} if self.answer_field else data
        if status == 404 and reads:
            return None
        message = f"{self.group} answered {self.name} with status {status}{_said(answer.body, secrets)}"
        if not reads and (status >= 500 or status < 400 or status in _MAYBE_DONE):
            raise ToolOutcomeUnknown(message)
        raise ToolFailed(message, code=f"status_{status}", retryable=status >= 500 or status in _AGAIN)

    def _path(self, args: Mapping[str, Any]) -> str:
        path = self.path
        for name in self._at("path", args):
            value = _text(args[name])
            if value in ("", ".", ".."):
                raise ToolFailed(f"{name}: {value!r} cannot stand in a path", code="bad_argument")
            path = path.replace(f"{{{name}}}", quote(value, safe=""))
        query: list[tuple[str, str]] = []
        for name in self._at("query", args):
            values = args[name] if isinstance(args[name], list) else [args[name]]
            query += [(name, _text(value)) for value in values]
        query += [(name, _text(args[name])) for name in self._at("query-comma", args)]
        return f"{path}?{urlencode(query)}" if query else path

    def _body(self, args: Mapping[str, Any]) -> bytes | None:
        if self.places.get("body") == "whole":
            return json.dumps(args["body"]).encode() if "body" in args else None
        if "body" not in self.places.values():
            return None
        return json.dumps({name: args[name] for name in self._at("body", args)}, ensure_ascii=False).encode()

    def _at(self, place: str, args: Mapping[str, Any]) -> list[str]:
        return [name for name, where in self.places.items() if where == place and name in args]


def _text(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case list():
            return ",".join(_text(item) for item in value)
    text = str(value)
    if not text.isprintable():
        raise ToolFailed(
            "an argument has characters that cannot be sent in an address or a header", code="bad_argument"
        )
    return text


def _said(body: bytes, secrets: Any) -> str:
    """What the other side says about a failure, marked as its words, bounded, and without our credentials.

    Nobody vouches for them: messages of errors are for staff, and become no part of what a requester is told.
    """
    text = " ".join(body[: 4 * MAX_SAID].decode("utf-8", "replace").split())
    for secret in secrets:
        for part in (secret, secret.rpartition(" ")[2]):
            text = text.replace(part, "***") if part else text
    shown = "".join(letter for letter in text if letter.isprintable())[:MAX_SAID]
    return f", and says in its own words: {shown!r}" if shown else ""
