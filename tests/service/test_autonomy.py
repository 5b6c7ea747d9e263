"""Copilot, agent, coworker: who sends a reply and allows an effect, and whose work is charged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import JsonValue

from agents.documents import read_document
from agents.policy.approval import Approval, ApprovalState
from tests.examples.running import running as back_office
from tests.service.retail_desk import BROKEN, Office, RetailDesk, desk_at_work, sign

BILLS_DRAFTS = "bills: [copilot, agent, coworker]\n"


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    database = tmp_path_factory.mktemp("office") / "back_office.db"
    with back_office(database) as process:
        yield Office(url=process.url, database=database)


def settings(autonomy: str, contract: str = "") -> Callable[[Path], None]:
    def edit(deployment: Path) -> None:
        path = deployment / "settle.toml"
        path.write_text(f'autonomy = "{autonomy}"\n{path.read_text(encoding="utf-8")}', encoding="utf-8")
        terms = deployment / "contracts" / "acme-2026.yaml"
        terms.write_text(terms.read_text(encoding="utf-8") + contract, encoding="utf-8")

    return edit


def asked(desk: RetailDesk) -> list[Approval]:
    return [one for one in desk.approvals("T-1") if one.state is ApprovalState.PENDING]


async def sends_all(desk: RetailDesk) -> list[str]:
    """A person says yes to whatever is asked, until nothing is; the tools in the order in which they were asked for."""
    tools = []
    while waiting := asked(desk):
        for one in waiting:
            tools.append(one.tool)
            await desk.run.desk.answer_approval(one.id, approved=True, by="lead")
        await desk.run.desk.idle()
    return tools


@pytest.mark.parametrize("terms, ends", [("", "rejected"), (BILLS_DRAFTS, "verified")])
async def test_a_copilot_drafts_a_person_sends_and_only_the_contract_may_charge_it(
    tmp_path: Path, office: Office, terms: str, ends: str
) -> None:
    order = office.order("ann@example.com")
    async with desk_at_work(tmp_path, office, edit=settings("copilot", terms), signed=False) as desk:
        sign(desk.run, read_document(desk.run.deployment.folder / "contracts" / "acme-2026.yaml"))
        await desk.asks("T-1", "ann@example.com", BROKEN.format(order=order))
        assert (await desk.replies("T-1"), office.refunds(order)) == ([], [])
        assert await sends_all(desk) == ["back_office.refund", "conversation.reply"]
        assert office.refunds(order) == [3490]
        assert "refunded" in (await desk.replies("T-1"))[0]
        state, code, _ = desk.outcome("T-1")
        assert (state, code) == (ends, "autonomy_not_billed" if ends == "rejected" else "proof_passed")


async def test_a_person_may_change_what_a_copilot_drafted(tmp_path: Path, office: Office) -> None:
    order = office.order("ann@example.com", status="shipped")
    async with desk_at_work(tmp_path, office, edit=settings("copilot")) as desk:
        await desk.asks("T-1", "ann@example.com", f"Where is my order {order}? When will it arrive?")
        (draft,) = asked(desk)
        assert "on its way" in str(draft.args["text"])
        words: dict[str, JsonValue] = {"text": "It is in Leipzig, Ann."}
        await desk.run.desk.answer_approval(draft.id, approved=True, by="lead", modified_args=words)
        await desk.run.desk.idle()
        assert await desk.replies("T-1") == ["It is in Leipzig, Ann."]


@pytest.mark.parametrize("autonomy", ["agent", "coworker"])
async def test_others_act_and_ask_for_what_the_procedure_names(tmp_path: Path, office: Office, autonomy: str) -> None:
    small, large = office.order("ann@example.com"), office.order("ann@example.com", total=25000)
    async with desk_at_work(tmp_path, office, edit=settings(autonomy)) as desk:
        await desk.asks("T-2", "ann@example.com", BROKEN.format(order=small))
        assert office.refunds(small) == [3490]
        assert desk.outcome("T-2")[0] == "verified"
        await desk.asks("T-1", "ann@example.com", BROKEN.format(order=large))
        assert [one.tool for one in asked(desk)] == ["back_office.refund"]


async def test_a_procedure_may_say_otherwise_than_the_deployment(tmp_path: Path, office: Office) -> None:
    def edit(deployment: Path) -> None:
        path = deployment / "procedures" / "where-is-my-order.yaml"
        path.write_text(path.read_text(encoding="utf-8") + "autonomy: copilot\n", encoding="utf-8")

    order = office.order("ann@example.com", status="shipped")
    async with desk_at_work(tmp_path, office, edit=edit) as desk:
        await desk.asks("T-1", "ann@example.com", f"Where is my order {order}? When will it arrive?")
        assert [one.tool for one in asked(desk)] == ["conversation.reply"]
