"""What comes back of a payment that we sent: credited once, never more than was sent, REVERSED when whole."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from lastro.accounts import service as accounts
from lastro.attempt import Overtaken
from lastro.auth.caller import Caller
from lastro.errors import Unavailable
from lastro.pix.payments import conclusion, returns
from lastro.pix.payments.conclusion import Verdict
from lastro.pix.payments.order import ReadyOrder
from lastro.providers.protocol import Rejected, ReturnReceived, Settled
from lastro.values.end_to_end_id import EndToEndId
from lastro.values.money import Money
from lastro.wiring import Assembly
from pix.payments.test_acceptance import Shop
from pix.payments.test_settlement import payment


@pytest.fixture
async def shop(quiet: Assembly) -> Shop:
    return await Shop.open(quiet)


async def sent(shop: Shop, centavos: int, outcome: Settled | Rejected | None = None) -> ReadyOrder:
    """A payment with this outcome, out of an account that had 100."""
    order = shop.order(await shop.account(100), centavos)
    await shop.accept(order)
    verdict = Verdict(order.order.account_id, order.id, outcome or Settled(datetime.now(UTC), "ref"))
    async with shop.assembly.bank.db.transaction() as tx:
        await conclusion.conclude(tx, [verdict], now=shop.assembly.bank.now())
    return order


def a_return(order: ReadyOrder, centavos: int) -> ReturnReceived:
    now = datetime.now(UTC)
    return ReturnReceived(EndToEndId.new_return("18236120", now), order.end_to_end_id, Money(centavos), "MD06", now)


async def take(shop: Shop, returned: ReturnReceived) -> str | None:
    async with shop.assembly.bank.db.transaction() as tx:
        return await returns.take_back(tx, shop.provider_id, returned, now=shop.assembly.bank.now())


async def test_a_part_is_credited_and_the_payment_stays_completed(shop: Shop) -> None:
    order = await sent(shop, 60)
    assert await take(shop, a_return(order, 20)) is None
    row = await payment(shop, order.id)
    assert (row.status, row.returned) == ("COMPLETED", Money(20))
    assert await shop.available(order.order.account_id) == 60


async def test_the_rest_makes_it_reversed_with_news(shop: Shop) -> None:
    order = await sent(shop, 60)
    await take(shop, a_return(order, 20))
    assert await take(shop, a_return(order, 40)) is None
    assert (await payment(shop, order.id)).status == "REVERSED"
    assert await shop.available(order.order.account_id) == 100
    assert await news(shop, order.id) == ["pix.payment.completed", "pix.payment.reversed"]


async def news(shop: Shop, payment_id: UUID) -> list[str]:
    """Of the payment itself."""
    async with shop.assembly.bank.db.transaction() as tx:
        query = text("SELECT type FROM events WHERE resource_id = :id ORDER BY resource_version")
        return list((await tx.execute(query, {"id": payment_id})).scalars())


async def returns_told(shop: Shop, account_id: UUID) -> list[tuple[int, Any]]:
    """The version and the body of each return that was told, oldest first."""
    async with shop.assembly.bank.db.transaction() as tx:
        query = text(
            "SELECT resource_version, body FROM events WHERE account_id = :id AND type = 'pix.refund.received'"
            " ORDER BY resource_version"
        )
        rows = await tx.execute(query, {"id": account_id})
        return [(row.resource_version, json.loads(row.body)) for row in rows]


async def test_each_return_is_news_and_shows_the_payment_as_it_is_then(shop: Shop) -> None:
    order = await sent(shop, 60)
    await take(shop, part := a_return(order, 20))
    await take(shop, part)
    await take(shop, a_return(order, 999))
    await take(shop, a_return(order, 40))

    (first, some), (second, rest) = await returns_told(shop, order.order.account_id)

    assert (some["version"], rest["version"]) == (first, second)
    assert second == first + 1
    assert some["data"]["id"] == rest["data"]["id"] == str(order.id)
    shown = [each["data"]["attributes"] for each in (some, rest)]
    assert [(each["status"], each["returnedAmount"]) for each in shown] == [("COMPLETED", 0.2), ("REVERSED", 0.6)]


async def test_more_than_is_left_is_refused(shop: Shop) -> None:
    order = await sent(shop, 60)
    await take(shop, a_return(order, 50))
    assert await take(shop, a_return(order, 11)) == "AM09"
    assert await take(shop, a_return(order, 10)) is None
    assert await take(shop, a_return(order, 1)) == "AM09"


async def test_the_same_return_is_credited_once_and_answered_alike(shop: Shop) -> None:
    order = await sent(shop, 60)
    good, bad = a_return(order, 20), a_return(order, 61)
    for _ in range(3):
        assert await take(shop, good) is None
        assert await take(shop, bad) == "AM09"
    assert await shop.available(order.order.account_id) == 60


async def test_what_was_never_settled_can_not_come_back(shop: Shop) -> None:
    failed = await sent(shop, 60, Rejected("AC03"))
    assert await take(shop, a_return(failed, 10)) == "FF08"


async def test_a_return_that_is_faster_than_our_own_answer_is_asked_for_again(shop: Shop) -> None:
    """The network settled, its answer was lost: to refuse the return for good would lose the money."""
    waiting = shop.order(await shop.account(100), 60)
    await shop.accept(waiting)
    returned = a_return(waiting, 10)
    with pytest.raises(Unavailable):
        await take(shop, returned)
    verdict = Verdict(waiting.order.account_id, waiting.id, Settled(datetime.now(UTC), "ref"))
    async with shop.assembly.bank.db.transaction() as tx:
        await conclusion.conclude(tx, [verdict], now=shop.assembly.bank.now())
    assert await take(shop, returned) is None
    assert await shop.available(waiting.order.account_id) == 50


async def test_a_closed_account_takes_nothing_back_and_a_blocked_one_does(shop: Shop) -> None:
    order = await sent(shop, 100)
    bank = shop.assembly.bank
    caller = Caller(shop.tenant_id, "test", frozenset())
    await accounts.block(bank, caller, order.order.account_id, None)
    assert await take(shop, a_return(order, 10)) is None
    empty = await sent(shop, 100)
    await accounts.close(bank, caller, empty.order.account_id, None)
    assert await take(shop, a_return(empty, 10)) == "AC07"
    assert await shop.available(empty.order.account_id) == 0


async def test_another_banks_payment_can_not_come_back_here(shop: Shop, quiet: Assembly) -> None:
    order = await sent(shop, 60)
    stranger = await Shop.open(quiet)
    assert await take(stranger, a_return(order, 10)) == "FF08"
    assert await shop.available(order.order.account_id) == 40


async def test_deliveries_at_once_credit_once(shop: Shop) -> None:
    order = await sent(shop, 60)
    returned = a_return(order, 20)

    async def deliver() -> str | None:
        try:
            return await take(shop, returned)
        except Overtaken:
            return await take(shop, returned)

    assert await asyncio.gather(*(deliver() for _ in range(8))) == [None] * 8
    assert await shop.available(order.order.account_id) == 60


async def test_the_inbox_says_which_payment_came_back(shop: Shop) -> None:
    order = await sent(shop, 60)
    returned = a_return(order, 20)
    await take(shop, returned)
    async with shop.assembly.bank.db.transaction() as tx:
        query = text("SELECT original_id FROM inbox WHERE end_to_end_id = :id")
        assert (await tx.execute(query, {"id": returned.return_id})).scalar_one() == order.id
