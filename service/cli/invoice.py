"""``settle invoice``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from billing import CreditNote, Invoice, InvoiceNotFound, invoices, list_credit_notes
from evaluators import Verifier
from service.cli.books import Books, StateOption, open_books
from service.cli.output import AsJson, print_json, print_table, say
from service.helpdesks.embedded import EmbeddedHelpdesk
from service.journal import SqlSnapshots
from service.progress import silent
from service.settlement import Settlement

app = typer.Typer(add_completion=False)


@app.command()
def invoice(
    number: Annotated[str | None, typer.Argument(metavar="[NUMBER]", help="For example INV-0001 or CN-0001.")] = None,
    close: Annotated[
        bool, typer.Option("--close", help="First issue the invoices of all periods that are over.")
    ] = False,
    state: StateOption = None,
    as_json: AsJson = False,
) -> None:
    """List invoices and credit notes, or show one with its lines and where its bundle is."""
    with open_books(state) as books:
        closed = _settlement(books).close_periods() if close else []
        with books.database.transaction() as session:
            issued = invoices(session, tenant=books.tenant)
            notes = list_credit_notes(session, tenant=books.tenant)
        folder = books.state.invoices
    if close and not as_json:
        say(f"Issued: {', '.join(one.name for one in closed)}" if closed else "No period is over that holds charges.")
    if number is None:
        _list(issued, notes, folder, as_json=as_json)
        return
    found = next((one for one in issued if one.number == number.upper()), None)
    note = next((one for one in notes if one.number == number.upper()), None)
    if found is not None:
        credits = [one for one in notes if one.invoice == found.number]
        _show(found, credits, _bundle(folder, found.number), as_json=as_json)
    elif note is not None:
        _list((), (note,), folder, as_json=as_json)
    else:
        raise InvoiceNotFound(f"there is no invoice or credit note {number}; `settle invoice` lists them")


def _list(issued: tuple[Invoice, ...], notes: tuple[CreditNote, ...], folder: Path, *, as_json: bool) -> None:
    if as_json:
        listed = [{**one.model_dump(mode="json"), "bundle": _bundle(folder, one.number)} for one in issued]
        print_json({"invoices": listed, "credit_notes": notes})
        return
    if issued or not notes:
        print_table(
            ("Invoice", "Period", "Customer", "Issued (UTC)", "Total>", "Bundle"),
            [
                (
                    one.number,
                    one.period,
                    one.customer,
                    f"{one.issued_at:%Y-%m-%d}",
                    one.total,
                    _bundle(folder, one.number),
                )
                for one in issued
            ],
            empty="There are no invoices yet; `settle invoice --close` issues those of periods that are over.",
        )
    if notes:
        print_table(
            ("Credit note", "Invoice", "Line>", "Issued (UTC)", "Amount>", "Outcome", "Reason"),
            [
                (
                    one.number,
                    one.invoice,
                    one.line,
                    f"{one.issued_at:%Y-%m-%d}",
                    f"-{one.amount}",
                    one.outcome_id,
                    one.reason,
                )
                for one in notes
            ],
        )


def _show(invoice: Invoice, notes: list[CreditNote], bundle: str, *, as_json: bool) -> None:
    if as_json:
        print_json({**invoice.model_dump(mode="json"), "credit_notes": _dumped(notes), "bundle": bundle})
        return
    say(
        f"Invoice {invoice.number} of {invoice.vendor} to {invoice.customer}, order {invoice.purchase_order}",
        f"{invoice.period} ({invoice.timezone}), under {invoice.contract}, issued {invoice.issued_at:%Y-%m-%d}",
    )
    print_table(
        ("Line>", "Outcome", "Evidence class", "Quantity>", "Unit>", "Amount>"),
        [
            (line.number, line.outcome_type, line.evidence_class.value, line.quantity, line.unit, line.amount)
            for line in invoice.lines
        ],
    )
    for outcome_type, basis in {line.outcome_type: line.basis for line in invoice.lines if line.basis}.items():
        say(f"Unit price of {outcome_type}: {basis} {invoice.currency}")
    say(f"Total: {invoice.total}")
    if invoice.reversed:
        reversals = [(one.outcome_id, one.outcome_type, one.code) for one in invoice.reversed]
        print_table(("Reversed before the invoice", "Outcome", "Reason"), reversals)
    for note in notes:
        say(f"Credited by {note.number}, line {note.line}: -{note.amount}. {note.reason}")
    say(*invoice.terms, f"Bundle: {bundle}")
    if bundle != _NO_BUNDLE:
        say(f"Check it with: settle verify-invoice {bundle}")


_NO_BUNDLE = "not written"


def _bundle(folder: Path, number: str) -> str:
    return str(folder / number) if (folder / number / "manifest.json").is_file() else _NO_BUNDLE


def _dumped(notes: list[CreditNote]) -> list[dict[str, object]]:
    return [note.model_dump(mode="json") for note in notes]


def _settlement(books: Books) -> Settlement:
    """What closes periods. It looks nothing up, so its verifier has no sources, and no process is needed."""
    state, database = books.state, books.database
    verifier = Verifier(
        sources={},
        snapshots=SqlSnapshots(database),
        evidence=books.evidence,
        key=state.key("evaluator"),
        clock=books.clock,
    )
    return Settlement(
        tenant=books.tenant,
        database=database,
        helpdesk=EmbeddedHelpdesk(database, books.tenant, books.clock),
        verifier=verifier,
        evidence=books.evidence,
        vendor_key=state.key("vendor"),
        invoices=state.invoices,
        clock=books.clock,
        progress=silent,
    )
