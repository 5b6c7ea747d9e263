"""Tickets from files: plain text, JSON, JSON lines, CSV, mail.

    read_tickets(path) -> Intake(tickets, problems)          everything at once
    stream_tickets(path) -> Taken | RowProblem, ...          row by row, for files of any size

Sound rows become tickets; each row that is left out, or was changed to be taken, is a problem with its number and a
reason. The words in a file are data: they are cleaned of what no person types, and nothing else is done to them.
"""

from service.intake.cleaning import MAX_MESSAGE_CHARS, MAX_SUBJECT_CHARS, email_address
from service.intake.reading import Intake, Taken, read_tickets, stream_tickets
from service.intake.rows import Past, RowProblem

__all__ = [
    "MAX_MESSAGE_CHARS",
    "MAX_SUBJECT_CHARS",
    "Intake",
    "Past",
    "RowProblem",
    "Taken",
    "email_address",
    "read_tickets",
    "stream_tickets",
]
