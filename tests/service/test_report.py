"""The report: everything is in it, the money is the database's, and whatever strangers wrote stays inert."""

from __future__ import annotations

import asyncio
import json
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from playwright.sync_api import Page as Tab
from playwright.sync_api import sync_playwright
from pydantic import JsonValue

from agents import tables
from agents.claim import Claim
from agents.clock import ManualClock
from agents.evidence import Evidence, FileEvidenceStore
from agents.money import Money
from agents.receipt import Effect, Receipt, ReceiptState
from agents.task import Run, Task, TaskState
from agents.ticket import Author, Requester, Ticket
from billing import draft, invoices, keep_contract, list_credit_notes, load_contract, reconcile, record_claim
from billing.outcome import outcomes, record_verdict
from billing.transitions import OutcomeState
from evaluators import Finding, MemorySnapshots, MemorySource, Verifier
from evaluators.tables import save_verdict
from service.assembly import Running, running
from service.clock import OffsetClock
from service.database import Database
from service.deployment import State, make_state
from service.helpdesks.embedded import EmbeddedHelpdesk, NewTicket
from service.reasons import words
from service.report import gather, write_report
from service.shown import harmless, shown, took, value
from service.summary import TicketLine, outcome_lines, ticket_lines

RETAIL = Path(__file__).parents[2] / "examples" / "retail"
CHROMIUM = "/usr/bin/chromium"
CHROMIUM_ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run",
]  # fmt: skip
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
ACTIVE_TAGS = {"script", "iframe", "object", "embed", "form", "base", "audio", "video", "image", "use", "foreignobject"}
BLOCKS = {
    "div",
    "p",
    "td",
    "th",
    "tr",
    "li",
    "dt",
    "dd",
    "h1",
    "h2",
    "h3",
    "h4",
    "summary",
    "article",
    "time",
    "footer",
}
VOID_TAGS = {"meta", "link", "img", "input", "br", "path", "circle", "stop"}
TICKETS = ("T-1001", "T-1002", "T-1013", "T-1014")
CAME_BACK = "There is still no money on my card. This is NOT solved, please look into order 11874 again."
_MARKUP = '<script>window.pwned=1</script>"><img src=x onerror="window.pwned=1">${x}{{7*7}}'
HOSTILE = _MARKUP + "\x00\x1b[31m\u202eevil\u202c</style>"
HOSTILE_SHOWN = _MARKUP + "␀␛[31m⟨U+202E⟩evil⟨U+202C⟩</style>"
NOW = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)


@dataclass
class Page(HTMLParser):
    """A page taken apart: its elements, and the text of each ticket's row and of everything."""

    html: str
    elements: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    rows: dict[str, list[str]] = field(default_factory=dict)
    """The cells of every row of the list of tickets, by ticket."""
    text: str = ""
    style: str = ""

    def __post_init__(self) -> None:
        super().__init__()
        self._open: list[tuple[str, str]] = []
        self._cells: list[str] = []
        self.feed(self.html)
        self.close()
        assert self._open == [], "every element is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: text or "" for name, text in attrs}
        self.elements.append((tag, found))
        self.text += " " if tag in BLOCKS else ""
        if tag not in VOID_TAGS:
            self._open.append((tag, found.get("class", "")))
        if tag == "tr":
            self._cells = []
        if tag == "td":
            self._cells.append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: text or "" for name, text in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop()[0] == tag, f"</{tag}> closes another element"
        if tag == "tr" and ("table", "list") in self._open and self._cells:
            cells = [" ".join(cell.split()) for cell in self._cells]
            self.rows[cells[0]] = cells

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1][0] == "style":
            self.style += data
            return
        self.text += data
        if any(tag == "td" for tag, _ in self._open):
            self._cells[-1] += data

    @property
    def words(self) -> str:
        """All text, with single spaces."""
        return " ".join(self.text.split())

    def all(self, tag: str) -> list[dict[str, str]]:
        """The attributes of every such element."""
        return [attributes for name, attributes in self.elements if name == tag]


