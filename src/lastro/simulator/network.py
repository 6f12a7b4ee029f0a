"""What the parts of the network share: settings, clock, book, deliveries; and who is let in."""

from dataclasses import dataclass, field
from hmac import compare_digest
from typing import Annotated

from fastapi import Depends, Request

from lastro.clock import Clock
from lastro.simulator.book import Book
from lastro.simulator.customers import Customers
from lastro.simulator.delivery import Deliveries
from lastro.simulator.shops import Shops
from lastro.simulator.signing import Seal
from lastro.simulator.wire import Refusal

# The two banks at which everybody lives who is not our customer. Two, because the other side must be another bank.
_ITAU, _BRADESCO = "60701190", "60746948"


@dataclass(frozen=True)
class SimulatorSettings:
    """`deliver_to` is the base URL of Lastro; `secret` is shared with it; `limit_lookups` meters the directory.

    `authority` is where others find this network, as codes name it; without it, as each of them has found it.
    `customer_tokens` are tokens of Lastro in the hands of simulated customers, who type the codes that they get.
    """

    database_url: str = field(repr=False)
    secret: str = field(repr=False)
    deliver_to: str
    limit_lookups: bool = True
    customer_tokens: tuple[str, ...] = field(default=(), repr=False)
    authority: str = ""


def authority_of(url: str) -> str:
    """Host and port of a URL, as a code names them."""
    return url.partition("://")[2].partition("/")[0].lower()


@dataclass(frozen=True)
class Network:
    """One running network."""

    settings: SimulatorSettings
    clock: Clock
    book: Book
    deliveries: Deliveries
    customers: Customers
    shops: Shops = field(default_factory=Shops)
    _seals: dict[str, Seal] = field(default_factory=dict)

    def seal_of(self, authority: str) -> Seal:
        """The key under which charges are published at this host."""
        host = authority.partition(":")[0]
        if host not in self._seals:
            self._seals[host] = Seal(host, self.clock.now())
        return self._seals[host]


def _network_of(request: Request) -> Network:
    network = request.app.state.network
    assert isinstance(network, Network)  # noqa: S101 - only a bug can break it
    return network


TheNetwork = Annotated[Network, Depends(_network_of)]


def participant_only(request: Request, network: TheNetwork) -> None:
    """Let in who knows the secret. Raises Refusal 401."""
    shown = request.headers.get("authorization", "").encode("latin-1")
    if not compare_digest(shown, f"Bearer {network.settings.secret}".encode()):
        raise Refusal(401, "Unauthorized", "Falta o segredo da rede, ou não é este.")


def another_bank(ispb: str) -> str:
    """A bank that is not `ispb`."""
    return _BRADESCO if ispb == _ITAU else _ITAU
