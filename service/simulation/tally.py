"""The sums of a simulation, made up result by result."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict

from service.model_use import ModelUse
from service.rehearsed import Proof, RehearsedEnd
from service.simulation.rates import Rate, rate
from service.simulation.running import Result


class BillLine(BaseModel):
    """What would be charged for one type of outcome."""

    model_config = ConfigDict(frozen=True)

    outcome_type: str
    quantity: int
    amount_minor: int
    amount_most_minor: int
    """More than ``amount_minor`` where prices are shares of values that effects would put on record."""
    assumed: int
    """Of the quantity, how many rest on effects that were not made."""


class Summary(BaseModel):
    """A simulation in figures."""

    model_config = ConfigDict(frozen=True)

    tickets: int
    ends: dict[RehearsedEnd, int]
    resolved: Rate
    """Of all tickets that would be worked on."""
    bill: tuple[BillLine, ...]
    bill_minor: int
    bill_most_minor: int
    """As in `BillLine`."""
    models: ModelUse
    """What models took in this simulation; a ticket that needs one and had none is in ``ends``."""
    currency: str
    contract: str
    """``id@version``"""
    checked: int
    """Claims whose whole proof was checked on a fresh reading."""
    assumed: int
    """Claims that rest on an effect that was not made."""
    approvals: int
    """How often a person would have been asked; each was taken as given."""
    questions: int
    """How often the requester would have been asked."""
    charged_before: int
    """Claims about an Episode that an earlier ticket was charged for."""
    judged: int
    """Tickets of which the history says what people did."""
    right: Rate
    """Of those: everything expected and nothing else."""
    precision: Rate
    """Of claims on those: how many the history agrees with."""
    missed: int
    """Tickets with an expected outcome that would not be claimed."""
    false_actions: int
    """Effects, and claims without one, that the history speaks against."""
    false_tickets: int
    """Tickets with at least one of them."""
    other_procedure: int
    """Tickets on which another procedure ran than the history names."""
    nothing_found: int
    """Tickets on which a read found nothing."""
    procedures: dict[str, dict[RehearsedEnd, int]]
    """Where the tickets of each procedure would stand."""
    reasons: dict[str, int]
    """Coded reasons of tasks that would not be resolved, the most frequent first."""


@dataclass(slots=True)
class Tally:
    """Counts results; its size does not grow with them."""

    ends: Counter[RehearsedEnd] = field(default_factory=Counter)
    quantities: Counter[str] = field(default_factory=Counter)
    amounts: Counter[str] = field(default_factory=Counter)
    most: Counter[str] = field(default_factory=Counter)
    assumed: Counter[str] = field(default_factory=Counter)
    procedures: Counter[tuple[str, RehearsedEnd]] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    sums: Counter[str] = field(default_factory=Counter)
    models: ModelUse = field(default_factory=ModelUse)

    def add(self, result: Result) -> None:
        """Count one more."""
        rehearsed, judged, sums = result.rehearsed, result.judged, self.sums
        self.ends[rehearsed.end] += 1
        for task in rehearsed.tasks:
            self.procedures[task.procedure or "none", task.end] += 1
            self.models += task.models
            sums["approvals"] += len(task.approvals)
            sums["questions"] += task.questions
            sums["checked"] += task.proof is Proof.CHECKED
            sums["assumed"] += task.proof is Proof.ASSUMED
            if task.end is not RehearsedEnd.RESOLVED:
                self.reasons[task.code] += 1
            if task.charge_most_minor:
                self.quantities[task.outcome_type] += 1
                self.amounts[task.outcome_type] += task.charge_minor
                self.most[task.outcome_type] += task.charge_most_minor
                self.assumed[task.outcome_type] += task.proof is Proof.ASSUMED
        sums["charged_before"] += len(result.charged_before)
        sums["nothing_found"] += any(task.nothing_found for task in rehearsed.tasks)
        sums["other_procedure"] += bool(judged.other_procedure)
        if judged.right is None:
            return
        sums["judged"] += 1
        sums["right"] += judged.right
        sums["missed"] += judged.missed
        sums["false_actions"] += len(judged.false_actions)
        sums["false_tickets"] += bool(judged.false_actions)
        sums["claims"] += any(task.proven for task in rehearsed.tasks)
        sums["sound_claims"] += any(task.proven for task in rehearsed.tasks) and not judged.false_actions

    def summary(self, *, currency: str, contract: str) -> Summary:
        """What was counted."""
        sums, ends = self.sums, self.ends
        tickets = ends.total()
        procedures: dict[str, dict[RehearsedEnd, int]] = {}
        for (name, end), count in sorted(self.procedures.items()):
            procedures.setdefault(name, {})[end] = count
        return Summary(
            tickets=tickets,
            ends={end: ends[end] for end in RehearsedEnd},
            resolved=rate(ends[RehearsedEnd.RESOLVED], tickets - ends[RehearsedEnd.NOT_WORKED_ON]),
            bill=tuple(
                BillLine(
                    outcome_type=name,
                    quantity=count,
                    amount_minor=self.amounts[name],
                    amount_most_minor=self.most[name],
                    assumed=self.assumed[name],
                )
                for name, count in sorted(self.quantities.items())
            ),
            bill_minor=self.amounts.total(),
            bill_most_minor=self.most.total(),
            models=self.models,
            currency=currency,
            contract=contract,
            checked=sums["checked"],
            assumed=sums["assumed"],
            approvals=sums["approvals"],
            questions=sums["questions"],
            charged_before=sums["charged_before"],
            judged=sums["judged"],
            right=rate(sums["right"], sums["judged"]),
            precision=rate(sums["sound_claims"], sums["claims"]),
            missed=sums["missed"],
            false_actions=sums["false_actions"],
            false_tickets=sums["false_tickets"],
            other_procedure=sums["other_procedure"],
            nothing_found=sums["nothing_found"],
            procedures=procedures,
            reasons=dict(self.reasons.most_common()),
        )