def reported(state: State) -> Page:
    """The report on ``state``, written and taken apart; inert whatever it shows."""
    page = Page(write_report(state, state.folder / "report.html").read_text(encoding="utf-8"))
    tags = {tag for tag, _ in page.elements}
    assert not tags & ACTIVE_TAGS
    for tag, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on")], tag
        for name in ("src", "href", "srcset", "action", "poster", "background", "xlink:href"):
            target = attributes.get(name, "#")
            assert target.startswith(("#", "data:")), (tag, target[:80])
        assert "url(" not in attributes.get("style", "")
    assert "@import" not in page.style
    assert set(re.findall(r"url\(([^)]*)\)", page.style)) == {"#fade"}
    policies = [each["content"] for each in page.all("meta") if each.get("http-equiv") == "Content-Security-Policy"]
    assert len(policies) == 1
    assert policies[0].startswith(POLICY)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", page.html)
    anchors = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    for link in page.all("a"):
        assert link["href"][1:] in anchors
    return page


def opened(state: State) -> Database:
    """The state's database."""
    database = Database(state.database_url(""))
    database.upgrade()
    return database


# A state that the desk made: real tools, real evaluators, a real back office, no browser.


async def _play(state: State) -> None:
    async with running(state, browser=False) as run:
        _sign(run)
        for line in (RETAIL / "tickets.jsonl").read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            if row["id"] in TICKETS:
                requester = Requester(**row["requester"])
                run.embedded.open(
                    NewTicket(
                        id=row["id"],
                        requester=requester,
                        subject=row["subject"],
                        messages=row["messages"],
                        tags=row["tags"],
                    )
                )
                await run.desk.notice(row["id"])
        await run.desk.idle()
        words = "Moment mal, das ist für mich nicht erledigt! Auf meinem Konto ist nichts angekommen, bitte prüfen."
        await _write(run, "T-1014", words)
        run.clock.move_to(run.clock.now() + timedelta(days=4))
        await run.settlement.settle_due()
        run.clock.move_to(run.clock.now() + timedelta(days=20))
        while not run.settlement.close_periods():
            run.clock.move_to(run.clock.now() + timedelta(days=4))
        await _write(run, "T-1001", CAME_BACK)


def _sign(run: Running) -> None:
    key = run.state.key("evaluator").public_key
    since = run.clock.now() - timedelta(days=1)
    signed = draft(run.deployment.contract_source, evaluator_key=key, in_force_from=since)
    with run.database.transaction() as session:
        keep_contract(
            session, tenant="acme", signed=signed.sign(run.state.key("vendor")).sign(run.state.key("customer"))
        )


async def _write(run: Running, ticket_id: str, text: str) -> None:
    run.embedded.write(ticket_id, text, key=f"{ticket_id}:again", author=Author.REQUESTER)
    await run.desk.notice(ticket_id)
    await run.desk.idle()


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> State:
    """Four tickets to their end: one credited, one charged, one handed off, one void."""
    state = make_state(tmp_path_factory.mktemp("worked") / ".settle", RETAIL)
    asyncio.run(_play(state))
    return state


@pytest.fixture(scope="module")
def page(worked: State) -> Page:
    """The report on it."""
    return reported(worked)


def _lines(state: State) -> dict[str, TicketLine]:
    database = opened(state)
    tickets = EmbeddedHelpdesk(database, "acme", OffsetClock(state.folder / "clock")).list()
    lines = {line.ticket: line for line in ticket_lines(database, "acme", "USD", tickets)}
    database.close()
    return lines


def test_every_ticket_is_there_with_its_detail(worked: State, page: Page) -> None:
    lines = _lines(worked)
    assert list(page.rows) == list(lines) == list(TICKETS)
    database = opened(worked)
    for ticket in EmbeddedHelpdesk(database, "acme", OffsetClock(worked.folder / "clock")).list():
        cells = page.rows[ticket.id]
        assert cells[1] == " ".join(ticket.subject.split())
        assert cells[3] == lines[ticket.id].happened
        assert cells[4] == lines[ticket.id].verdict
        for message in ticket.messages:
            assert " ".join(message.text.split()) in page.words
    database.close()
    assert [row[2] for row in page.rows.values()] == ["English", "German", "English", "German"]
    assert "internal note, the requester never sees it" in page.words
    assert "no procedure fits" in page.rows["T-1013"][6]
    assert "the requester came back before it settled" in page.rows["T-1014"][6]
    assert "the requester came back about the same subject" in page.rows["T-1001"][6]


