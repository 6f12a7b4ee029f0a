"""Finds a provider by its id, with the adapter that speaks to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from lastro.database import Database
from lastro.errors import Flaw, NotFound
from lastro.providers.models import ProviderRow
from lastro.providers.protocol import Provider
from lastro.values.bank_account import AccountType
from lastro.values.text import Text

_NO_PROVIDER = Text("Provedor não encontrado.", "Provider not found.")


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

    def __init__(self, db: Database, adapters: Mapping[str, Provider]) -> None:
        self._db = db
        self._adapters = adapters
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
        return ProviderFacts(
            id=row.id,
            tenant_id=row.tenant_id,
            name=row.name,
            ispb=row.ispb,
            account_types=frozenset(AccountType(name) for name in row.account_types),
            strict_documents=row.strict_documents,
            hides_accounts=row.hides_accounts,
            speaks=self._adapters[row.adapter],
        )

    async def of_tenant(self, provider_id: UUID, tenant_id: UUID) -> ProviderFacts:
        """The tenant's own provider; another tenant's is not found, like a random id."""
        facts = await self.get(provider_id)
        if facts.tenant_id != tenant_id:
            raise _no_provider()
        return facts
