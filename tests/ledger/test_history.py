"""History: where a moment falls among the movements, found by halving; and the entries between two numbers."""

import random
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from lastro.ledger import book, history
from lastro.ledger.movements import Reason, hold, receive, release, settle
from lastro.values.money import Money
from lastro.wiring import Assembly

NOON = datetime(2026, 3, 10, 15, tzinfo=UTC)


async def an_account(quiet: Assembly, *seconds: int) -> UUID:
    """It received a centavo at each of these seconds after noon."""
    account_id = uuid4()
    async with quiet.bank.db.transaction() as tx:
        await book.open_balance(tx, account_id)
        for each in seconds:
            moment = NOON + timedelta(seconds=each)
            await book.post(tx, [receive(account_id, Money(1), uuid4())], posted_at=moment)
    return account_id


async def numbers(quiet: Assembly, account_id: UUID, first: int, last: int) -> tuple[int, int, int, int]:
    async with quiet.bank.db.reading() as tx:
        found = await history.span(tx, account_id, NOON + timedelta(seconds=first), NOON + timedelta(seconds=last))
    return found.before, found.last, found.opening.centavos, found.closing.centavos


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7, 8, 9])
async def test_halving_finds_what_counting_finds(quiet: Assembly, count: int) -> None:
    draw = random.Random(count)
    seconds = sorted(draw.randrange(6) for _ in range(count))  # many at the same moment
    account_id = await an_account(quiet, *seconds)
    for first in range(-1, 8):
        for last in range(first, 8):
            before, upto = (sum(each < bound for each in seconds) for bound in (first, last))
            assert await numbers(quiet, account_id, first, last) == (before, upto, before, upto)


async def test_an_account_that_nobody_has_moved_nothing(quiet: Assembly) -> None:
    assert await numbers(quiet, uuid4(), 0, 10) == (0, 0, 0, 0)


async def test_entries_are_what_came_in_and_went_out(quiet: Assembly) -> None:
    account_id = await an_account(quiet, 0)
    one, two = uuid4(), uuid4()
    async with quiet.bank.db.transaction() as tx:
        said = [receive(account_id, Money(99), uuid4()), hold(account_id, Money(30), one)]
        said += [
            hold(account_id, Money(20), two),
            settle(account_id, Money(30), one),
            release(account_id, Money(20), two),
        ]
        await book.post(tx, said, posted_at=NOON)

    async with quiet.bank.db.reading() as tx:
        found = await history.entries(tx, account_id, after=0, last=6, limit=10)
        cut = await history.entries(tx, account_id, after=1, last=4, limit=10)
        assert await history.count(tx, account_id, after=0, last=6, most=10) == 3
        assert await history.count(tx, account_id, after=0, last=6, most=2) == 2

    assert [
        (each.seq, each.reason, each.is_credit, each.amount.centavos, each.total_after.centavos) for each in found
    ] == [
        (1, Reason.RECEIVE, True, 1, 1),
        (2, Reason.RECEIVE, True, 99, 100),
        (5, Reason.SETTLE, False, 30, 70),
    ]
    assert [each.seq for each in cut] == [2]
