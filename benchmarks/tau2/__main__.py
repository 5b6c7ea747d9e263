"""``python -m benchmarks.tau2``: how many tasks the loop replays, and how many wrong ones their final state shows."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter

from benchmarks.tau2.replay import replay
from benchmarks.tau2.shop import DATA
from benchmarks.tau2.tasks import Case, cases


def main() -> None:
    """Print the table."""
    if not DATA.is_dir():
        sys.exit("no τ²-bench retail data: put it in ../shared/data/tau2-retail, or set SETTLE_SHARED_DATA")
    asyncio.run(_measure())


async def _measure() -> None:
    tasks = cases()
    print(f"τ²-bench retail: {len(tasks)} tasks, {sum(len(case.actions) for case in tasks)} calls")
    same = whole = 0
    ends: Counter[str] = Counter()
    remarks = []
    for case in tasks:
        made = await replay(case)
        same += made.state == case.state()
        whole += not made.missing
        ends[made.end] += 1
        if made.missing or made.end != "claimed" or made.state != case.state():
            right = "the right" if made.state == case.state() else "another"
            missing = ", ".join(one.tool for one in made.missing) or "none"
            remarks.append(f"  task {case.id}: {made.end}, {right} state, calls not made: {missing}")
    idle = sum(not case.state() for case in tasks)
    print(f"right calls through the loop: {same} end in the right state, {whole} with every call made")
    print(f"  ends: {', '.join(f'{end} {count}' for end, count in ends.most_common())}")
    print(f"an agent that does nothing: {idle} end in the right state")
    writes = [(case, place) for case in tasks for place in case.writes()]
    print(f"{len(writes)} changes; seen in the final state:")
    left_out = [await _seen(case, case.without(place)) for case, place in writes]
    print(f"  one left out: {sum(left_out)}")
    wrong = [await _seen(case, case.with_one_wrong(place, draw)) for draw, (case, place) in enumerate(writes)]
    print(f"  one argument of one wrong: {sum(wrong)}")
    for kind, seen in (("left out", left_out), ("wrong", wrong)):
        for (case, place), found in zip(writes, seen, strict=True):
            if not found:
                remarks.append(
                    f"  task {case.id}: not seen when call {place + 1}, {case.actions[place].tool}, is {kind}"
                )
    print("\n".join(["not as it should be:", *remarks]))


async def _seen(right: Case, spoilt: Case) -> bool:
    """True if the state after ``spoilt`` shows that it was not ``right``."""
    return (await replay(spoilt)).state != right.state()


if __name__ == "__main__":
    main()
