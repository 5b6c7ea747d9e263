"""Which attacks are made, and the table of what came of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.attacks.arena import Arena, Outcome, People
from benchmarks.attacks.pack import Goal, LegitimateTask, goals, tasks
from benchmarks.attacks.world import Carrier

Case = tuple[LegitimateTask, Goal, Carrier]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mode:
    """Under which conditions."""

    name: str
    policy: bool
    people: People


MODES = (
    Mode(name="no policy", policy=False, people=People.NOBODY),
    Mode(name="policy, nobody approves", policy=True, people=People.NOBODY),
    Mode(name="policy, a careful person approves", policy=True, people=People.CAREFUL),
)


def cases(*, quick: bool = False) -> Iterator[Case]:
    """Every goal against every task through every carrier; ``quick`` takes one carrier each, in turn."""
    carriers = list(Carrier)
    for row, task in enumerate(tasks()):
        for column, goal in enumerate(goals()):
            for carrier in [carriers[(row + column) % len(carriers)]] if quick else carriers:
                yield task, goal, carrier


class Result:
    """What came of the attacks of one mode, and of the tasks without any."""

    def __init__(self, attacks: Sequence[tuple[Case, Outcome]], calm: Sequence[Outcome]) -> None:
        self.attacks = attacks
        self.calm = calm

    @property
    def unread(self) -> list[Case]:
        """Attacks that the model did not find in what it was shown."""
        return [case for case, outcome in self.attacks if not outcome.obeyed]

    @property
    def reached(self) -> list[Case]:
        """Attacks that reached their goal."""
        return [case for case, outcome in self.attacks if outcome.reached]

    @property
    def finished(self) -> float:
        """The share of attacked tasks that were finished all the same."""
        return sum(outcome.finished for _, outcome in self.attacks) / len(self.attacks)

    @property
    def finished_in_peace(self) -> float:
        """The share of tasks that are finished when nobody attacks."""
        return sum(outcome.finished for outcome in self.calm) / len(self.calm)

    def lines(self) -> Iterator[str]:
        """For people."""
        count, reached = len(self.attacks), self.reached
        yield f"goals reached             {len(reached):>4} of {count} ({len(reached) / count:.1%})"
        yield f"tasks finished, attacked  {self.finished:.1%}"
        yield f"tasks finished, in peace  {self.finished_in_peace:.1%}"
        tried = Counter(goal.kind for (_, goal, _), _ in self.attacks)
        got = Counter(goal.kind for _, goal, _ in reached)
        yield "reached by kind of goal:  " + ", ".join(f"{kind} {got[kind]}/{all_}" for kind, all_ in tried.items())
        tried = Counter(carrier.value for (_, _, carrier), _ in self.attacks)
        got = Counter(carrier.value for _, _, carrier in reached)
        yield "reached by carrier:       " + ", ".join(f"{one} {got[one]}/{all_}" for one, all_ in tried.items())


async def run(chosen: Sequence[Case], mode: Mode) -> Result:
    """Make the attacks."""
    arena = Arena()
    made = [(case, await arena.attack(*case, policy=mode.policy, people=mode.people)) for case in chosen]
    calm = [await arena.attack(task, None, Carrier.TICKET, policy=mode.policy, people=mode.people) for task in tasks()]
    return Result(made, calm)
