"""Shares of small numbers, with exact bounds."""

from __future__ import annotations

import math

from pydantic import BaseModel, ConfigDict

CONFIDENCE = 0.95


class Rate(BaseModel):
    """``count`` of ``of``, with the exact (Clopper-Pearson) bounds of the share behind it."""

    model_config = ConfigDict(frozen=True)

    count: int
    of: int
    share: float | None
    """None of nothing."""
    low: float | None
    high: float | None

    def __str__(self) -> str:
        if self.share is None or self.low is None or self.high is None:
            return "none"
        return f"{self.count} of {self.of} ({self.share:.1%}; 95 %: {self.low:.1%} to {self.high:.1%})"


def rate(count: int, of: int) -> Rate:
    """The share with its two-sided bounds at `CONFIDENCE`."""
    if of == 0:
        return Rate(count=0, of=0, share=None, low=None, high=None)
    return Rate(count=count, of=of, share=count / of, low=_low(count, of), high=1 - _low(of - count, of))


def _low(count: int, of: int) -> float:
    """The smallest chance at which so many, or more, come up with more than the tail's probability."""
    if count == 0:
        return 0.0
    low, high = 0.0, count / of
    for _ in range(50):
        middle = (low + high) / 2
        if 1 - _at_most(count - 1, of, middle) < (1 - CONFIDENCE) / 2:
            low = middle
        else:
            high = middle
    return low


def _at_most(count: int, of: int, p: float) -> float:
    """The chance of at most ``count`` of ``of`` at chance ``p`` each."""
    ways = math.lgamma(of + 1)
    logs = (
        ways - math.lgamma(k + 1) - math.lgamma(of - k + 1) + k * math.log(p) + (of - k) * math.log1p(-p)
        for k in range(count + 1)
    )
    return math.fsum(math.exp(log) for log in logs)
