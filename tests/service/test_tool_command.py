"""``settle tool new``, ``check`` and ``try``: from nothing to a tested tool, and nothing done by accident."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from service.cli import app
from service.deployment import load_deployment
from service.starter import make_deployment
from tests.agents.testing.plugin_runs import run_pytest


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    return make_deployment(tmp_path / "desk", "desk").deployment


def settle_tool(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["tool", *map(str, arguments)], catch_exceptions=False)


def new(desk: Path, *arguments: str) -> Result:
    return settle_tool("new", *arguments, "--deployment", desk)


def test_a_new_tool_is_listed_sound_and_tested_at_once(desk: Path) -> None:
    before = tomllib.loads((desk / "settle.toml").read_text())
    for name, effect in (("vouchers.find", "read"), ("mails.send", "write"), ("refunds.pay", "irreversible")):
        made = new(desk, name, "--effect", effect)
        assert (made.exit_code, "settle.toml" in made.stdout) == (0, True), made.output
    toolbox = load_deployment(desk).toolbox
    made_tools = [toolbox.get(name) for name in ("vouchers.find", "mails.send", "refunds.pay")]
    assert [one.effect.value for one in made_tools if one] == ["read", "write", "irreversible"]
    after = tomllib.loads((desk / "settle.toml").read_text())
    added = ["tools/vouchers.py", "tools/mails.py", "tools/refunds.py"]
    assert after["tools"]["modules"] == before["tools"]["modules"] + added
    assert after["tools"]["settings"].items() >= before["tools"]["settings"].items()
    checked = json.loads(settle_tool("check", desk, "--strict", "--json").stdout)
    assert (checked["ok"], checked["problems"], checked["warnings"]) == (True, [], [])
    done = run_pytest(desk)
    assert "13 passed" in done.stdout, done.stdout
    assert (desk / "pytest.ini").is_file()
    for file, old, wrong in (("vouchers", '"email": email', '"mail": email'), ("refunds", '={"order_id"}', "=set()")):
        path = desk / "tools" / f"{file}.py"
        path.write_text(path.read_text().replace(old, wrong))
    broken = run_pytest(desk)
    assert "FAILED tests/test_vouchers.py" in broken.stdout
    assert "FAILED tests/test_refunds.py::test_the_order_comes_from_the_record" in broken.stdout
    assert "FAILED tests/test_mails.py" not in broken.stdout


@pytest.mark.parametrize("name", ["vouchers", "Vouchers.find", "a.b.c", "class.find", "http.get", "../a.b", "a."])
def test_a_name_that_is_none_is_refused_and_nothing_written(desk: Path, name: str) -> None:
    before = {path: path.read_bytes() for path in desk.rglob("*") if path.is_file()}
    refused = new(desk, name)
    assert refused.exit_code == 2
    assert "choose another" in refused.stderr or "write FILE.FUNCTION" in refused.stderr
    assert {path: path.read_bytes() for path in desk.rglob("*") if path.is_file()} == before


def test_nothing_is_written_over(desk: Path, tmp_path: Path) -> None:
    refused = new(desk, "bookings.more")
    assert (refused.exit_code, "tools/bookings.py exist already" in refused.stderr) == (2, True)
    assert not (desk / "tests").exists()
    assert settle_tool("new", "a.b", "--deployment", tmp_path).exit_code == 2


@pytest.mark.parametrize(
    "old, new_text, added",
    [
        ('modules = ["tools/bookings.py"]', 'modules = [\n  "tools/bookings.py",\n]', True),
        ('modules = ["tools/bookings.py"]', "modules = []", True),
        ('modules = ["tools/bookings.py"]', "'modules' = ['tools/bookings.py']", False),
        ('runtime = "durable"', 'runtime = """\nmodules = []\n"""', False),
        ('runtime = "durable"', "modules = []", False),
        ('["tools/bookings.py"]', '["tools/bookings.py"  # ours\n]', False),
        ("[tools.settings]", '[tools.settings]\nvouchers_url = "mine"', False),
    ],
)
def test_settings_are_changed_only_where_that_is_sure(desk: Path, old: str, new_text: str, added: bool) -> None:
    file = desk / "settle.toml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new_text))
    before = file.read_text()
    made = new(desk, "vouchers.find")
    assert made.exit_code == 0
    assert (file.read_text() != before) is added
    assert ('modules = [..., "tools/vouchers.py"]' in made.stdout) is not added
    if added:
        assert "tools/vouchers.py" in tomllib.loads(file.read_text())["tools"]["modules"]


BAD = '''
from pydantic import BaseModel
from agents import ToolContext, tool

class Out(BaseModel):
    ok: bool

@tool(effect="write", outputs={"okay": "system"})
async def one(ctx: ToolContext, order_id: str) -> Out:
    """One."""

@tool(effect="read")
async def two(ctx: ToolContext, order_id) -> Out:
    """Two."""

@tool(effect="read")
async def three(ctx: ToolContext, email: str) -> Out:
    """Three."""
'''


def test_everything_wrong_is_listed_with_its_line_and_what_to_add(desk: Path) -> None:
    (desk / "tools/odd.py").write_text(BAD)
    found = settle_tool("check", desk / "tools/odd.py")
    assert found.exit_code == 1
    first, second, *_ = found.stdout.splitlines()
    assert f"{desk / 'tools/odd.py'}:8: tool one: " in first
    for part in (
        'add sinks={"order_id"}',
        "async def find_one(ctx: ToolContext, order_id: str) -> Out | None:",
        "'okay'",
    ):
        assert part in first
    assert f"{desk / 'tools/odd.py'}:12: tool two: parameter order_id has no type" in second
    listed = settle_tool("check", desk)
    assert (listed.exit_code, "does not list tools/odd.py" in listed.stdout) == (0, True)
    assert settle_tool("check", desk, "--strict").exit_code == 1
    (desk / "tools/odd.py").write_text(BAD[: BAD.index("@tool")] + BAD[BAD.rindex("@tool") :])
    doubted = settle_tool("check", desk / "tools/odd.py")
    assert doubted.exit_code == 0
    assert "odd.py:8: tool odd.three: nothing says whose records come back" in doubted.stdout
    assert settle_tool("check", desk / "tools/odd.py", "--strict").exit_code == 1


def test_tools_can_be_checked_while_other_things_are_wrong(desk: Path, tmp_path: Path) -> None:
    (desk / "procedures/cancel-booking.yaml").write_text("nonsense: [")
    assert settle_tool("check", desk).exit_code == 0
    (desk / "settle.toml").write_text("nonsense")
    wrong = settle_tool("check", desk)
    assert (wrong.exit_code, "not TOML" in wrong.stdout) == (1, True)
    assert settle_tool("check", tmp_path).exit_code == 2


def test_a_tool_that_reads_is_called_and_its_labels_are_shown(desk: Path) -> None:
    tried = settle_tool(
        "try", "bookings.find", "--arg", "email=mira@example.com", "--no-browser", "--deployment", desk, "--json"
    )
    assert tried.exit_code == 0, tried.output
    answer = {one["path"]: one for one in json.loads(tried.stdout)["answer"]}
    assert answer["items[0].id"] == {
        "path": "items[0].id",
        "value": "40003",
        "vouched_by": "system",
        "told": "mira@example.com",
    }
    shown = settle_tool("try", "bookings.find", "--arg", "email=mira@example.com", "--no-browser", "--deployment", desk)
    assert "items[1].id" in shown.stdout


PARCEL = '''
from pydantic import BaseModel
from agents import Money, ToolContext, ToolFailed, tool

class Parcel(BaseModel):
    place: str
    pin: str
    limit: Money
    days: list[int]

WHO = {"": "requester", "pin": "nobody", "place": "anyone", "limit": "staff"}

@tool(effect="read", outputs={"": "system"}, readers=WHO)
async def track(ctx: ToolContext, number: str, limit: Money, days: int = 2) -> Parcel:
    """Where a parcel is."""
    if number == "0":
        raise ToolFailed("no such parcel")
    ctx.keep(b"x", media_type="text/plain", label="label of the parcel")
    return Parcel(place=f"customs {ctx.requester_email}", pin="4711", limit=limit, days=list(range(days)))
'''


def test_arguments_are_text_or_json_and_secrets_stay_hidden(desk: Path) -> None:
    (desk / "tools/parcels.py").write_text(PARCEL)
    file = desk / "settle.toml"
    file.write_text(file.read_text().replace('["tools/bookings.py"]', '["tools/bookings.py", "tools/parcels.py"]'))
    money = '--arg=limit={"minor": 100, "currency": "USD"}'
    options = ("--no-browser", "--deployment", str(desk))
    tried = settle_tool("try", "parcels.track", "--arg", "number=1", money, "--arg", "days=5", *options)
    assert tried.exit_code == 0, tried.output
    rows = [line.split() for line in tried.stdout.splitlines()]
    assert ["place", "customs", "requester@example.com", "system", "anyone"] in rows
    assert ["pin", "[withheld]", "system", "nobody"] in rows
    assert ["limit.minor", "100", "system", "staff"] in rows
    assert ["days[2]", "2", "system", "requester@example.com"] in rows
    assert ["days[3]", "2", "more", "system", "requester@example.com"] in rows
    assert "4711" not in tried.stdout
    assert "evidence: label of the parcel (text/plain)" in tried.stdout
    failed = settle_tool("try", "parcels.track", "--arg", "number=0", money, *options)
    assert (failed.exit_code, failed.stderr) == (1, "parcels.track failed: no such parcel\n")
    for arguments, message in (
        (("parcels.trak",), "did you mean 'parcels.track'"),
        (("parcels.track", "--arg", "nmber=1"), "did you mean 'number'"),
        (("parcels.track", "--arg", "number=1", "--arg", "limit=much"), "argument limit"),
        (("parcels.track", "--arg", "number"), "is not NAME=VALUE"),
        (("conversation.reply", "--arg", "text=hello", "--rehearse"), "writes to requesters"),
        (("bookings.cancel", "--arg", "booking_id=40003"), "has an effect (irreversible)"),
    ):
        refused = settle_tool("try", *arguments, *options)
        assert (refused.exit_code, message in refused.stderr) == (2, True), refused.output


def test_an_effect_is_made_up_and_never_made(desk: Path) -> None:
    options = ("--no-browser", "--deployment", desk)
    tried = settle_tool("try", "bookings.cancel", "--arg", "booking_id=40003", "--rehearse", *options)
    assert (tried.exit_code, "was not called" in tried.stdout) == (0, True)
    read = settle_tool("try", "bookings.find", "--arg", "email=mira@example.com", "--json", *options)
    answer = {one["path"]: one["value"] for one in json.loads(read.stdout)["answer"]}
    assert answer["items[0].status"] == "booked"
