"""Caps of a token: whatever leaves at its wish is bounded, each time and by the day, by whichever way it leaves."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from build import JOAO, Account, Answered, Tenant, until
from lastro.attempt import Answer
from lastro.auth.binding import Binding
from lastro.auth.caller import Caller
from lastro.auth.caps import Caps
from lastro.auth.permissions import Permission
from lastro.auth.spending import caps_of, spend
from lastro.errors import Forbidden, InsufficientBalance
from lastro.jsonapi.errors import STATUS, body_of
from lastro.pix.payments import service as payments
from lastro.pix.payments.order import Wish
from lastro.pix.refunds import service as refunds
from lastro.pix.refunds.order import RefundOrder
from lastro.settings import Settings
from lastro.transfers import service as transfers
from lastro.transfers.order import TransferOrder
from lastro.values.money import Money
from lastro.values.pix_key import KeyType, PixKey
from lastro.wiring import Assembly, build
from pix.payments.test_acceptance import Shop, shop, word
from transfers.moving import move

__all__ = ["shop"]

EACH, DAY = "AMOUNT_PER_PAYMENT", "AMOUNT_PER_DAY"


class Token:
    """A token with caps, and the three ways by which money leaves at its wish."""

    def __init__(self, account: Account, *, each: int | None = None, a_day: int | None = None) -> None:
        self.account, self.bank = account, account.tenant.world.bank
        self.caller = Caller(
            account.tenant.id,
            "capped",
            frozenset(Permission),
            most_each=None if each is None else Money(each),
            most_a_day=None if a_day is None else Money(a_day),
            spender=uuid4().hex,
        )

    async def pays(self, centavos: int) -> None:
        wish = Wish(UUID(self.account.id), Money(centavos), PixKey(KeyType.CPF, JOAO), None)
        await payments.send(self.bank, self.caller, wish, None)

    async def moves(self, centavos: int, taker: Account) -> None:
        order = TransferOrder(UUID(self.account.id), UUID(taker.id), Money(centavos), None, None)
        await transfers.create(self.bank, self.caller, order, None)

    async def refunds(self, centavos: int | None) -> None:
        (received,) = (await self.account.tenant.get(f"/pix/transfers?filter[accountId]={self.account.id}")).data
        order = RefundOrder(None if centavos is None else Money(centavos), None)
        await refunds.create(self.bank, self.caller, UUID(received["id"]), order, None)

    async def spent(self) -> int:
        async with self.bank.db.transaction() as tx:
            query = text("SELECT coalesce(sum(centavos), 0) FROM token_spending WHERE spender = :spender")
            return int((await tx.execute(query, {"spender": self.caller.spender})).scalar_one())


@pytest.fixture
async def account(tenant: Tenant) -> Account:
    return await tenant.account(available="100.00")


@pytest.fixture
async def taker(tenant: Tenant) -> Account:
    return await tenant.account()


async def refused(doing: Any) -> Any:
    """The reason, after a look at the body that a client would get."""
    with pytest.raises(Forbidden) as caught:
        await doing
    error = caught.value
    assert STATUS[error.code] == 403
    body = body_of(error)
    assert b'"/data/attributes/amount"' in body
    assert f'"reason":"{error.reason}"'.encode() in body
    return error.reason


async def test_no_single_amount_is_above_the_cap_by_any_way(account: Account, taker: Account) -> None:
    token = Token(account, each=10_00)

    assert [
        await refused(token.pays(10_01)),
        await refused(token.moves(10_01, taker)),
        await refused(token.refunds(10_01)),
        await refused(token.refunds(None)),
    ] == [EACH] * 4
    assert await account.balance() == Decimal("100.00")

    await token.pays(10_00)
    await token.moves(10_00, taker)
    await token.refunds(10_00)
    assert await account.available() == Decimal("70.00")
    assert await token.spent() == 0, "without a cap a day nothing is counted"


async def test_all_ways_share_the_sum_of_the_day(account: Account, taker: Account) -> None:
    token = Token(account, a_day=30_00)

    await token.pays(10_00)
    await token.moves(10_00, taker)
    await token.refunds(9_99)

    assert await refused(token.pays(2)) == DAY
    assert await refused(token.moves(2, taker)) == DAY
    assert await refused(token.refunds(2)) == DAY
    assert await token.spent() == 29_99
    await token.pays(1)
    assert await refused(token.moves(1, taker)) == DAY
    assert await token.spent() == 30_00


async def test_tokens_of_one_client_share_the_sum_and_others_do_not(account: Account, taker: Account) -> None:
    token, another, sibling = Token(account, a_day=5_00), Token(account, a_day=5_00), Token(account, a_day=6_00)
    sibling.caller = replace(sibling.caller, spender=token.caller.spender)

    await token.moves(5_00, taker)

    assert await refused(sibling.moves(1_01, taker)) == DAY
    await sibling.pays(1_00)
    await another.pays(5_00)


async def test_a_client_over_a_cap_is_told_which(account: Account, taker: Account) -> None:
    """From outside: the caps come with the token, whatever it asks for."""
    tenant = account.tenant
    binding = Binding(most_each=Money(10_00), most_a_day=Money(15_00))
    token = await tenant.new_token(*Permission, binding=binding)
    (received,) = (await tenant.get(f"/pix/transfers?filter[accountId]={account.id}")).data
    refund = f"/pix/transfers/{received['id']}/refund"

    async def asked(amount: float) -> list[Answered]:
        return [
            await account.pays(amount, token=token),
            await move(account, taker, amount, token=token),
            await tenant.post(refund, "pix-refunds", {"amount": amount}, token=token),
        ]

    for each in await asked(10.01):
        assert (each.status, each.code, each.body["details"]["reason"]) == (403, "FORBIDDEN", EACH)
        assert each.pointers == ["/data/attributes/amount"]
    assert {each.status for each in await asked(5.00)} == {201}
    for each in await asked(0.01):
        assert (each.status, each.code, each.body["details"]["reason"]) == (403, "FORBIDDEN", DAY)
    assert {each.code for each in await asked(100.01)} == {"INSUFFICIENT_BALANCE", "REFUND_EXCEEDED"}
    assert await account.available() == Decimal("85.00")


async def test_the_balance_is_judged_first(account: Account, taker: Account) -> None:
    token = Token(account, each=1, a_day=1)

    for doing in (token.pays(100_01), token.moves(100_01, taker)):
        with pytest.raises(InsufficientBalance):
            await doing


async def test_a_cap_of_zero_lets_nothing_out(account: Account, taker: Account) -> None:
    assert await refused(Token(account, each=0).pays(1)) == EACH
    assert await refused(Token(account, a_day=0).pays(1)) == DAY
    assert await refused(Token(account, a_day=0).moves(1, taker)) == DAY


async def test_what_was_accepted_counts_whatever_becomes_of_it(account: Account) -> None:
    token = Token(account, a_day=10_00)
    wish = Wish(UUID(account.id), Money(10_00), PixKey(KeyType.EMAIL, "ac03@rejeita.example"), None)
    await payments.send(token.bank, token.caller, wish, None)
    (payment,) = (await account.tenant.get("/pix/payments")).data

    await account.payment_becomes(payment["id"], "FAILED")

    assert await refused(token.pays(1)) == DAY


async def test_what_is_refused_for_another_reason_is_not_counted(account: Account, taker: Account) -> None:
    token = Token(account, a_day=200_00)
    for doing in (token.pays(150_00), token.moves(150_00, taker)):
        with pytest.raises(InsufficientBalance):
            await doing

    assert await token.spent() == 0


async def test_a_day_is_sao_paulos() -> None:
    caller = Caller(uuid4(), "capped", frozenset(), most_a_day=Money(1), spender="s")

    late, midnight = datetime(2026, 1, 2, 2, 59, tzinfo=UTC), datetime(2026, 1, 2, 3, tzinfo=UTC)

    assert caps_of(caller, late) == Caps("s", date(2026, 1, 1), None, Money(1))
    assert caps_of(caller, midnight) == Caps("s", date(2026, 1, 2), None, Money(1))
    assert caps_of(replace(caller, most_a_day=None), late) is None


async def test_a_new_day_begins_at_nothing(quiet: Assembly) -> None:
    caller = Caller(uuid4(), "capped", frozenset(), most_a_day=Money(5), spender=uuid4().hex)
    async with quiet.bank.db.transaction() as tx:
        await spend(tx, caller, Money(5), now=datetime(2026, 1, 2, 2, 59, tzinfo=UTC))
        with pytest.raises(Forbidden):
            await spend(tx, caller, Money(1), now=datetime(2026, 1, 2, 2, 59, tzinfo=UTC))
        await spend(tx, caller, Money(5), now=datetime(2026, 1, 2, 3, tzinfo=UTC))


@pytest.fixture
async def other(settings_of_quiet: Settings) -> AsyncIterator[Assembly]:
    """Another process of the quiet bank: tills of its own, the same database."""
    assembly = build(settings_of_quiet)
    await assembly.open()
    yield assembly
    await assembly.close()


async def test_two_processes_together_never_exceed_the_cap(shop: Shop, other: Assembly) -> None:
    """64 payments of one token from four accounts, and of another in the other order of names."""
    accounts = [await shop.account(10_000) for _ in range(4)]
    today = shop.assembly.bank.now().date()
    spenders = sorted(uuid4().hex for _ in range(2))
    caps = [Caps(spender, today, None, Money(1_000)) for spender in spenders]
    orders = [
        shop.order(accounts[(turn + side) % 4], 30, caps=caps[(turn + side) % 2])
        for turn in range(64)
        for side in (0, 1)
    ]

    verdicts = await asyncio.gather(
        *((shop.assembly if turn % 3 else other).bank.sending.submit(order) for turn, order in enumerate(orders))
    )

    for spender, each_caps in zip(spenders, caps, strict=True):
        mine = [verdict for order, verdict in zip(orders, verdicts, strict=True) if order.caps == each_caps]
        assert sorted(word(each) for each in mine) == [DAY] * 31 + ["accepted"] * 33
        assert await shop.spent(spender) == {today: 990}
    assert sum([await shop.available(each) for each in accounts]) == 40_000 - 2 * 990


async def test_whoever_waits_for_the_counter_sees_what_the_other_counted(shop: Shop, other: Assembly) -> None:
    """Two processes, two accounts, room for one of two payments: both come to the counter before either has passed."""
    caps = Caps(uuid4().hex, shop.assembly.bank.now().date(), None, Money(1_000))
    await shop.accept(shop.order(await shop.account(100), 1, caps=caps))
    orders = [shop.order(await shop.account(1_000), 600, caps=caps) for _ in range(2)]
    async with shop.assembly.bank.db.transaction() as tx:
        await tx.execute(
            text("SELECT 1 FROM token_spending WHERE spender = :spender FOR UPDATE"), {"spender": caps.spender}
        )
        sent = [
            asyncio.create_task(assembly.bank.sending.submit(order))
            for assembly, order in zip((shop.assembly, other), orders, strict=True)
        ]

        async def both_wait() -> bool:
            waiting = text("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted")
            return int((await tx.execute(waiting)).scalar_one()) >= len(sent)

        await until(both_wait, seconds=1.5)
        await tx.rollback()

    assert sorted([word(await each) for each in sent]) == [DAY, "accepted"]
    assert await shop.spent(caps.spender) == {caps.day: 601}


async def test_payments_and_transfers_that_meet_do_not_exceed_it_together(account: Account, taker: Account) -> None:
    token = Token(account, a_day=5_00)

    outcomes = await asyncio.gather(
        *(doing for _ in range(16) for doing in (token.pays(30), token.moves(30, taker))), return_exceptions=True
    )

    assert sum(outcome is None for outcome in outcomes) == 16
    assert {outcome.reason for outcome in outcomes if isinstance(outcome, Forbidden)} == {DAY}
    assert await token.spent() == 4_80
    assert await account.available() == Decimal("95.20")


async def test_a_payment_that_may_have_been_committed_is_counted_once(shop: Shop) -> None:
    account_id = await shop.account(1_000)
    caps = Caps(uuid4().hex, shop.assembly.bank.now().date(), None, Money(100))
    first, second = (shop.order(account_id, 60, caps=caps) for _ in range(2))
    (answer,) = await shop.accept(first)

    again = await shop.accept(first, second, again=True)

    assert isinstance(answer, Answer)
    assert again[0] == answer
    assert word(again[1]) == DAY
    assert await shop.spent(caps.spender) == {caps.day: 60}
