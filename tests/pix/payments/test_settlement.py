"""What the worker does with payments when the network misbehaves: never a second payment, never a guess."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text

from build import reached
from conftest import Urls, settings_for
from lastro.errors import ProviderUnavailable
from lastro.outbox import queue
from lastro.outbox.queue import Claimed
from lastro.pix.payments import conclusion, settlement
from lastro.pix.payments.models import PixPayment
from lastro.providers.protocol import InFlight, Instruction, Notification, Outcome, Rejected, Settled
from lastro.values.bank_account import BankAccount
from lastro.values.end_to_end_id import EndToEndId
from lastro.values.text import Text
from lastro.wiring import Assembly, build
from pix.payments.test_acceptance import Shop


class Scripted:
    """A network that does as a test tells it, and remembers what it was told."""

    def __init__(self) -> None:
        self.settled: list[Instruction] = []
        self.asked: list[str] = []
        self.answer: Callable[[Instruction], Outcome] = lambda _: Settled(datetime.now(UTC), "ref")
        self.fate: Outcome | None = None
        self.deaf_to = ""

    async def settle(self, instructions: Sequence[Instruction]) -> Sequence[Outcome]:
        self.settled += instructions
        return [self.answer(each) for each in instructions]

    async def outcome_of(self, end_to_end_id: EndToEndId, *, account: BankAccount) -> Outcome | None:
        assert account.number
        self.asked.append(end_to_end_id)
        if end_to_end_id == self.deaf_to:
            raise ProviderUnavailable(Text("", ""))
        return self.fate

    def read(self, headers: Mapping[str, str], body: bytes) -> Notification:
        raise AssertionError((headers, body))

    async def find_key(self, *_: Any, **__: Any) -> Any:
        raise AssertionError

    register_key = remove_key = give_back = open_account = submit_kyc = send_code = find_key


def unavailable(_: Instruction) -> Outcome:
    raise ProviderUnavailable(Text("", ""))


@pytest.fixture
async def network() -> Scripted:
    return Scripted()


@pytest.fixture
async def shop(urls: Urls, network: Scripted) -> AsyncIterator[Shop]:
    settings = settings_for(Urls(urls.quiet, urls.simulator, urls.quiet), port=9)
    assembly = build(settings, adapters={"network": reached(network)})
    await assembly.open()
    async with assembly.bank.db.transaction() as tx:
        await tx.execute(text("DELETE FROM outbox"))
    yield await Shop.open(assembly)
    await assembly.close()


async def claim(shop: Shop) -> list[Claimed]:
    async with shop.assembly.bank.db.transaction() as tx:
        await tx.execute(text("UPDATE outbox SET due_at = clock_timestamp()"))
    return await queue.claim(shop.assembly.bank.db, worker=1, low_water=0)


async def payment(shop: Shop, payment_id: UUID) -> PixPayment:
    async with shop.assembly.bank.db.transaction() as tx:
        return (await tx.execute(select(PixPayment).where(PixPayment.id == payment_id))).scalar_one()


async def alerts(shop: Shop, payment_id: UUID) -> list[str]:
    async with shop.assembly.bank.db.transaction() as tx:
        rows = await tx.execute(text("SELECT kind FROM alerts WHERE reference = :id"), {"id": payment_id})
        return [row.kind for row in rows]


async def test_a_hundred_payments_travel_in_one_call_and_settle_in_one_transaction(
    shop: Shop, network: Scripted
) -> None:
    account_id = await shop.account(1_000)
    orders = [shop.order(account_id, 10) for _ in range(100)]
    await shop.accept(*orders)

    waiting = await settlement.settle(shop.assembly.bank, await claim(shop))

    assert not waiting
    assert len(network.settled) == 100
    assert await shop.count("movements", account_id) == 1 + 100 + 100
    assert await shop.count("outbox", account_id) == 0
    assert await shop.count("events", account_id) == 100


async def test_an_unknown_outcome_keeps_processing_and_the_same_instruction_goes_out_again(
    shop: Shop, network: Scripted
) -> None:
    account_id = await shop.account(100)
    order = shop.order(account_id, 60)
    await shop.accept(order)
    network.answer = unavailable

    (waiting,) = await settlement.settle(shop.assembly.bank, await claim(shop))
    assert "ProviderUnavailable" in waiting.why

    assert (await payment(shop, order.id)).status == "PROCESSING"
    assert await shop.available(account_id) == 40
    network.answer = lambda _: Settled(datetime.now(UTC), "ref")
    await settlement.settle(shop.assembly.bank, await claim(shop))
    assert (await payment(shop, order.id)).status == "COMPLETED"
    first, second = network.settled
    assert first == second


async def test_a_payment_in_flight_waits_and_keeps_its_promise(shop: Shop, network: Scripted) -> None:
    account_id = await shop.account(100)
    order = shop.order(account_id, 60)
    await shop.accept(order)
    network.answer = lambda _: InFlight()

    claimed = await claim(shop)
    assert [each.claimed for each in await settlement.settle(shop.assembly.bank, claimed)] == claimed

    assert (await payment(shop, order.id)).status == "PROCESSING"
    assert await shop.count("outbox", account_id) == 1


async def test_one_verdict_among_many_does_not_wait_for_the_others(shop: Shop, network: Scripted) -> None:
    account_id = await shop.account(100)
    good, bad, slow = (shop.order(account_id, amount) for amount in (10, 20, 30))
    await shop.accept(good, bad, slow)
    outcomes: dict[int, Outcome] = {10: Settled(datetime.now(UTC), None), 20: Rejected("AC03"), 30: InFlight()}
    network.answer = lambda instruction: outcomes[instruction.amount.centavos]

    (waiting,) = await settlement.settle(shop.assembly.bank, await claim(shop))

    assert waiting.claimed.reference == slow.id
    assert (await payment(shop, good.id)).status == "COMPLETED"
    failed = await payment(shop, bad.id)
    assert failed.status == "FAILED"
    assert (failed.failure_reason or "").startswith("AC03: ")
    assert await shop.available(account_id) == 100 - 10 - 30


async def test_a_worker_that_was_thought_dead_changes_nothing(shop: Shop, network: Scripted) -> None:
    account_id = await shop.account(100)
    order = shop.order(account_id, 60)
    await shop.accept(order)
    first, second = await claim(shop), await claim(shop)

    network.fate = Settled(datetime.now(UTC), "ref")
    await settlement.settle(shop.assembly.bank, first)
    await settlement.settle(shop.assembly.bank, second)

    assert await shop.count("movements", account_id) == 3
    assert await shop.count("events", account_id) == 1


async def test_two_workers_at_once_settle_once(shop: Shop, network: Scripted) -> None:
    account_id = await shop.account(1_000)
    orders = [shop.order(account_id, 10) for _ in range(20)]
    await shop.accept(*orders)
    claims = [await claim(shop) for _ in range(4)]
    network.fate = Settled(datetime.now(UTC), "ref")

    await asyncio.gather(*(settlement.settle(shop.assembly.bank, claimed) for claimed in claims))

    assert await shop.count("movements", account_id) == 1 + 20 + 20
    assert await shop.count("events", account_id) == 20


async def test_the_second_verdict_does_not_undo_the_first(shop: Shop) -> None:
    account_id = await shop.account(100)
    order = shop.order(account_id, 60)
    await shop.accept(order)
    bank = shop.assembly.bank

    async def hear(outcome: Settled | Rejected) -> None:
        async with bank.db.transaction() as tx:
            heard = await conclusion.hear(tx, shop.provider_id, order.end_to_end_id, outcome, now=bank.now())
            assert heard

    await hear(Rejected("AB03"))
    await hear(Rejected("AB03"))
    assert await alerts(shop, order.id) == []
    await hear(Settled(datetime.now(UTC), "late"))

    assert (await payment(shop, order.id)).status == "FAILED"
    assert await shop.available(account_id) == 100
    assert await alerts(shop, order.id) == ["contradiction"]


async def test_a_notification_is_compared_with_the_answer_to_our_own_question(shop: Shop, network: Scripted) -> None:
    """A notification concluded the payment while our question was open: if the answer differs, a human must know."""
    account_id = await shop.account(100)
    lied_about, told_truly = shop.order(account_id, 10), shop.order(account_id, 20)
    await shop.accept(lied_about, told_truly)
    claimed = await claim(shop)
    bank = shop.assembly.bank
    for order, outcome in ((lied_about, Rejected("AB03")), (told_truly, Settled(datetime.now(UTC), "ref"))):
        async with bank.db.transaction() as tx:
            await conclusion.hear(tx, shop.provider_id, order.end_to_end_id, outcome, now=bank.now())
    network.fate = Settled(datetime.now(UTC), "ref")

    for _ in range(2):
        assert not await settlement.settle(bank, claimed)

    assert network.settled == []
    assert await alerts(shop, lied_about.id) == ["contradiction"]
    assert await alerts(shop, told_truly.id) == []


async def test_one_payment_that_can_not_be_asked_about_keeps_nobody_waiting(shop: Shop, network: Scripted) -> None:
    account_id = await shop.account(100)
    orders = [shop.order(account_id, 10) for _ in range(3)]
    await shop.accept(*orders)
    for order in orders:
        await age(shop, order.id, settlement.RESEND_WITHIN + timedelta(minutes=1))
    network.fate = Rejected("AB03")
    network.deaf_to = orders[1].end_to_end_id

    (waiting,) = await settlement.settle(shop.assembly.bank, await claim(shop))

    assert waiting.claimed.reference == orders[1].id
    assert (await payment(shop, orders[2].id)).status == "FAILED"


async def test_a_provider_that_hangs_keeps_no_others_payment_from_its_end(urls: Urls) -> None:
    """Not even one that was claimed together with it: each provider's payments are concluded by themselves."""
    silent, well, hanging = Scripted(), Scripted(), asyncio.Event()

    async def hang(_: Sequence[Instruction]) -> Sequence[Outcome]:
        await hanging.wait()
        raise ProviderUnavailable(Text("", ""))

    silent.settle = hang  # type: ignore[assignment,method-assign]
    settings = settings_for(Urls(urls.quiet, urls.simulator, urls.quiet), port=9)
    assembly = build(settings, adapters={"network": reached(well), "silent": reached(silent)})
    await assembly.open()
    async with assembly.bank.db.transaction() as tx:
        await tx.execute(text("DELETE FROM outbox"))
    here, there = await Shop.open(assembly), await Shop.open(assembly)
    async with assembly.bank.db.transaction() as tx:
        query = text("UPDATE providers SET adapter = 'silent' WHERE id = :id")
        await tx.execute(query, {"id": there.provider_id})
    orders = [shop.order(await shop.account(100), 10) for shop in (here, there)]
    await here.accept(*orders)

    settling = asyncio.create_task(settlement.settle(assembly.bank, await claim(here)))
    async with asyncio.timeout(10):
        while (await payment(here, orders[0].id)).status != "COMPLETED":
            await asyncio.sleep(0.02)
    assert not settling.done()
    hanging.set()

    (waiting,) = await settling
    assert waiting.claimed.reference == orders[1].id
    assert (await payment(there, orders[1].id)).status == "PROCESSING"
    await assembly.close()


