"""Checking a bundle: what is whole passes, whatever was touched fails by name, nothing hostile gets out."""

import json
import os
import shutil
import stat
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.canonical import canonical_json, sha256_hex
from billing import bundle_files
from billing.bundle import Manifest
from billing.contract import SignedContract
from billing.ledger import JournalEntry
from billing.verify import Verification, verify_bundle
from evaluators.signing import SigningKey
from evaluators.verdict import Verdict
from tests.billing.books import EVALUATOR, VENDOR, Books
from tests.billing.bundles import PINS, invoiced

Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A bundle nobody touched; copy it before touching it."""
    folder = tmp_path_factory.mktemp("whole")
    books = Books(folder)
    yield invoiced(books).bundle(books, folder)
    books.close()


@pytest.fixture
def bundle(whole: Path, tmp_path: Path) -> Path:
    """A copy to be touched."""
    return shutil.copytree(whole, tmp_path / "INV-0001")


def problems(found: Verification) -> str:
    assert found.ok == (not any(check.problems for check in found.checks))
    return "\n".join(f"{check.name}: {problem}" for check in found.checks for problem in check.problems)


def zipped(folder: Path, target: Path, *, top: str = "INV-0001/") -> Path:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, top + path.relative_to(folder).as_posix())
    return target


def resign(bundle: Path, key: SigningKey = VENDOR, **changes: Any) -> None:
    """Make the manifest fit again, as a vendor could who altered the files."""
    manifest = Manifest.model_validate_json((bundle / "manifest.json").read_bytes())
    files = {
        path.relative_to(bundle).as_posix(): sha256_hex(path.read_bytes())
        for path in bundle.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    }
    manifest = manifest.model_copy(update={"files": files, **changes})
    manifest = manifest.model_copy(update={"signature": key.sign(manifest.statement())})
    (bundle / "manifest.json").write_bytes(canonical_json(manifest))


def edit_lines(bundle: Path, name: str, edit: Callable[[Rows], object]) -> None:
    rows = [json.loads(line) for line in (bundle / name).read_text().splitlines()]
    edit(rows)
    (bundle / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    resign(bundle)


def edit_one(bundle: Path, name: str, edit: Callable[[dict[str, Any]], object]) -> None:
    data = json.loads((bundle / name).read_text())
    edit(data)
    (bundle / name).write_text(json.dumps(data))
    resign(bundle)


def rechain(rows: Rows) -> None:
    """Give a forged ledger hashes that fit."""
    previous = "0" * 64
    for seq, row in enumerate(rows, start=1):
        row.update(seq=seq, prev_hash=previous, hash="")
        row["hash"] = previous = JournalEntry.model_validate(row).computed_hash()


def test_a_whole_bundle_passes(whole: Path) -> None:
    found = verify_bundle(whole, **PINS)
    assert problems(found) == ""
    assert [check.name for check in found.checks] == [
        "manifest",
        "files",
        "papers",
        "contract",
        "verdicts",
        "examination",
        "charges",
        "episodes",
        "ledger",
        "rating",
        "agreement",
    ]
    assert found.invoice is not None
    assert found.invoice.total.minor == 326


@pytest.mark.parametrize("top", ["INV-0001/", ""])
def test_a_zip_file_of_it_passes_too(whole: Path, tmp_path: Path, top: str) -> None:
    assert problems(verify_bundle(zipped(whole, tmp_path / "b.zip", top=top), **PINS)) == ""


def test_it_says_what_it_cannot_prove(whole: Path) -> None:
    pinned, bare = verify_bundle(whole, **PINS).cannot_prove, verify_bundle(whole).cannot_prove
    assert any("system of record told the truth" in sentence for sentence in pinned)
    assert any("other invoice" in sentence for sentence in pinned)
    assert {sentence for sentence in bare if "give the key you know" in sentence} == set(bare) - set(pinned)
    assert len(bare) == len(pinned) + 2


def test_keys_known_from_elsewhere_are_compared(whole: Path) -> None:
    other = SigningKey.generate("vendor").public_key
    assert "the vendor's signature is by" in problems(verify_bundle(whole, vendor_key=other))
    assert "the customer's signature is by" in problems(verify_bundle(whole, customer_key=other))
    assert "no public key" in problems(verify_bundle(whole, customer_key="my key"))
    assert verify_bundle(whole, vendor_key=VENDOR.public_key.upper() + "\n").ok


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
def test_any_changed_byte_names_its_file(whole: Path, data: st.DataObject) -> None:
    names = sorted(path.relative_to(whole).as_posix() for path in whole.rglob("*") if path.is_file())
    name = data.draw(st.sampled_from(names))
    original = (whole / name).read_bytes()
    position = data.draw(st.integers(0, len(original) - 1))
    mask = data.draw(st.sampled_from([0x20, *range(1, 256)]))
    changed = bytearray(original)
    changed[position] ^= mask
    try:
        (whole / name).write_bytes(bytes(changed))
        said = problems(verify_bundle(whole))
    finally:
        (whole / name).write_bytes(original)
    assert name in said


def test_a_manifest_has_one_spelling(bundle: Path) -> None:
    """Bytes that change nothing of what it says are refused too."""
    manifest = bundle / "manifest.json"
    original = manifest.read_bytes()
    signature = json.loads(original)["signature"]["signature"].encode()
    for altered in (original + b"\n", original.replace(b",", b", ", 1), original.replace(signature, signature.upper())):
        manifest.write_bytes(altered)
        assert "manifest.json was altered" in problems(verify_bundle(bundle))
    manifest.write_bytes(original)
    assert verify_bundle(bundle).ok


def test_a_changed_blob_names_who_rests_on_it(bundle: Path) -> None:
    verdict = json.loads((bundle / "verdicts.jsonl").read_text().splitlines()[2])
    blob = bundle / "evidence" / verdict["after"]["sha256"]
    blob.write_bytes(blob.read_bytes().replace(b"3490", b"3491"))
    said = problems(verify_bundle(bundle))
    assert f"evidence/{blob.name} was altered: its sha256 is not the manifest's, used by verdict" in said
    assert "of outcome claim-2" in said
    resign(bundle)
    said = problems(verify_bundle(bundle))
    assert f"evidence/{blob.name} is not named by its sha256, used by" in said
    assert f"verdict {verdict['id']} cannot be examined again" in said


def test_missing_and_extra_files_are_named(bundle: Path) -> None:
    gone = next(iter(sorted((bundle / "evidence").iterdir())))
    gone.unlink()
    (bundle / "notes.txt").write_text("hello")
    said = problems(verify_bundle(bundle))
    assert f"evidence/{gone.name} is missing, used by" in said
    assert "notes.txt is not in the manifest" in said
    (bundle / "claims.jsonl").unlink()
    assert "claims.jsonl is missing" in problems(verify_bundle(bundle))


def test_only_the_vendors_key_signs_the_manifest(bundle: Path) -> None:
    resign(bundle, SigningKey.generate("vendor"))
    assert "not signed by the vendor's key" in problems(verify_bundle(bundle))
    resign(bundle, invoice="INV-0002")
    assert "INV-0002" in problems(verify_bundle(bundle))


def _forged_amount(rows: Rows) -> None:
    for posting in rows[0]["postings"]:
        posting["minor"] *= 2
    rechain(rows)


def _second_charge(rows: Rows) -> None:
    rows[3]["subject"] = rows[2]["subject"]


def _unbalanced(rows: Rows) -> None:
    rows[0]["postings"][0]["minor"] += 1
    rechain(rows)


LINE_FORGERIES: dict[str, tuple[str, Callable[[Rows], object], str]] = {
    "another price": (
        "outcomes.jsonl",
        lambda rows: rows[2]["price"].update(minor=199),
        "its price is 1.99 USD",
    ),
    "another type": (
        "outcomes.jsonl",
        lambda rows: rows[4].update(outcome_type="refund_issued"),
        "outcome claim-4: it is about something else than its claim",
    ),
    "an outcome left out": (
        "outcomes.jsonl",
        lambda rows: rows.pop(2),
        "outcome claim-2 is on the invoice and not",
    ),
    "an outcome twice": (
        "outcomes.jsonl",
        lambda rows: rows.append(rows[2]),
        "outcome claim-2 is there 2 times",
    ),
    "settled early": (
        "outcomes.jsonl",
        lambda rows: rows[2].update(settled_at="2026-10-02T08:00:00Z"),
        "before its window ended",
    ),
    "settled elsewhen": (
        "outcomes.jsonl",
        lambda rows: rows[2].update(settled_at="2026-11-02T08:00:00Z"),
        "outside the invoice's period",
    ),
    "opened before the contract": (
        "outcomes.jsonl",
        lambda rows: rows[2].update(ticket_opened_at="2026-01-01T08:00:00Z"),
        "before the contract was in force",
    ),
    "a proof that fell": (
        "outcomes.jsonl",
        lambda rows: rows[2]["settlement"].update(finding="failed"),
        "nobody saw at settlement",
    ),
    "a shortened life": ("outcomes.jsonl", lambda rows: rows[2]["history"].pop(1), "which is no step from"),
    "a hidden reversal": (
        "outcomes.jsonl",
        lambda rows: rows[1].update(state="invoiced", reversed_at=None),
        "outcome claim-1 is invoiced and has a credit note",
    ),
    "an Episode charged twice": (
        "outcomes.jsonl",
        _second_charge,
        "outcomes claim-2 and claim-3 charge one Episode",
    ),
    "another requester": (
        "outcomes.jsonl",
        lambda rows: rows[2].update(requester="eve@example.org"),
        "its requester is not the claim's",
    ),
    "another reply": (
        "claims.jsonl",
        lambda rows: rows[2].update(reply="Something else."),
        "is about another text of claim claim-2",
    ),
    "a claim left out": ("claims.jsonl", lambda rows: rows.pop(2), "which is not in the bundle"),
    "a better verdict": (
        "verdicts.jsonl",
        lambda rows: rows[2].update(evidence_class="grounded"),
        "is not signed by the evaluators' key",
    ),
    "a verdict left out": (
        "verdicts.jsonl",
        lambda rows: rows.pop(2),
        "outcome claim-2: there is no verdict",
    ),
    "a receipt left out": (
        "receipts.jsonl",
        lambda rows: rows.pop(3),
        "examined again it is failed (no_effect)",
    ),
    "another receipt": (
        "receipts.jsonl",
        lambda rows: rows[3].update(run_id="run-9"),
        "examined again it is failed (no_effect)",
    ),
    "a credit note left out": (
        "credit_notes.jsonl",
        lambda rows: rows.clear(),
        "outcome claim-1 is reversed and has no credit note",
    ),
    "a smaller credit": (
        "credit_notes.jsonl",
        lambda rows: rows[0]["amount"].update(minor=9),
        "CN-0001 credits 0.09 USD; the line charged 0.99 USD",
    ),
    "a credit elsewhere": (
        "credit_notes.jsonl",
        lambda rows: rows[0].update(line=1),
        "which line 1 does not charge",
    ),
    "a ledger amount": (
        "ledger.jsonl",
        lambda rows: rows[0].update(at="2026-10-01T00:00:00Z"),
        "was altered",
    ),
    "a rewritten ledger": ("ledger.jsonl", _forged_amount, "is not 0.99 USD from revenue:refund_issued"),
    "an unbalanced entry": ("ledger.jsonl", _unbalanced, "does not sum to zero"),
    "an entry left out": ("ledger.jsonl", lambda rows: rows.pop(3), "entry 4 is missing before entry 5"),
    "entries in another order": ("ledger.jsonl", lambda rows: rows.insert(0, rows.pop(1)), "is out of order"),
}


@pytest.mark.parametrize("forgery", LINE_FORGERIES)
def test_what_the_vendor_alters_and_signs_again_is_named(bundle: Path, forgery: str) -> None:
    name, edit, says = LINE_FORGERIES[forgery]
    edit_lines(bundle, name, edit)
    said = problems(verify_bundle(bundle, **PINS))
    assert says in said
    assert "was altered: its sha256" not in said


INVOICE_FORGERIES: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "total": (
        lambda data: data["total"].update(minor=327),
        "the total says 3.27 USD; rated again it is 3.26 USD",
    ),
    "quantity": (lambda data: data["lines"][1].update(quantity=4), "line 2 says 4 x 0.99 USD"),
    "unit": (lambda data: data["lines"][1]["unit"].update(minor=100), "line 2 says 3 x 1.00 USD"),
    "a charge twice": (
        lambda data: data["lines"][1]["outcomes"].append("claim-2"),
        "charge of outcome claim-2 is there 2 times",
    ),
    "a reversed one charged": (
        lambda data: data["lines"][1]["outcomes"].append("claim-0"),
        "outcome claim-0 says it is on None",
    ),
    "a reversal not listed": (lambda data: data["reversed"].clear(), "outcome claim-0 is not on the invoice"),
    "customer": (lambda data: data.update(customer="other"), "the invoice's heading says"),
    "terms": (lambda data: data.update(terms=[]), "terms are not the contract's"),
    "period": (lambda data: data.update(period="2026-09"), "period is not 2026-09"),
    "issued early": (lambda data: data.update(issued_at="2026-10-30T00:00:00Z"), "before its period ended"),
    "contract": (lambda data: data.update(contract="acme-2026@1"), "names another contract"),
    "number": (lambda data: data.update(number="INV-0002"), "the ledger has no entry invoice:INV-0002"),
}


@pytest.mark.parametrize("forgery", INVOICE_FORGERIES)
def test_an_invoice_altered_and_signed_again_is_named(bundle: Path, forgery: str) -> None:
    edit, says = INVOICE_FORGERIES[forgery]
    edit_one(bundle, "invoice.json", edit)
    assert says in problems(verify_bundle(bundle, **PINS))


def test_a_contract_altered_and_signed_again_by_the_vendor_alone_fails(bundle: Path) -> None:
    def dearer(data: dict[str, Any]) -> None:
        data["document"]["outcomes"]["refund_issued"]["price"] = "9.99"

    edit_one(bundle, "contract.json", dearer)
    assert "vendor's signature does not fit" in problems(verify_bundle(bundle))
    altered = SignedContract.model_validate_json((bundle / "contract.json").read_bytes())
    (bundle / "contract.json").write_bytes(canonical_json(altered.sign(VENDOR)))
    resign(bundle)
    assert "customer's signature does not fit" in problems(verify_bundle(bundle))


def test_a_contract_without_the_customers_signature_fails(bundle: Path) -> None:
    edit_one(bundle, "contract.json", lambda data: data.update(customer=None))
    assert "is not signed by the customer" in problems(verify_bundle(bundle))


def test_evidence_that_proves_nothing_is_found_out(bundle: Path) -> None:
    """The evaluators' key signed it, the hashes fit, and yet the evidence does not give the verdict."""

    def unchanged(rows: Rows) -> None:
        rows[2]["after"] = rows[2]["before"]
        forged = Verdict.model_validate({**rows[2], "signature": None})
        rows[2]["signature"] = EVALUATOR.sign(forged).model_dump()

    edit_lines(bundle, "verdicts.jsonl", unchanged)
    assert "examined again it is failed (state_unchanged)" in problems(verify_bundle(bundle))


