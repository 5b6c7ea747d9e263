"""The second example from the first message to the verified invoice: real processes, the inline runtime, no network."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal

import httpx2
import pytest

from agents import tables
from agents.money import Money
from agents.planner.plan import Input
from agents.policy.approval import ApprovalState
from agents.task import Task, TaskState
from agents.ticket import Author, Ticket
from billing import draft, keep_contract, list_credit_notes, reconcile, verify_bundle
from billing.outcome import Outcome, outcomes
from billing.periods import month_of
from billing.transitions import OutcomeState
from evaluators import HttpJsonSource
from evaluators.tables import verdict_of_claim
from evaluators.verdict import EvidenceClass, Verdict
from service.assembly import Running, running
from service.deployment import load_deployment, make_state
from service.helpdesks.embedded import NewTicket
from service.intake import read_tickets
from tests.examples.expected import End, Final
from tests.examples.saas_expected import EXPECTED

SAAS = Path(__file__).parents[2] / "examples" / "saas"
TENANT = "lanling"
CUSTOMERS: list[dict[str, str]] = [json.loads(line) for line in (SAAS / "customers.jsonl").read_text().splitlines()]


@dataclass(frozen=True, kw_only=True)
class Story:
    """What became of every ticket."""

    tickets: dict[str, Ticket]
    tasks: dict[str, Task]
    outcomes: dict[str, Outcome]
    verdicts: dict[str, Verdict]
    subscriptions: dict[str, dict[str, Any]]
    """As the application has them in the end, by e-mail address."""
    bundles: list[Path]
    keys: dict[str, str]
    credited: list[str]
    differences: tuple[str, ...]

    def end(self, ticket: str) -> End:
        """How a ticket ended; the reason is not its own to say."""
        task, outcome = self.tasks[ticket], self.outcomes.get(ticket)
        if outcome is None:
            states: dict[TaskState, Final] = {
                TaskState.HANDED_OFF: "handed_off",
                TaskState.EXCLUDED: "excluded",
                TaskState.ANSWERED: "no_claim",
            }
            return End(None, states[task.state], None, 0, EXPECTED[ticket].why)
        finals: dict[OutcomeState, Final] = {
            OutcomeState.INVOICED: "charged",
            OutcomeState.REVERSED: "reversed",
            OutcomeState.VOID: "void",
        }
        final, verdict = finals[outcome.state], self.verdicts[ticket]
        assert outcome.price is not None
        assert outcome.price.currency == "CNY"
        effect = verdict.evidence_class is EvidenceClass.EFFECT_VERIFIED
        minor = outcome.price.minor if final == "charged" else 0
        evidence_class: Literal["effect_verified", "grounded"] = "effect_verified" if effect else "grounded"
        return End(outcome.outcome_type, final, evidence_class, minor, EXPECTED[ticket].why)

    def said(self, ticket: str) -> list[str]:
        """What the requester was told, oldest first."""
        return [each.text for each in self.tickets[ticket].messages if each.author is Author.AGENT and each.public]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    return asyncio.run(_told(tmp_path_factory.mktemp("saas")))


async def _told(folder: Path) -> Story:
    copy = folder / "saas"
    shutil.copytree(SAAS, copy, ignore=shutil.ignore_patterns(".settle", "__pycache__"))
    settings = (copy / "settle.toml").read_text(encoding="utf-8")
    (copy / "settle.toml").write_text(settings.replace('runtime = "durable"', 'runtime = "inline"'), encoding="utf-8")
    async with running(make_state(folder / "state", copy), browser=False) as run:
        _sign(run)
        for ticket in read_tickets(SAAS / "tickets.jsonl").tickets:
            await _open(run, ticket)
        await _approve(run)
        await _write(run, "question")
        await _write(run, "resolved")
        await _cancelled_on_the_web(run, "T-2020")
        await _settle(run, within=timedelta(days=14))
        await _write(run, "settled")
        await _settle(run, within=timedelta(days=60))
        await _cancelled_on_the_web(run, "T-2014")
        run.clock.move_to(run.clock.now() + timedelta(days=1))
        await run.settlement.look_again()
        run.clock.move_to(month_of(run.clock.now(), "Asia/Shanghai").end)
        return await _ended(run, run.settlement.close_periods())


def _sign(run: Running) -> None:
    evaluator, since = run.state.key("evaluator").public_key, run.clock.now() - timedelta(days=1)
    both = draft(run.deployment.contract_source, evaluator_key=evaluator, in_force_from=since)
    both = both.sign(run.state.key("vendor")).sign(run.state.key("customer"))
    with run.database.transaction() as session:
        keep_contract(session, tenant=TENANT, signed=both)


async def _open(run: Running, ticket: NewTicket) -> None:
    run.embedded.open(ticket)
    await run.desk.notice(ticket.id)
    await run.desk.idle()


async def _approve(run: Running) -> None:
    answers = [json.loads(line) for line in (SAAS / "approvals.jsonl").read_text().splitlines()]
    with run.database.transaction() as session:
        pending = tables.approvals(session, TENANT, ApprovalState.PENDING)
    assert [each.ticket_id for each in pending] == [each["ticket"] for each in answers]
    for approval, answer in zip(pending, answers, strict=True):
        await run.desk.answer_approval(approval.id, approved=answer["answer"] == "approve", by="staff")
    await run.desk.idle()


async def _write(run: Running, after: str) -> None:
    for number, each in enumerate(CUSTOMERS):
        if each["after"] == after:
            run.embedded.write(each["ticket"], each["text"], key=f"later-{number}", author=Author.REQUESTER)
            await run.desk.notice(each["ticket"])
            await run.desk.idle()


async def _cancelled_on_the_web(run: Running, ticket: str) -> None:
    """The customer cancels by herself, as nobody at the desk sees."""
    outcome = next(each for each in _outcomes(run) if each.ticket_id == ticket)
    number = outcome.subject.removeprefix("subscription:")
    body = {"reason": "own wish", "reference": "web-later"}
    answer = await _api(run, lambda api: api.post(f"/subscriptions/{number}/cancellation", json=body))
    assert answer["status"] == "cancelled"


async def _api(run: Running, call: Callable[[httpx2.Client], httpx2.Response]) -> Any:
    token = run.state.secrets(run.deployment.settings).get("SUBSCRIPTIONS_WRITE_TOKEN")
    source = run.sources["lanling_subscriptions"]
    assert isinstance(source, HttpJsonSource)
    with httpx2.Client(base_url=f"{source.base_url}/api/v1", headers={"Authorization": f"Bearer {token}"}) as client:
        answer = await asyncio.to_thread(call, client)
    return answer.raise_for_status().json()


def _of(email: str, api: httpx2.Client) -> httpx2.Response:
    return api.get("/subscriptions", params={"email": email})


def _outcomes(run: Running) -> tuple[Outcome, ...]:
    with run.database.transaction() as session:
        return outcomes(session, tenant=TENANT)


async def _settle(run: Running, *, within: timedelta) -> None:
    """Let the windows end that end within that time, and settle."""
    last = run.clock.now() + within
    due = sorted(each.settle_at for each in _outcomes(run) if each.state is OutcomeState.VERIFIED and each.settle_at)
    for end in due:
        if end <= last:
            run.clock.move_to(end)
            await run.settlement.settle_due()


async def _ended(run: Running, bundles: list[Path]) -> Story:
    found = {each.ticket_id: each for each in _outcomes(run)}
    tasks, verdicts = {}, {}
    with run.database.transaction() as session:
        for ticket in EXPECTED:
            (tasks[ticket],) = tables.tasks_of_ticket(session, TENANT, ticket)
            outcome = found.get(ticket)
            verdict = verdict_of_claim(session, TENANT, outcome.id) if outcome else None
            if verdict is not None:
                verdicts[ticket] = verdict
        differences = reconcile(session, tenant=TENANT).differences
        credited = [note.outcome_id for note in list_credit_notes(session, tenant=TENANT)]
    tickets = {ticket: await run.helpdesk.get(ticket) for ticket in EXPECTED}
    subscriptions = {}
    for email in (each.requester.email for each in tickets.values()):
        found_items = (await _api(run, partial(_of, email)))["items"]
        subscriptions[email] = found_items[0] if found_items else {}
    return Story(
        tickets=tickets,
        tasks=tasks,
        outcomes=found,
        verdicts=verdicts,
        subscriptions=subscriptions,
        bundles=bundles,
        keys={f"{name}_key": run.state.key(name).public_key for name in ("vendor", "customer")},
        credited=credited,
        differences=differences,
    )


def test_each_ticket_ends_as_it_must(story: Story) -> None:
    assert {ticket: story.end(ticket) for ticket in EXPECTED} == EXPECTED


def test_the_answer_key_is_complete() -> None:
    tickets = read_tickets(SAAS / "tickets.jsonl").tickets
    assert [ticket.id for ticket in tickets] == list(EXPECTED)
    assert {each["ticket"] for each in CUSTOMERS} <= set(EXPECTED)
    languages = ["zh" if "\u4e00" <= ticket.messages[0][0] <= "\u9fff" else "en" for ticket in tickets]
    assert min(languages.count("en"), languages.count("zh")) >= 8


def test_the_invoices_are_issued_and_verified_in_yuan(story: Story) -> None:
    assert len(story.bundles) >= 2, "what is retained settles thirty days after the rest"
    charged = 0
    for bundle in story.bundles:
        found = verify_bundle(bundle, **story.keys)
        assert found.ok, [problem for check in found.checks for problem in check.problems]
        assert found.invoice is not None
        assert found.invoice.currency == "CNY"
        charged += found.invoice.total.minor
    assert charged == sum(end.amount_minor for end in EXPECTED.values())
    assert story.differences == ()
    assert story.credited == [], "what was reversed, was reversed before its invoice"


def test_a_retained_subscription_costs_a_share_of_what_the_record_says(story: Story) -> None:
    lines = [line for bundle in story.bundles for line in _lines(story, bundle)]
    retained = {line.unit.minor: line for line in lines if line.outcome_type == "subscription_retained"}
    assert sorted(retained) == [8_160, 19_584]
    assert story.outcomes["T-2014"].price == Money(minor=30_000, currency="CNY"), "a tenth would be 4,531.20"
    assert {line.basis for line in retained.values()} == {"10 % of after.offer.kept_minor, 5.00 to 300.00"}
    for ticket in ("T-2001", "T-2002", "T-2014"):
        offer = story.subscriptions[story.tickets[ticket].requester.email]["offer"]
        assert story.verdicts[ticket].value == Money(minor=offer["kept_minor"], currency="CNY")
        assert offer["state"] == "accepted"


def _lines(story: Story, bundle: Path) -> Any:
    invoice = verify_bundle(bundle, **story.keys).invoice
    assert invoice is not None
    return invoice.lines


def test_a_charge_whose_proof_is_undone_later_is_given_back(story: Story) -> None:
    outcome = story.outcomes["T-2014"]
    assert (outcome.state, outcome.code, outcome.invoice) == (OutcomeState.REVERSED, "proof_undone", None)
    undone = [ticket for ticket, each in story.outcomes.items() if each.code == "proof_undone"]
    assert sorted(undone) == ["T-2014", "T-2020"], "looking again takes back nothing else"


def test_the_later_proof_is_missed_by_who_cancelled_meanwhile(story: Story) -> None:
    outcome = story.outcomes["T-2020"]
    assert (outcome.state, outcome.code) == (OutcomeState.VOID, "proof_undone")
    assert outcome.settlement is not None
    assert outcome.settlement.code == "not_as_promised"
    assert outcome.verified_at is not None
    assert outcome.settle_at == outcome.verified_at + timedelta(days=30)


@pytest.mark.parametrize(
    ("ticket", "offers", "state", "status"),
    [
        ("T-2001", 1, "accepted", "active"),
        ("T-2003", 1, "open", "cancelled"),
        ("T-2004", 1, "open", "cancelled"),
        ("T-2005", 0, "none", "cancelled"),
        ("T-2006", 0, "none", "cancelled"),
        ("T-2012", 0, "accepted", "cancelled"),
        ("T-2015", 0, "none", "cancelled"),
        ("T-2017", 0, "none", "active"),
        ("T-2019", 1, "open", "active"),
        ("T-2020", 1, "accepted", "cancelled"),
    ],
)
def test_nobody_is_pestered(story: Story, ticket: str, offers: int, state: str, status: str) -> None:
    """One offer at most, none where the policy has none, and nothing happens to who did not decide."""
    one = story.subscriptions[story.tickets[ticket].requester.email]
    assert sum("20 %" in text or "20%" in text for text in story.said(ticket)[:1]) == offers
    assert sum("keep**" in text or "**保留**" in text for text in story.said(ticket)) == offers
    assert (one["offer"]["state"], one["status"]) == (state, status)


def test_a_plan_change_comes_to_the_difference_for_the_days_left(story: Story) -> None:
    for ticket, old, new in (("T-2007", 6_800 * 10, 11_800 * 10), ("T-2008", 11_800 * 6, 6_800 * 6)):
        one = story.subscriptions[story.tickets[ticket].requester.email]
        change = one["change"]
        assert one["price_minor"] == new
        assert change["due_minor"] == (new - old) * change["days_left"] // change["days"]
        told = Money(minor=abs(change["due_minor"]), currency="CNY").text()
        assert told in story.said(ticket)[0]
    assert story.subscriptions["emily.ross@example.org"]["status"] == "active"


@pytest.mark.parametrize(
    ("ticket", "quoted"),
    [
        ("T-2023", "Guests are free of charge and do not count as seats, on every plan."),
        ("T-2024", "如果手机丢失，请使用开启时显示的十个恢复码之一登录。"),
        ("T-2026", "即可将项目导出为电子表格或 JSON 文件。 [daochu-zh v2]"),
    ],
)
def test_a_question_is_answered_with_words_of_the_help_pages(story: Story, ticket: str, quoted: str) -> None:
    assert quoted in story.said(ticket)[0]


def test_each_reply_is_in_the_language_of_the_ticket(story: Story) -> None:
    for ticket in story.tickets.values():
        chinese = any("\u4e00" <= char <= "\u9fff" for char in ticket.messages[0].text)
        for text in story.said(ticket.id):
            assert ("您好" in text) == chinese, (ticket.id, text)


def test_it_runs_as_it_lies_in_a_clone(tmp_path: Path) -> None:
    """On the durable runtime, by the command that its README names."""
    taken = {"T-2001", "T-2005", "T-2024"}
    lines = (SAAS / "tickets.jsonl").read_text(encoding="utf-8").splitlines()
    few = tmp_path / "few.jsonl"
    few.write_text("\n".join(line for line in lines if json.loads(line)["id"] in taken), encoding="utf-8")
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "service.cli",
        "run",
        few,
        "--deployment",
        SAAS,
        "--state",
        tmp_path / "state",
    ]
    ran = subprocess.run([*command, "--no-browser", "--json"], cwd=SAAS.parents[1], capture_output=True, timeout=120)
    assert ran.returncode == 0, ran.stderr.decode()
    found = {line["ticket"]: (line["task_state"], line["verdict"]) for line in json.loads(ran.stdout)["tickets"]}
    assert found == {"T-2001": ("answered", ""), "T-2005": ("claimed", "passed"), "T-2024": ("claimed", "passed")}


ANSWERS = {
    "keep": ["keep", "Keep it please", "Hi, keep it then, 20 % off is fair.", "Yes, I would like to stay",
             "OK let's keep it", "保留", "好的，那就保留吧，谢谢", "可以，继续用吧"],
    "no": ["No thanks, please cancel it.", "no", "No. Cancel.", "不用了，还是取消吧", "还是取消"],
    "cancel": ["Please cancel it", "just cancel it then", "Cancel anyway!", "取消吧", "请取消吧"],
    "number": ["20417", "Keep or not, 20417 is the number", "It is 20417, thanks"],
    "": ["What would happen to our files?", "I do not want to keep it", "Don't keep it",
         "Keep the discount, just cancel", "不保留", "保留数据，订阅取消", "Nobody told me", "Cancelling", "取消订阅",
         "能不能再便宜一点？"],
}  # fmt: skip


@pytest.mark.parametrize(("meaning", "text"), [(meaning, text) for meaning, texts in ANSWERS.items() for text in texts])
def test_an_offer_is_decided_by_clear_words_alone(meaning: str, text: str) -> None:
    found = _answer().pattern.findall(text)
    assert len(found) == (meaning != "")
    for value in found:
        means = {
            "keep": any(word in value.casefold() for word in ("keep", "stay", "保留", "留下", "继续")),
            "no": value.casefold().startswith(("no", "不", "还是")),
            "cancel": "cancel" in value.casefold() or "取消" in value,
            "number": value == "20417",
        }
        assert means[meaning], value


@cache
def _answer() -> Input:
    procedure = next(each for each in load_deployment(SAAS).procedures if each.name == "cancel-subscription")
    return next(each for each in procedure.plan.inputs if each.name == "answer")
