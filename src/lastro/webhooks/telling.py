"""Gives each event its place in the feed and writes down who is to be told, in the order in which it was committed.

What commits late is taken late: a row of `untold_events` stays until somebody has taken it, so nothing is passed by.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, BigInteger, Text, Uuid, bindparam, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.database import Database
from lastro.values.time_ordered_id import new_id
from lastro.webhooks import filters
from lastro.webhooks.models import SubscriptionStatus

EVENTS_AT_ONCE = 1_000  # one row of the untold at least, however many it names

_TELLING = 0x54454C4C  # the advisory lock of whoever gives places ("TELL"): one at a time, so that they only grow

_BEGIN = select(
    func.pg_try_advisory_xact_lock(_TELLING, 0),
    # Each event is looked up by its key, whatever the planner thinks of the size of the table.
    *(func.set_config(f"enable_{way}", "off", True) for way in ("hashjoin", "mergejoin", "seqscan", "memoize")),
)

# One statement: events of a tenant without subscriptions never leave the database. Whoever is paused will be told. The
# index knows only what is not deleted, of which a tenant has a few: any may have made and deleted thousands.
_PLACE = text(
    f"""
    WITH taken AS (
        DELETE FROM untold_events
         WHERE id IN (SELECT id
                        FROM (SELECT id, sum(cardinality(event_ids)) OVER oldest_first AS events,
                                     row_number() OVER oldest_first AS place
                                FROM (SELECT id, event_ids FROM untold_events ORDER BY id LIMIT {EVENTS_AT_ONCE}) few
                              WINDOW oldest_first AS (ORDER BY id)) counted
                       WHERE events <= {EVENTS_AT_ONCE} OR place = 1)
        RETURNING id, account_ids, event_ids
    ), placed AS (
        INSERT INTO event_feed (tenant_id, event_id, account_id, type, created_at)
        SELECT event.tenant_id, event.id, event.account_id, event.type, event.created_at
          FROM taken
               CROSS JOIN unnest(taken.account_ids, taken.event_ids) AS named(account_id, event_id)
               JOIN events event ON event.account_id = named.account_id AND event.id = named.event_id
         ORDER BY taken.id, event.created_at, event.resource_version, event.id
            ON CONFLICT (tenant_id, event_id) DO NOTHING
        RETURNING tenant_id, position, event_id, account_id, type, created_at
    ), subscribed AS (
        SELECT placed.*, subscription.id AS subscription_id, subscription.event_filters
          FROM placed
               JOIN webhook_subscriptions subscription USING (tenant_id)
         WHERE subscription.deleted_at IS NULL AND subscription.status <> '{SubscriptionStatus.DISABLED}'
               AND subscription.created_at <= placed.created_at
               AND (subscription.account_ids IS NULL OR placed.account_id = ANY (subscription.account_ids))
    )
    SELECT told, subscribed.*
      FROM (SELECT count(*) AS told FROM placed) counted LEFT JOIN subscribed ON true
     ORDER BY position
    """  # noqa: S608 - constants above
)

_OWE = text(
    """
    INSERT INTO webhook_deliveries (id, tenant_id, subscription_id, event_id, account_id, event_type, position, status,
                                    due_at, created_at)
    SELECT owed.*, 'PENDING', :now, :now
      FROM unnest(:ids, :tenant_ids, :subscription_ids, :event_ids, :account_ids, :types, :positions) AS owed
        ON CONFLICT (subscription_id, event_id) DO NOTHING
    """
).bindparams(
    *(
        bindparam(name, type_=ARRAY(Uuid()))
        for name in ("ids", "tenant_ids", "subscription_ids", "event_ids", "account_ids")
    ),
    bindparam("types", type_=ARRAY(Text())),
    bindparam("positions", type_=ARRAY(BigInteger())),
)


async def is_anything_untold(db: Database) -> bool:
    """Whether there is work: cheap enough to ask all the time."""
    return bool((await db.look("SELECT EXISTS (SELECT FROM untold_events) AS any"))[0]["any"])


async def untold(db: Database) -> int:
    """How many events wait for their place."""
    rows = await db.look("SELECT coalesce(sum(cardinality(event_ids)), 0)::bigint AS n FROM untold_events")
    return int(rows[0]["n"])


async def tell(tx: AsyncSession, *, now: datetime) -> int:
    """Take the oldest untold events, about a thousand, unless somebody else is at it. Says how many got a place."""
    mine, *_ = (await tx.execute(_BEGIN)).one()
    if not mine:
        return 0
    rows = (await tx.execute(_PLACE)).all()
    owed = [row for row in rows if row.event_filters and filters.matches(row.event_filters, row.type)]
    if owed:
        await tx.execute(_OWE, {**_columns(owed, now), "now": now})
    return int(rows[0].told)


def _columns(owed: Sequence[Any], now: datetime) -> dict[str, list[Any]]:
    return {
        "ids": sorted(new_id(now) for _ in owed),  # in the order of the places
        "tenant_ids": [each.tenant_id for each in owed],
        "subscription_ids": [each.subscription_id for each in owed],
        "event_ids": [each.event_id for each in owed],
        "account_ids": [each.account_id for each in owed],
        "types": [each.type for each in owed],
        "positions": [each.position for each in owed],
    }
