"""Looks along the deliveries, newest first, a subscription at a time: each along an index of its own."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, BindParameter, Text, Uuid, bindparam, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.database import among
from lastro.jsonapi.log import LOOKED_AT_ONCE, Looked
from lastro.subscribers.subscriptions.service import MOST_OF_A_TENANT
from lastro.webhooks.models import Delivery, DeliveryStatus


@dataclass(frozen=True, slots=True)
class Sought:
    """Deliveries to these subscriptions, of these accounts and types (None: of all), older than `before`."""

    subscriptions: Sequence[UUID]
    accounts: Collection[UUID] | None
    event_id: UUID | None
    types: Sequence[str] | None
    status: DeliveryStatus | None
    before: UUID | None


_LOOK = """
WITH looked AS (
    SELECT d.id, d.event_type
      FROM unnest(:subscriptions) AS own(id)
     CROSS JOIN LATERAL (SELECT d.id, d.event_type FROM webhook_deliveries d
                          WHERE {stretch} AND d.id < :before {conditions}
                          ORDER BY {order} LIMIT :most) d
     ORDER BY d.id DESC LIMIT :most
), edge AS (
    SELECT count(*) AS n, (array_agg(id ORDER BY id))[1] AS last FROM looked
)
SELECT edge.n, edge.last, found.id
  FROM edge LEFT JOIN (SELECT id FROM looked WHERE {wanted} ORDER BY id DESC LIMIT :few) found ON true
 ORDER BY found.id DESC
"""
# Compared as a row, and not as equal: or Postgres might follow the primary key, which is in the same order, and pass
# millions of others on its way to one of theirs.
_OF_ONE = "(d.subscription_id, d.id) < (own.id, :before) AND d.subscription_id >= own.id"
_OF_ONE_BY_STATUS = (
    "(d.subscription_id, d.status, d.id) < (own.id, '{status}', :before)"
    " AND (d.subscription_id, d.status) >= (own.id, '{status}')"
)
_LAST = UUID(int=2**128 - 1)


async def look(tx: AsyncSession, sought: Sought, *, size: int) -> Looked[Delivery]:
    """The newest `size` of them, as far as one look at a bounded number of rows finds them."""
    most = size + 1
    stretch, order = _OF_ONE, "d.subscription_id DESC, d.id DESC"
    conditions: list[str] = []
    values: dict[str, object] = {
        "subscriptions": list(sought.subscriptions),
        "before": sought.before or _LAST,
        "few": size + 1,
    }
    types: list[BindParameter[Any]] = [
        bindparam("subscriptions", type_=ARRAY(Uuid())),
        bindparam("before", type_=Uuid()),
    ]
    if sought.status is not None:  # spelled out, or no partial index serves it
        conditions.append(f"AND d.status = '{sought.status}'")
        if sought.status is not DeliveryStatus.DELIVERED:  # these have an index of their own
            stretch = _OF_ONE_BY_STATUS.format(status=sought.status)
    if sought.event_id is not None:
        stretch, order = "d.subscription_id = own.id AND d.event_id = :event_id", "d.id DESC"
        values["event_id"] = sought.event_id
        types.append(bindparam("event_id", type_=Uuid()))
    if sought.accounts is not None:
        conditions.append("AND d.account_id = ANY (:accounts)")
        values["accounts"] = list(sought.accounts)
        types.append(bindparam("accounts", type_=ARRAY(Uuid())))
    if sought.types is not None:
        # With the deleted ones there may be more than a tenant has at a time, and a look costs as much.
        most = max(most, LOOKED_AT_ONCE * MOST_OF_A_TENANT // max(len(sought.subscriptions), MOST_OF_A_TENANT))
        values["types"] = list(sought.types)
        types.append(bindparam("types", type_=ARRAY(Text())))
    statement = _LOOK.format(
        stretch=stretch,
        order=order,
        conditions=" ".join(conditions),
        wanted="true" if sought.types is None else "event_type = ANY (:types)",
    )
    rows = (await tx.execute(text(statement).bindparams(*types), values | {"most": most})).all()
    ids = [row.id for row in rows if row.id is not None]
    if len(ids) > size:
        return Looked(await _read(tx, ids[:size]), ids[size - 1], has_next=True)
    return Looked(await _read(tx, ids), rows[0].last, has_next=rows[0].n >= most)


async def _read(tx: AsyncSession, ids: Sequence[UUID]) -> Sequence[Delivery]:
    if not ids:
        return []
    return (
        (await tx.execute(select(Delivery).where(among(Delivery.id, ids)).order_by(Delivery.id.desc()))).scalars().all()
    )
