"""Tools from an OpenAPI document, called against the real API that it describes."""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from agents.errors import ToolFailed, ToolOutcomeUnknown
from agents.planner.samples import sample
from agents.rehearsal import rehearsed
from agents.tools.openapi import OpenApiDeclaration, openapi_tools
from agents.tools.openapi_call import header_setting, url_setting
from agents.tools.tool import Tool, ToolContext
from agents.tools.toolbox import Toolbox
from tests.agents.builders import context
from tests.fakes.refund_api import DOCUMENT, TOKEN, RefundApi

READ = {"effect": "read"}
REFUND = {
    "name": "refund",
    "effect": "irreversible",
    "sinks": ["order", "amount"],
    "outputs": {"reference": "system"},
    "key_header": "Idempotency-Key",
    "lookup": {"call": "findRefunds", "args": {"reference": "${key}"}, "answer": "refunds"},
}
KEY = "T-1:task-1:refund"


@pytest.fixture
async def api() -> AsyncIterator[RefundApi]:
    async with RefundApi().running() as one:
        yield one


def made(
    folder: Path, operations: dict[str, Any], text: str = DOCUMENT, **rest: Any
) -> tuple[tuple[Tool, ...], list[tuple[str, str]]]:
    """The tools of a document, and what is wrong with them."""
    file = folder / "shop.yaml"
    file.write_text(text)
    declaration = {"document": "shop.yaml", "url": "x", "headers": {"Authorization": "x"}, "operations": operations}
    return openapi_tools("shop", OpenApiDeclaration.model_validate(declaration | rest), file)


def tools(folder: Path, operations: dict[str, Any], text: str = DOCUMENT, **rest: Any) -> dict[str, Tool]:
    found, problems = made(folder, operations, text, **rest)
    assert problems == []
    return {tool.name: tool for tool in found}


def told(api: RefundApi) -> ToolContext:
    """The context of a call to ``api``."""
    settings = {url_setting("shop"): api.url, header_setting("shop", "Authorization"): f"Bearer {TOKEN}"}
    return replace(context(KEY), settings=settings)


async def test_a_list_is_read_with_its_types(tmp_path: Path, api: RefundApi) -> None:
    declared = {"listOrders": {**READ, "owned_by": "customer_email", "outputs": {"items": "system"}}}
    tool = tools(tmp_path, declared)["shop.list_orders"]
    args: dict[str, Any] = {"customer_email": "a+b&c@x.example", "status": ["open", "closed"], "X_Trace": "t-1"}
    found = await tool.call(told(api), args)
    assert found["items"] == [
        {"id": name, "total": "12.1", "lines": None, "placedAt": "2026-01-02T03:04:05Z", "open": True}
        | {"note": None, "copy_": None}
        for name in ("1", "2")
    ]
    ((method, path, headers),) = api.requests
    assert (method, path) == ("GET", "/api/orders?customer-email=a%2Bb%26c%40x.example&status=open&status=closed")
    assert (headers["authorization"], headers["x-trace"]) == (f"Bearer {TOKEN}", "t-1")
    assert tool.description == "The orders of one customer."
    assert sample(tool.output_model)["items"] != []


@pytest.mark.parametrize("order", ["../refunds", "1/../../x", "%2e%2e", "a b?c#d"])
async def test_an_argument_stays_in_its_place_in_the_path(tmp_path: Path, api: RefundApi, order: str) -> None:
    tool = tools(tmp_path, {"getOrder": READ})["shop.get_order"]
    with pytest.raises(ToolFailed) as failed:
        await tool.call(told(api), {"orderId": order})
    assert failed.value.code == "not_found"
    assert api.requests == []


@pytest.mark.parametrize("order", ["..", ".", "", "a\nb"])
async def test_an_argument_that_would_change_the_path_is_refused(tmp_path: Path, api: RefundApi, order: str) -> None:
    tool = tools(tmp_path, {"getOrder": READ})["shop.get_order"]
    with pytest.raises(ToolFailed) as failed:
        await tool.call(told(api), {"orderId": order})
    assert failed.value.code == "bad_argument"


async def test_an_effect_carries_its_key_and_is_found_by_it(tmp_path: Path, api: RefundApi) -> None:
    tool = tools(tmp_path, {"createRefund": REFUND})["shop.refund"]
    args = {"order": "1", "amount": "12.10", "day": "2026-03-04", "reference": None}
    assert await tool.look_up(told(api), args) is None
    found = await tool.call(told(api), args)
    assert found == {"order": "1", "amount": "12.1", "day": "2026-03-04", "reference": KEY}
    assert api.refunds[KEY] == {"order": "1", "amount": 12.1, "day": "2026-03-04", "reference": KEY}
    assert await tool.look_up(told(api), args) == found


async def test_the_key_may_be_an_argument(tmp_path: Path, api: RefundApi) -> None:
    declared = {**REFUND, "key_argument": "reference"}
    tool = tools(tmp_path, {"createRefund": declared})["shop.refund"]
    assert "reference" not in tool.input_model.model_fields
    found = await tool.call(told(api), {"order": "1", "amount": "5"})
    assert found["reference"] == KEY


