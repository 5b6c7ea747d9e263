"""Why work stopped, in words that a support person understands: the one place for what a coded reason means.

A code that has no words here is still shown, as its own name: tools of a deployment raise codes of their own.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stop:
    """A reason for which a task goes to a person."""

    short: str
    """In a few words, for lists."""
    why: str
    """In a sentence."""
    next: str
    """What the person does next."""


_FILE = "Take the ticket over, and tell whoever maintains the procedures: until it is mended, this will happen again."
_LOOK = "Look in the system of record before you do anything there: it may have been changed already."

STOPS = {
    # The desk
    "no_procedure": Stop(
        "no procedure fits",
        "None of your procedures clearly fits what the requester wrote.",
        "Answer it yourself. If such tickets come often, write a procedure, or add this wording to one.",
    ),
    "part_left": Stop(
        "a part of it was not dealt with",
        "The requester also wrote something that no procedure was followed for; the rest of the ticket was worked on.",
        "Answer that part yourself: it stands below. What was done about the rest stands on the ticket.",
    ),
    "procedure_changed": Stop(
        "the procedure was changed meanwhile",
        "The procedure was changed while this ticket was being worked on, so the rest of it was not followed.",
        "See what was done so far, and finish the ticket yourself.",
    ),
    "reopened": Stop(
        "the requester came back",
        "The requester wrote again after the ticket was resolved: for them it is not solved.",
        "Read their newest message, and answer it. A charge for it is taken back as the contract says.",
    ),
    "secret_argument": Stop(
        "a secret was about to be told",
        "The procedure was about to pass on a value that nobody may be told.",
        _FILE,
    ),
    "not_for_reader": Stop(
        "not meant for them",
        "The procedure was about to show a value to people that it is not meant for.",
        _FILE,
    ),
    "unclear_wish": Stop(
        "perhaps not wanted at all",
        "The requester's words name the change, and also forbid it, take it back, ask about it or make it depend.",
        "Read what they really want, and ask them if it is not clear.",
    ),
    "limited_wish": Stop(
        "they want only a part of it",
        "The requester's words limit what they want: to an amount, a share or some of the things. Nothing was changed.",
        "Read how far the wish goes, do that much by hand, and answer.",
    ),
    "already_under_way": Stop(
        "the same in another ticket",
        "The same requester wrote about the same thing in another ticket, in other words.",
        "Read both tickets together, and merge them if they are one.",
    ),
    "not_proven": Stop(
        "the evaluators found no proof",
        "The agent says it is done, and the evaluators did not find that proven on the system of record.",
        "Compare what the requester was told with the record, and put right whichever is wrong.",
    ),
    "internal_error": Stop(
        "an error inside Settle",
        "Settle itself failed while it worked on the ticket.",
        f"{_LOOK} Then finish the ticket yourself, and report the error.",
    ),
    # What the requester wrote
    "ambiguous_input": Stop(
        "the requester named several",
        "The requester named several of what the procedure needs one of, and nothing says which is meant.",
        "Work out which one they mean, or ask them.",
    ),
    "no_answer": Stop(
        "asked, and got no usable answer",
        "The requester was asked several times and did not say what the procedure needs to know.",
        "Read what they wrote instead: it may be about something else. Find the missing detail another way.",
    ),
    "pattern_too_slow": Stop(
        "a message could not be searched in time",
        "Searching the requester's message for what the procedure needs took too long.",
        "Read the message yourself. Whoever maintains the procedures should simplify that input's pattern.",
    ),
    # The procedure
    "condition_not_met": Stop(
        "a rule of the procedure does not hold",
        "A rule of the procedure does not hold here, and the procedure does not say what to answer then.",
        "Decide what is right in this case, and answer. The rule stands below.",
    ),
    "no_source": Stop(
        "no article answers it",
        "None of the articles that this requester may read answers the question, so nothing was said.",
        "Answer it yourself. If the question comes often, write an article about it.",
    ),
    "no_library": Stop("there are no articles", "A step looked for articles, and the deployment has none.", _FILE),
    "undetermined": Stop(
        "the procedure could not decide",
        "A rule of the procedure has no clear answer on the data that was found.",
        "Look at the facts below, decide, and answer. Something that the procedure expects may be missing.",
    ),
    "no_subject": Stop(
        "nothing says what it is about",
        "The procedure was about to change something and nothing said which record it is about; it did not.",
        _FILE,
    ),
    "bad_argument": Stop(
        "a step got what it cannot use",
        "A step was given a value that its tool does not take, so it was not made.",
        _FILE,
    ),
    # What is allowed
    "not_the_requesters": Stop(
        "the record is another customer's",
        "A step would have used the record of another customer, and was refused.",
        "Check who the requester is before you do what they ask. It may be a mistake, or an attempt at fraud.",
    ),
    "grant_expired": Stop(
        "the time for the work was over",
        "The work took longer than a run is allowed to, so it was ended.",
        "See what was done so far, and finish the ticket yourself.",
    ),
    "calls_used_up": Stop(
        "a limit of calls was reached",
        "A step had made all the calls that it is allowed.",
        "See what was done so far, and finish the ticket yourself.",
    ),
    "not_granted": Stop("a step is not allowed", "The procedure does not allow this step, so it was refused.", _FILE),
    "unplanned_argument": Stop(
        "a step passed something unplanned",
        "A step passed something that the procedure does not plan for, so it was refused.",
        _FILE,
    ),
    "foreign_grant": Stop(
        "a permission of other work", "A step was tried with the permission of other work, and was refused.", _FILE
    ),
    "unknown_tool": Stop("a tool is missing", "The procedure names a tool that is not there.", _FILE),
    # Approvals
    "approval_rejected": Stop(
        "a person said no",
        "A step needed a person's approval, and the person said no. The step was not made.",
        "Decide what the requester is to be told or offered instead, and answer.",
    ),
    "approval_expired": Stop(
        "nobody approved it in time",
        "A step needed a person's approval, and nobody answered in time. The step was not made.",
        "Decide whether it is right, do it yourself if so, and answer.",
    ),
    "approval_used": Stop(
        "the approval was used up",
        "The approval of this step was used already, so the step was not made a second time.",
        _LOOK,
    ),
    # Tools
    "tool_failed": Stop(
        "a system did not do what was asked",
        "A system refused, failed or did not answer. What failed changed nothing.",
        "Check whether the system works, do the missing step by hand if it is right, and answer.",
    ),
    "outcome_unknown": Stop(
        "not certain whether a change was made",
        "A change was begun, and nobody knows whether it was made. It was not tried again.",
        f"{_LOOK} Do not repeat it before you know.",
    ),
    "no_snapshot": Stop(
        "the record could not be read first",
        "The record could not be read ahead of the change, so nothing could have proven it; it was not made.",
        "Check whether the system works, do the step by hand if it is right, and answer.",
    ),
    "target_taken": Stop(
        "this was already done for the ticket",
        "The same change was already made or begun for this ticket, so it was not made a second time.",
        _LOOK,
    ),
    "key_conflict": Stop(
        "the step was made with other values",
        "This step was already made with other values, and the two do not agree.",
        f"{_LOOK} Compare it with what the requester wants now.",
    ),
    "cannot_rehearse": Stop(
        "a rehearsal cannot go on",
        "This was a rehearsal, and nobody says what a tool would answer whose effect is only made up.",
        "Give the tool a function that makes up its answer: @tool(..., rehearse=function).",
    ),
    "not_found": Stop(
        "a system knows no such record",
        "A system was asked for something that it does not have.",
        "Check whether the requester named the right one, and answer.",
    ),
    "unreachable": Stop(
        "an address was not reached",
        "An address could not be reached.",
        "Check whether it can be reached at all, do the step by hand if it is right, and answer.",
    ),
    "certificate_refused": Stop(
        "an address does not prove who it is",
        "An address has no certificate that anybody could trust, so nothing was sent there.",
        "Do not open it in a hurry: check whether it is whose it says.",
    ),
    "too_many_redirects": Stop(
        "an address leads on and on",
        "An address sends on to others more often than is sound.",
        "Look at it yourself if the requester needs what is there.",
    ),
    "bad_status": Stop(
        "a page was not given out",
        "A page answered that it is not there, or not for us.",
        "Look at it yourself if the requester needs what is there.",
    ),
    "unusable_answer": Stop(
        "an answer that nobody can use",
        "A system answered something that cannot be used: too large, of another kind, or cut off.",
        _FILE,
    ),
    "mcp_unavailable": Stop(
        "a tool server is away",
        "The server that offers the tool could not be reached.",
        "Do the step by hand, and tell whoever runs Settle.",
    ),
    "mcp_failed": Stop(
        "a tool server did not do it",
        "The server that offers the tool says that it did not do what was asked.",
        "Check whether the system works, do the missing step by hand if it is right, and answer.",
    ),
    "mcp_unusable": Stop(
        "a tool server answers what nobody can use",
        "The server that offers the tool answered something else than it promises.",
        "Do the step by hand, and tell whoever runs Settle.",
    ),
    "mcp_changed": Stop(
        "a tool server has changed",
        "The server that offers the tool describes it otherwise than when it was accepted, so it was not used.",
        "Do the step by hand, and tell whoever runs Settle: `settle tool accept` shows what changed.",
    ),
    "browser_unavailable": Stop(
        "no browser on this machine",
        "A step needs a browser, and none could be started on Settle's machine.",
        "Do the step by hand, and tell whoever runs Settle: `settle doctor` says what is missing.",
    ),
    "setting_missing": Stop(
        "a setting is missing",
        "A tool lacks a setting of this deployment.",
        "Do the step by hand, and tell whoever runs Settle.",
    ),
    "host_not_granted": Stop(
        "an address that is not allowed",
        "A step was about to read from an address of a host that this deployment does not name.",
        "Do the step by hand. Whoever maintains the procedures may name the host under [tools.http].",
    ),
    "foreign_address": Stop(
        "a web address in a model's words",
        "A model was about to send the requester a web address that nobody of the company wrote.",
        "Read what it wanted to say, check the address, and answer the requester yourself.",
    ),
    # Models
    "no_model": Stop(
        "the deployment has no model",
        "The step is written for a model to work out, and this deployment has none.",
        "Do the step by hand. Whoever runs Settle can name a model under [models] in settle.toml.",
    ),
    "model_gave_up": Stop(
        "a model could not work it out",
        "The model that worked on the step says that it cannot reach the goal.",
        "Read what it found out so far, and go on from there.",
    ),
    "model_lost": Stop(
        "a model got nowhere",
        "The model's last answers were of no use: calls that are refused or do not exist, or no answer at all.",
        "Read what it found out so far, and go on from there.",
    ),
    "no_progress": Stop(
        "a model went in circles",
        "The model made the same call again and again and had the same answer each time.",
        "Read what it found out so far, and go on from there.",
    ),
    "no_plan": Stop(
        "a model wrote no usable plan",
        "The model that plans this ticket wrote plans that cannot be carried out, also when told what is wrong.",
        "Answer it yourself. If such tickets come often, write a procedure for them.",
    ),
    "step_unfinished": Stop(
        "a model used up its turns",
        "The model did not reach the step's goal within the answers that the procedure gives it.",
        "Read what it found out so far, and go on from there. If such tickets come often, the step needs more answers.",
    ),
    "model_refused": Stop(
        "a model refused",
        "The model's provider declined to answer this conversation.",
        "Read the ticket with care, and answer it yourself.",
    ),
    "model_overflow": Stop(
        "too much for a model",
        "The conversation no longer fits into what the model can read at once.",
        "Answer it yourself; the ticket or an answer of a tool is very long.",
    ),
    "model_budget": Stop(
        "the budget for models is used up",
        "Another answer of a model would have cost more than the limits in settle.toml allow.",
        "Answer it yourself. `settle report` shows what models cost.",
    ),
    "model_rate_limited": Stop(
        "a model was asked too often",
        "The model's provider takes no more requests for the moment, and waiting did not help.",
        "Answer it yourself, and tell whoever runs Settle.",
    ),
    "model_overloaded": Stop(
        "a model's provider is overloaded",
        "The model's provider was too busy to answer, and trying again did not help.",
        "Answer it yourself.",
    ),
    "model_unavailable": Stop(
        "a model's provider is away",
        "The model's provider could not be reached, or failed.",
        "Answer it yourself, and tell whoever runs Settle if it goes on.",
    ),
    "model_timeout": Stop(
        "a model was too slow",
        "The model did not answer in time.",
        "Answer it yourself.",
    ),
    "model_invalid_request": Stop(
        "a model's provider refuses the request",
        "The model's provider says that the request is wrong; asking again would not help.",
        "Answer it yourself, and tell whoever runs Settle: the model's name or abilities may be set wrongly.",
    ),
    "model_not_allowed": Stop(
        "the key for a model is not accepted",
        "The model's provider does not accept the key, or the account is used up.",
        "Answer it yourself, and tell whoever runs Settle.",
    ),
    "model_malformed": Stop(
        "a model's answer cannot be read",
        "The model's provider answered with something that is no answer.",
        "Answer it yourself, and tell whoever runs Settle if it goes on.",
    ),
}
"""Every code for which the desk, a run, a call or the policy hands a task off."""

VERDICTS = {
    "condition_not_met": "the condition that makes the answer right does not hold on the record",
    "effect_made": "something was changed, and this outcome is one that changes nothing",
    "evidence_missing": "the evidence from before is lost",
    "no_effect": "no change was made",
    "no_snapshot": "nobody had looked at the record before the change",
    "not_about_the_question": "the article that is quoted is not about the question",
    "not_as_promised": "the record is not as the contract promises",
    "asked_against": "the requester's own words speak against it",
    "asked_for_less": "the requester's own words limit it to less",
    "not_asked_for": "the requester did not ask for it",
    "not_by_this_run": "somebody else made the change",
    "not_quoted": "the reply quotes what the article does not say",
    "not_theirs": "the record is not the requester's",
    "record_missing": "the system of record has no such record",
    "no_quote": "the reply quotes no article",
    "no_value": "the record shows no value",
    "reply_empty": "the reply has no words",
    "reply_foreign_address": "the reply holds an e-mail address of somebody else",
    "reply_placeholder": "the reply holds an unfilled place",
    "reply_secret": "the reply seems to hold a secret",
    "reply_too_long": "the reply is too long to be checked",
    "reply_ungrounded": "the reply says something that is not on record",
    "reply_wrong_language": "the reply is in another language",
    "source_unavailable": "the system of record did not answer",
    "state_unchanged": "the system of record did not change",
    "subject_not_named": "the requester did not name the subject",
    "uncited": "the reply says something that it cites no article for",
    "undetermined": "the proof could not be decided on what was read",
    "ungrounded": "the reply says something that is not on record",
    "value_in_another_currency": "the record's value is in another currency than the contract",
    "value_unclear": "the record does not say what it is worth",
    "worth_less": "the record shows less value than when it was verified",
    "wrong_article": "the reply cites another article than the claim",
    "wrong_requester": "the claim names another requester",
    "wrong_subject": "the claim is about something that the contract does not know",
    "wrong_version": "the reply cites another version of the article",
}
"""Every code with which the evaluators say that a claim is not proven."""

_OTHERS = {
    "already_charged": "the same Episode is charged already",
    "answered": "the requester was answered; nothing was claimed",
    "claim_made": "the agent says it is done",
    "input_missing": "the requester was asked for something",
    "invoiced": "put on an invoice",
    "needs_approval": "a person has to approve it",
    "nothing_asked": "it asks for nothing: thanks, or an automatic reply",
    "ok": "everything that the contract requires passed",
    "order_not_found": "no such order of this requester",
    "proof_passed": "the evaluators' proof passed",
    "proof_stands": "a second look: the proof still stands",
    "proof_undetermined": "the proof could not be looked at again in time",
    "proof_undone": "the system of record no longer shows it",
    "reopened_before_settlement": "the requester came back before it settled",
    "same_subject_reopened": "the requester came back about the same subject",
    "autonomy_not_billed": "a person sent what was only drafted, and the contract charges nothing for that",
    "spam": "the helpdesk tagged it as spam",
}


def words(code: str) -> str:
    """Any coded reason in a few words: of a task, a verdict or an outcome."""
    stop = STOPS.get(code)
    return stop.short if stop else VERDICTS.get(code) or _OTHERS.get(code) or code.replace("_", " ")


def stop_of(code: str) -> Stop:
    """What ``code`` means to the person who takes over; also for codes that only a deployment's own tools know."""
    known = STOPS.get(code)
    if known is not None:
        return known
    name = code.replace("_", " ")
    return Stop(
        name,
        f"A step stopped with the reason: {name}.",
        "See what was done so far, check the system that the step is about, and finish the ticket yourself.",
    )
