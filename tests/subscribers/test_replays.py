"""Told again: by id, or of a time, as long as the event exists, in the order of the feed."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from build import Tenant
from lastro.auth.caller import Caller
from lastro.auth.permissions import Permission
from lastro.errors import Conflict, NotFound
from lastro.subscribers.subscriptions import replaying
from lastro.subscribers.subscriptions.order import Again
from lastro.webhooks.courier import Courier
from lastro.webhooks.models import DeliveryStatus, SubscriptionStatus
from webhooks.newsroom import Newsroom, Subscribed, bring_all, tell_all
from webhooks.receiver import Receiver, receiving, saying

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
async def endpoint() -> AsyncIterator[Receiver]:
    async with receiving(saying(200)) as there:
        yield there


async def replay(to: Subscribed, *event_ids: UUID, caller: Caller | None = None, **changes: Any) -> Any:
    """Ask for these events, or of all time; the answer's attributes."""
    room = to.newsroom
    whole = Again(list(event_ids) or None, None if event_ids else LONG_AGO, None, None, None)
    caller = caller or Caller(room.tenant_id, "test", frozenset(Permission))
    answer = await replaying.replay(room.bank, caller, to.id, replace(whole, **changes), None)
    assert answer.status == 200
    return json.loads(answer.body)["data"]["attributes"]


async def test_what_was_delivered_is_delivered_again_the_same(
    newsroom: Newsroom, courier: Courier, endpoint: Receiver
) -> None:
    to = await newsroom.subscribe(endpoint.url)
    first, _ = await newsroom.happens(2)
    await bring_all(courier)

    answered = await replay(to, first)
    await bring_all(courier)

    assert answered == {"replayed": 1, "lastEventId": str(first), "hasMore": False, "after": None}
    again = [each for each in endpoint.received if each.id == str(first)]
    assert len(endpoint.received) == 3
    assert [each.body for each in again] == [again[0].body] * 2
    (row,) = [row for row in await to.deliveries() if row["event_id"] == first]
    assert (row["status"], row["attempts"], row["attempts_before"]) == (DeliveryStatus.DELIVERED, 2, 1)


async def test_what_is_delivered_again_was_not_delivered_until_it_is(
    newsroom: Newsroom, courier: Courier, endpoint: Receiver
) -> None:
    to = await newsroom.subscribe(endpoint.url)
    (event,) = await newsroom.happens()
    await bring_all(courier)
    (before,) = await to.deliveries()
    await replay(to, event)
    (meanwhile,) = await to.deliveries()
    await bring_all(courier)
    (after,) = await to.deliveries()
    assert (meanwhile["status"], meanwhile["delivered_at"]) == (DeliveryStatus.PENDING, None)
    assert after["delivered_at"] > before["delivered_at"]


async def test_events_are_told_again_in_their_order_in_whatever_order_they_are_named(
    newsroom: Newsroom, courier: Courier, endpoint: Receiver
) -> None:
    events = await newsroom.happens(4)
    await tell_all(courier)
    to = await newsroom.subscribe(endpoint.url)
    await replay(to, *(events[place] for place in (2, 0, 3, 1)))
    rows = await to.deliveries()
    assert [row["event_id"] for row in rows] == events
    assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)


async def test_what_happened_before_there_was_a_subscription_can_be_had(
    newsroom: Newsroom, courier: Courier, endpoint: Receiver
) -> None:
    ids = [*await newsroom.happens(4), *await newsroom.happens(3)]
    await tell_all(courier)
    to = await newsroom.subscribe(endpoint.url)
    await bring_all(courier)
    assert endpoint.received == []

    answered = await replay(to)
    await bring_all(courier)

    assert answered["replayed"] == 7
    assert {UUID(each) for each in endpoint.ids} == set(ids)
    assert [row["event_id"] for row in await to.deliveries()] == await newsroom.feed()


