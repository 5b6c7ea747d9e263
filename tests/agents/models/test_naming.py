"""From ``provider:model`` to a model: where it is asked, with which key, and what is said when something is missing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agents.errors import ModelFailed
from agents.models.messages import Abilities, ModelRequest, user
from agents.models.naming import PROVIDERS, open_model
from agents.models.presets import PRESETS
from tests.fakes import provider_anthropic, provider_chat, provider_openai
from tests.fakes.provider import ProviderServer

REQUEST = ModelRequest(system="be brief", messages=(user("hello"),))
HI = provider_chat.whole(provider_chat.answer("hi"))


@pytest.fixture
async def server() -> AsyncIterator[ProviderServer]:
    async with ProviderServer(HI) as running:
        yield running


@pytest.mark.parametrize("provider", PRESETS)
async def test_every_preset_asks_its_server_with_its_key(server: ProviderServer, provider: str) -> None:
    preset = PRESETS[provider]
    environ = {preset.key: "k-1", f"{provider.upper()}_BASE_URL": f"{server.url}/some/where"}
    model = open_model(f"{provider}:some/model:7b", environ=environ)
    response = await model.respond(REQUEST)
    await model.aclose()
    [sent] = server.asked
    assert (sent.path, sent.body["model"]) == ("/some/where/chat/completions", "some/model:7b")
    assert sent.headers["authorization"] == "Bearer k-1"
    assert response.model == f"{provider}:model-2026"
    assert model.name == f"{provider}:some/model:7b"
    if preset.keyless and preset.url:
        open_model(f"{provider}:m", environ={})
    else:
        with pytest.raises(ModelFailed, match=preset.key if not preset.keyless else "COMPATIBLE_BASE_URL"):
            open_model(f"{provider}:m", environ={})


async def test_anthropic_and_openai(server: ProviderServer) -> None:
    environ = {
        "ANTHROPIC_API_KEY": "k-a",
        "ANTHROPIC_BASE_URL": server.url,
        "OPENAI_API_KEY": "k-o",
        "OPENAI_BASE_URL": f"{server.url}/v1",
    }
    server.replies.clear()
    server.replies += [
        provider_anthropic.whole(provider_anthropic.message(provider_anthropic.said("hi"))),
        provider_openai.whole(provider_openai.answer(provider_openai.said("hi"))),
    ]
    for name in ("anthropic:claude-sonnet-5", "openai:gpt-5"):
        assert (await open_model(name, environ=environ).respond(REQUEST)).turn.text == "hi"
    assert [sent.path for sent in server.asked] == ["/v1/messages", "/v1/responses"]


async def test_azure_asks_the_deployment(server: ProviderServer) -> None:
    environ = {
        "AZURE_OPENAI_API_KEY": "k-az",
        "AZURE_OPENAI_ENDPOINT": server.url,
        "OPENAI_API_VERSION": "2026-01-01",
    }
    await open_model("azure:our-gpt-5", environ=environ).respond(REQUEST)
    [sent] = server.asked
    assert sent.path == "/openai/deployments/our-gpt-5/chat/completions?api-version=2026-01-01"
    assert (sent.headers["api-key"], sent.body["max_completion_tokens"]) == ("k-az", 4096)
    assert [turn["role"] for turn in sent.body["messages"]] == ["system", "user"]


@pytest.mark.parametrize(
    "name, missing",
    [
        ("anthropic:claude", "ANTHROPIC_API_KEY"),
        ("openai:gpt-5", "OPENAI_API_KEY"),
        ("azure:gpt", "AZURE_OPENAI_API_KEY"),
        ("tiangong:m", "TIANGONG_API_KEY"),
        ("antropic:claude", "did you mean 'anthropic'"),
        ("claude", "write provider:model"),
        ("anthropic:", "write provider:model"),
    ],
)
def test_what_is_missing_is_named(name: str, missing: str) -> None:
    with pytest.raises(ModelFailed, match=missing):
        open_model(name, environ={"ANTHROPIC_API_KEY": " "})


@pytest.mark.parametrize("provider, module, extra", [("bedrock", "boto3", "bedrock"), ("vertex", "google", "vertex")])
def test_a_missing_package_is_named(provider: str, module: str, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ModelFailed, match=rf"settle-agents\[{extra}\]"):
        open_model(f"{provider}:claude", environ={})


def test_abilities_are_declared() -> None:
    environ = {"ANTHROPIC_API_KEY": "k", "OPENAI_API_KEY": "k", "DEEPSEEK_API_KEY": "k"}

    def can(name: str) -> tuple[bool, bool, bool]:
        found = open_model(name, environ=environ).abilities
        return found.images, found.output_schema, found.effort

    assert can("anthropic:claude-opus-5") == (True, True, True)
    assert can("anthropic:claude-sonnet-4-5-20250929") == (True, True, False)
    assert can("anthropic:claude-sonnet-4-20250514") == (True, False, False)
    assert can("anthropic:claude-3-7-sonnet-latest") == (True, False, False)
    assert can("openai:gpt-5.5") == can("openai:o4-mini") == (True, True, True)
    assert can("openai:gpt-4o") == can("openai:gpt-4.1") == (True, True, False)
    assert can("openai:gpt-4-turbo") == (False, False, False)
    assert can("deepseek:deepseek-chat") == (False, False, False)
    declared = Abilities(images=True)
    assert open_model("deepseek:ocr", environ=environ, abilities=declared).abilities is declared


def test_no_sdk_is_imported_before_a_model_is_asked() -> None:
    code = (
        "import sys, agents, agents.models.naming as n; from typer.testing import CliRunner;"
        "from service.cli import app;"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0;"
        "n.open_model('anthropic:claude', environ={'ANTHROPIC_API_KEY': 'k'}); print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"anthropic", "openai"}.isdisjoint(done.stdout.split())


def test_every_provider_is_in_the_guide() -> None:
    guide = (Path(__file__).parents[3] / "docs" / "models.md").read_text()
    assert [provider for provider in PROVIDERS if f"`{provider}`" not in guide] == []
    assert [preset.key for preset in PRESETS.values() if f"`{preset.key}`" not in guide] == []
    assert [preset.url for preset in PRESETS.values() if preset.url not in guide] == []
