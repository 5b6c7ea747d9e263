"""Agents finish tasks: a planner chooses and compiles, an executor acts within a grant and leaves receipts.

    ticket -> planner (procedure, plan) -> executor (tools, browser, replies) -> Claim

Nothing here verifies or charges anything: evaluators read claims, billing reads verdicts, and neither is imported.
"""

from agents.agent import Agent, Result
from agents.claim import Claim
from agents.clock import Clock, ManualClock, SystemClock
from agents.effect import EffectObserver, PendingEffect
from agents.errors import AgentsError, InvalidDocument, Problem, ToolFailed, ToolOutcomeUnknown
from agents.evidence import Evidence, EvidenceStore, FileEvidenceStore, MemoryEvidenceStore
from agents.executor import Executor
from agents.journal import Journal, MemoryJournal
from agents.money import Money
from agents.receipt import Effect, Receipt, ReceiptState
from agents.task import Run, Task, TaskState
from agents.ticket import Author, Helpdesk, Message, Requester, Ticket, TicketStatus
from agents.tools import Tool, Toolbox, ToolContext, tool
from agents.work import Claimed, End, Ended, Superseded, Work

__all__ = [
    "Agent",
    "AgentsError",
    "Author",
    "Claim",
    "Claimed",
    "Clock",
    "Effect",
    "EffectObserver",
    "End",
    "Ended",
    "Evidence",
    "EvidenceStore",
    "Executor",
    "FileEvidenceStore",
    "Helpdesk",
    "InvalidDocument",
    "Journal",
    "ManualClock",
    "MemoryEvidenceStore",
    "MemoryJournal",
    "Message",
    "Money",
    "PendingEffect",
    "Problem",
    "Receipt",
    "ReceiptState",
    "Requester",
    "Result",
    "Run",
    "Superseded",
    "SystemClock",
    "Task",
    "TaskState",
    "Ticket",
    "TicketStatus",
    "Tool",
    "ToolContext",
    "ToolFailed",
    "ToolOutcomeUnknown",
    "Toolbox",
    "Work",
    "tool",
]
