"""The providers whose names stand before the colon: where they are, which variable holds the key, what they can do.

None of these has been run against the real thing by this project's tests: docs/models.md. Where an address has moved,
the variable ``PROVIDER_BASE_URL`` (``KIMI_BASE_URL``, ``VLLM_BASE_URL``) says where to.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from agents.models.chat import ChatDialect
from agents.models.messages import Abilities

_PLAIN = ChatDialect()
_WORDS = Abilities()


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A server that speaks chat completions."""

    title: str
    url: str
    """Empty where there is none that everybody shares: then the variable must be set."""
    key: str
    """The environment variable with the key."""
    keyless: bool = False
    """It may be asked without a key: a server of one's own."""
    dialect: ChatDialect = _PLAIN
    abilities: Abilities = _WORDS
    """Of its models in general; what one model can do beyond that is declared in the settings."""


_SCHEMA = Abilities(output_schema=True)
_THINKS = ChatDialect(reasoning_back=True)
_NO_FORCE = ChatDialect(required=False)

PRESETS = {
    "deepseek": Preset(title="DeepSeek", url="https://api.deepseek.com/v1", key="DEEPSEEK_API_KEY", dialect=_THINKS),
    "qwen": Preset(
        title="Qwen (Alibaba DashScope)",
        url="https://dashscope.aliyuncs.com/compatible-mode/v1",
        key="DASHSCOPE_API_KEY",
        dialect=_NO_FORCE,
    ),
    "kimi": Preset(
        title="Kimi (Moonshot AI)",
        url="https://api.moonshot.cn/v1",
        key="MOONSHOT_API_KEY",
        dialect=ChatDialect(required=False, reasoning_back=True),
    ),
    "glm": Preset(
        title="GLM (Zhipu AI)",
        url="https://open.bigmodel.cn/api/paas/v4",
        key="ZHIPUAI_API_KEY",
        dialect=ChatDialect(required=False, reasoning_back=True),
    ),
    "minimax": Preset(title="MiniMax", url="https://api.minimaxi.com/v1", key="MINIMAX_API_KEY", dialect=_NO_FORCE),
    "baichuan": Preset(
        title="Baichuan", url="https://api.baichuan-ai.com/v1", key="BAICHUAN_API_KEY", dialect=_NO_FORCE
    ),
    "yi": Preset(title="Yi (01.AI)", url="https://api.lingyiwanwu.com/v1", key="YI_API_KEY", dialect=_NO_FORCE),
    "stepfun": Preset(title="StepFun", url="https://api.stepfun.com/v1", key="STEPFUN_API_KEY", dialect=_NO_FORCE),
    "doubao": Preset(
        title="Doubao (Volcengine Ark)", url="https://ark.cn-beijing.volces.com/api/v3", key="ARK_API_KEY"
    ),
    "hunyuan": Preset(
        title="Hunyuan (Tencent)",
        url="https://api.hunyuan.cloud.tencent.com/v1",
        key="HUNYUAN_API_KEY",
        dialect=_NO_FORCE,
    ),
    "qianfan": Preset(
        title="Qianfan (Baidu)", url="https://qianfan.baidubce.com/v2", key="QIANFAN_API_KEY", dialect=_NO_FORCE
    ),
    "spark": Preset(
        title="Spark (iFlytek)",
        url="https://spark-api-open.xf-yun.com/v1",
        key="SPARK_API_PASSWORD",
        dialect=ChatDialect(required=False, stream_usage=False),
    ),
    "sensenova": Preset(
        title="SenseNova (SenseTime)",
        url="https://api.sensenova.cn/compatible-mode/v2",
        key="SENSENOVA_API_KEY",
        dialect=_NO_FORCE,
    ),
    "tiangong": Preset(title="Tiangong (Kunlun)", url="", key="TIANGONG_API_KEY", dialect=_NO_FORCE),
    "siliconflow": Preset(title="SiliconFlow", url="https://api.siliconflow.cn/v1", key="SILICONFLOW_API_KEY"),
    "infinigence": Preset(
        title="Infinigence", url="https://cloud.infini-ai.com/maas/v1", key="INFINI_API_KEY", dialect=_NO_FORCE
    ),
    "luchen": Preset(
        title="Luchen Cloud", url="https://cloud.luchentech.com/api/maas", key="LUCHEN_API_KEY", dialect=_NO_FORCE
    ),
    "qingcheng": Preset(
        title="Qingcheng (AI Ping)", url="https://aiping.cn/api/v1", key="QINGCHENG_API_KEY", dialect=_NO_FORCE
    ),
    "grok": Preset(title="Grok (xAI)", url="https://api.x.ai/v1", key="XAI_API_KEY", abilities=_SCHEMA),
    "mistral": Preset(
        title="Mistral",
        url="https://api.mistral.ai/v1",
        key="MISTRAL_API_KEY",
        dialect=ChatDialect(stream_usage=False, short_ids=True),
        abilities=_SCHEMA,
    ),
    "vllm": Preset(
        title="vLLM, on a machine of one's own",
        url="http://127.0.0.1:8000/v1",
        key="VLLM_API_KEY",
        keyless=True,
        abilities=_SCHEMA,
    ),
    "ollama": Preset(
        title="Ollama, on a machine of one's own",
        url="http://127.0.0.1:11434/v1",
        key="OLLAMA_API_KEY",
        keyless=True,
        dialect=_NO_FORCE,
        abilities=_SCHEMA,
    ),
    "compatible": Preset(
        title="Any other server that speaks chat completions", url="", key="COMPATIBLE_API_KEY", keyless=True
    ),
}

_FULL = Abilities(images=True, output_schema=True, effort=True, context_tokens=200_000)
_OLD_CLAUDE = re.compile(r"claude-(?:[23]\b|instant|(?:opus|sonnet)-4(?:-0|-1|-2\d|$|@))")
_NO_EFFORT_CLAUDE = re.compile(r"claude-(?:haiku|sonnet)-4-5")
_OPENAI_REASONS = re.compile(r"(?:gpt-[5-9]|o\d)")
_OPENAI_OLD = re.compile(r"gpt-(?:3\.5|4(?:-|$))")


def claude(model: str) -> Abilities:
    """What a Claude model can do, by its name; a new one can do everything."""
    if _OLD_CLAUDE.search(model):
        return replace(_FULL, output_schema=False, effort=False)
    return replace(_FULL, effort=_NO_EFFORT_CLAUDE.search(model) is None)


def gpt(model: str) -> Abilities:
    """What a model of OpenAI can do, by its name."""
    if _OPENAI_REASONS.match(model):
        return replace(_FULL, context_tokens=400_000 if model.startswith("gpt") else 200_000)
    return Abilities(images=not _OPENAI_OLD.match(model), output_schema=not _OPENAI_OLD.match(model))
