"""When a delivery is tried again, and when no more: what a subscription's `retryConfig` means."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Self

DEFAULTS: Mapping[str, Any] = {"maxRetries": 16, "retryBackoffMs": 5000, "retryBackoffMultiplier": 2.5}
"""About three days."""

LONGEST_PAUSE = timedelta(hours=12)
LONGEST_WISH = timedelta(hours=1)  # of a Retry-After
SHORTEST_LIFE = timedelta(hours=1)

REST_AFTER = 5
"""Attempts that fail in a row, over all deliveries of an endpoint, before it is left alone for a while."""

FIRST_REST_SECONDS, LONGEST_REST_SECONDS = 10.0, 300.0


@dataclass(frozen=True, slots=True)
class Schedule:
    """How often and after which pauses; what `retry_config` does not say is as in `DEFAULTS`."""

    most_retries: int
    first_pause: timedelta
    growth: float

    @classmethod
    def of(cls, retry_config: Mapping[str, Any]) -> Self:
        """From the JSON of a subscription."""
        config = {**DEFAULTS, **retry_config}
        return cls(
            most_retries=int(config["maxRetries"]),
            first_pause=timedelta(milliseconds=config["retryBackoffMs"]),
            growth=float(config["retryBackoffMultiplier"]),
        )

    def pause_after(self, tries: int) -> timedelta:
        """Between this try (the first is 1) and the next, before jitter."""
        return min(self.first_pause * min(self.growth ** (tries - 1), 1e6), LONGEST_PAUSE)

    @property
    def life(self) -> timedelta:
        """From the first try to the last; an hour at least, so that a short rest of an endpoint ends nothing."""
        pauses = (self.pause_after(tries) for tries in range(1, self.most_retries + 1))
        return max(sum(pauses, timedelta()), SHORTEST_LIFE)

    def next_pause(self, tries: int, wish: timedelta | None) -> timedelta | None:
        """After this try failed, give or take a fifth; None: that was the last. A `wish` may only make it longer."""
        if tries > self.most_retries:
            return None
        pause = self.pause_after(tries) * random.uniform(0.8, 1.2)  # noqa: S311 - jitter, not a secret
        return pause if wish is None else max(pause, min(wish, LONGEST_WISH))


def wish_of(retry_after: str | None, *, now: float) -> timedelta | None:
    """What a Retry-After asks for: seconds, or a date against the real time `now`; None if it asks for nothing."""
    if retry_after is None:
        return None
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return timedelta(seconds=min(int(text[:9]), 10**8))
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    wish = moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.fromtimestamp(now, UTC)
    return wish if wish > timedelta() else None
