"""Verdicts for the report: what each check found, what changed on the record, and one verdict in full."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from agents.canonical import canonical_json, sha256_hex
from agents.claim import Claim
from agents.errors import EvidenceMissing, ExpressionError
from agents.evidence import Evidence, EvidenceStore
from agents.money import Money
from agents.receipt import Receipt
from billing import ContractNotInForce, SignedContract
from billing.bundle import receipts_behind
from evaluators import (
    VERIFIER_VERSION,
    CheckResult,
    OutcomeTerms,
    ProofTerms,
    Reading,
    Verdict,
    examine,
    key_fingerprint,
    rebuilt_case,
)
from evaluators.proof import explain, holds, visible
from service.shown import LETTER, PARAGRAPH, Shown, shown, value, when

EXPRESSIONS = ("belongs_to", "became", "by", "holds")
"""The parts of a contract's proof, in the order in which they read well."""
CELL = 90
"""Characters of a value in a table of changes."""
_ABSENT = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckView:
    """One check with its answer."""

    name: str
    version: str
    finding: str
    code: str
    reason: Shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One field of the record, before and after."""

    field: str
    before: Shown
    after: Shown
    changed: bool
    read_by: tuple[str, ...]
    """The parts of the contract's proof that read it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """The record before and after, as the evaluators read it: only what changed or what the proof reads."""

    rows: tuple[Change, ...]
    others: int
    """Fields that are the same and that the proof does not read."""
    before_at: str
    after_at: str
    problem: str
    """Why there is nothing to compare; empty when there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictView:
    """One verdict."""

    finding: str
    evidence_class: str
    """Empty unless passed."""
    code: str
    contract: str
    version: str
    decided_at: str
    checks: tuple[CheckView, ...]
    key: str
    """Fingerprint of the key that signed."""
    sound: bool
    """The signature fits, and the key is the one that the contract names."""
    signature: str
    """The same in words."""
    changes: Changes


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """One expression of the contract, evaluated again on the stored evidence."""

    name: str
    source: str
    answer: str
    """``yes``, ``no``, or why there is no answer."""
    values: Shown
    """The values that it read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofView:
    """One verdict in full, as the evaluators signed it."""

    ticket: str
    anchor: str
    """Of the ticket."""
    verdict: VerdictView
    means: str
    """What the contract says the outcome means."""
    read: str
    """What the contract has the evaluators read."""
    fields: tuple[tuple[str, Shown], ...]
    """Every field of the verdict that is one value."""
    expressions: tuple[Tested, ...]
    again: str
    """What came of examining it again."""
    again_same: bool
    signed: Shown
    """The bytes that were signed."""
    signed_sha256: str


def check_view(check: CheckResult) -> CheckView:
    """One check."""
    return CheckView(
        name=check.check,
        version=check.version,
        finding=check.finding.value,
        code=check.code,
        reason=shown(check.reason, PARAGRAPH),
    )


def verdict_view(verdict: Verdict, signed: SignedContract | None, evidence: EvidenceStore) -> VerdictView:
    """A verdict, with its signature checked now; ``signed`` is the contract it names, if that is kept."""
    sound, signature = _signature(verdict, signed)
    terms = _terms(verdict, signed)
    return VerdictView(
        finding=verdict.finding.value,
        evidence_class=verdict.evidence_class.value if verdict.evidence_class else "",
        code=verdict.code,
        contract=verdict.contract,
        version=verdict.verifier_version,
        decided_at=when(verdict.decided_at),
        checks=tuple(check_view(check) for check in verdict.checks),
        key=_fingerprint(verdict.signature.public_key) if verdict.signature else "",
        sound=sound,
        signature=signature,
        changes=changes(verdict, terms.proof if terms else None, evidence),
    )


def proof_view(
    verdict: Verdict,
    claim: Claim,
    receipts: Sequence[Receipt],
    signed: SignedContract | None,
    evidence: EvidenceStore,
    *,
    anchor: str,
) -> ProofView:
    """One verdict in full; what cannot be found again is said, never an error."""
    terms = _terms(verdict, signed)
    values, again, same = _again(verdict, claim, receipts, terms, evidence)
    data = canonical_json(verdict.unsigned())
    return ProofView(
        ticket=verdict.ticket_id,
        anchor=anchor,
        verdict=verdict_view(verdict, signed, evidence),
        means=terms.means if terms else "",
        read=terms.proof.read if terms else "",
        fields=tuple(_fields(verdict)),
        expressions=tuple(_tested(terms.proof, values)) if terms else (),
        again=again,
        again_same=same,
        signed=shown(data.decode("utf-8", "replace"), LETTER),
        signed_sha256=sha256_hex(data),
    )


def changes(verdict: Verdict, proof: ProofTerms | None, evidence: EvidenceStore) -> Changes:
    """What changed on the record between the evaluators' two looks at it."""
    if verdict.after is None:
        return _nothing("The evaluators read no record for this claim.")
    try:
        after = _reading(verdict.after, evidence)
        before = _reading(verdict.before, evidence) if verdict.before else None
    except (EvidenceMissing, OSError, ValueError) as error:
        return _nothing(f"The stored records cannot be shown: {_first_line(error)}.")
    if after.record is None:
        return _nothing(f"The record was not there: {after.unavailable or 'the source has none under this key'}.")
    was, now = _flat(before.record or {}) if before else {}, _flat(after.record)
    readers = _readers(proof)
    rows = []
    for field in dict.fromkeys([*was, *now, *readers]):
        old, new = was.get(field, _ABSENT), now.get(field, _ABSENT)
        changed = before is not None and old != new
        if changed or field in readers:
            rows.append(
                Change(
                    field=field,
                    before=_cell(field, old, was),
                    after=_cell(field, new, now),
                    changed=changed,
                    read_by=tuple(readers.get(field, ())),
                )
            )
    return Changes(
        rows=tuple(sorted(rows, key=lambda row: not row.changed)),
        others=len(dict.fromkeys([*was, *now])) - sum(row.field in was or row.field in now for row in rows),
        before_at=when(before.read_at) if before else "",
        after_at=when(after.read_at),
        problem="",
    )


