"""Checking a bundle offline: no database, no network, nothing believed that can be recomputed.

Call `verify_bundle`. Each check says what it found by name; a malformed or hostile bundle is a failed check,
never an exception.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from agents.canonical import canonical_json, sha256_hex
from agents.claim import Claim
from agents.evidence import MemoryEvidenceStore
from agents.receipt import Receipt
from billing import recheck
from billing.bundle import MANIFEST, Manifest, Papers, evidence_of, evidence_of_verdict
from billing.bundle_files import BundleFiles, BundleUnreadable, open_bundle
from billing.contract import Contract, SignedContract
from billing.credit_notes import CreditNote
from billing.errors import ContractNotInForce
from billing.invoice import Invoice
from billing.ledger import JournalEntry
from billing.outcome import Outcome
from evaluators.signing import Signature, key_fingerprint, verifies
from evaluators.verdict import Verdict

MAX_PROBLEMS = 50
"""Problems that one check lists; the rest is counted."""
Model = TypeVar("Model", bound=BaseModel)

_ALWAYS_UNPROVEN = (
    "That the system of record told the truth: the evidence shows what it answered.",
    "That nobody else held the evaluators' or the vendor's private key.",
    "That the times are true: they are those of the vendor's and the evaluators' clocks.",
    "That the second look at settlement happened as recorded: unlike verdicts, it is not signed.",
    "That no other invoice charges the same Episode: this bundle holds one invoice.",
    "That these are all the customer's tickets, or that outcomes not charged were judged rightly.",
    "That nothing was reversed or credited since, or that the ledger was not cut off after its last entry.",
    "That screenshots show what happened: they are illustration, and no verdict rests on them.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleCheck:
    """One question put to a bundle."""

    name: str
    """What is being asked, in a few words."""
    ok: bool
    problems: tuple[str, ...]
    """What is wrong, naming files, outcomes, verdicts, entries; empty when ``ok``."""
    detail: str
    """What was looked at, for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What an offline check of a bundle found."""

    ok: bool
    """True if every check is."""
    checks: tuple[BundleCheck, ...]
    cannot_prove: tuple[str, ...]
    """What no bundle, or not this one, can show; in sentences."""
    invoice: Invoice | None
    """The invoice in the bundle, as far as it could be read; to be believed only when ``ok``."""


def verify_bundle(path: Path, *, vendor_key: str | None = None, customer_key: str | None = None) -> Verification:
    """Check the bundle at ``path``, a folder or a zip file of one.

    ``vendor_key`` and ``customer_key`` are public keys (hex) that are known from elsewhere: the signatures
    must be theirs. Without them a bundle shows only that somebody signed.
    """
    checks: list[BundleCheck] = []
    invoice: Invoice | None = None
    try:
        with open_bundle(path) as files:
            invoice = _verify(files, checks, vendor_key, customer_key)
    except BundleUnreadable as error:
        checks.append(_failed("bundle", str(error)))
    except Exception as error:  # a hostile bundle found a way that nobody thought of: it fails, and says where
        checks.append(_failed("bundle", f"it cannot be checked to the end: {type(error).__name__}: {error}"))
    return Verification(
        ok=bool(checks) and all(check.ok for check in checks),
        checks=tuple(checks),
        cannot_prove=tuple(_unproven(vendor_key, customer_key)),
        invoice=invoice,
    )


def _verify(
    files: BundleFiles, checks: list[BundleCheck], vendor_key: str | None, customer_key: str | None
) -> Invoice | None:
    manifest = _manifest(files)
    papers, unreadable = _papers(files)
    contract: Contract | None = None
    contract_problems: list[str] = []
    if papers is not None:
        try:
            contract = papers.contract.verify()
        except ContractNotInForce as error:
            contract_problems.append(str(error))
        contract_problems += _pins(papers.contract, vendor_key, customer_key)
    checks.append(_check("manifest", f"{MANIFEST}, signed by the vendor", _manifest_problems(manifest, files, papers)))
    checks.append(_check("files", f"{len(files.names)} files", _file_problems(manifest, files, papers)))
    checks.append(_check("papers", "every file is readable", unreadable))
    if papers is None:
        return None
    checks.append(_check("contract", f"{papers.contract.reference}, signed by both sides", contract_problems))
    if contract is None:
        return papers.invoice
    terms, evidence = contract, _evidence(files, papers)
    charged = sum(len(line.outcomes) for line in papers.invoice.lines)
    questions: tuple[tuple[str, str, Callable[[], Iterable[str]]], ...] = (
        ("verdicts", f"{len(papers.verdicts)} verdicts", lambda: recheck.verdict_problems(papers)),
        (
            "examination",
            f"{len(papers.verdicts)} verdicts examined again",
            lambda: recheck.examination_problems(papers, terms, evidence),
        ),
        ("charges", f"{charged} charged outcomes", lambda: recheck.charge_problems(papers, terms)),
        ("episodes", "one unreversed charge per Episode", lambda: recheck.episode_problems(papers, terms)),
        ("ledger", f"{len(papers.ledger)} entries, chained", lambda: recheck.ledger_problems(papers)),
        ("rating", f"rated again: {papers.invoice.total}", lambda: recheck.rating_problems(papers, terms)),
        (
            "agreement",
            f"ledger, invoice and {len(papers.credit_notes)} credit notes",
            lambda: recheck.agreement_problems(papers, terms),
        ),
    )
    for name, detail, problems in questions:
        checks.append(_asked(name, detail, problems))
    return papers.invoice


def _manifest(files: BundleFiles) -> Manifest | None:
    try:
        return Manifest.model_validate_json(files.read(MANIFEST))
    except (BundleUnreadable, ValidationError):
        return None


def _manifest_problems(manifest: Manifest | None, files: BundleFiles, papers: Papers | None) -> Iterator[str]:
    if manifest is None:
        yield f"{MANIFEST} is missing or not the manifest of a bundle"
        return
    signature = manifest.signature
    if files.read(MANIFEST) != canonical_json(manifest):
        yield f"{MANIFEST} was altered: its bytes are not as a bundle is written"
    if signature is None or not _strictly_hex(signature) or not verifies(signature, manifest.statement()):
        yield f"{MANIFEST} was altered or is not signed: the signature does not fit"
    elif papers is not None:
        vendor = papers.contract.vendor
        if signature.signer != "vendor" or vendor is None or signature.public_key != vendor.public_key:
            yield f"{MANIFEST} is not signed by the vendor's key of the contract"
    if papers is not None and (manifest.invoice, manifest.tenant) != (
        papers.invoice.number,
        papers.invoice.tenant,
    ):
        yield f"{MANIFEST} is about {manifest.invoice} of {manifest.tenant}, invoice.json is not"


def _file_problems(manifest: Manifest | None, files: BundleFiles, papers: Papers | None) -> Iterator[str]:
    yield from files.problems
    if manifest is None:
        yield f"without {MANIFEST} no file can be compared with its hash"
        return
    users = _users(papers)
    for name in sorted(manifest.files):
        used = f", used by {', '.join(users[name])}" if name in users else ""
        try:
            if sha256_hex(files.read(name)) != manifest.files[name]:
                yield f"{_shown(name)} was altered: its sha256 is not the manifest's{used}"
        except BundleUnreadable as error:
            yield f"{_shown(str(error))}{used}"
        if name.startswith("evidence/") and name != f"evidence/{manifest.files[name]}":
            yield f"{_shown(name)} is not named by its sha256{used}"
    for name in files.names:
        if name != MANIFEST and name not in manifest.files:
            yield f"{_shown(name)} is not in the manifest"
    if papers is not None:
        for sha256 in sorted({blob.sha256 for blob in evidence_of(papers)}):
            name = f"evidence/{sha256}"
            if name not in manifest.files:
                yield f"{_shown(name)} is missing, used by {', '.join(users[name])}"


def _users(papers: Papers | None) -> dict[str, list[str]]:
    """Who rests on each evidence file."""
    users: dict[str, list[str]] = {}
    if papers is None:
        return users
    named: list[tuple[str, str]] = []
    for verdict in papers.verdicts:
        who = f"verdict {verdict.id} of outcome {verdict.claim_id}"
        named += [(blob.sha256, who) for blob in evidence_of_verdict(verdict)]
    for receipt in papers.receipts:
        named += [(blob.sha256, f"receipt {receipt.key}") for blob in receipt.evidence]
    for outcome in papers.outcomes:
        if outcome.settlement is not None:
            named += [(blob.sha256, f"settlement of outcome {outcome.id}") for blob in outcome.settlement.evidence]
    for sha256, who in named:
        found = users.setdefault(f"evidence/{sha256}", [])
        if who not in found:
            found.append(who)
    return users


def _papers(files: BundleFiles) -> tuple[Papers | None, list[str]]:
    """The typed contents, or what is unreadable."""
    problems: list[str] = []
    contract = _one(files, "contract.json", SignedContract, problems)
    invoice = _one(files, "invoice.json", Invoice, problems)
    outcomes = _many(files, "outcomes.jsonl", Outcome, problems)
    claims = _many(files, "claims.jsonl", Claim, problems)
    verdicts = _many(files, "verdicts.jsonl", Verdict, problems)
    receipts = _many(files, "receipts.jsonl", Receipt, problems)
    entries = _many(files, "ledger.jsonl", JournalEntry, problems)
    notes = _many(files, "credit_notes.jsonl", CreditNote, problems)
    if contract is None or invoice is None or problems:
        return None, problems
    return (
        Papers(
            contract=contract,
            invoice=invoice,
            outcomes=outcomes,
            claims=claims,
            verdicts=verdicts,
            receipts=receipts,
            ledger=entries,
            credit_notes=notes,
        ),
        problems,
    )


def _one(files: BundleFiles, name: str, model: type[Model], problems: list[str]) -> Model | None:
    try:
        return model.model_validate_json(files.read(name))
    except BundleUnreadable as error:
        problems.append(str(error))
    except ValidationError as error:
        problems.append(f"{name} is not readable: {_first(error)}")
    return None


def _many(files: BundleFiles, name: str, model: type[Model], problems: list[str]) -> tuple[Model, ...]:
    found: list[Model] = []
    try:
        lines = files.read(name).split(b"\n")
    except BundleUnreadable as error:
        problems.append(str(error))
        return ()
    if lines[-1]:
        problems.append(f"{name} is cut off: its last line has no end")
    for number, line in enumerate(lines[:-1], start=1):
        try:
            found.append(model.model_validate_json(line))
        except ValidationError as error:
            problems.append(f"{name} line {number} is not readable: {_first(error)}")
    return tuple(found)


def _evidence(files: BundleFiles, papers: Papers) -> MemoryEvidenceStore:
    """The blobs that verdicts rest on, under their true hashes: an altered one is not found by its name."""
    store = MemoryEvidenceStore()
    present = set(files.names)
    for verdict in papers.verdicts:
        for blob in (verdict.before, verdict.after, verdict.request):
            if blob is not None and f"evidence/{blob.sha256}" in present:
                data = files.read(f"evidence/{blob.sha256}")
                store.put(data, media_type=blob.media_type, label=blob.label)
    return store


def _pins(signed: SignedContract, vendor_key: str | None, customer_key: str | None) -> Iterator[str]:
    for role, signature, pinned in (
        ("vendor", signed.vendor, vendor_key),
        ("customer", signed.customer, customer_key),
    ):
        if pinned is not None and (signature is None or signature.public_key != pinned.strip().lower()):
            found = _key_name(signature.public_key) if signature is not None else "nobody"
            yield f"the {role}'s signature is by {found}, not by the key you gave ({_key_name(pinned)})"


def _unproven(vendor_key: str | None, customer_key: str | None) -> Iterator[str]:
    for role, pinned in (("vendor", vendor_key), ("customer", customer_key)):
        if pinned is None:
            yield f"That the {role}'s public key is the {role}'s: give the key you know, and it is compared."
    yield "That the evaluators' public key is held by evaluators: both sides signed that it is."
    yield from _ALWAYS_UNPROVEN


def _asked(name: str, detail: str, problems: Callable[[], Iterable[str]]) -> BundleCheck:
    try:
        return _check(name, detail, problems())
    except Exception as error:  # contents that are well-formed and absurd: the check fails, the others go on
        return _failed(name, f"cannot be checked: {type(error).__name__}: {_shown(str(error))}")


def _check(name: str, detail: str, problems: Iterable[str]) -> BundleCheck:
    found = list(problems)
    if len(found) > MAX_PROBLEMS:
        found[MAX_PROBLEMS:] = [f"and {len(found) - MAX_PROBLEMS} more"]
    return BundleCheck(name=name, ok=not found, problems=tuple(found), detail=detail)


def _failed(name: str, problem: str) -> BundleCheck:
    return BundleCheck(name=name, ok=False, problems=(problem,), detail="")


def _first(error: ValidationError) -> str:
    found = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(map(str, found["loc"]))
    return _shown(f"{place}: {found['msg']}" if place else str(found["msg"]))


def _strictly_hex(signature: Signature) -> bool:
    """Hex has one spelling here, so that no byte of it can change unnoticed."""
    return bool(
        re.fullmatch(r"[0-9a-f]{64}", signature.public_key) and re.fullmatch(r"[0-9a-f]{128}", signature.signature)
    )


def _key_name(public_key: str) -> str:
    try:
        return key_fingerprint(public_key.strip())
    except ValueError:
        return "something that is no public key"


def _shown(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text[:300])
