"""What can go wrong while outcomes are charged. Nothing is charged when any of these is raised.

BillingError
├── InvalidAmount          a price finer than the currency's minor unit, or a sum over two currencies
├── ContractNotInForce     unsigned, altered, signed with the wrong keys, unknown, or not yet in force
├── ClaimConflict          the same claim id came with other contents
├── VerdictRefused         not authentic, or not about this claim under this contract
├── OutcomeNotFound        the tenant has no such outcome
├── IllegalTransition      an outcome cannot go from where it is to where it was sent
├── NotDue                 an outcome was settled before its settlement window ended
├── PeriodNotOver          an invoice was asked for before its period ended
├── PeriodClosed           a settlement was dated into a period that is invoiced already
├── EntryRefused           postings that do not sum to zero, or other postings under a source that is taken
├── InvoiceMismatch        lines, outcomes and ledger disagree; no invoice is issued
└── InvoiceNotFound        the tenant has no such invoice

A contract file that cannot be read raises `agents.errors.InvalidDocument` with file, line and field.
"""

from __future__ import annotations


class BillingError(Exception):
    """The root of this package's errors."""


class InvalidAmount(BillingError):
    """An amount that cannot be charged exactly."""


class ContractNotInForce(BillingError):
    """The contract does not bind both sides, or not yet; the message says why."""


class ClaimConflict(BillingError):
    """Another claim is recorded under the same id; the recorded one stands."""


class VerdictRefused(BillingError):
    """The verdict may not turn this claim into money; the message says why."""


class OutcomeNotFound(BillingError):
    """The tenant has no outcome under that id."""


class IllegalTransition(BillingError):
    """The outcome's life has no such step."""


class NotDue(BillingError):
    """The settlement window is still open."""


class PeriodNotOver(BillingError):
    """A period is invoiced after its end, never before."""


class PeriodClosed(BillingError):
    """The moment lies in a period that is invoiced; settle again with the current time."""


class EntryRefused(BillingError):
    """The ledger does not take this entry."""


class InvoiceMismatch(BillingError):
    """The invoice's lines and the ledger's movement are not the same money."""


class InvoiceNotFound(BillingError):
    """The tenant has no invoice under that number."""
