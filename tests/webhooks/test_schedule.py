"""How long a delivery is tried, and what an endpoint may wish."""

from datetime import UTC, datetime, timedelta

import pytest

from lastro.webhooks.schedule import DEFAULTS, LONGEST_PAUSE, LONGEST_WISH, SHORTEST_LIFE, Schedule, wish_of

NOW = datetime(2026, 11, 3, 12, 0, tzinfo=UTC)


def test_by_default_a_delivery_is_tried_for_about_three_days() -> None:
    schedule = Schedule.of({})
    assert schedule == Schedule.of(DEFAULTS)
    assert timedelta(days=3) < schedule.life < timedelta(days=4)
    pauses = [schedule.pause_after(tries) for tries in range(1, 17)]
    assert pauses[:3] == [timedelta(seconds=5), timedelta(seconds=12.5), timedelta(seconds=31.25)]
    assert pauses == sorted(pauses)
    assert max(pauses) == LONGEST_PAUSE
    assert schedule.next_pause(17, None) is None


@pytest.mark.parametrize("retries", [1, 3, 20])
def test_every_retry_that_was_promised_is_made(retries: int) -> None:
    schedule = Schedule.of({"maxRetries": retries})
    assert schedule.next_pause(retries, None) is not None
    assert schedule.next_pause(retries + 1, None) is None


@pytest.mark.parametrize("config", [{"maxRetries": 20, "retryBackoffMs": 3_600_000, "retryBackoffMultiplier": 5}])
def test_the_largest_numbers_are_no_trouble(config: dict[str, int]) -> None:
    assert Schedule.of(config).life < timedelta(days=11)


def test_pauses_differ_by_a_fifth_at_most() -> None:
    pauses = {Schedule.of({}).next_pause(1, None) for _ in range(200)}
    assert len(pauses) > 100
    assert all(pause and timedelta(seconds=4) <= pause <= timedelta(seconds=6) for pause in pauses)


def test_without_retries_the_first_try_is_the_last() -> None:
    schedule = Schedule.of({"maxRetries": 0})
    assert schedule.next_pause(1, None) is None
    assert schedule.next_pause(1, timedelta(minutes=1)) is None
    assert schedule.life == SHORTEST_LIFE


def test_a_wish_makes_a_pause_longer_and_never_shorter_within_bounds() -> None:
    schedule = Schedule.of({})
    assert schedule.next_pause(1, timedelta(minutes=2)) == timedelta(minutes=2)
    assert schedule.next_pause(1, timedelta(days=400)) == LONGEST_WISH
    shortened = schedule.next_pause(1, timedelta(seconds=1))
    assert shortened is not None
    assert shortened >= timedelta(seconds=4)


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [
        (None, None),
        ("120", 120),
        (" 120 ", 120),
        ("0", 0),
        ("9" * 400, 10**8),
        ("Tue, 03 Nov 2026 12:02:00 GMT", 120),
        ("Tue, 03 Nov 2026 11:00:00 GMT", None),
        ("Tue, 03 Nov 2026 09:02:00 -0300", 120),
        ("Tue, 03 Nov 2026 12:02:00 -0000", 120),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("²", None),
        ("", None),
        ("Tue, 99 Nov 2026 12:02:00 GMT", None),
    ],
)
def test_a_retry_after_is_seconds_or_a_date(retry_after: str | None, seconds: int | None) -> None:
    wish = wish_of(retry_after, now=NOW.timestamp())
    assert wish == (None if seconds is None else timedelta(seconds=seconds))