async def test_a_provider_whose_access_is_broken_makes_only_its_own_wait(shop: Shop, network: Scripted) -> None:
    other = await Shop.open(shop.assembly)
    async with shop.assembly.bank.db.transaction() as tx:
        await tx.execute(text("UPDATE providers SET adapter = 'gone' WHERE id = :id"), {"id": other.provider_id})
    orders = [each.order(await each.account(100), 10) for each in (shop, other)]
    await shop.accept(*orders)

    (waiting,) = await settlement.settle(shop.assembly.bank, await claim(shop))

    assert (waiting.claimed.reference, len(network.settled)) == (orders[1].id, 1)
    assert "ProviderUnavailable" in waiting.why
    assert (await payment(shop, orders[0].id)).status == "COMPLETED"


async def test_another_providers_word_on_our_payment_is_not_heard(shop: Shop, quiet: Assembly) -> None:
    account_id = await shop.account(100)
    order = shop.order(account_id, 60)
    await shop.accept(order)
    stranger = await Shop.open(quiet)
    async with shop.assembly.bank.db.transaction() as tx:
        assert not await conclusion.hear(
            tx, stranger.provider_id, order.end_to_end_id, Rejected("AC03"), now=shop.assembly.bank.now()
        )
    assert (await payment(shop, order.id)).status == "PROCESSING"


