"""``settle contract show`` and ``settle contract sign``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from agents.canonical import canonical_json
from billing import Contract, SignedContract, draft, keep_contract, kept_contract
from billing.contract import duration_text
from billing.errors import ContractNotInForce
from evaluators import SigningKey
from evaluators.signing import Signature, key_fingerprint
from service.cli.books import Books, DeploymentOption, WorkStateOption, open_books, state_option, state_to_work_on
from service.cli.commands import refuse
from service.cli.output import AsJson, print_json, print_table, say
from service.deployment import State

HALF_SIGNED = "contract.json"
"""In the state folder: the contract between its two signatures."""
app = typer.Typer(add_completion=False, no_args_is_help=True)


class Side(StrEnum):
    """Who signs."""

    VENDOR = "vendor"
    CUSTOMER = "customer"


@app.callback()
def contract() -> None:
    """The contract: what counts as an outcome, how it is proven, what it costs."""


@app.command()
def show(deployment: DeploymentOption = None, state: WorkStateOption = None, as_json: AsJson = False) -> None:
    """Show the deployment's contract, and who has signed it."""
    place = state_to_work_on(deployment, state)
    with open_books(place.folder) as books:
        signed = _kept(books) or _half_signed(books)
        terms, document = books.contract, books.contract_source.data
        unsigned = draft(books.contract_source, evaluator_key="", in_force_from=books.clock.now())
    if as_json:
        print_json({"sha256": unsigned.sha256, "document": document, "signed": signed})
        return
    between = terms.between
    say(
        f"Contract {terms.reference}, sha256 {unsigned.sha256}",
        f"Between {between.vendor} (vendor) and {between.customer} (customer), order {between.purchase_order}",
        f"Invoiced every {terms.period.every} ({terms.period.timezone}), in {terms.currency}",
    )
    print_table(
        ("Outcome", "Evidence class", "Price>", "Requires", "Means"),
        [
            (name, one.evidence_class.value, f"{one.price} {terms.currency}", ", ".join(one.requires), one.means)
            for name, one in terms.outcomes.items()
        ],
    )
    _say_terms(terms)
    _say_signatures(signed, place)


@app.command()
def sign(
    side: Annotated[Side, typer.Option("--as", help="Which side signs.")],
    key: Annotated[
        Path | None, typer.Option("--key", help="A file with the private key (32 bytes); the state's own if not named.")
    ] = None,
    deployment: DeploymentOption = None,
    state: WorkStateOption = None,
    as_json: AsJson = False,
) -> None:
    """Sign the deployment's contract. With both signatures it is kept, and prices every ticket opened from then on."""
    place = state_to_work_on(deployment, state)
    with open_books(place.folder) as books:
        standing = _kept(books)
        if standing is not None:
            _refuse_changed(standing, books)
            signed, kept = standing, True
        else:
            half = _half_signed(books) or _unsigned(books)
            signed = half.sign(_key(books.state, side, key))
            kept = signed.vendor is not None and signed.customer is not None
            if kept:
                with books.database.transaction() as session:
                    keep_contract(session, tenant=books.tenant, signed=signed)
                (books.state.folder / HALF_SIGNED).unlink(missing_ok=True)
            else:
                _keep_half_signed(books.state, signed)
    if as_json:
        print_json({"kept": kept, "signed": signed})
        return
    _say_signatures(signed, place)
    other = Side.CUSTOMER if side is Side.VENDOR else Side.VENDOR
    if not kept:
        say(f"The {other.value} has to sign too: settle contract sign --as {other.value}{state_option(place)}")


def _kept(books: Books) -> SignedContract | None:
    try:
        with books.database.transaction() as session:
            return kept_contract(session, tenant=books.tenant, reference=books.contract.reference)
    except ContractNotInForce:
        return None


def _half_signed(books: Books) -> SignedContract | None:
    """The contract that one side has signed, unless terms or evaluators' key were changed since: it counts no more."""
    try:
        half = SignedContract.model_validate_json((books.state.folder / HALF_SIGNED).read_bytes())
    except (OSError, ValidationError):
        return None
    unsigned = _unsigned(books)
    same = (half.sha256, half.evaluator_key) == (unsigned.sha256, unsigned.evaluator_key)
    return half if same else None


def _unsigned(books: Books) -> SignedContract:
    evaluator = books.state.key("evaluator").public_key
    return draft(books.contract_source, evaluator_key=evaluator, in_force_from=books.clock.now())


def _keep_half_signed(state: State, signed: SignedContract) -> None:
    temporary = state.folder / f"{HALF_SIGNED}.new"
    temporary.write_bytes(canonical_json(signed))
    temporary.replace(state.folder / HALF_SIGNED)


def _refuse_changed(standing: SignedContract, books: Books) -> None:
    unsigned = _unsigned(books)
    if standing.sha256 != unsigned.sha256:
        refuse(f"other terms are signed as {standing.reference}; give the changed contract a new version, then sign it")
    if standing.evaluator_key != unsigned.evaluator_key:
        refuse(
            f"{standing.reference} names the evaluators' key {key_fingerprint(standing.evaluator_key)}, this state has "
            f"{key_fingerprint(unsigned.evaluator_key)}; give the contract a new version, then sign it"
        )


def _key(state: State, side: Side, file: Path | None) -> SigningKey:
    own = state.key_file(side.value)
    if file is None:
        return state.key(side.value)
    if not file.is_file():
        refuse(f"{file} is not a file; --key names a file with a private key of 32 bytes")
    key = SigningKey.load_or_create(file, side.value)
    if side is Side.VENDOR and key.public_key != state.key(side.value).public_key:
        refuse(
            f"bundles are signed with the vendor's key in {own}; put yours there (mode 0600), then sign without --key"
        )
    return key


def _say_terms(terms: Contract) -> None:
    settle, reverse, dispute = terms.settle, terms.reverse_on, terms.dispute
    say(
        f"Settled {duration_text(settle.after)} after the verdict, no later than {duration_text(settle.no_later_than)}",
        *(
            f"  {name}: {duration_text(own.settle.after)}, no later than {duration_text(own.settle.no_later_than)}"
            for name, own in terms.outcomes.items()
            if own.settle is not None
        ),
        f"Reversed within {duration_text(reverse.within)}: {', '.join(reverse.when) or 'never'}",
        f"Dispute within {duration_text(dispute.within)}, credited if undecided after "
        f"{duration_text(dispute.undecided_after)}",
    )


def _say_signatures(signed: SignedContract | None, state: State) -> None:
    if signed is None:
        option = state_option(state)
        say(f"Not signed: nothing is charged. Sign with: settle contract sign --as vendor{option}, then --as customer")
        return
    rows: list[tuple[Any, ...]] = [
        (role, *_signature(signature)) for role, signature in (("vendor", signed.vendor), ("customer", signed.customer))
    ]
    rows.append(("evaluators' key", key_fingerprint(signed.evaluator_key), signed.evaluator_key))
    print_table(("Signature", "Fingerprint", "Public key"), rows)
    if signed.vendor is not None and signed.customer is not None:
        say(f"{signed.reference} is in force for tickets opened from {signed.in_force_from:%Y-%m-%d %H:%M:%S} UTC.")


def _signature(signature: Signature | None) -> tuple[str, str]:
    return (
        ("-", "not signed yet") if signature is None else (key_fingerprint(signature.public_key), signature.public_key)
    )
