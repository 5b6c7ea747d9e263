"""The note that a person finds when a task is handed off: intent, facts, what was done, why it stopped."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ValidationError

from agents.money import Money
from agents.receipt import Effect, Receipt, ReceiptState
from agents.task import Task


def handoff_note(task: Task, *, procedure: str, code: str, reason: str, receipts: Sequence[Receipt]) -> str:
    """The internal note, as plain text; the requester's own words stay in the thread and are not repeated."""
    lines = [
        f"Handed off by Settle: {code}",
        f"Why it stopped: {reason}",
        f"Procedure: {procedure or 'none chosen'}",
        f"Requester: {task.requester.email} ({task.language})",
    ]
    done = [receipt for receipt in receipts if receipt.state is ReceiptState.DONE]
    for receipt in done:
        did = "changed" if receipt.changes_record else "read" if receipt.effect is Effect.READ else "told the requester"
        arguments = ", ".join(f"{name}={_short(value)}" for name, value in sorted(receipt.args.items()))
        lines.append(f"- {did}: {receipt.tool}({arguments})")
    for receipt in receipts:
        if receipt.state is ReceiptState.FAILED:
            lines.append(f"- failed, and changed nothing: {receipt.tool}, {receipt.error}")
        elif receipt.state is ReceiptState.ABOUT_TO:
            lines.append(f"- not certain: {receipt.tool}, its outcome is unknown")
    if not receipts:
        lines.append("- nothing was done")
    return "\n".join(lines)


def _short(value: object) -> str:
    try:
        text = str(Money.model_validate(value))
    except ValidationError:
        text = " ".join(str(value).split())
    return text if len(text) <= 80 else text[:79] + "…"
