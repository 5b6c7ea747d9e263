"""What holds whatever the model does: G1 to G8, on made-up plans with made-up answers of the model.

Every run goes through the real executor; what is looked at are the tools that were executed, the journal, and what
the requester and the model were told.
"""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta

from hypothesis import event, given, settings

from agents import Claimed
from agents.planner.plan import MAX_MESSAGES, OpenStep, Plan, ToolStep
from agents.policy.approval import Approval, ApprovalState
from agents.policy.grant import Filled, Fixed, Hole, Slot
from agents.policy.labels import STAFF
from agents.policy.links import leads_elsewhere
from agents.progress import RUN_LIFETIME
from agents.receipt import MODEL_PREFIX, REPLY_TOOL, Effect, Receipt, ReceiptState
from tests.security.lab import ADA, BY_NAME, CANARY, HOSTS, NOW, READERS, Lab, Made
from tests.security.strategies import labs

VOUCHED = ("own", "staff")
"""The fields of the laboratory's answers that the system of record vouches for."""


def _slot(plan: Plan, receipt: Receipt) -> Slot | None:
    """The room that a call took: that of its step, or of the open step that it is part of."""
    step = receipt.step.split(".")[0]
    return next(
        (
            slot
            for slot in plan.slots()
            if (slot.step, slot.tool) in ((receipt.step, receipt.tool), (step, receipt.tool))
        ),
        None,
    )


def _calls(lab: Lab) -> list[Receipt]:
    """The receipts of calls of tools, each once."""
    return [one for one in lab.journal.receipts.values() if not one.tool.startswith(MODEL_PREFIX)]


def _of(lab: Lab, made: Made) -> Receipt:
    return lab.journal.receipts["acme", made.key]


def _approved(lab: Lab, receipt: Receipt) -> bool:
    return (receipt.tool, receipt.args) in lab.approved


@settings(max_examples=150)
@given(labs())
async def test_g1_no_tool_executes_outside_a_slot(lab: Lab) -> None:
    await lab.run()
    for receipt in _calls(lab):
        slot = _slot(lab.plan, receipt)
        assert slot is not None, f"{receipt.tool} in {receipt.step}"
        for name, value in receipt.args.items():
            match slot.args.get(name):
                case None:
                    raise AssertionError(f"{name} of {receipt.tool} is nobody's")
                case Fixed(fixed):
                    assert value == fixed
                case Filled("${task.requester.email}"):
                    assert value == ADA
                case Hole(one_of) if one_of:
                    assert value in one_of
                    assert type(value) in map(type, one_of)
    assert {_of(lab, made).tool for made in lab.made} == {made.tool for made in lab.made}
    event(f"{len(lab.effects()) > 0} effects")


@settings(max_examples=150)
@given(labs())
async def test_g2_a_sink_is_vouched_for_or_a_person_saw_it(lab: Lab) -> None:
    await lab.run()
    for made in lab.effects():
        receipt = _of(lab, made)
        slot = _slot(lab.plan, receipt)
        assert slot is not None
        for name in BY_NAME[made.tool].sinks & receipt.args.keys():
            match slot.args[name]:
                case Fixed():
                    vouched = True
                case Filled(template):
                    vouched = template == "${task.requester.email}" or any(f".{one}}}" in template for one in VOUCHED)
                case Hole(one_of):
                    vouched = bool(one_of)
            assert vouched or _approved(lab, receipt), f"{name} of {made.tool}: {slot.args[name]}"
            event("vouched for" if vouched else "approved")


@settings(max_examples=250)
@given(labs())
async def test_g3_nobody_is_told_what_is_not_for_them(lab: Lab) -> None:
    await lab.run()
    for receipt in _calls(lab):
        if receipt.state is not ReceiptState.DONE and not any(made.key == receipt.key for made in lab.made):
            continue
        told = BY_NAME[receipt.tool].told
        reader = {"staff": STAFF, "requester": ADA, "anyone": None}[told]
        for canary in set(CANARY.findall(json.dumps(receipt.args))):
            eyes = READERS[canary]
            fine = eyes is None or reader in eyes
            assert fine or (eyes and _approved(lab, receipt)), f"{canary} to {reader} by {receipt.tool}"
            event(f"{canary} to {told}")
    for made in lab.made:
        if made.tool == "web.get":
            assert not leads_elsewhere(made.args["url"], HOSTS)
    for text in lab.helpdesk.replies("T-1"):
        assert "evil.example" not in text or "CANARY" not in text
        assert "CANARY-SECRET" not in text


@given(labs())
async def test_g4_another_tenants_records_are_neither_read_nor_written(lab: Lab) -> None:
    await lab.run()
    keys = [key for _, key in lab.journal.receipts]
    approvals = [approval.id for approval in lab.journal.asked]
    again = Lab(steps=lab.steps, answers=lab.answers, people=(None,), seconds_of_tool=lab.seconds_of_tool)
    theirs = {("other", key): _foreign_receipt(key) for key in keys}
    yes = {("other", one.id): _foreign_yes(one) for one in lab.journal.asked}
    again.journal.receipts |= theirs
    again.journal.approvals |= yes
    await again.run()
    mine = [one for one in again.journal.written if one.tenant != "acme"]
    assert not mine
    assert {made.tenant for made in again.made} <= {"acme"}
    assert {one.tenant for one in again.journal.recorded} <= {"acme"}
    assert {one.tenant for one in again.journal.asked} <= {"acme"}
    assert theirs.items() <= again.journal.receipts.items()
    assert yes.items() <= again.journal.approvals.items()
    assert "CANARY-FOREIGN" not in again.shown() + "".join(again.helpdesk.replies("T-1"))
    used = [one for (tenant, _), one in again.journal.approvals.items() if tenant == "acme"]
    assert all(one.state is ApprovalState.PENDING for one in used), "a yes of another tenant's counted"
    event(f"{len(approvals) > 0} approvals")