def _nothing(problem: str) -> Changes:
    return Changes(rows=(), others=0, before_at="", after_at="", problem=problem)


def _terms(verdict: Verdict, signed: SignedContract | None) -> OutcomeTerms | None:
    """The terms that were tested, from the contract as it is kept."""
    try:
        return signed.verify().outcomes.get(verdict.outcome_type) if signed is not None else None
    except ContractNotInForce:
        return None


def _signature(verdict: Verdict, signed: SignedContract | None) -> tuple[bool, str]:
    if verdict.signature is None:
        return False, "It is not signed."
    if not verdict.authentic(verdict.signature.public_key):
        return False, "The signature does not fit: the verdict was altered, or is not signed by an evaluator."
    if signed is None:
        return False, "The signature fits its key; no contract is kept that names the key."
    if verdict.signature.public_key != signed.evaluator_key:
        return False, "The signature fits its key, and the key is not the one that both sides accepted."
    return True, "The signature fits, and the key is the one that both sides accepted in the contract."


def _fingerprint(public_key: str) -> str:
    try:
        return key_fingerprint(public_key)
    except ValueError:
        return "not a key"


def _reading(blob: Evidence, evidence: EvidenceStore) -> Reading:
    return Reading.model_validate_json(evidence.get(blob.sha256))


def _readers(proof: ProofTerms | None) -> dict[str, list[str]]:
    """The parts of the proof that read each field of the record."""
    readers: dict[str, list[str]] = {}
    for name in EXPRESSIONS:
        expression = getattr(proof, name, None)
        for path in sorted(expression.paths) if expression else ():
            field = ".".join(path[1:])
            if path[0] in ("before", "after") and field and name not in readers.setdefault(field, []):
                readers[field].append(name)
    return readers


def _flat(record: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Every value of a record under its dotted path; lists stay whole."""
    flat: dict[str, Any] = {}
    for name, item in record.items():
        if isinstance(item, dict) and item:
            flat.update(_flat(item, f"{prefix}{name}."))
        else:
            flat[f"{prefix}{name}"] = item
    return flat


def _cell(field: str, data: Any, record: Mapping[str, Any]) -> Shown:
    if data is _ABSENT:
        return shown("absent")
    currency = record.get("currency")
    if field.endswith("_minor") and type(data) is int and isinstance(currency, str):
        try:
            return shown(f"{data} = {Money(minor=data, currency=currency).text()}")
        except ValidationError:
            pass
    return shown('""') if data == "" else value(data, CELL)


def _fields(verdict: Verdict) -> list[tuple[str, Shown]]:
    fields: list[tuple[str, Shown]] = []
    for name in type(verdict).model_fields:
        data = getattr(verdict, name)
        match data:
            case Evidence():
                fields.append((name, shown(f"sha256 {data.sha256}")))
            case None:
                fields.append((name, shown("none")))
            case str():
                fields.append((name, shown(data)))
    fields.append(("decided_at", shown(when(verdict.decided_at))))
    if verdict.signature is not None:
        fields.append(("signature.signer", shown(verdict.signature.signer)))
        fields.append(("signature.public_key", shown(verdict.signature.public_key)))
        fields.append(("signature.signature", shown(verdict.signature.signature)))
    return fields


def _again(
    verdict: Verdict,
    claim: Claim,
    receipts: Sequence[Receipt],
    terms: OutcomeTerms | None,
    evidence: EvidenceStore,
) -> tuple[dict[str, Any], str, bool]:
    """(values that expressions see, what came of examining again, whether it was the same)."""
    if terms is None:
        return {}, "It cannot be examined again: the contract that it names is not kept here.", False
    if verdict.verifier_version != VERIFIER_VERSION:
        return {}, f"It cannot be examined again: {VERIFIER_VERSION} is here, not {verdict.verifier_version}.", False
    try:
        case = rebuilt_case(verdict, claim, receipts_behind(verdict, receipts), evidence)
        found = examine(case, terms)
    except (EvidenceMissing, OSError, ValueError) as error:
        return {}, f"It cannot be examined again: {_first_line(error)}.", False
    same = (found.finding, found.evidence_class, found.code, found.checks) == (
        verdict.finding,
        verdict.evidence_class,
        verdict.code,
        verdict.checks,
    )
    if same:
        return visible(case), "Examined again on the stored evidence for this report: every check says the same.", True
    return visible(case), f"Examined again on the stored evidence it is {found.finding} ({found.code}).", False


def _tested(proof: ProofTerms, values: Mapping[str, Any]) -> list[Tested]:
    tested = []
    for name in EXPRESSIONS:
        expression = getattr(proof, name)
        if expression is None:
            continue
        try:
            answer = "yes" if holds(expression, values) else "no"
        except ExpressionError as error:
            answer = f"undetermined: {error}" if values else "not evaluated again"
        read = explain(expression, values) if values else ""
        tested.append(Tested(name=name, source=expression.source, answer=answer, values=shown(read, PARAGRAPH)))
    return tested


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
