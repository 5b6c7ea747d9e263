"""The questions that a bundle's papers must answer: pure functions that name every problem they find."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise

from agents.canonical import fingerprint
from agents.claim import Claim
from agents.errors import EvidenceMissing
from agents.evidence import EvidenceStore
from agents.money import Money
from agents.receipt import Receipt
from billing import ledger
from billing.bundle import Papers, receipts_behind
from billing.contract import Contract
from billing.credit_notes import REASONS
from billing.episode import normalised_email
from billing.errors import BillingError, InvalidAmount
from billing.invoice import terms_of
from billing.ledger import JournalEntry, Posting
from billing.money import total
from billing.outcome import Outcome
from billing.periods import month
from billing.pricing import Billable, price, rate
from billing.transitions import OutcomeState, is_legal
from evaluators.panel import examine
from evaluators.verdict import Finding, Verdict
from evaluators.verification import VERIFIER_VERSION, rebuilt_case


def verdict_problems(papers: Papers) -> Iterator[str]:
    """Every verdict is the evaluators', and about its claim as it was made, under this contract."""
    yield from _repeated("claim", (claim.id for claim in papers.claims))
    yield from _repeated("verdict on claim", (verdict.claim_id for verdict in papers.verdicts))
    claims = {claim.id: claim for claim in papers.claims}
    signed = papers.contract
    for verdict in papers.verdicts:
        if not verdict.authentic(signed.evaluator_key):
            yield f"verdict {verdict.id} is not signed by the evaluators' key that the contract names"
        if (verdict.contract, verdict.contract_sha256) != (signed.reference, signed.sha256):
            yield f"verdict {verdict.id} tested other terms: {verdict.contract}"
        claim = claims.get(verdict.claim_id)
        if claim is None:
            yield f"verdict {verdict.id} is about claim {verdict.claim_id}, which is not in the bundle"
        elif verdict.claim_sha256 != fingerprint(claim):
            yield f"verdict {verdict.id} is about another text of claim {claim.id}: their fingerprints differ"
        else:
            for name in ("tenant", "task_id", "ticket_id", "requester_email", "outcome_type", "subject"):
                if getattr(verdict, name) != getattr(claim, name):
                    yield f"verdict {verdict.id} names another {name} than claim {claim.id}"


def examination_problems(papers: Papers, contract: Contract, evidence: EvidenceStore) -> Iterator[str]:
    """Examining the stored evidence again gives what each verdict says."""
    claims = {claim.id: claim for claim in papers.claims}
    receipts: dict[str, list[Receipt]] = defaultdict(list)
    for receipt in papers.receipts:
        receipts[receipt.task_id].append(receipt)
    for verdict in papers.verdicts:
        terms = contract.outcomes.get(verdict.outcome_type)
        claim = claims.get(verdict.claim_id)
        if terms is None or claim is None:
            yield f"verdict {verdict.id} cannot be examined again: its terms or its claim are missing"
            continue
        if verdict.verifier_version != VERIFIER_VERSION:
            versions = f"it was found by {verdict.verifier_version}, here is {VERIFIER_VERSION}"
            yield f"verdict {verdict.id} cannot be examined again: {versions}"
            continue
        try:
            case = rebuilt_case(verdict, claim, receipts_behind(verdict, receipts[verdict.task_id]), evidence)
            again = examine(case, terms)
        except (EvidenceMissing, ValueError) as error:
            yield f"verdict {verdict.id} cannot be examined again: {error}"
            continue
        found = (again.finding, again.evidence_class, again.code)
        if found != (verdict.finding, verdict.evidence_class, verdict.code):
            yield (
                f"verdict {verdict.id} says {verdict.finding} ({verdict.code}); "
                f"examined again it is {again.finding} ({again.code})"
            )
        elif again.value != verdict.value:
            yield f"verdict {verdict.id} says a value of {verdict.value}; on its evidence it is {again.value}"


