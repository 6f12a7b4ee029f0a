"""Promises: claimed by one worker at a time, kept once, postponed with growing pauses, adopted when a worker dies."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import asyncpg
import pytest
from sqlalchemy import text

from build import until
from conftest import Urls
from lastro.outbox import queue
from lastro.outbox.doorbell import Doorbell, Ear
from lastro.outbox.queue import WORKERS, Claimed, LowWater, Promise, Waiting
from lastro.wiring import Assembly


@pytest.fixture(autouse=True)
async def _an_empty_outbox(quiet: Assembly) -> AsyncIterator[None]:
    async with quiet.bank.db.transaction() as tx:
        await tx.execute(text("DELETE FROM outbox"))
    yield
    async with quiet.bank.db.transaction() as tx:
        await tx.execute(text("DELETE FROM outbox"))


async def promise(quiet: Assembly, *references: UUID) -> None:
    async with quiet.bank.db.transaction() as tx:
        await queue.promise(tx, [Promise("topic", uuid4(), reference) for reference in references])


async def claim(quiet: Assembly, worker: int = 1, low_water: int = 0) -> list[Claimed]:
    return await queue.claim(quiet.bank.db, worker=worker, low_water=low_water)


async def one(quiet: Assembly, sql: str) -> object:
    async with quiet.bank.db.transaction() as tx:
        return (await tx.execute(text(sql))).scalar_one_or_none()


async def test_promises_are_claimed_oldest_first_and_only_once(quiet: Assembly) -> None:
    references = [uuid4() for _ in range(5)]
    await promise(quiet, *references)

    claimed = await claim(quiet)

    assert [each.reference for each in claimed] == references
    assert {each.attempts for each in claimed} == {1}
    assert await claim(quiet) == []


async def test_a_claim_takes_no_more_than_a_hundred(quiet: Assembly) -> None:
    await promise(quiet, *(uuid4() for _ in range(130)))
    assert len(await claim(quiet)) == 100
    assert len(await claim(quiet)) == 30


async def test_sixteen_workers_never_share_a_promise(quiet: Assembly) -> None:
    await promise(quiet, *(uuid4() for _ in range(300)))
    claims = await asyncio.gather(*(claim(quiet, worker) for worker in range(9)))
    ids = [each.id for claimed in claims for each in claimed]
    assert len(ids) == len(set(ids))


async def test_a_rolled_back_promise_was_never_made(quiet: Assembly) -> None:
    with pytest.raises(ZeroDivisionError):
        async with quiet.bank.db.transaction() as tx:
            await queue.promise(tx, [Promise("topic", uuid4(), uuid4())])
            raise ZeroDivisionError
    assert await claim(quiet) == []


async def test_a_kept_promise_is_gone(quiet: Assembly) -> None:
    await promise(quiet, uuid4())
    (claimed,) = await claim(quiet)
    async with quiet.bank.db.transaction() as tx:
        await queue.keep(tx, [claimed.id])
    assert await one(quiet, "SELECT count(*) FROM outbox") == 0


async def test_an_expired_lease_is_claimed_again(quiet: Assembly) -> None:
    await promise(quiet, uuid4())
    await claim(quiet, worker=1)
    async with quiet.bank.db.transaction() as tx:
        await tx.execute(text("UPDATE outbox SET due_at = clock_timestamp() - interval '1 second'"))
    (again,) = await claim(quiet, worker=2)
    assert again.attempts == 2


async def test_a_lease_lasts_ten_seconds_at_most(quiet: Assembly) -> None:
    await promise(quiet, uuid4())
    await claim(quiet)
    left = await one(quiet, "SELECT extract(epoch FROM due_at - clock_timestamp()) FROM outbox")
    assert 0 < float(str(left)) <= 10


async def test_a_postponed_promise_waits_its_pause(quiet: Assembly) -> None:
    await promise(quiet, uuid4())
    claimed = await claim(quiet, worker=7)
    async with quiet.bank.db.transaction() as tx:
        await queue.postpone(tx, [Waiting(each, "not now") for each in claimed], worker=7)
    assert await claim(quiet) == []
    assert await one(quiet, "SELECT leased_by FROM outbox") is None
    await asyncio.sleep(0.35)
    assert len(await claim(quiet)) == 1


async def test_a_worker_that_lost_its_lease_can_not_postpone(quiet: Assembly) -> None:
    await promise(quiet, uuid4())
    claimed = await claim(quiet, worker=1)
    async with quiet.bank.db.transaction() as tx:
        await queue.postpone(tx, [Waiting(each, "not mine") for each in claimed], worker=2)
    assert await one(quiet, "SELECT leased_by FROM outbox") == 1


def test_pauses_double_and_are_bounded() -> None:
    pauses = [queue.pause_after(attempts) for attempts in range(1, queue.HURRIED_ATTEMPTS)]
    assert 0.1 < pauses[0] < 0.3
    assert all(later > sooner for sooner, later in zip(pauses[:-1:2], pauses[1::2], strict=False))
    assert max(pauses) <= queue.LONGEST_PAUSE_SECONDS * 1.25
    assert queue.pause_after(queue.HURRIED_ATTEMPTS) == queue.GIVEN_UP_PAUSE_SECONDS


async def test_a_promise_that_ran_out_of_hurry_alerts_once_and_is_asked_hourly(quiet: Assembly) -> None:
    reference = uuid4()
    await promise(quiet, reference)
    for attempts in (queue.HURRIED_ATTEMPTS - 1, queue.HURRIED_ATTEMPTS):
        async with quiet.bank.db.transaction() as tx:
            await tx.execute(text("UPDATE outbox SET attempts = :n, due_at = clock_timestamp()"), {"n": attempts})
        claimed = await claim(quiet)
        async with quiet.bank.db.transaction() as tx:
            await queue.postpone(tx, [Waiting(each, "the network is gone") for each in claimed], worker=1)
    async with quiet.bank.db.transaction() as tx:
        rows = await tx.execute(
            text("SELECT kind, detail FROM alerts WHERE reference = :reference"), {"reference": reference}
        )
        assert [tuple(row) for row in rows] == [("given_up:topic", "the network is gone")]
    pause = await one(quiet, "SELECT extract(epoch FROM due_at - clock_timestamp()) FROM outbox")
    assert float(str(pause)) > 3_000


async def look(quiet: Assembly, low_water: LowWater) -> int:
    async with quiet.bank.db.transaction() as tx:
        low_water.look(await queue.sight(tx, low_water=low_water.mark))
    return low_water.mark


async def test_the_low_water_mark_rises_to_the_oldest_promise(quiet: Assembly) -> None:
    await promise(quiet, *(uuid4() for _ in range(3)))
    claimed = await claim(quiet)
    low_water = LowWater()
    async with quiet.bank.db.transaction() as tx:
        await queue.keep(tx, [claimed[0].id, claimed[1].id])
    assert await look(quiet, low_water) == 0, "one look is not enough to know"
    assert await look(quiet, low_water) == claimed[2].id
    async with quiet.bank.db.transaction() as tx:
        assert await queue.lateness(tx) == 0.0


async def test_a_promise_that_commits_late_is_not_left_below_the_mark(quiet: Assembly) -> None:
    """Its id was taken first, its transaction ends last: the mark must wait for it."""
    low_water, late = LowWater(), uuid4()
    async with quiet.bank.db.transaction() as slow:
        await queue.promise(slow, [Promise("topic", uuid4(), late)])
        await promise(quiet, uuid4())
        for _ in range(3):
            await look(quiet, low_water)
        assert low_water.mark == 0
    claimed = await claim(quiet, low_water=low_water.mark)
    assert late in {each.reference for each in claimed}
    for _ in range(3):
        await look(quiet, low_water)
    assert low_water.mark == min(each.id for each in claimed)


async def test_the_mark_rises_over_an_empty_outbox_and_misses_nothing(quiet: Assembly) -> None:
    await promise(quiet, uuid4())
    claimed = await claim(quiet)
    async with quiet.bank.db.transaction() as tx:
        await queue.keep(tx, [each.id for each in claimed])
    low_water = LowWater()
    for _ in range(3):
        await look(quiet, low_water)
    assert low_water.mark > 0
    reference = uuid4()
    await promise(quiet, reference)
    assert [each.reference for each in await claim(quiet, low_water=low_water.mark)] == [reference]


async def test_the_leases_of_a_dead_worker_are_taken_over_and_those_of_a_living_one_are_not(
    quiet: Assembly, urls: Urls
) -> None:
    ear = await Ear.open(urls.quiet, WORKERS)
    alive, dead = uuid4(), uuid4()
    await promise(quiet, alive)
    await claim(quiet, worker=ear.number)
    await promise(quiet, dead)
    await claim(quiet, worker=1_000_000)

    async with quiet.bank.db.transaction() as tx:
        assert await queue.take_over(tx) == 1
    assert [each.reference for each in await claim(quiet)] == [dead]

    await ear.close()

    async def taken_over() -> bool:
        async with quiet.bank.db.transaction() as tx:
            return await queue.take_over(tx) >= 1

    await until(taken_over)


async def test_a_ring_wakes_an_ear_and_rings_that_come_together_are_one(quiet: Assembly, urls: Urls) -> None:
    ear = await Ear.open(urls.quiet, WORKERS)
    bell = Doorbell(quiet.bank.db)
    for _ in range(50):
        bell.ring()
    async with asyncio.timeout(2):
        await ear.wait(60)
    await bell.close()
    await ear.close()


async def test_an_ear_whose_connection_broke_is_not_alive(urls: Urls) -> None:
    ear = await Ear.open(urls.quiet, WORKERS)
    assert ear.alive
    killer = await asyncpg.connect(urls.quiet.replace("+asyncpg", ""))
    await killer.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = $1::bigint::oid",
        ear.number,
    )
    await killer.close()
    await until(lambda: died(ear))
    await ear.close()


async def died(ear: Ear) -> bool:
    return not ear.alive
