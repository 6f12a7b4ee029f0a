"""Finds a provider by its id, with the adapter that speaks to it."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import text

from lastro import logs
from lastro.database import Database
from lastro.errors import Flaw, NotFound, ProviderUnavailable, Validation
from lastro.keyring import CannotOpen, KeyRing
from lastro.providers import credentials
from lastro.providers.breaker import Circuits
from lastro.providers.features import Feature
from lastro.providers.guarded import Guarded
from lastro.providers.models import ProviderRow
from lastro.providers.offer import Offer
from lastro.providers.protocol import Provider
from lastro.values.bank_account import AccountType
from lastro.values.text import Invalid, Text

NETWORK = "network"
"""The adapter to docs/network.md."""

OPENPIX = "openpix"
"""The adapter to OpenPix's public API."""

MEMORY_SECONDS = 1.0

_NO_PROVIDER = Text("Provedor não encontrado.", "Provider not found.")
_NO_DEFAULT = Text(
    "Informe providerId: a empresa não tem provedor padrão.", "Give a providerId: the company has no default provider."
)
_NO_ACCESS = Text(
    "O acesso ao provedor não está configurado corretamente.", "The access to the provider is not set up correctly."
)
_log = logs.logger("providers")


@dataclass(frozen=True, slots=True)
class Access:
    """One provider of one tenant, as its adapter sees it: who it is, how it is set up, and what opens its door."""

    provider_id: UUID
    ispb: str
    settings: Mapping[str, Any]
    credentials: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Adapter:
    """One way to speak to providers: what it can do, and how a connection is made.

    `connect` calls nobody, and raises Invalid for credentials that make no sense. `needs` and `takes` name the
    credentials without which it can not do, and those that it reads at all; `settings` the settings that are its own.
    `one_book`: all its providers of one ISPB are one institution, whose customers pay each other in our ledger. Else
    that is so within one provider alone.
    """

    features: frozenset[Feature]
    account_types: frozenset[AccountType]
    connect: Callable[[Access], Provider]
    needs: frozenset[str] = frozenset()
    takes: frozenset[str] = credentials.NAMES
    settings: frozenset[str] = frozenset()
    one_book: bool = False


@dataclass(frozen=True, slots=True)
class ProviderFacts:
    """A provider as it stood less than a second ago, and the adapter behind its breakers."""

    id: UUID
    tenant_id: UUID
    name: str
    ispb: str
    house: str
    strict_documents: bool
    hides_accounts: bool
    offer: Offer
    circuits: Circuits
    speaks: Provider


@dataclass(frozen=True, slots=True)
class _Line:
    """A connection that is kept for as long as what it was made of stays the same."""

    made_of: tuple[Any, ...] = field(repr=False)
    circuits: Circuits
    speaks: Provider


def no_provider(pointer: str | None = None) -> NotFound:
    """Absent, or another tenant's: nobody can tell which. `pointer`: to what named it."""
    return NotFound(_NO_PROVIDER, flaws=[] if pointer is None else [Flaw(_NO_PROVIDER, pointer=pointer)])