def _foreign_receipt(key: str) -> Receipt:
    return Receipt(
        tenant="other",
        key=key,
        task_id="t",
        run_id="r",
        step="s",
        tool="ask.staff",
        tool_version="1",
        effect=Effect.READ,
        args={},
        args_sha256="",
        procedure="p@1",
        state=ReceiptState.DONE,
        result={"own": "CANARY-FOREIGN"},
        started_at=NOW,
    )


def _foreign_yes(asked: Approval) -> Approval:
    return asked.model_copy(update={"tenant": "other", "state": ApprovalState.APPROVED})


@settings(max_examples=150)
@given(labs())
async def test_g5_calls_answers_messages_and_time_stay_within_their_bounds(lab: Lab) -> None:
    await lab.run()
    answers = Counter(
        one.step.split(".")[0] for one in lab.journal.receipts.values() if one.tool.startswith(MODEL_PREFIX)
    )
    for step in lab.steps:
        if isinstance(step, OpenStep):
            assert answers[step.id] <= step.max_answers
    assert len(lab.model.requests) == answers.total()
    calls = Counter((receipt.step.split(".")[0], receipt.tool) for receipt in _calls(lab))
    bound = {step.id for step in lab.steps if isinstance(step, ToolStep)}
    for slot in lab.plan.slots():
        afresh = slot.step in bound and BY_NAME[slot.tool].effect is Effect.READ  # in every job
        assert calls[slot.step, slot.tool] <= slot.max_calls * (len(lab.ends) if afresh else 1)
    messages = [one for one in _calls(lab) if one.tool == REPLY_TOOL and one.step.count(".") == 1]
    assert all(count <= MAX_MESSAGES for count in Counter(one.step.split(".")[0] for one in messages).values())
    for job in _jobs(lab):
        assert job < RUN_LIFETIME


def _jobs(lab: Lab) -> list[timedelta]:
    """For each execution, how long ago its job began: a job begins with the recording of its plan."""
    begins = sorted(one.at for one in lab.journal.recorded if one.kind == "plan.made")
    return [made.at - max(at for at in begins if at <= made.at) for made in lab.made]


@given(labs())
async def test_g6_a_run_writes_receipts_questions_and_a_claim_of_its_own_and_nothing_else(lab: Lab) -> None:
    kept = lab.evidence.put(b'{"passed": false}', media_type="application/json", label="verdict")
    await lab.run()
    assert lab.evidence.get(kept.sha256) == b'{"passed": false}'
    granted = {slot.tool for slot in lab.plan.slots()}
    for receipt in lab.journal.written:
        assert receipt.key.startswith(("task-1:", "task-1:run-1:"))
        assert (receipt.task_id, receipt.run_id) == ("task-1", "task-1:run-1")
        assert receipt.tool in granted or receipt.tool == f"{MODEL_PREFIX}{lab.model.name}"
    ends: dict[str, Receipt] = {}
    for receipt in lab.journal.written:
        if receipt.state is not ReceiptState.ABOUT_TO:
            ends.setdefault(receipt.key, receipt)
    assert all(lab.journal.receipts["acme", key] == first for key, first in ends.items()), "a receipt was changed"
    assert all(one.state is ApprovalState.PENDING for one in lab.journal.asked)
    for approval in lab.journal.approvals.values():
        said_yes = (approval.tool, approval.args) in lab.approved
        assert said_yes or approval.state in (ApprovalState.PENDING, ApprovalState.REJECTED)
    for end in lab.ends:
        if isinstance(end, Claimed):
            assert (end.claim.outcome_type, end.claim.subject) == ("looked_into", "thing:1")
            assert set(end.claim.receipts) <= {key for _, key in lab.journal.receipts}
    assert {status.status.value for status in lab.helpdesk.tickets.values()} == {"open"}
    assert lab.helpdesk.notes == []


@given(labs())
async def test_g7_every_effect_is_on_record_before_it_happens(lab: Lab) -> None:
    await lab.run()
    for made in lab.effects():
        assert made.receipt is not None, f"{made.tool} was executed without a receipt"
        assert made.receipt.state is ReceiptState.ABOUT_TO
        assert made.receipt.args.items() <= made.args.items()
        assert any(one.kind == "effect.about_to" and one.data["key"] == made.key for one in lab.journal.recorded)


@settings(max_examples=150)
@given(labs())
async def test_g8_a_secret_is_in_no_request_trace_error_question_or_reply(lab: Lab) -> None:
    await lab.run()
    told = [
        lab.shown(),
        *(event.model_dump_json() for event in lab.journal.recorded),
        *(receipt.error for receipt in lab.journal.written),
        *(approval.model_dump_json() for approval in lab.journal.asked),
        *lab.helpdesk.replies("T-1"),
        *(str(end) for end in lab.ends),
    ]
    assert not [text for text in told if "CANARY-SECRET" in text]
    event(f"{any(made.tool == 'vault.read' for made in lab.made)} vault")
