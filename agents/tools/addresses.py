"""Which network addresses tools may be sent to: those of the public internet, and no others unless a person named them.

IPv6 has many ways to write an IPv4 address inside a longer one; what counts is the address that is reached in the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address

_METADATA = frozenset(
    ip_address(text)
    for text in ("169.254.169.254", "169.254.170.2", "168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::254")
)
"""Where clouds hand credentials to whoever asks; some lie in ranges that look public or merely private."""
_PRIVATE = tuple(
    IPv4Network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "100.64.0.0/10")
)
_PRIVATE_6 = (IPv6Network("fc00::/7"), IPv6Network("::1/128"))
_UNUSABLE = tuple(IPv4Network(text) for text in ("192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15", "240.0.0.0/4"))
_GLOBAL_6 = IPv6Network("2000::/3")
_NAT64 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
_COMPATIBLE = IPv6Network("::/96")
_ISATAP = (0x00005EFE, 0x02005EFE)


def refusal(text: str, *, private: bool) -> str | None:
    """Why nothing is sent to the address ``text``; None if it may be.

    Args:
        text: an IPv4 or IPv6 address as a resolver gives it.
        private: loopback and private networks are allowed, because the deployment names this host. Link-local,
            multicast and metadata addresses never are.
    """
    try:
        address = ip_address(text)
    except ValueError:
        return "is no address"
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        return "is link-local"
    for meant in (address, *_inside(address)):
        found = _own_refusal(meant, private=private)
        if found is not None:
            return found
    return None


def _inside(address: Address) -> Iterator[Address]:
    """The IPv4 addresses that an IPv6 address stands for."""
    if isinstance(address, IPv4Address):
        return
    number = int(address)
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    if any(address in network for network in _NAT64) or (address in _COMPATIBLE and number > 1):
        yield IPv4Address(number & 0xFFFFFFFF)
    if (number >> 32) & 0xFFFFFFFF in _ISATAP:
        yield IPv4Address(number & 0xFFFFFFFF)


def _own_refusal(address: Address, *, private: bool) -> str | None:
    if address in _METADATA:
        return "hands out credentials of the machine"
    if address.is_link_local:
        return "is link-local"
    if address.is_multicast:
        return "is multicast"
    if address.is_unspecified:
        return "is no address of a machine"
    networks: tuple[IPv4Network, ...] | tuple[IPv6Network, ...]
    networks = _PRIVATE if isinstance(address, IPv4Address) else _PRIVATE_6
    if any(address in network for network in networks):
        return None if private else "is private or of this machine"
    if isinstance(address, IPv4Address):
        usable = address.is_global and not any(address in network for network in _UNUSABLE)
    else:
        carries_ipv4 = address.ipv4_mapped is not None or address in _NAT64[0]
        usable = carries_ipv4 or (address in _GLOBAL_6 and address.is_global)
    return None if usable else "is reserved"
