"""The weekly report as data: what ``settle report --json`` prints, and what the page and the tables are made from."""

from __future__ import annotations

from datetime import date

from pydantic import AwareDatetime, BaseModel, ConfigDict

from agents.money import Money
from service.model_use import ModelUse


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ReasonCount(_Model):
    """How many tasks were handed off for one reason."""

    code: str
    words: str
    """The code in a few words."""
    count: int


class Satisfaction(_Model):
    """What requesters said: ratings from 1 (bad) to 5 (good)."""

    count: int
    """Rated tickets."""
    mean: float | None
    """Two decimal places; None without ratings."""
    low: int
    """Ratings of 1 or 2."""
    low_share: float | None
    """Of all ratings, 0 to 1, three decimal places; None without ratings."""


class Times(_Model):
    """How long something took, in whole seconds. Both are times that really occurred, never averages of two."""

    count: int
    median_seconds: int | None
    """None where nothing was measured."""
    p90_seconds: int | None
    """Nine of ten took no longer."""


class Effort(_Model):
    """What the work took, models apart: see `ModelCost`."""

    runs: int
    reads: int
    changes: int
    messages: int
    """Tool calls by what they do: read a record, change one, write to the requester."""
    not_done: int
    """Tool calls among these that failed or whose effect is not certain."""
    tool_seconds: int
    """Time spent in tools, their browser included; calls that did not come back are left out."""
    approvals: int
    """Questions to people."""


class ModelCost(ModelUse):
    """What models took for these tasks, resolved or not, in all and for each that was. Costs are in US dollars.

    What is None below has nothing to be divided by; each is at least so much where something is ``uncounted``.
    """

    calls_per_resolved: float | None
    """Two decimal places."""
    micros_per_resolved: int | None
    """``micros / resolved``, rounded up."""
    micros_per_verified: int | None
    """``micros / verified``, rounded up."""


class Figures(_Model):
    """The figures of a week, of the whole period, or of a part of its tickets."""

    tickets: int
    """With a task that was brought in the period."""
    tasks: int
    """Issues that were brought in the period. What is no money below counts these, or says what it counts."""
    resolved: int
    """The agents claim that they are done: ``verified + rejected + void_unverified + undecided``."""
    verified: int
    """The evaluators proved the claim: ``charged + in_window + void_verified``."""
    charged: int
    """The settlement window passed; ``reversed`` are among them."""
    reversed: int
    """Charged, and taken back."""
    rejected: int
    """Claimed, and not proven or not billable."""
    void_unverified: int
    void_verified: int
    """Void: taken back before it was charged, proven or not."""
    undecided: int
    """Claimed; the evaluators' answer or a signed contract is still missing."""
    in_window: int
    """Proven; the settlement window is open."""
    reopened: int
    """Tasks whose requester came back after they were resolved."""
    handed_off: int
    handed_off_after_claim: int
    """Of these, those that were claimed first."""
    waiting: int
    """For the requester, or for an approval."""
    answered: int
    """The requester was answered, and nothing is claimed."""
    excluded: int
    """Not worked on: spam, for example."""
    under_way: int
    reasons: tuple[ReasonCount, ...]
    """Of all that were handed off, most frequent first."""
    satisfaction: Satisfaction
    """Of the tickets."""
    first_reply: Times
    """From bringing an issue to the agent's next reply; the notice that a person takes over does not count."""
    resolution: Times
    """From bringing an issue to the claim."""
    effort: Effort
    models: ModelCost
    charges: tuple[Money, ...]
    """Posted in the period, whenever the ticket was opened; one amount per currency."""
    credits: tuple[Money, ...]
    """Charges taken back in the period, likewise."""
    net: tuple[Money, ...]
    """Charges less credits."""


class Week(_Model):
    """One week, from Monday on; the first and the last may be cut by the period."""

    first: date
    last: date
    complete: bool
    """False while it is not over."""
    figures: Figures


class Group(_Model):
    """The part of the figures that shares something."""

    name: str
    """Empty for tasks that have none: no procedure chosen, for example."""
    figures: Figures


class WeeklyReport(_Model):
    """What `settle report` says, in whichever form."""

    tenant: str
    timezone: str
    """In which days and weeks begin: the contract's."""
    first: date
    last: date
    """Both included."""
    as_of: AwareDatetime
    """Everything is as it stood then."""
    total: Figures
    weeks: tuple[Week, ...]
    by_procedure: tuple[Group, ...]
    """``name@version`` of the task's last run."""
    by_outcome: tuple[Group, ...]
    """The outcome type that was claimed last; tasks without a claim are in none."""
    by_language: tuple[Group, ...]
