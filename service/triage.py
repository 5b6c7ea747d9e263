"""What a ticket calls for now: pure rules over the ticket, its tasks and their claims. The desk carries it out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from agents.claim import Claim
from agents.planner import ProcedureSelector
from agents.planner.issues import Issue, issues, named
from agents.planner.leftovers import PART_LEFT, left_over
from agents.task import Task, TaskState
from agents.ticket import Author, Message, Ticket
from evaluators import Followup, classify, is_automatic, is_further_question, is_thanks

NOTHING_ASKED = "nothing_asked"
"""The reason of a task that stands for words which ask for nothing."""
SPAM = "spam"
"""The helpdesk's tag for tickets that are nobody's work."""
UNDER_WAY = (TaskState.OPEN, TaskState.WAITING_REQUESTER, TaskState.WAITING_APPROVAL, TaskState.ANSWERED)
_SPOKEN = (TaskState.WAITING_REQUESTER, TaskState.ANSWERED)
"""The agent said the last word; thanks, automatic replies and what staff add call for no other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing:
    """Nothing is to be done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclude:
    """The ticket is not, or no longer, the agent's to work on."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Begin:
    """The requester brought issues that no task stands for yet."""

    issues: tuple[Issue, ...]
    brought_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Close:
    """All that the requester ever wrote are thanks or automatic replies: nobody has to do anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GoOn:
    """Tasks are under way."""

    tasks: tuple[Task, ...]
    changed: Issue | None = None
    """What the requester wants instead, if they changed their mind; then there is one task."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reopened:
    """The requester came back about what was claimed: it is not resolved."""

    tasks: tuple[Task, ...]
    written_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Thanked:
    """The requester wrote something that asks for nothing."""

    written_at: datetime


Next = Nothing | Exclude | Begin | Close | GoOn | Reopened | Thanked


def look(
    ticket: Ticket,
    tasks: Sequence[Task],
    claims: Mapping[str, Claim],
    heard: Collection[str],
    selector: ProcedureSelector,
    wishes: Mapping[str, Sequence[str]],
) -> Next:
    """What ``ticket`` calls for.

    Args:
        claims: those of its tasks, by task id.
        heard: ids of the messages that runs of its tasks have seen; the helpdesk's clock may be another than ours.
        wishes: by procedure that changes something the phrases that name the change (`Deployment.wishes`).
    """
    under_way = tuple(task for task in tasks if task.state in UNDER_WAY)
    if under_way or untouched(tasks):
        if SPAM in {tag.strip().casefold() for tag in ticket.tags}:
            return Exclude(code=SPAM, detail="the helpdesk tagged it as spam")
        if ticket.merged_into:
            return Exclude(code="merged", detail=f"it goes on in ticket {ticket.merged_into}")
    if untouched(tasks):
        if asks_for_nothing(ticket, selector):
            return Nothing() if tasks else Close()
        wrote = _substantive(ticket.requester_messages())
        if tasks and wrote:  # the words before were closed as thanks, and say nothing about the issue
            return Begin(issues=_brought(selector, [each.text for each in wrote], wishes), brought_at=wrote[0].at)
        words = ticket.own_words()
        found = _with_rest(selector, issues(selector, words), words, wishes)
        return Begin(issues=found, brought_at=ticket.opened_at)
    claimed = tuple(task for task in tasks if task.state is TaskState.CLAIMED)
    returned = _returned(ticket, tasks, claimed, claims, heard, selector, wishes) if claimed else None
    if returned is not None and (not under_way or isinstance(returned, Reopened)):
        return returned
    if not ticket.unanswered_words():
        under_way = tuple(task for task in under_way if task.state is not TaskState.ANSWERED)
    if not under_way or _adds_nothing(ticket, under_way):
        return Nothing()
    return GoOn(tasks=under_way, changed=_changed(ticket, under_way, selector))


def untouched(tasks: Sequence[Task]) -> bool:
    """True if nobody has worked on anything of the ticket yet."""
    return all(task.reason == NOTHING_ASKED for task in tasks)


def asks_for_nothing(ticket: Ticket, selector: ProcedureSelector) -> bool:
    """True if every message of the requester is thanks or an automatic reply, and the subject line is no more."""
    found = {classify(message) for message in ticket.requester_messages()}
    if not found or Followup.SUBSTANTIVE in found:
        return False
    subject = ticket.own_subject()
    if not subject or is_thanks(subject) or is_automatic(subject, False):
        return True
    chosen = selector.select(subject).procedure
    return Followup.AUTOMATIC in found and (chosen is None or chosen.triggers.otherwise)


