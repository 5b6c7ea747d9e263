"""Deadlines and period ends: rows swept against the Clock. Sweeping twice, or after a crash, changes nothing twice."""

from __future__ import annotations

from pathlib import Path

import structlog

from agents import tables
from agents.clock import Clock
from agents.evidence import EvidenceStore
from agents.ticket import Helpdesk, Ticket
from billing import Outcome, due, invoices, issue, kept_contract, periods_to_invoice, settle, write_bundle
from billing.contract_store import kept_contracts
from billing.reversal import proof_undone, to_look_at
from evaluators import CheckResult, SigningKey, Verifier
from evaluators.tables import verdict_of_claim
from service.database import Database
from service.progress import Moment, Progress

_log = structlog.get_logger()


class Settlement:
    """Settles, invoices and writes bundles for one tenant."""

    def __init__(
        self,
        *,
        tenant: str,
        database: Database,
        helpdesk: Helpdesk,
        verifier: Verifier,
        evidence: EvidenceStore,
        vendor_key: SigningKey,
        invoices: Path,
        clock: Clock,
        progress: Progress,
    ) -> None:
        self._tenant = tenant
        self._database = database
        self._helpdesk = helpdesk
        self._verifier = verifier
        self._evidence = evidence
        self._vendor_key = vendor_key
        self._invoices = invoices
        self._clock = clock
        self._progress = progress

    async def settle_due(self) -> None:
        """Charge every outcome whose window is over and whose proof still stands on a fresh look."""
        with self._database.transaction() as session:
            waiting = due(session, tenant=self._tenant, now=self._clock.now())
        for outcome in waiting:
            try:
                await self._settle(outcome)
            except Exception:  # the next one may fare better, and this one in the next sweep
                _log.exception("settling failed", outcome=outcome.id)

    async def look_again(self) -> None:
        """Look at the proofs of charges that can still be taken back; what was undone is reversed or credited."""
        with self._database.transaction() as session:
            charged = to_look_at(session, tenant=self._tenant, now=self._clock.now())
        for outcome in charged:
            try:
                await self._look_again(outcome)
            except Exception:
                _log.exception("looking again failed", outcome=outcome.id)

    async def _settle(self, outcome: Outcome) -> None:
        ticket = await self._helpdesk.get(outcome.ticket_id)
        look = await self._look(outcome, ticket)
        with self._database.transaction() as session:
            after = settle(
                session,
                tenant=self._tenant,
                outcome_id=outcome.id,
                still_stands=look,
                ticket_tags=ticket.tags,
                now=self._clock.now(),
            )
        self._tell(after)

    async def _look_again(self, outcome: Outcome) -> None:
        look = await self._look(outcome, await self._helpdesk.get(outcome.ticket_id))
        with self._database.transaction() as session:
            after = proof_undone(
                session, tenant=self._tenant, outcome_id=outcome.id, still_stands=look, now=self._clock.now()
            )
        if after.state is not outcome.state:
            self._tell(after)

    async def _look(self, outcome: Outcome, ticket: Ticket) -> CheckResult:
        """A fresh look at what the outcome rests on."""
        with self._database.transaction() as session:
            claim = tables.claim_of(session, self._tenant, outcome.id)
            verdict = verdict_of_claim(session, self._tenant, outcome.id)
            receipts = tables.receipts_of_task(session, self._tenant, outcome.task_id)
            assert claim is not None, "an outcome rests on a claim"
            assert verdict is not None, "a verified outcome rests on a verdict"
            contract = kept_contract(session, tenant=self._tenant, reference=verdict.contract).verify()
        return await self._verifier.still_stands(
            verdict, claim, contract.outcomes[claim.outcome_type], receipts, ticket
        )

    def _tell(self, outcome: Outcome) -> None:
        name = f"outcome.{outcome.state.value}"
        self._progress(Moment(name=name, ticket_id=outcome.ticket_id, data={"code": outcome.code}))

    def close_periods(self) -> list[Path]:
        """Invoice every period that is over, and write each new invoice's bundle; returns the bundles' folders."""
        with self._database.transaction() as session:
            contracts = kept_contracts(session, tenant=self._tenant)
        folders = []
        for signed in contracts:
            now = self._clock.now()
            with self._database.transaction() as session:
                periods = periods_to_invoice(session, tenant=self._tenant, signed_contract=signed, now=now)
            for period in periods:
                with self._database.transaction() as session:
                    invoice = issue(session, tenant=self._tenant, signed_contract=signed, period=period, now=now)
                assert invoice is not None, "the period holds charges"
                self._progress(Moment(name="invoice.issued", data={"number": invoice.number}))
                folders.append(self.write_bundle(invoice.number))
        return folders

    def write_bundle(self, number: str) -> Path:
        """Write, or write again, the bundle of an invoice."""
        with self._database.transaction() as session:
            folder = write_bundle(
                session,
                tenant=self._tenant,
                number=number,
                receipts_of=lambda task_id: tables.receipts_of_task(session, self._tenant, task_id),
                evidence=self._evidence,
                vendor_key=self._vendor_key,
                into=self._invoices,
                now=self._clock.now(),
            )
        self._progress(Moment(name="bundle.written", data={"number": number}))
        return folder

    def write_missing_bundles(self) -> None:
        """Write the bundles of invoices that a crash left without one."""
        with self._database.transaction() as session:
            numbers = [invoice.number for invoice in invoices(session, tenant=self._tenant)]
        for number in numbers:
            if not (self._invoices / number / "manifest.json").is_file():
                self.write_bundle(number)
