"""Procedures: a sound file compiles, and every mistake in one is named with its place."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel, computed_field

from agents import Money, Toolbox, ToolContext, tool
from agents.documents import parse_document
from agents.errors import InvalidDocument
from agents.planner import Procedure, load_procedures
from agents.planner.plan import RequireStep, SelectStep, ToolStep
from agents.planner.procedure import compile_procedure
from agents.planner.samples import sample
from agents.policy.grant import Filled
from agents.tools import reply
from tests.agents.builders import REFUND, REPLIES, Shop

TOOLBOX = Toolbox([*Shop().tools(), reply])


def compiled(text: str) -> Procedure:
    return compile_procedure(parse_document(text, "p.yaml"), TOOLBOX, REPLIES)


def problems(text: str) -> list[tuple[int | None, str, str]]:
    with pytest.raises(InvalidDocument) as refused:
        compiled(text)
    return [(problem.line, problem.field, problem.message) for problem in refused.value.problems]


def test_a_sound_one_compiles_to_a_plan_that_grants_what_it_needs_and_no_more() -> None:
    made = compiled(REFUND)
    assert (made.name, made.version, made.plan.procedure) == ("refund", 3, "refund@3")
    assert made.outcomes == {"refund_issued", "refused_correctly"}
    assert [type(step) for step in made.plan.steps][:4] == [ToolStep, SelectStep, RequireStep, ToolStep]
    rendered = {"text": Filled("reply")}
    assert [(slot.step, slot.tool, slot.args, slot.max_calls) for slot in made.plan.slots()] == [
        ("orders", "shop.find", {"email": Filled("${task.requester.email}")}, 1),
        ("order.else", reply.name, rendered, 1),
        ("fresh.else", reply.name, rendered, 1),
        ("refund", "shop.refund", {"order_id": Filled("${order.id}"), "amount": Filled("${order.total}")}, 1),
        ("reply", reply.name, rendered, 1),
        ("ask.order_id", reply.name, rendered, 1),
    ]


def test_the_fingerprint_changes_with_the_text_and_not_with_its_layout() -> None:
    same = compiled(REFUND.replace("version: 3", "version:   3   # three")).plan.sha256
    assert same == compiled(REFUND).plan.sha256
    assert compiled(REFUND.replace("version: 3", "version: 4")).plan.sha256 != same


@pytest.mark.parametrize(
    "old, new, line, field, message",
    [
        ("shop.refund,", "shop.refnd,", 11, "steps[3].tool", "did you mean 'shop.refund'?"),
        ('{order_id: "${order.id}",', '{oder_id: "${order.id}",', 11, "steps[3].args.oder_id", "'order_id'"),
        ('{order_id: "${order.id}",', "{", 11, "steps[3].args", "needs the argument 'order_id'"),
        (
            'amount: "${order.total}"}}\n  - {id: reply',
            'amount: "${order.id}"}}\n  - {id: reply',
            11,
            "steps[3].args",
            "amount",
        ),
        ("reply: done", "reply: doen", 12, "steps[4].reply", "no reply is called 'doen'; did you mean 'done'?"),
        ("reply: too-late,", "reply: to-late,", 10, "steps[2].else.reply", "did you mean 'too-late'?"),
        ("ask: which-order", "ask: witch-order", 5, "inputs.order_id.ask", "did you mean 'which-order'?"),
        (', with: {amount: "${order.total}"}', "", 12, "steps[4].reply", "wants ${amount}"),
        ("reply: not-found", "reply: done", 9, "steps[1].else.reply", "wants ${amount}"),
        ("#?(\\\\d{5})", "(", 5, "inputs.order_id.pattern", "not a regular expression"),
        ("#?(\\\\d{5})", "(a)(b)", 5, "inputs.order_id.pattern", "it has 2"),
        ("#?(\\\\d{5})", "a", 5, "inputs.order_id.pattern", "it has 0"),
        ("task.requester.email", "task.requester.mail", 8, "steps[0].args.email", "there is no 'mail'"),
        ('"${orders.items}"', '"${oders.items}"', 9, "steps[1].select.from", "did you mean 'orders'?"),
        ('"${orders.items}"', '"${task.subject}"', 9, "steps[1].select.from", "is not a list"),
        ('"${orders.items}"', '"orders ${orders.items}"', 9, "steps[1].select.from", ""),
        ("order.refunded_minor ==", "oder.refunded_minor ==", 10, "steps[2].require", "did you mean 'order'?"),
        ("order.refunded_minor ==", "order.refundd_minor ==", 10, "steps[2].require", ""),
        ("order.refunded_minor ==", "false && order.refundd_minor ==", 10, "steps[2].require", "'refunded_minor'?"),
        ("order.refunded_minor == 0", "order.refunded_minor", 10, "steps[2].require", "not yes or no"),
        ("order.refunded_minor == 0", "order.id > 3", 10, "steps[2].require", "undetermined"),
        ("order.refunded_minor == 0", "order.refunded_minor ==", 10, "steps[2].require", "not an expression"),
        ("it.id ==", "it.di ==", 9, "steps[1].select.where", ""),
        ("id: refund, ", 'id: refund, require: "true", ', 11, "steps[3]", "this one has tool, require"),
        ("reply: done, with", "with", 12, "steps[4]", "this one has none"),
        ("id: refund,", "id: order,", 11, "steps[3].id", "'order' is taken"),
        ("id: reply,", "id: fresh,", 12, "steps[4].id", "'fresh' is taken"),
        ("id: orders,", "id: task,", 8, "steps[0].id", "'task' is taken"),
        ("id: reply, ", 'id: reply, approve: "true", ', 12, "steps[4].approve", "does not go with a reply step"),
        ("id: fresh, ", 'id: fresh, when: "true", ', 10, "steps[2].when", "does not go with a require step"),
        ("id: refund, ", "id: refund, approve: , ", 11, "steps[3].approve", "is empty"),
        ("id: refund, ", "id: refund, when: ~, ", 11, "steps[3].when", "is empty"),
        ("order:${order.id}", "${order.id}", 6, "subject", "for example order:"),
        ("order:${order.id}", "order:${order.nr}", 6, "subject", "there is no 'nr'"),
        ("version: 3", "version: three", 2, "version", "valid integer"),
        ("version: 3", "version: 0", 2, "version", "greater than"),
        ("outcome: refund_issued", "outcome: Refund issued", 3, "outcome", "pattern"),
        ("triggers:", "trigers:", 4, "trigers", "did you mean 'triggers'?"),
        ('where: "it.id', 'exactly: 2, where: "it.id', 9, "steps[1].select.exactly", "less than"),
    ],
)
def test_every_mistake_has_its_place(old: str, new: str, line: int, field: str, message: str) -> None:
    assert REFUND.count(old) == 1
    found = problems(REFUND.replace(old, new))
    assert any(each[:2] == (line, field) and message in each[2] for each in found), found


def test_several_mistakes_are_listed_together() -> None:
    text = REFUND.replace("shop.refund,", "shop.refnd,").replace("reply: done", "reply: doen").replace("(\\\\d{5})", "")
    assert {field for _, field, _ in problems(text)} == {"steps[3].tool", "steps[4].reply", "inputs.order_id.pattern"}


def test_one_bad_file_and_nothing_of_the_folder_is_used(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(REFUND)
    assert [one.name for one in load_procedures(tmp_path, TOOLBOX, REPLIES)] == ["refund"]
    (tmp_path / "b.yaml").write_text("procedure: b\n")
    (tmp_path / "c.yaml").write_bytes(b"\xff")
    with pytest.raises(InvalidDocument) as refused:
        load_procedures(tmp_path, TOOLBOX, REPLIES)
    assert {Path(problem.file).name for problem in refused.value.problems} == {"b.yaml", "c.yaml"}


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / f"{name}.yaml").write_text(REFUND)
    with pytest.raises(InvalidDocument, match="'refund' is the name of two files"):
        load_procedures(tmp_path, TOOLBOX, REPLIES)


def test_one_procedure_may_be_for_what_none_fits(tmp_path: Path) -> None:
    likes = "{like: [refund please, my mug arrived broken]}"
    anything = REFUND.replace(likes, "{otherwise: true}")
    (tmp_path / "a.yaml").write_text(anything)
    (tmp_path / "b.yaml").write_text(REFUND.replace("procedure: refund", "procedure: other"))
    assert [one.triggers.otherwise for one in load_procedures(tmp_path, TOOLBOX, REPLIES)] == [True, False]
    (tmp_path / "c.yaml").write_text(anything.replace("procedure: refund", "procedure: third"))
    with pytest.raises(InvalidDocument, match=r"triggers.otherwise: a.yaml and c.yaml have it; at most one"):
        load_procedures(tmp_path, TOOLBOX, REPLIES)


@pytest.mark.parametrize("triggers", ["{}", "{like: []}", "{unlike: [where is it]}", "{otherwise: false}"])
def test_without_examples_nothing_can_choose_it(triggers: str) -> None:
    found = problems(REFUND.replace("{like: [refund please, my mug arrived broken]}", triggers))
    assert [(line, field) for line, field, _ in found] == [(4, "triggers")]
    assert "needs `like` lines" in found[0][2]


def test_an_empty_or_strange_document_is_refused() -> None:
    for text in ("", "[]", "a", "procedure:\n", "steps: {}", REFUND + "steps: []\n"):
        assert problems(text)


class Node(BaseModel):
    """A record that holds records of its own kind."""

    name: str
    children: list[Node] = []
    parent: Node | None = None
    price: Money | None = None
    weight: float = 1.5

    @computed_field
    def shout(self) -> str:
        """Derived."""
        return self.name.upper()


def test_samples_end_and_fill_what_a_tool_would_send() -> None:
    made = sample(Node)
    assert made == {
        "name": "text",
        "children": [],
        "parent": None,
        "price": {"minor": 100, "currency": "USD"},
        "weight": 1.5,
        "shout": "text",
    }
    assert made.keys() == Node(name="a").model_dump(mode="json").keys()


def test_a_float_is_refused_when_the_expression_is_loaded() -> None:
    @tool(effect="read", name="tree.root")
    async def root(ctx: ToolContext) -> Node:
        raise NotImplementedError

    text = REFUND.partition("steps:")[0].replace("order:${order.id}", "node:x")
    text += 'steps:\n  - {id: root, tool: tree.root}\n  - {id: light, require: "root.weight < 2.0"}\n'
    with pytest.raises(InvalidDocument, match="float"):
        compile_procedure(parse_document(text, "p.yaml"), Toolbox([root]), REPLIES)
