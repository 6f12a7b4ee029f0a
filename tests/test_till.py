"""The till: orders that arrive together go together, and none of them can hurt another."""

import asyncio
import gc
from collections.abc import Sequence

import pytest

from lastro import till as module
from lastro.attempt import Overtaken
from lastro.errors import Unavailable
from lastro.till import Till
from lastro.values.text import Text


class Counter:
    """A flush that remembers its batches, and fails as it is told."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.again: list[bool] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.away = 0

    async def flush(self, orders: Sequence[str], again: bool) -> list[str]:
        await self.gate.wait()
        self.batches.append(list(orders))
        self.again.append(again)
        if self.away:
            self.away -= 1
            raise Unavailable(Text("", ""))
        if "poison" in orders:
            raise RuntimeError("poison")
        return [f"done {order}" for order in orders]


def till_of(counter: Counter) -> Till[str, str]:
    return Till(counter.flush, lambda order: order if order.startswith("twin") else None)


async def test_an_idle_till_carries_an_order_out_alone() -> None:
    counter = Counter()
    assert await till_of(counter).submit("a") == "done a"
    assert counter.batches == [["a"]]


async def test_orders_that_wait_for_a_flush_go_together_in_the_next() -> None:
    counter = Counter()
    till = till_of(counter)
    counter.gate.clear()
    submitted = [asyncio.create_task(till.submit("first"))]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    submitted += [asyncio.create_task(till.submit(name)) for name in "abc"]
    await asyncio.sleep(0)
    counter.gate.set()
    assert await asyncio.gather(*submitted) == ["done first", "done a", "done b", "done c"]
    assert counter.batches == [["first"], ["a", "b", "c"]]


async def test_a_batch_is_bounded() -> None:
    counter = Counter()
    till = till_of(counter)
    await asyncio.gather(*(till.submit(str(number)) for number in range(300)))
    assert max(map(len, counter.batches)) == module.LARGEST_BATCH


async def test_twins_never_share_a_flush() -> None:
    counter = Counter()
    till = till_of(counter)
    answers = await asyncio.gather(*(till.submit(name) for name in ("twin", "a", "twin", "b", "twin")))
    assert answers == ["done twin", "done a", "done twin", "done b", "done twin"]
    assert all(batch.count("twin") <= 1 for batch in counter.batches)
    assert counter.batches[0] == ["twin", "a", "b"]


async def test_a_poisoned_order_fails_alone() -> None:
    counter = Counter()
    till = till_of(counter)
    answers = await asyncio.gather(*(till.submit(name) for name in ("a", "poison", "b")), return_exceptions=True)
    assert answers[0] == "done a"
    assert isinstance(answers[1], RuntimeError)
    assert answers[2] == "done b"


async def test_a_second_try_of_the_same_orders_says_so() -> None:
    counter = Counter()
    counter.away = 1
    assert await till_of(counter).submit("a") == "done a"
    assert counter.again == [False, True]


async def test_a_database_that_stays_away_is_told_to_every_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", (0.0,))
    counter = Counter()
    counter.away = 99
    till = till_of(counter)
    answers = await asyncio.gather(*(till.submit(name) for name in "abc"), return_exceptions=True)
    assert all(isinstance(answer, Unavailable) for answer in answers)
    assert len(counter.batches) == 2, "a database that is away is not asked order by order"


async def test_a_full_queue_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_QUEUE", 2)
    counter = Counter()
    till = till_of(counter)
    counter.gate.clear()
    running = [asyncio.create_task(till.submit(name)) for name in "ab"]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable) as refusal:
        await till.submit("c")
    assert refusal.value.retry_after == 1
    counter.gate.set()
    assert await asyncio.gather(*running) == ["done a", "done b"]


async def test_a_caller_that_leaves_does_not_take_its_order_back() -> None:
    counter = Counter()
    till = till_of(counter)
    counter.gate.clear()
    leaving = asyncio.create_task(till.submit("a"))
    staying = asyncio.create_task(till.submit("b"))
    await asyncio.sleep(0)
    leaving.cancel()
    counter.gate.set()
    assert await staying == "done b"
    await till.drain()
    assert [order for batch in counter.batches for order in batch] == ["a", "b"]


async def test_drain_waits_for_what_is_queued() -> None:
    counter = Counter()
    till = till_of(counter)
    tasks = [asyncio.create_task(till.submit(str(number))) for number in range(200)]
    await asyncio.sleep(0)
    await till.drain()
    assert till.queued == 0
    assert all(task.done() for task in tasks) or await asyncio.gather(*tasks)


async def test_what_nobody_waits_for_is_carried_out_with_the_others_and_drained() -> None:
    counter = Counter()
    till = till_of(counter)
    counter.gate.clear()
    till.leave("first")
    till.leave("left")
    waited = asyncio.create_task(till.submit("waited"))
    await asyncio.sleep(0)
    counter.gate.set()
    await till.drain()
    assert await waited == "done waited"
    assert [order for batch in counter.batches for order in batch] == ["first", "left", "waited"]


async def test_what_nobody_waits_for_may_fail_in_silence(caplog: pytest.LogCaptureFixture) -> None:
    counter = Counter()
    till = till_of(counter)
    till.leave("poison")
    await till.drain()
    gc.collect()
    assert await till.submit("a") == "done a"
    assert "never retrieved" not in caplog.text


async def test_what_nobody_waits_for_is_dropped_when_the_queue_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_QUEUE", 2)
    counter = Counter()
    till = till_of(counter)
    for name in ("a", "b", "c"):
        till.leave(name)
    await till.drain()
    assert counter.batches == [["a", "b"]]


async def test_who_is_overtaken_again_and_again_may_come_back() -> None:
    tries = 0

    async def overtaken(_orders: Sequence[str], _again: bool) -> list[str]:
        nonlocal tries
        tries += 1
        raise Overtaken

    till = Till[str, str](overtaken, lambda order: order)

    with pytest.raises(Unavailable) as told:
        await till.submit("a")

    assert told.value.retry_after == 1
    assert tries == len(module.PATIENCE_SECONDS) + 1