class ProviderDirectory:
    """Remembers what it has read for less than a second, and connections with their breakers for as long as they fit.

    Who asks for the same provider at the same time shares the question.
    """

    def __init__(self, db: Database, adapters: Mapping[str, Adapter], key_ring: KeyRing) -> None:
        self._db = db
        self.adapters = adapters
        self._key_ring = key_ring
        self._known: dict[UUID, tuple[ProviderFacts, float]] = {}
        self._asking: dict[UUID, tuple[asyncio.Task[ProviderFacts], float]] = {}
        self._lines: dict[UUID, _Line] = {}

    async def get(self, provider_id: UUID) -> ProviderFacts:
        """Raise NotFound for an id that nobody has, ProviderUnavailable for an access that can not be used."""
        known = self._known.get(provider_id)
        if known is not None and known[1] > time.monotonic():
            return known[0]
        asking, since = self._asking.get(provider_id, (None, 0.0))
        # An old question is not joined: its answer may be older than what somebody was told since.
        if asking is None or since + MEMORY_SECONDS < time.monotonic():
            asking = asyncio.create_task(self._remember(provider_id))
            self._asking[provider_id] = (asking, time.monotonic())
            asking.add_done_callback(lambda done: self._asked(provider_id, done))
        return await asyncio.shield(asking)

    def forget(self, provider_id: UUID) -> None:
        """It was changed here: whoever asks next reads anew. Other processes do so within a second."""
        self._known.pop(provider_id, None)
        self._asking.pop(provider_id, None)

    def _asked(self, provider_id: UUID, done: asyncio.Task[ProviderFacts]) -> None:
        if self._asking.get(provider_id, (None,))[0] is done:
            del self._asking[provider_id]
        if not done.cancelled():
            done.exception()  # whoever waited has it; nobody may be left to

    async def _remember(self, provider_id: UUID) -> ProviderFacts:
        asked_at = time.monotonic()
        async with self._db.reading() as tx:
            row = await tx.get(ProviderRow, provider_id)
        if row is None:
            self._known.pop(provider_id, None)
            self._lines.pop(provider_id, None)
            raise no_provider("/data/attributes/providerId")
        facts = self._facts(row)
        if self._asking.get(provider_id, (None,))[0] is asyncio.current_task():  # else it was forgotten meanwhile
            self._known[provider_id] = (facts, asked_at + MEMORY_SECONDS)
        return facts

    def _facts(self, row: ProviderRow) -> ProviderFacts:
        line = self._line(row)
        return ProviderFacts(
            id=row.id,
            tenant_id=row.tenant_id,
            name=row.name,
            ispb=row.ispb,
            house=row.house,
            strict_documents=row.strict_documents,
            hides_accounts=row.hides_accounts,
            offer=self.offer_of(row),
            circuits=line.circuits,
            speaks=line.speaks,
        )

    def _line(self, row: ProviderRow) -> _Line:
        made_of = (row.adapter, row.strict_documents, row.hides_accounts, row.settings, row.credentials)
        line = self._lines.get(row.id)
        if line is None or line.made_of != made_of:
            circuits = Circuits()
            line = self._lines[row.id] = _Line(made_of, circuits, Guarded(self._connect(row), circuits))
        return line

    def _connect(self, row: ProviderRow) -> Provider:
        try:
            return self.adapters[row.adapter].connect(access(row, credentials.opened(self._key_ring, row)))
        except (KeyError, CannotOpen, Invalid) as error:  # not wired here, sealed under a lost key, no longer good
            _log.error("provider_without_access", provider=str(row.id), why=type(error).__name__)
            raise ProviderUnavailable(_NO_ACCESS, retry_after=60) from None

    def offer_of(self, row: ProviderRow) -> Offer:
        """What this provider does for us: of what the adapter can do, the part that the tenant uses."""
        adapter = self.adapters.get(row.adapter)
        if adapter is None:
            return Offer(row.status, frozenset(), frozenset())
        used = adapter.features if row.supported_features is None else frozenset(map(Feature, row.supported_features))
        types = frozenset(map(AccountType, row.account_types))
        reviewed_elsewhere = Feature.KYC not in adapter.features
        return Offer(row.status, adapter.features & used, adapter.account_types & types, reviewed_elsewhere)

    async def of_tenant(self, provider_id: UUID | None, tenant_id: UUID) -> ProviderFacts:
        """The tenant's own provider, or its default one; another tenant's is not found, like a random id.

        Raises NotFound, Validation when there is no default, ProviderUnavailable.
        """
        if provider_id is None:
            provider_id = await self._default_of(tenant_id)
        facts = await self.get(provider_id)
        if facts.tenant_id != tenant_id:
            raise no_provider("/data/attributes/providerId")
        return facts

    async def _default_of(self, tenant_id: UUID) -> UUID:
        query = text("SELECT default_provider_id FROM tenants WHERE id = :tenant_id")
        async with self._db.reading() as tx:
            default: UUID | None = (await tx.execute(query, {"tenant_id": tenant_id})).scalar_one_or_none()
        if default is None:
            raise Validation(_NO_DEFAULT, flaws=[Flaw(_NO_DEFAULT, pointer="/data/attributes/providerId")])
        return default


def access(row: ProviderRow, secrets: Mapping[str, str]) -> Access:
    """What the adapter is given of a row."""
    settings = {"strictDocuments": row.strict_documents, "hidesAccounts": row.hides_accounts, **row.settings}
    return Access(row.id, row.ispb, settings, secrets)
