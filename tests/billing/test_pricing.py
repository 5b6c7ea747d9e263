"""Rating is pure: the same outcomes and contract give the same exact lines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.money import Money
from billing.errors import ContractNotInForce
from billing.pricing import Billable, price, rate
from tests.billing.books import contract

TERMS = contract().verify()
UNITS = {"refund_issued": 99, "order_status_told": 29}


def test_a_price_is_the_contracts() -> None:
    assert price("refund_issued", TERMS) == Money(minor=99, currency="USD")
    with pytest.raises(ContractNotInForce, match="order_lost"):
        price("order_lost", TERMS)


def test_one_line_per_outcome_type() -> None:
    status, refunds = rate(
        [
            Billable(outcome_id="c", outcome_type="refund_issued"),
            Billable(outcome_id="a", outcome_type="refund_issued"),
            Billable(outcome_id="b", outcome_type="order_status_told"),
        ],
        TERMS,
    )
    assert (status.number, status.outcome_type, status.quantity, status.amount.minor) == (
        1,
        "order_status_told",
        1,
        29,
    )
    assert (refunds.number, refunds.outcomes, refunds.unit.minor, refunds.amount.minor) == (
        2,
        ("a", "c"),
        99,
        198,
    )
    assert refunds.evidence_class == "effect_verified"


@given(st.dictionaries(st.text(min_size=1), st.sampled_from(sorted(UNITS)), max_size=60), st.randoms())
def test_rating_in_any_order_gives_the_sum_of_the_prices(outcomes: dict[str, str], random: object) -> None:
    facts = [Billable(outcome_id=name, outcome_type=kind) for name, kind in outcomes.items()]
    lines = rate(facts, TERMS)
    random.shuffle(facts)  # type: ignore[attr-defined]
    assert rate(facts, TERMS) == lines
    assert sum(line.amount.minor for line in lines) == sum(UNITS[kind] for kind in outcomes.values())
    assert sorted(name for line in lines for name in line.outcomes) == sorted(outcomes)
