"""``[models]`` in settle.toml."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from agents.models.messages import Abilities, Usage
from agents.models.router import Candidate, Need, Role
from agents.models.traffic import Rate
from service.deployment import read_deployment
from service.settings import load_settings
from service.starter import make_deployment

SETTINGS = """
[models]
planner = ["anthropic:claude-opus-5"]
executor = [{model = "deepseek:deepseek-chat", complexity = "low"}, "anthropic:claude-sonnet-5"]
judge = ["openai:gpt-5.5"]
dollars_per_day = "7.50"

[models.run]
dollars = "0.25"
minutes = 5

[models.procedures]
refund-damaged-item = {reliability = "high"}

[models.rates.anthropic]
requests_per_minute = 50

[models.prices."deepseek:deepseek-chat"]
input = "0.5"
output = "1"

[models.fallback_price]
input = "10"
output = "50"

[models.abilities."deepseek:deepseek-chat"]
images = true
"""


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    return make_deployment(tmp_path / "desk", "desk").deployment


def add(desk: Path, text: str) -> None:
    path = desk / "settle.toml"
    path.write_text(f"{path.read_text()}\n{text}")


def test_without_the_section_there_are_no_models(desk: Path) -> None:
    assert load_settings(desk / "settle.toml").models is None


def test_what_the_router_gets(desk: Path) -> None:
    add(desk, SETTINGS)
    models = load_settings(desk / "settle.toml").models
    assert models is not None
    assert models.roles == {
        Role.PLANNER: (Candidate(model="anthropic:claude-opus-5"),),
        Role.EXECUTOR: (
            Candidate(model="deepseek:deepseek-chat", complexity="low"),
            Candidate(model="anthropic:claude-sonnet-5"),
        ),
        Role.JUDGE: (Candidate(model="openai:gpt-5.5"),),
    }
    assert (models.limits.micros, models.limits.seconds, models.limits.steps) == (250_000, 300.0, 40)
    assert models.micros_per_day == 7_500_000
    assert [models.need(name) for name in ("refund-damaged-item", "other")] == [Need(reliability="high"), Need()]
    assert models.throttles == {"anthropic": Rate(requests=50)}
    assert models.declared("deepseek:deepseek-chat") == Abilities(images=True)
    assert models.declared("openai:gpt-5.5") is None
    million, noon = Usage(input_tokens=1_000_000), datetime(2026, 11, 1, tzinfo=UTC)
    assert models.price_book.micros("deepseek:deepseek-chat", million, noon) == 500_000
    assert models.price_book.micros("nobody:knows", million, noon) == 10_000_000


@pytest.mark.parametrize(
    "text, field, said",
    [
        ('executor = ["claude"]', "models.executor[0]", "provider:model"),
        ('executor = ["antropic:claude"]', "models.executor[0]", "no provider:model"),
        ('executor = [{model = "openai:gpt-5", complexity = "extreme"}]', "models.executor[0].complexity", "low"),
        ('judge = ["openai:a"]\nplanner = ["openai:b"]', "models", "another provider"),
        ('dollars_per_day = "-1"', "models.dollars_per_day", "0"),
        ("rates = {antropic = {}}", "models.rates", "no provider"),
        ("dolars_per_day = 1", "models.dolars_per_day", ""),
    ],
)
def test_a_mistake_is_named(desk: Path, text: str, field: str, said: str) -> None:
    add(desk, f"[models]\n{text}\n")
    _, problems = read_deployment(desk)
    [problem] = problems
    assert problem.field == field
    assert said in problem.message