def charge_problems(papers: Papers, contract: Contract) -> Iterator[str]:
    """Every outcome on the invoice was verified, waited, settled in the period and has the right price."""
    yield from _repeated("outcome", (outcome.id for outcome in papers.outcomes))
    charges = [outcome_id for line in papers.invoice.lines for outcome_id in line.outcomes]
    yield from _repeated("charge of outcome", charges)
    on_lines = set(charges)
    listed = {each.outcome_id: each for each in papers.invoice.reversed}
    outcomes = {outcome.id: outcome for outcome in papers.outcomes}
    claims = {claim.id: claim for claim in papers.claims}
    verdicts = {verdict.claim_id: verdict for verdict in papers.verdicts}
    for missing in sorted((on_lines | listed.keys()) - outcomes.keys()):
        yield f"outcome {missing} is on the invoice and not in outcomes.jsonl"
    for outcome in papers.outcomes:
        if outcome.id in on_lines:
            if outcome.invoice != papers.invoice.number:
                yield f"outcome {outcome.id} says it is on {outcome.invoice}"
            if outcome.state not in (OutcomeState.INVOICED, OutcomeState.REVERSED):
                yield f"outcome {outcome.id} is charged and {outcome.state}"
        elif outcome.id in listed:
            entry = listed[outcome.id]
            if outcome.invoice is not None or outcome.state is not OutcomeState.REVERSED:
                yield f"outcome {outcome.id} is listed as reversed before the invoice and is {outcome.state}"
            if (entry.outcome_type, entry.code, entry.at) != (
                outcome.outcome_type,
                outcome.code,
                outcome.reversed_at,
            ):
                yield f"outcome {outcome.id} was reversed in another way than the invoice lists"
        else:
            yield f"outcome {outcome.id} is not on the invoice"
        verdict = verdicts.get(outcome.id)
        for problem in (
            *_origin(papers, outcome, claims.get(outcome.id), verdict),
            *_settlement(papers, contract, outcome, verdict),
        ):
            yield f"outcome {outcome.id}: {problem}"


def episode_problems(papers: Papers, contract: Contract) -> Iterator[str]:
    """At most one unreversed charge per Episode among the outcomes of this invoice."""
    live: dict[tuple[str, str, str], list[Outcome]] = defaultdict(list)
    for outcome in papers.outcomes:
        if outcome.state is OutcomeState.INVOICED and outcome.verified_at and outcome.settled_at:
            live[outcome.requester, outcome.outcome_type, outcome.subject].append(outcome)
    for (requester, outcome_type, subject), charges in live.items():
        charges.sort(key=lambda outcome: (outcome.settled_at, outcome.id))
        for first, second in pairwise(charges):
            assert first.settled_at is not None
            assert second.verified_at is not None
            if second.verified_at <= first.settled_at + contract.reverse_on.within:
                yield (
                    f"outcomes {first.id} and {second.id} charge one Episode twice: "
                    f"{outcome_type} of {subject} for {requester}"
                )


def ledger_problems(papers: Papers) -> Iterator[str]:
    """The tenant's chain is whole and each entry sums to zero."""
    yield from ledger.verify_chain(papers.ledger)
    if any(entry.tenant != papers.invoice.tenant for entry in papers.ledger):
        yield f"the ledger is not that of {papers.invoice.tenant}"


def rating_problems(papers: Papers, contract: Contract) -> Iterator[str]:
    """The invoice is what the contract makes of its outcomes, to the cent."""
    invoice = papers.invoice
    types = {outcome.id: outcome.outcome_type for outcome in papers.outcomes}
    values = {verdict.claim_id: verdict.value for verdict in papers.verdicts}
    ids = [outcome_id for line in invoice.lines for outcome_id in line.outcomes]
    facts = (Billable(outcome_id=i, outcome_type=types[i], value=values.get(i)) for i in ids if i in types)
    try:
        lines = rate(facts, contract)
        amount = total((line.amount for line in lines), contract.currency)
    except BillingError as error:
        yield f"the outcomes cannot be rated again: {error}"
        return
    for number in range(max(len(lines), len(invoice.lines))):
        ours = lines[number] if number < len(lines) else None
        theirs = invoice.lines[number] if number < len(invoice.lines) else None
        if ours != theirs:
            shown = f"{theirs.quantity} x {theirs.unit} = {theirs.amount}" if theirs else "nothing"
            expected = f"{ours.quantity} x {ours.unit} = {ours.amount}" if ours else "nothing"
            yield f"line {number + 1} says {shown}; rated again it is {expected}"
    if invoice.total != amount:
        yield f"the total says {invoice.total}; rated again it is {amount}"
    yield from _heading_problems(papers, contract)


