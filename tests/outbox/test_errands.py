"""Errands are run side by side and not for long; what can not be done with the others waits alone."""

import asyncio
import time
from collections.abc import Sequence
from uuid import UUID

import pytest

from lastro.errors import Unavailable
from lastro.outbox import errands
from lastro.outbox.errands import apart, side_by_side
from lastro.outbox.queue import Claimed
from lastro.values.text import Text


def claims(count: int) -> list[Claimed]:
    return [Claimed(number, "topic", UUID(int=0), UUID(int=number), 1) for number in range(count)]


async def test_they_run_side_by_side() -> None:
    began = time.monotonic()

    async def slow(_: Claimed) -> None:
        await asyncio.sleep(0.2)

    assert await side_by_side(claims(errands.AT_ONCE), slow) == []
    assert time.monotonic() - began < 0.2 * 4  # and not sixteen times


async def test_never_more_at_once_than_the_other_side_is_asked_to_bear() -> None:
    running, most = 0, 0

    async def count(_: Claimed) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1

    assert await side_by_side(claims(errands.AT_ONCE * 3), count) == []
    assert most == errands.AT_ONCE


async def test_nobody_waits_for_one_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errands, "PATIENCE_SECONDS", 0.1)
    done = []

    async def errand(each: Claimed) -> None:
        if each.id == 0:
            await asyncio.sleep(60)
        done.append(each.id)

    (waiting,) = await side_by_side(claims(3), errand)

    assert (waiting.claimed.id, done) == (0, [1, 2])
    assert waiting.why.startswith("TimeoutError")


async def test_one_that_fails_waits_alone() -> None:
    async def errand(each: Claimed) -> None:
        if each.id == 1:
            raise ValueError("no")

    (waiting,) = await side_by_side(claims(3), errand)

    assert (waiting.claimed.id, waiting.why) == (1, "ValueError: no")


async def test_what_is_kept_together_is_kept_apart_when_one_is_wrong() -> None:
    kept: list[list[int]] = []

    async def keep(these: Sequence[Claimed]) -> None:
        ids = [each.id for each in these]
        if 1 in ids:
            raise ValueError("wrong")
        kept.append(ids)

    (waiting,) = await apart(claims(3), keep)

    assert (waiting.claimed.id, waiting.why) == (1, "ValueError: wrong")
    assert kept == [[0], [2]]


async def test_while_the_database_is_away_nothing_is_tried_apart() -> None:
    tried = 0

    async def keep(_: Sequence[Claimed]) -> None:
        nonlocal tried
        tried += 1
        raise Unavailable(Text("fora", "away"))

    with pytest.raises(Unavailable):
        await apart(claims(3), keep)
    assert tried == 1
