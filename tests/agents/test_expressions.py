"""Expressions: yes, no, or undetermined; never anything else, whatever they are and see."""

from __future__ import annotations

import contextlib
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.errors import ExpressionError
from agents.expressions import MAX_LIST, MAX_SOURCE, Expression

VALUES = {"order": {"id": "1", "total_minor": 2500, "items": [{"sku": "a"}], "note": None}, "inputs": {"id": "1"}}


@pytest.mark.parametrize(
    "source, answer",
    [
        ("order.id == inputs.id", True),
        ("order.total_minor > 2500", False),
        ("order.items.exists(i, i.sku == 'a')", True),
        ("order.items[0].sku == 'b'", False),
        ("order.note == null", True),
        ("true", True),
    ],
)
def test_yes_or_no(source: str, answer: bool) -> None:
    assert Expression(source)(VALUES) is answer


@pytest.mark.parametrize(
    "source",
    [
        "order.total_minor",
        "order.id",
        "order",
        "1",
        "order.missing == 1",
        "order.items[7].sku == 'a'",
        "order.note.startsWith('a')",
        "order.id > 3",
        "1 / 0 == 1",
        "9223372036854775807 + 1 > 0",
        "order.id.matches('[')",
        "timestamp(order.id) > timestamp('2026-01-01T00:00:00Z')",
        "nobody == 1",
        "nosuch(order)",
        "order.id.nosuch() == 1",
    ],
)
def test_everything_else_is_undetermined(source: str) -> None:
    with pytest.raises(ExpressionError):
        Expression(source)(VALUES)


@pytest.mark.parametrize("source", ["", "(", "a b", "'", "a ==", "\ud800 == 1", "(" * 240, "1 == 99999999999999999999"])
def test_what_is_not_an_expression_is_refused(source: str) -> None:
    with pytest.raises(ExpressionError):
        Expression(source)


def test_too_long_is_refused_and_the_longest_is_not() -> None:
    Expression("true" + " " * (MAX_SOURCE - 4))
    with pytest.raises(ExpressionError, match="longer than"):
        Expression("true" + " " * MAX_SOURCE)


def test_lists_are_capped_wherever_they_are() -> None:
    count = Expression("size(order.items) > 0")
    assert count({"order": {"items": [1] * MAX_LIST}})
    with pytest.raises(ExpressionError, match="at most"):
        count({"order": {"items": [1] * (MAX_LIST + 1)}})
    with pytest.raises(ExpressionError, match="at most"):
        count({"order": {"items": [1], "deep": [[0], [1] * (MAX_LIST + 1)]}})


@pytest.mark.parametrize("value", [1.5, {"weight": 1.5}, object(), 2**70, float("nan"), "\ud800", {1: b"x"}])
def test_values_it_cannot_take_are_undetermined_or_plainly_unequal(value: object) -> None:
    with contextlib.suppress(ExpressionError):
        assert Expression("x == 'a'")({"x": value}) is False


def test_money_never_becomes_a_float() -> None:
    with pytest.raises(ExpressionError):
        Expression("x > 1")({"x": Decimal("2.5")})
    with pytest.raises(ExpressionError, match="float"):
        Expression("x > 1")({"x": 2.5})


@pytest.mark.parametrize(
    "source, names, paths",
    [
        ("order.id == inputs.id", {"order", "inputs"}, {("order", "id"), ("inputs", "id")}),
        ("order.id.startsWith(inputs.id)", {"order", "inputs"}, {("order", "id"), ("inputs", "id")}),
        ("order.items.exists(i, i.sku == 'order.fake')", {"order"}, {("order", "items")}),
        ("order['id'] == 'a'", {"order"}, {("order",)}),
        ("size(order.items[0].sku) > 1", {"order"}, {("order", "items")}),
        ("true", set(), set()),
    ],
)
def test_names_and_paths_it_reads(source: str, names: set[str], paths: set[tuple[str, ...]]) -> None:
    expression = Expression(source)
    assert expression.names == names
    assert expression.paths == paths


@given(st.text(st.sampled_from("ax.()[]'\"!&|=<>+-*/%?:,1 \\\n{}"), max_size=40))
def test_any_source_on_any_values_answers_or_is_undetermined(source: str) -> None:
    values: dict[str, Any] = {"a": {"x": [1, "1", None]}, "x": True}
    with contextlib.suppress(ExpressionError):
        expression = Expression(source)
        assert {path[0] for path in expression.paths} == expression.names
        assert expression(values) in (True, False)
