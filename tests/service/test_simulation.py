"""`settle simulate` and `settle eval`: tickets of the past, what people did, and what two versions make of them."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import count
from math import comb
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.intake import Past, read_tickets
from service.rehearsed import Proof, Rehearsed, RehearsedEffect, RehearsedEnd, RehearsedTask
from service.simulation import Tally, checked
from service.simulation.comparison import Limits, Turn, changes, gates
from service.simulation.history import Judged, judge
from service.simulation.rates import rate
from service.simulation.running import Result
from service.starter import make_deployment
from tests.examples.expected import EXPECTED
from tests.service.builders import RETAIL, deployment_in, example_tickets, settle
from tests.service.help_desk import help_centre_in

TYPES = ("refund_issued", "refused_correctly", "order_cancelled")
APPROVED_IN_A_REHEARSAL = "T-1028"
"""People rejected its new address; a rehearsal takes approvals as given."""


def history() -> list[dict[str, Any]]:
    """The retail tickets with the answers that requesters gave to questions, and how each one ended."""
    lines = (RETAIL / "customers.jsonl").read_text(encoding="utf-8").splitlines()
    answers = [one for one in map(json.loads, lines) if one["after"] == "question"]
    tickets = example_tickets(*EXPECTED)
    for ticket in tickets:
        ticket["messages"] += [one["text"] for one in answers if one["ticket"] == ticket["id"]]
        end = EXPECTED[ticket["id"]]
        ticket["expected_outcome"] = end.outcome_type or ("handoff" if end.final == "handed_off" else "none")
    return tickets


def written(file: Path, rows: Sequence[object]) -> Path:
    lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


@dataclass(frozen=True)
class Simulated:
    done: subprocess.CompletedProcess[str]
    data: dict[str, Any]
    page: str
    deployment: Path


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Simulated:
    folder = tmp_path_factory.mktemp("simulated")
    again = {**example_tickets("T-1001")[0], "id": "again", "subject": "<script>alert(1)</script> order 11874"}
    odd = {**example_tickets("T-1002")[0], "id": "odd", "expected_outcome": "refunded"}
    file = written(folder / "past.jsonl", [*history(), again, "no json", odd, {"id": "x", "text": "nobody"}])
    deployment = deployment_in(folder)
    done = settle("simulate", file, "--deployment", deployment, "--json", "--html", folder / "out.html", cwd=folder)
    return Simulated(done, json.loads(done.stdout), (folder / "out.html").read_text(encoding="utf-8"), deployment)


def of(simulated: Simulated, ticket: str) -> dict[str, Any]:
    return next(one for one in simulated.data["tickets"] if one["rehearsed"]["ticket"] == ticket)


def test_every_ticket_would_end_as_it_did(simulated: Simulated) -> None:
    for ticket, end in EXPECTED.items():
        if ticket == APPROVED_IN_A_REHEARSAL:
            continue
        one = of(simulated, ticket)
        claims = [task["outcome_type"] for task in one["rehearsed"]["tasks"] if task["outcome_type"]]
        assert claims == ([end.outcome_type] if end.outcome_type else []), ticket
        assert one["judged"]["right"] is True, ticket


def test_what_people_decided_otherwise_is_a_false_action(simulated: Simulated) -> None:
    (false,) = of(simulated, APPROVED_IN_A_REHEARSAL)["judged"]["false_actions"]
    assert false.startswith("back_office.change_address(address=")
    assert false.endswith("where the history has handoff")
    assert simulated.data["summary"]["false_actions"] == 1
    assert simulated.data["summary"]["missed"] == 0


def test_one_episode_is_charged_once_across_tickets(simulated: Simulated) -> None:
    assert of(simulated, "T-1001")["rehearsed"]["tasks"][0]["charge_minor"] == 99
    again = of(simulated, "again")
    assert again["charged_before"] == ["refund_issued order:11874"]
    assert again["rehearsed"]["tasks"][0]["charge_minor"] == 0
    assert of(simulated, "odd")["charged_before"] == ["order_status_told order:11975"]
    assert simulated.data["summary"]["charged_before"] == 2


def test_the_bill_is_the_sum_of_its_tickets(simulated: Simulated) -> None:
    summary = simulated.data["summary"]
    charges = [task["charge_minor"] for one in simulated.data["tickets"] for task in one["rehearsed"]["tasks"]]
    assert summary["bill_minor"] == summary["bill_most_minor"] == sum(charges) > 0
    assert sum(line["amount_minor"] for line in summary["bill"]) == sum(charges)
    assert sum(summary["ends"].values()) == summary["tickets"] == len(EXPECTED) + 2


def test_bad_rows_are_listed_with_their_numbers_and_stop_nothing(simulated: Simulated) -> None:
    assert simulated.done.returncode == 1
    refused = {one["row"]: one["message"] for one in simulated.data["problems"] if not one["kept"]}
    first = len(EXPECTED) + 2
    assert refused.keys() == {first, first + 2}
    assert "is not JSON" in refused[first]
    (kept,) = [one["message"] for one in simulated.data["problems"] if one["kept"]]
    assert kept.startswith("what odd expects is not used: 'refunded' is no outcome of the contract; did you mean")
    assert of(simulated, "odd")["judged"]["right"] is None


def test_the_deployment_is_left_as_it_was(simulated: Simulated) -> None:
    assert not (simulated.deployment / ".settle").exists()


def test_the_page_holds_every_ticket_and_no_live_markup(simulated: Simulated) -> None:
    page = simulated.page
    for one in simulated.data["tickets"]:
        assert f"<b>{one['rehearsed']['ticket']}</b>" in page
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "http://" not in page
    assert "https://" not in page
    assert page.count('<rect class="good"') >= 5
    assert "Nothing was done: reads were real, effects were made up" in page


def test_people_read_a_table_and_what_it_rests_on(tmp_path: Path) -> None:
    file = written(tmp_path / "two.csv", ["id,email,text,expected_outcome",
        "A,emma.collins@example.com,My mugs in order 11874 arrived broken please refund me,refund_issued",
        "B,nobody@example.com,Where is my order 11999?,"])  # fmt: skip
    done = settle("simulate", file, "--deployment", RETAIL, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "as expected" in done.stdout
    assert "found nothing: shop.find_orders(email=nobody@example.com)" in done.stdout
    assert "Expected bill by acme-2026@2" in done.stdout
    assert "those were not made, and are assumed to verify" in done.stdout
    assert "the system of record may have moved on since" in done.stdout


def test_a_file_that_cannot_be_read_is_a_usage_error(tmp_path: Path) -> None:
    done = settle("simulate", tmp_path / "none.csv", "--deployment", RETAIL, cwd=tmp_path)
    assert (done.returncode, done.stderr.strip()) == (2, f"{tmp_path / 'none.csv'}: there is no such file")


def test_two_versions_are_compared_and_gated(tmp_path: Path) -> None:
    wide = deployment_in(tmp_path)
    procedure = wide / "procedures" / "refund-damaged-item.yaml"
    text = procedure.read_text(encoding="utf-8")
    procedure.write_text(text.replace("age_days <= 30", "age_days <= 60").replace("version: 3", "version: 4"))
    names = ("T-1001", "T-1002", "T-1009", "T-1013")
    file = written(tmp_path / "set.jsonl", [one for one in history() if one["id"] in names])
    given = ("eval", file, "--baseline", RETAIL, "--candidate", wide)
    junit = tmp_path / "junit.xml"
    limits = ("--min-resolved", "0.6", "--min-precision", "0.9", "--max-false-actions", "0", "--max-regressions", "0")
    done = settle(*given, *limits, "--junit", junit, "--json", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    found = json.loads(done.stdout)
    assert [(one["ticket"], one["turn"]) for one in found["changes"]] == [("T-1009", "worse")]
    assert "refused_correctly order:11287" in found["changes"][0]["before"]
    assert "FALSE: back_office.refund(amount=74.50 USD, order_id=11287)" in found["changes"][0]["after"]
    assert {gate["name"]: gate["ok"] for gate in found["gates"]} == {
        "resolved": True,
        "precision": False,
        "false actions": False,
        "tickets that are worse": False,
    }
    suite = ElementTree.parse(junit).getroot()
    assert len(suite.findall("testcase/failure")) == 3


def test_the_same_version_twice_changes_nothing(tmp_path: Path) -> None:
    file = written(tmp_path / "set.jsonl", [one for one in history() if one["id"] in ("T-1001", "T-1013")])
    copy = deployment_in(tmp_path)
    given = ("eval", file, "--baseline", RETAIL, "--candidate", copy, "--max-regressions", "0")
    done = settle(*given, "--max-false-actions", "0", "--min-precision", "1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "No ticket is treated differently." in done.stdout
    (copy / "settle.toml").unlink()
    assert settle(*given, cwd=tmp_path).returncode == 2
    done = settle("eval", file, "--candidate", RETAIL, "--max-regressions", "0", cwd=tmp_path)
    assert (done.returncode, "without --baseline" in done.stderr) == (2, True)


def test_two_versions_are_compared_on_one_record_whatever_lies_in_their_folders(tmp_path: Path) -> None:
    before, after = (make_deployment(tmp_path / name, "desk").deployment for name in ("before", "after"))
    with closing(sqlite3.connect(after / ".settle" / "records.db")) as records, records:
        records.execute("CREATE TABLE booking (id TEXT PRIMARY KEY, email, day, time, status, cancel_reference)")
        gone = ("40001", "ada@example.com", "2020-01-01", "09:30", "cancelled", "x")
        records.execute("INSERT INTO booking VALUES (?, ?, ?, ?, ?, ?)", gone)
    row = {"id": "A", "email": "ada@example.com", "text": "Please cancel my booking 40001."}
    file = written(tmp_path / "set.jsonl", [row])
    ends = []
    for state, named in ((after / ".settle", ()), (before / ".settle", ("--state", before / ".settle"))):
        done = settle("eval", file, "--baseline", before, "--candidate", after, "--json", *named, cwd=tmp_path)
        found = json.loads(done.stdout)
        assert (done.returncode, found["changes"]) == (0, [])
        assert done.stderr.count(f"on the record of {state}") == 2
        assert found["baseline"]["ends"] == found["candidate"]["ends"]
        ends.append(found["candidate"]["ends"])
    assert ends[0] != ends[1]


_numbers = count(1)


def task(**fields: Any) -> RehearsedTask:
    return RehearsedTask.model_validate(
        {
            "procedure": "refund@1",
            "end": RehearsedEnd.RESOLVED,
            "code": "",
            "why": "",
            "outcome_type": "refund_issued",
            "intended": "refund_issued",
            "subject": "order:1",
            "proof": Proof.ASSUMED,
            "charge_minor": 99,
            "charge_most_minor": 99,
            "effects": (RehearsedEffect(tool="shop.refund", args={"order_id": "1"}),),
            "approvals": (),
            "questions": 0,
            "nothing_found": (),
            **fields,
        }
    )


def played(*tasks: RehearsedTask, end: RehearsedEnd | None = None) -> Rehearsed:
    number = f"t-{next(_numbers)}"
    end = end or tasks[0].end
    return Rehearsed(ticket=number, language="en", end=end, tasks=tasks, why="", replies=())


REFUSED = {"outcome_type": "refused_correctly", "effects": (), "proof": Proof.CHECKED}
HANDED = {
    "end": RehearsedEnd.HANDED_OFF, "outcome_type": "", "proof": None, "effects": (), "charge_minor": 0,
    "charge_most_minor": 0, "subject": "",
}  # fmt: skip


@pytest.mark.parametrize(
    ("done", "past", "right", "missed", "false"),
    [
        ({}, Past(outcomes=("refund_issued",)), True, False, 0),
        ({}, Past(outcomes=("refund_issued",), subjects=("order:1",)), True, False, 0),
        ({}, Past(outcomes=("refund_issued",), subjects=("1",)), True, False, 0),
        ({}, Past(outcomes=("refund_issued",), subjects=("order:2",)), False, True, 1),
        ({}, Past(outcomes=("order_cancelled",)), False, True, 1),
        ({}, Past(outcomes=("handoff",)), False, False, 1),
        ({}, Past(outcomes=("none",)), False, False, 1),
        ({}, Past(outcomes=("refund_issued", "order_cancelled")), False, True, 0),
        (REFUSED, Past(outcomes=("refused_correctly",)), True, False, 0),
        (REFUSED, Past(outcomes=("refund_issued",)), False, True, 1),
        (HANDED, Past(outcomes=("refund_issued",)), False, True, 0),
        (HANDED, Past(outcomes=("handoff",)), True, False, 0),
        ({"end": RehearsedEnd.HANDED_OFF, "proof": Proof.MISSING}, Past(outcomes=("refund_issued",)), False, True, 0),
        ({"end": RehearsedEnd.HANDED_OFF, "proof": Proof.MISSING}, Past(outcomes=("handoff",)), False, False, 1),
    ],
)
def test_what_the_history_says_decides(done: dict[str, Any], past: Past, right: bool, missed: bool, false: int) -> None:
    judged = judge(played(task(**done)), past)
    assert (judged.right, judged.missed, len(judged.false_actions)) == (right, missed, false)


def test_without_a_history_nothing_is_right_or_wrong() -> None:
    judged = judge(played(task()), Past(procedure="cancel"))
    assert judged == Judged(expected=(), right=None, missed=False, false_actions=(), other_procedure="cancel")
    assert judge(played(task()), Past(procedure="refund")).other_procedure == ""


def test_a_record_that_may_have_moved_on_is_named() -> None:
    (said,) = judge(played(task(**REFUSED)), Past(outcomes=("refund_issued",), subjects=("1",))).false_actions
    assert said.endswith("(the record may have moved on since)")


@pytest.mark.parametrize(
    ("past", "wrong"),
    [
        (Past(outcomes=("refund",)), "'refund' is no outcome of the contract"),
        (Past(outcomes=("refund_issued",), subjects=("1", "2")), "2 subjects for 1 outcomes"),
        (Past(outcomes=("refund_issued", "handoff")), "handoff and none stand alone"),
    ],
)
def test_an_expectation_that_makes_no_sense_is_told_and_not_used(past: Past, wrong: str) -> None:
    kept, (problem,) = checked(past, TYPES, row="T-9")
    assert kept == Past()
    assert wrong in problem.message
    assert problem.kept


def test_a_file_says_what_people_did(tmp_path: Path) -> None:
    table = "email,text,Expected Outcome,expected_subject,procedure\na@b.example,hello,refund_issued; none,1;2,refund\n"
    (tmp_path / "t.csv").write_text(table)
    rows: list[dict[str, Any]] = [{"email": "a@b.example", "text": text} for text in ("x", "y", "z")]
    rows[0] |= {"expected_outcome": ["a", "b"], "expected_subject": [1, "order:2"]}
    rows[1] |= {"procedure": {"odd": 1}}
    (tmp_path / "t.json").write_text(json.dumps(rows))
    (first,) = read_tickets(tmp_path / "t.csv").past.values()
    assert first == Past(outcomes=("refund_issued", "none"), subjects=("1", "2"), procedure="refund")
    intake = read_tickets(tmp_path / "t.json")
    assert len(intake.tickets) == 3
    assert next(iter(intake.past.values())) == Past(outcomes=("a", "b"), subjects=("1", "order:2"))
    assert len(intake.past) == 2


def result(one: Rehearsed, past: Past) -> Result:
    return Result(subject="", rehearsed=one, judged=judge(one, past))


def test_a_change_is_better_worse_or_other() -> None:
    handoff, refund = Past(outcomes=("handoff",)), Past(outcomes=("refund_issued",))
    pairs = [
        (task(), task(**HANDED), refund, Turn.WORSE),
        (task(**HANDED), task(), refund, Turn.BETTER),
        (task(**HANDED), task(), handoff, Turn.WORSE),
        (task(), task(**HANDED), Past(), Turn.WORSE),
        (task(), task(charge_minor=50), refund, Turn.OTHER),
        (task(), task(procedure="refund@2"), refund, None),
    ]
    for before, after, past, turn in pairs:
        one = played(before)
        other = one.model_copy(update={"tasks": (after,), "end": after.end})
        found = list(changes([result(one, past)], [result(other, past)], "USD"))
        assert [change.turn for change in found] == ([turn] if turn else [])


def test_what_cannot_be_measured_is_below_every_rate() -> None:
    empty = Tally().summary(currency="USD", contract="c@1")
    limits = Limits(min_resolved=0, min_precision=0, max_false_actions=99, max_regressions=0)
    kept = {gate.name: gate.ok for gate in gates(limits, empty, 0)}
    assert kept == {"resolved": False, "precision": False, "false actions": False, "tickets that are worse": True}
    assert gates(Limits(), empty, 5) == []


@given(st.integers(1, 60), st.data())
def test_bounds_are_exact(of: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(0, of))
    found = rate(count, of)
    assert found.low is not None
    assert found.high is not None
    assert 0 <= found.low <= count / of <= found.high <= 1

    def at_least(successes: int, p: float) -> float:
        return sum(comb(of, k) * p**k * (1 - p) ** (of - k) for k in range(successes, of + 1))

    if count:
        assert at_least(count, found.low) == pytest.approx(0.025, rel=1e-6)
    if count < of:
        assert 1 - at_least(count + 1, found.high) == pytest.approx(0.025, rel=1e-6)


def test_nothing_has_no_rate() -> None:
    assert str(rate(0, 0)) == "none"


def test_a_question_is_answered_from_its_source_in_a_simulation_too(tmp_path: Path) -> None:
    asked = [
        {
            "id": "Q-1",
            "from": "ann@example.com",
            "name": "Ann Example",
            "text": "Hello, how long is a gift card valid?",
        },
        {"id": "Q-2", "from": "ann@example.com", "name": "Ann Example", "text": "Do you have a store in Berlin?"},
    ]
    file = written(tmp_path / "questions.jsonl", asked)
    done = settle("simulate", file, "--deployment", help_centre_in(tmp_path), "--json", cwd=tmp_path)
    first, second = (one["rehearsed"]["tasks"][0] for one in json.loads(done.stdout)["tickets"])
    assert (first["end"], first["proof"], first["outcome_type"]) == ("resolved", "checked", "question_answered")
    assert (second["end"], second["code"]) == ("handed_off", "no_source")
