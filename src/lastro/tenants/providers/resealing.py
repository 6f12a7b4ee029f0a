"""Puts credentials under the newest key, so that an older one can be taken off the ring."""

from sqlalchemy import select

from lastro.bank import Bank
from lastro.providers import credentials
from lastro.providers.models import ProviderRow


async def reseal(bank: Bank) -> int:
    """Go through all providers; says how many had an older key. May run beside a working bank, and again.

    Raises CannotOpen.
    """
    newest = bank.key_ring.newest
    async with bank.db.transaction() as tx:
        query = select(ProviderRow).where(ProviderRow.credentials_key_id != newest).with_for_update(key_share=True)
        rows = (await tx.execute(query)).scalars().all()
        for row in rows:
            sealed = credentials.seal(bank.key_ring, row.id, credentials.opened(bank.key_ring, row))
            row.credentials, row.credentials_key_id = sealed.ciphertext, sealed.key_id
    return len(rows)
