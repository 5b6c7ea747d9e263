"""What a model is shown in an open step: the prompt, the tools of its slots, the goal and what is known so far.

The same step shows the same bytes in every request, so that a provider's cache of the prefix holds.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from pydantic import JsonValue

from agents.errors import EvidenceMissing
from agents.models.messages import Image, Model, ToolSpec, Turn, user
from agents.models.tool_names import ToolNames
from agents.planner.plan import OpenStep, OpenTool
from agents.policy.labels import Labelled
from agents.progress import Progress
from agents.tools.toolbox import Toolbox

FINISH = "finish"
GIVE_UP = "give_to_person"
MAX_IMAGES = 4
_PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp")


@cache
def prompt() -> str:
    """What every model in an open step is told first."""
    return files("agents.planner").joinpath("prompts/open_step.md").read_text(encoding="utf-8")


def specs(step: OpenStep, toolbox: Toolbox, names: ToolNames) -> tuple[ToolSpec, ...]:
    """The tools of the step, with the arguments that the model fills in and no others, and its two ways out."""
    reason: dict[str, JsonValue] = {
        "type": "object",
        "properties": {"reason": {"type": "string"}},
        "required": ["reason"],
    }
    return (
        *(_spec(one, toolbox, names) for one in step.tools),
        ToolSpec(
            name=FINISH,
            description="End the step with what was found out.",
            parameters=step.leaves.model_json_schema(),
        ),
        ToolSpec(name=GIVE_UP, description="End the step: a person has to go on.", parameters=reason),
    )


def _spec(one: OpenTool, toolbox: Toolbox, names: ToolNames) -> ToolSpec:
    tool = toolbox.get(one.tool)
    assert tool is not None, "the procedure was compiled with this toolbox"
    schema: dict[str, Any] = tool.input_model.model_json_schema()
    properties = {name: dict(about) for name, about in schema.get("properties", {}).items() if name in one.holes}
    for name, hole in one.holes.items():
        if hole.one_of:
            properties[name]["enum"] = list(hole.one_of)
    required = [name for name in schema.get("required", []) if name in one.holes]
    parameters: dict[str, Any] = {**schema, "properties": properties, "required": required}
    return ToolSpec(name=names.shown(one.tool), description=tool.description, parameters=parameters)


def known(now: Progress) -> Mapping[str, Labelled]:
    """What earlier steps left."""
    return {name: value for name, value in now.values.items() if name != "task"}


def opening(now: Progress, step: OpenStep, model: Model, *, heard: int) -> Turn:
    """The goal, what is known, and the requester's first ``heard`` messages.

    The words are quoted as JSON: nothing in them can close what quotes them.
    """
    task, messages = now.work.task, now.work.ticket.requester_messages()[:heard]
    words = list(task.about) or [message.text for message in messages]
    shown = {
        "goal": step.goal,
        "known": {name: value.without_secrets() for name, value in known(now).items()},
        "language": task.language,
        "requester": words,
    }
    return user(as_text(shown), *(_pictures(now, heard) if model.abilities.images else ()))


def as_text(value: Mapping[str, Any]) -> str:
    """As JSON, with letters as they are."""
    return json.dumps(value, ensure_ascii=False)


def _pictures(now: Progress, heard: int) -> list[Image]:
    """The pictures among the requester's attachments, the newest last."""
    found = []
    for message in now.work.ticket.requester_messages()[:heard]:
        for attachment in message.attachments:
            if attachment.sha256 and attachment.media_type in _PICTURES:
                try:
                    data = now.caller.context.evidence_store.get(attachment.sha256)
                except EvidenceMissing:
                    continue
                found.append(Image(data_base64=base64.b64encode(data).decode(), media_type=attachment.media_type))
    return found[-MAX_IMAGES:]
