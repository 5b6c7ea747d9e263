"""The demo from the first ticket to the invoice. Every stretch can be repeated: a killed demo goes on where it was."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from agents.money import Money
from billing import draft, invoices, keep_contract, reconcile, verify_bundle
from billing.contract_store import kept_contracts
from billing.outcome import outcomes
from billing.periods import month_of
from billing.transitions import OutcomeState
from service.assembly import Running
from service.demo.script import Script
from service.deployment import MARK, SETTINGS, State, make_state, open_state
from service.errors import NoState
from service.packages import example
from service.summary import OutcomeLine, TicketLine, outcome_lines, ticket_lines

BEATS = "beats"
"""In a demo's state folder: the states of the four beats."""
_FINISHED = "finished.json"
"""In a demo's state folder: the demo came to its end, the next one starts anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a demo ended."""

    tickets: list[TicketLine]
    outcomes: list[OutcomeLine]
    charged: Money
    """By the outcomes."""
    ledger: Money
    """By the books."""
    invoiced: Money
    """By the invoices, less credit notes."""
    bundles: tuple[Path, ...]
    problems: tuple[str, ...]
    """Differences between the three, and what verification found in a bundle; empty when all is well."""


def retail_example() -> Path:
    """The retail example's folder."""
    return example("retail")


def demo_state(folder: Path) -> tuple[State, bool]:
    """The state for a demo in ``folder``, and whether it continues one that was interrupted.

    Raises:
        NoState: ``folder`` is in use by something that is not a demo.
    """
    if (folder / MARK).is_file():
        if not open_state(folder, orphaned=True).demo:
            raise NoState(f"{folder} is the state of a real deployment; run the demo elsewhere, or with --state DIR")
        if (folder / _FINISHED).is_file():
            shutil.rmtree(folder)
    elif folder.is_dir() and any(entry.name != BEATS for entry in folder.iterdir()):
        raise NoState(f"{folder} is not empty and not a demo's; run the demo elsewhere, or with --state DIR")
    elif (folder.parent / SETTINGS).is_file():
        raise NoState(f"{folder.parent} is a deployment; run the demo elsewhere, or with --state DIR")
    resumed = (folder / MARK).is_file()
    return make_state(folder, retail_example(), demo=True), resumed


async def work(run: Running, script: Script) -> None:
    """Open the tickets and work on them until nobody has anything to say."""
    _sign(run)
    for ticket in script.tickets:
        run.embedded.open(ticket)
        await run.desk.notice(ticket.id)
    await script.play(run)


async def let_settle(run: Running, script: Script) -> None:
    """Let the settlement windows pass, settle, and let the customers come back who do."""
    with run.database.transaction() as session:
        ends = [one.settle_at for one in outcomes(session, tenant=_tenant(run)) if one.state is OutcomeState.VERIFIED]
    for end in sorted(end for end in ends if end is not None):
        run.clock.move_to(end)
    await run.desk.catch_up()
    await run.settlement.settle_due()
    await script.play(run)


def invoice(run: Running) -> None:
    """Let the month end, and issue what is due."""
    with run.database.transaction() as session:
        times = [one.settled_at for one in outcomes(session, tenant=_tenant(run)) if one.settled_at is not None]
    if times:
        run.clock.move_to(month_of(max(times), run.deployment.contract.period.timezone).end)
    run.settlement.close_periods()
    run.settlement.write_missing_bundles()


def ending(run: Running) -> Ending:
    """Compare outcomes, ledger and invoices, and verify every bundle."""
    tenant, currency = _tenant(run), run.deployment.contract.currency
    with run.database.transaction() as session:
        books = reconcile(session, tenant=tenant)
        numbers = [one.number for one in invoices(session, tenant=tenant)]
    bundles = tuple(run.state.invoices / number for number in numbers)
    problems = list(books.differences)
    for bundle in bundles:
        checked = verify_bundle(bundle)
        problems += [f"{bundle.name}: {problem}" for check in checked.checks for problem in check.problems]
    return Ending(
        tickets=ticket_lines(run.database, tenant, currency, run.embedded.list()),
        outcomes=outcome_lines(run.database, tenant, currency),
        charged=Money(minor=books.charged.get(currency, 0), currency=currency),
        ledger=Money(minor=books.ledger.get(currency, 0), currency=currency),
        invoiced=Money(minor=books.invoiced.get(currency, 0), currency=currency),
        bundles=bundles,
        problems=tuple(problems),
    )


def mark_finished(state: State) -> None:
    """The demo came to its end: the next one starts anew."""
    (state.folder / _FINISHED).write_text(json.dumps({"finished": True}) + "\n")


def _sign(run: Running) -> None:
    """Both sides sign the contract, once, with keys made for the demo."""
    with run.database.transaction() as session:
        if kept_contracts(session, tenant=_tenant(run)):
            return
        since = run.clock.now() - timedelta(days=1)
        evaluator = run.state.key("evaluator").public_key
        signed = draft(run.deployment.contract_source, evaluator_key=evaluator, in_force_from=since)
        signed = signed.sign(run.state.key("vendor")).sign(run.state.key("customer"))
        keep_contract(session, tenant=_tenant(run), signed=signed)


def _tenant(run: Running) -> str:
    return run.deployment.settings.tenant
