"""The people of the demo: customers who answer, thank and come back, and a shift lead who answers approvals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from agents import tables
from agents.policy.approval import ApprovalState
from agents.task import TaskState
from agents.ticket import Author, Requester
from billing.outcome import outcomes
from billing.transitions import OutcomeState
from service.assembly import Running
from service.helpdesks.embedded import NewTicket


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    ticket: str


class Word(_Line):
    """What a customer writes when their ticket has come so far."""

    after: Literal["question", "resolved", "settled"]
    text: str


class Answer(_Line):
    """What the shift lead says to the approval that a ticket waits for."""

    answer: Literal["approve", "reject"]
    note: str = ""


class Script:
    """All scripted words of an example, for some of its tickets."""

    def __init__(self, folder: Path, only: tuple[str, ...] = ()) -> None:
        """``only`` names the tickets to take; empty takes all."""
        rows = [json.loads(line) for line in (folder / "tickets.jsonl").read_text(encoding="utf-8").splitlines()]
        self.tickets = [
            NewTicket(
                id=row["id"],
                requester=Requester(**row["requester"]),
                subject=row["subject"],
                messages=row["messages"],
                tags=row["tags"],
            )
            for row in rows
            if not only or row["id"] in only
        ]
        wanted = {ticket.id for ticket in self.tickets}
        words = (folder / "customers.jsonl").read_text(encoding="utf-8").splitlines()
        answers = (folder / "approvals.jsonl").read_text(encoding="utf-8").splitlines()
        self._words = [word for word in map(Word.model_validate_json, words) if word.ticket in wanted]
        self._answers = {answer.ticket: answer for answer in map(Answer.model_validate_json, answers)}

    async def play(self, run: Running) -> None:
        """Let everybody say what is due, and let the desk work, until nobody has anything to say."""
        await run.desk.idle()
        while await self._speak(run):
            await run.desk.idle()

    async def _speak(self, run: Running) -> bool:
        tenant = run.deployment.settings.tenant
        with run.database.transaction() as session:
            waiting = {task.ticket_id for task in tables.tasks(session, tenant, TaskState.WAITING_REQUESTER)}
            states = {outcome.ticket_id: outcome.state for outcome in outcomes(session, tenant=tenant)}
            pending = tables.approvals(session, tenant, ApprovalState.PENDING)
        spoke = False
        for word in self._words:
            due = {
                "question": word.ticket in waiting,
                "resolved": states.get(word.ticket) is OutcomeState.VERIFIED,
                "settled": states.get(word.ticket) in (OutcomeState.SETTLED, OutcomeState.INVOICED),
            }[word.after]
            spoke = (due and await self._write(run, word)) or spoke
        for approval in pending:
            answer = self._answers.get(approval.ticket_id)
            if answer is not None:
                approved = answer.answer == "approve"
                await run.desk.answer_approval(approval.id, approved=approved, by="shift lead", note=answer.note)
                spoke = True
        return spoke

    async def _write(self, run: Running, word: Word) -> bool:
        """Write a word once; False if it is there already."""
        key = f"{word.ticket}:{word.after}"
        before = await run.helpdesk.get(word.ticket)
        after = run.embedded.write(word.ticket, word.text, key=key, author=Author.REQUESTER)
        await run.desk.notice(word.ticket)
        return after.version != before.version
