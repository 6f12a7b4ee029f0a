"""Every event gets one place, in order, however late it is committed; and exactly those are told who wanted to be."""

import asyncio
from datetime import timedelta
from uuid import uuid4

from sqlalchemy import insert, text

from lastro.database import Database
from lastro.settings import Settings
from lastro.webhooks import telling
from lastro.webhooks.courier import Courier
from lastro.webhooks.models import EventRow, SubscriptionStatus
from lastro.webhooks.telling import EVENTS_AT_ONCE
from webhooks.newsroom import Newsroom, tell_all

_MANY = """
    INSERT INTO events (account_id, id, tenant_id, type, resource_id, resource_version, body, created_at)
    SELECT :account, gen_random_uuid(), :tenant, 'pix.transfer.received', gen_random_uuid(), 1, '', :now
      FROM generate_series(1, :n)
"""

NOWHERE = "http://127.0.0.1:9/x"


async def test_events_get_places_in_the_order_of_time(newsroom: Newsroom, courier: Courier) -> None:
    events = [event for _ in range(5) for event in await newsroom.happens()]
    await tell_all(courier)
    assert await newsroom.feed() == events


async def test_what_commits_late_is_told_late_and_not_passed_by(newsroom: Newsroom, courier: Courier) -> None:
    subscribed = await newsroom.subscribe(NOWHERE)
    early = newsroom._event("pix.transfer.received", newsroom.bank.now())
    async with newsroom.bank.db.transaction() as tx:
        await tx.execute(insert(EventRow), [early])
        (later,) = await newsroom.happens()
        await tell_all(courier)
        assert await newsroom.feed() == [later]
    await tell_all(courier)
    assert await newsroom.feed() == [later, early["id"]]
    assert [row["event_id"] for row in await subscribed.deliveries()] == [later, early["id"]]


async def test_more_than_fit_in_one_go_are_told_in_several(newsroom: Newsroom, courier: Courier) -> None:
    subscribed = await newsroom.subscribe(NOWHERE)
    for _ in range(3):
        await newsroom.happens(EVENTS_AT_ONCE // 2)
    facts = {"tenant": newsroom.tenant_id, "account": newsroom.account_id, "n": EVENTS_AT_ONCE + 1}
    async with newsroom.bank.db.transaction() as tx:  # of one statement: it is not torn
        await tx.execute(text(_MANY), {**facts, "now": newsroom.bank.now()})
    rounds = []
    while told := await courier.tell():
        rounds.append(told)
    assert max(rounds) == EVENTS_AT_ONCE + 1
    assert len(await newsroom.feed()) == EVENTS_AT_ONCE * 5 // 2 + 1
    deliveries = await subscribed.deliveries()
    assert len(deliveries) == EVENTS_AT_ONCE * 5 // 2 + 1
    ids = [row["id"] for row in deliveries]
    assert ids == sorted(ids)


async def test_two_who_tell_at_once_tell_everything_once(
    newsroom: Newsroom, courier: Courier, settings_of_quiet: Settings
) -> None:
    subscribed = await newsroom.subscribe(NOWHERE)
    other = Database(settings_of_quiet.database_url, pool_size=2)

    async def tell_elsewhere() -> None:
        for _ in range(20):
            async with other.transaction() as tx:
                await telling.tell(tx, now=newsroom.bank.now())

    try:
        events = [await newsroom.happens(3) for _ in range(10)]
        await asyncio.gather(tell_all(courier), tell_elsewhere(), *(newsroom.happens(7) for _ in range(10)))
        await tell_all(courier)
    finally:
        await other.close()
    feed = await newsroom.feed()
    assert len(feed) == len(set(feed)) == 100
    assert {event for few in events for event in few} <= set(feed)
    assert len(await subscribed.deliveries()) == 100


async def test_while_one_tells_nobody_else_gives_places(newsroom: Newsroom, courier: Courier) -> None:
    """Or a later place might be seen before an earlier one, and whoever pages along the feed would miss that."""
    (earlier,) = await newsroom.happens()
    async with newsroom.bank.db.transaction() as tx:
        assert await telling.tell(tx, now=newsroom.bank.now())
        (later,) = await newsroom.happens()
        assert await courier.tell() == 0
        assert await newsroom.feed() == []
    await tell_all(courier)
    assert await newsroom.feed() == [earlier, later]


async def test_only_those_are_told_who_wanted_to_be(newsroom: Newsroom, courier: Courier) -> None:
    now, elsewhere = newsroom.bank.now(), uuid4()
    everything = await newsroom.subscribe(NOWHERE)
    of_pix = await newsroom.subscribe(NOWHERE, "pix.*")
    of_one_account = await newsroom.subscribe(NOWHERE, account_ids=[elsewhere])
    paused = await newsroom.subscribe(NOWHERE, status=SubscriptionStatus.PAUSED)
    disabled = await newsroom.subscribe(NOWHERE, status=SubscriptionStatus.DISABLED)
    deleted = await newsroom.subscribe(NOWHERE, deleted_at=now)
    later = await newsroom.subscribe(NOWHERE, created_at=now + timedelta(hours=1))
    stranger = await Newsroom.open(newsroom.bank)
    foreign = await stranger.subscribe(NOWHERE)

    (pix,) = await newsroom.happens()
    (account,) = await newsroom.happens(kind="account.blocked", account_id=elsewhere)
    await tell_all(courier)

    for subscribed, events in (
        (everything, [pix, account]),
        (of_pix, [pix]),
        (of_one_account, [account]),
        (paused, [pix, account]),
        (disabled, []),
        (deleted, []),
        (later, []),
        (foreign, []),
    ):
        deliveries = await subscribed.deliveries()
        assert [row["event_id"] for row in deliveries] == events
        assert {row["status"].value for row in deliveries} <= {"PENDING"}
        assert all(row["tenant_id"] == newsroom.tenant_id for row in deliveries)


async def test_to_tell_what_was_told_already_changes_nothing(newsroom: Newsroom, courier: Courier) -> None:
    subscribed = await newsroom.subscribe(NOWHERE)
    (event,) = await newsroom.happens()
    await tell_all(courier)
    async with newsroom.bank.db.transaction() as tx:
        await tx.execute(
            text(
                "INSERT INTO untold_events (account_ids, event_ids) SELECT ARRAY[account_id], ARRAY[id] FROM events"
                " WHERE account_id = :account AND id = :event"
            ),
            {"account": newsroom.account_id, "event": event},
        )
    await tell_all(courier)
    assert await newsroom.feed() == [event]
    assert len(await subscribed.deliveries()) == 1
