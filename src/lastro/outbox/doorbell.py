"""Wakes the worker: a NOTIFY of its own, outside of any payment's transaction, at most one every 50 ms.

Inside the transaction it would make every commit of the cluster take one lock in turn. The bell may be missed; the
worker's short poll is what guarantees that it looks.
"""

import asyncio
import contextlib

import asyncpg

from lastro.database import APPLICATION_ROLE, Database, plain
from lastro.errors import Unavailable

CHANNEL = "lastro_outbox"
QUIET_SECONDS = 0.05


class Doorbell:
    """Rung by whoever promised something; heard by every worker."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._ringing: asyncio.Task[None] | None = None
        self._again = False

    def ring(self) -> None:
        """Say that there is work. Returns at once; rings that come together are one."""
        self._again = True
        if self._ringing is None or self._ringing.done():
            self._ringing = asyncio.create_task(self._ring())

    async def _ring(self) -> None:
        while self._again:
            self._again = False
            with contextlib.suppress(Unavailable):
                # Nothing is written, so nobody need wait for the disk.
                await self._db.call("SELECT pg_notify($1, ''), set_config('synchronous_commit', 'off', true)", CHANNEL)
            await asyncio.sleep(QUIET_SECONDS)

    async def close(self) -> None:
        """Wait for a ring that is under way."""
        if self._ringing is not None:
            await asyncio.wait([self._ringing])


class Ear:
    """A connection of the worker's own: shows by an advisory lock that the worker lives, and hears the bell.

    When the connection breaks, the lock is gone and others may take this worker's promises: `alive` turns False and
    the worker must open a new ear, under a new number, before it claims again.
    """

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]", number: int) -> None:
        self._connection = connection
        self._heard = asyncio.Event()
        self.number = number

    @classmethod
    async def open(cls, url: str, worker_class: int) -> "Ear":
        """Connect, take a number, lock it, listen."""
        connection = await asyncpg.connect(
            plain(url), timeout=5, server_settings={"role": APPLICATION_ROLE, "application_name": "lastro-worker"}
        )
        number: int = await connection.fetchval("SELECT nextval('worker_numbers')")
        await connection.execute("SELECT pg_advisory_lock($1::int, $2::int)", worker_class, number)
        ear = cls(connection, number)
        await connection.add_listener(CHANNEL, ear._on_ring)
        return ear

    def _on_ring(self, *_: object) -> None:
        self._heard.set()

    @property
    def alive(self) -> bool:
        """Whether the connection, and with it the lock, still stands."""
        return not self._connection.is_closed()

    async def wait(self, seconds: float) -> None:
        """Until the bell rings, or `seconds` have passed."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._heard.wait(), seconds)
        self._heard.clear()

    async def close(self) -> None:
        """Give the number back."""
        with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            await self._connection.close(timeout=2)