def test_the_amounts_are_the_databases(worked: State, page: Page) -> None:
    database = opened(worked)
    lines = outcome_lines(database, "acme", "USD")
    for line in lines:
        charge = page.rows[line.ticket][6]
        amount = Money(minor=line.amount_minor, currency="USD").text()
        assert (charge == amount) if line.amount_minor else (charge != amount)
    with database.transaction() as session:
        found = reconcile(session, tenant="acme")
        issued = invoices(session, tenant="acme")
        notes = list_credit_notes(session, tenant="acme")
    database.close()
    total = Money(minor=sum(line.amount_minor for line in lines), currency="USD")
    assert found.ok
    assert found.charged == {"USD": total.minor}
    assert total.minor == 29
    assert f"4 tickets, 3 proven outcomes, {total.text()} charged" in page.words
    assert page.words.count(f"{total.text()} Charged outcomes = {total.text()} Revenue in the ledger =") == 1
    assert [invoice.total.minor for invoice in issued] == [128]
    assert [note.amount.minor for note in notes] == [99]
    credit = f"Credit notes −{notes[0].amount.text()}"
    assert f"Total {issued[0].total.text()} {credit} Left to pay {total.text()}" in page.words
    assert f"CN-0001 T-1001, refund issued (line {notes[0].line})" in page.words
    assert "settle verify-invoice .settle/invoices/INV-0001" in page.words
    assert "checked for this report: all is well" in page.words
    assert all(term in page.words for term in issued[0].terms)
    assert "That the system of record told the truth" in page.words


def test_the_flow_counts_everybody(worked: State) -> None:
    view = gather(worked)
    assert [(stage.name, stage.count) for stage in view.stages] == [
        ("Tickets", 4), ("Claims", 3), ("Verified", 3), ("Settled", 2), ("Invoiced", 2),
    ]  # fmt: skip
    assert [[(one.count, one.name) for one in stage.exits] for stage in view.stages] == [
        [(1, "handed to people")], [], [(1, "void before settlement")], [], [(1, "reversed by credit note")],
    ]  # fmt: skip
    for before, after in zip(view.stages, view.stages[1:], strict=False):
        assert before.count == after.count + sum(one.count for one in before.exits)
    values = {figure.name: (figure.value, figure.unit) for figure in view.figures}
    assert values["Charged"] == ("0.29", "USD")
    assert values["Per proven outcome"] == ("0.10", "USD"), "29 cents over 3, rounded to the cent"
    assert values["Reversed or void"] == ("2", "")
    assert values["Handed to people"] == ("3", "")


def test_one_verdict_stands_there_in_full(worked: State, page: Page) -> None:
    proof = gather(worked).proof
    assert proof is not None
    assert (proof.ticket, proof.verdict.evidence_class, proof.verdict.sound, proof.again_same) == (
        "T-1001", "effect_verified", True, True,
    )  # fmt: skip
    assert [(each.name, each.answer) for each in proof.expressions] == [
        ("belongs_to", "yes"), ("became", "yes"), ("by", "yes"),
    ]  # fmt: skip
    rows = {row.field: row for row in proof.verdict.changes.rows}
    assert rows["refunded_minor"].changed
    assert (rows["refunded_minor"].before.text, rows["refunded_minor"].after.text) == (
        "0 = 0.00 USD",
        "3490 = 34.90 USD",
    )
    assert not rows["total_minor"].changed
    assert rows["total_minor"].read_by == ("became",)
    assert proof.verdict.changes.others > 0
    assert dict(proof.fields)["finding"].text == "passed"
    assert proof.signed_sha256 in page.words
    assert "after.refunded_minor - before.refunded_minor == before.total_minor" in page.words


def test_writing_again_replaces_the_file(worked: State, tmp_path: Path) -> None:
    target = tmp_path / "new" / "report.html"
    assert write_report(worked, target) == target
    first = target.stat().st_ino
    write_report(worked, target)
    assert target.stat().st_ino != first, "whole or not at all: another file took its place"
    assert list(target.parent.iterdir()) == [target]


# States made by hand: what no honest desk would leave behind.


