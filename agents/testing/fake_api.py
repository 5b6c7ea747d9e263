"""A small HTTP API on loopback, for tools that call one: it answers what the test says, and keeps what it was asked.

def issue(asked: Asked) -> object:
    return vouchers.setdefault(asked.body["reference"], {"id": "V-1", "order_id": asked.body["order_id"]})

api.on("GET /orders/10001", {"id": "10001", "status": "delivered"})
api.on("POST /vouchers", issue)
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request as it came."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """Names in lower case."""
    body: Any
    """What its JSON says, or its text where it is none; None where nothing was sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An answer with a status of its own: ``Refusal(status=404)``."""

    status: int
    body: Any = None


class LostAnswer(Exception):
    """Raise it in an answer's function: the connection ends without a word, whatever was done before."""


class FakeApi:
    """The API; ``url`` is its address. What nobody said anything about is a 404."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        """Every request, in order."""
        self._answers: dict[str, Any] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        host, port = self._server.server_address[:2]
        self.url = f"http://{host!s}:{port}"

    def on(self, request: str, answer: object | Callable[[Asked], object]) -> None:
        """``"GET /orders"`` is answered with ``answer`` as JSON, or with what the function says; a later one counts."""
        method, _, path = request.partition(" ")
        if not (method.isupper() and path.startswith("/")):
            raise ValueError(f"{request!r} names no method and path: write 'GET /orders'")
        self._answers[request] = answer

    def close(self) -> None:
        """Stop it; what is under way is not waited for."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, asked: Asked) -> Refusal:
        """What a request is answered, after it was kept."""
        self.asked.append(asked)
        answer = self._answers.get(f"{asked.method} {asked.path}", Refusal(status=404, body={"error": "not found"}))
        if callable(answer):
            answer = answer(asked)
        return answer if isinstance(answer, Refusal) else Refusal(status=200, body=answer)


def _said(sent: bytes) -> Any:
    try:
        return json.loads(sent) if sent else None
    except ValueError:
        return sent.decode(errors="replace")


def _handler(api: FakeApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            parts = urlsplit(self.path)
            sent = self.rfile.read(int(self.headers.get("content-length", "0")))
            asked = Asked(
                method=self.command,
                path=parts.path,
                query=dict(parse_qsl(parts.query, keep_blank_values=True)),
                headers={name.lower(): value for name, value in self.headers.items()},
                body=_said(sent),
            )
            try:
                answer = api.answer(asked)
            except LostAnswer:
                self.close_connection = True
                return
            except Exception as error:
                answer = Refusal(status=500, body={"error": repr(error)})
            body = json.dumps(answer.body).encode()
            self.send_response(answer.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _serve

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler
