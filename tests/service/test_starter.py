"""A new deployment: works at once, is made once, and writes over nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from typer.testing import CliRunner, Result

from agents.planner import ProcedureSelector
from service.cli import app
from service.deployment import load_deployment, open_state
from service.errors import FolderInUse
from service.starter import SAMPLES, deployment_name, make_deployment
from tests.service.builders import settle

DAY = 86_400


def command(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)


def test_it_resolves_its_samples_at_once_and_charges_for_them_when_signed(tmp_path: Path) -> None:
    folder = tmp_path / "Bike shop"
    made = settle("init", folder, "--name", "bikes", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    for side in ("vendor", "customer"):
        assert settle("contract", "sign", "--as", side, cwd=folder).returncode == 0
    assert f"settle run {SAMPLES}" in made.stdout
    worked = settle("run", SAMPLES, "--json", cwd=folder)
    assert worked.returncode == 0, worked.stderr
    tickets = {one["ticket"]: one for one in json.loads(worked.stdout)["tickets"]}
    shown = {name: (one["verdict"], (one["outcome"] or {}).get("evidence_class")) for name, one in tickets.items()}
    assert shown == {
        "S-1": ("passed", "effect_verified"),
        "S-2": ("passed", "grounded"),
        "S-3": ("", None),
    }
    assert tickets["S-3"]["task_state"] == "handed_off"
    (folder / ".settle" / "clock").write_text(str(4 * DAY))
    assert settle("run", SAMPLES, cwd=folder).returncode == 0
    charged = json.loads(settle("outcomes", "--json", cwd=folder).stdout)
    assert [(one["ticket"], one["state"], one["amount_minor"]) for one in charged] == [
        ("S-1", "settled", 90),
        ("S-2", "settled", 30),
        ("S-3", "escalated", 0),
    ]


def test_names_keys_and_secrets_are_its_own(tmp_path: Path) -> None:
    states = [make_deployment(tmp_path / name, name) for name in ("one", "two")]
    for state in states:
        name = state.deployment.name
        loaded = load_deployment(state.deployment)
        assert (loaded.settings.tenant, loaded.contract.contract, loaded.contract.between.customer) == (name,) * 3
        assert open_state(state.folder) == state
        assert not [one for one in state.deployment.rglob("*") if one.is_file() and b"starter" in one.read_bytes()]
    one, two = ([(state.folder / file).read_bytes() for file in KEPT] for state in states)
    assert not set(one) & set(two)
    assert all((state.folder / file).stat().st_mode & 0o077 == 0 for state in states for file in KEPT)


KEPT = ("keys/vendor.key", "keys/evaluator.key", "secrets.json")


@pytest.mark.parametrize("inside", ["settle.toml", ".hidden", "folder"])
def test_nothing_is_written_over(tmp_path: Path, inside: str) -> None:
    folder = tmp_path / "desk"
    folder.mkdir()
    (folder / inside).mkdir() if inside == "folder" else (folder / inside).write_text("mine")
    refused = command("init", folder)
    assert (refused.exit_code, "not empty" in refused.stderr) == (2, True)
    assert [one.name for one in folder.iterdir()] == [inside]


def test_an_empty_folder_is_taken_and_a_file_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "desk").mkdir()
    monkeypatch.chdir(tmp_path / "desk")
    made = command("init", ".")
    assert made.exit_code == 0, made.output
    assert "cd " not in made.stdout
    assert load_deployment(tmp_path / "desk").settings.tenant == "desk"
    (tmp_path / "file").write_text("mine")
    for place in (tmp_path / "file", tmp_path / "file" / "desk"):
        with pytest.raises(FolderInUse, match=r"name (a|another) folder"):
            make_deployment(place, "desk")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("name", ["My desk", "-", "a" * 41, "vendor", "Ä"])
def test_a_name_that_cannot_be_one_is_refused(tmp_path: Path, name: str) -> None:
    refused = command("init", tmp_path / "desk", "--name", name)
    assert (refused.exit_code, "--name" in refused.stderr) == (2, True)
    assert not (tmp_path / "desk").exists()
    assert deployment_name(name) != name


def test_the_folders_name_becomes_one_that_the_books_take() -> None:
    assert [deployment_name(text) for text in ("Bike Shop (EU)", "desk-2", "客服")] == ["bike-shop-eu", "desk-2", None]


def test_every_trigger_line_is_selected_in_both_languages(tmp_path: Path) -> None:
    procedures = load_deployment(make_deployment(tmp_path, "desk").deployment).procedures
    selector = ProcedureSelector(procedures)
    for procedure in procedures:
        for line in procedure.triggers.like:
            assert selector.select(line).procedure == procedure, line


@pytest.fixture
def records(tmp_path: Path) -> Iterator[httpx2.Client]:
    folder = make_deployment(tmp_path / "desk", "desk").deployment
    tokens = {f"RECORDS_{scope}_TOKEN": scope for scope in ("READ", "WRITE", "AUDIT")}
    with subprocess.Popen(
        [sys.executable, folder / "records.py", "--database", tmp_path / "records.db"],
        env={**os.environ, **tokens},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        with httpx2.Client(base_url=url) as client:
            yield client
        process.stdin.close()
        assert process.wait(20) == 0


def test_the_records_let_nobody_do_more_than_their_token_says(records: httpx2.Client) -> None:
    def status(method: str, path: str, token: str) -> int:
        headers, body = {"Authorization": f"Bearer {token}"}, {"reference": "r1"}
        return records.request(method, path, headers=headers, json=body if method == "POST" else None).status_code

    assert [status("GET", "/bookings/40001", token) for token in ("READ", "AUDIT", "WRITE", "read", "x")] == [
        200, 200, 200, 401, 401,
    ]  # fmt: skip
    cancel = "/bookings/40001/cancellation"
    assert [status("POST", cancel, token) for token in ("READ", "AUDIT", "x", "WRITE", "WRITE")] == [
        403,
        403,
        403,
        200,
        200,
    ]
    assert [status("GET", f"/bookings/{key}", "READ") for key in ("1", "", "../x")] == [404, 404, 404]
    assert status("POST", "/bookings/1/cancellation", "WRITE") == 404


def test_a_booking_is_cancelled_once_under_its_first_reference(records: httpx2.Client) -> None:
    records.headers["Authorization"] = "Bearer WRITE"
    answers = [
        records.post("/bookings/40003/cancellation", json={"reference": key}).json()["cancel_reference"]
        for key in ("first", "second", "first")
    ]
    assert answers == ["first"] * 3
    of_customer = records.get("/bookings", params={"email": "mira@example.com"}).json()["items"]
    assert [(one["id"], one["status"]) for one in of_customer] == [("40003", "cancelled"), ("40004", "booked")]
    assert records.get("/bookings", params={"email": "nobody@example.com"}).json() == {"items": []}