@pytest.fixture
def state(tmp_path: Path) -> State:
    """A state in which nothing happened."""
    return make_state(tmp_path / ".settle", RETAIL)


def test_an_empty_state_renders(state: State) -> None:
    page = reported(state)
    assert page.rows == {}
    assert "0 tickets, 0 proven outcomes, 0.00 USD charged" in page.words
    for sentence in ("No ticket has come in yet", "No verdict has been signed", "No invoice has been issued"):
        assert sentence in page.words
    assert "not signed by both sides" in page.words


def open_ticket(state: State, number: int = 1, **changes: str) -> Task:
    """A ticket with its task, as strangers may write one."""
    database = opened(state)
    name, subject, text = (changes.get(key, "hello") for key in ("name", "subject", "text"))
    requester = Requester(email=changes.get("email", "anna@example.com"), name=name)
    ticket = NewTicket(id=f"H-{number}", requester=requester, subject=subject, messages=[text], tags=[subject])
    EmbeddedHelpdesk(database, "acme", ManualClock(NOW)).open(ticket)
    task = Task(
        tenant="acme", id=f"H-{number}:task-1", ticket_id=f"H-{number}", requester=requester, language="en",
        opened_at=NOW, state=TaskState.HANDED_OFF, reason=changes.get("reason", "no_procedure"), detail=text,
    )  # fmt: skip
    run = Run(tenant="acme", id=f"{task.id}:run-1", task_id=task.id, procedure=changes.get("name", "refund@1"), job=1)
    with database.transaction() as session:
        tables.save_task(session, task)
        tables.save_run(session, run, "0" * 64)
    database.close()
    return task


def add_receipt(state: State, task: Task, *evidence: Evidence, text: str = "done", state_: str = "done") -> Receipt:
    """A receipt of a browser's work, with its screenshots."""
    receipt = Receipt(
        tenant="acme", key=f"{task.id}:{text[:200]}", task_id=task.id, run_id=f"{task.id}:run-1", step=text,
        tool="back_office.refund", tool_version="1", effect=Effect.IRREVERSIBLE,
        args={text: text, "amount": {"minor": 5, "currency": "USD"}},
        args_sha256="0" * 64, procedure="refund@1", state=ReceiptState(state_),
        result={"said": [text, {"minor": 1.5}]},
        error=text, started_at=NOW, finished_at=NOW + timedelta(milliseconds=1250), evidence=evidence,
    )  # fmt: skip
    database = opened(state)
    with database.transaction() as session:
        tables.finish_receipt(session, receipt)
    database.close()
    return receipt


