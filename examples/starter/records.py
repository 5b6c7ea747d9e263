"""A tiny system of record: bookings in a SQLite file, behind a JSON API with a token each to read, write and audit.

It stands in for your own system (a shop, a calendar, a billing program), and is started by settle.toml.

    GET  /bookings?email=…           {"items": [booking, …]}
    GET  /bookings/40001             a booking: id, email, day, time, status, cancel_reference
    POST /bookings/40001/cancellation   {"reference": "…"}: the booking; cancelled once, under the first reference
"""

from __future__ import annotations

import hmac
import json
import os
import sqlite3
import sys
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

MAY_WRITE = "RECORDS_WRITE_TOKEN"
TOKENS = (MAY_WRITE, "RECORDS_READ_TOKEN", "RECORDS_AUDIT_TOKEN")
FIRST_BOOKINGS = (
    ("40001", "ada@example.com", 12, "09:30"),
    ("40002", "jonas@example.org", 8, "14:00"),
    ("40003", "mira@example.com", 20, "11:15"),
    ("40004", "mira@example.com", 1, "16:45"),
)


class Store:
    """The bookings; used by one thread."""

    def __init__(self, file: Path) -> None:
        """Open the file; its first bookings are some days from the day on which it is made."""
        self._database = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        self._database.row_factory = sqlite3.Row
        columns = "id TEXT PRIMARY KEY, email TEXT, day TEXT, time TEXT, status TEXT DEFAULT 'booked'"
        self._database.execute(f"CREATE TABLE IF NOT EXISTS booking ({columns}, cancel_reference TEXT)")
        now = datetime.now(UTC)
        rows = [(key, email, f"{now + timedelta(days):%Y-%m-%d}", time) for key, email, days, time in FIRST_BOOKINGS]
        self._database.executemany("INSERT OR IGNORE INTO booking (id, email, day, time) VALUES (?, ?, ?, ?)", rows)

    def booking(self, key: str) -> dict[str, Any] | None:
        """One booking, or None."""
        row = self._database.execute("SELECT * FROM booking WHERE id = ?", (key,)).fetchone()
        return None if row is None else dict(row)

    def bookings_of(self, email: str) -> list[dict[str, Any]]:
        """All bookings of one customer."""
        return [dict(row) for row in self._database.execute("SELECT * FROM booking WHERE email = ?", (email,))]

    def cancel(self, key: str, reference: str) -> None:
        """Cancel a booking, unless it is cancelled already."""
        change = "UPDATE booking SET status = 'cancelled', cancel_reference = ? WHERE id = ? AND status = 'booked'"
        self._database.execute(change, (reference, key))


class Handler(BaseHTTPRequestHandler):
    """One request; ``store`` and ``tokens`` are set before the server starts."""

    timeout = 10
    store: Store
    tokens: dict[str, str]

    def do_GET(self) -> None:
        """Read one booking, or those of an address."""
        url = urlsplit(self.path)
        if self._token() is None:
            self._answer(401, {"detail": "a valid bearer token is required"})
        elif url.path == "/bookings":
            self._answer(200, {"items": self.store.bookings_of(parse_qs(url.query).get("email", [""])[0])})
        else:
            self._answer_with(url.path.removeprefix("/bookings/"))

    def do_POST(self) -> None:
        """Cancel one booking."""
        body = self.rfile.read(min(int(self.headers.get("Content-Length") or 0), 10_000))
        key = self.path.removeprefix("/bookings/").removesuffix("/cancellation")
        if self._token() != MAY_WRITE:
            return self._answer(403, {"detail": "this token may not write"})
        self.store.cancel(key, str(json.loads(body)["reference"]))
        return self._answer_with(key)

    def log_message(self, format: str, *args: object) -> None:
        """Requests are not logged."""

    def _token(self) -> str | None:
        given = self.headers.get("Authorization", "").removeprefix("Bearer ").encode()
        return next((name for name, token in self.tokens.items() if hmac.compare_digest(given, token.encode())), None)

    def _answer_with(self, key: str) -> None:
        found = self.store.booking(key)
        self._answer(200 if found else 404, found or {"detail": "there is no such booking"})

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def main() -> None:
    """Serve until standard input ends: when settle is gone, however it ended, this process goes too."""
    Handler.store = Store(Path(sys.argv[sys.argv.index("--database") + 1]))
    Handler.tokens = {name: os.environ[name] for name in TOKENS}
    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.write(1, json.dumps({"url": f"http://127.0.0.1:{server.server_port}"}).encode() + b"\n")
    while os.read(0, 4096):
        pass


if __name__ == "__main__":
    main()
