"""Where a request comes from: the peer, or what a proxy of ours says that its peer is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lastro.values.network import Address, Network, lies_in, parse_address, parse_network

_HEADER = b"x-forwarded-for"


@dataclass(frozen=True, slots=True)
class Proxies:
    """The proxies that are believed: each has added the address of its own peer at the end of `X-Forwarded-For`."""

    networks: tuple[Network, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "Proxies":
        """From networks with commas. Raises Invalid."""
        return cls(tuple(parse_network(each.strip()) for each in text.split(",") if each.strip()))

    def client_of(self, scope: Mapping[str, Any]) -> Address | None:
        """The address of whoever asks (`scope` is ASGI's), or None when nobody who can be believed says it.

        Read from the right, where our own proxies write: the first address that is no proxy of ours is the client's.
        What stands to the left of it is whatever the client wrote.
        """
        peer = scope.get("client")
        address = parse_address(peer[0]) if peer else None
        if address is None or not lies_in(address, self.networks):
            return address
        said = b",".join(value for name, value in scope["headers"] if name == _HEADER).decode("latin-1")
        for hop in reversed(said.split(",") if said else []):
            address = parse_address(hop.strip())
            if address is None or not lies_in(address, self.networks):
                return address
        return address