async def test_a_long_time_is_replayed_piece_by_piece(
    newsroom: Newsroom, courier: Courier, endpoint: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    await newsroom.happens(8)
    await tell_all(courier)
    to = await newsroom.subscribe(endpoint.url)
    monkeypatch.setattr(replaying, "AT_ONCE", 3)

    order = await newsroom.feed()
    counts, after, more = [], None, True
    while more:
        answered = await replay(to, after=after)
        counts.append(answered["replayed"])
        assert answered["lastEventId"] == str(order[sum(counts) - 1])
        more, after = answered["hasMore"], answered["after"] and UUID(answered["after"])

    assert counts == [3, 3, 2]
    assert [row["event_id"] for row in await to.deliveries()] == order


async def test_only_what_the_subscription_is_about_is_replayed(
    newsroom: Newsroom, courier: Courier, endpoint: Receiver
) -> None:
    other = replace(newsroom, account_id=uuid4())
    (mine,) = await newsroom.happens(kind="pix.payment.failed")
    (closed,) = await newsroom.happens(kind="account.closed")
    (theirs,) = await other.happens(kind="pix.payment.failed")
    await tell_all(courier)
    to = await newsroom.subscribe(endpoint.url, "pix.*", account_ids=[newsroom.account_id])

    assert (await replay(to))["replayed"] == 1
    assert [row["event_id"] for row in await to.deliveries()] == [mine]
    assert (await replay(to, event_filters=["account.*"]))["replayed"] == 1
    assert (await replay(to, closed))["replayed"] == 1, "somebody chose it"
    assert {row["event_id"] for row in await to.deliveries()} == {mine, closed}
    for strange in (theirs, uuid4()):
        with pytest.raises(NotFound) as refused:
            await replay(to, mine, strange)
        assert [flaw.pointer for flaw in refused.value.flaws] == ["/data/attributes/eventIds/1"]


async def test_a_time_has_two_ends(newsroom: Newsroom, courier: Courier, endpoint: Receiver) -> None:
    noon = datetime(2026, 3, 10, 12, tzinfo=UTC)
    made = [(await newsroom.happens(created_at=noon + timedelta(hours=hour)))[0] for hour in range(4)]
    await tell_all(courier)
    of_all = await newsroom.subscribe(endpoint.url)
    of_one = await newsroom.subscribe(endpoint.url, account_ids=[newsroom.account_id])

    for to in (of_all, of_one):
        await replay(to, since=noon + timedelta(hours=1), until=noon + timedelta(hours=3))
        assert [row["event_id"] for row in await to.deliveries()] == made[1:3]


async def test_what_is_on_its_way_is_left_alone(newsroom: Newsroom, courier: Courier, endpoint: Receiver) -> None:
    to = await newsroom.subscribe(endpoint.url)
    now = newsroom.bank.now()
    await newsroom.happens()
    await tell_all(courier)
    for due_in, moved in ((timedelta(seconds=40), False), (timedelta(hours=5), True)):
        await to.change_deliveries(due_at=now + due_in, attempts=4)
        assert (await replay(to))["replayed"] == 1
        (row,) = await to.deliveries()
        assert (row["due_at"] != now + due_in) is moved
        assert (row["status"], row["attempts_before"]) == (DeliveryStatus.PENDING, 4)


async def test_the_dead_are_tried_again_with_all_their_tries(
    newsroom: Newsroom, courier: Courier, endpoint: Receiver
) -> None:
    to = await newsroom.subscribe(endpoint.url)
    await newsroom.happens()
    await tell_all(courier)
    await to.change_deliveries(status=DeliveryStatus.DEAD, attempts=17, response_status=500)

    await replay(to)
    await bring_all(courier)

    (row,) = await to.deliveries()
    assert (row["status"], row["attempts"], row["attempts_before"]) == (DeliveryStatus.DELIVERED, 18, 17)


async def test_what_fails_again_is_tried_as_often_as_if_it_were_new(newsroom: Newsroom, courier: Courier) -> None:
    async with receiving(saying(500)) as busy:
        to = await newsroom.subscribe(busy.url, retry={"maxRetries": 2, "retryBackoffMs": 60_000})
        await newsroom.happens()
        await tell_all(courier)
        await to.change_deliveries(status=DeliveryStatus.DEAD, attempts=3, response_status=500)
        await replay(to)
        for status in ("PENDING", "PENDING", "DEAD"):
            await to.change_deliveries(due_at=newsroom.bank.now())
            await bring_all(courier)
            assert await to.statuses() == [status]
    assert len(busy.received) == 3


async def test_nothing_is_replayed_to_one_that_is_disabled(
    newsroom: Newsroom, courier: Courier, endpoint: Receiver
) -> None:
    (event,) = await newsroom.happens()
    await tell_all(courier)
    to = await newsroom.subscribe(endpoint.url, status=SubscriptionStatus.DISABLED)
    with pytest.raises(Conflict):
        await replay(to, event)
    assert await to.deliveries() == []


async def test_a_paused_one_is_told_when_it_is_resumed(
    newsroom: Newsroom, courier: Courier, endpoint: Receiver
) -> None:
    (event,) = await newsroom.happens()
    await tell_all(courier)
    to = await newsroom.subscribe(endpoint.url, status=SubscriptionStatus.PAUSED)
    await replay(to, event)
    await bring_all(courier)
    assert endpoint.received == []
    await to.change(status=SubscriptionStatus.ACTIVE)
    await bring_all(courier)
    assert endpoint.ids == [str(event)]


async def test_a_bound_token_replays_of_its_accounts_alone(
    newsroom: Newsroom, courier: Courier, endpoint: Receiver
) -> None:
    await newsroom.happens()
    await tell_all(courier)
    of_all = await newsroom.subscribe(endpoint.url)
    of_one = await newsroom.subscribe(endpoint.url, account_ids=[newsroom.account_id])
    bound = Caller(newsroom.tenant_id, "b", frozenset(Permission), accounts=frozenset({newsroom.account_id}))
    with pytest.raises(NotFound):
        await replay(of_all, caller=bound)
    assert (await replay(of_one, caller=bound))["replayed"] == 1


@pytest.mark.parametrize(
    ("attributes", "pointer"),
    [
        ({}, "/data/attributes"),
        ({"eventIds": [str(uuid4())], "from": "2026-01-01T00:00:00Z"}, "/data/attributes"),
        ({"eventIds": [str(uuid4())], "eventFilters": ["*"]}, "/data/attributes"),
        ({"to": "2026-01-01T00:00:00Z"}, "/data/attributes"),
        ({"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T21:00:00-03:00"}, "/data/attributes"),
        ({"from": "2026-01-01"}, "/data/attributes/from"),
        ({"from": "2026-01-01T00:00:00"}, "/data/attributes/from"),
        ({"from": "2026-02-30T00:00:00Z"}, "/data/attributes/from"),
        ({"from": 0}, "/data/attributes/from"),
        ({"from": "2026-01-01T00:00:00Z", "eventFilters": ["x.*"]}, "/data/attributes/eventFilters/0"),
        ({"eventIds": []}, "/data/attributes/eventIds"),
        ({"eventIds": [str(uuid4())] * 101}, "/data/attributes/eventIds"),
    ],
)
async def test_a_question_that_makes_no_sense_is_refused(tenant: Tenant, attributes: Any, pointer: str) -> None:
    refused = await tenant.post(f"/webhook-subscriptions/{uuid4()}/replay", "webhook-replays", attributes)
    assert (refused.status, refused.pointers) == (400, [pointer]), refused.body


@pytest.mark.parametrize("moment", ["1969-01-01T00:00:00Z", "9998-12-31T23:59:59.999999-00:00", "2026-01-01T00:00:00Z"])
async def test_any_time_can_be_named(tenant: Tenant, moment: str) -> None:
    made = await tenant.post(
        "/webhook-subscriptions",
        "webhook-subscriptions",
        {"name": "x", "endpointUrl": "http://127.0.0.1:9/", "eventFilters": ["*"]},
    )
    for attributes in ({"from": moment}, {"from": "1970-01-01T00:00:00Z", "to": moment}):
        if attributes.get("to", "2") < "1970":
            continue
        answered = await tenant.post(f"/webhook-subscriptions/{made.id}/replay", "webhook-replays", attributes)
        assert answered.status == 200, answered.body
        assert answered.attributes["replayed"] == 0
