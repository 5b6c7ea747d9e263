"""Live progress: a line for every moment of a ticket that a person would want to see."""

from __future__ import annotations

from service.cli.output import live
from service.progress import Moment

_LINES = {
    "plan.made": ("begins {procedure}", "dim"),
    "effect.done": ("done: {tool}", ""),
    "step.failed": ("did not succeed: {tool} ({code})", "yellow"),
    "approval.asked": ("asks a person: {reason}", "cyan"),
    "approval.answered": ("was answered by a person", "cyan"),
    "claim.made": ("claims {outcome_type}", ""),
    "verdict.signed": ("the evaluators say {finding} ({code})", ""),
    "outcome.verified": ("verified and priced; its settlement window runs", "green"),
    "outcome.unpriced": ("verified, and not priced: {code}", "yellow"),
    "outcome.settled": ("settled", "green"),
    "outcome.rejected": ("costs nothing: rejected ({code})", "red"),
    "outcome.void": ("costs nothing: void ({code})", "red"),
    "outcome.reversed": ("reversed ({code})", "red"),
    "ticket.shadowed": ("in shadow: would be {end}; a note says so", "cyan"),
    "job.held": ("held back: the kill switch is on", "yellow"),
    "job.resumed": ("taken up again", "cyan"),
    "ticket.resolved": ("resolved", "green"),
    "task.waiting_requester": ("asks the requester ({code})", "cyan"),
    "task.waiting_approval": ("waits for a person's approval", "cyan"),
    "task.answered": ("answered, nothing claimed ({code})", ""),
    "job.postponed": ("goes on when the helpdesk answers: {reason}", "yellow"),
    "helpdesk.away": ("does not answer: {reason}", "yellow"),
    "helpdesk.back": ("answers again", ""),
    "task.handed_off": ("handed to a person ({code})", "yellow"),
}


def tell(moment: Moment) -> None:
    """Print a moment's line, if it has one."""
    if moment.name in _LINES:
        text, style = _LINES[moment.name]
        live(moment.ticket_id or "helpdesk", text.format_map(_Known(moment.data)), style)


class _Known(dict[str, object]):
    """A moment's data; what it does not have is shown as a dash."""

    def __missing__(self, name: str) -> str:
        return "-"
