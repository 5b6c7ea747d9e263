"""Verdicts: what the evaluators found, with reasons and evidence, signed by their own key."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from agents.evidence import Evidence
from agents.money import Money
from evaluators.signing import Signature, verifies


class EvidenceClass(StrEnum):
    """How strong the proof of an outcome is, strongest first."""

    EFFECT_VERIFIED = "effect_verified"
    GROUNDED = "grounded"
    JUDGED = "judged"
    ASSUMED = "assumed"


class Finding(StrEnum):
    """A check's answer. Undetermined is an answer, and never counts as a pass."""

    PASSED = "passed"
    FAILED = "failed"
    UNDETERMINED = "undetermined"


class CheckResult(BaseModel):
    """One test of a Claim."""

    model_config = ConfigDict(frozen=True)

    check: str
    version: str
    finding: Finding
    code: str
    """A coded reason, for example ``state_unchanged``; ``ok`` when passed."""
    reason: str
    """The reason in words, with the values that decided it."""
    evidence: tuple[Evidence, ...] = ()


class Verdict(BaseModel):
    """The evaluators' result for one Claim. ``signature`` covers every other field."""

    model_config = ConfigDict(frozen=True)

    tenant: str
    id: str
    claim_id: str
    claim_sha256: str
    """Fingerprint of the whole Claim that was judged."""
    task_id: str
    ticket_id: str
    requester_email: str
    outcome_type: str
    subject: str
    finding: Finding
    evidence_class: EvidenceClass | None
    """None unless ``finding`` is passed."""
    code: str
    """``ok``, or the code of the first check whose finding is this verdict's."""
    checks: tuple[CheckResult, ...]
    value: Money | None = Field(default=None, exclude_if=lambda value: value is None)
    """What the outcome is worth, as the record says; only where the contract's price is a share of it."""
    before: Evidence | None
    """The system of record ahead of the effect, as the evaluators read it."""
    after: Evidence | None
    """The system of record on a fresh read after the claim."""
    request: Evidence | None
    """The requester's own words, as the helpdesk held them."""
    contract: str
    """``id@version`` of the contract whose terms were tested."""
    contract_sha256: str
    verifier_version: str
    decided_at: datetime
    signature: Signature | None = None

    def unsigned(self) -> Verdict:
        """This verdict as it is signed: without its signature."""
        return self.model_copy(update={"signature": None})

    def authentic(self, public_key: str) -> bool:
        """True if the holder of ``public_key`` signed exactly this verdict as an evaluator."""
        signature = self.signature
        return (
            signature is not None
            and signature.public_key == public_key
            and signature.signer == "evaluator"
            and verifies(signature, self.unsigned())
        )
