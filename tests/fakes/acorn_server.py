"""The imaginary Acorn Desk: conversations with entries, custom fields, no keys of its own. In memory, no network."""

from __future__ import annotations

import time
from itertools import count
from typing import Any

import httpx2
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

TOKEN = "secret-acorn-token"
PAGE = 2


class AcornServer:
    """What stands in the desk, its API, and what people do in it."""

    def __init__(self) -> None:
        self.conversations: dict[int, dict[str, Any]] = {}
        self._files: dict[int, bytes] = {}
        self._numbers = count(1)
        routes = [
            Route("/v2/conversations", self._list),
            Route("/v2/conversations/{id:int}", self._one, methods=["GET", "PATCH"]),
            Route("/v2/conversations/{id:int}/entries", self._entry, methods=["POST"]),
            Route("/v2/files/{id:int}", self._file),
        ]
        self.transport = httpx2.ASGITransport(app=Starlette(routes=routes))

    def open(self, text: str, *, subject: str, email: str, file: bytes) -> str:
        id = next(self._numbers)
        customer = {"mail": email, "name": "Ann"}
        self.conversations[id] = {
            "id": id, "title": subject, "state": "new", "customer": customer, "created": time.time(), "entries": [],
            "labels": [], "fields": {}, "joined_to": None, "stars": None, "updated": 0.0,
        }  # fmt: skip
        files = []
        if file:
            self._files[id] = file
            files = [{"id": id, "name": "mug.png", "type": "image/png", "bytes": len(file)}]
        self.write(str(id), text, by="customer", files=files)
        return str(id)

    def write(self, id: str, text: str, **fields: Any) -> dict[str, Any]:
        entry = {
            "id": next(self._numbers),
            "body": text,
            "time": time.time(),
            "private": False,
            "source": "",
            "files": [],
        }
        self.conversations[int(id)]["entries"].append(entry | fields)
        self.conversations[int(id)]["updated"] = time.time()
        return entry | fields

    def join(self, id: str, *, to: str) -> None:
        self.conversations[int(id)] |= {"joined_to": int(to), "updated": time.time()}

    def _allowed(self, request: Request) -> None:
        if request.headers.get("X-Acorn-Token") != TOKEN:
            raise HTTPException(401)

    async def _list(self, request: Request) -> Response:
        self._allowed(request)
        after, page = float(request.query_params["updated_after"]), int(request.query_params["page"])
        rows = sorted((one["updated"], one["id"]) for one in self.conversations.values() if one["updated"] >= after)
        items = [{"id": id, "updated": updated} for updated, id in rows[(page - 1) * PAGE : page * PAGE]]
        return JSONResponse({"items": items, "more": len(rows) > page * PAGE})

    async def _one(self, request: Request) -> Response:
        self._allowed(request)
        one = self.conversations.get(request.path_params["id"])
        if one is None:
            raise HTTPException(404)
        if request.method == "PATCH":
            one |= {**await request.json(), "updated": time.time()}
        return JSONResponse(one)

    async def _entry(self, request: Request) -> Response:
        self._allowed(request)
        body = await request.json()
        return JSONResponse(self.write(str(request.path_params["id"]), body.pop("body"), by="bot", **body))

    async def _file(self, request: Request) -> Response:
        self._allowed(request)
        data = self._files.get(request.path_params["id"])
        return Response(status_code=404) if data is None else Response(data)
