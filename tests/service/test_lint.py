"""`settle lint`: each mistake is one problem that says where and what to do, and all mistakes are listed together."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from service.cli import app
from service.lint import lint
from service.starter import make_deployment
from tests.service.builders import RETAIL
from tests.service.help_desk import help_centre_in

CANCEL, WHEN = "procedures/cancel-booking.yaml", "procedures/when-is-my-booking.yaml"
CONTRACT, SETTINGS, TOOLS = "contracts/desk.yaml", "settle.toml", "tools/bookings.py"

Change = Callable[[Path], object]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_deployment(tmp_path_factory.mktemp("sound") / "desk", "desk").deployment


@pytest.fixture
def desk(sound: Path, tmp_path: Path) -> Path:
    """A deployment in which nothing is wrong."""
    return Path(shutil.copytree(sound, tmp_path / "desk"))


def instead(file: str, old: str, new: str) -> Change:
    """One text in a file takes the place of another."""

    def change(desk: Path) -> None:
        text = (desk / file).read_text()
        assert text.count(old) == 1, (file, old, text.count(old))
        (desk / file).write_text(text.replace(old, new))

    return change


def holding(file: str, content: bytes) -> Change:
    """A file with other contents."""
    return lambda desk: (desk / file).write_bytes(content)


def without(*files: str) -> Change:
    """Files that are gone."""

    def change(desk: Path) -> None:
        for file in files:
            (desk / file).unlink()

    return change


def command(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["lint", *map(str, arguments)], catch_exceptions=False)


def found(desk: Path) -> list[tuple[str, int | None, str, str]]:
    """(file, line, field, message) of every problem."""
    return [
        (Path(one.file).relative_to(desk).as_posix(), one.line, one.field, one.message) for one in lint(desk).problems
    ]


SEAT = """\
    means: x
    subject: seat
    class: grounded
    asked: [seat]
    proof: {read: records.booking, belongs_to: after.id == '1', holds: after.id == '1'}
    requires: [proof]
    price: "1.00"
