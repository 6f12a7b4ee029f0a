"""Deliveries over real HTTP: signed, tried again in time, ended when they must be, and never lost."""

import asyncio
import hashlib
import time
from datetime import timedelta

import pytest
from sqlalchemy import select
from standardwebhooks import Webhook

from build import until
from lastro.bank import Bank
from lastro.clock import Clock
from lastro.keyring import KeyRing
from lastro.outbox.models import Alert
from lastro.webhooks.courier import Courier
from lastro.webhooks.models import SubscriptionStatus
from webhooks.newsroom import Newsroom, Subscribed, bring_all, tell_all
from webhooks.receiver import (
    Behaviour,
    Received,
    answering_then_resetting,
    dripping,
    dripping_the_body,
    endless,
    hanging,
    receiving,
    resetting,
    saying,
    talking_nonsense,
)


def verify(post: Received, *secrets: str) -> None:
    """By a library that is not ours."""
    for secret in secrets:
        Webhook(secret).verify(post.body, post.headers)


async def alerts(bank: Bank, subscription_id: object) -> list[str]:
    async with bank.db.transaction() as tx:
        return list((await tx.execute(select(Alert.kind).where(Alert.reference == subscription_id))).scalars())


async def test_an_event_is_posted_signed_and_as_it_lies_in_the_table(newsroom: Newsroom, courier: Courier) -> None:
    async with receiving(saying(204)) as receiver:
        subscribed = await newsroom.subscribe(
            receiver.url, headers={"Authorization": "Basic abc", "X-Tenant": "1", "Webhook-Id": "x", "Host": "evil"}
        )
        (event_id,) = await newsroom.happens()
        await bring_all(courier)
    (post,) = receiver.received
    verify(post, subscribed.secret)
    assert post.path == "/hooks?from=lastro"
    assert post.id == str(event_id)
    assert abs(int(post.headers["webhook-timestamp"]) - time.time()) < 30
    assert post.headers["content-type"] == "application/json"
    assert post.headers["user-agent"] == "Lastro-Webhooks/1"
    assert post.headers["accept-encoding"] == "identity"
    assert post.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert (post.headers["authorization"], post.headers["x-tenant"]) == ("Basic abc", "1")
    (delivery,), (attempt,) = await subscribed.deliveries(), await subscribed.attempts()
    assert (delivery["status"].value, delivery["attempts"], delivery["response_status"]) == ("DELIVERED", 1, 204)
    assert delivery["delivered_at"] >= delivery["created_at"]
    assert (attempt["number"], attempt["response_status"], attempt["error"]) == (1, 204, None)
    assert attempt["body_sha256"] == hashlib.sha256(post.body).digest()


async def test_while_two_secrets_are_in_force_each_verifies(newsroom: Newsroom, courier: Courier) -> None:
    async with receiving(saying(200)) as receiver:
        subscribed = await newsroom.subscribe(receiver.url)
        newer = await subscribed.add_secret()
        expired = await subscribed.add_secret(lives=timedelta(seconds=-1))
        await newsroom.happens()
        await bring_all(courier)
    (post,) = receiver.received
    verify(post, subscribed.secret, newer)
    assert len(post.headers["webhook-signature"].split()) == 2
    with pytest.raises(Exception, match="No matching signature"):
        verify(post, expired)


async def test_what_failed_is_brought_again_the_same_under_the_same_id(newsroom: Newsroom, courier: Courier) -> None:
    async with receiving(saying(200)) as receiver:
        receiver.next = [saying(500), resetting]
        subscribed = await newsroom.subscribe(receiver.url)
        (event_id,) = await newsroom.happens()
        await bring_until(courier, subscribed, "DELIVERED")
    assert receiver.ids == [str(event_id)] * 3
    assert len({post.body for post in receiver.received}) == 1
    for post in receiver.received:
        verify(post, subscribed.secret)
    attempts = await subscribed.attempts()
    assert [each["number"] for each in attempts] == [1, 2, 3]
    assert [each["response_status"] for each in attempts] == [500, None, 200]
    assert [each["error"] for each in attempts] == [None, "RESET", None]
    assert (await subscribed.row())["failures"] == 0


async def bring_until(courier: Courier, subscribed: object, *statuses: str) -> None:
    """Rounds, until the deliveries have these statuses."""
    await tell_all(courier)

    async def there() -> bool:
        await courier.round()
        await courier.settle()
        return bool(await subscribed.statuses() == list(statuses))  # type: ignore[attr-defined]

    await until(there, seconds=20)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 206, 299])
