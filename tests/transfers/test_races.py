"""Transfers that meet: in opposite directions, with a payment on the last centavo, with a closing. Sums stay exact."""

import asyncio
from decimal import Decimal

from build import Account, Tenant
from transfers.moving import move

TIMES = 50


async def test_opposite_transfers_neither_wait_for_each_other_nor_lose_a_centavo(tenant: Tenant) -> None:
    one, two = await tenant.account(available="100.00"), await tenant.account(available="100.00")

    answers = await asyncio.gather(
        *(move(*pair, amount) for _ in range(TIMES) for pair, amount in (((one, two), 0.03), ((two, one), 0.01)))
    )

    assert {each.status for each in answers} == {201}
    assert len({each.id for each in answers}) == 2 * TIMES
    assert await one.balance() == Decimal("100.00") - TIMES * Decimal("0.02")
    assert await two.balance() == Decimal("100.00") + TIMES * Decimal("0.02")


async def test_a_transfer_and_a_payment_want_the_last_centavo(tenant: Tenant) -> None:
    giver, taker = await tenant.account(available="0.01"), await tenant.account()
    for _ in range(TIMES // 5):
        moved, paid = await asyncio.gather(move(giver, taker, 0.01), giver.pays(0.01))

        assert sorted((moved.status, paid.status)) == [201, 400]
        assert "INSUFFICIENT_BALANCE" in {each.code for each in (moved, paid) if each.status == 400}
        assert await giver.available() == 0
        if moved.status == 201:
            assert (await move(taker, giver, 0.01)).status == 201
        else:
            await giver.receives("0.01")


async def test_many_transfers_never_give_more_than_there_is(tenant: Tenant) -> None:
    giver = await tenant.account(available="1.00")
    takers = [await tenant.account() for _ in range(2)]

    answers = await asyncio.gather(*(move(giver, takers[turn % 2], 0.07) for turn in range(TIMES)))

    assert sorted(each.status for each in answers) == [201] * 14 + [400] * (TIMES - 14)
    assert await giver.balance() == Decimal("0.02")
    assert sum([await each.balance() for each in takers]) == Decimal("0.98")


async def test_a_transfer_and_the_closing_of_the_account_that_takes(tenant: Tenant) -> None:
    giver = await tenant.account(available="1.00")
    outcomes = set()
    for turn in range(TIMES // 5):
        taker = await tenant.account()

        async def close(account: Account = taker, late: float = turn % 5 / 500) -> int:
            await asyncio.sleep(late)
            return (await tenant.post(f"/accounts/{account.id}/close")).status

        moved, closed = await asyncio.gather(move(giver, taker, 0.01), close())

        outcomes.add((moved.status, closed))
        assert await taker.balance() == (Decimal("0.01") if moved.status == 201 else 0)
    assert outcomes <= {(201, 409), (409, 200)}


async def test_a_transfer_of_everything_and_the_closing_of_the_account_that_gives(tenant: Tenant) -> None:
    taker = await tenant.account()
    for _ in range(TIMES // 10):
        giver = await tenant.account(available="0.01")
        moved, closed = await asyncio.gather(move(giver, taker, 0.01), tenant.post(f"/accounts/{giver.id}/close"))

        assert moved.status == 201
        assert closed.status in {200, 409}
        assert closed.status == 200 or (await tenant.post(f"/accounts/{giver.id}/close")).status == 200
        assert await giver.balance() == 0
