"""Plans written by a model: what it is shown, and how its answer becomes a plan or a list of what is wrong with it.

The answer goes through the same compiler as a procedure that a person wrote, and has to keep to the outline's bounds.
Its literals carry the label of everything that the model was shown.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Any

from pydantic import JsonValue

from agents.documents import parse_document
from agents.errors import InvalidDocument, Problem
from agents.models.messages import ModelRequest, OutputSchema, Turn, user
from agents.planner.plan import FREE, OpenStep, Outline, Plan, ReplyStep, ToolStep
from agents.planner.procedure import compile_procedure
from agents.planner.procedure_document import StepDocument
from agents.planner.replies import Replies
from agents.planner.samples import sample
from agents.policy.grant import Filled, Fixed, Source
from agents.policy.labels import Label
from agents.tools.toolbox import Toolbox

MAX_PLAN = 64 * 1024
"""Characters of a plan."""
_PLAN_TOKENS = 8192
_FILE = "the plan"


@cache
def prompt() -> str:
    """What every planner is told first."""
    return files("agents.planner").joinpath("prompts/plan.md").read_text(encoding="utf-8")


def request(history: Sequence[Turn]) -> ModelRequest:
    """Ask for a plan."""
    schema: dict[str, JsonValue] = {
        "type": "object",
        "properties": {
            "subject": {"type": "string"},
            "steps": {"type": "array", "items": {"$ref": "#/$defs/StepDocument"}},
        },
        "required": ["subject", "steps"],
        "$defs": _definitions(),
    }
    return ModelRequest(
        system=prompt(),
        messages=tuple(history),
        max_output_tokens=_PLAN_TOKENS,
        output=OutputSchema(name="plan", schema=schema),
        effort="high",
    )


def opening(outline: Outline, toolbox: Toolbox, replies: Replies, task: Mapping[str, JsonValue]) -> Turn:
    """The goal, the tools with what they answer, the replies with their places, and the task; as JSON."""
    shown = {
        "goal": outline.goal,
        "tools": [_tool(one.tool, one.sources(), toolbox) for one in outline.tools],
        "replies": [{"name": name, "places": sorted(replies.places(name))} for name in outline.replies],
        "steps": f"at most {outline.max_steps}",
        "task": task,
    }
    return user(json.dumps(shown, ensure_ascii=False))


def read_plan(text: str, plan: Plan, toolbox: Toolbox, replies: Replies, author: Label) -> Plan:
    """The plan that a model wrote for the outline of ``plan``.

    Raises:
        InvalidDocument: everything wrong with it. Tools beyond the outline's bounds are no problem here: a person may
            allow them.
    """
    outline = plan.outline
    assert outline is not None, "only outlines are planned for"
    name, _, version = plan.procedure.partition("@")
    if len(text) > MAX_PLAN:
        raise InvalidDocument([_problem("", f"is longer than {MAX_PLAN} characters")])
    try:
        written = json.loads(text[text.find("{") : text.rfind("}") + 1])
    except ValueError:
        raise InvalidDocument([_problem("", "is not one JSON object")]) from None
    head = {"procedure": name, "version": version, "outcome": plan.outcome, "triggers": {"otherwise": "true"}}
    body = {key: value for key, value in written.items() if key in ("subject", "steps")}
    source = parse_document(json.dumps({**head, "subject": "", "steps": [], **body}, ensure_ascii=False), _FILE)
    made = compile_procedure(source, toolbox, replies).plan
    problems = list(_unbounded(made, outline))
    if problems:
        raise InvalidDocument(problems)
    return replace(made, author=author, sha256=plan.sha256, autonomy=plan.autonomy)


def _unbounded(made: Plan, outline: Outline) -> list[Problem]:
    """Where a plan does not keep to what its outline says."""
    found = [
        _problem(place, "is fixed; repeat it exactly as it is shown")
        for place in outline.bounds().against(made.slots())
    ]
    if any(isinstance(step, OpenStep) and step.agent for step in made.steps):
        found.append(_problem("agent", "is not yours to choose"))
    named = {step.tool for step in made.steps if isinstance(step, ToolStep)}
    named |= {one.tool for step in made.steps if isinstance(step, OpenStep) for one in step.tools}
    found += [_problem("tool", f"{name} is none that a step may name") for name in sorted(named & FREE)]
    if len(made.steps) > outline.max_steps:
        found.append(_problem("steps", f"are {len(made.steps)}; at most {outline.max_steps} are allowed"))
    for name in sorted(made.replies() - set(outline.replies)):
        found.append(_problem("reply", f"{name!r} is none of {', '.join(outline.replies)}"))
    if made.claims() - {made.outcome}:
        found.append(_problem("else", "may name a reply, and claims no outcome"))
    if not any(isinstance(step, ReplyStep) for step in made.steps) and len(made.steps) > 1:
        found.append(_problem("steps", "end without a reply to the requester"))
    return found


def _tool(name: str, sources: Mapping[str, Source], toolbox: Toolbox) -> dict[str, Any]:
    tool = toolbox.get(name)
    assert tool is not None, "the outline was compiled with this toolbox"
    fixed = {
        one: source.template if isinstance(source, Filled) else str(source.value)
        for one, source in sources.items()
        if isinstance(source, Filled | Fixed)
    }
    return {
        "name": name,
        "description": tool.description,
        "effect": tool.effect.value,
        "arguments": tool.input_model.model_json_schema().get("properties", {}),
        "fixed": fixed,
        "answers": sample(tool.output_model),
    }


def _definitions() -> dict[str, JsonValue]:
    schema: dict[str, Any] = StepDocument.model_json_schema(by_alias=True)
    inner = schema.pop("$defs", {})
    return {**inner, "StepDocument": schema}


def _problem(field: str, message: str) -> Problem:
    return Problem(file=_FILE, line=None, field=field, message=message)
