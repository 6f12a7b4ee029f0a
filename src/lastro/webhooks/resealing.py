"""Puts under the newest key the secrets and headers of webhooks that an older one sealed, so that it can be retired."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.bank import Bank
from lastro.keyring import KeyRing, Sealed
from lastro.webhooks import secrets
from lastro.webhooks.models import Subscription, SubscriptionSecret

_AT_ONCE = 200


async def reseal(bank: Bank) -> int:
    """Go through all of them; says how many had an older key. May run beside a working bank, and again."""
    done = 0
    while found := await _some(bank):
        done += found
    return done


async def _some(bank: Bank) -> int:
    ring = bank.key_ring
    async with bank.db.transaction() as tx:
        older = await _older_secrets(tx, ring)
        for secret in older:
            sealed = secrets.sealed(ring, secrets.opened(ring, secret), secret.subscription_id, secret.id)
            secret.key_id, secret.ciphertext = sealed.key_id, sealed.ciphertext
        subscriptions = await _older_headers(tx, ring)
        for subscription in subscriptions:
            old = Sealed(subscription.custom_headers_key_id or "", subscription.custom_headers or b"")
            sealed = secrets.sealed_headers(ring, secrets.opened_headers(ring, old, subscription.id), subscription.id)
            subscription.custom_headers_key_id, subscription.custom_headers = sealed.key_id, sealed.ciphertext
        await tx.flush()
    return len(older) + len(subscriptions)


async def _older_secrets(tx: AsyncSession, ring: KeyRing) -> Sequence[SubscriptionSecret]:
    query = select(SubscriptionSecret).where(SubscriptionSecret.key_id != ring.newest)
    return (await tx.execute(query.limit(_AT_ONCE).with_for_update(skip_locked=True))).scalars().all()


async def _older_headers(tx: AsyncSession, ring: KeyRing) -> Sequence[Subscription]:
    query = select(Subscription).where(Subscription.custom_headers_key_id != ring.newest)
    return (await tx.execute(query.limit(_AT_ONCE).with_for_update(skip_locked=True))).scalars().all()