def agreement_problems(papers: Papers, contract: Contract) -> Iterator[str]:
    """The ledger holds exactly what outcomes, invoice and credit notes say."""
    invoice = papers.invoice
    entries = {entry.source: entry for entry in papers.ledger}
    owed, asset = ledger.receivable(contract.between.customer), ledger.CONTRACT_ASSET
    source = f"invoice:{invoice.number}"
    yield from _entry(entries, source, ledger.transfer(invoice.total, debit=owed, credit=asset))
    posted = entries.get(source)
    if posted is not None and posted.at != invoice.issued_at:
        yield f"ledger entry {posted.seq} ({source}) is dated {posted.at}, the invoice {invoice.issued_at}"
    listed = {each.outcome_id for each in invoice.reversed}
    credited = {note.outcome_id for note in papers.credit_notes}
    for outcome in papers.outcomes:
        if outcome.price is None:
            continue
        revenue = ledger.revenue(outcome.outcome_type)
        yield from _entry(entries, f"settle:{outcome.id}", ledger.transfer(outcome.price, debit=asset, credit=revenue))
        reversal = f"reverse:{outcome.id}"
        if outcome.id in listed:
            yield from _entry(entries, reversal, ledger.transfer(outcome.price, debit=revenue, credit=asset))
        elif (outcome.state is OutcomeState.REVERSED) != (outcome.id in credited):
            found = "a" if outcome.id in credited else "no"
            yield f"outcome {outcome.id} is {outcome.state} and has {found} credit note"
        elif reversal in entries and outcome.id not in credited:
            yield f"ledger entry {entries[reversal].seq} ({reversal}) has no credit note"
    yield from _credit_problems(papers, entries, owed)


def _origin(papers: Papers, outcome: Outcome, claim: Claim | None, verdict: Verdict | None) -> Iterator[str]:
    if claim is None:
        yield "its claim is not in the bundle"
        return
    if outcome.claim_sha256 != fingerprint(claim):
        yield "its claim is another text than the one that was recorded: their fingerprints differ"
    same = (claim.tenant, claim.task_id, claim.ticket_id, claim.outcome_type, claim.subject)
    if same != (outcome.tenant, outcome.task_id, outcome.ticket_id, outcome.outcome_type, outcome.subject):
        yield "it is about something else than its claim"
    if outcome.requester != normalised_email(claim.requester_email):
        yield "its requester is not the claim's"
    if outcome.tenant != papers.invoice.tenant:
        yield f"it belongs to {outcome.tenant}"
    if verdict is None:
        yield "there is no verdict on its claim"
    elif verdict.finding is not Finding.PASSED:
        yield f"its verdict is {verdict.finding}"


def _settlement(papers: Papers, contract: Contract, outcome: Outcome, verdict: Verdict | None) -> Iterator[str]:
    terms = contract.outcomes.get(outcome.outcome_type)
    if terms is None:
        yield f"the contract has no outcome {outcome.outcome_type}"
        return
    if verdict is not None and verdict.evidence_class != terms.evidence_class:
        yield f"its evidence class is {verdict.evidence_class}, the contract bills {terms.evidence_class}"
    try:
        agreed = price(outcome.outcome_type, contract, value=verdict.value if verdict is not None else None)
    except InvalidAmount as error:
        yield f"it has no price: {error}"
    else:
        if outcome.price != agreed:
            yield f"its price is {outcome.price}, the contract's {agreed}"
    if (outcome.contract, outcome.contract_sha256) != (papers.contract.reference, papers.contract.sha256):
        yield f"it was priced under other terms: {outcome.contract}"
    if outcome.ticket_opened_at is None or outcome.ticket_opened_at < papers.contract.in_force_from:
        yield "its ticket was opened before the contract was in force"
    yield from _history(outcome)
    settled, verified, due = outcome.settled_at, outcome.verified_at, outcome.settle_at
    if settled is None or verified is None or due is None:
        yield "it was never settled"
        return
    if settled < max(due, verified + contract.settles(outcome.outcome_type).after):
        yield f"it settled at {settled}, before its window ended"
    if not papers.invoice.period_start <= settled < papers.invoice.period_end:
        yield f"it settled at {settled}, outside the invoice's period"
    if outcome.settlement is None or outcome.settlement.finding is not Finding.PASSED:
        yield "nobody saw at settlement that its proof still stood"


