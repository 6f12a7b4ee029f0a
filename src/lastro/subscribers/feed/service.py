"""What may be done with the feed: read on, and read one event again."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, bindparam, text
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.auth.caller import Caller
from lastro.errors import NotFound
from lastro.jsonapi.fields import end_of, start_of
from lastro.jsonapi.log import Looked
from lastro.paging import no_such_cursor
from lastro.subscribers import catalog
from lastro.subscribers.feed import places
from lastro.subscribers.feed.places import Entry, Stretch
from lastro.subscribers.feed.resources import FeedQuery, Told
from lastro.values.text import Text

NO_EVENT = Text("Evento não encontrado.", "Event not found.")

_BODIES = text(
    """
    SELECT e.id, e.body
      FROM unnest(:account_ids, :ids) AS wanted(account_id, id)
      JOIN events e ON e.account_id = wanted.account_id AND e.id = wanted.id
    """
).bindparams(bindparam("account_ids", type_=ARRAY(Uuid())), bindparam("ids", type_=ARRAY(Uuid())))


async def read(tx: AsyncSession, caller: Caller, query: FeedQuery) -> Looked[Told]:
    """What follows in the caller's feed under the query's filters. Raises Validation for a cursor that is not its own.

    Each event has its place for good once it has one, and none is ever put before another that had one already: who
    reads on behind the last that he has seen misses nothing.
    """
    after = 0
    if query.after is not None:
        seen = await places.find(tx, caller, query.after)
        if seen is None:
            raise no_such_cursor()
        after = seen.position
    stretch = Stretch(
        tenant_id=caller.tenant_id,
        accounts=_accounts(caller, query.account_id),
        types=None if query.type is None else catalog.types_of([query.type]),
        since=None if query.date_from is None else start_of(query.date_from),
        until=None if query.date_to is None else end_of(query.date_to),
        after=after,
    )
    found = await places.look(tx, stretch, size=query.size)
    return Looked(await _told(tx, found.rows), found.last, found.has_next)


def _accounts(caller: Caller, account_id: UUID | None) -> Sequence[UUID] | None:
    if account_id is not None:
        return [account_id] if caller.reaches(account_id) else []
    return None if caller.accounts is None else sorted(caller.accounts)


async def get(tx: AsyncSession, caller: Caller, event_id: UUID) -> Told:
    """One event of the caller's. Raises NotFound."""
    entry = await places.find(tx, caller, event_id)
    if entry is None:
        raise NotFound(NO_EVENT)
    (told,) = await _told(tx, [entry])
    return told


async def _told(tx: AsyncSession, entries: Sequence[Entry]) -> list[Told]:
    if not entries:
        return []
    pairs = {"account_ids": [each.account_id for each in entries], "ids": [each.event_id for each in entries]}
    bodies = {row.id: row.body for row in await tx.execute(_BODIES, pairs)}
    return [Told(each.event_id, bodies[each.event_id]) for each in entries]
