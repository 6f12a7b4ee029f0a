"""A new key in front of the old one: credentials are sealed anew, once, and mean the same."""

import base64
from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from build import a_cnpj
from conftest import ENCRYPTION_KEYS
from lastro.bank import Bank
from lastro.keyring import CannotOpen, KeyRing
from lastro.providers import credentials
from lastro.providers.models import ProviderRow
from lastro.tenants import service as tenants
from lastro.tenants.providers.resealing import reseal
from lastro.values.bank_account import AccountType
from lastro.wiring import Assembly

NEWER = f"younger:{base64.b64encode(b'y' * 32).decode()}"


@pytest.fixture
async def bank(quiet: Assembly) -> AsyncIterator[Bank]:
    """Its key ring is the test's to change."""
    yield quiet.bank
    quiet.bank.key_ring = KeyRing.parse(ENCRYPTION_KEYS)


async def sealed_provider(bank: Bank) -> UUID:
    tenant_id = await tenants.create_tenant(bank, "resealing", a_cnpj())
    provider_id = await tenants.add_provider(
        bank,
        tenant_id=tenant_id,
        name="Banco",
        code=None,
        ispb="00000000",
        account_types=list(AccountType),
        strict_documents=False,
    )
    sealed = credentials.seal(bank.key_ring, provider_id, {"apiKey": "segredo"})
    async with bank.db.transaction() as tx:
        row = await tx.get_one(ProviderRow, provider_id)
        row.credentials, row.credentials_key_id = sealed.ciphertext, sealed.key_id
    return provider_id


async def row_of(bank: Bank, provider_id: UUID) -> ProviderRow:
    async with bank.db.transaction() as tx:
        return await tx.get_one(ProviderRow, provider_id)


async def test_credentials_are_sealed_anew_once_and_mean_the_same(bank: Bank) -> None:
    provider_id = await sealed_provider(bank)
    assert await reseal(bank) == 0
    bank.key_ring = KeyRing.parse(f"{NEWER},{ENCRYPTION_KEYS}")

    assert await reseal(bank) >= 1  # and those of other tests
    assert await reseal(bank) == 0

    row = await row_of(bank, provider_id)
    assert row.credentials_key_id == "younger"
    assert credentials.opened(KeyRing.parse(NEWER), row) == {"apiKey": "segredo"}
    with pytest.raises(CannotOpen):
        credentials.opened(KeyRing.parse(ENCRYPTION_KEYS), row)
    bank.key_ring = KeyRing.parse(f"{ENCRYPTION_KEYS},{NEWER}")  # nothing for the other tests under a key that goes
    assert await reseal(bank) >= 1
