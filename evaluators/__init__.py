"""Evaluators: what the agents claim, tested on the system of record, and answered with a signed Verdict.

    PendingEffect ──► Observer ──► Snapshot ─────────┐
    Claim, Receipts, Ticket ──► Verifier ──► Case ───┴──► examine (checks) ──► Verdict ──► billing
                                  │ fresh read
                               SystemOfRecord (read-only, the evaluators' own credential)

The claim proposes the key of a record and nothing else; contracts choose what is read and what must be true of it.
`examine` needs no I/O: with `rebuilt_case` anyone can repeat it on a verdict's stored evidence. The database half is in
`evaluators.tables`, imported only by who owns a database.
"""

from evaluators.case import Case, Subject
from evaluators.checks.confirmation import Followup, classify, is_automatic, is_further_question, is_thanks
from evaluators.errors import EvaluatorsError, RecordMissing, SourceUnavailable, SubjectRefused, UnknownSource
from evaluators.observer import MemorySnapshots, Observer, Snapshot, Snapshots
from evaluators.panel import Examination, examine
from evaluators.reading import Reading
from evaluators.signing import Signature, SigningKey, key_fingerprint, verifies
from evaluators.sources import HttpJsonSource, KnowledgeSource, MemorySource, SystemOfRecord
from evaluators.terms import OutcomeTerms, ProofTerms
from evaluators.verdict import CheckResult, EvidenceClass, Finding, Verdict
from evaluators.verification import VERIFIER_VERSION, Verifier, rebuilt_case

__all__ = [
    "VERIFIER_VERSION",
    "Case",
    "CheckResult",
    "EvaluatorsError",
    "EvidenceClass",
    "Examination",
    "Finding",
    "Followup",
    "HttpJsonSource",
    "KnowledgeSource",
    "MemorySnapshots",
    "MemorySource",
    "Observer",
    "OutcomeTerms",
    "ProofTerms",
    "Reading",
    "RecordMissing",
    "Signature",
    "SigningKey",
    "Snapshot",
    "Snapshots",
    "SourceUnavailable",
    "Subject",
    "SubjectRefused",
    "SystemOfRecord",
    "UnknownSource",
    "Verdict",
    "Verifier",
    "classify",
    "examine",
    "is_automatic",
    "is_further_question",
    "is_thanks",
    "key_fingerprint",
    "rebuilt_case",
    "verifies",
]