"""
ONE_LINE = """\
procedure: when-is-my-booking
version: 1
outcome: booking_time_told
triggers: {like: [when is my booking]}
subject: "booking:x"
steps: [{id: told, reply: booking-time, with: {booking_id: a, day: b, time: c}}]
"""

MISTAKES: list[tuple[Change, str, bool, str, str]] = [
    # what was done, file, whether a line is named, field, what the message says
    (
        instead(CANCEL, "bookings.cancel,", "bookings.cancle,"),
        CANCEL,
        True,
        "steps[3].tool",
        "did you mean 'bookings.cancel'?",
    ),
    (
        instead(CANCEL, "bookings.find,", "bookings.fnd,"),
        CANCEL,
        True,
        "steps[0].tool",
        "did you mean 'bookings.find'?",
    ),
    (
        instead(CANCEL, 'booking_id: "${booking.id}"}, app', 'booking_id: "${bookings.items}"}, app'),
        CANCEL,
        True,
        "steps[3].args",
        "valid string",
    ),
    (
        instead(CANCEL, 'args: {booking_id: "${b', 'args: {bookng_id: "${b'),
        CANCEL,
        True,
        "steps[3].args.bookng_id",
        "'booking_id'",
    ),
    (
        instead(CANCEL, "reply: booking-cancelled,", "reply: booking-canceled,"),
        CANCEL,
        True,
        "steps[4].reply",
        "did you mean 'booking-cancelled'?",
    ),
    (
        without("replies/which-booking.en.md", "replies/which-booking.de.md"),
        CANCEL,
        True,
        "inputs.booking_id.ask",
        "no reply is called 'which-booking'",
    ),
    (
        instead(CANCEL, "booking.days_left < 2", "booking.days_left <"),
        CANCEL,
        True,
        "steps[3].approve",
        "not an expression",
    ),
    (
        instead(CANCEL, "booking.status == 'booked'", "booking.state == 'booked'"),
        CANCEL,
        True,
        "steps[2].require",
        "did you mean 'status'?",
    ),
    (
        instead(CANCEL, "outcome: booking_cancelled", "outcome: booking_canceled"),
        CANCEL,
        True,
        "outcome",
        "did you mean 'booking_cancelled'?",
    ),
    (
        instead(CANCEL, 'subject: "booking:', 'subject: "order:'),
        CANCEL,
        True,
        "outcome",
        "the contract says it is about booking",
    ),
    (
        instead(CANCEL, "{id: still_booked", "{id: booking"),
        CANCEL,
        True,
        "steps[2].id",
        "every step needs a name of its own",
    ),
    (
        instead(CANCEL, "pattern: '", "pattern: '("),
        CANCEL,
        True,
        "inputs.booking_id.pattern",
        "not a regular expression",
    ),
    (instead(CANCEL, "steps:\n  -", "steps:\n\t-"), CANCEL, True, "", "spaces, not with tabs"),
    (instead(CANCEL, "version: 1", "version: one"), CANCEL, True, "version", "valid integer"),
    (instead(CANCEL, "triggers:", "trigger:"), CANCEL, True, "trigger", "did you mean 'triggers'?"),
    (holding(CANCEL, b""), CANCEL, False, "", "is empty"),
    (holding(CANCEL, "procedure: über".encode("cp1252")), CANCEL, True, "", "save it as UTF-8"),
    (instead(CONTRACT, 'price: "0.90"', "price: 0,90"), CONTRACT, True, "outcomes.booking_cancelled.price", "0.99"),
    (instead(CONTRACT, 'price: "0.90"', 'price: "0.905"'), CONTRACT, True, "outcomes.booking_cancelled.price", ""),
    (instead(CONTRACT, "after: 72h", "after: 72 hours"), CONTRACT, True, "settle.after", "30m, 72h or 30d"),
    (instead(CONTRACT, "timezone: UTC", "timezone: Berlin"), CONTRACT, True, "period.timezone", "Europe/Berlin"),
    (
        instead(CONTRACT, "holds: after.status == 'booked'", "holds: aftr.status == 'booked'"),
        CONTRACT,
        True,
        "outcomes.booking_time_told.proof.holds",
        "a proof sees only",
    ),
    (
        instead(CONTRACT, "became:", "becomes:"),
        CONTRACT,
        True,
        "outcomes.booking_cancelled.proof.becomes",
        "did you mean 'became'?",
    ),
    (
        instead(CONTRACT, "subject: booking                         #", "subject: seat #"),
        CANCEL,
        True,
        "outcome",
        "the contract says it is about seat",
    ),
    (
        instead(SETTINGS, '{ booking = "/bookings', '{ bookings = "/bookings'),
        CONTRACT,
        True,
        "outcomes.booking_cancelled.proof.read",
        "did you mean 'bookings'?",
    ),
    (instead(SETTINGS, '"/bookings/{key}"', '"/bookings/{id}"'), SETTINGS, True, "sources.records.paths", "{key} once"),
    (
        instead(SETTINGS, "[sources.records]", "[sources.record]"),
        CONTRACT,
        True,
        "outcomes.booking_cancelled.proof.read",
        "did you mean 'record'?",
    ),
    (instead(SETTINGS, 'tenant = "desk"', "tenant = desk"), SETTINGS, True, "", "not TOML"),
    (instead(SETTINGS, 'tenant = "desk"', 'tennant = "desk"'), SETTINGS, True, "tennant", "did you mean 'tenant'?"),
    (instead(SETTINGS, "workers = 2", "workers = 0"), SETTINGS, True, "workers", "greater than or equal to 1"),
    (
        instead(SETTINGS, "contracts/desk.yaml", "contracts/dsk.yaml"),
        SETTINGS,
        True,
        "contract",
        "did you mean 'contracts/desk.yaml'?",
    ),
    (
        instead(SETTINGS, "tools/bookings.py", "tools/booking.py"),
        SETTINGS,
        True,
        "tools.modules[0]",
        "did you mean 'tools/bookings.py'?",
    ),
    (
        instead(SETTINGS, 'records_url = "${process.records.url}"', 'records_url = "${process.recrods.url}"'),
        SETTINGS,
        True,
        "tools.settings.records_url",
        "did you mean 'records'?",
    ),
    (
        instead(SETTINGS, 'records_read_token = "${secret.', 'records_read_token = "${secrets.'),
        SETTINGS,
        True,
        "tools.settings.records_read_token",
        "${secret.NAME}",
    ),
    (
        instead(SETTINGS, "{deployment}/records.py", "{deploy}/records.py"),
        SETTINGS,
        True,
        "process[0].command",
        "did you mean 'deployment'?",
    ),
    (holding(SETTINGS, "# ü".encode("cp1252")), SETTINGS, True, "", "save it as UTF-8"),
    (holding(TOOLS, b"import nothing_like_it\n"), TOOLS, True, "", "ModuleNotFoundError"),
    (instead(TOOLS, ", lookup=find_cancellation", ""), TOOLS, True, "", "without one a crash"),
    (
        holding("replies/booking-time.en.md", b"At ${time.of.day}"),
        "replies/booking-time.en.md",
        True,
        "",
        "not a plain name",
    ),
    (holding("replies/booking-time.de.md", "Für ${room}".encode()), WHEN, True, "steps[3].reply", "wants ${room}"),
    (
        holding("replies/booking-time.de.md", "Für".encode("utf-16")),
        "replies/booking-time.de.md",
        False,
        "",
        "save it as UTF-8",
    ),
    (holding("replies/booking-time.en.md", b" \n"), "replies/booking-time.en.md", True, "", "is empty"),
    (without("replies/handed-off.en.md"), "replies/handed-off.en.md", False, "", "is missing"),
    (holding("replies/Hello.txt", b"hi"), "replies/Hello.txt", False, "", "NAME.LANG.md"),
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=[f"{number}" for number in range(len(MISTAKES))])
def test_a_mistake_is_one_problem_with_its_place_and_what_to_do(
    desk: Path, mistake: tuple[Change, str, bool, str, str]
) -> None:
    change, file, has_line, field, message = mistake
    change(desk)
    problems = found(desk)
    assert {(one[0], one[1] is not None, one[2]) for one in problems[:1]} == {(file, has_line, field)}, problems
    assert message in problems[0][3], problems
    assert len({(one[0], one[3].partition(";")[0]) for one in problems if one[0] == file}) == 1, problems


def test_a_deployment_in_which_nothing_is_wrong(desk: Path) -> None:
    result = command(desk, "--strict")
    assert (result.exit_code, "0 problems, 0 warnings: it can run." in result.stdout) == (0, True), result.stdout
    examples = lint(desk).examples
    assert examples is not None
    assert examples.own > examples.none + examples.other


def test_a_field_that_no_article_has_is_doubted(tmp_path: Path) -> None:
    desk = help_centre_in(tmp_path)
    assert not [one for one in lint(desk).warnings if ".proof." in one.field]
    instead("contracts/acme-help.yaml", "holds: after.valid", "holds: after.vald")(desk)
    (warning,) = (one for one in lint(desk).warnings if ".proof." in one.field)
    assert warning.field.endswith(".proof.holds")
    assert "did you mean 'valid'?" in warning.message


def test_the_retail_example_can_run() -> None:
    assert lint(RETAIL).problems == ()


def test_mistakes_in_every_kind_of_file_are_listed_together(desk: Path) -> None:
    for change in (
        instead(SETTINGS, "workers = 2", "workers = 0"),
        instead(CONTRACT, 'price: "0.90"', "price: free"),
        instead(CANCEL, "bookings.cancel,", "bookings.cancle,"),
        instead(WHEN, "outcome: booking_time_told", "outcome: booking_tme_told"),
        holding("replies/which-booking.de.md", b"\xff"),
        holding("tools/more.py", b"x = 1 / 0"),
        instead(SETTINGS, '["tools/bookings.py"]', '["tools/bookings.py", "tools/more.py"]'),
    ):
        change(desk)
    assert sorted((file, field) for file, _, field, _ in found(desk)) == [
        (CONTRACT, "outcomes.booking_cancelled.price"),
        (CANCEL, "steps[3].tool"),
        (WHEN, "outcome"),
        ("replies/which-booking.de.md", ""),
        (SETTINGS, "workers"),
        ("tools/more.py", ""),
    ]


def test_mistakes_in_the_rollout_are_listed_together(desk: Path) -> None:
    rollout = '[rollout]\nmode = "lve"\n[rollout.procedures]\ncancel-bokings = "off"\nwhat = "on"\n'
    holding(SETTINGS, (desk / SETTINGS).read_bytes() + rollout.encode())(desk)
    instead(CANCEL, "bookings.cancel,", "bookings.cancle,")(desk)
    assert sorted(field for file, _, field, _ in found(desk) if file == SETTINGS) == [
        "rollout.mode",
        "rollout.procedures.cancel-bokings",
        "rollout.procedures.what",
        "rollout.procedures.what",
    ]
    holding(SETTINGS, (desk / SETTINGS).read_bytes().replace(b"cancel-bokings", b"cancel-booking"))(desk)
    assert "rollout.procedures.cancel-booking" not in {field for _, _, field, _ in found(desk)}


def test_needs_of_a_procedure_that_there_is_not(desk: Path) -> None:
    models = '[models.procedures]\ncancel-boking = {reliability = "high"}\nwhen-is-my-booking = {}\n'
    holding(SETTINGS, (desk / SETTINGS).read_bytes() + models.encode())(desk)
    (problem,) = found(desk)
    assert problem[0] == SETTINGS
    assert problem[1] is not None
    assert problem[2:] == (
        "models.procedures.cancel-boking",
        "there is no procedure 'cancel-boking'; did you mean 'cancel-booking'?",
    )


OPEN_STEP = """\
  - id: look
    open: Find out more.
    tools: {bookings.find: {email: "${task.requester.email}"}}
    leaves: {late: boolean}
