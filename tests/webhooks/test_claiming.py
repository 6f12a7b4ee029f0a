"""Who takes what: the longest due first, each once, and what it takes to bring it."""

from datetime import timedelta

from sqlalchemy import select, update

from lastro.webhooks import claiming, secrets
from lastro.webhooks.courier import Courier
from lastro.webhooks.models import Delivery, SubscriptionStatus
from webhooks.newsroom import Newsroom, tell_all

NOWHERE = "http://127.0.0.1:9/x"


async def test_of_what_came_due_at_once_the_first_in_the_feed_is_taken_first(
    newsroom: Newsroom, courier: Courier
) -> None:
    bank, subscribed = newsroom.bank, await newsroom.subscribe(NOWHERE)
    events = await newsroom.happens(5)
    await tell_all(courier)
    assert await newsroom.feed() == events
    taken = [await claiming.claim(bank.db, {subscribed.id: most}, now=bank.now()) for most in (1, 3, 9, 9)]
    assert [[parcel.event_id for parcel in few] for few in taken] == [events[:1], events[1:4], events[4:], []]


async def test_what_has_been_due_the_longest_is_taken_first_wherever_it_lies_in_the_feed(
    newsroom: Newsroom, courier: Courier
) -> None:
    bank, subscribed = newsroom.bank, await newsroom.subscribe(NOWHERE)
    events = await newsroom.happens(3)
    await tell_all(courier)
    async with bank.db.transaction() as tx:
        await tx.execute(
            update(Delivery)
            .where(Delivery.subscription_id == subscribed.id, Delivery.event_id == events[1])
            .values(due_at=bank.now() - timedelta(minutes=1))
        )
    (parcel,) = await claiming.claim(bank.db, {subscribed.id: 1}, now=bank.now())
    assert parcel.event_id == events[1]


async def test_what_another_worker_is_taking_is_left_to_him(newsroom: Newsroom, courier: Courier) -> None:
    bank, subscribed = newsroom.bank, await newsroom.subscribe(NOWHERE)
    first, second = await newsroom.happens(2)
    await tell_all(courier)
    his = select(Delivery.id).where(Delivery.subscription_id == subscribed.id, Delivery.event_id == first)
    async with bank.db.transaction() as tx:
        await tx.execute(his.with_for_update())
        (parcel,) = await claiming.claim(bank.db, {subscribed.id: 2}, now=bank.now())
    assert parcel.event_id == second


async def test_the_newest_secret_comes_first(newsroom: Newsroom, courier: Courier) -> None:
    bank, subscribed = newsroom.bank, await newsroom.subscribe(NOWHERE)
    newer = await subscribed.add_secret()
    newest = await subscribed.add_secret()
    await newsroom.happens()
    await tell_all(courier)
    (parcel,) = await claiming.claim(bank.db, {subscribed.id: 1}, now=bank.now())
    assert secrets.all_opened(bank.key_ring, parcel.secrets) == [newest, newer, subscribed.secret]


async def test_late_is_what_is_due_for_an_endpoint_that_may_be_asked(newsroom: Newsroom, courier: Courier) -> None:
    bank, subscribed = newsroom.bank, await newsroom.subscribe(NOWHERE)
    await newsroom.happens(2)
    await tell_all(courier)
    now = bank.now()
    await subscribed.change_deliveries(due_at=now - timedelta(hours=3))
    assert await claiming.lateness(bank.db, now=now) == 3 * 3600
    await subscribed.change(status=SubscriptionStatus.PAUSED)
    assert await claiming.lateness(bank.db, now=now) < 3 * 3600
