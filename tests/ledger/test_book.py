"""The book: Postgres does the sum, numbers every movement, and refuses what must not be."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from lastro.ledger import book
from lastro.ledger.movements import Movement, Pot, Reason, hold, receive, release, settle
from lastro.values.money import Money
from lastro.wiring import Assembly

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


async def an_account(quiet: Assembly, centavos: int = 0) -> UUID:
    account_id = uuid4()
    async with quiet.bank.db.transaction() as tx:
        await book.open_balance(tx, account_id)
        if centavos:
            await book.post(tx, [receive(account_id, Money(centavos), uuid4())], posted_at=NOW)
    return account_id


async def history(quiet: Assembly, account_id: UUID) -> list[tuple[int, str, int, int]]:
    async with quiet.bank.db.transaction() as tx:
        rows = await tx.execute(
            text(
                "SELECT seq, reason, available_after_centavos, in_transit_after_centavos"
                " FROM movements WHERE account_id = :id ORDER BY seq"
            ),
            {"id": account_id},
        )
        return [tuple(row) for row in rows]


async def post(quiet: Assembly, *movements: Movement) -> None:
    async with quiet.bank.db.transaction() as tx:
        await book.lock(tx, {each.account_id for each in movements})
        await book.post(tx, movements, posted_at=NOW)


async def test_movements_of_a_batch_carry_the_balances_after_each(quiet: Assembly) -> None:
    one, two = await an_account(quiet, 100), await an_account(quiet, 50)
    payment = uuid4()

    await post(
        quiet,
        hold(one, Money(30), payment),
        hold(two, Money(50), uuid4()),
        hold(one, Money(20), uuid4()),
        settle(one, Money(30), payment),
        receive(one, Money(7), uuid4()),
    )

    assert await history(quiet, one) == [
        (1, "RECEIVE", 100, 0),
        (2, "HOLD", 70, 30),
        (3, "HOLD", 50, 50),
        (4, "SETTLE", 50, 20),
        (5, "RECEIVE", 57, 20),
    ]
    assert await history(quiet, two) == [(1, "RECEIVE", 50, 0), (2, "HOLD", 0, 50)]


async def test_time_never_goes_back_along_an_account(quiet: Assembly) -> None:
    one, two = await an_account(quiet), await an_account(quiet)
    moments = [NOW, NOW + timedelta(seconds=2), NOW + timedelta(seconds=1), NOW - timedelta(days=1)]
    for moment in moments:
        async with quiet.bank.db.transaction() as tx:
            await book.lock(tx, [one])
            await book.post(tx, [receive(one, Money(1), uuid4()), receive(one, Money(1), uuid4())], posted_at=moment)
    async with quiet.bank.db.transaction() as tx:
        await book.post(tx, [receive(two, Money(1), uuid4())], posted_at=NOW - timedelta(days=1))

    posted = [(await times(quiet, each)) for each in (one, two)]

    late = NOW + timedelta(seconds=2)
    assert posted == [[NOW, NOW, late, late, late, late, late, late], [NOW - timedelta(days=1)]]
    async with quiet.bank.db.transaction() as tx:
        rows = await tx.execute(text("SELECT moved_at FROM balances WHERE account_id = :id"), {"id": one})
        assert rows.scalar_one() == late


async def times(quiet: Assembly, account_id: UUID) -> list[datetime]:
    async with quiet.bank.db.transaction() as tx:
        query = text("SELECT posted_at FROM movements WHERE account_id = :id ORDER BY seq")
        return list((await tx.execute(query, {"id": account_id})).scalars())


async def test_holdings_follow_the_movements(quiet: Assembly) -> None:
    account_id = await an_account(quiet, 100)
    payment = uuid4()
    await post(quiet, hold(account_id, Money(40), payment))
    await post(quiet, release(account_id, Money(40), payment))
    async with quiet.bank.db.transaction() as tx:
        held = (await book.holdings(tx, [account_id]))[account_id]
    assert held == book.Holdings(Money(100), Money(0), 3)
    assert not held.nothing


async def test_an_overdraft_is_refused_by_the_database(quiet: Assembly) -> None:
    account_id = await an_account(quiet, 100)
    with pytest.raises(IntegrityError, match="available_not_negative"):
        await post(quiet, hold(account_id, Money(101), uuid4()))
    assert len(await history(quiet, account_id)) == 1


async def test_an_overdraft_in_the_middle_of_a_batch_is_refused_too(quiet: Assembly) -> None:
    account_id = await an_account(quiet, 100)
    with pytest.raises(IntegrityError, match="not_negative"):
        await post(quiet, hold(account_id, Money(150), uuid4()), receive(account_id, Money(150), uuid4()))


async def test_money_in_transit_can_not_go_below_zero(quiet: Assembly) -> None:
    account_id = await an_account(quiet, 100)
    with pytest.raises(IntegrityError, match="in_transit_not_negative"):
        await post(quiet, settle(account_id, Money(1), uuid4()))


async def test_one_reason_and_reference_move_an_account_once(quiet: Assembly) -> None:
    account_id = await an_account(quiet, 100)
    payment = uuid4()
    await post(quiet, hold(account_id, Money(10), payment))
    with pytest.raises(IntegrityError, match="reason_reference"):
        await post(quiet, hold(account_id, Money(10), payment))


async def test_an_account_without_a_balance_can_not_move(quiet: Assembly) -> None:
    with pytest.raises(DBAPIError, match="without a balance"):
        await post(quiet, receive(uuid4(), Money(10), uuid4()))


async def test_posting_nothing_is_nothing(quiet: Assembly) -> None:
    await post(quiet)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE movements SET amount_centavos = 1",
        "DELETE FROM movements",
        "TRUNCATE movements",
        "UPDATE events SET body = ''",
        "DELETE FROM inbox",
        "UPDATE idempotency SET status = 500",
        "DELETE FROM balances",
        "DROP TABLE movements",
        "ALTER TABLE movements DISABLE TRIGGER ALL",
    ],
)
async def test_the_application_can_not_rewrite_what_happened(quiet: Assembly, statement: str) -> None:
    with pytest.raises(DBAPIError, match=r"permission denied|must be owner"):
        async with quiet.bank.db.transaction() as tx:
            await tx.execute(text(statement))


async def test_a_movement_needs_two_pots(quiet: Assembly) -> None:
    account_id = await an_account(quiet, 100)
    nonsense = Movement(account_id, Pot.AVAILABLE, Pot.AVAILABLE, Money(1), Reason.HOLD, uuid4())
    with pytest.raises(IntegrityError, match="two_pots"):
        await post(quiet, nonsense)


async def test_a_movement_needs_an_amount(quiet: Assembly) -> None:
    account_id = await an_account(quiet, 100)
    with pytest.raises(IntegrityError, match="amount_positive"):
        await post(quiet, hold(account_id, Money(0), uuid4()))
