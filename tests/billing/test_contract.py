"""Contracts: what is read, what is refused and where, and what a signature binds."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from agents.documents import parse_document
from agents.errors import InvalidDocument
from billing.contract import SignedContract, draft, duration_text, load_contract, read_contract
from billing.errors import ContractNotInForce
from evaluators.signing import SigningKey
from evaluators.verdict import EvidenceClass
from tests.billing.books import CONTRACT, CUSTOMER, EVALUATOR, START, VENDOR, contract, drafted, signed

RETAIL = Path(__file__).parents[2] / "examples" / "retail" / "contracts" / "acme-2026.yaml"


def test_a_contract_file_is_typed(tmp_path: Path) -> None:
    file = tmp_path / "acme.yaml"
    file.write_text(CONTRACT)
    _, terms = load_contract(file)
    assert terms.reference == "acme-2026@2"
    refund = terms.outcomes["refund_issued"]
    assert (refund.price, refund.evidence_class) == (Decimal("0.99"), EvidenceClass.EFFECT_VERIFIED)
    assert refund.proof.read == "acme_back_office.order"
    assert (terms.settle.after, terms.reverse_on.within) == (timedelta(hours=72), timedelta(days=30))
    assert terms.settle.restarts_on == ("requester_message", "staff_public_reply")
    assert terms.dispute.then == "credit"


@pytest.mark.parametrize(
    ("right", "wrong", "field", "says"),
    [
        ("dispute:", "disputes:", "disputes", "did you mean 'dispute'?"),
        ('price: "0.99"', 'prise: "0.99"', "outcomes.refund_issued.prise", "did you mean 'price'?"),
        ('price: "0.99"', 'price: "0.995"', "outcomes.refund_issued.price", "finer than the minor unit"),
        ('price: "0.99"', 'price: "-1"', "outcomes.refund_issued.price", "zero or more"),
        ('price: "0.99"', 'price: "1e3"', "outcomes.refund_issued.price", "plain digits"),
        ('price: "0.99"', 'price: "a lot"', "outcomes.refund_issued.price", '"0.99"'),
        ('price: "0.99"', "price: [1]", "outcomes.refund_issued.price", '"0.99"'),
        ("Europe/Berlin", "Europe/Belrin", "period.timezone", "not a time zone"),
        ("Europe/Berlin", "../../etc/passwd", "period.timezone", "not a time zone"),
        ("Europe/Berlin", "Europe", "period.timezone", "not a time zone"),
        ("after: 72h", "after: three days", "settle.after", "72h"),
        ("after: 72h", "after: 0h", "settle.after", "72h"),
        ("no_later_than: 14d", "no_later_than: 71h", "settle.no_later_than", "shorter than settle.after"),
        ("currency: USD", "currency: dollars", "currency", "pattern"),
        ("customer: acme", "customer: settle-co", "between.customer", "the vendor itself"),
        ("version: 2", "version: two", "version", "integer"),
        ("every: month", "every: week", "period.every", "month"),
        ("rounding: per_line", "rounding: per_outcome", "rounding", "per_line"),
        ("class: grounded", "class: judged", "outcomes.order_status_told.class", "grounded"),
        ("before: settle}}", "before: settle}, csat: {at_most: 2}}", "never_bill.csat", "known: spam"),
        ("rounding: per_line", "", "rounding", "is required"),
    ],
)
def test_a_bad_contract_names_line_and_field(tmp_path: Path, right: str, wrong: str, field: str, says: str) -> None:
    file = tmp_path / "acme.yaml"
    line = CONTRACT[: CONTRACT.index(right)].count("\n") + 1 if wrong else 1
    file.write_text(CONTRACT.replace(right, wrong, 1))
    with pytest.raises(InvalidDocument) as caught:
        load_contract(file)
    found = next(problem for problem in caught.value.problems if problem.field == field)
    assert (found.line, found.file) == (line, str(file))
    assert says in found.message


def test_a_float_is_never_a_price() -> None:
    source = parse_document(CONTRACT, "acme.yaml")
    source.data["outcomes"]["refund_issued"]["price"] = 0.99
    with pytest.raises(InvalidDocument, match="never as a float"):
        read_contract(source)


def test_both_signatures_bind() -> None:
    assert contract().verify().reference == "acme-2026@2"


def test_comments_and_order_of_fields_are_not_what_is_signed() -> None:
    lines = CONTRACT.splitlines()
    reordered = "# a comment\n" + "\n".join([*lines[1:5], lines[0], *lines[5:]])
    assert signed(reordered).sha256 == contract().sha256
    assert signed(CONTRACT.replace("0.99", "0.98")).sha256 != contract().sha256


def test_an_unsigned_contract_charges_nothing() -> None:
    for half in (drafted(), drafted().sign(VENDOR), drafted().sign(CUSTOMER)):
        with pytest.raises(ContractNotInForce, match="not signed by the"):
            half.verify()


@pytest.mark.parametrize("part", ["price", "evaluators' key", "start", "version"])
def test_a_contract_altered_after_signing_charges_nothing(part: str) -> None:
    whole = contract()
    cheaper = parse_document(CONTRACT.replace("0.99", "9.99"), "acme.yaml").data
    changes: dict[str, dict[str, object]] = {
        "price": {"document": cheaper},
        "evaluators' key": {"evaluator_key": SigningKey.generate("evaluator").public_key},
        "start": {"in_force_from": START - timedelta(days=300)},
        "version": {"document": {**whole.document, "version": "3"}},
    }
    with pytest.raises(ContractNotInForce, match="vendor's signature does not fit"):
        whole.model_copy(update=changes[part]).verify()


def test_nobody_signs_for_both_sides() -> None:
    both = SigningKey(VENDOR._private, "customer")
    with pytest.raises(ContractNotInForce, match="a key each"):
        drafted().sign(VENDOR).sign(both).verify()
    evaluators = draft(parse_document(CONTRACT, "acme.yaml"), evaluator_key=VENDOR.public_key, in_force_from=START)
    with pytest.raises(ContractNotInForce, match="a key each"):
        evaluators.sign(VENDOR).sign(CUSTOMER).verify()
    with pytest.raises(ValueError, match="not by evaluator"):
        drafted().sign(EVALUATOR)


def test_signatures_do_not_change_places() -> None:
    whole = contract()
    swapped = whole.model_copy(update={"vendor": whole.customer, "customer": whole.vendor})
    with pytest.raises(ContractNotInForce, match="does not fit"):
        swapped.verify()


def test_a_signed_contract_survives_being_stored() -> None:
    again = SignedContract.model_validate_json(contract().model_dump_json())
    assert again.verify() == contract().verify()


def test_a_draft_needs_a_readable_contract() -> None:
    with pytest.raises(InvalidDocument):
        draft(
            parse_document("contract: x", "x.yaml"),
            evaluator_key="00",
            in_force_from=datetime(2026, 1, 1, tzinfo=UTC),
        )


@pytest.mark.parametrize("text", ["30m", "90m", "1h", "72h", "14d", "30d"])
def test_durations_are_written_as_they_are_read(text: str) -> None:
    terms = read_contract(parse_document(CONTRACT.replace("within: 30d", f"within: {text}"), "acme.yaml"))
    assert duration_text(terms.reverse_on.within) == text


def test_the_retail_example_is_a_contract() -> None:
    _, terms = load_contract(RETAIL)
    assert terms.outcomes["refund_issued"].price == Decimal("0.99")
