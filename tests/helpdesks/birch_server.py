"""Birch, a helpdesk that does not exist: threads of posts, newest first, whole seconds, and every POST counts."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from itertools import count
from typing import Any

import httpx2
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

TOKEN = "birch-secret"
AGENT, STAFF = 71, 72
PHASES = {"fresh", "on_hold", "team", "done", "spam"}
PAGE = 2


class BirchServer:
    """The desk in memory, with what contacts and accounts do in it."""

    def __init__(self) -> None:
        self.threads: dict[int, dict[str, Any]] = {}
        self.modified: dict[int, datetime] = {}
        self._contacts: dict[str, int] = {}
        self._uploads: dict[int, bytes] = {}
        self._numbers = count(501)
        routes = [
            Route("/threads", self._list),
            Route("/threads/{number:int}", self._thread, methods=["GET", "PATCH"]),
            Route("/threads/{number:int}/posts", self._post, methods=["POST"]),
            Route("/uploads/{uid:int}", self._upload),
        ]
        self.transport = httpx2.ASGITransport(app=Starlette(routes=routes))

    def open(self, text: str, *, subject: str, address: str, file: bytes = b"") -> str:
        """A contact begins a thread."""
        number = next(self._numbers)
        self.threads[number] = {
            "number": number,
            "about": subject,
            "phase": "fresh",
            "contact": self._contact(address),
            "address": address,
            "full_name": "",
            "opened": _now().isoformat(),
            "posts": [],
            "tags": [],
            "continues_in": None,
            "smile": None,
        }
        self.write(number, text, address=address, file=file)
        return str(number)

    def write(
        self,
        number: int,
        text: str,
        *,
        address: str = "",
        account: int | None = None,
        team: bool = False,
        file: bytes = b"",
    ) -> dict[str, Any]:
        """A contact, or an account of the desk, writes a post."""
        uploads = []
        if file:
            uid = next(self._numbers)
            self._uploads[uid] = file
            uploads.append({"uid": uid, "filename": "mug.png", "mime": "image/png", "length": len(file)})
        post = {
            "pid": next(self._numbers),
            "contact": None if account else self._contact(address),
            "account": account,
            "content": text,
            "written": _now().isoformat(),
            "visibility": "team" if team else "everyone",
            "auto_reply": False,
            "uploads": uploads,
        }
        self.change(number)["posts"].insert(0, post)
        return post

    def change(self, number: int, **values: Any) -> dict[str, Any]:
        """The thread, with these values from now on."""
        self.modified[number] = _now()
        self.threads[number].update(values)
        return self.threads[number]

    def _contact(self, address: str) -> int:
        return self._contacts.setdefault(address, len(self._contacts) + 1)

    async def _list(self, request: Request) -> Response:
        _admit(request)
        after = request.query_params.get("modified_after")
        named = [
            number
            for number, modified in sorted(self.modified.items(), key=lambda item: (item[1], item[0]))
            if after is None or modified > datetime.fromisoformat(after)
        ]
        begin = int(request.query_params.get("cursor", "0"))
        more = begin + PAGE < len(named)
        numbers = named[begin : begin + PAGE]
        return JSONResponse({"numbers": numbers, "next_cursor": str(begin + PAGE) if more else None})

    async def _thread(self, request: Request) -> Response:
        thread = self._named(request)
        if request.method == "PATCH":
            body = await request.json()
            if body["phase"] not in PHASES:
                raise HTTPException(422)
            tags = [*thread["tags"], *(tag for tag in body["add_tags"] if tag not in thread["tags"])]
            self.change(thread["number"], phase=body["phase"], tags=tags)
        return JSONResponse(thread)

    async def _post(self, request: Request) -> Response:
        thread, body = self._named(request), await request.json()
        team = {"everyone": False, "team": True}[body["visibility"]]
        post = self.write(thread["number"], body["content"], account=AGENT, team=team)
        return JSONResponse(post, status_code=201)

    async def _upload(self, request: Request) -> Response:
        _admit(request)
        data = self._uploads.get(request.path_params["uid"])
        return Response(status_code=404) if data is None else Response(data, media_type="image/png")

    def _named(self, request: Request) -> dict[str, Any]:
        _admit(request)
        thread = self.threads.get(request.path_params["number"])
        if thread is None:
            raise HTTPException(404)
        return thread


def _admit(request: Request) -> None:
    if request.headers.get("authorization") != f"Token {TOKEN}":
        raise HTTPException(401)


def _now() -> datetime:
    return datetime.now(timezone(timedelta(hours=1))).replace(microsecond=0)