def png(shade: int) -> bytes:
    """A real PNG of 8 x 8 pixels in one grey."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    pixels = zlib.compress(b"".join(b"\0" + bytes([shade]) * 8 for _ in range(8)))
    header = struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def screenshot(state: State, shade: int, label: str = "order 1 before") -> Evidence:
    """A stored screenshot."""
    return FileEvidenceStore(state.evidence).put(png(shade), media_type="image/png", label=label)


def test_hostile_words_are_inert(state: State) -> None:
    task = open_ticket(state, name=HOSTILE, subject=HOSTILE, text=HOSTILE, email=HOSTILE, reason=HOSTILE)
    add_receipt(state, task, screenshot(state, 9, HOSTILE), text=HOSTILE)
    page = reported(state)
    assert page.rows["H-1"][1] == HOSTILE_SHOWN
    assert page.words.count(HOSTILE_SHOWN) > 6
    assert len(page.all("img")) == 1
    assert page.all("img")[0]["alt"] == HOSTILE_SHOWN


def test_long_words_are_cut_and_their_length_is_said(state: State) -> None:
    open_ticket(state, subject="x" * 102_400, text="y" * 50_000)
    page = reported(state)
    assert page.rows["H-1"][1] == "x" * 160 + " … cut here, 102,400 characters in all"
    assert "y" * 6_000 + "… cut here, 50,000 characters in all" in page.words
    assert "x" * 161 not in page.html
    assert len(page.html) < 120_000


def test_a_screenshot_is_embedded_once(state: State) -> None:
    before, after = screenshot(state, 10), screenshot(state, 200, "order 1 after the refund")
    add_receipt(state, open_ticket(state, 1), before, after)
    add_receipt(state, open_ticket(state, 2), before)
    page = reported(state)
    assert [each["alt"] for each in page.all("img")] == ["order 1 before", "order 1 after the refund"]
    assert len({each["src"] for each in page.all("img")}) == 2
    assert "The same picture stands at another place." in page.words
    assert {"href": "#picture-1"} in page.all("a")
    assert "0.05 USD" in page.words
    assert "1.25 s" in page.words


def test_evidence_that_is_missing_or_altered_is_said_to_be(state: State) -> None:
    altered = screenshot(state, 10)
    (state.evidence / altered.sha256[:2] / altered.sha256).write_bytes(png(11))
    store = FileEvidenceStore(state.evidence)
    drawing = store.put(b"<svg onload='x'/>", media_type="image/svg+xml", label="a drawing")
    liar = store.put(b"<script>", media_type="image/png", label="no picture")
    other = Evidence(sha256="../../etc/passwd", media_type="image/png", label="no name")
    gone = Evidence(sha256="f" * 64, media_type="image/png", label="gone")
    add_receipt(state, open_ticket(state), altered, drawing, liar, other, gone)
    page = reported(state)
    assert page.all("img") == []
    assert "the stored bytes were altered" in page.words
    assert page.words.count("nothing is stored under this name") == 1
    assert page.words.count("that browsers draw") == 2
    assert page.words.count("This screenshot cannot be shown") == 5


async def _lie(state: State) -> None:
    """A claim of a refund that never happened, with a receipt that says it did."""
    clock, evidence = ManualClock(NOW + timedelta(minutes=5)), FileEvidenceStore(state.evidence)
    task = open_ticket(state, text="My mug from order 10482 is broken. I want a refund.")
    receipt = add_receipt(state, task, text="refund")
    claim = Claim(
        tenant="acme", id=f"{task.id}:claim", task_id=task.id, run_id=receipt.run_id, ticket_id=task.ticket_id,
        requester_email=task.requester.email, outcome_type="refund_issued", subject="order:10482",
        procedure="refund@1", reply="We refunded 34.90 USD.", language="en", receipts=(receipt.key,),
        made_at=NOW + timedelta(minutes=2),
    )  # fmt: skip
    source, contract = load_contract(RETAIL / "contracts" / "acme-2026.yaml")
    signed = draft(source, evaluator_key=state.key("evaluator").public_key, in_force_from=NOW - timedelta(days=1))
    signed = signed.sign(state.key("vendor")).sign(state.key("customer"))
    record = MemorySource(clock=clock)
    order: dict[str, JsonValue] = {
        "customer_email": "anna@example.com",
        "currency": "USD",
        "total_minor": 3490,
        "refunded_minor": 0,
    }
    record.put("order", "10482", {**order, "refund_reference": HOSTILE})
    key = state.key("evaluator")
    verifier = Verifier(
        sources={"acme_back_office": record}, snapshots=MemorySnapshots(), evidence=evidence, key=key, clock=clock
    )
    database = opened(state)
    ticket: Ticket = await EmbeddedHelpdesk(database, "acme", clock).get(task.ticket_id)
    verdict = await verifier.verify(
        claim,
        terms=contract.outcomes["refund_issued"],
        contract=contract.reference,
        contract_sha256=signed.sha256,
        ticket=ticket,
        receipts=[receipt],
    )
    assert verdict.finding is Finding.FAILED
    with database.transaction() as session:
        keep_contract(session, tenant="acme", signed=signed)
        tables.save_claim(session, claim)
        record_claim(session, claim, now=clock.now())
        save_verdict(session, verdict)
        record_verdict(session, claim, verdict, signed, ticket_opened_at=NOW, ticket_tags=(), now=clock.now())
    database.close()


def test_a_lie_is_shown_as_one_and_costs_nothing(state: State) -> None:
    asyncio.run(_lie(state))
    page = reported(state)
    assert page.rows["H-1"][4] == "failed"
    assert page.rows["H-1"][6].startswith("rejected: ")
    assert "1 ticket, 0 proven outcomes, 0.00 USD charged" in page.words
    proof = gather(state).proof
    assert proof is not None
    assert (proof.verdict.finding, proof.verdict.evidence_class, proof.verdict.sound) == ("failed", "", True)
    assert proof.again_same
    database = opened(state)
    with database.transaction() as session:
        assert [one.state for one in outcomes(session, tenant="acme")] == [OutcomeState.REJECTED]
    database.close()


def test_a_verdict_whose_evidence_is_lost_still_renders(state: State) -> None:
    asyncio.run(_lie(state))
    for blob in state.evidence.glob("*/*"):
        blob.write_bytes(b"altered")
    page = reported(state)
    assert "The stored records cannot be shown" in page.words
    assert "It cannot be examined again" in page.words
    assert "not evaluated again" in page.words


def test_text_is_shown_harmlessly() -> None:
    assert (
        harmless("a\r\nb\tc\x07\x7f\x9b\u2066\ufeff\U000e0041\ud800")
        == "a\nb\tc␇␡⟨U+009B⟩⟨U+2066⟩⟨U+FEFF⟩⟨U+E0041⟩⟨U+D800⟩"
    )
    assert harmless("👩\u200d🔧 王晓明 Straße") == "👩\u200d🔧 王晓明 Straße"
    assert (shown("abc", 2).text, shown("abc", 2).cut, shown("abc", 3).cut) == ("ab", True, False)
    assert value({"minor": 123450, "currency": "USD"}).text == "1,234.50 USD"
    assert value({"paid": [{"minor": 5, "currency": "JPY"}]}).text == '{"paid": ["5 JPY"]}'
    assert value({"minor": 1, "currency": "<b>"}).text == '{"minor": 1, "currency": "<b>"}'
    assert value({"minor": True, "currency": "USD"}).text == '{"minor": true, "currency": "USD"}'
    assert took(NOW, NOW + timedelta(days=1, milliseconds=56)) == "86400.05 s"
    assert took(NOW, None) == ""
    assert words("some_new_code") == "some new code"


# And as people see it.


@pytest.fixture(scope="module")
def tab() -> Iterator[Tab]:
    """A tab of a real Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGUMENTS)
        yield browser.new_page(viewport={"width": 1280, "height": 900})
        browser.close()


