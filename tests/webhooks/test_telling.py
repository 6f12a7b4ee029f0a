"""Every event gets one place, in order, however late it is committed; and exactly those are told who wanted to be."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import uuid4

import asyncpg
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.database import Database, plain
from lastro.embedded.server import Postgres
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

# Each by a statement of its own.
_ONE_BY_ONE = """
    DO $$ BEGIN FOR n IN 1..%d LOOP
        INSERT INTO events (account_id, id, tenant_id, type, resource_id, resource_version, body, created_at)
        VALUES ('%s', gen_random_uuid(), '%s', 'pix.transfer.received', gen_random_uuid(), n, '', now());
    END LOOP; END $$
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
    assert await telling.untold(newsroom.bank.db) >= EVENTS_AT_ONCE * 5 // 2 + 1, "events, not rows"
    rounds = []
    while told := await courier.tell():
        rounds.append(told)
    assert max(rounds) == EVENTS_AT_ONCE + 1
    assert len(await newsroom.feed()) == EVENTS_AT_ONCE * 5 // 2 + 1
    deliveries = await subscribed.deliveries()
    assert len(deliveries) == EVENTS_AT_ONCE * 5 // 2 + 1
    ids = [row["id"] for row in deliveries]
    assert ids == sorted(ids)


async def test_of_many_the_oldest_are_told_first(newsroom: Newsroom, courier: Courier) -> None:
    """However small the events: a look at the untold is bounded too."""
    async with newsroom.bank.db.transaction() as tx:
        await tx.execute(text(_ONE_BY_ONE % (EVENTS_AT_ONCE + 10, newsroom.account_id, newsroom.tenant_id)))
    assert await telling.untold(newsroom.bank.db) >= EVENTS_AT_ONCE + 10
    await tell_all(courier)
    query = "SELECT resource_version FROM events JOIN event_feed ON event_id = id WHERE events.tenant_id = :tenant"
    async with newsroom.bank.db.transaction() as tx:
        versions = (
            (await tx.execute(text(f"{query} ORDER BY position"), {"tenant": newsroom.tenant_id})).scalars().all()
        )
    assert versions == list(range(1, EVENTS_AT_ONCE + 11))
    assert await telling.untold(newsroom.bank.db) == 0


async def test_what_was_written_first_is_told_first_whatever_its_clock_says(
    newsroom: Newsroom, courier: Courier
) -> None:
    """Two workers write two versions of one thing, and the second's clock is behind."""
    now = newsroom.bank.now()
    (first,) = await newsroom.happens(created_at=now)
    (second,) = await newsroom.happens(created_at=now - timedelta(seconds=2))
    await tell_all(courier)
    assert await newsroom.feed() == [first, second]


async def test_of_one_statement_the_older_are_told_first_then_lower_versions_then_lower_ids(
    newsroom: Newsroom, courier: Courier
) -> None:
    now = newsroom.bank.now()
    before = now - timedelta(seconds=1)
    ids = sorted(newsroom._event("x", now)["id"] for _ in range(4))
    facts: Sequence[dict[str, Any]] = [
        {"id": ids[2], "created_at": now, "resource_version": 1},
        {"id": ids[0], "created_at": now, "resource_version": 2},
        {"id": ids[1], "created_at": now, "resource_version": 1},
        {"id": ids[3], "created_at": before, "resource_version": 3},
    ]
    async with newsroom.bank.db.transaction() as tx:
        rows = [newsroom._event("pix.transfer.received", now) | each for each in facts]
        await tx.execute(insert(EventRow).values(rows))
    await tell_all(courier)
    assert await newsroom.feed() == [ids[3], ids[1], ids[2], ids[0]]


async def test_deliveries_to_all_endpoints_lie_in_the_order_of_the_feed(newsroom: Newsroom, courier: Courier) -> None:
    other = await Newsroom.open(newsroom.bank)
    subscribed = [await room.subscribe(NOWHERE) for room in (newsroom, other, newsroom, other)]
    for _ in range(3):
        await newsroom.happens(2)
        await other.happens(2)
    await tell_all(courier)
    rows = [row for each in subscribed for row in await each.deliveries()]
    positions = [row["position"] for row in sorted(rows, key=lambda row: row["id"])]
    assert len(positions) == 4 * 6
    assert positions == sorted(positions)
    await other.close()


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


async def test_a_subscription_hears_of_what_happens_from_its_first_moment_on(
    newsroom: Newsroom, courier: Courier
) -> None:
    subscribed = await newsroom.subscribe(NOWHERE)
    born = (await subscribed.row())["created_at"]
    await newsroom.happens(created_at=born - timedelta(microseconds=1))
    (event,) = await newsroom.happens(created_at=born)
    await tell_all(courier)
    assert [row["event_id"] for row in await subscribed.deliveries()] == [event]


# Subscriptions of many tenants, and what one made and deleted since the planner last looked at the table.
_SUBSCRIPTIONS = """
    INSERT INTO webhook_subscriptions (id, tenant_id, name, endpoint_url, event_filters, timeout_ms, retry_config,
                                       status, version, created_at, updated_at, deleted_at)
    SELECT gen_random_uuid(), tenant_id, 'many', 'http://127.0.0.1:9/', '{x}', 1000, '{}', 'ACTIVE', 1, now(), now(), %s
      FROM generate_series(1, $2) CROSS JOIN unnest($1::uuid[]) AS tenant_id
"""


async def test_a_tenant_that_made_and_deleted_subscriptions_without_end_keeps_nobody_waiting(
    newsroom: Newsroom, courier: Courier, cluster: Postgres
) -> None:
    """Were they read, for every event, the statement would run out of time, and nobody would be told any more."""
    owner = await asyncpg.connect(plain(cluster.server.url("lastro_quiet")))
    try:
        await owner.execute("SET session_replication_role = replica")  # tenants that there are not
        await owner.execute(_SUBSCRIPTIONS % "NULL", [uuid4() for _ in range(400)], 5)
        await owner.execute("ANALYZE webhook_subscriptions")
        await owner.execute(_SUBSCRIPTIONS % "now()", [newsroom.tenant_id], 30_000)
        subscribed = await newsroom.subscribe(NOWHERE)
        await newsroom.happens(EVENTS_AT_ONCE)
        await tell_all(courier)
    finally:
        await owner.execute("DELETE FROM webhook_subscriptions WHERE name = 'many'")
        await owner.execute("VACUUM ANALYZE webhook_subscriptions")
        await owner.close()
    assert len(await subscribed.deliveries()) == EVENTS_AT_ONCE


async def plan_of_placing(tx: AsyncSession) -> str:
    return "\n".join((await tx.execute(text(f"EXPLAIN {telling._PLACE.text}"))).scalars())


async def test_each_event_is_looked_up_by_its_key_and_nobody_else_is_told_how_to_plan(
    newsroom: Newsroom, settings_of_quiet: Settings
) -> None:
    """A plan that reads all of a table is the best while it is small, and stays when it has grown."""
    db = Database(settings_of_quiet.database_url, pool_size=1)
    try:
        await newsroom.happens()
        async with db.transaction() as tx:
            assert await telling.tell(tx, now=newsroom.bank.now())
            plan = await plan_of_placing(tx)
        async with db.transaction() as tx:  # on the same connection
            names = ("seqscan", "hashjoin", "mergejoin", "memoize")
            kept = [(await tx.execute(text(f"SHOW enable_{name}"))).scalar_one() for name in names]
    finally:
        await db.close()
    assert "pk_events" in plan
    for way in ("Seq Scan", "Hash Join", "Merge Join", "Memoize"):
        assert way not in plan
    assert set(kept) == {"on"}


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
