"""A procedure from plans that worked: what the requester's words gave becomes an input.

    proposal = lift("cancel-without-a-number", [written, ...], ask="which-order")

What cannot be lifted (a value that a model worked out, and nobody's words or records gave) is an error that names it:
such a plan keeps needing its model.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from agents.errors import AgentsError

MAX_LIKE = 240
"""Characters of one example of how requesters put it."""
_QUOTED = re.compile(r"'([^'\\]{1,80})'|\"([^\"\\]{1,80})\"")
_WORDS = re.compile(r"[^\W_]+(?:[-#][^\W_]+)*")


class CannotLift(AgentsError):
    """Plans cannot become a procedure; the message says what stands in the way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenPlan:
    """A plan that a model wrote, taken to its end in a run whose claim was proven."""

    run_id: str
    ticket_id: str
    words: tuple[str, ...]
    """What the requester wrote themselves, the subject line first."""
    steps: tuple[Mapping[str, Any], ...]
    subject: str
    outcome: str
    leaves: Mapping[str, Mapping[str, Any]]
    """By open step: what the model found out."""


def shape(plan: WrittenPlan) -> str:
    """The same for plans that do the same with other values; `CannotLift` where a value came from the model alone."""
    return plan.outcome + _lift(plan).shape()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lifted:
    steps: tuple[Mapping[str, Any], ...]
    subject: str
    inputs: Mapping[str, str]
    """By name: the value in this run."""

    def shape(self) -> str:
        """The same for plans that do the same with other values."""
        return json.dumps([self.steps, self.subject, sorted(self.inputs)], sort_keys=True)


def lift(name: str, plans: Sequence[WrittenPlan], *, ask: str, changing: Collection[str]) -> str:
    """The text of a procedure that does what ``plans`` did, for a person to read and accept.

    Args:
        name: of the procedure.
        plans: of verified runs; they have to do the same, each with its own values.
        ask: the reply that asks for an input that the requester's words lack.
        changing: the tools that change something: a person is asked first, as one was for the model's plan, until
            whoever accepts the procedure says otherwise.

    Raises:
        CannotLift: a value came from nowhere but the model, or the plans differ.
    """
    if not plans:
        raise CannotLift("there is no verified run whose plan a model wrote")
    lifted = [_lift(plan) for plan in plans]
    for plan, one in zip(plans, lifted, strict=True):
        if one.shape() != lifted[0].shape() or plan.outcome != plans[0].outcome:
            raise CannotLift(f"{plan.run_id} does something else than {plans[0].run_id}; propose them apart")
    first = lifted[0]
    inputs = {
        one: {"pattern": _pattern([each.inputs[one] for each in lifted]), "ask": ask} for one in sorted(first.inputs)
    }
    document: dict[str, Any] = {
        "procedure": name,
        "version": 1,
        "outcome": plans[0].outcome,
        "triggers": {"like": list(dict.fromkeys(_like(plan.words) for plan in plans))},
        **({"inputs": inputs} if inputs else {}),
        "subject": first.subject,
        "steps": [{**step, **({"approve": "true"} if step.get("tool") in changing else {})} for step in first.steps],
    }
    head = [
        "# Proposed from runs whose claims were proven. Read it as if a new colleague had written it: what it changes,",
        "# under which conditions, and whether a person should be asked first (`approve`). It was written by a model.",
        *(f"# - {plan.run_id} (ticket {plan.ticket_id})" for plan in plans),
    ]
    body = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=110)
    return "\n".join(head) + "\n" + body


