"""The JSON API under /api/v1: bearer tokens, scopes, and answers that are always JSON."""

import hmac
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from store import BackOfficeError, Order, Store

Handler = Callable[[Request], Awaitable[Response]]
Body = TypeVar("Body", bound=BaseModel)
Text = Annotated[str, Field(min_length=1, max_length=500)]
LARGEST_BODY = 64 * 1024  # bytes


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class RefundBody(_Strict):
    """Of POST refunds; the amount in minor units."""

    amount_minor: Annotated[int, Field(gt=0)]
    reason: Text
    reference: Text


class CancellationBody(_Strict):
    """Of POST cancellation."""

    reason: Text
    reference: Text


class AddressBody(_Strict):
    """Of PUT address; the address may have several lines."""

    address: Text
    reference: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """Bearer tokens: `write` reads and writes, `read` (agents) and `audit` (evaluators) only read."""

    write: str
    read: str
    audit: str

    def scope(self, authorization: str) -> str:
        """Of an Authorization header: "write", "read", or "" when the token is unknown."""
        scheme, _, token = authorization.partition(" ")
        given = token.strip().encode()
        found = [name for name in ("write", "read", "audit") if _same(given, getattr(self, name))]
        if scheme.lower() != "bearer" or not found:
            return ""
        return "write" if found[0] == "write" else "read"


@dataclass(frozen=True, slots=True)
class Api:
    """The endpoints. A wrong token is 401, a read token on a write 403; a BackOfficeError names its own."""

    store: Store
    tokens: Tokens

    def routes(self) -> list[Route]:
        """All endpoints, relative to /api/v1."""
        return [
            Route("/orders", self._guarded("read", self.orders), methods=["GET"]),
            Route("/orders/{id}", self._guarded("read", self.order), methods=["GET"]),
            Route("/customers", self._guarded("read", self.customers), methods=["GET"]),
            Route("/orders/{id}/refunds", self._guarded("write", self.refund), methods=["POST"]),
            Route("/orders/{id}/cancellation", self._guarded("write", self.cancel), methods=["POST"]),
            Route("/orders/{id}/address", self._guarded("write", self.change_address), methods=["PUT"]),
        ]

    async def orders(self, request: Request) -> Response:
        """{"items": [Order]} of the customer ?email=, newest first."""
        found = await run_in_threadpool(self.store.orders_of, _email(request))
        return JSONResponse({"items": [asdict(order) for order in found]})

    async def order(self, request: Request) -> Response:
        """One Order."""
        return _answer(await run_in_threadpool(self.store.order, request.path_params["id"]))

    async def customers(self, request: Request) -> Response:
        """{"items": [Customer]}: one or none."""
        found = await run_in_threadpool(self.store.customers, _email(request))
        return JSONResponse({"items": [asdict(customer) for customer in found]})

    async def refund(self, request: Request) -> Response:
        """Record a refund: 201 and the Order after it."""
        order_id, body = request.path_params["id"], await _body(request, RefundBody)
        refund = partial(self.store.refund, order_id, amount_minor=body.amount_minor, actor="api")
        return _answer(await run_in_threadpool(refund, reason=body.reason, reference=body.reference), 201)

    async def cancel(self, request: Request) -> Response:
        """Cancel: the Order after it."""
        order_id, body = request.path_params["id"], await _body(request, CancellationBody)
        cancel = partial(self.store.cancel, order_id, reason=body.reason, reference=body.reference)
        return _answer(await run_in_threadpool(cancel))

    async def change_address(self, request: Request) -> Response:
        """Replace the shipping address: the Order after it."""
        order_id, body = request.path_params["id"], await _body(request, AddressBody)
        change = partial(self.store.change_address, order_id, address=body.address, reference=body.reference)
        return _answer(await run_in_threadpool(change))

    def _guarded(self, needed: str, handler: Handler) -> Handler:
        async def guarded(request: Request) -> Response:
            scope = self.tokens.scope(request.headers.get("authorization", ""))
            if not scope:
                return _problem(401, "A valid bearer token is required.", {"WWW-Authenticate": "Bearer"})
            if needed == "write" and scope != "write":
                return _problem(403, "This token may only read.")
            try:
                return await handler(request)
            except BackOfficeError as error:
                return _problem(error.status_code, str(error))
            except HTTPException as error:
                return _problem(error.status_code, error.detail)

        return guarded


def _same(given: bytes, token: str) -> bool:
    return hmac.compare_digest(given, token.encode())


def _answer(order: Order, status_code: int = 200) -> Response:
    return JSONResponse(asdict(order), status_code)


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
