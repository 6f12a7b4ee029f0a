"""What an endpoint's answers make of it: since when it fails, and how long it is left alone."""

from datetime import datetime, timedelta
from typing import Any

from lastro.webhooks import claiming, recording
from lastro.webhooks.courier import Courier, judge
from lastro.webhooks.recording import Outcome
from lastro.webhooks.schedule import REST_AFTER
from webhooks.newsroom import Newsroom, Subscribed, bring_all, tell_all
from webhooks.receiver import receiving, saying

NOWHERE = "http://127.0.0.1:9/x"
LATER = {"maxRetries": 3, "retryBackoffMs": 60_000}


async def answers(subscribed: Subscribed, courier: Courier, *statuses: int, now: datetime) -> None:
    """So many events happen, and the endpoint says this about them, all of it at once."""
    room = subscribed.newsroom
    await room.happens(len(statuses))
    await tell_all(courier)
    parcels = await claiming.claim(room.bank.db, {subscribed.id: len(statuses)}, now=room.bank.now())
    outcomes: list[Outcome] = [
        judge(parcel, status, began_at=now, took=1, now=now) for parcel, status in zip(parcels, statuses, strict=True)
    ]
    assert all(await recording.record(room.bank.db, outcomes, now=now))


async def test_an_endpoint_fails_since_the_first_failure_after_its_last_success(
    newsroom: Newsroom, courier: Courier
) -> None:
    subscribed = await newsroom.subscribe(NOWHERE, retry=LATER)
    began = newsroom.bank.now()
    moments = [began + timedelta(minutes=minute) for minute in range(4)]

    await answers(subscribed, courier, 500, now=moments[0])
    await answers(subscribed, courier, 500, 500, now=moments[1])
    assert await standing(subscribed) == (3, moments[0])
    await answers(subscribed, courier, 500, 200, 500, now=moments[2])
    assert await standing(subscribed) == (1, moments[2])
    await answers(subscribed, courier, 500, 200, now=moments[3])
    assert await standing(subscribed) == (0, None)


async def standing(subscribed: Subscribed) -> tuple[int, datetime | None]:
    row = await subscribed.row()
    return row["failures"], row["failing_since"]


async def test_one_that_failed_often_and_asks_for_patience_gets_the_longer_of_both_rests(
    newsroom: Newsroom, courier: Courier
) -> None:
    for asked, least, most in ((120, 100, 121), (1, 10, 25)):
        often: dict[str, Any] = {"failures": REST_AFTER, "failing_since": newsroom.bank.now()}
        async with receiving(saying(503, retry_after=str(asked))) as receiver:
            subscribed = await newsroom.subscribe(receiver.url, retry=LATER, **often)
            await newsroom.happens()
            await bring_all(courier)
        rest = (await subscribed.row())["resting_until"] - newsroom.bank.now()
        assert least < rest.total_seconds() < most
        await subscribed.change(deleted_at=newsroom.bank.now())
