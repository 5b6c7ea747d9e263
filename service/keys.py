"""Whether the keys in a state folder are those that its signed contract names. Nothing is signed or made here."""

from __future__ import annotations

from agents.clock import Clock
from billing import ContractNotInForce, contract_in_force
from evaluators.signing import key_fingerprint
from service.database import Database
from service.deployment import Deployment, State
from service.errors import WrongKey

REMEDY = (
    "restore the keys from a backup; if they are lost, give the contract a new version and have both sides sign it "
    "(settle contract sign)"
)


def refuse_wrong_keys(deployment: Deployment, state: State, database: Database, clock: Clock) -> None:
    """Keep work from beginning that nobody could prove or invoice: verdicts by another key are refused.

    Raises:
        WrongKey: a key is missing, or is not the one that the contract in force names.
    """
    tenant, contract = deployment.settings.tenant, deployment.contract.contract
    wrong = wrong_keys(state, database, tenant=tenant, contract=contract, clock=clock)
    if wrong:
        raise WrongKey(f"{'; '.join(wrong)}: nothing that is done could be proven or invoiced, so nothing is; {REMEDY}")


def wrong_keys(state: State, database: Database, *, tenant: str, contract: str, clock: Clock) -> list[str]:
    """What is wrong with the keys of the evaluators and of the vendor; nothing while no ``contract`` is in force."""
    try:
        with database.reading() as session:
            signed = contract_in_force(session, tenant=tenant, contract=contract, ticket_opened_at=clock.now())
    except ContractNotInForce:
        return []
    wanted = {"evaluator": signed.evaluator_key, "vendor": signed.vendor.public_key if signed.vendor else ""}
    found = []
    for signer, public_key in wanted.items():
        file, named = state.key_file(signer), f"{signed.reference} names {key_fingerprint(public_key)}"
        if not file.exists():
            found.append(f"{file} is missing, and {named}")
        elif state.key(signer).public_key != public_key:
            found.append(f"{file} is {key_fingerprint(state.key(signer).public_key)}, and {named}")
    return found
