"""Charge per resolved task: outcomes, contract, ledger, invoices, and bundles that anybody can check.

Data flows one way::

    Claim -> record_claim -> claimed
    Verdict -> record_verdict -> verified and priced by contract_in_force at the ticket's opening; or rejected
    settle.after later, proof looked at again -> settle -> settled, posted to the ledger
    the month over -> issue -> Invoice
    requester_returned, subject_reopened, proof_undone -> void, reversed, or credited with a CreditNote
    write_bundle -> a folder -> verify_bundle, offline

Functions take a Session of an open transaction, never commit, and do nothing twice: unique keys decide. Money
is whole minor units; the caller gives the time.
"""

from billing.append_only import statements
from billing.bundle import write_bundle
from billing.contract import Contract, SignedContract, draft, load_contract
from billing.contract_store import contract_in_force, keep_contract, kept_contract
from billing.credit_notes import CreditNote, list_credit_notes
from billing.errors import (
    BillingError,
    ClaimConflict,
    ContractNotInForce,
    InvoiceNotFound,
    NotDue,
    OutcomeNotFound,
    PeriodClosed,
    PeriodNotOver,
    VerdictRefused,
)
from billing.invoice import Invoice, find_invoice, invoices, issue, periods_to_invoice
from billing.ledger import JournalEntry
from billing.outcome import Outcome, due, find_outcome, record_claim, record_verdict, settle
from billing.periods import month
from billing.pricing import price
from billing.reconcile import reconcile
from billing.reversal import proof_undone, requester_returned, restart_window, subject_reopened
from billing.verify import verify_bundle

__all__ = [
    "BillingError",
    "ClaimConflict",
    "Contract",
    "ContractNotInForce",
    "CreditNote",
    "Invoice",
    "InvoiceNotFound",
    "JournalEntry",
    "NotDue",
    "Outcome",
    "OutcomeNotFound",
    "PeriodClosed",
    "PeriodNotOver",
    "SignedContract",
    "VerdictRefused",
    "contract_in_force",
    "draft",
    "due",
    "find_invoice",
    "find_outcome",
    "invoices",
    "issue",
    "keep_contract",
    "kept_contract",
    "list_credit_notes",
    "load_contract",
    "month",
    "periods_to_invoice",
    "price",
    "proof_undone",
    "reconcile",
    "record_claim",
    "record_verdict",
    "requester_returned",
    "restart_window",
    "settle",
    "statements",
    "subject_reopened",
    "verify_bundle",
    "write_bundle",
]
