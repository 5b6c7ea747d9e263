"""Writing a bundle: complete, replaceable, and only with the vendor's key."""

import json
from pathlib import Path

import pytest

from agents.canonical import sha256_hex
from agents.errors import EvidenceMissing
from agents.evidence import MemoryEvidenceStore
from billing.bundle import write_bundle
from billing.errors import ContractNotInForce, InvoiceNotFound
from billing.reversal import requester_returned
from tests.billing.books import CUSTOMER, DAY, TENANT, Books
from tests.billing.bundles import ISSUED_AT, Shop, invoiced


def test_a_bundle_holds_everything_behind_the_invoice(books: Books, tmp_path: Path) -> None:
    folder = invoiced(books).bundle(books, tmp_path / "out")
    assert folder == tmp_path / "out" / "INV-0001"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["INV-0001"]
    manifest = json.loads((folder / "manifest.json").read_text())
    present = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert present == {*manifest["files"], "manifest.json"}
    for name, sha256 in manifest["files"].items():
        assert sha256_hex((folder / name).read_bytes()) == sha256
    lines = {path.name: path.read_text().count("\n") for path in folder.glob("*.jsonl")}
    assert lines == {
        "outcomes.jsonl": 5,
        "claims.jsonl": 5,
        "verdicts.jsonl": 5,
        "receipts.jsonl": 5,
        "ledger.jsonl": 8,
        "credit_notes.jsonl": 1,
    }


def test_a_later_bundle_replaces_the_earlier_and_holds_later_credits(books: Books, tmp_path: Path) -> None:
    shop = invoiced(books)
    shop.bundle(books, tmp_path)
    at = ISSUED_AT + 2 * DAY
    with books.write() as session:
        requester_returned(session, tenant=TENANT, ticket_id="ticket-2", written_at=at, now=at)
    folder = shop.bundle(books, tmp_path)
    assert (folder / "credit_notes.jsonl").read_text().count("\n") == 2
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["INV-0001"]


def test_only_the_vendor_of_the_contract_writes_bundles(books: Books, tmp_path: Path) -> None:
    shop = invoiced(books)
    with pytest.raises(ContractNotInForce, match="vendor's key"), books.write() as session:
        write_bundle(
            session,
            tenant=TENANT,
            number="INV-0001",
            receipts_of=shop.receipts_of,
            evidence=shop.evidence,
            vendor_key=CUSTOMER,
            into=tmp_path / "out",
            now=ISSUED_AT,
        )


def test_a_bundle_is_written_whole_or_not_at_all(books: Books, tmp_path: Path) -> None:
    shop = invoiced(books)
    shop.evidence = MemoryEvidenceStore()
    with pytest.raises(EvidenceMissing):
        shop.bundle(books, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_an_unknown_invoice_has_no_bundle(books: Books, tmp_path: Path) -> None:
    with pytest.raises(InvoiceNotFound):
        Shop().bundle(books, tmp_path)