def _returned(
    ticket: Ticket,
    tasks: Sequence[Task],
    claimed: tuple[Task, ...],
    claims: Mapping[str, Claim],
    heard: Collection[str],
    selector: ProcedureSelector,
    wishes: Mapping[str, Sequence[str]],
) -> Next | None:
    """What the requester's messages that nobody has heard yet call for."""
    wrote = [each for each in ticket.requester_messages() if each.id not in heard]
    substantive = _substantive(wrote)
    if not substantive:
        return Thanked(written_at=wrote[-1].at) if wrote else None
    words = [each.text for each in substantive]
    claimed_at = max(claims[task.id].made_at for task in claimed)
    written_at = max(substantive[-1].at, claimed_at + timedelta(microseconds=1))
    keys = {task.id: claims[task.id].subject.partition(":")[2] for task in claimed}
    about = tuple(task for task in claimed if keys[task.id] and any(keys[task.id] in text for text in words))
    if about:
        return Reopened(tasks=about, written_at=written_at)
    states = {task.state for task in tasks}
    if states & {*UNDER_WAY, TaskState.HANDED_OFF}:
        return None  # it answers what is under way, or is for the person who has the ticket
    brought = _brought(selector, words, wishes)
    known = [one for one in brought if one.code != PART_LEFT]
    if all(_another_matter(one, words, wishes) for one in known):
        return Begin(issues=brought, brought_at=written_at)
    return Reopened(tasks=claimed, written_at=written_at)


def _another_matter(issue: Issue, words: Sequence[str], wishes: Mapping[str, Sequence[str]]) -> bool:
    """True if ``issue``, in the words ``words`` of a requester who came back, is surely none that was claimed.

    It names a record of its own; or it is for a procedure that needs none and changes nothing, and is asked in thanks.
    """
    if issue.procedure is None:
        return False
    if named(issue.procedure, issue.words):
        return True
    needs_more = bool(issue.procedure.plan.inputs) or issue.procedure.name in wishes
    return not needs_more and all(is_further_question(text) for text in words)


def _substantive(messages: Sequence[Message]) -> list[Message]:
    return [each for each in messages if classify(each) is Followup.SUBSTANTIVE]


def _brought(
    selector: ProcedureSelector, words: Sequence[str], wishes: Mapping[str, Sequence[str]]
) -> tuple[Issue, ...]:
    """The issues in ``words``, which are but a part of what the ticket holds."""
    found = tuple(replace(one, words=one.words or tuple(words)) for one in issues(selector, words))
    return _with_rest(selector, found, words, wishes)


def _with_rest(
    selector: ProcedureSelector, found: tuple[Issue, ...], words: Sequence[str], wishes: Mapping[str, Sequence[str]]
) -> tuple[Issue, ...]:
    """``found``, and what none of them is about."""
    rest = left_over(selector, found, words, wishes)
    return found if rest is None else (*found, rest)


def _changed(ticket: Ticket, under_way: tuple[Task, ...], selector: ProcedureSelector) -> Issue | None:
    """Another issue in place of the one under way, if the requester's unanswered words surely say so."""
    words = ticket.unanswered_words()
    if len(under_way) != 1 or under_way[0].state is TaskState.OPEN or not words:
        return None
    brought = issues(selector, words)
    procedure = brought[0].procedure
    if len(brought) != 1 or procedure is None or procedure.triggers.otherwise:
        return None
    return brought[0] if procedure.name != under_way[0].procedure else None


def _adds_nothing(ticket: Ticket, under_way: tuple[Task, ...]) -> bool:
    """True if all that was written since the agent's last reply is thanks, automatic replies and words of staff."""
    states = {task.state for task in under_way}
    if TaskState.WAITING_APPROVAL in states or not states & set(_SPOKEN):
        return False
    since: list[Message] = []
    for message in ticket.messages:
        if message.author is Author.AGENT and message.public:
            since.clear()
        elif message.author is not Author.AGENT:
            since.append(message)
    asked = [message for message in since if message.author is Author.REQUESTER]
    return bool(since) and all(classify(message) is not Followup.SUBSTANTIVE for message in asked)
