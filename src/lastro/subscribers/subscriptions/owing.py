"""Has news told again: their deliveries are PENDING again, or for the first time, in the order of the feed."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, Text, Uuid, bindparam, text
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.subscribers.feed.places import Entry
from lastro.values.time_ordered_id import new_id
from lastro.webhooks.models import Subscription

# What is due within a minute is being sent, or will be: it begins a new round, and its time is left alone.
_AGAIN = text(
    """
    INSERT INTO webhook_deliveries AS d (id, tenant_id, subscription_id, event_id, account_id, event_type, position,
                                         status, round_began_at, due_at, created_at)
    SELECT o.id, :tenant_id, :subscription_id, o.event_id, o.account_id, o.event_type, o.position, 'PENDING', :now,
           :now, :now
      FROM unnest(:ids, :event_ids, :account_ids, :types, :positions)
           AS o(id, event_id, account_id, event_type, position)
     ORDER BY o.position
        ON CONFLICT (subscription_id, event_id) DO UPDATE
       SET status = 'PENDING', attempts_before = d.attempts, round_began_at = :now, delivered_at = NULL,
           due_at = CASE WHEN d.status = 'PENDING' THEN least(d.due_at, :now + interval '1 minute') ELSE :now END
    """
).bindparams(
    bindparam("ids", type_=ARRAY(Uuid())),
    bindparam("event_ids", type_=ARRAY(Uuid())),
    bindparam("account_ids", type_=ARRAY(Uuid())),
    bindparam("types", type_=ARRAY(Text())),
    bindparam("positions", type_=ARRAY(BigInteger())),
)


async def tell_again(tx: AsyncSession, subscription: Subscription, entries: Sequence[Entry], *, now: datetime) -> None:
    """Owe these to the endpoint. One that is owed already is not owed twice."""
    if not entries:
        return
    await tx.execute(
        _AGAIN,
        {
            "tenant_id": subscription.tenant_id,
            "subscription_id": subscription.id,
            "ids": [new_id(now) for _ in entries],
            "event_ids": [each.event_id for each in entries],
            "account_ids": [each.account_id for each in entries],
            "types": [each.type for each in entries],
            "positions": [each.position for each in entries],
            "now": now,
        },
    )


def concerns(subscription: Subscription, account_id: UUID) -> bool:
    """Whether the endpoint may be told of this account."""
    return subscription.account_ids is None or account_id in subscription.account_ids
