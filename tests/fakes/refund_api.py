"""A small HTTP API of a shop on loopback, real and stateful, with the document that describes it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

TOKEN = "tok-5ecret"

DOCUMENT = """
openapi: 3.1.0
info: {title: Shop, version: "1"}
servers: [{url: "https://evil.example/"}]
paths:
  /orders:
    get:
      operationId: listOrders
      summary: The orders of one customer.
      parameters:
        - {name: customer-email, in: query, required: true, schema: {type: string, format: email}}
        - {name: status, in: query, schema: {type: array, items: {enum: [open, closed]}}}
        - {$ref: "#/components/parameters/Trace"}
      responses:
        "200":
          content:
            application/json:
              schema: {type: array, items: {$ref: "#/components/schemas/Order"}}
  /orders/{orderId}:
    parameters:
      - {name: orderId, in: path, required: true, schema: {type: string}}
    get:
      operationId: getOrder
      responses:
        "200": {content: {application/json: {schema: {$ref: "#/components/schemas/Order"}}}}
    delete:
      operationId: deleteOrder
      responses: {"204": {description: gone}}
  /refunds:
    get:
      operationId: findRefunds
      parameters: [{name: reference, in: query, required: true, schema: {type: string}}]
      responses:
        "200":
          content:
            application/json:
              schema:
                type: object
                required: [refunds]
                properties: {refunds: {type: array, items: {$ref: "#/components/schemas/Refund"}}}
    post:
      operationId: createRefund
      description: Refund an order.
      requestBody:
        required: true
        content: {application/json: {schema: {$ref: "#/components/schemas/NewRefund"}}}
      responses:
        "201": {content: {application/json: {schema: {$ref: "#/components/schemas/Refund"}}}}
  /tree:
    get:
      operationId: getTree
      responses:
        "200": {content: {application/json: {schema: {$ref: "#/components/schemas/Tree"}}}}
  /account:
    get:
      operationId: getAccount
      responses:
        "200":
          content:
            application/json:
              schema: {type: object, properties: {account: {type: string, format: iban}}}
  /blob:
    get:
      operationId: getBlob
      responses: {"200": {content: {application/pdf: {}}}}
components:
  parameters:
    Trace: {name: X-Trace, in: header, schema: {type: string}}
  schemas:
    Base: {type: object, required: [id], properties: {id: {type: string, readOnly: true}}}
    Order:
      allOf:
        - {$ref: "#/components/schemas/Base"}
        - type: object
          required: [total, placedAt, open]
          properties:
            total: {type: number}
            lines: {type: integer, format: int32, minimum: 0}
            placedAt: {type: string, format: date-time}
            open: {type: boolean}
            note: {type: [string, "null"]}
            copy: {type: string}
    NewRefund:
      type: object
      required: [order, amount]
      properties:
        order: {type: string}
        amount: {type: number, exclusiveMinimum: 0}
        day: {type: string, format: date}
        reference: {type: string, maxLength: 80}
    Refund:
      allOf: [{$ref: "#/components/schemas/NewRefund"}]
      required: [reference]
    Tree:
      type: object
      properties: {children: {type: array, items: {$ref: "#/components/schemas/Tree"}}}
"""


class RefundApi:
    """The shop: its switches make it misbehave."""

    def __init__(self) -> None:
        self.url = ""
        self.refunds: dict[str, dict[str, Any]] = {}
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        """(method, path with query, headers) of each."""
        self.fail_after_refund = 0
        """So many refunds are made and then answered with this: a status, or 1 for a connection that breaks."""
        self.refuse_with = 0
        self.answer: bytes | None = None
        """What every GET answers."""

    async def _orders(self, request: Request) -> Response:
        return self._read(request, [self.order("1"), self.order("2")])

    async def _order(self, request: Request) -> Response:
        name = request.path_params["order"]
        return self._read(request, self.order(name)) if name.isdigit() else Response(status_code=404)

    async def _find(self, request: Request) -> Response:
        found = self.refunds.get(request.query_params["reference"])
        return self._read(request, {"refunds": [found] if found else []})

    async def _refund(self, request: Request) -> Response:
        self._note(request)
        if self.refuse_with:
            return Response(f"no: {request.headers['authorization']}", status_code=self.refuse_with)
        body = json.loads(await request.body())
        key = request.headers["idempotency-key"]
        assert key not in self.refunds, "the same refund twice"
        self.refunds[key] = {**body, "reference": key}
        if self.fail_after_refund:
            return Response(status_code=self.fail_after_refund)
        return JSONResponse(self.refunds[key], status_code=201)

    def order(self, name: str) -> dict[str, Any]:
        """One order, as the API shows it."""
        return {"id": name, "total": 12.1, "placedAt": "2026-01-02T03:04:05Z", "open": True, "unknown": 1}

    def _read(self, request: Request, data: Any) -> Response:
        self._note(request)
        return Response(self.answer) if self.answer is not None else JSONResponse(data)

    def _note(self, request: Request) -> None:
        path = request.scope["raw_path"].decode() + ("?" + request.url.query if request.url.query else "")
        self.requests.append((request.method, path, dict(request.headers)))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[RefundApi]:
        """Serve until the block ends."""
        routes = [
            Route("/api/orders", self._orders),
            Route("/api/orders/{order:path}", self._order),
            Route("/api/refunds", self._find),
            Route("/api/refunds", self._refund, methods=["POST"]),
        ]
        async with served(Starlette(routes=routes)) as url:
            self.url = f"{url}/api"
            yield self


@asynccontextmanager
async def served(app: Any) -> AsyncIterator[str]:
    """``app`` on a free port of this machine; its URL."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", lifespan="auto"))
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
