"""What models took: counted from the receipts of their answers, and said to people."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from pydantic import BaseModel, ConfigDict

from agents.receipt import Receipt

NOT_ASKED = "no model was asked"


class ModelUse(BaseModel):
    """Answers of models, and what they cost."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    calls: int = 0
    """Answers."""
    tokens: int = 0
    """Read and written by the models; those from a cache are among them."""
    micros: int = 0
    """Millionths of a US dollar; at least so many where something is ``uncounted``."""
    uncounted: int = 0
    """Of the calls, how many have a cost that nobody counted."""

    def __add__(self, other: ModelUse) -> ModelUse:
        return ModelUse(
            calls=self.calls + other.calls,
            tokens=self.tokens + other.tokens,
            micros=self.micros + other.micros,
            uncounted=self.uncounted + other.uncounted,
        )

    @property
    def cost(self) -> str:
        """``0.0123 USD``, ``at least 0.0123 USD``, ``not known``, or that no model was asked."""
        return self.cost_each(1) or NOT_ASKED

    def cost_each(self, parts: int) -> str:
        """The cost of one of ``parts``, as `cost` says it; empty where there is none, or no model was asked."""
        micros = self.micros_each(parts)
        if micros is None or not self.calls:
            return ""
        if self.uncounted == self.calls:
            return "not known"
        return f"{'at least ' if self.uncounted else ''}{dollars(micros)}"

    def micros_each(self, parts: int) -> int | None:
        """``micros`` for each of ``parts``, rounded up; None if there are none."""
        return -(-self.micros // parts) if parts else None

    @property
    def remark(self) -> str:
        """What a reader of the cost has to know; empty where every answer's is counted."""
        if not self.uncounted:
            return ""
        return f"The cost of {self.uncounted:,} of {self.calls:,} answers is not known: nobody counted it."


def model_use(receipts: Iterable[Receipt]) -> ModelUse:
    """What the answers of models among ``receipts`` took."""
    answers = [one.result for one in receipts if one.of_model and isinstance(one.result, dict)]

    def counts(*names: str) -> list[int]:
        found = (answer.get(name) for answer in answers for name in names)
        return [count for count in found if isinstance(count, int)]

    costs = counts("micros")
    return ModelUse(
        calls=len(answers),
        tokens=sum(counts("input_tokens", "output_tokens")),
        micros=sum(costs),
        uncounted=len(answers) - len(costs),
    )


def dollars(micros: int) -> str:
    """Exact, with two places at least: ``1.20 USD``, ``0.000345 USD``."""
    whole, _, places = f"{Decimal(micros).scaleb(-6):.6f}".partition(".")
    return f"{whole}.{places.rstrip('0').ljust(2, '0')} USD"
