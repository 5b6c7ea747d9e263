"""Procedures: a tenant's written way to resolve one kind of Task, checked as a whole and compiled to a Plan.

Everything that can be known when the file is loaded is checked then: tools and their arguments, replies and their
places, every path and every expression (tried on sample records made from the tools' output models).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import regex
from pydantic import BaseModel, ConfigDict, create_model

from agents.canonical import fingerprint
from agents.documents import Source, load_model, nearest, read_document
from agents.errors import ExpressionError, InvalidDocument, PathError, Problem, ToolFailed
from agents.expressions import Expression
from agents.paths import Template, resolve
from agents.planner.plan import (
    HandOff,
    Input,
    OpenStep,
    OpenTool,
    Otherwise,
    Outline,
    Plan,
    ReplyStep,
    RequireStep,
    SelectStep,
    Step,
    ToolStep,
    model_label,
    said_by,
    task_values,
)
from agents.planner.procedure_document import InputDocument, OutlineDocument, ProcedureDocument, StepDocument, Triggers
from agents.planner.replies import Replies
from agents.planner.samples import sample
from agents.policy.grant import Hole
from agents.policy.labels import PLAN, Label, Labelled
from agents.tools.tool import Tool
from agents.tools.toolbox import Toolbox

_RESERVED = frozenset({"task", "inputs", "it"})
_KINDS = ("tool", "open", "select", "require", "reply")
_LEAVES: dict[str, Any] = {"text": str, "integer": int, "boolean": bool}
_Field = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Procedure:
    """A loaded procedure: what triggers it, and the plan it compiles to."""

    name: str
    version: int
    triggers: Triggers
    plan: Plan

    @property
    def outcomes(self) -> frozenset[str]:
        """Every outcome type that a run of it may claim."""
        return frozenset(self.plan.claims())


def load_procedures(folder: Path, toolbox: Toolbox, replies: Replies) -> tuple[Procedure, ...]:
    """Every ``*.yaml`` of ``folder``; all of them are sound or none is used (`InvalidDocument`)."""
    procedures, problems = read_procedures(folder, toolbox, replies)
    if problems:
        raise InvalidDocument(problems)
    return procedures


def read_procedures(
    folder: Path, toolbox: Toolbox, replies: Replies, outcomes: Mapping[str, str] | None = None
) -> tuple[tuple[Procedure, ...], list[Problem]]:
    """The sound procedures of ``folder``, and everything wrong with the others.

    Args:
        outcomes: outcome type to kind of subject (empty if unknown), as the contract has them; None if it is unread.
    """
    procedures: list[Procedure] = []
    problems: list[Problem] = []
    otherwise: list[str] = []
    for path in sorted(folder.glob("*.yaml")):
        try:
            procedures.append(compile_procedure(read_document(path), toolbox, replies, outcomes))
        except InvalidDocument as error:
            problems += error.problems
            continue
        if procedures[-1].triggers.otherwise:
            otherwise.append(path.name)
    if len(otherwise) > 1:
        message = f"{' and '.join(otherwise)} have it; at most one procedure is for messages that none fits"
        problems.append(Problem(file=str(folder), line=None, field="triggers.otherwise", message=message))
    names = [procedure.name for procedure in procedures]
    problems += [
        Problem(file=str(folder), line=None, field="procedure", message=f"{name!r} is the name of two files")
        for name in sorted({name for name in names if names.count(name) > 1})
    ]
    return tuple(procedures), problems


def compile_procedure(
    source: Source, toolbox: Toolbox, replies: Replies, outcomes: Mapping[str, str] | None = None
) -> Procedure:
    """Check a parsed procedure and compile its plan; ``outcomes`` as for `read_procedures`.

    Raises:
        InvalidDocument: everything wrong with it; with no problem in it, the file of a tool that it needs is unread.
    """
    document = load_model(source, ProcedureDocument)
    return _Compiler(source, document, toolbox, replies, outcomes).compile()


class _Compiler:
    """Compiles one document; collects problems instead of stopping at the first."""

    def __init__(
        self,
        source: Source,
        document: ProcedureDocument,
        toolbox: Toolbox,
        replies: Replies,
        outcomes: Mapping[str, str] | None,
    ) -> None:
        self._source = source
        self._document = document
        self._toolbox = toolbox
        self._replies = replies
        self._outcomes = outcomes
        self._unknown: set[str] = set()
        """Steps that leave nobody knows what: what reads them cannot be checked, and is no problem of its own."""
        self._problems: list[Problem] = []
        self._taken = set(_RESERVED)
        names = dict.fromkeys(document.inputs, "10001")
        self._samples: dict[str, Labelled] = {
            "task": task_values(TASK_SAMPLE, SOMEONE),
            "inputs": Labelled(data=dict(names), label=said_by(SOMEONE)),
        }

    def compile(self) -> Procedure:
        document = self._document
        inputs = tuple(self._input(name, one) for name, one in document.inputs.items())
        steps = tuple(self._step(index, step) for index, step in enumerate(document.steps))
        outline = None if document.plan is None else self._outline(document.plan)
        subject = self._template(document.subject, ("subject",))
        if not re.fullmatch(r"[a-z_]+:.+", document.subject):
            self._wrong(("subject",), "say what kind of record it is about, for example order:${order.id}")
        else:
            self._known_outcome(document.outcome, ("outcome",))
        if self._problems or self._unknown:
            raise InvalidDocument(self._problems)
        plan = Plan(
            procedure=f"{document.procedure}@{document.version}",
            sha256=fingerprint(document),
            outcome=document.outcome,
            subject=_sure(subject),
            inputs=tuple(_sure(one) for one in inputs),
            steps=tuple(_sure(step) for step in steps),
            outline=outline,
            autonomy=document.autonomy,
        )
        return Procedure(name=document.procedure, version=document.version, triggers=document.triggers, plan=plan)

    def _outline(self, document: OutlineDocument) -> Outline:
        tools = [self._open_tool(("plan", "tools", name), name, given) for name, given in document.tools.items()]
        for index, name in enumerate(document.replies):
            if name not in self._replies.names():
                self._wrong(
                    ("plan", "replies", index), f"no reply is called {name!r}; {nearest(name, self._replies.names())}"
                )
        return Outline(
            goal=document.goal,
            tools=tuple(one for one in tools if one is not None),
            replies=document.replies,
            max_steps=document.steps,
            replans=document.replans,
        )

    def _input(self, name: str, document: InputDocument) -> Input | None:
        self._known_reply(document.ask, ("inputs", name, "ask"), {})
        try:
            pattern = regex.compile(document.pattern)
        except regex.error as error:
            self._wrong(("inputs", name, "pattern"), f"not a regular expression: {error}")
            return None
        if pattern.groups != 1:
            self._wrong(("inputs", name, "pattern"), f"needs exactly one group, the value; it has {pattern.groups}")
            return None
        return Input(name=name, pattern=pattern, ask=document.ask)

    def _step(self, index: int, step: StepDocument) -> Step | None:
        field: _Field = ("steps", index)
        kinds = [kind for kind in _KINDS if getattr(step, kind) is not None]
        if len(kinds) != 1:
            self._wrong(
                field, f"a step has exactly one of {', '.join(_KINDS)}; this one has {', '.join(kinds) or 'none'}"
            )
            return None
        if step.id in self._taken:
            self._wrong((*field, "id"), f"{step.id!r} is taken; every step needs a name of its own")
        self._taken.add(step.id)
        for name in sorted(name for name in step.model_fields_set if getattr(step, name) is None):
            shown = StepDocument.model_fields[name].alias or name
            self._wrong((*field, shown), "is empty; fill it in or leave it out")
        allowed = {
            "tool": {"tool", "args", "approve", "when"},
            "open": {"open", "agent", "tools", "leaves", "answers", "approve"},
            "select": {"select", "otherwise"},
            "require": {"require", "otherwise"},
            "reply": {"reply", "values", "when"},
        }[kinds[0]]
        for name in sorted(step.model_fields_set - allowed - {"id"}):
            shown = StepDocument.model_fields[name].alias or name
            self._wrong((*field, shown), f"does not go with a {kinds[0]} step")
        return getattr(self, f"_{kinds[0]}")(field, step)  # type: ignore[no-any-return]

    def _tool(self, field: _Field, step: StepDocument) -> ToolStep | None:
        name = str(step.tool)
        tool = self._toolbox.get(name)
        if tool is None:
            if name.partition(".")[0] not in self._toolbox.unread:
                hint = nearest(name, self._toolbox.names())
                self._wrong((*field, "tool"), f"no tool is called {name!r}; {hint}")
            self._unknown.add(step.id)
            return None
        args = {name: self._template(text, (*field, "args", name)) for name, text in step.args.items()}
        self._check_args(field, tool, args)
        result = ToolStep(
            id=step.id,
            tool=tool.name,
            args={name: template for name, template in args.items() if template is not None},
            approve=self._expression(step.approve, (*field, "approve")),
            when=self._expression(step.when, (*field, "when")),
        )
        self._samples[step.id] = self._sample_of(tool, args, step.id)
        return result

    def _sample_of(self, tool: Tool, args: Mapping[str, Template | None], step: str) -> Labelled:
        """What the tool may answer, with the labels that the answer will have."""
        try:
            filled = {name: template.fill(self._samples) for name, template in args.items() if template is not None}
            return tool.labelled(sample(tool.output_model), step=step, args=filled, requester=SOMEONE)
        except (PathError, LookupError):  # the argument it needs is wrong, which is a problem of its own
            return Labelled(data=sample(tool.output_model), label=PLAN)

    def _check_args(self, field: _Field, tool: Tool, args: Mapping[str, Template | None]) -> None:
        known = tool.input_model.model_fields
        for name in args:
            if name not in known:
                self._wrong((*field, "args", name), f"{tool.name} has no argument {name!r}; {nearest(name, known)}")
        for name, info in known.items():
            if info.is_required() and name not in args and args.keys() <= known.keys():
                self._wrong((*field, "args"), f"{tool.name} needs the argument {name!r}")
        if self._problems or any(template is None for template in args.values()):
            return
        try:
            tool.check_args({name: _sure(template).fill(self._samples).data for name, template in args.items()})
        except ToolFailed as error:
            if "should be a valid" in str(error):
                self._wrong((*field, "args"), f"{error}; the path carries another type")

    def _open(self, field: _Field, step: StepDocument) -> OpenStep:
        shown = [said_by(SOMEONE)]
        tools = []
        for name, given in step.tools.items():
            one = self._open_tool((*field, "tools", name), name, given)
            if one is not None:
                tools.append(one)
                shown.append(self._shown_by(one))
        if not step.leaves:
            self._wrong((*field, "leaves"), "say what the model has to find out, for example leaves: {reason: text}")
        leaves = {
            name: (_LEAVES[kind] if isinstance(kind, str) else Literal[kind], ...) for name, kind in step.leaves.items()
        }
        model: type[BaseModel] = create_model(f"{step.id}_leaves", __config__=ConfigDict(extra="forbid"), **leaves)  # type: ignore[call-overload]
        self._samples[step.id] = Labelled(data=sample(model), label=model_label(shown, step.id))
        return OpenStep(
            id=step.id,
            goal=str(step.open),
            agent=step.agent or "",
            tools=tuple(tools),
            leaves=model,
            max_answers=step.answers,
            approve=self._expression(step.approve, (*field, "approve")),
        )

    def _open_tool(self, field: _Field, name: str, given: Mapping[str, str | tuple[str, ...]]) -> OpenTool | None:
        tool = self._toolbox.get(name)
        if tool is None:
            if name.partition(".")[0] not in self._toolbox.unread:
                self._wrong(field, f"no tool is called {name!r}; {nearest(name, self._toolbox.names())}")
            return None
        known = tool.input_model.model_fields
        for argument in sorted(given.keys() - known.keys()):
            self._wrong((*field, argument), f"{tool.name} has no argument {argument!r}; {nearest(argument, known)}")
        texts = {argument: text for argument, text in given.items() if isinstance(text, str)}
        args = {argument: self._template(text, (*field, argument)) for argument, text in texts.items()}
        if tool.owned_by is not None and tool.owned_by not in args:
            self._wrong(field, f'say whose records it reads: {{{tool.owned_by}: "${{task.requester.email}}"}}')
            return None
        if tool.told == "anyone" and known.keys() - given.keys():
            free = ", ".join(sorted(known.keys() - given.keys()))
            self._wrong(field, f"tells strangers what it is asked: fill in {free}, or list what a model may choose")
            return None
        choices = {argument: tuple(text) for argument, text in given.items() if not isinstance(text, str)}
        return OpenTool(
            tool=tool.name,
            args={argument: template for argument, template in args.items() if template is not None},
            holes={argument: Hole(one_of=choices.get(argument, ())) for argument in known if argument not in args},
        )

    def _shown_by(self, one: OpenTool) -> Label:
        """The label of what the tool may show the model."""
        tool = _sure(self._toolbox.get(one.tool))
        args = {name: template.fill(self._samples) for name, template in one.args.items()}
        args |= {name: Labelled(data=None, label=model_label([said_by(SOMEONE)], "")) for name in one.holes}
        label: Label = tool.labelled(
            sample(tool.output_model), step=one.tool, args=args, requester=SOMEONE
        ).shown_label()
        return label

    def _select(self, field: _Field, step: StepDocument) -> SelectStep | None:
        document = _sure(step.select)
        end = self._otherwise(step, field)
        field = (*field, "select")
        template = self._template(document.source, (*field, "from"))
        if template is None or len(template.parts) != 1 or isinstance(template.parts[0], str):
            if template is not None:
                self._wrong((*field, "from"), "is one path, for example ${orders.items}")
            self._unknown.add(step.id)
            return None
        source = resolve(template.parts[0], self._samples)
        if not isinstance(source.data, list) or not source.data:
            self._wrong((*field, "from"), "is not a list; name one that a tool returns, for example ${orders.items}")
            self._unknown.add(step.id)
            return None
        picked = source.at((0,))
        where = self._expression(document.where, (*field, "where"), it=picked.data)
        self._samples[step.id] = picked
        if where is None:
            return None
        return SelectStep(id=step.id, source=template.parts[0], where=where, otherwise=end)

    def _require(self, field: _Field, step: StepDocument) -> RequireStep | None:
        condition = self._expression(step.require, (*field, "require"))
        end = self._otherwise(step, field)
        return None if condition is None else RequireStep(id=step.id, condition=condition, otherwise=end)

    def _reply(self, field: _Field, step: StepDocument) -> ReplyStep | None:
        values = {name: self._template(text, (*field, "with", name)) for name, text in step.values.items()}
        self._known_reply(str(step.reply), (*field, "reply"), values)
        for name, template in values.items():
            if template is not None and not self._for_requester(template):
                message = (
                    f"{template.source} is not for the requester; if they may be told, say so where the tool is "
                    'declared: readers={"": "requester"}, or owned_by the argument that names them'
                )
                self._wrong((*field, "with", name), message)
        return ReplyStep(
            id=step.id,
            reply=str(step.reply),
            values={name: template for name, template in values.items() if template is not None},
            when=self._expression(step.when, (*field, "when")),
        )

    def _for_requester(self, template: Template) -> bool:
        known = all(path[0] not in self._unknown for path in template.paths())
        return not known or template.fill(self._samples).weakest().for_eyes_of(SOMEONE)

    def _otherwise(self, step: StepDocument, field: _Field) -> Otherwise | HandOff | None:
        end = step.otherwise
        if end is None:
            return None
        if end.reply is None:
            return HandOff(code=_sure(end.hand_off))
        self._known_reply(end.reply, (*field, "else", "reply"), {})
        if end.outcome is not None:
            self._known_outcome(end.outcome, (*field, "else", "outcome"))
        return Otherwise(reply=end.reply, outcome=end.outcome)

    def _known_reply(self, name: str, field: _Field, values: Mapping[str, Any]) -> None:
        if name not in self._replies.names():
            self._wrong(field, f"no reply is called {name!r}; {nearest(name, self._replies.names())}")
            return
        for place in sorted(self._replies.places(name) - values.keys()):
            self._wrong(field, f"the reply {name} wants ${{{place}}}, and nothing here fills it")

    def _known_outcome(self, name: str, field: _Field) -> None:
        if self._outcomes is None:
            return
        if name not in self._outcomes:
            self._wrong(field, f"the contract has no outcome {name!r}; {nearest(name, self._outcomes)}")
        elif self._document.plan is None and self._outcomes[name] not in (
            "",
            kind := self._document.subject.partition(":")[0],
        ):
            message = f"the contract says it is about {self._outcomes[name]}, and `subject` says {kind}; use one word"
            self._wrong(field, message)

    def _template(self, text: str, field: _Field) -> Template | None:
        try:
            template = Template.compile(text)
            if any(path[0] in self._unknown for path in template.paths()):
                return None
            template.fill(self._samples)
        except PathError as error:
            known = nearest(error.at, self._samples) if error.at == error.path.split(".")[0] else ""
            self._wrong(field, f"{error}{'; ' + known if known else ''}")
            return None
        return template

    def _expression(self, text: str | None, field: _Field, **extra: Any) -> Expression | None:
        if text is None:
            return None
        values = {name: value.data for name, value in self._samples.items()} | extra
        try:
            expression = Expression(text)
            if expression.names & self._unknown or not self._known_paths(expression, values, field):
                return None
            expression(values)
        except ExpressionError as error:
            self._wrong(field, str(error))
            return None
        return expression

    def _known_paths(self, expression: Expression, values: Mapping[str, Any], field: _Field) -> bool:
        """Check every path, also those that a trial does not reach: ``false && order.misspelled`` has an answer."""
        before = len(self._problems)
        for path in sorted(expression.paths):
            record = values
            for name in path:
                if isinstance(record, Mapping) and record and name not in record:
                    self._wrong(field, f"`{expression.source}`: there is no {'.'.join(path)}; {nearest(name, record)}")
                    break
                record = record[name] if isinstance(record, Mapping) and name in record else {}
        return len(self._problems) == before

    def _wrong(self, field: _Field, message: str) -> None:
        self._problems.append(self._source.problem(field, message))


SOMEONE = "someone@example.com"
TASK_SAMPLE: dict[str, Any] = {
    "id": "task-1",
    "ticket_id": "T-1",
    "subject": "Hello",
    "words": "Hello, I have a question.",
    "language": "en",
    "requester": {"email": SOMEONE, "name": "Someone"},
}
"""What ``task.`` offers to procedures, filled with sample values."""


def _sure(value: Any) -> Any:
    assert value is not None, "only reached when no problem was found"
    return value
