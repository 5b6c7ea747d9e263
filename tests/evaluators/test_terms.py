"""Terms: what a contract must say before anything can pass."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from evaluators import OutcomeTerms
from tests.evaluators.judging import REFUND, REFUSAL


def changed(terms: OutcomeTerms, **changes: Any) -> OutcomeTerms:
    values = terms.model_dump(by_alias=True)
    proof = {**values["proof"], **changes.pop("proof", {})}
    return OutcomeTerms.model_validate({**values, "proof": proof, **changes})


def test_terms_outlive_json() -> None:
    assert OutcomeTerms.model_validate_json(REFUND.model_dump_json(by_alias=True)).model_dump() == REFUND.model_dump()
    assert (REFUND.proof.source, REFUND.proof.kind) == ("acme_back_office", "order")


@pytest.mark.parametrize(
    ("terms", "changes", "message"),
    [
        (REFUND, {"requires": ["asked_for"]}, "requires must name proof"),
        (REFUND, {"requires": ["proof"]}, "must require asked_for"),
        (REFUND, {"proof": {"became": None}}, r"proof\.became"),
        (REFUND, {"proof": {"by": None}}, r"proof\.by"),
        (REFUND, {"asked": []}, "at least one phrase"),
        (REFUSAL, {"proof": {"holds": None}}, r"proof\.holds"),
        (REFUND, {"class": "judged"}, "effect_verified"),
        (REFUND, {"proof": {"by": "model.says == true"}}, "a proof sees only"),
        (REFUND, {"proof": {"by": "after.x =="}}, "not an expression"),
        (REFUND, {"proof": {"read": "order"}}, "pattern"),
        (REFUND, {"proof": {"read": "a.b.c"}}, "pattern"),
        (REFUND, {"proof": {"read": "https://x/y.z"}}, "pattern"),
    ],
)
def test_terms_that_are_refused(terms: OutcomeTerms, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        changed(terms, **changes)
