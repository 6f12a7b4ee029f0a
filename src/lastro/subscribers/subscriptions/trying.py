"""Tries an endpoint out: one signed event of a type that never happens, sent now, and nothing is written."""

import time
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.auth.caller import Caller
from lastro.bank import Bank
from lastro.errors import Conflict
from lastro.keyring import CannotOpen
from lastro.places import Places
from lastro.subscribers.subscriptions import resources, service
from lastro.subscribers.subscriptions.resources import TestDocument
from lastro.values.text import Text
from lastro.values.time_ordered_id import new_id
from lastro.webhooks import secrets, signature
from lastro.webhooks.announce import frozen
from lastro.webhooks.models import SubscriptionSecret
from lastro.webhooks.outlet import Unreachable

TEST = "webhook.test"
MOST_SECONDS = 20.0
"""Whoever asks is waiting, and gets an answer within thirty."""

MOST_AT_ONCE, MOST_OF_ONE_TENANT = 32, 3
_TOO_MANY = Text(
    "Muitos testes ao mesmo tempo. Espere terminar um deles.", "Too many tests at once. Wait until one is over."
)
# The endpoint says how long each takes: without a bound, one tenant's would fill the server.
_PLACES = Places(MOST_AT_ONCE, MOST_OF_ONE_TENANT, full=_TOO_MANY, retry_after=5)


async def attempt(bank: Bank, caller: Caller, subscription_id: UUID) -> TestDocument:
    """Post to the endpoint, whatever the subscription's status. Raises NotFound, Conflict, RateLimited."""
    now = bank.now()
    async with bank.db.reading() as tx:
        subscription = await service.get(tx, caller, subscription_id)
        sealed = await _in_force(tx, subscription_id, now)
    try:
        custom = service.opened_headers(bank.key_ring, subscription)
        opened = secrets.all_opened(bank.key_ring, sealed)
    except CannotOpen as error:
        raise Conflict(service.LOST) from error
    shown = resources.resource(subscription, list(custom))
    body = frozen(TEST, shown, version=subscription.version, now=now)
    headers = signature.headers(
        opened,
        custom,
        event_id=new_id(now),
        timestamp=int(time.time()),  # of signatures, the real one
        body=body,
    )
    place = _PLACES.take(caller.tenant_id)
    began = time.monotonic()
    try:
        answered = await bank.outlet.post(
            subscription.endpoint_url,
            headers,
            body,
            timeout_seconds=min(subscription.timeout_ms / 1000, MOST_SECONDS),
        )
    except Unreachable as error:
        waited = round((time.monotonic() - began) * 1000)
        return resources.tried(status=None, milliseconds=waited, error=error.reason)
    finally:
        place.give_back()
    return resources.tried(status=answered.status, milliseconds=answered.milliseconds, error=None)


async def _in_force(tx: AsyncSession, subscription_id: UUID, now: datetime) -> Sequence[SubscriptionSecret]:
    """The newest first."""
    query = select(SubscriptionSecret).where(
        SubscriptionSecret.subscription_id == subscription_id,
        or_(SubscriptionSecret.expires_at.is_(None), SubscriptionSecret.expires_at > now),
    )
    return (await tx.execute(query.order_by(SubscriptionSecret.id.desc()))).scalars().all()
