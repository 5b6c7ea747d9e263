"""Who is asked, how often, and what every attempt takes from the budget."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from random import Random

import pytest

from agents.clock import ManualClock
from agents.errors import ModelFailed
from agents.models.budget import Day, Limits, MemorySpending, RunBudget, Spent
from agents.models.costs import Price, Prices
from agents.models.messages import (
    Abilities,
    Finish,
    Image,
    Model,
    ModelRequest,
    ModelResponse,
    StreamEvent,
    Usage,
    assistant,
    user,
)
from agents.models.naming import open_model
from agents.models.router import Candidate, Need, Role, Router
from agents.models.scripted import Answer, ScriptedModel
from agents.models.traffic import Rate
from tests.fakes import provider_anthropic, provider_chat
from tests.fakes.provider import SILENT, ProviderServer

START = datetime(2026, 11, 1, 12, tzinfo=UTC)
REQUEST = ModelRequest(system="", messages=(user("hello"),), max_output_tokens=1_000)
PRICES = Prices(fallback=Price(input=Decimal(1), output=Decimal(1)))
TOKENS, MICROS = PRICES.most("a:one", REQUEST, START)
FREE = RunBudget(Limits(), clock=ManualClock(START), started_at=START)


def failed(code: str, **how: object) -> ModelFailed:
    return ModelFailed("a:one", "no", code=code, **how)  # type: ignore[arg-type]


@dataclass
class Desk:
    """A router over scripted models; it waits by moving its own clock."""

    router: Router
    models: dict[str, ScriptedModel]
    slept: list[float] = field(default_factory=list)
    seconds: float = 1000.0

    @property
    def asked(self) -> dict[str, int]:
        return {name: len(model.requests) for name, model in self.models.items()}


def desk(
    scripts: dict[str, Iterable[Answer]],
    *,
    candidates: Iterable[Candidate] | None = None,
    rates: dict[str, Rate] | None = None,
    abilities: dict[str, Abilities] | None = None,
    retries: int = 2,
    prices: Prices = PRICES,
) -> Desk:
    models = {
        name: ScriptedModel(script, name=name, abilities=(abilities or {}).get(name))
        for name, script in scripts.items()
    }

    async def sleep(seconds: float) -> None:
        made.slept.append(seconds)
        made.seconds += seconds

    router = Router(
        {Role.EXECUTOR: tuple(candidates or (Candidate(model=name) for name in scripts))},
        open_model=models.__getitem__,
        prices=prices,
        rates=rates,
        retries=retries,
        clock=ManualClock(START),
        monotonic=lambda: made.seconds,
        sleep=sleep,
    )
    made = Desk(router, models)
    return made


def run(**limits: int | float) -> RunBudget:
    return RunBudget(Limits(**limits), clock=ManualClock(START), started_at=START)  # type: ignore[arg-type]


async def test_the_first_that_answers_is_enough() -> None:
    made = desk({"a:one": ["hi"], "b:two": []})
    budget = run()
    response = await made.router.respond(Role.EXECUTOR, REQUEST, budget)
    used = response.usage.input_tokens + response.usage.output_tokens
    assert response.turn.text == "hi"
    assert budget.spent == Spent(calls=1, tokens=used, micros=used)
    await made.router.aclose()


@pytest.mark.parametrize("code", ["rate_limited", "overloaded", "unavailable", "timeout", "malformed"])
async def test_what_may_pass_is_tried_again_and_then_the_next_is_asked(code: str) -> None:
    made = desk({"a:one": [failed(code, retryable=True)] * 3, "b:two": ["hi"]})
    response = await made.router.respond(Role.EXECUTOR, REQUEST, FREE)
    assert response.turn.text == "hi"
    assert made.asked == {"a:one": 3, "b:two": 1}
    assert len(made.slept) == 2


@pytest.mark.parametrize("code", ["not_allowed", "refused", "overflow"])
async def test_what_will_not_pass_is_not_tried_again(code: str) -> None:
    made = desk({"a:one": [failed(code)], "b:two": ["hi"]})
    await made.router.respond(Role.EXECUTOR, REQUEST, FREE)
    assert made.asked == {"a:one": 1, "b:two": 1}


async def test_a_request_that_is_wrong_is_wrong_for_all() -> None:
    made = desk({"a:one": [failed("invalid_request")], "b:two": ["hi"]})
    with pytest.raises(ModelFailed, match="a:one"):
        await made.router.respond(Role.EXECUTOR, REQUEST, FREE)
    assert made.asked == {"a:one": 1, "b:two": 0}


class Refusing:
    """A model that refuses in words."""

    name = "a:one"
    abilities = Abilities()

    async def respond(self, request: ModelRequest) -> ModelResponse:
        return ModelResponse(
            turn=assistant("I won't"), finish=Finish.REFUSED, usage=Usage(input_tokens=5), model=self.name
        )

    async def stream(self, request: ModelRequest) -> AsyncIterator[StreamEvent]:
        yield await self.respond(request)


@pytest.mark.parametrize("other, finish", [("hi", Finish.ANSWERED), (failed("not_allowed"), Finish.REFUSED)])
async def test_a_refusal_is_the_answer_only_if_nobody_else_has_one(other: Answer, finish: Finish) -> None:
    script = ScriptedModel([other], name="b:two")
    models: dict[str, Model] = {"a:one": Refusing(), "b:two": script}
    router = Router(
        {Role.JUDGE: tuple(Candidate(model=name) for name in models)}, open_model=models.__getitem__, prices=PRICES
    )
    response = await router.respond(Role.JUDGE, REQUEST, FREE)
    assert response.finish is finish
    script.finish()


async def test_the_wait_that_was_asked_for_is_kept_unless_it_is_long() -> None:
    made = desk({"a:one": [failed("rate_limited", retryable=True, retry_after=7.0), "hi"]})
    await made.router.respond(Role.EXECUTOR, REQUEST, FREE)
    assert made.slept == [7.0]
    long = failed("rate_limited", retryable=True, retry_after=300.0)
    made = desk({"a:one": [long, "late"], "a:other": ["never"], "b:two": ["hi", "hi", "hi"]})
    for _ in range(2):
        assert (await made.router.respond(Role.EXECUTOR, REQUEST, FREE)).turn.text == "hi"
    assert (made.asked, made.slept) == ({"a:one": 1, "a:other": 0, "b:two": 2}, [])
    made.seconds += 300
    assert (await made.router.respond(Role.EXECUTOR, REQUEST, FREE)).turn.text == "late"


async def test_a_provider_that_keeps_failing_is_left_alone() -> None:
    broken = [failed("unavailable", retryable=True)] * 5
    made = desk({"a:one": [*broken, "back"], "b:two": ["hi"] * 4})
    for _ in range(3):
        await made.router.respond(Role.EXECUTOR, REQUEST, FREE)
    assert made.asked == {"a:one": 5, "b:two": 3}
    made.seconds += 31
    assert (await made.router.respond(Role.EXECUTOR, REQUEST, FREE)).turn.text == "back"


async def test_who_is_trusted_with_what() -> None:
    candidates = [
        Candidate(model="a:cheap", complexity="low"),
        Candidate(model="b:good", reliability="normal"),
        Candidate(model="c:best"),
    ]
    for need, asked in [
        (Need(complexity="low"), "a:cheap"),
        (Need(), "b:good"),
        (Need(reliability="high"), "c:best"),
        (Need(reliability="high", complexity="low"), "a:cheap"),
    ]:
        made = desk({each.model: [each.model] for each in candidates}, candidates=candidates)
        assert (await made.router.respond(Role.EXECUTOR, REQUEST, FREE, need=need)).turn.text == asked
    made = desk({"a:cheap": []}, candidates=candidates[:1])
    with pytest.raises(ModelFailed, match="no model is set"):
        await made.router.respond(Role.EXECUTOR, REQUEST, FREE)
    with pytest.raises(ModelFailed, match="role judge"):
        await made.router.respond(Role.JUDGE, REQUEST, FREE)


async def test_a_model_that_cannot_see_is_not_shown_pictures() -> None:
    made = desk({"a:one": [], "b:two": ["hi"]}, abilities={"a:one": Abilities(images=False)})
    shown = replace(REQUEST, messages=(user(Image(data_base64="", media_type="image/png")),))
    assert (await made.router.respond(Role.EXECUTOR, shown, FREE)).turn.text == "hi"


async def test_more_than_the_rate_waits_or_goes_elsewhere() -> None:
    made = desk({"a:one": ["1", "2", "3"], "b:two": ["4"]}, rates={"a": Rate(requests=2)})
    for expected in ("1", "2", "4"):
        assert (await made.router.respond(Role.EXECUTOR, REQUEST, FREE)).turn.text == expected
    made.seconds += 50
    assert (await made.router.respond(Role.EXECUTOR, REQUEST, FREE)).turn.text == "3"
    assert made.slept == [10.0]


@pytest.mark.parametrize("may_have_cost", [True, False])
async def test_every_attempt_is_paid_for(may_have_cost: bool) -> None:
    trouble = failed("unavailable", retryable=True, may_have_cost=may_have_cost)
    budget = run()
    made = desk({"a:one": [trouble, trouble, trouble]})
    with pytest.raises(ModelFailed):
        await made.router.respond(Role.EXECUTOR, REQUEST, budget)
    lost = 3 if may_have_cost else 0
    assert budget.spent == Spent(calls=3, tokens=lost * TOKENS, micros=lost * MICROS)


async def test_no_attempt_beyond_the_budget() -> None:
    trouble = failed("timeout", retryable=True, may_have_cost=True)
    made = desk({"a:one": [trouble, trouble, "hi"], "b:two": ["hi"]})
    budget = run(micros=2 * MICROS)
    with pytest.raises(ModelFailed) as caught:
        await made.router.respond(Role.EXECUTOR, REQUEST, budget)
    assert caught.value.code == "budget"
    assert made.asked == {"a:one": 2, "b:two": 0}
    assert budget.spent.micros == 2 * MICROS


async def test_without_a_price_nobody_is_asked() -> None:
    made = desk({"a:one": ["hi"]}, prices=Prices())
    with pytest.raises(ModelFailed, match="price"):
        await made.router.respond(Role.EXECUTOR, REQUEST, FREE)
    assert made.asked == {"a:one": 0}


async def test_usage_that_is_not_told_counts_in_full() -> None:
    class Silent(Refusing):
        async def respond(self, request: ModelRequest) -> ModelResponse:
            return replace(await super().respond(request), usage=Usage(), finish=Finish.ANSWERED)

    budget = run()
    router = Router({Role.PLANNER: (Candidate(model="a:one"),)}, open_model=lambda _: Silent(), prices=PRICES)
    await router.respond(Role.PLANNER, REQUEST, budget)
    assert budget.spent == Spent(calls=1, tokens=TOKENS, micros=MICROS)


async def test_a_call_that_is_cancelled_counts_in_full() -> None:
    begun = asyncio.Event()

    class Slow(Refusing):
        async def respond(self, request: ModelRequest) -> ModelResponse:
            begun.set()
            await asyncio.Event().wait()
            raise AssertionError

    budget = run()
    router = Router({Role.PLANNER: (Candidate(model="a:one"),)}, open_model=lambda _: Slow(), prices=PRICES)
    task = asyncio.create_task(router.respond(Role.PLANNER, REQUEST, budget))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert budget.spent.micros == MICROS
    begun.clear()
    short = run(seconds=0.05)
    with pytest.raises(ModelFailed, match="time is over"):
        await router.respond(Role.PLANNER, REQUEST, short)
    assert short.spent.micros == MICROS


async def test_fifty_runs_at_a_time_stay_within_the_day() -> None:
    """Each asks as often as it may; every call reports another usage, up to all that it reserved."""
    cap, billed = 20 * MICROS, 0
    spending, chance = MemorySpending(), Random(5)

    class Billing(Refusing):
        async def respond(self, request: ModelRequest) -> ModelResponse:
            nonlocal billed
            for _ in range(chance.randrange(5)):
                await asyncio.sleep(0)
            tokens = chance.randint(1, TOKENS)
            billed += tokens
            return ModelResponse(
                turn=assistant("hi"), finish=Finish.ANSWERED, usage=Usage(input_tokens=tokens), model=self.name
            )

    router = Router({Role.EXECUTOR: (Candidate(model="a:one"),)}, open_model=lambda _: Billing(), prices=PRICES)
    clock = ManualClock(START)

    async def work() -> int:
        day = Day(tenant="t", spending=spending, cap=cap)
        budget = RunBudget(Limits(micros=3 * MICROS), clock=clock, started_at=START, day=day)
        refused = None
        while refused is None:
            try:
                await router.respond(Role.EXECUTOR, REQUEST, budget)
            except ModelFailed as error:
                refused = error.code
        assert refused == "budget"
        assert budget.spent.micros <= 3 * MICROS
        return budget.spent.micros

    spent = await asyncio.gather(*(work() for _ in range(50)))
    assert sum(spent) == billed == spending.spent("t", START.date())
    assert cap - MICROS < billed <= cap


async def test_over_the_wire_the_second_provider_answers() -> None:
    """A real SDK on both sides of the change: the first is overloaded, then silent; the second answers."""
    overloaded = provider_anthropic.error("overloaded_error", 529, retry_after="0")
    async with (
        ProviderServer(overloaded, SILENT) as first,
        ProviderServer(provider_chat.whole(provider_chat.answer("hi"))) as second,
    ):
        environ = {
            "ANTHROPIC_API_KEY": "k",
            "ANTHROPIC_BASE_URL": first.url,
            "DEEPSEEK_API_KEY": "k",
            "DEEPSEEK_BASE_URL": second.url,
        }
        router = Router(
            {Role.EXECUTOR: (Candidate(model="anthropic:claude-sonnet-5"), Candidate(model="deepseek:deepseek-chat"))},
            open_model=partial(open_model, environ=environ, seconds=0.3),
            prices=Prices(),
            retries=1,
        )
        budget = run()
        response = await router.respond(Role.EXECUTOR, REQUEST, budget)
        await router.aclose()
    assert (response.turn.text, response.model) == ("hi", "deepseek:model-2026")
    assert [len(server.asked) for server in (first, second)] == [2, 1]
    lost, _ = Prices().most("anthropic:claude-sonnet-5", REQUEST, START)
    assert budget.spent.calls == 3
    assert budget.spent.tokens == lost + 1117
