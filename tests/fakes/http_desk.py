"""A helpdesk with the JSON API of docs/connectors.md: in memory, with keys, in this process."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count
from typing import Any

import httpx2
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

TOKEN = "secret-token"


class HttpDesk:
    """What stands in the helpdesk, its API, and what people do in it."""

    def __init__(self, page: int = 2) -> None:
        self.tickets: dict[str, dict[str, Any]] = {}
        self._files: dict[tuple[str, str], bytes] = {}
        self._done: dict[tuple[str, str, str], Any] = {}
        self._numbers = count(1)
        self._page = page
        self._app = Starlette(
            routes=[
                Route("/tickets", self._list),
                Route("/tickets/{id}", self._get),
                Route("/tickets/{id}/attachments/{file}", self._file),
                Route("/tickets/{id}/messages", self._keyed(self._message), methods=["POST"]),
                Route("/tickets/{id}/status", self._keyed(self._status), methods=["PUT"]),
                Route("/tickets/{id}/hand-off", self._keyed(self._hand_off), methods=["POST"]),
            ]
        )
        self.transport = httpx2.ASGITransport(app=self._app)

    def open(self, text: str, *, subject: str, email: str, file: bytes) -> str:
        id = f"T-{next(self._numbers)}"
        now = datetime.now(UTC).isoformat()
        self.tickets[id] = {
            "id": id, "subject": subject, "status": "open", "opened_at": now, "messages": [], "merged_into": "",
            "requester": {"email": email, "name": "Ann"}, "changed_at": now, "tags": [], "satisfaction": None,
        }  # fmt: skip
        files = []
        if file:
            files = [{"id": "f1", "name": "mug.png", "media_type": "image/png", "size": len(file)}]
            self._files[id, "f1"] = file
        self.write(id, text, author="requester", attachments=files)
        return id

    def write(self, id: str, text: str, *, author: str, public: bool = True, **fields: Any) -> dict[str, Any]:
        now = datetime.now(UTC).isoformat()
        message = {"id": f"m{next(self._numbers)}", "author": author, "text": text, "at": now, "public": public}
        self.tickets[id]["messages"].append(message | fields)
        if author != "agent":
            self.tickets[id]["changed_at"] = now
        return message | fields

    def merge(self, id: str, *, into: str) -> None:
        self.tickets[id] |= {"merged_into": into, "changed_at": datetime.now(UTC).isoformat()}

    def _ticket(self, request: Request) -> dict[str, Any]:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            raise HTTPException(401)
        if request.path_params["id"] not in self.tickets:
            raise HTTPException(404)
        return self.tickets[request.path_params["id"]]

    async def _list(self, request: Request) -> Response:
        since, after = request.query_params.get("changed_since", ""), request.query_params.get("after", "")
        rows = sorted((one["changed_at"], one["id"]) for one in self.tickets.values())
        rows = [(at, id) for at, id in rows if not since or at >= since.replace("Z", "+00:00")]
        start = int(after or 0)
        following = str(start + self._page) if start + self._page < len(rows) else None
        page = [{"id": id, "changed_at": at} for at, id in rows[start : start + self._page]]
        return JSONResponse({"tickets": page, "next": following})

    async def _get(self, request: Request) -> Response:
        return JSONResponse(self._ticket(request))

    async def _file(self, request: Request) -> Response:
        data = self._files.get((self._ticket(request)["id"], request.path_params["file"]))
        return Response(status_code=404) if data is None else Response(data, media_type="image/png")

    def _keyed(self, act: Any) -> Any:
        async def endpoint(request: Request) -> Response:
            ticket, body = self._ticket(request), await request.json()
            place = (ticket["id"], request.url.path, request.headers["Idempotency-Key"])
            if place not in self._done:
                self._done[place] = act(ticket, body, place[2])
            return JSONResponse(self._done[place])

        return endpoint

    def _message(self, ticket: dict[str, Any], body: dict[str, Any], key: str) -> Any:
        return self.write(ticket["id"], body["text"], author="agent", public=body["public"], key=key)

    def _status(self, ticket: dict[str, Any], body: dict[str, Any], key: str) -> Any:
        ticket["status"] = body["status"]
        return {}

    def _hand_off(self, ticket: dict[str, Any], body: dict[str, Any], key: str) -> Any:
        ticket["status"] = "with_staff"
        return self.write(ticket["id"], body["summary"], author="agent", public=False)
