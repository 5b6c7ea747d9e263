"""Signed contracts as kept per tenant: which one was in force, and what the one behind a charge said."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from agents.canonical import canonical_json
from billing.contract import SignedContract
from billing.errors import ContractNotInForce
from billing.periods import utc
from billing.tables import ContractRow


def keep_contract(session: Session, *, tenant: str, signed: SignedContract) -> None:
    """Keep a contract that both sides signed; keeping the same one twice is keeping it once.

    Raises:
        ContractNotInForce: it does not verify, or other terms stand under the same id and version.
    """
    contract = signed.verify()
    standing = session.get(ContractRow, (tenant, contract.reference))
    if standing is None:
        row = ContractRow(
            tenant=tenant,
            reference=contract.reference,
            name=contract.contract,
            version=contract.version,
            in_force_from=utc(signed.in_force_from),
            sha256=signed.sha256,
            signed=canonical_json(signed).decode(),
        )
        try:
            with session.begin_nested():
                session.add(row)
            return
        except IntegrityError:
            standing = session.get(ContractRow, (tenant, contract.reference))
            if standing is None:
                raise
    if SignedContract.model_validate_json(standing.signed).statement() != signed.statement():
        raise ContractNotInForce(f"other terms stand under {contract.reference}; give changed terms a new version")


def kept_contract(session: Session, *, tenant: str, reference: str) -> SignedContract:
    """The contract kept under ``id@version``; `ContractNotInForce` if there is none."""
    row = session.get(ContractRow, (tenant, reference))
    if row is None:
        raise ContractNotInForce(f"no contract {reference} is kept for {tenant}")
    return SignedContract.model_validate_json(row.signed)


def contract_in_force(session: Session, *, tenant: str, contract: str, ticket_opened_at: datetime) -> SignedContract:
    """The version of ``contract`` that prices a ticket opened then; `ContractNotInForce` if there is none."""
    row = session.exec(
        select(ContractRow)
        .where(
            ContractRow.tenant == tenant,
            ContractRow.name == contract,
            col(ContractRow.in_force_from) <= utc(ticket_opened_at),
        )
        .order_by(col(ContractRow.in_force_from).desc(), col(ContractRow.version).desc())
    ).first()
    if row is None:
        raise ContractNotInForce(f"no version of contract {contract} was in force at {ticket_opened_at.isoformat()}")
    return SignedContract.model_validate_json(row.signed)


def kept_contracts(session: Session, *, tenant: str) -> tuple[SignedContract, ...]:
    """All contracts kept for a tenant, oldest first."""
    query = select(ContractRow).where(ContractRow.tenant == tenant)
    rows = session.exec(query.order_by(col(ContractRow.in_force_from), col(ContractRow.reference)))
    return tuple(SignedContract.model_validate_json(row.signed) for row in rows)