def test_chromium_shows_it_without_a_complaint(state: State, tab: Tab) -> None:
    complaints: list[str] = []
    requests: list[str] = []
    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("dialog", lambda dialog: complaints.append(dialog.message))
    tab.on("request", lambda request: requests.append(request.url))
    for number in (1, 2):
        task = open_ticket(state, number, name=HOSTILE, subject=HOSTILE, text=HOSTILE, reason=HOSTILE)
        add_receipt(state, task, screenshot(state, number), screenshot(state, 100 + number), text=f"{HOSTILE}{number}")
    path = write_report(state, state.folder / "report.html")

    tab.goto(path.as_uri())
    sizes = tab.evaluate(
        "Promise.all([...document.images].map(image => image.decode().then(() => image.naturalWidth)))"
    )
    assert sizes == [8, 8, 8, 8]
    assert tab.evaluate("window.pwned") is None
    tab.click("a[href='#ticket-2']")
    assert tab.locator("#ticket-2").is_visible(), "a link to a closed detail opens it"
    picture = tab.locator("#ticket-2 .shot img").first
    tab.locator("#ticket-2 .shot summary").first.click()
    large = picture.bounding_box()
    assert large is not None
    assert tab.locator("#ticket-2 .shot summary").first.bounding_box() == {"x": 0, "y": 0, "width": 1280, "height": 900}
    tab.set_viewport_size({"width": 420, "height": 900})
    assert tab.evaluate("document.documentElement.scrollWidth") <= 420
    assert complaints == []
    assert [url[:5] for url in requests if not url.startswith("data:")] == ["file:"]


def test_chromium_shows_the_worked_tickets(worked: State, tab: Tab) -> None:
    complaints: list[str] = []
    tab.on("console", lambda message: complaints.append(message.text))
    tab.set_viewport_size({"width": 1280, "height": 900})
    tab.goto(write_report(worked, worked.folder / "report.html").as_uri())
    assert tab.locator(".list tbody tr:visible").count() == len(TICKETS)
    tab.locator("label[for=only-charged]").click()
    assert tab.locator(".list tbody tr:visible").count() == 1
    assert complaints == []
