"""The command line as people and programs use it."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from service.assembly import running
from service.cli import app
from service.cli.commands import COMMANDS
from service.cli.output import short, shown
from service.deployment import make_state, open_state
from tests.service.builders import ROOT, deployment_in, example_tickets, settle

DAY = 86_400
OUTCOME_KEYS = {"ticket", "outcome_type", "state", "reason", "evidence_class", "amount_minor", "currency"}


def command(*arguments: str | Path) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)


def data(*arguments: str | Path) -> Any:
    """What a command prints for programs."""
    result = command(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def write_tickets(file: Path, *rows: object) -> Path:
    """A file of JSON lines; text is written as it is."""
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


@contextmanager
def later(state: Path, days: int) -> Iterator[None]:
    """The state's clock moved ahead."""
    (state / "clock").write_text(str(days * DAY))
    yield


def sign(deployment: Path) -> None:
    """Both sides sign."""
    for side in ("vendor", "customer"):
        result = command("contract", "sign", "--as", side, "--deployment", deployment)
        assert result.exit_code == 0, result.output


class TestHelp:
    """What is printed before anything is loaded."""

    def test_every_command_is_listed(self) -> None:
        result = command("--help")
        assert result.exit_code == 0
        assert all(f" {name} " in result.stdout for name in COMMANDS)

    @pytest.mark.parametrize("name", COMMANDS)
    def test_every_command_has_a_help_of_its_own(self, name: str) -> None:
        result = command(name, "--help")
        assert result.exit_code == 0
        assert "Usage:" in result.stdout
        assert "--install-completion" not in result.stdout

    def test_the_help_loads_nothing_heavy(self, tmp_path: Path) -> None:
        script = (
            "import sys\nfrom service.cli import main\nsys.argv = ['settle', '--help']\n"
            "try:\n    main()\nexcept SystemExit:\n    print('modules:', *sorted(sys.modules))\n"
        )
        (tmp_path / "main.py").write_text(script)
        done = subprocess.run(
            [sys.executable, "main.py"],
            cwd=tmp_path,
            env={"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        )
        loaded = {name.partition(".")[0] for name in done.stdout.rpartition("modules:")[2].split()}
        heavy = {"sqlalchemy", "sqlmodel", "pydantic", "dbos", "playwright", "httpx2", "cryptography", "asyncio"}
        assert "typer" in loaded
        assert not loaded & {*heavy, "agents", "billing", "evaluators"}

    def test_a_slip_of_the_hand_is_understood(self) -> None:
        result = command("outcome")
        assert result.exit_code == 2
        assert "outcomes" in result.stderr

    def test_the_version(self) -> None:
        assert command("--version").stdout.startswith("settle")


class TestErrors:
    """Messages instead of tracebacks, and the exit code 2."""

    @pytest.mark.parametrize("name", ["tickets", "outcomes", "approvals", "invoice"])
    def test_without_a_state(self, name: str, tmp_path: Path) -> None:
        result = command(name, "--state", tmp_path)
        assert result.exit_code == 2
        assert "holds no state" in result.stderr

    def test_without_a_deployment(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        file = write_tickets(tmp_path / "a.jsonl", *example_tickets("T-1001"))
        result = command("run", file)
        assert result.exit_code == 2
        assert "settle.toml" in result.stderr
        assert not (tmp_path / ".settle").exists()

    def test_with_a_broken_document(self, tmp_path: Path) -> None:
        deployment = deployment_in(tmp_path)
        state = make_state(deployment / ".settle", deployment)
        (deployment / "contracts" / "acme-2026.yaml").write_text("contract: [")
        result = command("outcomes", "--state", state.folder)
        assert result.exit_code == 2
        assert "acme-2026.yaml" in result.stderr

    def test_with_a_bad_file_or_address(self, tmp_path: Path) -> None:
        deployment = deployment_in(tmp_path)
        (tmp_path / "none.txt").write_bytes(b"")
        result = command("run", tmp_path / "none.txt", "--deployment", deployment)
        assert (result.exit_code, "0 bytes" in result.stderr) == (2, True)
        result = command("run", tmp_path / "none.txt", "--deployment", deployment, "--from", "nobody")
        assert (result.exit_code, "--from" in result.stderr) == (2, True)

    def test_the_state_of_another_deployment_is_left_alone(self, tmp_path: Path) -> None:
        one, two = deployment_in(tmp_path / "one"), deployment_in(tmp_path / "two")
        state = make_state(tmp_path / "state", one)
        file = write_tickets(tmp_path / "a.jsonl", *example_tickets("T-1001"))
        result = command("run", file, "--deployment", two, "--state", state.folder)
        assert result.exit_code == 2
        assert "another state folder" in result.stderr

    def test_unexpected_errors_stay_visible(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        def broken(*arguments: object) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr("service.cli.books.open_state", broken)
        with pytest.raises(ZeroDivisionError):
            command("tickets", "--state", tmp_path)

    def test_a_state_in_use(self, tmp_path: Path) -> None:
        deployment = deployment_in(tmp_path)
        (deployment / "settle.toml").write_text((deployment / "settle.toml").read_text().replace("durable", "inline"))
        file = write_tickets(tmp_path / "a.jsonl", *example_tickets("T-1001"))

        async def work() -> None:
            async with running(make_state(deployment / ".settle", deployment), browser=False):
                done = await asyncio.to_thread(settle, "run", file, "--no-browser", cwd=deployment)
            assert done.returncode == 2
            assert "another settle process" in done.stderr
            assert "Traceback" not in done.stderr

        asyncio.run(work())


class TestContract:
    """Two signatures, and what stands between them."""

    def test_it_is_kept_with_both_signatures(self, tmp_path: Path) -> None:
        deployment = deployment_in(tmp_path)
        state = deployment / ".settle"
        first = command("contract", "sign", "--as", "vendor", "--deployment", deployment)
        assert first.exit_code == 0
        assert "customer has to sign too" in first.stdout
        assert (state / "contract.json").is_file()
        assert data("contract", "show", "--state", state)["signed"]["customer"] is None
        signed = data("contract", "sign", "--as", "customer", "--state", state)
        assert signed["kept"]
        assert not (state / "contract.json").exists()
        again = data("contract", "sign", "--as", "customer", "--state", state)
        assert again["signed"] == signed["signed"]
        table = command("contract", "show", "--state", state).stdout
        assert "in force for tickets opened from" in table
        assert "0.99 USD" in table
        key = make_state(state, deployment).key("customer")
        assert key.public_key in table

    def test_changed_terms_need_new_signatures_and_then_a_new_version(self, tmp_path: Path) -> None:
        deployment = deployment_in(tmp_path)
        file = deployment / "contracts" / "acme-2026.yaml"
        command("contract", "sign", "--as", "vendor", "--deployment", deployment)
        file.write_text(file.read_text(encoding="utf-8").replace('"0.99"', '"1.99"'), encoding="utf-8")
        changed = data("contract", "sign", "--as", "customer", "--deployment", deployment)
        assert changed["signed"]["vendor"] is None
        command("contract", "sign", "--as", "vendor", "--deployment", deployment)
        file.write_text(file.read_text(encoding="utf-8").replace('"1.99"', '"2.99"'), encoding="utf-8")
        result = command("contract", "sign", "--as", "vendor", "--deployment", deployment)
        assert result.exit_code == 2
        assert "new version" in result.stderr

    def test_a_key_of_ones_own(self, tmp_path: Path) -> None:
        deployment = deployment_in(tmp_path)
        key = tmp_path / "customer.key"
        sign_customer = ("contract", "sign", "--as", "customer", "--key", key, "--deployment", deployment)
        assert command(*sign_customer).exit_code == 2
        assert not key.exists()
        key.write_bytes(b"too short")
        assert "key" in command(*sign_customer).stderr
        key.write_bytes(bytes(range(32)))
        assert command(*sign_customer).exit_code == 0
        result = command("contract", "sign", "--as", "vendor", "--key", key, "--deployment", deployment)
        assert result.exit_code == 2
        assert "bundles" in result.stderr

    def test_one_key_cannot_sign_for_both(self, tmp_path: Path) -> None:
        deployment = deployment_in(tmp_path)
        command("contract", "sign", "--as", "vendor", "--deployment", deployment)
        keys = deployment / ".settle" / "keys"
        shutil.copy(keys / "vendor.key", keys / "customer.key")
        result = command("contract", "sign", "--as", "customer", "--deployment", deployment)
        assert result.exit_code == 2
        assert "a key each" in result.stderr


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    deployment = deployment_in(tmp_path_factory.mktemp("day"))
    sign(deployment)
    return deployment


@pytest.fixture(scope="module")
def first(deployment: Path) -> Any:
    """The report on a file with three sound tickets, three odd ones, and two rows that are refused."""
    emma = {"email": "emma.collins@example.com"}
    file = write_tickets(
        deployment.parent / "tickets.jsonl",
        *example_tickets("T-1001", "T-1008", "T-1002"),
        {"id": "empty", "requester": emma, "messages": [""]},
        {"id": "long", "requester": emma, "text": "boats " * 200_000},
        {
            "id": "odd",
            **emma,
            "subject": "\x1b[31mHello\x00",
            "text": "[bold]\ud800\x07 I want a boat.\u202e",
        },
        {"id": "nobody", "text": "Where is my order 11874?"},
        "{broken",
    )
    done = settle("run", file, "--no-browser", "--json", cwd=deployment)
    assert done.returncode == 1, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def approved(first: Any, deployment: Path) -> str:
    """The table after the approval that one ticket waited for."""
    state = deployment / ".settle"
    (approval,) = data("approvals", "--state", state)
    assert approval["ticket_id"] == "T-1008"
    assert '"amount": "338.00 USD"' in command("approvals", "--state", state).stdout
    for wrong, said in (("9 dollars", "amount='9.00 USD'"), ("0.999 USD", "finer than the minor unit")):
        refused = command("approve", approval["id"], "--modify", f"amount={wrong}", "--state", state)
        assert (refused.exit_code, said in refused.stderr) == (2, True), refused.stderr
    done = settle("approve", approval["id"], "--by", "Ada", "--note", "seen", "--no-browser", cwd=deployment)
    assert done.returncode == 0, done.stderr
    assert "done: back_office.refund" in done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def settled(approved: str, deployment: Path) -> str:
    """What is printed when a file comes in after the settlement windows."""
    text = deployment.parent / "mail.txt"
    text.write_text("Wholesale?\n\nDo you sell to hotels?\n")
    with later(deployment / ".settle", 4):
        done = settle("run", text, "--from", "Mia@Example.com", "--no-browser", cwd=deployment)
    assert done.returncode == 0, done.stderr
    assert "T-1001      settled" in done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def bundle(settled: str, deployment: Path) -> Path:
    """The bundle of the month's invoice."""
    with later(deployment / ".settle", 40):
        result = command("invoice", "--close", "--state", deployment / ".settle")
    assert "Issued: INV-0001" in result.stdout
    return deployment / ".settle" / "invoices" / "INV-0001"


class TestDay:
    """A file of tickets from the first word to the invoice, in processes of their own."""

    def test_sound_rows_are_worked_on_and_the_others_listed(self, first: Any) -> None:
        ends = {line["ticket"]: line["outcome"] and line["outcome"]["state"] for line in first["tickets"]}
        assert ends == {
            "T-1001": "verified", "T-1008": None, "T-1002": "verified",
            "empty": "escalated", "long": "escalated", "odd": "escalated",
        }  # fmt: skip
        refused = [problem["row"] for problem in first["problems"] if not problem["kept"]]
        assert refused == [7, 8]
        assert any("100,000" in problem["message"] for problem in first["problems"])
        (hint,) = first["hints"]
        assert hint.startswith("T-1008 waits for approval: settle approve ")

    def test_an_approval_lets_the_ticket_go_on(self, approved: str, deployment: Path) -> None:
        assert "refund issued" in approved
        state = deployment / ".settle"
        assert data("approvals", "--state", state) == []
        waited = command("approve", "none", "--state", state)
        assert (waited.exit_code, "settle approvals" in waited.stderr) == (2, True)

    def test_the_same_tickets_again_are_not_worked_on_again(self, settled: str, deployment: Path) -> None:
        before = data("outcomes", "--state", deployment / ".settle")
        changed = {**example_tickets("T-1002")[0], "messages": ["Something else."]}
        file = write_tickets(deployment.parent / "again.jsonl", *example_tickets("T-1001"), changed)
        done = settle("run", file, "--no-browser", cwd=deployment)
        assert done.returncode == 1
        assert "T-1002 was opened before with other words" in done.stdout
        assert data("outcomes", "--state", deployment / ".settle") == before

    def test_outcomes_for_programs(self, settled: str, deployment: Path) -> None:
        lines = data("outcomes", "--state", deployment / ".settle")
        assert all(set(line) >= OUTCOME_KEYS for line in lines)
        charged = {line["ticket"]: line["amount_minor"] for line in lines if line["amount_minor"]}
        assert charged == {"T-1001": 99, "T-1008": 99, "T-1002": 29}
        (mail,) = (line for line in lines if line["ticket"].startswith("t-"))
        assert (mail["state"], mail["amount_minor"]) == ("escalated", 0)
        assert {line["currency"] for line in lines} == {"USD"}

    def test_tables_are_whole_when_nobody_watches(self, settled: str, deployment: Path) -> None:
        for name in ("tickets", "outcomes"):
            table = command(name, "--state", deployment / ".settle").stdout
            assert "…" not in table
            assert all(line["ticket"] in table for line in data(name, "--state", deployment / ".settle"))
        assert "Charged now: 2.27 USD" in command("outcomes", "--state", deployment / ".settle").stdout

    def test_nothing_that_strangers_write_reaches_the_terminal_raw(self, settled: str, deployment: Path) -> None:
        state = deployment / ".settle"
        for arguments in (("tickets",), ("runs", "show", "T-1001"), ("runs", "show", "odd")):
            printed = command(*arguments, "--state", state).stdout
            assert not set(printed) & {"\x1b", "\x00", "\x07", "\u202e"}
        assert shown("a\x1b[31m\u202eb\nc") == "a\ufffd[31m\ufffdb\nc"
        assert short({"a": ["x" * 300]}, 20) == '{"a": ["xxxxxxxxxxx…'

    def test_a_run_is_shown_step_by_step(self, settled: str, deployment: Path) -> None:
        state = deployment / ".settle"
        (shown,) = data("runs", "show", "T-1001", "--state", state)
        assert [run["procedure"] for run in shown["runs"]] == ["refund-damaged-item@3"]
        kinds = [event["kind"] for event in shown["runs"][0]["events"]]
        assert kinds.index("effect.about_to") < kinds.index("effect.done")
        assert shown["verdict"]["finding"] == "passed"
        assert shown["outcome"]["history"][-1]["after"] in ("settled", "invoiced")
        run_id = shown["runs"][0]["id"]
        text = command("runs", "show", run_id, "--state", state).stdout
        for words in (run_id, "back_office.refund", shown["verdict"]["after"]["sha256"], "proof_passed"):
            assert words in text
        for missing in ("T-0", "T-1001:task-1:run-9"):
            assert command("runs", "show", missing, "--state", state).exit_code == 2
        assert "No run was started" in command("runs", "show", "empty", "--state", state).stdout

    def test_the_invoice_and_its_bundle(self, bundle: Path, deployment: Path) -> None:
        state = deployment / ".settle"
        listed = data("invoice", "--state", state)
        assert [(one["number"], one["total"], one["bundle"]) for one in listed["invoices"]] == [
            ("INV-0001", {"minor": 227, "currency": "USD"}, str(bundle))
        ]
        text = command("invoice", "inv-0001", "--state", state).stdout
        assert "Total: 2.27 USD" in text
        assert f"settle verify-invoice {bundle}" in text
        assert command("invoice", "INV-0002", "--state", state).exit_code == 2
        again = command("invoice", "--close", "--state", state)
        assert "No period is over" in again.stdout

    def test_a_bundle_is_verified_without_state_or_deployment(
        self, bundle: Path, deployment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        keys = {side: open_state(deployment / ".settle").key(side).public_key for side in ("vendor", "customer")}
        copy = tmp_path / "INV-0001"
        shutil.copytree(bundle, copy)
        monkeypatch.chdir(tmp_path)
        pinned = ("--vendor-key", keys["vendor"], "--customer-key", keys["customer"].upper())
        good = command("verify-invoice", copy, *pinned)
        assert good.exit_code == 0, good.stdout
        assert "What a bundle cannot prove:" in good.stdout
        assert data("verify-invoice", copy)["ok"]
        assert command("verify-invoice", copy, "--vendor-key", keys["customer"]).exit_code == 1
        assert command("verify-invoice", copy, "--vendor-key", "abc").exit_code == 2
        invoice = copy / "invoice.json"
        invoice.write_bytes(invoice.read_bytes().replace(b'"minor":227', b'"minor":228'))
        bad = command("verify-invoice", copy)
        assert bad.exit_code == 1
        assert "FAILED files: invoice.json was altered" in bad.stdout
        missing = command("verify-invoice", tmp_path / "none", "--json")
        assert (missing.exit_code, json.loads(missing.stdout)["ok"]) == (1, False)


def test_a_file_without_a_sound_row_starts_nothing(tmp_path: Path) -> None:
    deployment = deployment_in(tmp_path)
    (tmp_path / "a.csv").write_text("email,text\nnobody,x\n")
    result = command("run", tmp_path / "a.csv", "--deployment", deployment)
    assert result.exit_code == 1
    assert "No ticket was taken" in result.stdout
    assert "'nobody' is not an e-mail address" in result.stdout
    assert not (deployment / ".settle" / "app.db").exists()
    (tmp_path / "b.json").write_text("[]")
    assert command("run", tmp_path / "b.json", "--deployment", deployment).exit_code == 0


def test_an_unsigned_contract_is_hinted_at(tmp_path: Path) -> None:
    deployment = deployment_in(tmp_path)
    file = write_tickets(tmp_path / "a.jsonl", *example_tickets("T-1002"))
    done = settle("run", file, "--deployment", "retail", cwd=tmp_path, SETTLE_CHROMIUM="/none")
    assert done.returncode == 0, done.stderr
    assert "No Chromium was found" in done.stderr
    assert "settle contract sign --as vendor --state" in done.stdout
    assert str(deployment / ".settle") in done.stdout
    assert "claimed: contract_not_signed" in done.stdout
    assert not (deployment / "retail").exists()
