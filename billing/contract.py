"""The contract: what counts as an outcome for one customer, how it is proven, and what it costs.

The YAML file is typed here; prices and durations are text in the file and exact afterwards. What both sides
sign is the file's *data* as written (comments and field order do not matter), so a newer Settle reads an old
contract under the same fingerprint.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    JsonValue,
    PlainSerializer,
    Tag,
)

from agents.canonical import canonical_json, fingerprint
from agents.documents import Source, load_model, read_document
from agents.errors import InvalidDocument
from billing.errors import ContractNotInForce, InvalidAmount
from billing.money import exact
from billing.periods import utc
from evaluators.signing import Signature, SigningKey, verifies
from evaluators.terms import OutcomeTerms, ValuePath

MAX_PRICE_CHARACTERS = 16
_DURATION = re.compile(r"([1-9]\d{0,4})([mhd])")
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


def _duration(value: Any) -> timedelta:
    if isinstance(value, timedelta):
        return value
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f"write a duration as 30m, 72h or 30d; found {value!r}")
    return int(found[1]) * _UNITS[found[2]]


def duration_text(duration: timedelta) -> str:
    """``timedelta(hours=72)`` as ``72h``, whole days from four days on as ``30d``."""
    minutes = duration // timedelta(minutes=1)
    if minutes % 60:
        return f"{minutes}m"
    return f"{minutes // 60}h" if minutes % 1440 or minutes < 5760 else f"{minutes // 1440}d"


def _price(value: Any) -> Decimal:
    if isinstance(value, Decimal):
        return value
    if not isinstance(value, str) or not value.isascii() or len(value) > MAX_PRICE_CHARACTERS:
        raise ValueError(f'write a price as text such as "0.99", never as a float; found {value!r}')
    try:
        price = Decimal(value)
    except InvalidOperation:
        raise ValueError(f'write a price as text such as "0.99"; found {value!r}') from None
    if not price.is_finite() or price < 0 or "e" in value.lower() or "_" in value:
        raise ValueError(f"a price is zero or more, in plain digits; found {value!r}")
    return price


def _share(value: Any) -> Decimal:
    message = f'write a share as text above 0 and at most 1, "0.10" for a tenth; found {value!r}'
    try:
        share = _price(value)
    except ValueError:
        raise ValueError(message) from None
    if not 0 < share <= 1:
        raise ValueError(message)
    return share


def _zone(value: Any) -> str:
    try:
        return ZoneInfo(str(value)).key
    except (LookupError, ValueError, OSError):
        raise ValueError(f"{value!r} is not a time zone; write one such as Europe/Berlin") from None


Duration = Annotated[timedelta, BeforeValidator(_duration), PlainSerializer(duration_text, return_type=str)]
Amount = Annotated[Decimal, BeforeValidator(_price)]
"""In major units of the contract's currency."""
Share = Annotated[Decimal, BeforeValidator(_share)]
Timezone = Annotated[str, BeforeValidator(_zone)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
"""Names become parts of account names and file names: lower-case letters, digits, ``_`` and ``-``."""


class _Terms(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ShareOfValue(_Terms):
    """A price that follows what the outcome is worth: the record says the value, never the claim."""

    share: Share
    of: ValuePath
    minimum: Amount = Decimal(0)
    maximum: Amount

    def __str__(self) -> str:
        return f"{(self.share * 100).normalize():f} % of {self.of}, {self.minimum} to {self.maximum}"


Price = Annotated[
    Annotated[Amount, Tag("an amount")] | Annotated[ShareOfValue, Tag("a share")],
    Discriminator(lambda value: "a share" if isinstance(value, dict | ShareOfValue) else "an amount"),
]


class SettleTerms(_Terms):
    """When a verified outcome becomes a charge."""

    after: Duration
    restarts_on: tuple[Literal["requester_message", "staff_public_reply"], ...] = ()
    """A message that asks for nothing more (thanks, an automatic reply) starts ``after`` anew."""
    no_later_than: Duration
    """Counted from the verdict; nothing stretches the window beyond it."""


class PricedOutcome(OutcomeTerms):
    """One type of outcome: what it means, how it is proven, and its price."""

    price: Price
    settle: SettleTerms | None = None
    """A window of its own, for what takes longer to prove itself; None: the contract's."""

    @property
    def worth(self) -> ValuePath | None:
        """Where the record says what this outcome is worth, if the price is a share of it."""
        return self.price.of if isinstance(self.price, ShareOfValue) else None


class Between(_Terms):
    """The two sides and the customer's order number."""

    vendor: Name
    customer: Name
    purchase_order: Annotated[str, Field(min_length=1, max_length=60)]


class Every(_Terms):
    """How often an invoice is issued, and whose midnight counts."""

    every: Literal["month"]
    timezone: Timezone


class ReverseTerms(_Terms):
    """When a charge is given back."""

    within: Duration
    """Counted from settlement. It is the reopen window: as long as it is open, the Episode is the same."""
    when: tuple[Literal["same_subject_reopened", "proof_undone"], ...]


class SpamTerms(_Terms):
    """Spam costs nothing; the customer's helpdesk says what spam is."""

    decided_by: Literal["helpdesk_tag"]
    before: Literal["settle"]


class NeverBill(_Terms):
    """What is never charged, whatever was proven."""

    spam: SpamTerms | None = None


class DisputeTerms(_Terms):
    """The customer's right to contest a charge, printed on every invoice."""

    within: Duration
    undecided_after: Duration
    then: Literal["credit"]


class Contract(_Terms):
    """A contract's terms, typed. Read one with `load_contract` or `SignedContract.verify`."""

    contract: Name
    version: Annotated[int, Field(ge=1, le=1_000_000)]
    between: Between
    period: Every
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    priced_at: Literal["ticket_opened"]
    """The version in force when the ticket was opened prices it; nothing is repriced in mid-conversation."""
    outcomes: Annotated[dict[Name, PricedOutcome], Field(min_length=1)]
    settle: SettleTerms
    reverse_on: ReverseTerms
    never_bill: NeverBill = NeverBill()
    bills: tuple[Literal["copilot", "agent", "coworker"], ...] = ("agent", "coworker")
    """Whose work is charged; what a copilot drafted, and a person sent, is not unless it is named here."""
    dispute: DisputeTerms
    rounding: Literal["per_line"]

    @property
    def reference(self) -> str:
        """``id@version``"""
        return f"{self.contract}@{self.version}"

    def settles(self, outcome_type: str) -> SettleTerms:
        """When an outcome of that type becomes a charge; `KeyError` if the contract does not know the type."""
        return self.outcomes[outcome_type].settle or self.settle


def load_contract(path: Path) -> tuple[Source, Contract]:
    """The contract file at ``path``: its data as written, and typed.

    Raises:
        InvalidDocument: everything wrong with it, each with file, line, field and the nearest known name.
    """
    source = read_document(path)
    return source, read_contract(source)


def read_contract(source: Source) -> Contract:
    """The contract in a parsed document; `InvalidDocument` as for `load_contract`."""
    contract = load_model(source, Contract)
    problems = [source.problem(field, message) for field, message in _contradictions(contract)]
    if problems:
        raise InvalidDocument(problems)
    return contract


def _contradictions(contract: Contract) -> Iterator[tuple[tuple[str | int, ...], str]]:
    for name, terms in contract.outcomes.items():
        place = ("outcomes", name, "price")
        amounts: dict[tuple[str | int, ...], Decimal]
        if isinstance(terms.price, ShareOfValue):
            amounts = {(*place, "minimum"): terms.price.minimum, (*place, "maximum"): terms.price.maximum}
            if terms.price.maximum < terms.price.minimum:
                yield (*place, "maximum"), "is less than minimum"
        else:
            amounts = {place: terms.price}
        for field, amount in amounts.items():
            try:
                exact(amount, contract.currency)
            except InvalidAmount as error:
                yield field, str(error)
        if terms.settle is not None and terms.settle.no_later_than < terms.settle.after:
            yield ("outcomes", name, "settle", "no_later_than"), "is shorter than settle.after"
    if contract.settle.no_later_than < contract.settle.after:
        yield ("settle", "no_later_than"), "is shorter than settle.after"
    if contract.between.vendor == contract.between.customer:
        yield ("between", "customer"), "is the vendor itself"


class SignedContract(BaseModel):
    """A contract as both sides sign it. Charges need one that `verify` accepts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    document: dict[str, JsonValue]
    """The contract file's data as written."""
    evaluator_key: str
    """The public key whose verdicts both sides accept."""
    in_force_from: AwareDatetime
    """It prices tickets opened at or after this moment."""
    vendor: Signature | None = None
    customer: Signature | None = None

    @property
    def sha256(self) -> str:
        """The fingerprint of the contract's data: the ``contract_sha256`` that verdicts name."""
        return fingerprint(self.document)

    @property
    def reference(self) -> str:
        """``id@version``, as verdicts and invoices name the contract."""
        return f"{self.document.get('contract')}@{self.document.get('version')}"

    def statement(self) -> dict[str, object]:
        """What both sides sign."""
        return {
            "signs": "contract",
            "contract": self.reference,
            "contract_sha256": self.sha256,
            "evaluator_key": self.evaluator_key,
            "in_force_from": utc(self.in_force_from),
        }

    def sign(self, key: SigningKey) -> SignedContract:
        """This contract with the signature of ``key``, whose signer is ``vendor`` or ``customer``."""
        if key.signer not in ("vendor", "customer"):
            raise ValueError(f"a contract is signed by vendor and customer, not by {key.signer}")
        return self.model_copy(update={key.signer: key.sign(self.statement())})

    def verify(self) -> Contract:
        """The terms, if both sides signed exactly them and agree on the evaluators' key.

        Raises:
            ContractNotInForce: a signature is missing or does not fit, a key is shared, the terms are
            unreadable.
        """
        return _verified(canonical_json(self))


def draft(source: Source, *, evaluator_key: str, in_force_from: datetime) -> SignedContract:
    """An unsigned contract over a document that `read_contract` accepts; `InvalidDocument` otherwise."""
    read_contract(source)
    return SignedContract(document=source.data, evaluator_key=evaluator_key, in_force_from=utc(in_force_from))


@lru_cache(maxsize=64)
def _verified(text: bytes) -> Contract:
    signed = SignedContract.model_validate_json(text)
    for role, signature in (("vendor", signed.vendor), ("customer", signed.customer)):
        if signature is None:
            raise ContractNotInForce(f"contract {signed.reference} is not signed by the {role}; nothing can be charged")
        if signature.signer != role or not verifies(signature, signed.statement()):
            raise ContractNotInForce(
                f"contract {signed.reference}: the {role}'s signature does not fit; the contract, its start "
                "or the evaluators' key was altered after signing"
            )
    assert signed.vendor is not None
    assert signed.customer is not None
    if len({signed.vendor.public_key, signed.customer.public_key, signed.evaluator_key}) != 3:
        raise ContractNotInForce(f"contract {signed.reference}: vendor, customer and evaluators need a key each")
    try:
        return read_contract(Source(signed.reference, signed.document, {}))
    except InvalidDocument as error:
        raise ContractNotInForce(f"contract {signed.reference} is signed but cannot be used: {error}") from None
