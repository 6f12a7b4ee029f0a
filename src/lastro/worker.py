"""Keeps what was promised: claims due promises in a short transaction, then works with no transaction open."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import groupby

import asyncpg

from lastro import metrics
from lastro.access import grants
from lastro.accounts import opening
from lastro.accounts.service import OPEN
from lastro.bank import Bank
from lastro.errors import BankError, Unavailable
from lastro.kyc import reviewing
from lastro.kyc.dossier import SUBMIT
from lastro.logs import logger
from lastro.outbox import queue
from lastro.outbox.doorbell import Ear
from lastro.outbox.queue import LARGEST_CLAIM, WORKERS, Claimed, LowWater, Waiting
from lastro.pix.keys import registration
from lastro.pix.keys.crossing import PROVE, REGISTER, REMOVE
from lastro.pix.payments import settlement
from lastro.pix.payments.acceptance import SETTLE
from lastro.pix.qrcodes import expiring
from lastro.pix.refunds import settlement as refunding
from lastro.pix.refunds.service import SETTLE as REFUND
from lastro.tally import totals
from lastro.webhooks import courier, telling
from lastro.webhooks.courier import Courier

Handler = Callable[[Bank, Sequence[Claimed]], Awaitable[Sequence[Waiting]]]
"""Keeps what it can and says which promises must wait; raises when nothing is known of those that it did not keep."""

HANDLERS: Mapping[str, Handler] = {
    OPEN: opening.open_accounts,
    SUBMIT: reviewing.submit_files,
    SETTLE: settlement.settle,
    REFUND: refunding.settle,
    PROVE: registration.prove,
    REGISTER: registration.register,
    REMOVE: registration.remove,
}

# Batches under way at once: while some wait for the network, others are read and written. A network that takes a
# fifth of a second for a hundred payments still settles 4,000 a second.
BATCHES = 8
POLL_SECONDS = 0.1
# No rest is longer: a worker whose connection broke begins again when all of its tasks have seen it.
LOOK_BACK_SECONDS = 5.0
FORGET_SECONDS = 5.0
EXPIRE_SECONDS = 2.0
LAST_POSTS_SECONDS = 5.0
FOLD_SECONDS = 5.0  # what was PROCESSING and is COMPLETED meanwhile costs one cell, not three

_LOG = logger("worker")


class Worker:
    """One worker process (or the worker inside `lastro dev`). Any number may run; none does another's work twice."""

    def __init__(self, bank: Bank, database_url: str) -> None:
        self._bank = bank
        self._url = database_url
        self._ear: Ear | None = None
        self._low_water = LowWater()
        self._courier = Courier(bank)
        self._stopping = asyncio.Event()

    @property
    def ready(self) -> bool:
        """Whether it is at work."""
        return self._ear is not None and self._ear.alive

    def stop(self) -> None:
        """Finish the batches under way and come to an end."""
        self._stopping.set()

    async def run(self) -> None:
        """Work until `stop`; whenever the connection breaks, start over under a new number."""
        while not self._stopping.is_set():
            try:
                await self._work()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, Unavailable) as error:
                _LOG.warning("database away", error=type(error).__name__)
                await self._rest(1.0)
        await self._courier.settle(LAST_POSTS_SECONDS)

    async def _work(self) -> None:
        self._ear = ear = await Ear.open(self._url, WORKERS)
        try:
            async with self._bank.db.transaction() as tx:
                taken_over = await queue.take_over(tx)
            _LOG.info("worker started", number=ear.number, taken_over=taken_over)
            self._low_water = LowWater()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._look_back(ear))
                tasks.create_task(self._fold(ear))
                tasks.create_task(self._expire(ear))
                tasks.create_task(self._tell(ear))
                tasks.create_task(self._bring(ear))
                tasks.create_task(self._tidy(ear))
                tasks.create_task(self._forget(ear))
                tasks.create_task(self._keep_claiming(ear, tasks))
        except* Unavailable as group:
            raise group.exceptions[0] from group
        finally:
            await ear.close()

    async def _keep_claiming(self, ear: Ear, tasks: asyncio.TaskGroup) -> None:
        """One claims for all, and only what can be worked on at once: a lease is short."""
        places = asyncio.Semaphore(BATCHES)

        async def work(claimed: Sequence[Claimed]) -> None:
            try:
                await self._work_on(claimed, ear.number)
            finally:
                places.release()

        while ear.alive and not self._stopping.is_set():
            await places.acquire()
            claimed = await self._claim(ear.number)
            if claimed:
                tasks.create_task(work(claimed))
            else:
                places.release()
            if len(claimed) < LARGEST_CLAIM:
                await ear.wait(POLL_SECONDS)

    async def tick(self, number: int) -> int:
        """Claim what is due and try to keep it. Says how many promises were claimed."""
        claimed = await self._claim(number)
        await self._work_on(claimed, number)
        return len(claimed)

    async def _claim(self, number: int) -> Sequence[Claimed]:
        return await queue.claim(self._bank.db, worker=number, low_water=self._low_water.mark)

    async def _work_on(self, claimed: Sequence[Claimed], number: int) -> None:
        groups = groupby(sorted(claimed, key=lambda each: each.topic), key=lambda each: each.topic)
        # Side by side: a directory that is slow must not keep payments waiting that were claimed with its keys.
        done = await asyncio.gather(
            *(self._keep(topic, list(group), number) for topic, group in groups), return_exceptions=True
        )
        for failure in done:
            if failure is not None:
                raise failure

    async def _keep(self, topic: str, claimed: Sequence[Claimed], number: int) -> None:
        waiting = await self._try(topic, claimed)
        metrics.KEPT.labels(topic).inc(len(claimed) - len(waiting))
        if not waiting:
            return
        metrics.POSTPONED.labels(topic).inc(len(waiting))
        async with self._bank.db.transaction() as tx:
            await queue.postpone(tx, waiting, worker=number)

    async def _try(self, topic: str, claimed: Sequence[Claimed]) -> Sequence[Waiting]:
        """Let the topic's handler work. Says which promises must wait, and why."""
        try:
            return await HANDLERS[topic](self._bank, claimed)
        except BankError as error:
            _LOG.warning("postponed", topic=topic, promises=len(claimed), why=str(error))
            why = f"{type(error).__name__}: {error}"
        except Exception as error:  # noqa: BLE001 - a bug in a handler must not stop the others
            _LOG.exception("postponed", topic=topic, promises=len(claimed))
            why = type(error).__name__
        return [Waiting(each, why) for each in claimed]

    async def _look_back(self, ear: Ear) -> None:
        """Move the low-water mark up, measure how late we are, and adopt what dead workers left."""
        while ear.alive and not self._stopping.is_set():
            async with self._bank.db.transaction() as tx:
                self._low_water.look(await queue.sight(tx, low_water=self._low_water.mark))
                metrics.OWED.set(await queue.lateness(tx))
                await queue.take_over(tx)
            await self._rest(LOOK_BACK_SECONDS)

    async def _fold(self, ear: Ear) -> None:
        """Roll up what the lists count, a bounded piece at a time; one worker at it is enough."""
        while ear.alive and not self._stopping.is_set():
            try:
                async with self._bank.db.transaction() as tx:
                    done = await totals.fold(tx)
                    pending = await totals.pending(tx)
            except Exception as error:  # noqa: BLE001 - totals are exact without it: no payment may wait for that
                _LOG.warning("not folded", error=type(error).__name__)
                await self._rest(FOLD_SECONDS)
                continue
            metrics.TALLY_PENDING.set(pending)
            if not done or pending < totals.FOLDED_AT_ONCE:
                await self._rest(FOLD_SECONDS)

    async def _forget(self, ear: Ear) -> None:
        """Forget the tokens of clients that are over since yesterday."""
        while ear.alive and not self._stopping.is_set():
            if await self._harmless(self._forget_some) < grants.FORGOTTEN_AT_ONCE:
                await self._rest(FORGET_SECONDS)

    async def _forget_some(self) -> int:
        async with self._bank.db.transaction() as tx:
            return await grants.forget_spent(tx)

    async def _expire(self, ear: Ear) -> None:
        """Tell which charges nobody paid in time, a bounded number at a time; several workers share them."""
        while ear.alive and not self._stopping.is_set():
            if await self._harmless(self._expire_some) < expiring.AT_ONCE:
                await self._rest(EXPIRE_SECONDS)

    async def _expire_some(self) -> int:
        async with self._bank.db.transaction() as tx:
            return await expiring.expire(tx, now=self._bank.now())

    async def _tell(self, ear: Ear) -> None:
        """Give events their places, and write down who is to be told; one worker at it is enough."""
        while ear.alive and not self._stopping.is_set():
            told = await self._harmless(self._courier.tell)
            if told < telling.EVENTS_AT_ONCE // 2:
                await self._rest(courier.TELL_SECONDS)

    async def _bring(self, ear: Ear) -> None:
        """Post what is due to the endpoints of tenants."""
        while ear.alive and not self._stopping.is_set():
            if await self._harmless(self._courier.round):
                await self._rest(courier.PACE_SECONDS)
            else:
                await self._courier.wait(courier.POLL_SECONDS)

    async def _tidy(self, ear: Ear) -> None:
        """End deliveries that are over, and measure how late we are."""
        while ear.alive and not self._stopping.is_set():
            await self._harmless(self._courier.tidy)
            await self._rest(courier.TIDY_SECONDS)

    async def _harmless(self, work: Callable[[], Awaitable[int]]) -> int:
        """Whatever goes wrong with these, no payment may wait for that. Says how much was done."""
        try:
            return await work()
        except Exception as error:  # noqa: BLE001 - as above
            _LOG.warning("must wait", what=work.__name__, error=type(error).__name__)
            await self._rest(1.0)
            return 0

    async def _rest(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)