def _lift(plan: WrittenPlan) -> _Lifted:
    said = {word.casefold(): word for text in plan.words for word in _WORDS.findall(text)}
    inputs: dict[str, str] = {}
    renamed = dict(_found_out(plan, said, inputs))
    steps = [_renamed(step, renamed) for step in plan.steps if "open" not in step]
    taken = {str(step["id"]) for step in plan.steps} | {"task", "inputs", "it"}

    def as_input(value: str, hint: str) -> str:
        """The name of the input that gives ``value``."""
        for known, given in inputs.items():
            if given == value:
                return known
        name = hint if hint not in taken else f"{hint}_given"
        while name in inputs:
            name += "_too"
        inputs[name] = value
        return name

    lifted = [dict(_with_inputs(step, said, as_input)) for step in steps]
    return _Lifted(steps=tuple(lifted), subject=plan.subject, inputs=inputs)


def _found_out(plan: WrittenPlan, said: Mapping[str, str], inputs: dict[str, str]) -> Iterator[tuple[str, str]]:
    """(path of a leaf, path that gives it without a model) for every open step."""
    for step in plan.steps:
        if "open" not in step:
            continue
        for leaf, value in plan.leaves.get(str(step["id"]), {}).items():
            used = any(f"{step['id']}.{leaf}" in json.dumps(other) for other in plan.steps if other is not step)
            if not used and f"{step['id']}.{leaf}" not in plan.subject:
                continue
            if not isinstance(value, str) or said.get(value.casefold()) is None or not _telling(value):
                raise CannotLift(
                    f"{plan.run_id}: {leaf!r} of step {step['id']} is {value!r}, which a model worked out and the "
                    "requester did not write; such tickets keep needing a model"
                )
            inputs[leaf] = value
            yield f"{step['id']}.{leaf}", f"inputs.{leaf}"


def _with_inputs(step: Mapping[str, Any], said: Mapping[str, str], as_input: Any) -> Iterator[tuple[str, Any]]:
    """The step with inputs in the place of what the requester's words gave."""

    def in_condition(text: str, hint: str) -> str:
        def lifted(found: re.Match[str]) -> str:
            value = found[1] or found[2]
            if not _telling(value) or value.casefold() not in said:
                return found[0]
            return f"inputs.{as_input(value, hint)}"

        return _QUOTED.sub(lifted, text)

    for key, value in step.items():
        if key in ("require", "when"):
            yield key, in_condition(value, "number")
        elif key == "select":
            yield key, {**value, "where": in_condition(value["where"], f"{step['id']}_id")}
        elif key in ("args", "with"):
            yield (
                key,
                {
                    name: f"${{inputs.{as_input(text, name)}}}" if _telling(text) and text.casefold() in said else text
                    for name, text in value.items()
                },
            )
        else:
            yield key, value


def _renamed(step: Mapping[str, Any], paths: Mapping[str, str]) -> dict[str, Any]:
    """The step reading from ``paths`` what it read from an open step."""
    text = json.dumps(step)
    for old, new in paths.items():
        text = re.sub(rf"(?<![\w.]){re.escape(old)}(?!\w)", new, text)
    renamed: dict[str, Any] = json.loads(text)
    return renamed


def _telling(value: str) -> bool:
    """True for a number or code: words of a language are no values to look for in other tickets."""
    return any(letter.isdigit() for letter in value) and _WORDS.fullmatch(value) is not None


def _pattern(values: Iterable[str]) -> str:
    """A pattern of which every value is an example: digits and letters in the same places."""
    shapes = {"".join("0" if one.isdigit() else "A" if one.isalpha() else one for one in value) for value in values}
    alternatives = "|".join(sorted(_shape(shape) for shape in shapes))
    return rf"(?<![\w-])({alternatives})(?![\w-])"


def _shape(shape: str) -> str:
    kinds = {"0": r"\d", "A": "[A-Za-z]"}
    parts = re.findall(r"(0+|A+|[^0A]+)", shape)
    return "".join(f"{kinds[part[0]]}{{{len(part)}}}" if part[0] in kinds else re.escape(part) for part in parts)


def _like(words: Sequence[str]) -> str:
    """How the requester put it, in one line."""
    return " ".join(" ".join(words[:2]).split())[:MAX_LIKE]
