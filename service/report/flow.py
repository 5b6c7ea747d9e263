"""The big figures, and the flow from tickets to money with everything that left it on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from agents.money import Money, exponent
from agents.task import TaskState
from billing import Outcome
from billing.transitions import OutcomeState
from service.shown import amount
from service.summary import TicketLine

WIDTH, HEIGHT, FALL = 1000, 88, 34
"""The drawing, in its own units: the height of all tickets, and how far down the curves go that leave the flow."""
_TASKS = {
    TaskState.HANDED_OFF: "handed to people",
    TaskState.ANSWERED: "answered, nothing claimed",
    TaskState.EXCLUDED: "not worked on",
    TaskState.WAITING_REQUESTER: "wait for the requester",
    TaskState.WAITING_APPROVAL: "wait for approval",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One big figure."""

    name: str
    value: str
    unit: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """Those that left the flow, or wait, after one stage."""

    count: int
    name: str
    tone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage of the flow."""

    name: str
    count: int
    means: str
    exits: tuple[Exit, ...]
    """Where those went that do not reach the next stage."""
    column: str
    """SVG path of the stage itself."""
    onward: str
    """SVG path of those that go on."""
    leaving: str
    """SVG path of those that do not; empty if all go on."""


def figures(
    lines: Sequence[TicketLine], outcomes: Sequence[Outcome], proven: int, charged: Mapping[str, int], currency: str
) -> tuple[Figure, ...]:
    """What a report begins with. ``charged`` are minor units per currency."""
    back = [one for one in outcomes if one.state in (OutcomeState.REVERSED, OutcomeState.VOID)]
    reversed_ = sum(one.state is OutcomeState.REVERSED for one in back)
    handed = sum(line.task_state == TaskState.HANDED_OFF for line in lines)
    claimed = {one.ticket_id for one in outcomes}
    handed_after = sum(line.task_state == TaskState.HANDED_OFF for line in lines if line.ticket in claimed)
    languages = len({line.language for line in lines if line.language})
    paid = sum(one.state in (OutcomeState.SETTLED, OutcomeState.INVOICED) for one in outcomes)
    totals = sorted(charged.items()) or [(currency, 0)]
    total, unit = _split(amount(totals[0][1], totals[0][0])) if len(totals) == 1 else (str(len(totals)), "currencies")
    note = f"for {many(paid, 'outcome')}" if len(totals) == 1 else " + ".join(amount(m, c) for c, m in totals)
    each, each_unit = _average(totals[0][1], totals[0][0], proven) if len(totals) == 1 else ("–", "")
    given_up = sum(one.price.minor for one in back if one.price is not None and one.price.currency == currency)
    return (
        Figure(name="Tickets", value=str(len(lines)), unit="", note=f"in {many(languages, 'language')}"),
        Figure(name="Proven outcomes", value=str(proven), unit="", note=f"of {many(len(outcomes), 'claim')}"),
        Figure(name="Charged", value=total, unit=unit, note=note),
        Figure(
            name="Reversed or void",
            value=str(len(back)),
            unit="",
            note=f"{reversed_} reversed, {len(back) - reversed_} void; {amount(given_up, currency)} not charged",
        ),
        Figure(name="Handed to people", value=str(handed), unit="", note=f"{handed_after or 'none'} after a claim"),
        Figure(name="Per proven outcome", value=each, unit=each_unit, note="charged, on average"),
    )


def flow(lines: Sequence[TicketLine], outcomes: Sequence[Outcome]) -> tuple[Stage, ...]:
    """Tickets, claims, verified, settled, invoiced; with the exits of each."""
    with_claim = {one.ticket_id for one in outcomes}
    none = Counter(_task(line) for line in lines if line.ticket not in with_claim)
    states = [(one.state, one) for one in outcomes]
    rejected = sum(state is OutcomeState.REJECTED for state, _ in states)
    void_early = sum(state is OutcomeState.VOID and one.verified_at is None for state, one in states)
    void_late = sum(state is OutcomeState.VOID and one.verified_at is not None for state, one in states)
    reversed_early = sum(state is OutcomeState.REVERSED and one.invoice is None for state, one in states)
    credited = sum(state is OutcomeState.REVERSED and one.invoice is not None for state, one in states)
    count = Counter(state for state, _ in states)
    stages = (
        (
            "Tickets",
            len(lines),
            "came in",
            [Exit(count=n, name=name, tone="people" if "people" in name else "none") for name, n in none.most_common()],
        ),
        (
            "Claims",
            len(outcomes),
            "the agents say done",
            [
                Exit(count=rejected, name="rejected by the evaluators", tone="bad"),
                Exit(count=void_early, name="void", tone="back"),
                Exit(count=count[OutcomeState.CLAIMED], name="not decided or priced", tone="wait"),
            ],
        ),
        (
            "Verified",
            sum(one.verified_at is not None for one in outcomes),
            "proven on the system of record",
            [
                Exit(count=void_late, name="void before settlement", tone="back"),
                Exit(count=count[OutcomeState.VERIFIED], name="in the settlement window", tone="wait"),
            ],
        ),
        (
            "Settled",
            sum(one.settled_at is not None for one in outcomes),
            "the proof stood a second look",
            [
                Exit(count=reversed_early, name="reversed, never invoiced", tone="back"),
                Exit(count=count[OutcomeState.SETTLED], name="wait for the period's end", tone="wait"),
            ],
        ),
        (
            "Invoiced",
            sum(one.invoice is not None for one in outcomes),
            "on an invoice",
            [Exit(count=credited, name="reversed by credit note", tone="back")],
        ),
    )
    return drawn(stages, kept=stages[-1][1] - credited)


def drawn(stages: Sequence[tuple[str, int, str, Sequence[Exit]]], *, kept: int) -> tuple[Stage, ...]:
    """The stages as they are drawn: (name, count, what it means, exits) each; ``kept`` stay after the last."""
    most = max(1, *(stage[1] for stage in stages))
    heights = [_height(stage[1], most) for stage in stages] + [_height(kept, most)]
    width = WIDTH // len(stages)
    return tuple(
        _stage(n * width, width, name, number, means, exits, heights[n], min(heights[n], heights[n + 1]))
        for n, (name, number, means, exits) in enumerate(stages)
    )


def _stage(
    left: int, width: int, name: str, count: int, means: str, exits: Sequence[Exit], height: int, kept: int
) -> Stage:
    start, end = left + 10, left + width
    turn, down = start + 60, HEIGHT + FALL
    leaving = ""
    if kept < height:
        leaving = (
            f"M{start} {kept}C{turn} {kept} {turn + 40} {kept + 20} {turn + 44} {down}"
            f"H{turn + 4}C{turn} {height + 10} {start + 40} {height} {start} {height}Z"
        )
    return Stage(
        name=name,
        count=count,
        means=means,
        exits=tuple(each for each in exits if each.count),
        column=f"M{left} 0H{start}V{height}H{left}Z" if height else "",
        onward=f"M{start} 0H{end}V{kept}H{start}Z" if kept else "",
        leaving=leaving,
    )


def _height(count: int, most: int) -> int:
    return max(3, count * HEIGHT // most) if count > 0 else 0


def _task(line: TicketLine) -> str:
    try:
        return _TASKS.get(TaskState(line.task_state), "under way")
    except ValueError:
        return "under way"


def _average(minor: int, currency: str, count: int) -> tuple[str, str]:
    """Rounded half to even to the minor unit; a dash where there is nothing to divide by."""
    if count == 0:
        return "–", ""
    step = Decimal(1).scaleb(-exponent(currency))
    rounded = (Money(minor=minor, currency=currency).decimal / count).quantize(step, rounding=ROUND_HALF_EVEN)
    return f"{rounded:,}", currency


def _split(text: str) -> tuple[str, str]:
    number, _, unit = text.rpartition(" ")
    return number, unit


def many(count: int, name: str) -> str:
    """``1 ticket``, ``2 tickets``"""
    return f"{count:,} {name}{'' if count == 1 else 's'}"