def test_another_verifier_version_is_not_taken_for_the_same(bundle: Path) -> None:
    edit_lines(bundle, "verdicts.jsonl", lambda rows: rows[0].update(verifier_version="other/7"))
    assert "it was found by other/7" in problems(verify_bundle(bundle))


GARBAGE = [
    b"",
    b"{",
    b"null",
    b"[]\n",
    b"\xff\xfe\n",
    b"[" * 100_000,
    b'{"a":' * 50_000,
    b'{"number": NaN}\n',
    b"9" * 10_000 + b"\n",
    b'"\\ud800"\n',
]


@pytest.mark.parametrize("garbage", GARBAGE, ids=lambda data: repr(data[:8]))
@pytest.mark.parametrize("name", ["manifest.json", "contract.json", "invoice.json", "outcomes.jsonl", "ledger.jsonl"])
def test_garbage_is_reported(bundle: Path, name: str, garbage: bytes) -> None:
    (bundle / name).write_bytes(garbage)
    if name != "manifest.json":
        resign(bundle)
    said = problems(verify_bundle(bundle))
    assert said if name.endswith("l") and not garbage else name in said


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
def test_no_well_formed_nonsense_raises(whole: Path, data: st.DataObject) -> None:
    """One value somewhere in the papers becomes another; the vendor signs; the verifier answers."""
    name = data.draw(st.sampled_from(sorted(path.name for path in whole.glob("*.json*"))))
    original = {path: path.read_bytes() for path in (whole / name, whole / "manifest.json")}
    documents = [json.loads(line) for line in (whole / name).read_text().splitlines()]
    places: list[tuple[Any, Any]] = []
    pending: list[Any] = [documents]
    while pending:
        each = pending.pop()
        items = each.items() if isinstance(each, dict) else enumerate(each)
        for key, value in items:
            places.append((each, key))
            if isinstance(value, dict | list):
                pending.append(value)
    container, key = data.draw(st.sampled_from(places))
    container[key] = data.draw(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just([]) | st.just({})
    )
    try:
        (whole / name).write_text("".join(json.dumps(each) + "\n" for each in documents))
        if name != "manifest.json":
            resign(whole)
        found = verify_bundle(whole)
    finally:
        for path, content in original.items():
            path.write_bytes(content)
    assert "Error" not in problems(found)


