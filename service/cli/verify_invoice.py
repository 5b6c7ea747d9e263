"""``settle verify-invoice``: needs the bundle and nothing else."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from billing import verify_bundle
from service.cli.output import AsJson, print_json, print_table, say

app = typer.Typer(add_completion=False)


def _public_key(text: str | None) -> str | None:
    if text is not None and not re.fullmatch(r"[0-9a-fA-F]{64}", text):
        raise typer.BadParameter("a public key is 64 hex digits; `settle contract show` prints both sides' keys")
    return text.lower() if text is not None else None


@app.command()
def verify_invoice(
    bundle: Annotated[Path, typer.Argument(help="The bundle's folder, or a zip file of it.")],
    customer_key: Annotated[
        str | None,
        typer.Option(metavar="HEX", callback=_public_key, help="The customer's public key, known from elsewhere."),
    ] = None,
    vendor_key: Annotated[
        str | None,
        typer.Option(metavar="HEX", callback=_public_key, help="The vendor's public key, known from elsewhere."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check an invoice's bundle offline: signatures, hashes, verdicts, prices, ledger. Exit code 0 only if all hold."""
    found = verify_bundle(bundle, vendor_key=vendor_key, customer_key=customer_key)
    if as_json:
        checks = [asdict(check) for check in found.checks]
        cannot = list(found.cannot_prove)
        print_json({"ok": found.ok, "invoice": found.invoice, "checks": checks, "cannot_prove": cannot})
    else:
        if found.invoice is not None:
            invoice = found.invoice
            say(
                f"Invoice {invoice.number} of {invoice.vendor} to {invoice.customer}, {invoice.period}: {invoice.total}"
            )
        print_table(
            ("Check", "Result", "Looked at"),
            [(check.name, "ok" if check.ok else "FAILED", check.detail) for check in found.checks],
        )
        for check in found.checks:
            say(*(f"FAILED {check.name}: {problem}" for problem in check.problems))
        say("The bundle verifies." if found.ok else "The bundle does NOT verify.", "", "What a bundle cannot prove:")
        say(*(f"- {sentence}" for sentence in found.cannot_prove))
    if not found.ok:
        raise typer.Exit(1)
