"""The bank: what a service may need besides a transaction. It holds things together and decides nothing."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from lastro.auth.tokens import Mint, TokenBook
from lastro.clock import Clock
from lastro.database import Database
from lastro.egress import Egress
from lastro.isolated import Isolated
from lastro.keyring import KeyRing
from lastro.outbox.doorbell import Doorbell
from lastro.providers.directory import ProviderDirectory
from lastro.till import Till

Consequence = Callable[[AsyncSession, UUID, datetime], Awaitable[None]]
"""Takes the transaction, the account's id and the time."""


async def _nothing_follows(_tx: AsyncSession, _account_id: UUID, _now: datetime) -> None: ...


@dataclass(frozen=True, slots=True)
class Consequences:
    """What a change of an account means to packages that accounts do not know; part of the change's transaction."""

    renamed: Consequence = _nothing_follows
    closed: Consequence = _nothing_follows


class Signing(Protocol):
    """A private key whose public half other banks can find."""

    def sign(self, payload: bytes, *, key_set: str) -> str:
        """The payload as a compact JWS; `key_set` is the URL where `keys` are published."""
        ...

    def keys(self) -> dict[str, Any]:
        """The JWKS."""
        ...


class Answer(Protocol):
    """What somebody else's endpoint answered."""

    @property
    def status(self) -> int:
        """Of HTTP."""
        ...

    @property
    def retry_after(self) -> str | None:
        """As the header says it."""
        ...

    @property
    def milliseconds(self) -> int:
        """How long it took."""
        ...


class WayOut(Protocol):
    """Posts to endpoints that tenants name; `webhooks/outlet.py` is the one that there is."""

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, *, timeout_seconds: float) -> Answer:
        """Post once. Raises `webhooks.outlet.Unreachable`."""
        ...

    async def close(self) -> None:
        """Give every connection back."""
        ...


@dataclass(frozen=True, slots=True)
class Publication:
    """What the codes that we make say of us: our city, and where (host and path) other banks find our charges.

    Without a `signer` there are no charges, and so no dynamic codes. `scheme` is https, or http for a demo.
    """

    location: str
    scheme: str
    city: str
    signer: Signing | None


@dataclass(slots=True)
class Bank:
    """Passed to every service that owns its transactions or talks to the world.

    A function takes `tx` (it runs inside your transaction) or `bank` (it opens its own), never both.
    """

    db: Database
    clock: Clock
    tokens: TokenBook
    mint: Mint
    providers: ProviderDirectory
    doorbell: Doorbell
    key_ring: KeyRing
    images: Isolated
    preparing: Till[Any, Any]
    sending: Till[Any, Any]
    receiving: Till[Any, Any]
    metering: Till[Any, Any]
    consequences: Consequences
    publication: Publication
    egress: Egress
    outlet: WayOut
    loopback_endpoints: bool  # of webhooks: never in production
    code_secret: bytes = field(repr=False)

    def now(self) -> datetime:
        """The time, aware, in UTC. Nobody else asks a clock."""
        return self.clock.now()

    async def close(self) -> None:
        """Finish what is queued and give the connections back."""
        await self.preparing.drain()
        await self.sending.drain()
        await self.receiving.drain()
        await self.metering.drain()
        await self.images.close()
        await self.outlet.close()
        await self.doorbell.close()
        await self.db.close()
