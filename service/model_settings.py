"""``[models]`` in ``settle.toml``: who is asked, and what it may cost.

[models]
planner = ["anthropic:claude-opus-5", "openai:gpt-5.5"]
executor = [{model = "deepseek:deepseek-chat", complexity = "normal"}, "anthropic:claude-sonnet-5"]
judge = ["openai:gpt-5.5"]
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from agents.models.budget import Limits
from agents.models.costs import Price, Prices
from agents.models.messages import Abilities
from agents.models.naming import PROVIDERS
from agents.models.router import Candidate, Level, Need, Role
from agents.models.traffic import Rate
from agents.planner.procedure_document import NAME_OF_AGENT


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _known(name: str) -> str:
    provider, colon, model = name.partition(":")
    if not colon or not model or provider not in PROVIDERS:
        raise ValueError(f"{name!r} is no provider:model; the providers are in docs/models.md")
    return name


def _written_out(value: Any) -> Any:
    return {"model": value} if isinstance(value, str) else value


ModelName = Annotated[str, AfterValidator(_known)]
Dollars = Annotated[Decimal, Field(ge=0, le=1_000_000, allow_inf_nan=False)]
"""US dollars, written as text: "0.25"."""


class CandidateSettings(_Section):
    """A model and the most that it is trusted with; the name alone is trusted with everything."""

    model: ModelName
    reliability: Level = "high"
    complexity: Level = "high"


Candidates = tuple[Annotated[CandidateSettings, BeforeValidator(_written_out)], ...]


class NeedSettings(_Section):
    """What a procedure asks of a model."""

    reliability: Level = "normal"
    complexity: Level = "normal"


class RunSettings(_Section):
    """What one run may take."""

    steps: Annotated[int, Field(ge=1)] = 40
    calls: Annotated[int, Field(ge=1)] = 80
    tokens: Annotated[int, Field(ge=1)] = 1_000_000
    dollars: Dollars = Decimal("1.00")
    minutes: Annotated[int, Field(ge=1)] = 30


class RateSettings(_Section):
    """What a provider allows in a minute."""

    requests_per_minute: Annotated[int, Field(ge=1)] | None = None
    tokens_per_minute: Annotated[int, Field(ge=1)] | None = None


class PriceSettings(_Section):
    """US dollars for a million tokens."""

    input: Dollars
    output: Dollars
    cache_read: Dollars | None = None
    cache_write: Dollars | None = None

    @property
    def price(self) -> Price:
        """As it is counted."""
        return Price(**self.model_dump())


class AbilitySettings(_Section):
    """What a model can do, where that is not what its name says."""

    tools: bool = True
    images: bool = False
    output_schema: bool = False
    effort: bool = False
    context_tokens: Annotated[int, Field(ge=1_000)] = 128_000


class AgentSettings(_Section):
    """Somebody else than the executor for some open steps: models and instructions of its own."""

    models: Annotated[Candidates, Field(min_length=1)]
    instructions: str = ""
    """Added to what it is told first: the company's words."""


class ModelSettings(_Section):
    """Who is asked in which role, in this order, and what it may cost."""

    planner: Candidates = ()
    executor: Candidates = ()
    judge: Candidates = ()
    """Of other providers than those above: a model does not judge its own family."""
    agents: dict[Annotated[str, Field(pattern=NAME_OF_AGENT)], AgentSettings] = {}
    """By the name that open steps give them; what they may call is the step's tools, and nothing else."""
    procedures: dict[str, NeedSettings] = {}
    """What the procedure of that name needs; others need ``normal``."""
    run: RunSettings = RunSettings()
    dollars_per_day: Dollars = Decimal("20.00")
    """Of the tenant, by UTC days."""
    rates: dict[str, RateSettings] = {}
    """By provider."""
    prices: dict[ModelName, PriceSettings] = {}
    """By ``provider:model``, before the list price."""
    fallback_price: PriceSettings | None = None
    """For models without a known price; without it they are not asked."""
    abilities: dict[ModelName, AbilitySettings] = {}

    @field_validator("rates")
    @classmethod
    def _providers(cls, rates: dict[str, RateSettings]) -> dict[str, RateSettings]:
        for provider in rates:
            if provider not in PROVIDERS:
                raise ValueError(f"{provider!r} is no provider; they are in docs/models.md")
        return rates

    @model_validator(mode="after")
    def _judged_by_others(self) -> ModelSettings:
        if taken := sorted(set(self.agents) & {str(role) for role in Role}):
            raise ValueError(f"{', '.join(taken)} is a role; give the agent another name")
        helping = (each for agent in self.agents.values() for each in agent.models)
        working = {_provider(each) for each in (*self.planner, *self.executor, *helping)}
        for each in self.judge:
            if _provider(each) in working:
                raise ValueError(f"{each.model} would judge what models of its own provider did; name another provider")
        return self

    @property
    def roles(self) -> dict[str, tuple[Candidate, ...]]:
        """As the router takes them: the three roles, and every agent by its name."""
        named: dict[str, Candidates] = {name: agent.models for name, agent in self.agents.items()}
        named |= {Role.PLANNER: self.planner, Role.EXECUTOR: self.executor, Role.JUDGE: self.judge}
        return {role: tuple(Candidate(**each.model_dump()) for each in listed) for role, listed in named.items()}

    @property
    def limits(self) -> Limits:
        """Of one run."""
        run = self.run
        return Limits(
            steps=run.steps,
            calls=run.calls,
            tokens=run.tokens,
            micros=micros(run.dollars),
            seconds=run.minutes * 60.0,
        )

    @property
    def micros_per_day(self) -> int:
        """Of the tenant."""
        return micros(self.dollars_per_day)

    @property
    def price_book(self) -> Prices:
        """Prices of the settings before those of the list."""
        own = {model: price.price for model, price in self.prices.items()}
        return Prices(own, fallback=None if self.fallback_price is None else self.fallback_price.price)

    @property
    def throttles(self) -> dict[str, Rate]:
        """By provider."""
        return {
            provider: Rate(requests=rate.requests_per_minute, tokens=rate.tokens_per_minute)
            for provider, rate in self.rates.items()
        }

    def need(self, procedure: str) -> Need:
        """What that procedure needs."""
        return Need(**self.procedures.get(procedure, NeedSettings()).model_dump())

    def declared(self, model: str) -> Abilities | None:
        """What the settings say that ``model`` can do; None where they say nothing."""
        found = self.abilities.get(model)
        return None if found is None else Abilities(**found.model_dump())


def _provider(candidate: CandidateSettings) -> str:
    return candidate.model.partition(":")[0]


def micros(dollars: Decimal) -> int:
    """Whole millionths of a US dollar."""
    return int(dollars * 1_000_000)
