"""Rating: plain facts and a contract in, exact lines out. The same function prices, re-rates and verifies."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from pydantic import BaseModel, ConfigDict, Field

from agents.money import Money
from billing.contract import Contract, ShareOfValue
from billing.errors import ContractNotInForce, InvalidAmount
from billing.money import exact, rounded
from evaluators.verdict import EvidenceClass


@dataclass(frozen=True, slots=True, kw_only=True)
class Billable:
    """One charged outcome, as far as its price is concerned."""

    outcome_id: str
    outcome_type: str
    value: Money | None = None
    """What it is worth, as the evaluators read it in the system of record and signed in the Verdict."""


class Line(BaseModel):
    """One line of an invoice: every outcome of one type at one unit price."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int
    """Counted from 1."""
    outcome_type: str
    means: str
    """What the contract says this outcome means."""
    evidence_class: EvidenceClass
    quantity: int
    unit: Money
    basis: str = Field(default="", exclude_if=lambda basis: not basis)
    """How the unit price comes about where it is a share: ``10 % of after.kept_minor, 1.00 to 50.00``."""
    amount: Money
    """``quantity`` times ``unit``, in whole minor units."""
    outcomes: tuple[str, ...]
    """Ids of the outcomes charged, sorted."""


def price(outcome_type: str, contract: Contract, *, value: Money | None = None) -> Money:
    """What one outcome of that type costs, given what it is worth (for prices that are a share of it).

    A share is rounded to the nearest minor unit, a half up, and then held between minimum and maximum.

    Raises:
        ContractNotInForce: the contract does not know the type.
        InvalidAmount: the price is a share, and ``value`` is not one in the contract's currency.
    """
    terms = contract.outcomes.get(outcome_type)
    if terms is None:
        raise ContractNotInForce(
            f"contract {contract.reference} has no outcome {outcome_type!r}, hence no price for it"
        )
    agreed, currency = terms.price, contract.currency
    if not isinstance(agreed, ShareOfValue):
        return exact(agreed, currency)
    if value is None or value.currency != currency or value.minor < 0:
        raise InvalidAmount(f"the price of {outcome_type} is a share of a value in {currency}; the value is {value}")
    least, most = exact(agreed.minimum, currency), exact(agreed.maximum, currency)
    share = rounded(value.decimal * agreed.share, currency)
    return Money(minor=min(max(share.minor, least.minor), most.minor), currency=currency)


def rate(outcomes: Iterable[Billable], contract: Contract) -> tuple[Line, ...]:
    """One line per (outcome type, unit price), in that order; the same outcomes give the same lines."""
    charged: dict[tuple[str, int], list[str]] = defaultdict(list)
    for outcome in outcomes:
        unit = price(outcome.outcome_type, contract, value=outcome.value)
        charged[outcome.outcome_type, unit.minor].append(outcome.outcome_id)
    lines = []
    for number, ((outcome_type, minor), ids) in enumerate(sorted(charged.items()), start=1):
        unit = Money(minor=minor, currency=contract.currency)
        terms = contract.outcomes[outcome_type]
        lines.append(
            Line(
                number=number,
                outcome_type=outcome_type,
                means=terms.means,
                evidence_class=EvidenceClass(terms.evidence_class),
                quantity=len(ids),
                unit=unit,
                basis=str(terms.price) if isinstance(terms.price, ShareOfValue) else "",
                amount=rounded(unit.decimal * Decimal(len(ids)), contract.currency),
                outcomes=tuple(sorted(ids)),
            )
        )
    return tuple(lines)