@pytest.mark.parametrize("what", ["nothing there", "an empty folder", "a text file", "half a zip file", "an empty zip"])
def test_what_is_no_bundle_is_reported(whole: Path, tmp_path: Path, what: str) -> None:
    path = tmp_path / "x"
    match what:
        case "an empty folder":
            path.mkdir()
        case "a text file":
            path.write_text("hello")
        case "half a zip file":
            data = zipped(whole, tmp_path / "b.zip").read_bytes()
            path.write_bytes(data[: len(data) // 2])
        case "an empty zip":
            zipfile.ZipFile(path, "w").close()
    found = verify_bundle(path)
    assert not found.ok
    assert found.checks[0].problems


def test_a_zip_with_broken_contents_names_the_file(whole: Path, tmp_path: Path) -> None:
    path = zipped(whole, tmp_path / "b.zip")
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        entry = archive.getinfo("INV-0001/ledger.jsonl")
    start = entry.header_offset + 30 + len(entry.filename)
    data[start + 20 : start + 40] = bytes(20)
    path.write_bytes(data)
    assert "ledger.jsonl cannot be read" in problems(verify_bundle(path))


@pytest.mark.parametrize("name", ["../evil.txt", "/etc/evil", "INV-0001/../../evil", "INV-0001\\evil", "other/evil"])
def test_names_that_lead_out_are_reported_and_nothing_is_written(whole: Path, tmp_path: Path, name: str) -> None:
    path = zipped(whole, tmp_path / "b.zip")
    with zipfile.ZipFile(path, "a") as archive:
        info = zipfile.ZipInfo("x")
        info.filename = name
        archive.writestr(info, b"evil")
    before = sorted(tmp_path.parent.rglob("*"))
    assert "evil" in problems(verify_bundle(path))
    assert sorted(tmp_path.parent.rglob("*")) == before


def test_a_name_twice_in_a_zip_is_reported(whole: Path, tmp_path: Path) -> None:
    path = zipped(whole, tmp_path / "b.zip")
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("INV-0001/invoice.json", b"{}")
    assert "INV-0001/invoice.json is in the zip file twice" in problems(verify_bundle(path))


def test_links_and_special_files_are_not_followed(bundle: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes((bundle / "claims.jsonl").read_bytes())
    (bundle / "claims.jsonl").unlink()
    (bundle / "claims.jsonl").symlink_to(secret)
    os.mkfifo(bundle / "pipe")
    (bundle / "loop").symlink_to(bundle)
    said = problems(verify_bundle(bundle))
    for name in ("claims.jsonl", "pipe", "loop"):
        assert f"{name} is a link or no regular file" in said
    assert "claims.jsonl is missing" in said


def test_a_link_in_a_zip_is_reported(whole: Path, tmp_path: Path) -> None:
    path = zipped(whole, tmp_path / "b.zip")
    with zipfile.ZipFile(path, "a") as archive:
        info = zipfile.ZipInfo("INV-0001/link")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, b"/etc/passwd")
    assert "INV-0001/link is a link" in problems(verify_bundle(path))


def test_limits_hold(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle_files, "MAX_FILE", 2_000)
    assert "ledger.jsonl has more than 2000 bytes" in problems(verify_bundle(bundle))
    monkeypatch.setattr(bundle_files, "MAX_FILE", 10**6)
    monkeypatch.setattr(bundle_files, "MAX_TOTAL", 10_000)
    assert "at most 10000 are read" in problems(verify_bundle(bundle))
    assert "at most 10000 are read" in problems(verify_bundle(zipped(bundle, tmp_path / "b.zip")))
    monkeypatch.setattr(bundle_files, "MAX_FILES", 5)
    assert "at most 5 are read" in problems(verify_bundle(bundle))


def test_a_zip_that_lies_about_its_size_is_cut_off(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (bundle / "notes.txt").write_bytes(bytes(5_000_000))
    resign(bundle)
    data = zipped(bundle, tmp_path / "b.zip").read_bytes()
    monkeypatch.setattr(bundle_files, "MAX_FILE", 1_000_000)
    path = tmp_path / "lying.zip"
    path.write_bytes(data.replace((5_000_000).to_bytes(4, "little"), (100).to_bytes(4, "little")))
    assert "notes.txt" in problems(verify_bundle(path))


def test_the_checks_use_nothing_but_the_bundle(whole: Path) -> None:
    """A second look gives the same answer, and reading leaves the bundle as it was."""
    before = {path: path.read_bytes() for path in whole.rglob("*") if path.is_file()}
    assert verify_bundle(whole) == verify_bundle(whole)
    assert {path: path.read_bytes() for path in whole.rglob("*") if path.is_file()} == before


def test_the_ledger_helper_of_these_tests_forges_well(whole: Path) -> None:
    rows = [json.loads(line) for line in (whole / "ledger.jsonl").read_text().splitlines()]
    original = [row["hash"] for row in rows]
    rechain(rows)
    assert [row["hash"] for row in rows] == original
