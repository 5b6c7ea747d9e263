"""Bundles: all that is behind one invoice in a folder that anybody can check offline: `verify.verify_bundle`.

A bundle ``INV-0001/`` holds ``manifest.json`` (every file's sha256, signed by the vendor), ``contract.json``,
``invoice.json``, ``outcomes.jsonl``, ``claims.jsonl``, ``verdicts.jsonl``, ``receipts.jsonl``,
``ledger.jsonl`` (the tenant's whole chain), ``credit_notes.jsonl`` and ``evidence/<sha256>``.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict
from sqlmodel import Session

from agents.canonical import canonical_json, sha256_hex
from agents.claim import Claim
from agents.evidence import Evidence, EvidenceStore
from agents.receipt import Receipt
from billing import ledger
from billing.contract import SignedContract
from billing.contract_store import kept_contract
from billing.credit_notes import CreditNote, list_credit_notes
from billing.errors import ContractNotInForce
from billing.invoice import Invoice, find_invoice
from billing.ledger import JournalEntry
from billing.outcome import Outcome, described, locked
from billing.periods import utc
from evaluators.signing import Signature, SigningKey
from evaluators.verdict import Verdict

MANIFEST = "manifest.json"
FORMAT: Literal["settle-bundle/1"] = "settle-bundle/1"


class Manifest(BaseModel):
    """What a bundle holds. ``signature`` is the vendor's and covers every other field."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["settle-bundle/1"]
    tenant: str
    invoice: str
    written_at: AwareDatetime
    files: dict[str, str]
    """The sha256 of every file but this one, by its name in the bundle."""
    signature: Signature | None = None

    def statement(self) -> dict[str, object]:
        """What the vendor signs."""
        return {"signs": "bundle", "manifest": self.model_copy(update={"signature": None})}


@dataclass(frozen=True, slots=True, kw_only=True)
class Papers:
    """The contents of a bundle, typed; the evidence is apart."""

    contract: SignedContract
    invoice: Invoice
    outcomes: tuple[Outcome, ...]
    """Those charged on the invoice and those it lists as reversed, by id."""
    claims: tuple[Claim, ...]
    verdicts: tuple[Verdict, ...]
    receipts: tuple[Receipt, ...]
    """All receipts of the claims' tasks that were begun before the verdicts."""
    ledger: tuple[JournalEntry, ...]
    credit_notes: tuple[CreditNote, ...]
    """Those on this invoice, up to the moment of writing."""


def write_bundle(
    session: Session,
    *,
    tenant: str,
    number: str,
    receipts_of: Callable[[str], Iterable[Receipt]],
    evidence: EvidenceStore,
    vendor_key: SigningKey,
    into: Path,
    now: datetime,
) -> Path:
    """Write the bundle of invoice ``number`` as the folder ``into/number``, whole or not at all; returns it.

    A bundle that is there already is replaced: later ones hold later credit notes. ``receipts_of`` gives all
    receipts of a task id.

    Raises:
        InvoiceNotFound: the tenant has no such invoice.
        ContractNotInForce: ``vendor_key`` is not the key that signed the invoice's contract.
        EvidenceMissing: a blob that a verdict or a receipt names is gone or altered.
    """
    papers = _gather(session, tenant, number, receipts_of)
    if papers.contract.vendor is None or papers.contract.vendor.public_key != vendor_key.public_key:
        raise ContractNotInForce(f"a bundle is signed with the vendor's key of contract {papers.contract.reference}")
    contents = {
        "contract.json": canonical_json(papers.contract),
        "invoice.json": canonical_json(papers.invoice),
        "outcomes.jsonl": _lines(papers.outcomes),
        "claims.jsonl": _lines(papers.claims),
        "verdicts.jsonl": _lines(papers.verdicts),
        "receipts.jsonl": _lines(papers.receipts),
        "ledger.jsonl": _lines(papers.ledger),
        "credit_notes.jsonl": _lines(papers.credit_notes),
    }
    into.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=f".{number}-", dir=into))
    try:
        (building / "evidence").mkdir()
        hashes = {}
        for name, data in contents.items():
            (building / name).write_bytes(data)
            hashes[name] = sha256_hex(data)
        for sha256 in sorted({blob.sha256 for blob in evidence_of(papers)}):
            (building / "evidence" / sha256).write_bytes(evidence.get(sha256))
            hashes[f"evidence/{sha256}"] = sha256
        manifest = Manifest(format=FORMAT, tenant=tenant, invoice=number, written_at=utc(now), files=hashes)
        manifest = manifest.model_copy(update={"signature": vendor_key.sign(manifest.statement())})
        (building / MANIFEST).write_bytes(canonical_json(manifest))
        building.chmod(0o755)
        return _put_in_place(building, into / number)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def evidence_of(papers: Papers) -> tuple[Evidence, ...]:
    """Every blob that the papers name."""
    named: list[Evidence] = []
    for verdict in papers.verdicts:
        named += evidence_of_verdict(verdict)
    for receipt in papers.receipts:
        named += receipt.evidence
    for outcome in papers.outcomes:
        named += outcome.settlement.evidence if outcome.settlement is not None else ()
    return tuple(named)


def evidence_of_verdict(verdict: Verdict) -> tuple[Evidence, ...]:
    """Every blob that a verdict names."""
    seen = (blob for blob in (verdict.before, verdict.after, verdict.request) if blob is not None)
    return (*seen, *(blob for check in verdict.checks for blob in check.evidence))


def receipts_behind(verdict: Verdict, receipts: Iterable[Receipt]) -> tuple[Receipt, ...]:
    """Those of ``receipts`` that the evaluators had before them: the task's, begun before the verdict."""
    return tuple(
        receipt
        for receipt in receipts
        if (receipt.tenant, receipt.task_id) == (verdict.tenant, verdict.task_id)
        and receipt.started_at <= verdict.decided_at
    )


def _gather(session: Session, tenant: str, number: str, receipts_of: Callable[[str], Iterable[Receipt]]) -> Papers:
    invoice = find_invoice(session, tenant=tenant, number=number)
    ids = {outcome_id for line in invoice.lines for outcome_id in line.outcomes}
    ids |= {reversed_.outcome_id for reversed_ in invoice.reversed}
    rows = [locked(session, tenant=tenant, outcome_id=outcome_id) for outcome_id in sorted(ids)]
    verdicts = tuple(Verdict.model_validate_json(row.verdict) for row in rows if row.verdict is not None)
    receipts: dict[str, Receipt] = {}
    for verdict in verdicts:
        receipts |= {each.key: each for each in receipts_behind(verdict, receipts_of(verdict.task_id))}
    return Papers(
        contract=kept_contract(session, tenant=tenant, reference=invoice.contract),
        invoice=invoice,
        outcomes=tuple(described(session, row) for row in rows),
        claims=tuple(Claim.model_validate_json(row.claim) for row in rows),
        verdicts=verdicts,
        receipts=tuple(receipts[key] for key in sorted(receipts)),
        ledger=ledger.entries(session, tenant=tenant),
        credit_notes=tuple(note for note in list_credit_notes(session, tenant=tenant) if note.invoice == number),
    )


def _lines(records: Sequence[BaseModel]) -> bytes:
    """One JSON object a line; a tool's result may hold floats, which `canonical_json` refuses."""
    texts = (
        json.dumps(record.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        for record in records
    )
    return "".join(f"{text}\n" for text in texts).encode()


def _put_in_place(building: Path, target: Path) -> Path:
    if target.exists():
        earlier = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
        target.replace(earlier / target.name)
        building.replace(target)
        shutil.rmtree(earlier)
    else:
        building.replace(target)
    return target
