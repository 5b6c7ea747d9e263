"""Compile what works: procedures proposed from verified runs whose plans a model wrote, for a person to accept."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents import tables
from agents.claim import Claim
from agents.documents import read_document
from agents.evidence import EvidenceStore
from agents.models.messages import ToolCall, from_json
from agents.open_context import FINISH
from agents.planned import STEP
from agents.planner.lifting import CannotLift, WrittenPlan, lift, shape
from agents.planner.procedure import compile_procedure
from agents.receipt import Effect, Receipt
from agents.ticket import Ticket
from agents.trace import EventKind
from billing.outcome import outcomes
from billing.transitions import OutcomeState
from service.database import Database
from service.deployment import PROCEDURES, Deployment

PROPOSED = ".yaml.proposed"
_PROVEN = (OutcomeState.VERIFIED, OutcomeState.SETTLED, OutcomeState.INVOICED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A procedure, or why there is none."""

    name: str
    runs: tuple[str, ...]
    text: str = ""
    obstacle: str = ""
    """Why these runs cannot become one; empty where they can."""


def written_plans(database: Database, evidence: EvidenceStore, tenant: str) -> list[WrittenPlan]:
    """The plans of models that were taken to their end, in runs whose claims stand proven; oldest first."""
    with database.reading() as session:
        proven = [one for one in outcomes(session, tenant=tenant) if one.state in _PROVEN]
        found = []
        for outcome in sorted(proven, key=lambda one: one.claimed_at):
            claim = tables.claim_of(session, tenant, outcome.id)
            if claim is None:
                continue
            receipts = tables.receipts_of_task(session, tenant, claim.task_id)
            plans = [
                event.step
                for event in tables.events_of_run(session, tenant, claim.run_id)
                if event.kind is EventKind.PLAN_MADE and event.step.startswith(f"{STEP}.")
            ]
            runs = [run for run, _ in tables.runs_of_task(session, tenant, claim.task_id) if run.id == claim.run_id]
            if plans:
                ticket = Ticket.model_validate_json(evidence.get(runs[-1].ticket_sha256))
                found.append(_written(claim, ticket, receipts, plans[-1], evidence))
    return found


def propose(deployment: Deployment, plans: Sequence[WrittenPlan], *, name: str, ask: str) -> Iterator[Proposal]:
    """A proposal for every group of plans that do the same; ``name`` is numbered from the second on."""
    changing = {tool.name for tool in deployment.toolbox if tool.effect is not Effect.READ}
    groups: dict[str, list[WrittenPlan]] = defaultdict(list)
    for plan in plans:
        try:
            groups[shape(plan)].append(plan)
        except CannotLift as error:
            yield Proposal(name="", runs=(plan.run_id,), obstacle=str(error))
    for number, group in enumerate(groups.values(), start=1):
        called = name if number == 1 else f"{name}-{number}"
        runs = tuple(plan.run_id for plan in group)
        yield Proposal(name=called, runs=runs, text=lift(called, group, ask=ask, changing=changing))


def write(deployment: Deployment, proposal: Proposal) -> Path:
    """Write the proposal beside the procedures, under a name that nothing reads.

    Raises:
        InvalidDocument: it does not compile in this deployment; the file is written all the same, to be mended.
    """
    path: Path = deployment.folder / PROCEDURES / f"{proposal.name}{PROPOSED}"
    path.write_text(proposal.text, encoding="utf-8")
    compile_procedure(read_document(path), deployment.toolbox, deployment.replies)
    return path


def accept(deployment: Deployment, name: str) -> Path:
    """Make a proposal a procedure: a person read it.

    Raises:
        FileNotFoundError: there is no such proposal.
        FileExistsError: there is a procedure of that name already.
        InvalidDocument: it does not compile.
    """
    proposed: Path = deployment.folder / PROCEDURES / f"{name}{PROPOSED}"
    target = proposed.with_name(f"{name}.yaml")
    if target.exists():
        raise FileExistsError(f"{target} is there already; give the proposal another name")
    compile_procedure(read_document(proposed), deployment.toolbox, deployment.replies)
    return proposed.rename(target)


def _written(
    claim: Claim, ticket: Ticket, receipts: Sequence[Receipt], plan_step: str, evidence: EvidenceStore
) -> WrittenPlan:
    mine = [one for one in receipts if one.run_id == claim.run_id and one.of_model]
    (answer,) = (one for one in mine if one.step == plan_step)
    text = from_json(evidence.get(answer.evidence[0].sha256)).turn.text
    written: dict[str, Any] = json.loads(text[text.find("{") : text.rfind("}") + 1])
    leaves: dict[str, dict[str, Any]] = {}
    for receipt in mine:
        step = receipt.step.rpartition(".")[0].partition("~")[0]
        for part in from_json(evidence.get(receipt.evidence[0].sha256)).turn.parts:
            if isinstance(part, ToolCall) and part.name == FINISH:
                leaves[step] = part.arguments
    return WrittenPlan(
        run_id=claim.run_id,
        ticket_id=claim.ticket_id,
        words=ticket.own_words(),
        steps=tuple(written["steps"]),
        subject=str(written["subject"]),
        outcome=claim.outcome_type,
        leaves=leaves,
    )