async def test_any_2xx_is_a_success(newsroom: Newsroom, courier: Courier, status: int) -> None:
    async with receiving(saying(status)) as receiver:
        subscribed = await newsroom.subscribe(receiver.url)
        await newsroom.happens()
        await bring_all(courier)
    assert await subscribed.statuses() == ["DELIVERED"]


@pytest.mark.parametrize(
    ("behaviour", "word"),
    [
        (saying(301, location="http://169.254.169.254/latest/meta-data/"), 301),
        (saying(302, location="http://127.0.0.1:1/"), 302),
        (saying(307, location="http://localhost/"), 307),
        (saying(308, location="file:///etc/passwd"), 308),
        (saying(400), 400),
        (saying(404), 404),
        (saying(500), 500),
        (hanging, "TIMEOUT"),
        (dripping, "TIMEOUT"),
        (resetting, "RESET"),
        (talking_nonsense, "RESET"),
    ],
)
async def test_anything_else_is_a_failure_and_is_tried_again(
    newsroom: Newsroom, courier: Courier, behaviour: Behaviour, word: int | str
) -> None:
    async with receiving(behaviour) as receiver:
        subscribed = await newsroom.subscribe(receiver.url, retry={"maxRetries": 3, "retryBackoffMs": 60_000})
        await newsroom.happens()
        await bring_all(courier)
    assert len(receiver.received) == 1, "a redirect is not followed"
    (delivery,), (attempt,) = await subscribed.deliveries(), await subscribed.attempts()
    assert delivery["status"].value == "PENDING"
    assert word in (attempt["response_status"], attempt["error"])
    assert 45 < (delivery["due_at"] - attempt["started_at"]).total_seconds() < 80
    row = await subscribed.row()
    assert row["failures"] == 1
    assert row["failing_since"] is not None


@pytest.mark.parametrize(
    "behaviour",
    [
        answering_then_resetting,
        dripping_the_body,
        endless,
        saying(200, b"\x1f\x8b" + b"\x00" * 70_000, content_encoding="gzip"),
    ],
)
async def test_the_status_counts_whatever_follows_it(
    newsroom: Newsroom, courier: Courier, behaviour: Behaviour
) -> None:
    async with receiving(behaviour) as receiver:
        subscribed = await newsroom.subscribe(receiver.url, timeout_ms=30_000)
        await newsroom.happens()
        began = time.monotonic()
        await bring_all(courier)
    assert time.monotonic() - began < 10
    assert await subscribed.statuses() == ["DELIVERED"]
    assert len(receiver.received) == 1


async def test_after_the_last_try_a_delivery_is_dead_and_a_human_is_told_once(
    newsroom: Newsroom, courier: Courier
) -> None:
    async with receiving(saying(500)) as receiver:
        subscribed = await newsroom.subscribe(receiver.url, retry={"maxRetries": 0})
        await newsroom.happens(3)
        await bring_all(courier)
    assert await subscribed.statuses() == ["DEAD"] * 3
    assert await alerts(newsroom.bank, subscribed.id) == ["webhook_deliveries_dead"]


async def test_410_ends_the_subscription_and_what_it_still_was_to_get(newsroom: Newsroom, courier: Courier) -> None:
    async with receiving(saying(410)) as receiver:
        subscribed = await newsroom.subscribe(receiver.url)
        other = await newsroom.subscribe(receiver.url, status=SubscriptionStatus.PAUSED)
        await newsroom.happens(5)
        await bring_all(courier)
        assert len(receiver.received) == 1
        row = await subscribed.row()
        assert (row["status"].value, row["disabled_reason"], row["version"]) == ("DISABLED", "410 Gone", 2)
        await courier.tidy()
        assert await subscribed.statuses() == ["CANCELED"] * 5
        assert await alerts(newsroom.bank, subscribed.id) == ["webhook_endpoint_gone"]
        await newsroom.happens()
        await bring_all(courier)
    assert len(await subscribed.deliveries()) == 5, "nobody is told any more"
    assert await other.statuses() == ["PENDING"] * 6