"""


@pytest.mark.parametrize(
    ("settings", "warned"),
    [
        ("", True),
        ('[models]\nplanner = ["openai:gpt-5"]\n', True),
        ('[models]\nexecutor = ["openai:gpt-5"]\n', False),
    ],
)
def test_a_step_for_a_model_that_nobody_named(desk: Path, settings: str, warned: bool) -> None:
    instead(WHEN, "  - {id: reply,", f"{OPEN_STEP}  - {{id: reply,")(desk)
    holding(SETTINGS, (desk / SETTINGS).read_bytes() + settings.encode())(desk)
    assert found(desk) == []
    warnings = [one for one in lint(desk).warnings if "is for a model" in one.message]
    assert [(Path(one.file).name, one.field) for one in warnings] == [(Path(WHEN).name, "steps[3]")] * warned


OUTLINE = """\
plan:
  goal: Say when the booking is.
  tools: {bookings.find: {email: "${task.requester.email}"}}
  replies: [booking-time]
"""


def test_a_plan_that_nobody_is_there_to_write(desk: Path) -> None:
    text = (desk / WHEN).read_text()
    (desk / WHEN).write_text(text[: text.index("steps:")].replace("${booking.id}", "x") + OUTLINE)
    assert found(desk) == []
    (warning,) = (one for one in lint(desk).warnings if "is for a model" in one.message)
    assert (warning.field, 'planner = ["provider:model"]' in warning.message) == ("plan", True)
    holding(SETTINGS, (desk / SETTINGS).read_bytes() + b'[models]\nplanner = ["openai:gpt-5"]\n')(desk)
    assert not [one for one in lint(desk).warnings if "is for a model" in one.message]


def test_articles_are_looked_at_with_the_rest(desk: Path) -> None:
    (desk / "knowledge").mkdir()
    holding("knowledge/hours.md", b"---\ntitel: Hours\n---\nWe are open.\n")(desk)
    instead(SETTINGS, "workers = 2", "workers = 0")(desk)
    assert {file for file, _, _, _ in found(desk)} == {"knowledge/hours.md", SETTINGS}


def test_folders_that_are_missing_are_named(desk: Path) -> None:
    for name in ("procedures", "replies"):
        shutil.rmtree(desk / name)
    assert {file for file, _, _, message in found(desk) if "no such folder" in message} == {"procedures", "replies"}


WARNINGS: list[tuple[Change, str, bool, str, str]] = [
    (
        instead(CONTRACT, "by: after.cancel_reference == receipt.key", "by: after.cancel_reference == receipt.kye"),
        CONTRACT,
        True,
        "outcomes.booking_cancelled.proof.by",
        "did you mean 'receipt.key'?",
    ),
    (
        instead(CONTRACT, "after.cancel_reference == receipt.key", "after.cancel_reference == receipt.args.bookng_id"),
        CONTRACT,
        True,
        "outcomes.booking_cancelled.proof.by",
        "did you mean 'booking_id'?",
    ),
    (
        instead(CONTRACT, "after.cancel_reference == receipt.key", "after.cancel_reference == receipt.result.refrence"),
        CONTRACT,
        True,
        "outcomes.booking_cancelled.proof.by",
        "did you mean 'reference'?",
    ),
    (
        instead(CONTRACT, "before.status == 'booked' && after.status", "before.status == 'booked' && after.sttus"),
        CONTRACT,
        True,
        "outcomes.booking_cancelled.proof.became",
        "did you mean 'status'?",
    ),
    (
        instead(TOOLS, 'ctx.setting("records_url")', 'ctx.setting("record_url")'),
        TOOLS,
        True,
        "",
        "did you mean 'records_url'?",
    ),
    (
        instead(SETTINGS, 'token = "${secret.RECORDS_AUDIT_TOKEN}"', 'token = "${secret.RECORDS_AUDT_TOKEN}"'),
        SETTINGS,
        True,
        "sources.records.token",
        "did you mean 'RECORDS_AUDIT_TOKEN'?",
    ),
    (holding("replies/bye.en.md", b"Bye"), "replies/bye.en.md", False, "", "no procedure sends it"),
    (without("replies/booking-time.de.md"), "replies/booking-time.de.md", False, "", "sent in English"),
    (
        instead(WHEN, "  like:\n", "  like:\n    - Please cancel my booking!\n"),
        WHEN,
        True,
        "triggers.like[0]",
        "also under cancel-booking.yaml",
    ),
    (
        instead(WHEN, "  unlike:\n", "  unlike:\n    - please cancel my booking\n"),
        WHEN,
        True,
        "triggers.unlike[0]",
        "a `like` line of cancel-booking.yaml",
    ),
    (
        instead(WHEN, "  unlike:\n", "  unlike:\n    - which day did I book\n"),
        WHEN,
        True,
        "triggers.unlike[0]",
        "also under `like`",
    ),
    (
        instead(CONTRACT, "settle:     {", "  seat_changed:\n" + SEAT + "settle:     {"),
        CONTRACT,
        True,
        "outcomes.seat_changed",
        "never charged",
    ),
    (instead(CONTRACT, 'price: "0.30"', 'price: "0.00"'), CONTRACT, True, "outcomes.booking_time_told.price", "is 0"),
    (instead(CANCEL, r"(?!\d)', ask", "', ask"), CANCEL, True, "inputs.booking_id.pattern", "longer numbers"),
    (holding(WHEN, ONE_LINE.encode()), WHEN, True, "triggers.like", "chosen by luck"),
    (holding(WHEN, ONE_LINE.encode()), WHEN, True, "triggers.like", "no line is in 'de'"),
    (
        instead(WHEN, "  like:\n", "  like:\n    - cancel the appointment, please\n"),
        WHEN,
        True,
        "triggers.like[0]",
        "selects cancel-booking",
    ),
]


@pytest.mark.parametrize("doubt", WARNINGS, ids=[f"{number}" for number in range(len(WARNINGS))])
def test_a_doubt_is_a_warning_and_the_deployment_runs(desk: Path, doubt: tuple[Change, str, bool, str, str]) -> None:
    change, file, has_line, field, message = doubt
    change(desk)
    seen = lint(desk)
    assert seen.problems == ()
    shown = [
        (Path(one.file).relative_to(desk).as_posix(), one.line is not None, one.field, one.message)
        for one in seen.warnings
    ]
    assert any(one[:3] == (file, has_line, field) and message in one[3] for one in shown), shown
    assert command(desk, "--strict").exit_code == 1


def test_without_a_procedure_every_ticket_goes_to_a_person(desk: Path) -> None:
    without(CANCEL, WHEN)(desk)
    seen = lint(desk)
    assert (seen.problems, seen.examples) == ((), None)
    assert any("every ticket goes to a person" in one.message for one in seen.warnings)


def test_programs_read_the_same(desk: Path) -> None:
    instead(CONTRACT, 'price: "0.30"', 'price: "0"')(desk)
    result = command(desk, "--json")
    assert result.exit_code == 0
    seen: dict[str, Any] = json.loads(result.stdout)
    (warning,) = seen["warnings"]
    assert (seen["ok"], seen["problems"], warning["field"]) == (True, [], "outcomes.booking_time_told.price")
    assert json.loads(command(desk, "--json", "--strict").stdout)["ok"] is False
    instead(SETTINGS, "workers = 2", "workers = 0")(desk)
    result = command(desk, "--json")
    assert (result.exit_code, json.loads(result.stdout)["ok"]) == (1, False)


def test_where_there_is_no_deployment(tmp_path: Path) -> None:
    result = command(tmp_path)
    assert (result.exit_code, "settle.toml" in result.stderr) == (2, True)
