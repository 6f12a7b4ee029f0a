"""The composition root: makes a Bank out of settings. The only module that names an adapter."""

import asyncio
import contextlib
import functools
import hmac
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy.ext.asyncio import AsyncSession

from lastro import metrics
from lastro.auth.origin import Proxies
from lastro.auth.tokens import Mint, TokenBook
from lastro.bank import Bank, Consequences, Publication
from lastro.clock import Clock
from lastro.database import Database
from lastro.egress import Egress
from lastro.errors import Unavailable
from lastro.isolated import Isolated
from lastro.keyring import KeyRing
from lastro.kyc import limited
from lastro.kyc import service as kyc
from lastro.outbox.doorbell import Doorbell
from lastro.pix.keys import crossing as keys
from lastro.pix.lookups import metering
from lastro.pix.lookups.budgets import PARTICIPANTS
from lastro.pix.lookups.reservations import Reservations
from lastro.pix.payments import acceptance as sending
from lastro.pix.payments.preparation import prepare
from lastro.pix.qrcodes.signer import Signer
from lastro.pix.transfers import acceptance as receiving
from lastro.pooling import SmallPools
from lastro.providers import network_http, openpix_http
from lastro.providers.directory import NETWORK, OPENPIX, Adapter, ProviderDirectory
from lastro.settings import Settings
from lastro.till import Till
from lastro.webhooks.outlet import Outlet

SYNCHRONISE_SECONDS = 30.0

Flush = Callable[[Sequence[Any], bool], Awaitable[Sequence[Any]]]
"""What a till does with a batch; the flag says that an earlier try of it may have been committed."""


class Assembly:
    """A bank with everything around it that must be closed again."""

    def __init__(self, bank: Bank, client: httpx.AsyncClient) -> None:
        self.bank = bank
        self._client = client
        self._keeping_time: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Take over the database's time, and keep it. Raises Unavailable when there is no database."""
        await self._synchronise()
        self._keeping_time = asyncio.create_task(self._keep_time())

    async def _synchronise(self) -> None:
        asked = time.monotonic()
        moment = await self.bank.db.now()
        self.bank.clock.synchronise(moment, (asked + time.monotonic()) / 2)

    async def _keep_time(self) -> None:
        while True:
            await asyncio.sleep(SYNCHRONISE_SECONDS)
            with contextlib.suppress(Unavailable):
                await self._synchronise()

    async def close(self) -> None:
        """Finish what is queued and give every connection back."""
        if self._keeping_time is not None:
            self._keeping_time.cancel()
            await asyncio.wait([self._keeping_time])
        await self.bank.close()
        await self._client.aclose()


def build(
    settings: Settings,
    *,
    clock: Clock | None = None,
    literal_tokens: bool = False,
    loopback_endpoints: bool = False,
    adapters: Mapping[str, Adapter] | None = None,
) -> Assembly:
    """Put the bank together; nothing is connected yet.

    `literal_tokens` and `loopback_endpoints` (webhooks to this very machine) are for `lastro dev` alone.
    """
    db = Database(settings.database_url, pool_size=settings.pool_size)
    client = httpx.AsyncClient(
        transport=SmallPools(),
        follow_redirects=False,
        trust_env=False,
    )
    pepper = settings.token_pepper.get_secret_value().encode()
    key_ring = KeyRing.parse(settings.encryption_keys.get_secret_value())
    participant = PARTICIPANTS[settings.dict_category]
    reservations = Reservations(participant)
    metered = functools.partial(metering.carry_out, participant=participant, reserved=reservations.tokens)
    bank = Bank(
        db=db,
        clock=clock or Clock(),
        tokens=TokenBook(db, pepper, literal=literal_tokens, proxies=Proxies.parse(settings.trusted_proxies)),
        mint=Mint(settings.environment, pepper, literal=literal_tokens),
        providers=ProviderDirectory(db, {**_adapters(settings, client), **(adapters or {})}, key_ring),
        doorbell=Doorbell(db),
        key_ring=key_ring,
        images=Isolated(Path(limited.__file__)),
        preparing=_till("preparing", lambda asked, _: prepare(db, asked, reservations), _identity),
        sending=_till("sending", lambda ready, again: sending.accept(db, ready, again=again), _identity),
        receiving=_till("receiving", lambda told, _: receiving.accept(db, told), lambda each: each.pix.end_to_end_id),
        metering=_till("metering", _in_transaction(db, metered), lambda _order: None),
        consequences=Consequences(renamed=kyc.renamed, closed=keys.close_account),
        code_secret=hmac.digest(pepper, b"codes that prove the possession of a Pix key", "sha256"),
        publication=_publication(settings),
        outlet=Outlet(loopback=loopback_endpoints, own=_own_hosts(settings)),
        egress=Egress([host for host in settings.pix_hosts.split(",") if host.strip()]),
    )
    return Assembly(bank, client)


def _adapters(settings: Settings, client: httpx.AsyncClient) -> Mapping[str, Adapter]:
    """Every way to speak to a provider that Lastro has, by the name in the provider's row."""
    secret = settings.network_secret.get_secret_value()
    adapters = {NETWORK: network_http.adapter(client, base_url=settings.network_url, secret=secret)}
    if settings.openpix_url is not None:
        adapters[OPENPIX] = openpix_http.adapter(client, base_url=settings.openpix_url)
    return adapters


def _publication(settings: Settings) -> Publication:
    address = settings.pix_location or f"http://{settings.host}:{settings.port}/qr/v2"
    scheme, _, location = address.rpartition("://")
    return Publication(
        location=location,
        scheme=scheme or "https",
        city=settings.merchant_city,
        signer=Signer.load(settings.qr_certificate) if settings.qr_certificate is not None else None,
    )


def _own_hosts(settings: Settings) -> set[str]:
    """What the world knows us by; no webhook of a tenant goes there."""
    location = settings.pix_location or ""
    return {location.partition("/")[0].partition(":")[0]} if location and "://" not in location else set()


def _till(name: str, carry_out: Flush, twin_of: Callable[[Any], Any]) -> Till[Any, Any]:
    async def flush(orders: Sequence[Any], again: bool) -> Sequence[Any]:
        metrics.BATCH.labels(name).observe(len(orders))
        return await carry_out(orders, again)

    return Till(flush, twin_of)


def _identity(order: Any) -> Any:
    """Orders with one Idempotency-Key are twins."""
    return order.attempt and order.attempt.identity


def _in_transaction(
    db: Database, carry_out: Callable[[AsyncSession, Sequence[Any]], Awaitable[Sequence[Any]]]
) -> Flush:
    """For orders that can be carried out twice without harm."""

    async def flush(orders: Sequence[Any], _again: bool) -> Sequence[Any]:
        async with db.transaction() as tx:
            return await carry_out(tx, orders)

    return flush
