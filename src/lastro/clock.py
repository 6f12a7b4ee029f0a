"""The bank's clock: the database's time, carried between readings by the monotonic clock, plus the demo's offset."""

import time
from datetime import UTC, datetime, timedelta


class Clock:
    """Says what time it is for the business: identifiers, days, deadlines.

    Leases and rates do not use it (they run on the database's own clock or the monotonic one), and neither do
    signatures and tokens, whose times must be real.
    """

    def __init__(self) -> None:
        self._base = datetime.now(UTC)
        self._base_monotonic = time.monotonic()
        self._offset = timedelta()
        self._latest: datetime | None = None

    @property
    def offset(self) -> timedelta:
        """How far `lastro dev` was moved into the future; zero in production."""
        return self._offset

    def now(self) -> datetime:
        """The time, aware, in UTC. Never earlier than what was said before."""
        moment = self._base + timedelta(seconds=time.monotonic() - self._base_monotonic) + self._offset
        self._latest = moment if self._latest is None else max(self._latest, moment)
        return self._latest

    def synchronise(self, database_now: datetime, at_monotonic: float) -> None:
        """Take over the database's time, so that all processes agree; `at_monotonic` is when it was that time."""
        self._base, self._base_monotonic = database_now.astimezone(UTC), at_monotonic

    def move_to_offset(self, offset: timedelta) -> None:
        """Stand `offset` ahead of the database (only the simulator of `lastro dev` does this)."""
        self._offset = offset
