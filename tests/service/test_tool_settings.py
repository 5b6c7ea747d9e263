"""``[tools.http]``, ``[tools.openapi.NAME]`` and ``[tools.mcp.NAME]`` of a deployment, and accepting a server."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from agents import tables
from service.cli import app
from service.cli.books import open_books
from service.deployment import load_deployment, make_state, read_deployment
from service.lint import lint
from service.settings import Secrets
from service.starter import SAMPLES, make_deployment
from tests.fakes import mcp_server
from tests.fakes.refund_api import DOCUMENT
from tests.service.builders import settle


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    return make_deployment(tmp_path / "desk", "desk").deployment


def add(desk: Path, text: str) -> int:
    """Append to settle.toml; returns the line on which ``text`` begins."""
    path = desk / "settle.toml"
    before = path.read_text()
    path.write_text(f"{before}\n{text}")
    return before.count("\n") + 2


def test_hosts_bring_the_tool_that_reads_them(desk: Path) -> None:
    assert load_deployment(desk).toolbox.get("http.get") is None
    add(desk, '[tools.http]\nhosts = ["status.example.com"]\nallow_private = ["crm.internal"]\n')
    deployment = load_deployment(desk)
    assert deployment.toolbox.get("http.get") is not None
    rules = deployment.settings.tools.http.rules
    assert rules.hosts == frozenset({"status.example.com"})
    assert rules.allow_private == frozenset({"crm.internal"})


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ('hosts = ["https://status.example.com/"]', "tools.http.hosts[0]"),
        ('allow_http = ["Status.example.com"]', "tools.http.allow_http[0]"),
        ('alow_private = ["crm.internal"]', "tools.http.alow_private"),
    ],
)
def test_a_mistake_has_its_line(desk: Path, line: str, field: str) -> None:
    begin = add(desk, f"[tools.http]\n{line}\n")
    _, problems = read_deployment(desk)
    assert [(one.line, one.field) for one in problems] == [(begin + 1, field)]


API = """
[tools.openapi.shop]
document = "tools/shop.yaml"
url = "https://shop.example/api"
headers = { Authorization = "Bearer ${secret.SHOP_TOKEN}" }

[tools.openapi.shop.operations.getOrder]
effect = "read"

[tools.openapi.shop.operations.createRefund]
effect = "irreversible"
sinks = ["order", "amount"]
key_header = "Idempotency-Key"
lookup = { call = "findRefunds", args = { reference = "${key}" }, answer = "refunds" }
"""
SERVER = f"""
[tools.mcp.crm]
command = ["{{python}}", {json.dumps(mcp_server.__file__)}, "{{state}}"]
environment = {{ CRM_TOKEN = "${{secret.CRM_TOKEN}}" }}

[tools.mcp.crm.tools.find_orders]
effect = "read"

