"""Verification: a Claim, what the system of record says on a fresh read, and a signed Verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from agents.canonical import fingerprint
from agents.claim import Claim
from agents.clock import Clock
from agents.errors import EvidenceMissing
from agents.evidence import Evidence, EvidenceStore, put_json
from agents.receipt import Receipt
from agents.ticket import Ticket
from evaluators.case import Case, Subject, case_of
from evaluators.checks.answer import Check
from evaluators.checks.effect import effect
from evaluators.checks.standing import standing, subject_problem, unmet
from evaluators.checks.value import measured
from evaluators.errors import SourceUnavailable
from evaluators.observer import Snapshots
from evaluators.panel import Examination, examine
from evaluators.proof import explain, visible
from evaluators.reading import Reading, Sources, keep_reading, kept_json, kept_reading, read_subject
from evaluators.signing import SigningKey
from evaluators.terms import OutcomeTerms
from evaluators.verdict import CheckResult, EvidenceClass, Finding, Verdict

VERIFIER_VERSION = "settle-verifier/3"
"""Changes with any check: a verdict is comparable only with verdicts of the same version."""

STILL_STANDS = Check(name="still_stands", number=1)


class Verifier:
    """Verifies claims with sources, snapshots and a signing key that no agent can reach."""

    def __init__(
        self,
        *,
        sources: Sources,
        snapshots: Snapshots,
        evidence: EvidenceStore,
        key: SigningKey,
        clock: Clock,
    ) -> None:
        """``key`` signs as ``evaluator``; `ValueError` for any other role."""
        if key.signer != "evaluator":
            raise ValueError(f"verdicts are signed by the evaluator's key, not the {key.signer}'s")
        self._sources = sources
        self._snapshots = snapshots
        self._evidence = evidence
        self._key = key
        self._clock = clock

    async def verify(
        self,
        claim: Claim,
        *,
        terms: OutcomeTerms,
        contract: str,
        contract_sha256: str,
        ticket: Ticket,
        receipts: Sequence[Receipt],
    ) -> Verdict:
        """Read the record afresh, examine the claim, and sign what was found.

        Args:
            contract: ``id@version``; ``contract_sha256`` names its exact text.
            ticket: the claim's ticket, read from the helpdesk.
            receipts: all receipts of the claim's task, named by the claim or not.

        A source that cannot be read gives an undetermined verdict with the code ``source_unavailable``: verify again
        later, and do not keep it (the next verdict has the same id).

        Raises:
            ValueError: ``ticket`` is not the claim's ticket.
            UnknownSource: the contract reads from a source that is not set up.
        """
        bare = case_of(claim, ticket, receipts)
        after = await self._read(claim, terms)
        case, examination, before = self._best(bare, after, terms)
        request = {
            "requester": case.requester_email,
            "name": case.requester_name,
            "messages": list(case.words),
        }
        verdict = Verdict(
            tenant=claim.tenant,
            id="verdict-" + fingerprint([claim.id, contract])[:24],
            claim_id=claim.id,
            claim_sha256=fingerprint(claim),
            task_id=claim.task_id,
            ticket_id=claim.ticket_id,
            requester_email=case.requester_email,
            outcome_type=claim.outcome_type,
            subject=claim.subject,
            finding=examination.finding,
            evidence_class=examination.evidence_class,
            code=examination.code,
            checks=examination.checks,
            value=examination.value,
            before=before,
            after=keep_reading(self._evidence, after, label="after") if after else None,
            request=put_json(self._evidence, request, label="request"),
            contract=contract,
            contract_sha256=contract_sha256,
            verifier_version=VERIFIER_VERSION,
            decided_at=self._clock.now(),
        )
        return verdict.model_copy(update={"signature": self._key.sign(verdict)})

    async def still_stands(
        self, verdict: Verdict, claim: Claim, terms: OutcomeTerms, receipts: Sequence[Receipt], ticket: Ticket
    ) -> CheckResult:
        """Read the record again, before money is settled: what a passed verdict rests on must still be so.

        For an effect the whole proof is repeated with the record from before it and the record as it is now. For an
        answer that changed nothing the record must still be the requester's; its condition may have moved on with
        time. What is worth less now than the verdict says fails (``worth_less``): money is not settled for value that
        is gone. Codes are those of the proofs, and ``evidence_missing`` (undetermined) if the record from before is
        lost. The new reading is the result's evidence.

        Raises:
            ValueError: ``verdict`` is not about exactly this claim, or ``ticket`` is not its ticket.
            UnknownSource: the contract reads from a source that is not set up.
        """
        if verdict.claim_sha256 != fingerprint(claim):
            raise ValueError(f"verdict {verdict.id} is not about claim {claim.id} as it stands here")
        bare = case_of(claim, ticket, receipts)
        after = await self._read(claim, terms)
        kept = (keep_reading(self._evidence, after, label="settlement"),) if after else ()
        try:
            before = kept_reading(self._evidence, verdict.before) if verdict.before else None
        except EvidenceMissing as error:
            return STILL_STANDS.result(Finding.UNDETERMINED, "evidence_missing", str(error), kept)
        case = _with_readings(bare, before, after)
        is_effect = terms.evidence_class is EvidenceClass.EFFECT_VERIFIED
        found = effect(case, terms, STILL_STANDS) if is_effect else _still_theirs(case, terms)
        if found.finding is Finding.PASSED:
            found = _worth_less(verdict, case, terms) or found
        return found.model_copy(update={"evidence": kept})

    async def _read(self, claim: Claim, terms: OutcomeTerms) -> Reading | None:
        """A fresh reading; None when the claim's subject is not one that the contract lets be read."""
        subject = Subject.parse(claim.subject)
        if subject is None or subject_problem(claim.subject, terms):
            return None
        try:
            return await read_subject(self._sources, self._clock, subject, terms)
        except SourceUnavailable as error:
            return Reading(subject=claim.subject, record=None, read_at=self._clock.now(), unavailable=str(error))

    def _best(
        self, bare: Case, after: Reading | None, terms: OutcomeTerms
    ) -> tuple[Case, Examination, Evidence | None]:
        """The case with the snapshot that proves the claim, or with the newest one where none does."""
        found: tuple[Case, Examination, Evidence | None] | None = None
        for evidence, before in self._befores(bare, terms):
            case = _with_readings(bare, before, after)
            examination = examine(case, terms)
            found = found or (case, examination, evidence)
            if examination.finding is Finding.PASSED:
                return case, examination, evidence
        if found is None:
            case = _with_readings(bare, None, after)
            found = case, examine(case, terms), None
        return found

    def _befores(self, bare: Case, terms: OutcomeTerms) -> list[tuple[Evidence, Reading]]:
        """Snapshots of the claim's subject, newest first: for effects, those of the claim's own completed effects."""
        effects = frozenset(receipt.key for receipt in bare.completed_effects())
        is_effect = terms.evidence_class is EvidenceClass.EFFECT_VERIFIED
        found = []
        for snapshot in reversed(self._snapshots.of_task(bare.claim.tenant, bare.claim.task_id)):
            if is_effect and (snapshot.key not in effects or snapshot.subject != bare.claim.subject):
                continue
            try:
                found.append((snapshot.evidence, kept_reading(self._evidence, snapshot.evidence)))
            except EvidenceMissing:
                continue
        return found


