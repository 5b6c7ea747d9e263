"""The connector of docs/connectors.md: what stands on the page is this file, and it passes the table."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fakes.acorn_server import TOKEN, AcornServer
from tests.fakes.faulty_proxy import FaultyProxy
from tests.helpdesks.acorn_desk import AcornDesk
from tests.helpdesks.scenarios import ANN, FAULTS, SCENARIOS, Scenario, name_of

PAGE = Path(__file__).parents[2] / "docs" / "connectors.md"
CONNECTOR = Path(__file__).with_name("acorn_desk.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class AcornStage:
    """`tests.helpdesks.scenarios.Stage` on the imaginary desk."""

    server: AcornServer
    helpdesk: AcornDesk
    proxy: FaultyProxy

    async def opens(self, text: str, *, subject: str = "Broken mug", file: bytes = b"") -> str:
        return self.server.open(text, subject=subject, email=ANN, file=file)

    async def asks(self, ticket_id: str, text: str) -> None:
        self.server.write(ticket_id, text, by="customer")

    async def answers(self, ticket_id: str, text: str, *, public: bool = True) -> None:
        self.server.write(ticket_id, text, by="human", private=not public)

    async def merges(self, ticket_id: str, *, into: str) -> None:
        self.server.join(ticket_id, to=into)

    async def shown(self, ticket_id: str) -> list[str]:
        entries = self.server.conversations[int(ticket_id)]["entries"]
        return [one["body"] for one in entries if not one["private"]]


@pytest.fixture
async def stage() -> AsyncIterator[AcornStage]:
    server = AcornServer()
    async with FaultyProxy("http://acorn.example", server.transport) as proxy:
        helpdesk = AcornDesk(tenant="acme", url=proxy.url, token=TOKEN, pause=0.01)
        yield AcornStage(server=server, helpdesk=helpdesk, proxy=proxy)


@pytest.mark.parametrize("scenario", [*SCENARIOS, *FAULTS], ids=name_of)
async def test_scenario(scenario: Scenario, stage: AcornStage) -> None:
    await scenario(stage)


def test_the_page_shows_the_connector_as_it_was_tested() -> None:
    code = CONNECTOR.read_text(encoding="utf-8")
    shown = re.findall(r"```python\n(.*?)```\n", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert code in shown
    assert len(code.splitlines()) <= 150
