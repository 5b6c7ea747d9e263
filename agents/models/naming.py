"""From ``provider:model`` to a model.

    model = open_model("anthropic:claude-sonnet-5")

The key is in the environment; the SDK is imported when the model is first asked.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from agents.documents import nearest
from agents.errors import ModelFailed
from agents.models.anthropic import AnthropicModel
from agents.models.chat import ChatDialect, ChatModel
from agents.models.messages import Abilities
from agents.models.openai import OpenAIModel
from agents.models.presets import PRESETS, claude, gpt
from agents.models.wire import WireModel

_OWN = ("anthropic", "openai", "azure", "bedrock", "vertex")
PROVIDERS = (*_OWN, *PRESETS)
"""What may stand before the colon."""


def open_model(
    name: str,
    *,
    environ: Mapping[str, str] | None = None,
    abilities: Abilities | None = None,
    seconds: float = 300.0,
) -> WireModel:
    """The model called ``name``. Nothing is sent yet.

    Args:
        name: ``provider:model``.
        environ: where keys and addresses stand; the process's environment if left out.
        abilities: what the model can do, where that is not what `agents.models.presets` says.
        seconds: for a whole answer.

    Raises:
        ModelFailed: the name is not known, or a key, an address or a package is missing; the message says which.
    """
    provider, colon, model = name.partition(":")
    if not colon or not model or provider not in PROVIDERS:
        wrong = f"write provider:model; {nearest(provider, PROVIDERS)}"
        raise ModelFailed(name, wrong, code="invalid_request")
    settings = _Environment(name, os.environ if environ is None else environ)
    url = settings.get(f"{provider.upper()}_BASE_URL")
    wire: dict[str, Any] = {"seconds": seconds}
    match provider:
        case "anthropic":
            key = settings.need("ANTHROPIC_API_KEY")
            connect = _client("anthropic", "AsyncAnthropic", api_key=key, base_url=url or "https://api.anthropic.com")
            return AnthropicModel(name, connect=connect, abilities=abilities or claude(model), key=key, **wire)
        case "bedrock":
            settings.package("boto3", "bedrock")
            region = settings.need("AWS_REGION")
            connect = _client("anthropic", "AsyncAnthropicBedrock", aws_region=region, base_url=url or None)
            return AnthropicModel(name, connect=connect, abilities=abilities or claude(model), **wire)
        case "vertex":
            settings.package("google.auth", "vertex")
            place = {
                "region": settings.need("CLOUD_ML_REGION"),
                "project_id": settings.need("ANTHROPIC_VERTEX_PROJECT_ID"),
            }
            connect = _client("anthropic", "AsyncAnthropicVertex", **place, base_url=url or None)
            return AnthropicModel(name, connect=connect, abilities=abilities or claude(model), **wire)
        case "openai":
            key = settings.need("OPENAI_API_KEY")
            connect = _client("openai", "AsyncOpenAI", api_key=key, base_url=url or "https://api.openai.com/v1")
            return OpenAIModel(name, connect=connect, abilities=abilities or gpt(model), key=key, **wire)
        case "azure":
            key = settings.need("AZURE_OPENAI_API_KEY")
            endpoint, version = settings.need("AZURE_OPENAI_ENDPOINT"), settings.need("OPENAI_API_VERSION")
            connect = _client("openai", "AsyncAzureOpenAI", api_key=key, azure_endpoint=endpoint, api_version=version)
            dialect = ChatDialect(max_tokens="max_completion_tokens")
            return ChatModel(name, connect=connect, abilities=abilities or gpt(model), key=key, dialect=dialect, **wire)
    preset = PRESETS[provider]
    key = settings.get(preset.key) if preset.keyless else settings.need(preset.key)
    url = url or preset.url or settings.need(f"{provider.upper()}_BASE_URL")
    connect = _client("openai", "AsyncOpenAI", api_key=key or "none", base_url=url)
    return ChatModel(
        name, connect=connect, abilities=abilities or preset.abilities, key=key, dialect=preset.dialect, **wire
    )


class _Environment:
    def __init__(self, model: str, environ: Mapping[str, str]) -> None:
        self._model = model
        self._environ = environ

    def get(self, variable: str) -> str:
        return self._environ.get(variable, "").strip()

    def need(self, variable: str) -> str:
        value = self.get(variable)
        if not value:
            raise ModelFailed(self._model, f"set the environment variable {variable}", code="not_allowed")
        return value

    def package(self, module: str, extra: str) -> None:
        try:
            found = find_spec(module) is not None
        except ModuleNotFoundError:
            found = False
        if not found:
            wanted = f"needs a package that is not installed: pip install 'settle-agents[{extra}]'"
            raise ModelFailed(self._model, wanted, code="not_allowed")


def _client(sdk: str, name: str, **settings: Any) -> Callable[[], Any]:
    """Makes the client; it never retries by itself."""

    def connect() -> Any:
        return getattr(import_module(sdk), name)(**settings, max_retries=0)

    return connect
