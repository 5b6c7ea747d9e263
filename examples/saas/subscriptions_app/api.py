"""The JSON API under /api/v1: bearer tokens, scopes, and answers that are always JSON."""

import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from subscriptions_app.store import Store, SubscriptionError

Handler = Callable[[Request], Awaitable[Response]]
Body = TypeVar("Body", bound=BaseModel)
Text = Annotated[str, Field(min_length=1, max_length=200)]
LARGEST_BODY = 16 * 1024  # bytes


class MissingCredential(Exception):
    """An environment variable that must hold a credential is missing or empty; the message names it."""


class ReferenceBody(BaseModel):
    """Of POST offer and POST offer/acceptance."""

    model_config = ConfigDict(strict=True, extra="forbid")
    reference: Text


class PlanBody(ReferenceBody):
    """Of PUT plan: the plan, and what the change was quoted to come to, in fen."""

    plan: Text
    due_minor: int


class CancellationBody(ReferenceBody):
    """Of POST cancellation."""

    reason: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Bearer tokens: `write` reads and writes, `read` (agents) and `audit` (evaluators) only read; and a password."""

    write: str = field(repr=False)
    read: str = field(repr=False)
    audit: str = field(repr=False)
    password: str = field(repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Credentials":
        """Raises MissingCredential."""

        def value(name: str) -> str:
            if not environment.get("SUBSCRIPTIONS_" + name):
                raise MissingCredential(f"set the environment variable SUBSCRIPTIONS_{name}")
            return environment["SUBSCRIPTIONS_" + name]

        return cls(
            write=value("WRITE_TOKEN"),
            read=value("READ_TOKEN"),
            audit=value("AUDIT_TOKEN"),
            password=value("PASSWORD"),
        )

    def scope(self, authorization: str) -> str:
        """Of an Authorization header: "write", "read", or "" when the token is unknown."""
        scheme, _, token = authorization.partition(" ")
        found = [name for name in ("write", "read", "audit") if same(token.strip(), getattr(self, name))]
        if scheme.lower() != "bearer" or not found:
            return ""
        return "write" if found[0] == "write" else "read"


@dataclass(frozen=True, slots=True)
class Api:
    """The endpoints. A wrong token is 401, a read token on a write 403; a SubscriptionError names its own."""

    store: Store
    credentials: Credentials

    def routes(self) -> list[Route]:
        """All endpoints, relative to /api/v1."""
        one = "/subscriptions/{id}"
        return [
            Route("/subscriptions", self._guarded("read", self.subscriptions), methods=["GET"]),
            Route("/changes", self._guarded("read", self.changes), methods=["GET"]),
            Route(one, self._guarded("read", self.subscription), methods=["GET"]),
            Route(one + "/plan", self._guarded("write", self.change_plan), methods=["PUT"]),
            Route(one + "/offer", self._guarded("write", self.make_offer), methods=["POST"]),
            Route(one + "/offer/acceptance", self._guarded("write", self.accept_offer), methods=["POST"]),
            Route(one + "/cancellation", self._guarded("write", self.cancel), methods=["POST"]),
        ]

    async def subscriptions(self, request: Request) -> Response:
        """{"items": [subscription]} of the customer ?email=."""
        return JSONResponse({"items": await run_in_threadpool(self.store.of_customer, _email(request))})

    async def changes(self, request: Request) -> Response:
        """{"items": [change]}: what the customer ?email= could change to, and what each comes to today."""
        return JSONResponse({"items": await run_in_threadpool(self.store.changes_for, _email(request))})

    async def subscription(self, request: Request) -> Response:
        """One subscription."""
        return JSONResponse(await run_in_threadpool(self.store.subscription, request.path_params["id"]))

    async def change_plan(self, request: Request) -> Response:
        """Change the plan for what was quoted: the subscription after it."""
        body = await _body(request, PlanBody)
        change = partial(self.store.change_plan, plan=body.plan, due_minor=body.due_minor)
        return await self._changed(request, change, body)

    async def make_offer(self, request: Request) -> Response:
        """Make the retention offer: the subscription after it."""
        return await self._changed(request, self.store.make_offer, await _body(request, ReferenceBody))

    async def accept_offer(self, request: Request) -> Response:
        """Take the open offer: the subscription after it."""
        return await self._changed(request, self.store.accept_offer, await _body(request, ReferenceBody))

    async def cancel(self, request: Request) -> Response:
        """Cancel: the subscription after it."""
        body = await _body(request, CancellationBody)
        return await self._changed(request, partial(self.store.cancel, reason=body.reason), body)

    async def _changed(self, request: Request, change: Callable[..., dict[str, Any]], body: ReferenceBody) -> Response:
        return JSONResponse(await run_in_threadpool(change, request.path_params["id"], reference=body.reference))

    def _guarded(self, needed: str, handler: Handler) -> Handler:
        async def guarded(request: Request) -> Response:
            scope = self.credentials.scope(request.headers.get("authorization", ""))
            if not scope:
                return _problem(401, "A valid bearer token is required.", {"WWW-Authenticate": "Bearer"})
            if needed == "write" and scope != "write":
                return _problem(403, "This token may only read.")
            try:
                return await handler(request)
            except SubscriptionError as error:
                return _problem(error.status_code, str(error))
            except HTTPException as error:
                return _problem(error.status_code, error.detail)

        return guarded


def same(given: str, secret: str) -> bool:
    """Whether both are equal; takes equally long for any two of one length."""
    return hmac.compare_digest(given.encode(), secret.encode())


def _problem(status_code: int, message: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"detail": message}, status_code, headers)


def _email(request: Request) -> str:
    email = request.query_params.get("email", "").strip()
    if not email:
        raise HTTPException(422, "Say whose: ?email= is required.")
    return email


async def _body(request: Request, model: type[Body]) -> Body:
    """The request's JSON as `model`. Raises HTTPException: 413 too large, 422 naming the field."""
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > LARGEST_BODY:
            raise HTTPException(413, "The body is too large.")
    try:
        return model.model_validate_json(bytes(data))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "body"
        raise HTTPException(422, f"{place}: {first['msg']}") from None