[tools.mcp.crm.tools.refund]
effect = "irreversible"
sinks = ["order"]
key_argument = "reference"
lookup = {{ call = "find_refunds", args = {{ reference = "${{key}}" }}, answer = "found" }}
"""


def wrong(desk: Path) -> list[tuple[int | None, str, str]]:
    """(line, field, message) of every problem."""
    return [(one.line, one.field, one.message) for one in lint(desk).problems]


def test_an_api_makes_tools_and_its_credential_is_filled_in_late(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (desk / "tools/shop.yaml").write_text(DOCUMENT)
    add(desk, API)
    deployment = load_deployment(desk)
    assert {"shop.get_order", "shop.create_refund"} <= set(deployment.toolbox.names())
    monkeypatch.setenv("SHOP_TOKEN", "t0ken")
    secrets = Secrets(desk / "none.json", deployment.settings.secrets.generate)
    urls = {process.name: "http://127.0.0.1:1" for process in deployment.settings.process}
    told = deployment.tool_settings(secrets, urls)
    assert told["openapi.shop.url"] == "https://shop.example/api"
    assert told["openapi.shop.headers.Authorization"] == "Bearer t0ken"


def test_everything_wrong_with_apis_is_listed_with_its_line_and_nothing_is_registered(desk: Path) -> None:
    (desk / "tools/shop.yaml").write_text(DOCUMENT)
    text = API.replace("getOrder]\neffect", "getOrdr]\neffect").replace('effect = "irreversible"\n', "")
    text += '\n[tools.openapi.shop.operations.getTree]\neffect = "read"\n'
    begin = add(desk, text)
    place = "tools.openapi.shop.operations"
    found = wrong(desk)
    assert [(line, field) for line, field, _ in found] == [
        (begin + 6, f"{place}.getOrdr"),
        (begin + 9, f"{place}.createRefund"),
        (begin + 14, f"{place}.getTree"),
    ]
    assert "did you mean 'getOrder'?" in found[0][2]
    assert 'effect = "irreversible"' in found[1][2]
    assert "contains itself" in found[2][2]
    _, problems = read_deployment(desk)
    assert len(problems) == 3


@pytest.mark.parametrize(
    ("old", "new", "field", "message"),
    [
        ('"tools/shop.yaml"', '"tools/shp.yaml"', "tools.openapi.shop.document", "cannot be read"),
        ("openapi.shop", "openapi.http", "tools.openapi.http", "is the name of other tools"),
        ("openapi.shop", "openapi.bookings", "tools.openapi.bookings", "is the name of other tools"),
        ("${secret.SHOP", "${secrets.SHOP", "tools.openapi.shop.headers.Authorization", "${secret.NAME}"),
        ("sinks", "snks", "tools.openapi.shop.operations.createRefund.snks", "did you mean 'sinks'?"),
    ],
)
def test_a_mistake_about_an_api_has_its_line(desk: Path, old: str, new: str, field: str, message: str) -> None:
    (desk / "tools/shop.yaml").write_text(DOCUMENT)
    add(desk, API.replace(old, new))
    (found, *more) = wrong(desk)
    assert (found[1], message in found[2], more) == (field, True, []), found
    assert found[0] is not None


@pytest.mark.parametrize(
    ("old", "new", "field", "message"),
    [
        ("command =", "url = 'https://x.example'\ncommand =", "tools.mcp.crm", "either a command or a url"),
        ("{state}", "{stat}", "tools.mcp.crm.command", "did you mean 'state'?"),
        ("${secret.CRM", "${secrets.CRM", "tools.mcp.crm.environment.CRM_TOKEN", "${secret.NAME}"),
        ("", "", "tools.mcp.crm", "settle tool accept crm"),
    ],
)
def test_a_mistake_about_a_server_has_its_line(desk: Path, old: str, new: str, field: str, message: str) -> None:
    add(desk, SERVER.replace(old, new) if old else SERVER)
    found = wrong(desk)
    assert [(field, True)] == [(one[1], message in one[2]) for one in found if "nobody has" not in one[2] or not old]
    assert all(line is not None for line, _, _ in found)


async def test_a_server_is_accepted_once_and_again_when_it_changes(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add(desk, SERVER)
    monkeypatch.setenv("CRM_TOKEN", "t0ken")
    state = make_state(desk / ".settle", desk)

    def accept(*more: str, answer: str = "y\n") -> Result:
        arguments = ["tool", "accept", "crm", "--deployment", str(desk), *more]
        return CliRunner().invoke(app, arguments, input=answer, catch_exceptions=False)

    refused = await asyncio.to_thread(accept, answer="n\n")
    assert (refused.exit_code, (desk / "mcp.lock.json").exists()) == (1, False)
    first = await asyncio.to_thread(accept)
    assert (first.exit_code, "refund is new" in first.stdout) == (0, True), first.stdout
    assert {"crm.find_orders", "crm.refund"} <= set(load_deployment(desk).toolbox.names())
    assert "says what was accepted" in (await asyncio.to_thread(accept)).stdout
    procedure = desk / "procedures/when-is-my-booking.yaml"
    step = '  - {id: bought, tool: crm.find_orders, args: {email: "${task.requester.email}"}}\n  - {id: reply,'
    procedure.write_text(procedure.read_text().replace("  - {id: reply,", step))
    worked = await asyncio.to_thread(settle, "run", SAMPLES, "--no-browser", "--json", cwd=desk)
    assert worked.returncode == 0, worked.stderr
    told = {one["ticket"]: one["verdict"] for one in json.loads(worked.stdout)["tickets"]}
    assert told["S-2"] == "passed"
    with open_books(state.folder) as books, books.database.transaction() as session:
        receipts = tables.receipts_of_task(session, books.tenant, "S-2:task-1")
    found = [one.result for one in receipts if one.tool == "crm.find_orders"]
    assert found == [{"items": [{"id": "1", "total": "12.1", "note": None}]}]
    (state.folder / "mode").write_text("changed")
    again = await asyncio.to_thread(accept, "--yes")
    assert "refund description: Refund an order. became Refund an order, and mail the ledger" in again.stdout
    assert (state.folder / "starts").read_text().count("\n") == 5


def test_a_server_that_nobody_declared_cannot_be_accepted(desk: Path) -> None:
    add(desk, SERVER)
    found = CliRunner().invoke(app, ["tool", "accept", "crn", "--deployment", str(desk)])
    assert found.exit_code == 2
    assert "did you mean 'crm'?" in found.output
