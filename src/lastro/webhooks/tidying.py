"""Ends deliveries that no attempt will: those whose subscription is over, or whose endpoint failed all their life.

Every delivery has its schedule, and dies when its last try has failed. While an endpoint rests, most of what is due for
it is not tried at all. So one dies as well when it has been due for as long as its whole schedule lasts (an hour at
least), and the endpoint has failed ever since it came due, and nobody has touched the subscription meanwhile.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.database import Database
from lastro.outbox.queue import alert
from lastro.webhooks.models import Subscription, SubscriptionStatus
from lastro.webhooks.recording import given_up
from lastro.webhooks.schedule import REST_AFTER, SHORTEST_LIFE, Schedule

AT_ONCE = 2_000

_CANCEL = f"""
    UPDATE webhook_deliveries SET status = 'CANCELED'
     WHERE id = ANY (ARRAY(
        SELECT few.id
          FROM webhook_subscriptions s
               CROSS JOIN LATERAL (SELECT d.id FROM webhook_deliveries d
                                    WHERE d.subscription_id = s.id AND d.status = 'PENDING'
                                    LIMIT {AT_ONCE} FOR UPDATE SKIP LOCKED) few
         WHERE s.status = 'DISABLED' OR s.deleted_at IS NOT NULL
         LIMIT {AT_ONCE}))
 RETURNING id
"""  # noqa: S608 - constants of this module

_GIVE_UP = text(
    f"""
    UPDATE webhook_deliveries SET status = 'DEAD'
     WHERE id = ANY (ARRAY(SELECT id FROM webhook_deliveries
                            WHERE subscription_id = :subscription_id AND status = 'PENDING' AND due_at <= :before
                            ORDER BY due_at LIMIT {AT_ONCE} FOR UPDATE SKIP LOCKED))
       AND status = 'PENDING'
 RETURNING account_id
    """  # noqa: S608 - constant of this module
)


async def cancel(db: Database) -> int:
    """End a bounded number of deliveries whose subscription was deleted or disabled. Says how many."""
    return len(await db.call(_CANCEL))


def failing(now: datetime) -> Select[Subscription]:
    """The endpoints that have failed for so long that something of theirs may be over."""
    return select(Subscription).where(
        Subscription.status == SubscriptionStatus.ACTIVE,
        Subscription.deleted_at.is_(None),
        Subscription.failures >= REST_AFTER,
        Subscription.failing_since <= now - SHORTEST_LIFE,
    )


async def give_up(tx: AsyncSession, subscription: Subscription, *, now: datetime) -> int:
    """End a bounded number of an endpoint's deliveries that are over, with one alert. Says how many."""
    life = Schedule.of(subscription.retry_config).life
    # Nobody is blamed for what it did before it was changed, or resumed: from then on its endpoint has all of the time.
    if max(subscription.failing_since or now, subscription.updated_at) > now - life:
        return 0
    died = await tx.execute(_GIVE_UP, {"subscription_id": subscription.id, "before": now - life})
    accounts: list[UUID] = list(died.scalars())
    if accounts:
        await alert(tx, [given_up(accounts[0], subscription.id, "resting")], anew=True)
    return len(accounts)