@pytest.mark.parametrize("status", [500, 502, 408, 409, 302])
async def test_a_failure_after_the_effect_is_looked_up(tmp_path: Path, api: RefundApi, status: int) -> None:
    tool = tools(tmp_path, {"createRefund": REFUND})["shop.refund"]
    api.fail_after_refund = status
    args = {"order": "1", "amount": "5"}
    with pytest.raises(ToolOutcomeUnknown):
        await tool.call(told(api), args)
    found = await tool.look_up(told(api), args)
    assert found is not None
    assert found["reference"] == KEY


async def test_a_refusal_is_a_failure_and_shows_no_credential(tmp_path: Path, api: RefundApi) -> None:
    tool = tools(tmp_path, {"createRefund": REFUND})["shop.refund"]
    api.refuse_with = 422
    with pytest.raises(ToolFailed, match="status 422, and says in its own words: 'no: ") as failed:
        await tool.call(told(api), {"order": "1", "amount": "5"})
    assert TOKEN not in str(failed.value)
    assert failed.value.code == "status_422"


@pytest.mark.parametrize(
    "answer",
    [
        b"not json",
        b'{"id": 1}',
        b'{"id": "1", "total": "12", "placedAt": "2026-01-02T03:04:05Z", "open": true}',
        b'{"id": "1", "total": NaN, "placedAt": "2026-01-02T03:04:05Z", "open": true}',
        b'{"id": "1", "total": 1, "placedAt": "2026-01-02T03:04:05", "open": true}',
        b'{"id": "1", "total": 1, "placedAt": 5, "open": true}',
        b'{"id": "1", "total": 1, "placedAt": "2026-01-02T03:04:05Z", "open": "yes"}',
        b'{"id": "1", "total": 1, "placedAt": "2026-01-02T03:04:05Z", "open": true, "lines": 3000000000}',
        b"[" * 200_000,
        b'{"id": "' + b"x" * 5_000_000 + b'"}',
    ],
    ids=range(10),
)
async def test_an_answer_that_is_not_as_described_is_a_failure(tmp_path: Path, api: RefundApi, answer: bytes) -> None:
    tool = tools(tmp_path, {"getOrder": READ})["shop.get_order"]
    api.answer = answer
    with pytest.raises(ToolFailed) as failed:
        await tool.call(told(api), {"orderId": "1"})
    assert len(str(failed.value)) < 400


async def test_an_api_that_is_not_there(tmp_path: Path) -> None:
    async with RefundApi().running() as api:
        context = told(api)
    found = tools(tmp_path, {"getOrder": READ, "createRefund": REFUND})
    for name, args in [("shop.get_order", {"orderId": "1"}), ("shop.refund", {"order": "1", "amount": "5"})]:
        with pytest.raises(ToolFailed) as failed:
            await found[name].call(context, args)
        assert failed.value.retryable


async def test_a_rehearsal_answers_without_asking(tmp_path: Path, api: RefundApi) -> None:
    box = rehearsed(Toolbox(tools(tmp_path, {"createRefund": REFUND}).values()))
    tool = box.get("shop.refund")
    assert tool is not None
    assert (await tool.call(told(api), {"order": "7", "amount": "5"}))["order"] == "7"
    assert api.requests == []


NO_LOOKUP = {key: value for key, value in REFUND.items() if key != "lookup"}
NO_KEY = {key: value for key, value in REFUND.items() if key != "key_header"}
NO_EFFECT = {key: value for key, value in REFUND.items() if key not in ("effect", "sinks")}


