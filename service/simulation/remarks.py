"""What is said about a simulation, on the terminal and on the page."""

from __future__ import annotations

from agents.money import Money
from service.rehearsed import Proof, RehearsedEnd
from service.simulation.tally import Summary


def span(least: int, most: int, currency: str) -> str:
    """``0.99 USD``, or ``1.00 to 50.00 USD``"""
    upper = Money(minor=most, currency=currency).text()
    return upper if least == most else f"{Money(minor=least, currency=currency).text().partition(' ')[0]} to {upper}"


def remarks(summary: Summary) -> list[str]:
    """What a reader of the figures has to know."""
    said = [
        f"Nothing was done and nobody was written to. Claims that rest on effects: {summary.assumed}; those were not "
        f"made, and are assumed to verify ({Proof.ASSUMED.value}). Claims without an effect: {summary.checked}, each "
        f"checked on the record as it is now ({Proof.CHECKED.value})."
    ]
    if summary.approvals:
        said.append(f"Approvals a person would be asked for: {summary.approvals}; each was taken as given.")
    if needing := summary.ends[RehearsedEnd.NEEDS_MODEL]:
        said.append(
            f"Tickets that come to something for a model, and are not rehearsed further: {needing}. "
            "settle simulate --models --dollars AMOUNT asks models; they cost money."
        )
    if summary.models.calls:
        said.append(f"Models were asked {summary.models.calls:,} times, for {summary.models.cost}.")
    if summary.models.remark:
        said.append(summary.models.remark)
    if summary.nothing_found:
        said.append(
            f"Tickets on which a read found nothing: {summary.nothing_found}; the system of record may have moved on "
            "since."
        )
    if summary.bill_minor != summary.bill_most_minor:
        said.append(
            "Where a price is a share of a value that only the effect puts on record, least and most are given."
        )
    if summary.charged_before:
        said.append(f"Claims that repeat an earlier one, and would not be charged again: {summary.charged_before}.")
    if not summary.judged:
        said.append("The file does not say what people did (expected_outcome), so false actions cannot be told.")
    return said