async def age(shop: Shop, payment_id: UUID, by: timedelta) -> None:
    async with shop.assembly.bank.db.transaction() as tx:
        await tx.execute(
            text("UPDATE pix_payments SET created_at = created_at - make_interval(secs => :s) WHERE id = :id"),
            {"s": by.total_seconds(), "id": payment_id},
        )


async def test_a_payment_too_old_to_send_again_is_only_asked_about(shop: Shop, network: Scripted) -> None:
    account_id = await shop.account(100)
    order = shop.order(account_id, 60)
    await shop.accept(order)
    await age(shop, order.id, settlement.RESEND_WITHIN + timedelta(minutes=1))

    (waiting,) = await settlement.settle(shop.assembly.bank, await claim(shop))

    assert waiting.claimed.reference == order.id
    assert "never saw" in waiting.why
    assert network.settled == []
    assert network.asked == [order.end_to_end_id]
    assert (await payment(shop, order.id)).status == "PROCESSING", "never seen is not a verdict"
    network.fate = Rejected("AB03")
    assert not await settlement.settle(shop.assembly.bank, await claim(shop))
    assert (await payment(shop, order.id)).status == "FAILED"


async def test_the_instruction_follows_from_what_was_frozen(shop: Shop, network: Scripted) -> None:
    account_id = await shop.account(100)
    order = shop.order(account_id, 60)
    await shop.accept(order)
    await settlement.settle(shop.assembly.bank, await claim(shop))
    (sent,) = network.settled
    assert sent == Instruction(
        order.end_to_end_id,
        order.order.amount,
        order.payer,
        order.payee,
        order.order.key,
        None,
        order.created_at,
    )
