"""Four beats, each a promise put to the test: a lie, a reopening, a changed byte, a SIGKILL."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from agents import tables
from agents.canonical import plain
from agents.money import Money
from agents.ticket import Author
from agents.tools import Toolbox, ToolContext
from billing import list_credit_notes, verify_bundle
from billing.outcome import find_outcome
from evaluators.tables import verdict_of_claim
from service.assembly import Running, running
from service.demo.play import demo_state, ending, invoice, let_settle, retail_example, work
from service.demo.script import Script
from service.deployment import State

REFUND = "T-1003"
"""A plain refund, for the lie and for the reopening."""
SLICE = ("T-1001", "T-1004", "T-1007", "T-1013")
"""Two refunds, one of them reopened after it settled, a cancellation, and a question for a person."""
KILL_AT = (("effect.called", 1), ("verdict.signed", 2), ("outcome.settled", 1), ("invoice.issued", 1))


async def lie(folder: Path, console: Console, *, browser: bool) -> bool:
    """A lying agent claims a refund that it never made: the charge is 0.00, and the verdict says why."""
    state = _fresh(folder)

    async def pretend(ctx: ToolContext, order_id: str, amount: Money) -> dict[str, object]:
        return {"order_id": order_id, "amount": plain(amount), "reference": ctx.key, "via": "browser"}

    def lying(toolbox: Toolbox) -> Toolbox:
        return Toolbox(
            replace(tool, function=pretend) if tool.name == "back_office.refund" else tool for tool in toolbox
        )

    script = Script(retail_example(), (REFUND,))
    async with running(state, browser=browser, tools=lying) as run:
        await work(run, script)
        await let_settle(run, script)
        invoice(run)
        end = ending(run)
        ticket = await run.helpdesk.get(REFUND)
        with run.database.transaction() as session:
            verdict = verdict_of_claim(session, run.deployment.settings.tenant, f"{REFUND}:task-1:claim")
    assert verdict is not None, "the agent claimed"
    said = next(message.text for message in ticket.messages if message.author is Author.AGENT)
    console.print(f"The agent wrote to the customer:\n[dim]{said}[/]\n", highlight=False)
    console.print(f"The agent's receipt says {REFUND} was refunded. The evaluators looked for themselves:")
    for check in verdict.checks:
        console.print(f"  {check.check}: {check.finding.value} ({check.code}) {check.reason}", highlight=False)
    console.print(
        f"\nVerdict: {verdict.finding.value}, {verdict.code}. Charge: [bold]{end.charged}[/]", highlight=False
    )
    return verdict.code == "state_unchanged" and end.charged.minor == 0 and not end.problems


async def reopen(folder: Path, console: Console, *, browser: bool) -> bool:
    """The customer reopens after the invoice: the charge is reversed, and a credit note is issued by itself."""
    state = _fresh(folder)
    script = Script(retail_example(), (REFUND,))
    async with running(state, browser=browser) as run:
        await work(run, script)
        await let_settle(run, script)
        invoice(run)
        before = ending(run)
        console.print(f"Invoiced: {before.invoiced} ({before.bundles[0].name})", highlight=False)
        text = "Das ist nicht erledigt, das Geld ist nie angekommen. Bitte prüfen Sie das noch einmal."
        console.print(f"The customer writes: [dim]{text}[/]", highlight=False)
        run.embedded.write(REFUND, text, key=f"{REFUND}:reopened", author=Author.REQUESTER)
        await run.desk.notice(REFUND)
        await run.desk.idle()
        run.settlement.write_bundle(before.bundles[0].name)
        after = ending(run)
        tenant = run.deployment.settings.tenant
        with run.database.transaction() as session:
            outcome = find_outcome(session, tenant=tenant, outcome_id=f"{REFUND}:task-1:claim")
            notes = list_credit_notes(session, tenant=tenant)
    console.print(f"Outcome: {outcome.state.value}, {outcome.code}")
    for note in notes:
        console.print(f"Credit note {note.number} on {note.invoice}: -{note.amount}", highlight=False)
    totals = f"Outcomes {after.charged}, ledger {after.ledger}, invoices less credit notes {after.invoiced}"
    console.print(f"[bold]{totals}[/]", highlight=False)
    return len(notes) == 1 and after.invoiced.minor == 0 < before.invoiced.minor and not after.problems


async def tamper(folder: Path, console: Console, *, browser: bool) -> bool:
    """One byte of the evidence is changed: verification names the file, and what rests on it.

    The bundle is the demo's own where one was issued already.
    """
    issued = sorted((folder.parents[1] / "invoices").glob("INV-*"))
    bundle = issued[0] if issued else None
    if bundle is None:
        state = _fresh(folder)
        script = Script(retail_example(), (REFUND,))
        async with running(state, browser=browser) as run:
            await work(run, script)
            await let_settle(run, script)
            invoice(run)
            bundle = ending(run).bundles[0]
    copy = folder / "altered" / bundle.name
    if copy.exists():
        shutil.rmtree(copy)
    shutil.copytree(bundle, copy)
    console.print(f"The bundle as it was issued: {'verifies' if verify_bundle(bundle).ok else 'FAILS'}")
    verdict = json.loads((copy / "verdicts.jsonl").read_text().splitlines()[0])
    evidence = copy / "evidence" / verdict["after"]["sha256"]
    data = bytearray(evidence.read_bytes())
    data[len(data) // 2] ^= 1
    evidence.write_bytes(bytes(data))
    console.print(f"One bit of one byte changed in evidence/{evidence.name}", highlight=False)
    result = verify_bundle(copy)
    found = [f"{check.name}: {problem}" for check in result.checks for problem in check.problems]
    for problem in found:
        console.print(f"  [red]{problem}[/]", highlight=False)
    return not result.ok and any(evidence.name in problem for problem in found)


async def crash(folder: Path, console: Console, *, browser: bool) -> bool:
    """The demo is killed with SIGKILL, again and again, and started again: the same cents, no refund twice."""
    undisturbed = _fresh(folder / "undisturbed")
    _play(undisturbed, "-", 0, browser=browser)
    wanted = await _books(undisturbed)
    console.print(f"Undisturbed: {wanted[0]} charged, {sum(wanted[1].values())} changes in the back office")
    killed = _fresh(folder / "killed")
    for moment, number in KILL_AT:
        code = _play(killed, moment, number, browser=browser)
        how = "SIGKILL" if code == -signal.SIGKILL else f"exit {code}"
        console.print(f"  {how} at {moment} number {number}, started again", highlight=False)
        if code != -signal.SIGKILL:
            return False
    _play(killed, "-", 0, browser=browser)
    found = await _books(killed)
    console.print(f"[bold]Killed {len(KILL_AT)} times: {found[0]} charged, {sum(found[1].values())} changes[/]")
    return found == wanted and all(count == 1 for count in found[1].values())


def _play(state: State, moment: str, number: int, *, browser: bool) -> int:
    command = [sys.executable, "-m", "service.demo.killed", str(state.folder), moment, str(number), *SLICE]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    if not browser:
        command.append("--no-browser")
    return subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=False).returncode


async def _books(state: State) -> tuple[str, Counter[str]]:
    """What is charged, and how often each change stands in the back office, by its reference."""
    async with running(state, browser=False) as run:
        references = await _references(run)
        return str(ending(run).charged), references


async def _references(run: Running) -> Counter[str]:
    counts: Counter[str] = Counter()
    tenant = run.deployment.settings.tenant
    with run.database.transaction() as session:
        made = [
            one for task in tables.tasks(session, tenant) for one in tables.receipts_of_task(session, tenant, task.id)
        ]
    for receipt in made:
        if receipt.changes_record:
            order: Any = await run.sources["acme_back_office"].read("order", str(receipt.args["order_id"]))
            refunds = [refund["reference"] for refund in order["refunds"]]
            counts[receipt.key] += [*refunds, order["cancel_reference"], order["address_reference"]].count(receipt.key)
    return counts


def _fresh(folder: Path) -> State:
    if folder.exists():
        shutil.rmtree(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    return demo_state(folder)[0]
