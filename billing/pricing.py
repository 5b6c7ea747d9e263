"""Rating: plain facts and a contract in, exact lines out. The same function prices, re-rates and verifies."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from pydantic import BaseModel, ConfigDict

from agents.money import Money
from billing.contract import Contract
from billing.errors import ContractNotInForce
from billing.money import exact, rounded
from evaluators.verdict import EvidenceClass


@dataclass(frozen=True, slots=True, kw_only=True)
class Billable:
    """One charged outcome, as far as its price is concerned."""

    outcome_id: str
    outcome_type: str


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
    amount: Money
    """``quantity`` times ``unit``, in whole minor units."""
    outcomes: tuple[str, ...]
    """Ids of the outcomes charged, sorted."""


def price(outcome_type: str, contract: Contract) -> Money:
    """What one outcome of that type costs; `ContractNotInForce` if the contract does not know the type."""
    terms = contract.outcomes.get(outcome_type)
    if terms is None:
        raise ContractNotInForce(
            f"contract {contract.reference} has no outcome {outcome_type!r}, hence no price for it"
        )
    return exact(terms.price, contract.currency)


def rate(outcomes: Iterable[Billable], contract: Contract) -> tuple[Line, ...]:
    """One line per (outcome type, unit price), ordered by type; the same outcomes give the same lines."""
    by_type: dict[str, list[str]] = defaultdict(list)
    for outcome in outcomes:
        by_type[outcome.outcome_type].append(outcome.outcome_id)
    lines = []
    for number, (outcome_type, ids) in enumerate(sorted(by_type.items()), start=1):
        unit = price(outcome_type, contract)
        terms = contract.outcomes[outcome_type]
        lines.append(
            Line(
                number=number,
                outcome_type=outcome_type,
                means=terms.means,
                evidence_class=EvidenceClass(terms.evidence_class),
                quantity=len(ids),
                unit=unit,
                amount=rounded(unit.decimal * Decimal(len(ids)), contract.currency),
                outcomes=tuple(sorted(ids)),
            )
        )
    return tuple(lines)
