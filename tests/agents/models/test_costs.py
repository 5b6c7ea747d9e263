"""What a call costs, and what it costs at most."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.errors import ModelFailed
from agents.models.costs import Price, Prices, input_bound
from agents.models.messages import Image, ModelRequest, ToolSpec, Usage, user

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
SONNET = "anthropic:claude-sonnet-4-5"
PRICE = Price(input=Decimal(3), output=Decimal(15), cache_read=Decimal("0.3"), cache_write=Decimal("3.75"))


def test_list_prices_count_the_cache_and_round_up() -> None:
    prices = Prices()
    usage = Usage(input_tokens=1_001_000, output_tokens=1_000, cache_read_tokens=1_000, cache_write_tokens=1_000_000)
    assert Prices({SONNET: PRICE}).micros(SONNET, usage, NOON) == 3_750_000 + 300 + 15_000
    assert prices.micros(SONNET, Usage(input_tokens=1_000), NOON) == 3_000
    assert prices.micros(SONNET, Usage(input_tokens=1), NOON) == 3
    assert (
        Prices({"a:b": Price(input=Decimal("0.1"), output=Decimal(0))}).micros("a:b", Usage(input_tokens=1), NOON) == 1
    )
    assert prices.micros("grok:grok-4", Usage(input_tokens=1_000_000), NOON) > 0


def test_without_a_price_nothing_is_asked() -> None:
    with pytest.raises(ModelFailed, match="fallback_price") as caught:
        Prices().most("vllm:some-model", ModelRequest(system="", messages=()), NOON)
    assert caught.value.code == "budget"
    assert Prices(fallback=PRICE).micros("vllm:some-model", Usage(output_tokens=1_000_000), NOON) == 15_000_000


@pytest.mark.parametrize("model", [SONNET, "a:b"])
def test_usage_that_contradicts_itself_is_no_usage(model: str) -> None:
    with pytest.raises(ValueError, match="cache"):
        Prices({"a:b": PRICE}).micros(model, Usage(input_tokens=10, cache_read_tokens=20), NOON)


@given(words=st.text(), system=st.text(max_size=50), output=st.integers(1, 100_000), data=st.data())
def test_no_usage_that_fits_the_request_costs_more_than_the_most(
    words: str, system: str, output: int, data: st.DataObject
) -> None:
    """A token is a byte at least: no tokenizer makes more of them than there are bytes."""
    request = ModelRequest(system=system, messages=(user(words),), max_output_tokens=output)
    read = data.draw(st.integers(0, len(words.encode()) + len(system.encode())))
    cached = data.draw(st.integers(0, read))
    written = data.draw(st.integers(0, read - cached))
    used = Usage(
        input_tokens=read,
        cache_read_tokens=cached,
        cache_write_tokens=written,
        output_tokens=data.draw(st.integers(0, output)),
    )
    for model in (SONNET, "a:b"):
        prices = Prices({"a:b": PRICE})
        tokens, micros = prices.most(model, request, NOON)
        assert used.input_tokens + used.output_tokens <= tokens
        assert prices.micros(model, used, NOON) <= micros


def test_the_most_is_for_the_dearest_tokens() -> None:
    request = ModelRequest(system="", messages=(user("字" * 5_000),), max_output_tokens=10)
    tokens, micros = Prices().most(SONNET, request, NOON)
    assert tokens > 15_000
    all_written = Usage(input_tokens=tokens - 10, cache_write_tokens=tokens - 10, output_tokens=10)
    assert micros == Prices().micros(SONNET, all_written, NOON)
    free = Price(input=Decimal(1), output=Decimal(1), cache_write=Decimal(0))
    assert Prices({"a:b": free}).most("a:b", request, NOON)[1] == tokens


def test_tools_and_pictures_are_counted() -> None:
    plain = ModelRequest(system="", messages=(user("a"),))
    tool = ToolSpec(name="find", description="x" * 1000, parameters={"type": "object"})
    image = Image(data_base64="A" * 1_000_000, media_type="image/png")
    with_tool = ModelRequest(system="", messages=(user("a"),), tools=(tool,))
    with_image = ModelRequest(system="", messages=(user("a", image),))
    assert input_bound(SONNET, with_tool) > input_bound(SONNET, plain) + 1000
    assert 4_784 < input_bound(SONNET, with_image) - input_bound(SONNET, plain) < 10_000
    assert input_bound("openai:gpt-5", with_image) > 20_000