async def test_410_from_where_the_endpoint_was_ends_nothing_when_the_tenant_has_moved(
    newsroom: Newsroom, courier: Courier
) -> None:
    moved: list[Subscribed] = []

    async with receiving(saying(200)) as new:

        async def moving(writer: asyncio.StreamWriter, post: Received) -> None:
            """Just before the old one says that it is gone, the tenant says where the new one is."""
            await moved[0].change(endpoint_url=new.url)
            await saying(410)(writer, post)

        async with receiving(moving) as old:
            moved.append(await newsroom.subscribe(old.url))
            events = await newsroom.happens(3)
            await bring_all(courier)
    assert (await moved[0].row())["status"].value == "ACTIVE"
    assert await moved[0].statuses() == ["DELIVERED"] * 3
    assert {post.headers["webhook-id"] for post in new.received} == {str(event) for event in events}
    assert await alerts(newsroom.bank, moved[0].id) == []


async def test_an_endpoint_that_asks_for_patience_gets_it(newsroom: Newsroom, courier: Courier) -> None:
    async with receiving(saying(429, retry_after="120")) as receiver:
        subscribed = await newsroom.subscribe(receiver.url)
        await newsroom.happens(3)
        await bring_all(courier)
    assert len(receiver.received) == 1, "the others wait as well"
    tried = next(row for row in await subscribed.deliveries() if row["attempts"])
    assert 119 <= (tried["due_at"] - newsroom.bank.now()).total_seconds() + 15 <= 140
    assert 90 < ((await subscribed.row())["resting_until"] - newsroom.bank.now()).total_seconds() <= 120


@pytest.mark.parametrize(("status", "rests"), [(429, True), (503, True), (500, False), (404, False), (301, False)])
async def test_only_who_is_busy_may_ask_for_patience(
    newsroom: Newsroom, courier: Courier, status: int, *, rests: bool
) -> None:
    async with receiving(saying(status, retry_after="120")) as receiver:
        subscribed = await newsroom.subscribe(receiver.url, retry={"retryBackoffMs": 1_000})
        await newsroom.happens()
        await bring_all(courier)
    (delivery,) = await subscribed.deliveries()
    assert ((delivery["due_at"] - newsroom.bank.now()).total_seconds() > 60) is rests
    assert ((await subscribed.row())["resting_until"] is not None) is rests


