"""Orders that arrive together are carried out together: one transaction for many, one verdict for each."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from lastro.attempt import Overtaken
from lastro.errors import AT_ITS_LIMIT, Unavailable
from lastro.values.text import Text

Order = TypeVar("Order")
Verdict = TypeVar("Verdict")

LARGEST_BATCH = 128
LONGEST_QUEUE = 2_000
PATIENCE_SECONDS = (0.05, 0.2, 0.5, 1.0)  # pauses before a whole batch is tried again while the database is away

_CONTENDED = Text(
    "Outras operações disputam os mesmos dados. Repita a requisição em instantes.",
    "Other operations contend for the same data. Repeat the request in a moment.",
)


def _heard(verdict: asyncio.Future[Any]) -> None:
    """Look at what became of an order, or asyncio complains that nobody did."""
    if not verdict.cancelled():
        verdict.exception()


@dataclass(frozen=True, slots=True)
class _Waiting(Generic[Order, Verdict]):
    order: Order
    verdict: asyncio.Future[Verdict]


class Till(Generic[Order, Verdict]):
    """Natural batching: while one flush runs, the orders that arrive wait and go together in the next.

    There is no timer: an idle till carries out an order at once, alone. `flush(orders, again)` owns its transaction and
    gives one verdict an order; `again` says that an earlier try of the same orders may have been committed. Orders
    with equal `twin_of` never share a flush: the second meets what the first left.
    """

    def __init__(
        self,
        flush: Callable[[Sequence[Order], bool], Awaitable[Sequence[Verdict]]],
        twin_of: Callable[[Order], Hashable | None],
    ) -> None:
        self._flush = flush
        self._twin_of = twin_of
        self._queue: deque[_Waiting[Order, Verdict]] = deque()
        self._running: asyncio.Task[None] | None = None
        self.largest_batch = 0

    @property
    def queued(self) -> int:
        """Orders that wait for their flush."""
        return len(self._queue)

    async def submit(self, order: Order) -> Verdict:
        """Carry out one order and say what became of it. Raises Unavailable when the queue is full.

        A caller that goes away (a client that disconnects) does not take its order back: the flush is its own task.
        """
        if len(self._queue) >= LONGEST_QUEUE:
            raise Unavailable(AT_ITS_LIMIT, retry_after=1)
        return await self._enter(order)

    def leave(self, order: Order) -> None:
        """Carry out an order for whose verdict nobody waits; dropped when the queue is full, which must be harmless."""
        if len(self._queue) < LONGEST_QUEUE:
            self._enter(order).add_done_callback(_heard)

    async def drain(self) -> None:
        """Wait until nothing is queued or running; used when the process stops."""
        while self._running is not None and not self._running.done():
            await asyncio.wait([self._running])

    def _enter(self, order: Order) -> asyncio.Future[Verdict]:
        waiting: _Waiting[Order, Verdict] = _Waiting(order, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run())
        return waiting.verdict

    async def _run(self) -> None:
        while self._queue:
            batch = self._next_batch()
            self.largest_batch = max(self.largest_batch, len(batch))
            await self._settle(batch)

    def _next_batch(self) -> list[_Waiting[Order, Verdict]]:
        batch: list[_Waiting[Order, Verdict]] = []
        twins: set[Hashable] = set()
        later: list[_Waiting[Order, Verdict]] = []
        while self._queue and len(batch) < LARGEST_BATCH:
            waiting = self._queue.popleft()
            twin = self._twin_of(waiting.order)
            if twin is not None and twin in twins:
                later.append(waiting)
                continue
            if twin is not None:
                twins.add(twin)
            batch.append(waiting)
        self._queue.extendleft(reversed(later))
        return batch

    async def _settle(self, batch: Sequence[_Waiting[Order, Verdict]]) -> None:
        try:
            verdicts = await self._with_patience([each.order for each in batch], again=False)
        except Exception as error:  # noqa: BLE001 - whatever went wrong, every waiting caller is told
            await self._one_by_one(batch, error)
            return
        for waiting, verdict in zip(batch, verdicts, strict=True):
            if not waiting.verdict.done():
                waiting.verdict.set_result(verdict)

    async def _with_patience(self, orders: Sequence[Order], *, again: bool) -> Sequence[Verdict]:
        """Try, and while the database is away try the same orders again: their ids make a second effect impossible.

        Overtaken by another process, the orders look again at once: what it left is there now.
        """
        for pause in PATIENCE_SECONDS:
            try:
                return await self._flush(orders, again)
            except Unavailable:
                await asyncio.sleep(pause)
            except Overtaken:
                pass
            again = True
        return await self._flush(orders, again)

    async def _one_by_one(self, batch: Sequence[_Waiting[Order, Verdict]], error: Exception) -> None:
        """One poisoned order must not fail its neighbours: carry out each alone, and let the poisoned one fail."""
        for waiting in batch:
            failure = error
            if len(batch) > 1 and not isinstance(error, Unavailable):
                try:
                    (verdict,) = await self._with_patience([waiting.order], again=True)
                except Exception as own:  # noqa: BLE001 - told to its caller
                    failure = own
                else:
                    if not waiting.verdict.done():
                        waiting.verdict.set_result(verdict)
                    continue
            if isinstance(failure, Overtaken):  # again and again: somebody else is at it
                failure = Unavailable(_CONTENDED, retry_after=1)
            if not waiting.verdict.done():
                waiting.verdict.set_exception(failure)
