"""What a call costs: list prices, prices of one's own, or none, and then nothing is asked.

Dollars are Decimal inside and whole micro-dollars (a millionth) outside, rounded up.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import ROUND_CEILING, Decimal

from agents.errors import ModelFailed
from agents.models.messages import Image, ModelRequest, Text, ToolResult, Usage

_MILLION = Decimal(1_000_000)
_LISTED = {
    "bedrock": "aws",
    "vertex": "google",
    "kimi": "moonshotai",
    "glm": "zhipuai",
    "grok": "x-ai",
}
"""Providers that the price list calls otherwise."""
_FRAME_TOKENS = 1_000
"""What providers add to a request with tools or a schema, and then some."""
_TURN_TOKENS = 16
_IMAGE_TOKENS = {"anthropic": 5_000, "bedrock": 5_000, "vertex": 5_000}
_OTHER_IMAGE_TOKENS = 30_000
"""Small models of OpenAI count a large picture as so many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """US dollars for a million tokens."""

    input: Decimal
    output: Decimal
    cache_read: Decimal | None = None
    """As `input` where it is None."""
    cache_write: Decimal | None = None

    def dollars(self, usage: Usage) -> Decimal:
        """What ``usage`` costs."""
        plain = usage.input_tokens - usage.cache_read_tokens - usage.cache_write_tokens
        read = self.input if self.cache_read is None else self.cache_read
        written = self.input if self.cache_write is None else self.cache_write
        return (
            plain * self.input
            + usage.cache_read_tokens * read
            + usage.cache_write_tokens * written
            + usage.output_tokens * self.output
        ) / _MILLION


class Prices:
    """What models cost."""

    def __init__(self, own: Mapping[str, Price] | None = None, *, fallback: Price | None = None) -> None:
        """Prices of one's own come before the list; ``fallback`` is for models that neither of them knows."""
        self._own = dict(own or {})
        self._fallback = fallback

    def micros(self, model: str, usage: Usage, at: datetime) -> int:
        """Micro-dollars for ``usage`` of ``model`` (``provider:model``).

        Raises:
            ModelFailed: nobody knows the price (``budget``).
            ValueError: the usage contradicts itself, for example more tokens from the cache than were read.
        """
        if usage.cache_read_tokens + usage.cache_write_tokens > usage.input_tokens:
            raise ValueError("more tokens are cached than were read")
        price = self._own.get(model)
        dollars = _listed(model, usage, at) if price is None else price.dollars(usage)
        if dollars is None and self._fallback is not None:
            dollars = self._fallback.dollars(usage)
        if dollars is None:
            message = "nobody knows its price; set one in [models.prices], or [models.fallback_price]"
            raise ModelFailed(model, message, code="budget")
        return int((dollars * _MILLION).to_integral_value(ROUND_CEILING))

    def most(self, model: str, request: ModelRequest, at: datetime) -> tuple[int, int]:
        """The tokens and micro-dollars that ``request`` takes at most; `ModelFailed` if nobody knows the price."""
        read = input_bound(model, request)
        plain = Usage(input_tokens=read, output_tokens=request.max_output_tokens)
        written = Usage(input_tokens=read, output_tokens=request.max_output_tokens, cache_write_tokens=read)
        return read + request.max_output_tokens, max(self.micros(model, each, at) for each in (plain, written))


def input_bound(model: str, request: ModelRequest) -> int:
    """More tokens than the request has: a token is at least one byte, and a picture at most a known number."""
    image = _IMAGE_TOKENS.get(model.partition(":")[0], _OTHER_IMAGE_TOKENS)
    total = _FRAME_TOKENS + _bytes(request.system) + _bytes([asdict(tool) for tool in request.tools])
    if request.output is not None:
        total += 2 * _bytes(request.output.schema)
    for turn in request.messages:
        total += _TURN_TOKENS
        for part in turn.parts:
            for each in part.content if isinstance(part, ToolResult) else (part,):
                total += _TURN_TOKENS
                match each:
                    case Image():
                        total += image
                    case Text(text=words):
                        total += len(words.encode(errors="replace"))
                    case _:
                        total += _bytes(asdict(each))
    return total


def _bytes(data: object) -> int:
    return len(json.dumps(data, ensure_ascii=False).encode(errors="replace"))


def _listed(model: str, usage: Usage, at: datetime) -> Decimal | None:
    from genai_prices import Usage as Listed
    from genai_prices import calc_price

    provider, _, name = model.partition(":")
    counted = Listed(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_tokens,
    )
    try:
        found = calc_price(counted, name, provider_id=_LISTED.get(provider, provider), genai_request_timestamp=at)
    except LookupError:
        return None
    return found.total_price
