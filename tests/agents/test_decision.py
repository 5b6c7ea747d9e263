"""The decision: whatever is not clearly allowed is denied, and it never raises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, JsonValue

from agents import ToolContext, tool
from agents.canonical import fingerprint
from agents.policy.approval import Approval, ApprovalState
from agents.policy.decision import Allow, Call, Decision, Deny, NeedsApproval, decide
from agents.policy.grant import Filled, Fixed, Grant, Hole, Slot, Source
from agents.policy.labels import PLAN, STAFF, UNTRUSTED, Integrity, Label
from agents.testing import NOW
from tests.agents.test_labels import LABELS


class Done(BaseModel):
    """An answer."""

    ok: bool = True


@tool(effect="read", name="shop.find")
async def find(ctx: ToolContext, email: str) -> Done:
    """Read."""
    return Done()


async def lookup(ctx: ToolContext, order_id: str, amount: int, note: str = "") -> Done | None:
    return None


@tool(effect="irreversible", sinks={"order_id", "amount"}, lookup=lookup, name="shop.refund")
async def refund(ctx: ToolContext, order_id: str, amount: int, note: str = "") -> Done:
    """Act."""
    return Done()


TOOLS = {"shop.find": find, "shop.refund": refund}
ARGS: dict[str, JsonValue] = {"order_id": "1", "amount": 5}
SOURCES: dict[str, Source] = {
    "email": Filled("${task.requester.email}"),
    "order_id": Filled("${order.id}"),
    "amount": Filled("${order.total}"),
    "note": Filled("${order.note}"),
    "text": Filled("reply"),
}
GRANT = Grant(
    tenant="acme",
    run_id="run-1",
    requester_email="ada@example.com",
    slots=(
        Slot(step="orders", tool="shop.find", args={"email": SOURCES["email"]}),
        Slot(step="refund", tool="shop.refund", args={name: SOURCES[name] for name in ARGS}),
    ),
    max_calls=2,
    expires_at=NOW + timedelta(hours=1),
)
CALL = Call(
    tenant="acme",
    run_id="run-1",
    step="refund",
    tool="shop.refund",
    args=ARGS,
    sources=SOURCES,
    at=NOW,
    calls_of_step=0,
    calls_of_run=0,
)
TRUSTED = {"order_id": PLAN, "amount": Label(integrity=Integrity.SYSTEM, owner="ada@example.com")}


def approval(args: Mapping[str, JsonValue] = ARGS, **changes: Any) -> Approval:
    fields: dict[str, Any] = {
        "tenant": "acme",
        "id": "a",
        "task_id": "t",
        "ticket_id": "T-1",
        "run_id": "run-1",
        "step": "refund",
        "tool": "shop.refund",
        "args": dict(args),
        "args_sha256": fingerprint(args),
        "reason": "",
        "expires_at": NOW + timedelta(hours=1),
        "state": ApprovalState.APPROVED,
    }
    return Approval(**(fields | changes))


def code(decision: Decision) -> str:
    return decision.code if isinstance(decision, Deny) else type(decision).__name__


def test_a_planned_call_with_trusted_sinks_is_allowed() -> None:
    assert decide(CALL, TRUSTED, GRANT, refund) == Allow()


def test_a_planned_read_is_allowed_with_untrusted_arguments() -> None:
    read = replace(CALL, step="orders", tool="shop.find", args={"email": "x"})
    assert decide(read, {}, GRANT, find) == Allow()


@pytest.mark.parametrize(
    "changes, expected",
    [
        ({"tool": "shop.other"}, "unknown_tool"),
        ({"step": "other"}, "not_granted"),
        ({"step": "orders"}, "not_granted"),
        ({"args": {"order_id": "1"}}, "unplanned_argument"),
        ({"args": ARGS | {"note": "x"}}, "unplanned_argument"),
        ({"args": {}}, "unplanned_argument"),
        ({"tenant": "other"}, "foreign_grant"),
        ({"run_id": "run-2"}, "foreign_grant"),
        ({"at": GRANT.expires_at}, "grant_expired"),
        ({"at": datetime(2026, 3, 1)}, "grant_expired"),  # noqa: DTZ001
        ({"calls_of_step": 1}, "calls_used_up"),
        ({"calls_of_run": 2}, "calls_used_up"),
    ],
)
def test_anything_unplanned_is_denied(changes: dict[str, Any], expected: str) -> None:
    assert code(decide(replace(CALL, approval=approval(), **changes), TRUSTED, GRANT, refund)) == expected


def test_an_unknown_or_swapped_tool_is_denied() -> None:
    assert code(decide(CALL, TRUSTED, GRANT, None)) == "unknown_tool"
    assert code(decide(CALL, TRUSTED, GRANT, find)) == "unknown_tool"


@pytest.mark.parametrize("label", [UNTRUSTED, None])
def test_an_untrusted_sink_needs_a_person(label: Label | None) -> None:
    labels = {"amount": PLAN} | ({"order_id": label} if label else {})
    decision = decide(CALL, labels, GRANT, refund)
    assert isinstance(decision, NeedsApproval)
    assert "order_id" in decision.reason
    assert decide(replace(CALL, approval=approval()), labels, GRANT, refund) == Allow()


def test_what_the_procedure_wants_approved_needs_a_person() -> None:
    call = replace(CALL, approval_required=True)
    assert isinstance(decide(call, TRUSTED, GRANT, refund), NeedsApproval)
    assert decide(replace(call, approval=approval()), TRUSTED, GRANT, refund) == Allow()


def test_another_customers_record_is_denied_even_with_an_approval() -> None:
    labels = TRUSTED | {"order_id": Label(integrity=Integrity.OPERATOR, owner="bob@example.com")}
    assert code(decide(replace(CALL, approval=approval()), labels, GRANT, refund)) == "not_the_requesters"


@pytest.mark.parametrize(
    "changes",
    [
        {"state": ApprovalState.PENDING},
        {"state": ApprovalState.REJECTED},
        {"state": ApprovalState.USED},
        {"expires_at": NOW},
        {"expires_at": datetime(2026, 3, 2)},  # noqa: DTZ001
        {"tool": "shop.find"},
        {"args_sha256": fingerprint({"order_id": "1", "amount": 6})},
    ],
)
def test_an_approval_covers_one_call_once_and_for_a_while(changes: dict[str, Any]) -> None:
    decision = decide(replace(CALL, approval=approval(**changes)), {}, GRANT, refund)
    assert isinstance(decision, NeedsApproval)


JSON: st.SearchStrategy[JsonValue] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=4,
)
TIMES = st.datetimes(datetime(2026, 2, 28), datetime(2026, 3, 3)) | st.datetimes(  # noqa: DTZ001
    datetime(2026, 2, 28),  # noqa: DTZ001
    datetime(2026, 3, 3),  # noqa: DTZ001
    timezones=st.builds(timezone, st.builds(timedelta, hours=st.integers(-12, 12))),
)
ARGUMENTS = st.just(ARGS) | st.dictionaries(st.sampled_from(["order_id", "amount", "note", "email"]), JSON)
APPROVALS = st.builds(
    approval,
    st.just(ARGS) | st.just({"order_id": "2", "amount": 5}),
    state=st.sampled_from(ApprovalState),
    tool=st.sampled_from(list(TOOLS)),
    expires_at=TIMES,
)
CALLS = st.builds(
    Call,
    tenant=st.sampled_from(["acme", "other"]),
    run_id=st.sampled_from(["run-1", "run-2"]),
    step=st.sampled_from(["refund", "orders", "x"]),
    tool=st.sampled_from([*TOOLS, "x"]),
    args=ARGUMENTS,
    sources=st.just(SOURCES)
    | st.dictionaries(st.sampled_from(sorted(SOURCES)), st.sampled_from(list(SOURCES.values()))),
    at=TIMES,
    calls_of_step=st.integers(0, 1),
    calls_of_run=st.integers(0, 2),
    approval_required=st.booleans(),
    approval=st.none() | APPROVALS,
)
GRANTS = st.builds(
    replace,
    st.just(GRANT),
    expires_at=TIMES,
    slots=st.sampled_from([(), GRANT.slots, GRANT.slots[:1], GRANT.slots[1:]]),
)
LABELLED = st.just(TRUSTED) | st.dictionaries(st.sampled_from(["order_id", "amount", "note"]), LABELS)
LIKELY = st.builds(
    replace, st.just(CALL), approval_required=st.booleans(), approval=st.none() | APPROVALS, args=ARGUMENTS
)


@given(CALLS | LIKELY, LABELLED, GRANTS | st.just(GRANT), st.sampled_from([find, refund, None]))
def test_invariants_of_every_decision(call: Call, labels: dict[str, Label], grant: Grant, made: Any) -> None:
    decision = decide(call, labels, grant, made)
    assert isinstance(decision, Allow | Deny | NeedsApproval)
    assert decide(call, labels, grant, made) == decision
    if not isinstance(decision, Allow):
        return
    # 1: nothing executes without a grant
    slot = grant.slot(call.step, call.tool)
    assert slot is not None
    assert slot.args == {name: call.sources[name] for name in call.args}
    assert made is TOOLS[call.tool]
    assert (call.tenant, call.run_id) == (grant.tenant, grant.run_id)
    assert call.at < grant.expires_at
    assert (call.calls_of_step, call.calls_of_run < grant.max_calls) == (0, True)
    if made is find:
        return
    # 2: a sink is vouched for, or a person saw these very arguments
    sinks = [labels.get(name, UNTRUSTED) for name in ("order_id", "amount")]
    assert all(label.owner in (None, grant.requester_email) for label in sinks)
    if call.approval_required or any(label.integrity < Integrity.DIRECTORY for label in sinks):
        assert call.approval is not None
        assert call.approval.state is ApprovalState.APPROVED
        assert call.approval.args == call.args
        assert call.approval.expires_at > call.at


@pytest.mark.parametrize(
    "planned, source, value, code",
    [
        (Fixed("damaged"), Fixed("damaged"), "damaged", "Allow"),
        (Fixed("damaged"), Fixed("damaged"), "late", "unplanned_argument"),
        (Fixed("damaged"), Fixed("late"), "late", "unplanned_argument"),
        (Fixed("damaged"), Hole(), "damaged", "unplanned_argument"),
        (Filled("${order.note}"), Filled("${order.note}"), "anything", "Allow"),
        (Filled("${order.note}"), Filled("${task.words}"), "anything", "unplanned_argument"),
        (Filled("${order.note}"), Hole(), "anything", "unplanned_argument"),
        (Hole(), Hole(), "anything", "Allow"),
        (Hole(one_of=("a", 1)), Hole(one_of=("a", 1)), "a", "Allow"),
        (Hole(one_of=("a", 1)), Hole(one_of=("a", 1)), True, "unplanned_argument"),
        (Hole(one_of=("a", 1)), Hole(), "b", "unplanned_argument"),
    ],
)
def test_an_argument_comes_from_where_the_plan_says(planned: Source, source: Source, value: Any, code: str) -> None:
    slot = Slot(step="refund", tool="shop.refund", args={**GRANT.slots[1].args, "note": planned})
    call = replace(CALL, args=ARGS | {"note": value}, sources=SOURCES | {"note": source})
    decision = decide(call, TRUSTED, replace(GRANT, slots=(slot,)), refund)
    assert (decision.code if isinstance(decision, Deny) else type(decision).__name__) == code


def test_a_model_may_leave_out_what_it_may_fill_in_and_nothing_else() -> None:
    slots = (Slot(step="refund", tool="shop.refund", args={**GRANT.slots[1].args, "note": Hole()}),)
    assert decide(CALL, TRUSTED, replace(GRANT, slots=slots), refund) == Allow()
    slots = (Slot(step="refund", tool="shop.refund", args={**GRANT.slots[1].args, "note": Fixed("x")}),)
    assert code(decide(CALL, TRUSTED, replace(GRANT, slots=slots), refund)) == "unplanned_argument"


def test_a_person_may_put_another_value_where_the_procedure_wrote_one() -> None:
    slot = Slot(step="refund", tool="shop.refund", args={**GRANT.slots[1].args, "note": Fixed("damaged")})
    args = ARGS | {"note": "goodwill"}
    asked = ARGS | {"note": "damaged"}
    call = replace(CALL, args=args, sources=SOURCES | {"note": Fixed("damaged")})
    grant = replace(GRANT, slots=(slot,))
    assert decide(replace(call, approval=approval(asked, modified_args=args)), TRUSTED, grant, refund) == Allow()
    assert code(decide(replace(call, approval=approval(args)), TRUSTED, grant, refund)) == "unplanned_argument"


@pytest.mark.parametrize(
    "address, code",
    [
        ("https://docs.example.com/a", "Allow"), ("https://DOCS.example.com:8443/a", "Allow"),
        ("https://evil.example/a", "host_not_granted"), ("https://docs.example.com@evil.example/", "host_not_granted"),
        ("https://docs.example.com.evil.example/", "host_not_granted"), ("//[", "host_not_granted"),
        ("docs.example.com", "host_not_granted"), (7, "host_not_granted"), (None, "host_not_granted"),
    ],
)  # fmt: skip
def test_an_address_leads_to_a_host_of_the_grant(address: Any, code: str) -> None:
    @tool(effect="read", told="anyone", addresses={"text"}, name="web.ask")
    async def read(ctx: ToolContext, text: str) -> Done:
        return Done()

    grant = replace(
        GRANT,
        slots=(Slot(step="s", tool="web.ask", args={"text": SOURCES["text"]}),),
        hosts=frozenset({"docs.example.com"}),
    )
    call = replace(CALL, step="s", tool="web.ask", args={"text": address})
    decision = decide(call, {"text": PLAN}, grant, read)
    assert (decision.code if isinstance(decision, Deny) else type(decision).__name__) == code


@pytest.mark.parametrize(
    "source, name, code",
    [(Hole(), "talk", "foreign_address"), (Hole(one_of=("evil.example",)), "talk", "Allow"),
     (Filled("reply"), "talk", "Allow"), (Hole(), "shop.refund", "Allow")],
)  # fmt: skip
def test_a_model_writes_nobody_outside_a_web_address_of_a_host_not_granted(
    source: Source, name: str, code: str
) -> None:
    chosen, args = (talk, {"text": "evil.example"}) if name == "talk" else (refund, {**ARGS, "note": "evil.example"})
    sources = {**SOURCES, "text": source, "note": source}
    slot = Slot(step="s", tool=name, args={one: sources[one] for one in args})
    call = replace(CALL, step="s", tool=name, args=args, sources=sources)
    labels = {**TRUSTED, "text": PLAN, "note": PLAN}
    decision = decide(call, labels, replace(GRANT, slots=(slot,)), chosen)
    assert (decision.code if isinstance(decision, Deny) else type(decision).__name__) == code


def test_a_grant_has_a_fingerprint_of_all_it_allows() -> None:
    assert GRANT.sha256 != replace(GRANT, max_calls=3).sha256
    assert GRANT.sha256 == replace(GRANT).sha256


async def lookup_text(ctx: ToolContext, text: str) -> Done | None:
    return None


@tool(effect="irreversible", sinks=set(), lookup=lookup_text, name="talk", told="requester")
async def talk(ctx: ToolContext, text: str) -> Done:
    """Tell the requester."""
    return Done()


@tool(effect="read", name="web.ask", told="anyone")
async def ask(ctx: ToolContext, text: str) -> Done:
    """Ask a stranger."""
    return Done()


READERS = {
    "anyone": None,
    "requester": frozenset({"ada@example.com", STAFF}),
    "another requester": frozenset({"bob@example.com", STAFF}),
    "staff": frozenset({STAFF}),
    "nobody": frozenset[str](),
}


@pytest.mark.parametrize(
    "teller, readers, code",
    [
        ("staff", "another requester", ""), ("staff", "staff", ""), ("staff", "nobody", "secret_argument"),
        ("requester", "anyone", ""), ("requester", "requester", ""), ("requester", "another requester", "approval"),
        ("requester", "staff", "approval"), ("requester", "nobody", "secret_argument"),
        ("anyone", "anyone", ""), ("anyone", "requester", "not_for_reader"), ("anyone", "staff", "not_for_reader"),
        ("anyone", "nobody", "secret_argument"),
    ],
)  # fmt: skip
def test_nobody_is_told_what_is_not_for_them(teller: str, readers: str, code: str) -> None:
    chosen, name = {"staff": (refund, "note"), "requester": (talk, "text"), "anyone": (ask, "text")}[teller]
    args = {**ARGS, "note": "x"} if teller == "staff" else {"text": "x"}
    grant = replace(GRANT, slots=(Slot(step="s", tool=chosen.name, args={one: SOURCES[one] for one in args}),))
    call = replace(CALL, step="s", tool=chosen.name, args=args)
    labels = TRUSTED | {name: Label(integrity=Integrity.SYSTEM, readers=READERS[readers])}
    decision = decide(call, labels, grant, chosen)
    match decision:
        case Allow():
            assert code == ""
        case NeedsApproval(reason):
            assert code == "approval"
            assert name in reason
            yes = replace(call, approval=approval(args, tool=chosen.name))
            assert decide(yes, labels, grant, chosen) == Allow()
        case Deny(denied):
            assert denied == code


def test_a_value_without_a_label_is_for_staff() -> None:
    grant = replace(GRANT, slots=(Slot(step="s", tool="talk", args={"text": SOURCES["text"]}),))
    call = replace(CALL, step="s", tool="talk", args={"text": "x"})
    assert isinstance(decide(call, {}, grant, talk), NeedsApproval)
