"""From a requester's words to a Plan: choose a procedure, compile it, find its replies."""

from agents.language import detect_language
from agents.planner.plan import Plan
from agents.planner.procedure import Procedure, load_procedures, read_procedures
from agents.planner.replies import Replies
from agents.planner.selection import ProcedureSelector, Selection

__all__ = [
    "Plan",
    "Procedure",
    "ProcedureSelector",
    "Replies",
    "Selection",
    "detect_language",
    "load_procedures",
    "read_procedures",
]
