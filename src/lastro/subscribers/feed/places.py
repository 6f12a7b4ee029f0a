"""Looks along the feed: which event lies where, in the one order in which they are told."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, BindParameter, DateTime, Text, Uuid, bindparam, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.auth.caller import Caller, owned
from lastro.jsonapi.log import LOOKED_AT_ONCE, Looked
from lastro.values.time_ordered_id import first_id_at
from lastro.webhooks.models import FeedEntry

LONGEST_TRANSACTION = timedelta(minutes=10)
"""Far more than any takes. Places are given in the order of commits, so times in the feed are out of order by less."""

_FARTHEST = 2**63 - 1
_BEGINNING, _END = datetime.fromisoformat("1970-01-01T00:00:00Z"), datetime.fromisoformat("9999-12-31T00:00:00Z")


@dataclass(frozen=True, slots=True)
class Entry:
    """One place of the feed."""

    event_id: UUID
    account_id: UUID
    type: str
    position: int


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a tenant's feed: of these accounts (None: of all) and types, made in [since, until).

    It begins behind `after`, a position.
    """

    tenant_id: UUID
    accounts: Sequence[UUID] | None = None
    types: Sequence[str] | None = None
    since: datetime | None = None
    until: datetime | None = None
    after: int = 0


_OF_ALL = """
    SELECT f.position, f.event_id, f.account_id, f.type
      FROM event_feed f
     WHERE f.tenant_id = :tenant_id AND f.position > :after AND f.position < :before
       AND f.created_at >= :since AND f.created_at < :until
     ORDER BY f.position LIMIT :most
"""
# An account at a time, each along its own index: the tenant's may hold millions between two of theirs, so the tenant is
# named in words that no index serves.
_OF_SOME = """
    SELECT f.position, f.event_id, f.account_id, f.type
      FROM unnest(:account_ids) AS wanted(account_id)
     CROSS JOIN LATERAL (
           SELECT * FROM event_feed f
            WHERE f.account_id = wanted.account_id AND f.tenant_id IS NOT DISTINCT FROM :tenant_id
              AND f.position > :after AND f.position < :before
              AND f.created_at >= :since AND f.created_at < :until
            ORDER BY f.position LIMIT :most) f
     ORDER BY f.position LIMIT :most
"""
_LOOK = """
WITH looked AS ({source}),
     edge AS (SELECT count(*) AS n, (array_agg(event_id ORDER BY position DESC))[1] AS last FROM looked)
SELECT edge.n, edge.last, found.event_id, found.account_id, found.type, found.position
  FROM edge LEFT JOIN (SELECT * FROM looked WHERE {wanted} ORDER BY position LIMIT :few) found ON true
 ORDER BY found.position
"""
_PARAMETERS = (
    bindparam("since", type_=DateTime(timezone=True)),
    bindparam("until", type_=DateTime(timezone=True)),
    bindparam("after", type_=BigInteger()),
    bindparam("before", type_=BigInteger()),
)


async def look(tx: AsyncSession, stretch: Stretch, *, size: int) -> Looked[Entry]:
    """The first `size` entries of a stretch, as far as one look at a bounded number of rows finds them."""
    accounts = None if stretch.accounts is None else list(stretch.accounts)
    share = LOOKED_AT_ONCE if accounts is None else LOOKED_AT_ONCE // max(len(accounts), 1)
    most = size + 1 if stretch.types is None else max(size + 1, share)
    after, before = await _bounds(tx, stretch)
    statement = _LOOK.format(
        source=_OF_ALL if accounts is None else _OF_SOME,
        wanted="true" if stretch.types is None else "type = ANY (:types)",
    )
    parameters: list[BindParameter[Any]] = [*_PARAMETERS]
    values = {
        "tenant_id": stretch.tenant_id,
        "after": after,
        "before": before,
        "since": stretch.since or _BEGINNING,
        "until": stretch.until or _END,
        "most": most,
        "few": size + 1,
    }
    if accounts is not None:
        parameters.append(bindparam("account_ids", type_=ARRAY(Uuid())))
        values["account_ids"] = accounts
    if stretch.types is not None:
        parameters.append(bindparam("types", type_=ARRAY(Text())))
        values["types"] = list(stretch.types)
    rows = (await tx.execute(text(statement).bindparams(*parameters), values)).all()
    found = [Entry(row.event_id, row.account_id, row.type, row.position) for row in rows if row.event_id is not None]
    if len(found) > size:
        return Looked(found[:size], found[size - 1].event_id, has_next=True)
    return Looked(found, rows[0].last, has_next=rows[0].n >= most)


async def _bounds(tx: AsyncSession, stretch: Stretch) -> tuple[int, int]:
    """Positions between which the stretch lies: what is far older or far younger than it is not even looked at."""
    after, before = stretch.after, _FARTHEST
    entries = select(FeedEntry.position).where(FeedEntry.tenant_id == stretch.tenant_id).limit(1)
    if stretch.since is not None:
        older = FeedEntry.event_id < first_id_at(max(stretch.since - LONGEST_TRANSACTION, _BEGINNING))
        position = (await tx.execute(entries.where(older).order_by(FeedEntry.event_id.desc()))).scalar_one_or_none()
        after = max(after, position or 0)
    if stretch.until is not None:
        younger = FeedEntry.event_id >= first_id_at(stretch.until + LONGEST_TRANSACTION)
        position = (await tx.execute(entries.where(younger).order_by(FeedEntry.event_id))).scalar_one_or_none()
        before = position or before
    return after, before


async def find(tx: AsyncSession, caller: Caller, event_id: UUID) -> Entry | None:
    """The place of an event that the caller may see."""
    entry = (await tx.execute(owned(FeedEntry, caller).where(FeedEntry.event_id == event_id))).scalar_one_or_none()
    return None if entry is None else Entry(entry.event_id, entry.account_id, entry.type, entry.position)
