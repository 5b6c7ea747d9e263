"""The models of a deployment: whom a run asks, and from which budget it is paid."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from agents.clock import Clock
from agents.errors import ModelFailed
from agents.models.budget import Day, RunBudget, Spent
from agents.models.messages import Model, Usage
from agents.models.naming import open_model
from agents.models.router import Router
from agents.models.run_model import ModelFor, RunModel
from agents.receipt import Receipt
from agents.work import Work
from service.model_settings import ModelSettings
from service.model_use import model_use
from service.spending import Purse


class DeployedModels:
    """What ``[models]`` of settle.toml names."""

    def __init__(self, settings: ModelSettings, *, day: Day, clock: Clock) -> None:
        """``day`` is what all runs together may spend."""
        self._settings = settings
        self._day = day
        self._clock = clock
        self._router = Router(
            settings.roles,
            open_model=self._open,
            prices=settings.price_book,
            rates=settings.throttles,
            clock=clock,
        )

    def for_work(self, work: Work, receipts: Iterable[Receipt]) -> ModelFor:
        """Whoever plays each role in this run, on what its earlier jobs left of its budget, by the task's receipts."""
        budget = RunBudget(
            self._settings.limits,
            clock=self._clock,
            started_at=self._clock.now(),
            spent=spent(one for one in receipts if one.run_id == work.run.id),
            day=self._day,
        )
        need, roles = self._settings.need(work.run.procedure.partition("@")[0]), self._settings.roles
        told = {name: agent.instructions for name, agent in self._settings.agents.items()}

        def model_for(role: str) -> RunModel | None:
            return RunModel(self._router, role, budget, need, told.get(role, "")) if roles.get(role) else None

        return model_for

    async def aclose(self) -> None:
        """Close every connection."""
        await self._router.aclose()

    def _open(self, name: str) -> Model:
        return open_model(name, abilities=self._settings.declared(name))


class CappedModels(DeployedModels):
    """The models of a rehearsal: it may spend so much in all, and none is asked when a call could exceed that."""

    def __init__(self, settings: ModelSettings, *, tenant: str, micros: int, clock: Clock) -> None:
        self._purse = Purse()
        super().__init__(settings, day=Day(tenant=tenant, spending=self._purse, cap=micros), clock=clock)

    @property
    def used_up(self) -> bool:
        """True from the first call on that could have exceeded it."""
        return self._purse.refused

    def for_work(self, work: Work, receipts: Iterable[Receipt]) -> ModelFor:
        """As on a desk, as long as something is left."""
        return (lambda role: None) if self.used_up else super().for_work(work, receipts)


def unusable(settings: ModelSettings, at: datetime) -> dict[str, list[str]]:
    """What keeps named models from being asked, by ``provider:model``: a key, a package, a price. Nothing is sent."""
    names = {each.model for candidates in settings.roles.values() for each in candidates}
    found = {name: list(_missing(name, settings, at)) for name in sorted(names)}
    return {name: missing for name, missing in found.items() if missing}


def _missing(name: str, settings: ModelSettings, at: datetime) -> Iterator[str]:
    try:
        open_model(name, abilities=settings.declared(name))
    except ModelFailed as error:
        yield str(error).removeprefix(f"{name}: ")
    try:
        settings.price_book.micros(name, Usage(input_tokens=1, output_tokens=1), at)
    except ModelFailed as error:
        yield str(error).removeprefix(f"{name}: ")


def spent(receipts: Iterable[Receipt]) -> Spent:
    """What the answers of models among ``receipts`` took."""
    used = model_use(receipts)
    return Spent(calls=used.calls, tokens=used.tokens, micros=used.micros)
