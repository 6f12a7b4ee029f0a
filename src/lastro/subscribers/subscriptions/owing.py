"""Owes news to an endpoint again: deliveries are PENDING again, or for the first time, in the order of the feed."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, Text, Uuid, bindparam, text
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.errors import Conflict
from lastro.subscribers.feed.places import Entry
from lastro.values.text import Text as Sentence
from lastro.values.time_ordered_id import new_id
from lastro.webhooks.models import Subscription, SubscriptionStatus

IS_DISABLED = Sentence(
    "A assinatura está desabilitada; use resume para reativá-la.", "The subscription is disabled; resume revives it."
)

# What is due within a minute may be on its way, for a lease is shorter: it begins a new round, and keeps its time.
_AGAIN = text(
    """
    INSERT INTO webhook_deliveries AS d (id, tenant_id, subscription_id, event_id, account_id, event_type, position,
                                         status, due_at, created_at)
    SELECT o.id, :tenant_id, :subscription_id, o.event_id, o.account_id, o.event_type, o.position, 'PENDING', :now, :now
      FROM unnest(:ids, :event_ids, :account_ids, :types, :positions)
           AS o(id, event_id, account_id, event_type, position)
     ORDER BY o.position
        ON CONFLICT (subscription_id, event_id) DO UPDATE
       SET status = 'PENDING', attempts_before = d.attempts, delivered_at = NULL,
           due_at = CASE WHEN d.status = 'PENDING' AND d.due_at <= :now + interval '1 minute' THEN d.due_at
                         ELSE :now END
    """
).bindparams(
    bindparam("ids", type_=ARRAY(Uuid())),
    bindparam("event_ids", type_=ARRAY(Uuid())),
    bindparam("account_ids", type_=ARRAY(Uuid())),
    bindparam("types", type_=ARRAY(Text())),
    bindparam("positions", type_=ARRAY(BigInteger())),
)


async def tell_again(tx: AsyncSession, subscription: Subscription, entries: Sequence[Entry], *, now: datetime) -> None:
    """Owe these to the endpoint. One that is owed already is not owed twice. Raises Conflict for one that is disabled:
    nothing is kept for it.
    """
    if subscription.status is SubscriptionStatus.DISABLED:
        raise Conflict(IS_DISABLED)
    if not entries:
        return
    await tx.execute(
        _AGAIN,
        {
            "tenant_id": subscription.tenant_id,
            "subscription_id": subscription.id,
            "ids": sorted(new_id(now) for _ in entries),
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
