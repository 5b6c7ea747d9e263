"""τ²-bench retail through the loop: right calls end in the right state, and a wrong one shows in it."""

from __future__ import annotations

import pytest

from agents import ToolFailed
from agents.testing import Workbench
from benchmarks.tau2.replay import replay
from benchmarks.tau2.shop import DATA
from benchmarks.tau2.tasks import Case, cases
from benchmarks.tau2.tools import TOOLS, open_shop

if not DATA.is_dir():
    pytest.skip(
        "no τ²-bench retail data: put it in ../shared/data/tau2-retail, or set SETTLE_SHARED_DATA",
        allow_module_level=True,
    )
FEW = ("0", "3", "17", "39", "46", "59", "67")
"""Exchanges, returns, cancellations, new addresses and items, and reads that find nothing."""


def task(number: str) -> Case:
    return next(case for case in cases() if case.id == number)


@pytest.mark.parametrize("number", FEW)
async def test_the_right_calls_end_in_the_right_state(number: str) -> None:
    case = task(number)
    made = await replay(case)
    assert (made.end, made.missing, made.state) == ("claimed", (), case.state())


@pytest.mark.parametrize("number", FEW)
async def test_a_change_left_out_or_wrong_shows_in_the_state(number: str) -> None:
    case = task(number)
    for place in case.writes():
        assert (await replay(case.without(place))).state != case.state()
        assert (await replay(case.with_one_wrong(place, place))).state != case.state()


async def test_the_few_have_changes_and_a_wrong_one_is_one_argument_of_one_call() -> None:
    changes = {task(number).actions[place].tool for number in FEW for place in task(number).writes()}
    assert len(changes) >= 5
    case = task("0")
    (place,) = case.writes()
    wrong = case.with_one_wrong(place, 0)
    assert wrong.without(place) == case.without(place)
    before, after = case.actions[place].arguments, wrong.actions[place].arguments
    assert sum(before[name] != after[name] for name in before) == 1


async def test_nobody_but_the_requester_is_looked_up_by_address() -> None:
    made = await replay(task("54"))
    assert [one.tool for one in made.missing] == ["find_user_id_by_email"]
    assert made.state == task("54").state()


async def test_an_agent_that_does_nothing_is_right_where_nothing_is_to_change() -> None:
    idle = [case for case in cases() if not case.state()]
    assert len(cases()) == 114
    assert len(idle) == 11
    assert all(not case.writes() for case in idle)


async def test_a_change_is_made_once_under_one_key_and_found_again() -> None:
    shop = open_shop()
    bench = Workbench(TOOLS)
    case = next(case for case in cases() if case.actions and case.actions[-1].tool == "cancel_pending_order")
    wanted = {"order_id": case.actions[-1].arguments["order_id"], "reason": "no longer needed"}
    assert await bench.look_up("cancel_pending_order", **wanted) is None
    made = await bench.call("cancel_pending_order", **wanted)
    after = shop.state()
    assert await bench.call("cancel_pending_order", **wanted) == made
    assert await bench.look_up("cancel_pending_order", **wanted) == made
    assert shop.state() == after
    bench.key = "another"
    with pytest.raises(ToolFailed, match="is cancelled, not pending"):
        await bench.call("cancel_pending_order", **wanted)