@pytest.mark.parametrize(
    ("operations", "text", "message"),
    [
        ({"listOrder": READ}, "", "did you mean 'listOrders'?"),
        ({"createRefund": {}}, "", 'effect = "irreversible"\n    sinks = ["order", "amount", "day", "reference"]'),
        ({"createRefund": {}}, "", 'lookup = { call = "..."'),
        ({"createRefund": NO_EFFECT}, "", "counts as a write"),
        ({"listOrders": {}}, "", 'effect = "read"'),
        ({"deleteOrder": READ}, "", "is a DELETE"),
        ({"createRefund": NO_LOOKUP}, "", "say how the other side is told the call's key"),
        ({"createRefund": NO_KEY}, "", "say how the other side is told the call's key"),
        ({"createRefund": {**REFUND, "sinks": ["orders"]}}, "", "has no argument orders"),
        ({"createRefund": {**REFUND, "sinks": None}}, "", "which arguments are sinks"),
        ({"createRefund": {**REFUND, "outputs": {"ref": "system"}}}, "", "has no field 'ref'"),
        ({"createRefund": {**REFUND, "key_argument": "ref"}}, "", "no argument 'ref'"),
        ({"createRefund": {**REFUND, "rehearse": {"order": "1"}}}, "", "rehearse."),
        ({"createRefund": {**REFUND, "lookup": {"call": "createRefund", "args": {}}}}, "", "is a POST"),
        ({"createRefund": {**REFUND, "lookup": {"call": "finds", "args": {}}}}, "", "no such operation"),
        ({"createRefund": {**REFUND, "lookup": {"call": "findRefunds", "args": {"reference": "1"}}}}, "", "${key}"),
        ({"createRefund": {**REFUND, "lookup": {"call": "findRefunds", "args": {"r": "${key}"}}}}, "", "argument 'r'"),
        ({"createRefund": {**REFUND, "lookup": {"call": "getOrder", "args": {"orderId": "${x}${key}"}}}}, "", "${x}"),
        ({"listOrders": {**READ, "key_header": "Idempotency-Key"}}, "", "needs no key_header"),
        ({"getTree": READ}, "", "contains itself (Tree -> Tree)"),
        ({"getAccount": READ}, "", 'add text_formats = ["iban"]'),
        ({"getBlob": READ}, "", "application/pdf"),
        ({"getOrder": READ, "listOrders": {**READ, "name": "get_order"}}, "", "makes the same name"),
        ({"getOrder": READ}, 'swagger: "2.0"\npaths: {}', "this is swagger 2.0"),
        ({"getOrder": READ}, "openapi: 3.1.0\npaths: [", "line"),
        ({"getOrder": READ}, '{"openapi": "3.1.0", "paths": {', "neither JSON nor YAML"),
        ({"getOrder": READ}, "- a\n- b", "something else"),
        ({"getOrder": READ}, DOCUMENT.replace("operationId: getTree", "operationId: getOrder"), "two operations"),
        ({"getOrder": READ}, DOCUMENT.replace("in: path", "in: cookie"), "is in the cookie"),
        ({"getOrder": READ}, DOCUMENT.replace("/orders/{orderId}", "/orders/{order}"), "no parameter says"),
        ({"getOrder": READ}, DOCUMENT.replace("schemas/Base", "schemas/Bass"), "leads nowhere"),
        (
            {"getOrder": READ},
            DOCUMENT.replace("#/components/schemas/Base", "https://evil.example/x"),
            "another document",
        ),
        ({"getOrder": READ}, DOCUMENT.replace("copy: {type: string}", "copy: {not: {type: string}}"), "'not'"),
        ({"getOrder": READ}, DOCUMENT.replace("copy: {type: string}", "copy: {type: text}"), "'text' is not known"),
        ({"getOrder": READ}, DOCUMENT.replace("copy: {type: string}", "copy: {pattern: '('}"), "cannot be read"),
        ({"getOrder": READ}, DOCUMENT.replace("copy: {", "o-pen: {}\n            o_pen: {"), "both called 'o_pen'"),
        ({"getOrder": READ}, DOCUMENT.replace("allOf:\n", "allOf: 5\n      x:\n"), "has something else"),
    ],
)
def test_what_cannot_be_a_tool_is_refused_and_nothing_is_registered(
    tmp_path: Path, operations: dict[str, Any], text: str, message: str
) -> None:
    found, problems = made(tmp_path, {"findRefunds": READ, **operations}, text or DOCUMENT)
    assert found == ()
    assert message in "\n".join(said for _, said in problems), problems


PARSED = yaml.safe_load(DOCUMENT)
JUNK: st.SearchStrategy[Any] = st.sampled_from(
    [None, 5, "x", [], {}, [5], {"a": 5}, {"$ref": "#/paths"}, True, {"5": 5}, [[]], "#/", 1.5]
)


@given(st.data())
def test_a_document_with_junk_in_any_place_is_refused_or_makes_tools(data: st.DataObject) -> None:
    document = copy.deepcopy(PARSED)
    place: Any = document
    for _ in range(data.draw(st.integers(1, 9))):
        keys = sorted(place) if isinstance(place, dict) else range(len(place)) if isinstance(place, list) else []
        if not keys:
            break
        parent, key = place, data.draw(st.sampled_from(list(keys)))
        place = parent[key]
    parent[key] = data.draw(JUNK)
    with tempfile.TemporaryDirectory() as folder:
        found, problems = made(
            Path(folder), {"listOrders": READ, "getOrder": READ, "createRefund": REFUND}, json.dumps(document)
        )
    assert (found == ()) is (problems != [])


def test_everything_that_is_wrong_is_listed_together(tmp_path: Path) -> None:
    found, problems = made(tmp_path, {"getTree": READ, "getAccount": READ, "getOrder": READ})
    assert (found, [operation for operation, _ in problems]) == ((), ["getTree", "getAccount"])


def test_an_unknown_format_can_be_read_as_text(tmp_path: Path) -> None:
    assert tools(tmp_path, {"getAccount": READ}, text_formats=["iban"])["shop.get_account"]


def test_a_document_of_another_content_makes_tools_of_another_version(tmp_path: Path) -> None:
    before = tools(tmp_path, {"getOrder": READ})["shop.get_order"]
    after = tools(tmp_path, {"getOrder": READ}, DOCUMENT.replace("int32", "int64"))["shop.get_order"]
    assert before.version != after.version