def _history(outcome: Outcome) -> Iterator[str]:
    before = None
    earlier = None
    for step in outcome.history:
        if step.before != before or not is_legal(before, step.after):
            yield f"it went from {step.before} to {step.after}, which is no step from {before}"
        if earlier is not None and step.at < earlier:
            yield f"it was {step.after} at {step.at}, before the step ahead of it"
        before, earlier = step.after, step.at
    if before is not outcome.state:
        yield f"it is {outcome.state}, and its history ends in {before}"
    when = {step.after: step.at for step in outcome.history}
    for state, at in (
        (OutcomeState.CLAIMED, outcome.claimed_at),
        (OutcomeState.VERIFIED, outcome.verified_at),
        (OutcomeState.SETTLED, outcome.settled_at),
        (OutcomeState.REVERSED, outcome.reversed_at),
    ):
        if when.get(state) != at:
            yield f"it was {state} at {at}, its history says {when.get(state)}"


def _heading_problems(papers: Papers, contract: Contract) -> Iterator[str]:
    invoice = papers.invoice
    if (invoice.contract, invoice.contract_sha256) != (papers.contract.reference, papers.contract.sha256):
        yield f"the invoice names another contract: {invoice.contract}"
    between = contract.between
    stated = (invoice.vendor, invoice.customer, invoice.purchase_order, invoice.currency, invoice.timezone)
    agreed = (
        between.vendor,
        between.customer,
        between.purchase_order,
        contract.currency,
        contract.period.timezone,
    )
    if stated != agreed:
        yield f"the invoice's heading says {', '.join(stated)}; the contract {', '.join(agreed)}"
    if invoice.terms != terms_of(contract):
        yield "the invoice's terms are not the contract's"
    try:
        period = month(invoice.period, contract.period.timezone)
    except ValueError as error:
        yield f"the invoice's period: {error}"
    else:
        if (invoice.period_start, invoice.period_end) != (period.start, period.end):
            yield f"the invoice's period is not {invoice.period} as {contract.period.timezone} counts it"
    if invoice.issued_at < invoice.period_end:
        yield "the invoice was issued before its period ended"


def _credit_problems(papers: Papers, entries: dict[str, JournalEntry], owed: str) -> Iterator[str]:
    lines = {line.number: line for line in papers.invoice.lines}
    outcomes = {outcome.id: outcome for outcome in papers.outcomes}
    yield from _repeated("credit note", (note.number for note in papers.credit_notes))
    yield from _repeated("credit of outcome", (note.outcome_id for note in papers.credit_notes))
    for note in papers.credit_notes:
        line = lines.get(note.line)
        outcome = outcomes.get(note.outcome_id)
        if note.invoice != papers.invoice.number or line is None or note.outcome_id not in line.outcomes:
            yield f"{note.number} credits outcome {note.outcome_id}, which line {note.line} does not charge"
            continue
        if note.amount != line.unit:
            yield f"{note.number} credits {note.amount}; the line charged {line.unit}"
        same = (papers.invoice.tenant, papers.invoice.customer, line.outcome_type, REASONS.get(note.code))
        if same != (note.tenant, note.customer, note.outcome_type, note.reason):
            yield f"{note.number} names another customer, outcome type or reason than the invoice"
        if outcome is not None and (outcome.code, outcome.reversed_at) != (note.code, note.issued_at):
            yield f"{note.number} gives {note.code} as its code; outcome {outcome.id} says {outcome.code}"
        amount = ledger.transfer(note.amount, debit=ledger.revenue(note.outcome_type), credit=owed)
        yield from _entry(entries, f"reverse:{note.outcome_id}", amount)


def _entry(entries: dict[str, JournalEntry], source: str, postings: tuple[Posting, ...]) -> Iterator[str]:
    found = entries.get(source)
    expected = Money(minor=postings[0].minor, currency=postings[0].currency)
    if found is None:
        yield f"the ledger has no entry {source} over {expected}"
    elif found.postings != postings:
        accounts = f"from {postings[1].account} to {postings[0].account}"
        yield f"ledger entry {found.seq} ({source}) is not {expected} {accounts}"


def _repeated(what: str, ids: Iterator[str] | list[str]) -> Iterator[str]:
    for name, times in Counter(ids).items():
        if times > 1:
            yield f"{what} {name} is there {times} times"