def rebuilt_case(verdict: Verdict, claim: Claim, receipts: Sequence[Receipt], evidence: EvidenceStore) -> Case:
    """The Case that ``verdict`` was found on, from stored evidence alone: `examine` it again and compare.

    Raises:
        EvidenceMissing: a blob that the verdict names is absent or was altered.
        ValueError: the verdict is not about exactly this claim, or its evidence is of another shape or another subject.
    """
    if verdict.claim_sha256 != fingerprint(claim):
        raise ValueError(f"verdict {verdict.id} is not about claim {claim.id} as it stands here")
    before = kept_reading(evidence, verdict.before) if verdict.before else None
    after = kept_reading(evidence, verdict.after) if verdict.after else None
    request = kept_json(evidence, verdict.request) if verdict.request else None
    messages = request.get("messages") if isinstance(request, dict) else None
    if not isinstance(messages, list) or not isinstance(request, dict):
        raise ValueError(f"verdict {verdict.id}: its evidence of the request has no messages")
    if after is not None and after.subject != claim.subject:
        raise ValueError(f"verdict {verdict.id}: what was read is {after.subject}, not {claim.subject}")
    bare = Case(
        claim=claim,
        receipts=tuple(receipts),
        requester_email=str(request.get("requester", "")),
        requester_name=str(request.get("name", "")),
        words=tuple(map(str, messages)),
    )
    return _with_readings(bare, before, after)


def _with_readings(bare: Case, before: Reading | None, after: Reading | None) -> Case:
    return replace(
        bare,
        before=before.record if before else None,
        before_of=before.effect if before else "",
        after=after.record if after else None,
        unavailable=after.unavailable if after else "",
    )


def _still_theirs(case: Case, terms: OutcomeTerms) -> CheckResult:
    refused = standing(STILL_STANDS, case, terms)
    if refused is not None:
        return refused
    if case.after is None:
        return STILL_STANDS.failed("record_missing", f"the system of record has no {case.claim.subject} now")
    values = visible(case)
    lost = unmet(STILL_STANDS, terms.proof.belongs_to, values, "not_theirs")
    return lost or STILL_STANDS.passed(explain(terms.proof.belongs_to, values))


def _worth_less(verdict: Verdict, case: Case, terms: OutcomeTerms) -> CheckResult | None:
    if verdict.value is None:
        return None
    now = measured(case, terms)
    if now is None or now.currency != verdict.value.currency:
        return STILL_STANDS.undetermined("value_unclear", f"{terms.worth} was {verdict.value} and cannot be read now")
    if now.minor < verdict.value.minor:
        return STILL_STANDS.failed("worth_less", f"{terms.worth} was {verdict.value} and is {now} now")
    return None
