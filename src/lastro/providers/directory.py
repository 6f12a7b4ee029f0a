"""Finds a provider by its id, with the adapter that speaks to it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from lastro.database import Database
from lastro.errors import Flaw, NotFound
from lastro.keyring import KeyRing
from lastro.providers.features import Feature
from lastro.providers.models import ProviderRow
from lastro.providers.protocol import Provider
from lastro.values.bank_account import AccountType
from lastro.values.text import Text

_NO_PROVIDER = Text("Provedor não encontrado.", "Provider not found.")


@dataclass(frozen=True, slots=True)
class Access:
    """One provider of one tenant, as its adapter sees it: who it is, how it is set up, and what opens its door."""

    provider_id: UUID
    ispb: str
    settings: Mapping[str, Any]
    credentials: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Adapter:
    """One way to speak to providers: what it can do, and how a connection is made."""

    features: frozenset[Feature]
    account_types: frozenset[AccountType]
    connect: Callable[[Access], Provider]


@dataclass(frozen=True, slots=True)
class ProviderFacts:
    """What is fixed about a provider, and the adapter."""

    id: UUID
    tenant_id: UUID
    name: str
    ispb: str
    account_types: frozenset[AccountType]
    strict_documents: bool
    hides_accounts: bool
    speaks: Provider


def _no_provider() -> NotFound:
    return NotFound(_NO_PROVIDER, flaws=[Flaw(_NO_PROVIDER, pointer="/data/attributes/providerId")])


class ProviderDirectory:
    """Remembers what it has read: a provider's row never changes."""

    def __init__(self, db: Database, adapters: Mapping[str, Adapter], key_ring: KeyRing) -> None:
        self._db = db
        self._adapters = adapters
        self._key_ring = key_ring
        self._known: dict[UUID, ProviderFacts] = {}

    async def get(self, provider_id: UUID) -> ProviderFacts:
        """Raise NotFound for an id that nobody has."""
        facts = self._known.get(provider_id)
        if facts is None:
            facts = self._known[provider_id] = await self._read(provider_id)
        return facts

    async def _read(self, provider_id: UUID) -> ProviderFacts:
        async with self._db.transaction() as tx:
            row = await tx.get(ProviderRow, provider_id)
        if row is None:
            raise _no_provider()
        access = Access(
            provider_id=row.id,
            ispb=row.ispb,
            settings={"strictDocuments": row.strict_documents, "hidesAccounts": row.hides_accounts},
            credentials={},
        )
        return ProviderFacts(
            id=row.id,
            tenant_id=row.tenant_id,
            name=row.name,
            ispb=row.ispb,
            account_types=frozenset(AccountType(name) for name in row.account_types),
            strict_documents=row.strict_documents,
            hides_accounts=row.hides_accounts,
            speaks=self._adapters[row.adapter].connect(access),
        )

    async def of_tenant(self, provider_id: UUID, tenant_id: UUID) -> ProviderFacts:
        """The tenant's own provider; another tenant's is not found, like a random id."""
        facts = await self.get(provider_id)
        if facts.tenant_id != tenant_id:
            raise _no_provider()
        return facts
