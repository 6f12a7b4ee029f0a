"""Networks and addresses of the internet, as people write them: `203.0.113.0/24`, `2001:db8::/32`, one alone."""

import ipaddress
from collections.abc import Iterable

from lastro.values.text import Invalid, Text

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NO_NETWORK = Text(
    "Deve ser uma rede em notação CIDR, como 203.0.113.0/24 ou 2001:db8::/32.",
    "Must be a network in CIDR notation, such as 203.0.113.0/24 or 2001:db8::/32.",
)
_HOST_BITS = Text(
    "O endereço tem bits além da máscara da rede.", "The address has bits beyond the mask of the network."
)
_LONGEST = 49  # an IPv6 address with its mask

# These count as global for `ipaddress`. They lead to any IPv4 address: NAT64, 6to4, Teredo; or nowhere but inside of
# somebody's house: site-local addresses, 6to4's relays, documentation.
_NOT_THERE = [
    ipaddress.ip_network(each)
    for each in ("64:ff9b::/96", "2002::/16", "2001::/32", "fec0::/10", "192.88.99.0/24", "3fff::/20")
]


def parse_network(text: str) -> Network:
    """A network; an address alone is a network of one. Raises Invalid."""
    if "%" in text or len(text) > _LONGEST:
        raise Invalid(_NO_NETWORK)
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise Invalid(_NO_NETWORK) from error
    address, _, mask = text.partition("/")
    if mask and not mask.isdigit():  # netmasks in dots are two ways to say one thing, and easily turned around
        raise Invalid(_NO_NETWORK)
    if ipaddress.ip_address(address) != network.network_address:
        raise Invalid(_HOST_BITS)
    return network


def parse_address(text: str) -> Address | None:
    """An address, or nothing when it is none. An IPv4 address inside IPv6 (`::ffff:…`) is the IPv4 address."""
    if "%" in text or len(text) > _LONGEST:
        return None
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def is_public(text: str) -> bool:
    """Whether this is an address that all the world reaches."""
    address = parse_address(text)
    if address is None or lies_in(address, _NOT_THERE):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved)


def is_loopback(text: str) -> bool:
    """Whether this is an address of this very machine."""
    address = parse_address(text)
    return address is not None and address.is_loopback


def lies_in(address: Address, networks: Iterable[Network]) -> bool:
    """Whether one of the networks has this address."""
    return any(address in network for network in networks)


def lie_within(inner: Iterable[Network], outer: Iterable[Network]) -> bool:
    """Whether every address of `inner` is one of `outer`, however that is cut into networks."""
    wide = [*outer]
    merged: list[Network] = [
        *ipaddress.collapse_addresses([each for each in wide if isinstance(each, ipaddress.IPv4Network)]),
        *ipaddress.collapse_addresses([each for each in wide if isinstance(each, ipaddress.IPv6Network)]),
    ]
    return all(any(_within(each, other) for other in merged) for each in inner)


def _within(inner: Network, outer: Network) -> bool:
    if isinstance(inner, ipaddress.IPv4Network) and isinstance(outer, ipaddress.IPv4Network):
        return inner.subnet_of(outer)
    if isinstance(inner, ipaddress.IPv6Network) and isinstance(outer, ipaddress.IPv6Network):
        return inner.subnet_of(outer)
    return False
