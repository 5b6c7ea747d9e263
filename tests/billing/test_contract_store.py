"""Which contract prices a ticket, and that a kept one never changes."""

import pytest

from billing.contract_store import contract_in_force, keep_contract, kept_contract, kept_contracts
from billing.errors import ContractNotInForce
from tests.billing.books import CONTRACT, DAY, START, TENANT, VENDOR, Books, contract, drafted, signed

NEWER = signed(CONTRACT.replace("version: 2", "version: 3").replace("0.99", "1.49"), in_force_from=START)


@pytest.fixture
def kept(books: Books) -> Books:
    with books.write() as session:
        keep_contract(session, tenant=TENANT, signed=contract())
        keep_contract(session, tenant=TENANT, signed=NEWER)
        keep_contract(session, tenant=TENANT, signed=contract())
    return books


def test_a_ticket_is_priced_by_the_version_in_force_when_it_was_opened(kept: Books) -> None:
    with kept.write() as session:
        for opened, expected in ((START - DAY, contract()), (START, NEWER), (START + DAY, NEWER)):
            found = contract_in_force(session, tenant=TENANT, contract="acme-2026", ticket_opened_at=opened)
            assert found == expected


def test_before_the_first_version_nothing_is_in_force(kept: Books) -> None:
    for tenant, name, opened in (
        (TENANT, "acme-2026", START - 31 * DAY),
        (TENANT, "acme-2027", START),
        ("other", "acme-2026", START),
    ):
        with pytest.raises(ContractNotInForce), kept.write() as session:
            contract_in_force(session, tenant=tenant, contract=name, ticket_opened_at=opened)
    with pytest.raises(ContractNotInForce, match="is kept"), kept.write() as session:
        kept_contract(session, tenant="other", reference="acme-2026@2")


def test_changed_terms_need_a_new_version(kept: Books) -> None:
    with pytest.raises(ContractNotInForce, match="new version"), kept.write() as session:
        keep_contract(session, tenant=TENANT, signed=signed(CONTRACT.replace("0.99", "9.99")))


def test_only_signed_contracts_are_kept(books: Books) -> None:
    with pytest.raises(ContractNotInForce, match="not signed"), books.write() as session:
        keep_contract(session, tenant=TENANT, signed=drafted().sign(VENDOR))


def test_all_kept_contracts_are_listed(kept: Books) -> None:
    with kept.write() as session:
        assert {each.reference for each in kept_contracts(session, tenant=TENANT)} == {
            "acme-2026@2",
            "acme-2026@3",
        }
        assert kept_contracts(session, tenant="other") == ()