async def test_a_signature_is_dated_by_the_real_clock_whatever_the_banks_says(
    newsroom: Newsroom, courier: Courier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The receiver compares it with his own."""
    ahead = Clock()
    ahead.move_to_offset(timedelta(days=1))
    async with receiving(saying(200)) as receiver:
        subscribed = await newsroom.subscribe(receiver.url)
        await newsroom.happens()
        await tell_all(courier)
        monkeypatch.setattr(newsroom.bank, "clock", ahead)
        await bring_all(courier)
    (post,) = receiver.received
    verify(post, subscribed.secret)
    assert abs(int(post.headers["webhook-timestamp"]) - time.time()) < 30


async def test_who_waits_is_woken_by_news_and_when_there_is_room_again(newsroom: Newsroom, courier: Courier) -> None:
    async def waits() -> float:
        began = time.monotonic()
        await courier.wait(5)
        return time.monotonic() - began

    async with receiving(saying(200)) as receiver:
        await newsroom.subscribe(receiver.url)
        await newsroom.happens()
        assert await courier.tell()
        assert await waits() < 3
        assert await courier.round() == 1
        assert await waits() < 3
        await courier.settle()
    assert len(receiver.received) == 1


async def test_a_paused_subscription_is_told_after_it_was_resumed(newsroom: Newsroom, courier: Courier) -> None:
    async with receiving(saying(200)) as receiver:
        subscribed = await newsroom.subscribe(receiver.url, status=SubscriptionStatus.PAUSED)
        events = await newsroom.happens(3)
        await bring_all(courier)
        assert receiver.received == []
        await subscribed.change(status=SubscriptionStatus.ACTIVE)
        await bring_all(courier)
    assert sorted(receiver.ids) == sorted(map(str, events))


async def test_nothing_is_sent_to_a_subscription_that_was_deleted(newsroom: Newsroom, courier: Courier) -> None:
    async with receiving(saying(200)) as receiver:
        subscribed = await newsroom.subscribe(receiver.url)
        await newsroom.happens(2)
        await tell_all(courier)
        await subscribed.change(deleted_at=newsroom.bank.now())
        await bring_all(courier)
        await courier.tidy()
    assert receiver.received == []
    assert await subscribed.statuses() == ["CANCELED"] * 2


async def test_what_a_worker_that_died_was_at_is_brought_again_under_the_same_id(
    newsroom: Newsroom, courier: Courier
) -> None:
    async with receiving(saying(200)) as receiver:
        receiver.next = [hanging]
        subscribed = await newsroom.subscribe(receiver.url, timeout_ms=30_000)
        (event_id,) = await newsroom.happens()
        await tell_all(courier)
        await courier.round()
        await until(lambda: _is(len(receiver.received) == 1))
        await courier.settle(0)  # it dies in the middle of the post
        other = Courier(newsroom.bank)
        await bring_all(other)
        assert len(receiver.received) == 1, "it is leased"
        (delivery,) = await subscribed.deliveries()
        assert 30 < (delivery["due_at"] - newsroom.bank.now()).total_seconds() <= 40
        await subscribed.change_deliveries(due_at=newsroom.bank.now())  # the lease ends
        await bring_all(other)
    assert receiver.ids == [str(event_id)] * 2
    (attempt,) = await subscribed.attempts()
    assert (attempt["number"], attempt["response_status"]) == (1, 200)


async def _is(condition: bool) -> bool:
    return condition


async def test_the_word_of_a_worker_whose_lease_is_over_changes_nothing(newsroom: Newsroom, courier: Courier) -> None:
    heard = asyncio.Event()

    async def waiting(writer: asyncio.StreamWriter, post: Received) -> None:
        await heard.wait()
        await saying(500)(writer, post)

    async with receiving(saying(200)) as receiver:
        receiver.next = [waiting]
        subscribed = await newsroom.subscribe(receiver.url, timeout_ms=30_000)
        await newsroom.happens()
        await tell_all(courier)
        await courier.round()
        await until(lambda: _is(len(receiver.received) == 1))
        await subscribed.change_deliveries(due_at=newsroom.bank.now())
        await bring_all(Courier(newsroom.bank))
        heard.set()
        await courier.settle()
    (delivery,) = await subscribed.deliveries()
    assert (delivery["status"].value, delivery["attempts"]) == ("DELIVERED", 1)
    assert [each["response_status"] for each in await subscribed.attempts()] == [200]


async def test_nor_while_another_is_at_it(newsroom: Newsroom, courier: Courier) -> None:
    first, second = asyncio.Event(), asyncio.Event()

    def waiting(heard: asyncio.Event, status: int) -> Behaviour:
        async def answer(writer: asyncio.StreamWriter, post: Received) -> None:
            await heard.wait()
            await saying(status)(writer, post)

        return answer

    other = Courier(newsroom.bank)
    async with receiving(saying(200)) as receiver:
        receiver.next = [waiting(first, 500), waiting(second, 200)]
        subscribed = await newsroom.subscribe(receiver.url, timeout_ms=30_000)
        await newsroom.happens()
        await tell_all(courier)
        await courier.round()
        await until(lambda: _is(len(receiver.received) == 1))
        await subscribed.change_deliveries(due_at=newsroom.bank.now())
        await other.round()
        await until(lambda: _is(len(receiver.received) == 2))
        first.set()
        await courier.settle()
        assert (await subscribed.statuses(), await subscribed.attempts()) == (["PENDING"], [])
        second.set()
        await other.settle()
    assert await subscribed.statuses() == ["DELIVERED"]
    assert [each["response_status"] for each in await subscribed.attempts()] == [200]


async def test_two_couriers_never_bring_the_same(newsroom: Newsroom, courier: Courier) -> None:
    async with receiving(saying(200)) as receiver:
        await newsroom.subscribe(receiver.url)
        events = await newsroom.happens(60)
        await asyncio.gather(bring_all(courier), bring_all(Courier(newsroom.bank)))
        await bring_all(courier)
    assert sorted(receiver.ids) == sorted(map(str, events))


async def test_what_can_not_be_signed_waits_and_counts_as_no_attempt(newsroom: Newsroom, courier: Courier) -> None:
    bank = newsroom.bank
    async with receiving(saying(200)) as receiver:
        subscribed = await newsroom.subscribe(receiver.url)
        await newsroom.happens()
        ring, bank.key_ring = bank.key_ring, KeyRing.parse(f"another:{'A' * 43}=")
        try:
            await bring_all(courier)
        finally:
            bank.key_ring = ring
        assert (await subscribed.statuses(), await subscribed.attempts()) == (["PENDING"], [])
        await subscribed.change_deliveries(due_at=bank.now())
        await bring_all(courier)
    assert len(receiver.received) == 1
