"""Which of our own customers stand behind keys: asked before the directory, which must not be asked for them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.accounts.models import Account
from lastro.database import among
from lastro.pix.keys.models import KeyHolder, PixKeyRow
from lastro.pix.keys.states import KeyStage
from lastro.providers.models import ProviderRow
from lastro.providers.protocol import KeyOwner, Party
from lastro.values.bank_account import BankAccount
from lastro.values.pix_key import PixKey
from lastro.values.tax_id import TaxId


@dataclass(frozen=True, slots=True)
class Holder:
    """A customer of ours, of whichever tenant, with an active key."""

    account_id: UUID
    house: str
    owner: KeyOwner


async def holders(tx: AsyncSession, key_values: Collection[str]) -> Mapping[str, Holder]:
    """Those of these keys that are active and ours.

    Whether a payment to one stays inside is for the caller to say: only within one house it does.
    """
    if not key_values:
        return {}
    rows = await tx.execute(
        select(PixKeyRow, Account, ProviderRow.ispb, ProviderRow.house)
        .join(KeyHolder, (KeyHolder.account_id == PixKeyRow.account_id) & (KeyHolder.key_id == PixKeyRow.id))
        .join(Account, Account.id == PixKeyRow.account_id)
        .join(ProviderRow, ProviderRow.id == PixKeyRow.provider_id)
        .where(among(KeyHolder.key_value, set(key_values)), PixKeyRow.stage == KeyStage.ACTIVE)
    )
    return {
        key.value: Holder(
            account.id,
            house,
            KeyOwner(
                PixKey(key.type, key.value),
                Party(
                    account.holder_name,
                    TaxId(account.holder_document, account.holder_document_type),
                    BankAccount(ispb, account.branch, account.account_number, account.type),
                ),
                key.created_at,
            ),
        )
        for key, account, ispb, house in rows
        if key.value is not None and account.branch is not None and account.account_number is not None
    }
