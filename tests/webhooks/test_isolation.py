"""A dead endpoint, however much is due for it, costs little and delays nobody."""

import asyncio
import time
import tracemalloc
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from build import until
from lastro.webhooks.courier import Courier
from lastro.webhooks.models import Subscription, SubscriptionStatus
from lastro.webhooks.schedule import LONGEST_REST_SECONDS, REST_AFTER
from webhooks.newsroom import Newsroom, Subscribed, bring_all, tell_all
from webhooks.receiver import Behaviour, hanging, receiving, resetting, saying

MANY = 10_000


async def keep_working(courier: Courier) -> None:
    """As the worker does."""
    while True:
        await courier.tell()
        if not await courier.round():
            await courier.wait(0.05)
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("behaviour", [hanging, resetting])
async def test_ten_thousand_events_for_a_dead_endpoint_leave_the_others_alone(
    newsroom: Newsroom, courier: Courier, behaviour: Behaviour
) -> None:
    other = await Newsroom.open(newsroom.bank)
    async with receiving(behaviour) as dead, receiving(saying(200)) as alive:
        subscribed = await newsroom.subscribe(dead.url, timeout_ms=1000, retry={})
        healthy = await other.subscribe(alive.url)
        for _ in range(10):
            await newsroom.happens(MANY // 10)
        working = asyncio.create_task(keep_working(courier))
        try:
            tracemalloc.start()
            waits = []
            for _ in range(60):
                began = time.monotonic()
                (event,) = await other.happens()
                await until(lambda event=event: _arrived(alive.ids, str(event)), seconds=10)  # type: ignore[misc]
                waits.append(time.monotonic() - began)
                await asyncio.sleep(0.1)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
            working.cancel()
            await asyncio.wait([working])
        await courier.settle(3)
        assert len(dead.received) <= 2 * REST_AFTER
    await other.close()
    waits.sort()
    assert waits[len(waits) * 9 // 10] < 2, "though it shares two cores with whatever else runs"
    assert peak < 64 * 2**20
    assert set(await healthy.statuses()) == {"DELIVERED"}
    row = await subscribed.row()
    assert row["failures"] >= REST_AFTER
    assert row["resting_until"] > newsroom.bank.now() - timedelta(seconds=30)
    statuses = await subscribed.statuses()
    assert len(statuses) == MANY
    assert set(statuses) == {"PENDING"}, "never silently stopped"


async def _arrived(ids: list[str], event: str) -> bool:
    return event in ids


async def failing(newsroom: Newsroom, url: str, *, failures: int, **facts: Any) -> Subscribed:
    """A subscription whose endpoint failed that often, and has had its rest."""
    now = newsroom.bank.now()
    rest: dict[str, Any] = {"failing_since": now - timedelta(hours=1), "resting_until": now - timedelta(seconds=1)}
    return await newsroom.subscribe(url, failures=failures, **(rest | facts))


async def test_after_its_rest_an_endpoint_is_asked_with_one_delivery_and_rests_longer(
    newsroom: Newsroom, courier: Courier
) -> None:
    rests = []
    for failures in (REST_AFTER - 1, REST_AFTER, REST_AFTER + 3, 1000):
        async with receiving(saying(500)) as receiver:
            subscribed = await failing(newsroom, receiver.url, failures=failures)
            await newsroom.happens(5)
            await bring_all(courier)
            assert len(receiver.received) == 1
            row = await subscribed.row()
        assert row["failures"] == failures + 1
        rests.append((row["resting_until"] - newsroom.bank.now()).total_seconds())
        await subscribed.change(status=SubscriptionStatus.PAUSED)
    assert rests == sorted(rests)
    assert 5 < rests[0] < 13
    assert 0.75 * LONGEST_REST_SECONDS < rests[-1] <= 1.2 * LONGEST_REST_SECONDS


async def test_a_success_ends_the_rest(newsroom: Newsroom, courier: Courier) -> None:
    async with receiving(saying(200)) as receiver:
        subscribed = await failing(newsroom, receiver.url, failures=50)
        events = await newsroom.happens(20)
        await tell_all(courier)
        assert await courier.round() == 1
        await courier.settle()
        row = await subscribed.row()
        assert (row["failures"], row["failing_since"], row["resting_until"]) == (0, None, None)
        await bring_all(courier)
    assert sorted(receiver.ids) == sorted(map(str, events))


async def test_two_workers_ask_a_failing_endpoint_once(newsroom: Newsroom, courier: Courier) -> None:
    async with receiving(hanging) as receiver:
        subscribed = await failing(newsroom, receiver.url, failures=50)
        await newsroom.happens(20)
        await tell_all(courier)
        others = [Courier(newsroom.bank) for _ in range(3)]
        async with newsroom.bank.db.transaction() as tx:  # all of them have looked before the first one claims
            await tx.execute(select(Subscription.id).where(Subscription.id == subscribed.id).with_for_update())
            rounds = [asyncio.create_task(each.round()) for each in (courier, *others)]
            await asyncio.sleep(0.7)
        began = await asyncio.gather(*rounds)
        for each in others:
            await each.settle(0)
    assert sum(began) == 1


async def test_an_endpoint_that_lost_its_rest_is_still_asked(newsroom: Newsroom, courier: Courier) -> None:
    async with receiving(saying(200)) as receiver:
        await failing(newsroom, receiver.url, failures=50, resting_until=None)
        await newsroom.happens()
        await bring_all(courier)
    assert len(receiver.received) == 1


LIFE = timedelta(days=5)  # longer than the schedule by default


async def test_what_was_due_for_all_its_life_while_the_endpoint_failed_is_over(
    newsroom: Newsroom, courier: Courier
) -> None:
    now = newsroom.bank.now()
    resting: dict[str, Any] = {"failures": 50, "resting_until": now + timedelta(minutes=5), "retry_config": {}}
    since: dict[str, Any] = {"created_at": now - LIFE, "updated_at": now - LIFE, "failing_since": now - LIFE}
    over = await newsroom.subscribe("http://127.0.0.1:9/", **(resting | since))
    touched = await newsroom.subscribe("http://127.0.0.1:9/", **(resting | since | {"updated_at": now}))
    recovered = await newsroom.subscribe("http://127.0.0.1:9/", **(resting | since | {"failing_since": now}))
    paused = await newsroom.subscribe(
        "http://127.0.0.1:9/", **(resting | since | {"status": SubscriptionStatus.PAUSED})
    )
    seldom = await newsroom.subscribe("http://127.0.0.1:9/", **(resting | since | {"failures": REST_AFTER - 1}))
    await newsroom.happens(3, created_at=now)
    await tell_all(courier)
    for each in (over, touched, recovered, paused, seldom):
        await each.change_deliveries(due_at=now - LIFE)
    (young,) = await newsroom.happens()
    await tell_all(courier)

    await courier.tidy()

    assert await over.statuses() == ["DEAD"] * 3 + ["PENDING"]
    for spared in (touched, recovered, paused, seldom):
        assert await spared.statuses() == ["PENDING"] * 4
    assert (await over.deliveries())[-1]["event_id"] == young
