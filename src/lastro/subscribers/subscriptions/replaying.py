"""Has an endpoint told again: of events by their ids, or of a time."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from lastro.attempt import Answer, Attempt
from lastro.auth.caller import Caller
from lastro.bank import Bank
from lastro.errors import Flaw, NotFound
from lastro.idempotency import once
from lastro.jsonapi.log import Looked
from lastro.subscribers import catalog
from lastro.subscribers.feed import places
from lastro.subscribers.feed.places import Entry, Stretch
from lastro.subscribers.feed.service import NO_EVENT
from lastro.subscribers.subscriptions import resources, service
from lastro.subscribers.subscriptions.order import Again
from lastro.subscribers.subscriptions.owing import concerns, tell_again
from lastro.subscribers.subscriptions.resources import ReplayDocument
from lastro.webhooks.models import Subscription

AT_ONCE = 10_000
_NOW = timedelta(microseconds=1)  # a stretch ends before its last moment


async def replay(bank: Bank, caller: Caller, subscription_id: UUID, again: Again, attempt: Attempt | None) -> Answer:
    """Owe the endpoint what it asks for, at most ten thousand in a call. Raises NotFound.

    An event is told again as long as it exists, whatever became of its delivery, and whether there was one.
    """
    now = bank.now()

    async def apply(tx: AsyncSession) -> ReplayDocument:
        subscription = await service.locked(tx, caller, subscription_id)
        if again.event_ids is not None:
            found = await _named(tx, caller, subscription, again.event_ids)
        else:
            found = await _of_a_time(tx, caller, subscription, again, until=again.until or now + _NOW)
        await tell_again(tx, subscription, found.rows, now=now)
        last = found.rows[-1].event_id if found.rows else None
        return resources.replayed(len(found.rows), last=last, place=found.last, has_more=found.has_next)

    answer = await once(bank.db, attempt, 200, now, apply)
    bank.doorbell.ring()
    return answer


async def _named(
    tx: AsyncSession, caller: Caller, subscription: Subscription, event_ids: Sequence[UUID]
) -> Looked[Entry]:
    """These events, whatever their types: somebody chose them. One that the endpoint may not hear of is nobody's."""
    found = [await places.find(tx, caller, each) for each in dict.fromkeys(event_ids)]
    entries = [each for each in found if each is not None and concerns(subscription, each.account_id)]
    known = {each.event_id for each in entries}
    strange = [place for place, each in enumerate(event_ids) if each not in known]
    if strange:
        flaws = [Flaw(NO_EVENT, pointer=f"/data/attributes/eventIds/{place}") for place in strange]
        raise NotFound(NO_EVENT, flaws=flaws)
    return Looked(sorted(entries, key=lambda each: each.position), None, has_next=False)


async def _of_a_time(
    tx: AsyncSession, caller: Caller, subscription: Subscription, again: Again, *, until: datetime
) -> Looked[Entry]:
    after = 0
    if again.after is not None:
        seen = await places.find(tx, caller, again.after)
        if seen is None:
            raise NotFound(NO_EVENT, flaws=[Flaw(NO_EVENT, pointer="/data/attributes/after")])
        after = seen.position
    wanted = again.event_filters if again.event_filters is not None else subscription.event_filters
    stretch = Stretch(
        tenant_id=subscription.tenant_id,
        accounts=subscription.account_ids,
        types=catalog.types_of(wanted),
        since=again.since,
        until=until,
        after=after,
    )
    return await places.look(tx, stretch, size=AT_ONCE)
