"""Every way of writing an address that is not the public internet's."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.tools.addresses import refusal

NEVER = [
    "0.0.0.0",
    "169.254.1.1",
    "169.254.169.254",
    "168.63.129.16",
    "100.100.100.200",
    "192.0.0.192",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "198.18.0.1",
    "192.0.2.1",
    "::",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "fd00:ec2::254",
    "100::1",
    "2001:db8::1",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
    "2a00::5efe:a9fe:a9fe",
    "not an address",
    "127.1",
    "",
]
PRIVATE = [
    "127.0.0.1",
    "127.9.9.9",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "::1",
    "fc00::1",
    "fd12:3456::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
]
PUBLIC = ["93.184.215.14", "1.1.1.1", "172.32.0.1", "2606:4700:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"]


@pytest.mark.parametrize("address", NEVER)
def test_what_is_never_asked(address: str) -> None:
    assert refusal(address, private=False)
    assert refusal(address, private=True)


@pytest.mark.parametrize("address", PRIVATE)
def test_what_only_a_named_host_may_have(address: str) -> None:
    assert refusal(address, private=False)
    assert refusal(address, private=True) is None


@pytest.mark.parametrize("address", PUBLIC)
def test_what_anybody_may_have(address: str) -> None:
    assert refusal(address, private=False) is None


@given(st.integers(0, 2**32 - 1).map(IPv4Address))
def test_an_address_does_not_become_public_by_being_written_longer(address: IPv4Address) -> None:
    number = int(address)
    mapped, nat64 = IPv6Address(0xFFFF << 32 | number), IPv6Address(0x64FF9B << 96 | number)
    sixtofour = IPv6Address(0x2002 << 112 | number << 80 | 1)
    isatap = IPv6Address(0x2A00 << 112 | 0x5EFE << 32 | number)
    plain = refusal(str(address), private=False)
    for longer in (mapped, nat64):
        assert (refusal(str(longer), private=False) is None) is (plain is None)
    for longer in (sixtofour, isatap):
        assert plain is None or refusal(str(longer), private=False) is not None
