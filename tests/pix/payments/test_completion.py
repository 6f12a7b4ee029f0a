"""The fast way ends like the general one, word for word, and takes only what is still as it was read."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from sqlalchemy import text

from build import until
from conftest import Urls
from lastro.pix.payments import completion, conclusion, resources, settlement, underway
from lastro.pix.payments.completion import Completed
from lastro.pix.payments.conclusion import Verdict
from lastro.pix.payments.order import ReadyOrder
from lastro.pix.payments.underway import Underway
from lastro.providers.protocol import Instruction, Outcome, Rejected, Settled
from lastro.webhooks.announce import EventBody
from lastro.worker import Worker
from pix.payments.test_acceptance import Shop
from pix.payments.test_settlement import Scripted, alerts, claim, network, payment, shop

__all__ = ["network", "shop"]

_LEFT_BEHIND = (
    """SELECT status, external_ref, failure_reason, returned_centavos, version, completed_at = updated_at
         FROM pix_payments WHERE account_id = :account ORDER BY id""",
    """SELECT seq, source, target, amount_centavos, reason, available_after_centavos, in_transit_after_centavos,
              posted_at = max(posted_at) OVER (PARTITION BY reason)
         FROM movements WHERE account_id = :account ORDER BY seq""",
    "SELECT available_centavos, in_transit_centavos, seq FROM balances WHERE account_id = :account",
    "SELECT type, resource_version, tenant_id FROM events WHERE account_id = :account ORDER BY resource_id",
)


async def rows(shop: Shop, query: str, **values: Any) -> list[Any]:
    async with shop.assembly.bank.db.transaction() as tx:
        return list((await tx.execute(text(query), values)).all())


async def read(shop: Shop, order: ReadyOrder) -> Underway:
    (row,) = await underway.read(shop.assembly.bank.db, [(order.order.account_id, order.id)])
    return row


async def change(shop: Shop, assignment: str, payment_id: UUID, **values: Any) -> None:
    async with shop.assembly.bank.db.transaction() as tx:
        await tx.execute(text(f"UPDATE pix_payments SET {assignment} WHERE id = :id"), {"id": payment_id, **values})


def settled(at: datetime) -> Settled:
    return Settled(at, "ref")


async def test_a_settlement_is_never_older_than_what_the_account_did_before(shop: Shop) -> None:
    order = shop.order(await shop.account(100), 10)
    await shop.accept(order)
    async with shop.assembly.bank.db.transaction() as tx:  # by a process whose clock runs ahead
        ahead = "UPDATE balances SET moved_at = moved_at + interval '1 hour' WHERE account_id = :id RETURNING moved_at"
        moved_at = (await tx.execute(text(ahead), {"id": order.order.account_id})).scalar_one()

    assert not await settlement.settle(shop.assembly.bank, await claim(shop))

    query = "SELECT posted_at FROM movements WHERE account_id = :id AND reason = 'SETTLE'"
    assert await rows(shop, query, id=order.order.account_id) == [(moved_at,)]
    query = "SELECT moved_at FROM balances WHERE account_id = :id"
    assert await rows(shop, query, id=order.order.account_id) == [(moved_at,)]


async def test_the_fast_way_leaves_what_the_general_way_leaves(shop: Shop) -> None:
    bank = shop.assembly.bank
    left: list[Any] = []
    for fast in (True, False):
        account_id = await shop.account(1_000)
        orders = [shop.order(account_id, amount) for amount in (10, 20, 30)]
        await shop.accept(*orders)
        claimed = {each.reference: each.id for each in await claim(shop)}
        if fast:
            done = [Completed(await read(shop, each), settled(bank.now()), claimed[each.id]) for each in orders]
            assert await completion.complete(bank, done) == set(claimed.values())
        else:
            verdicts = [Verdict(account_id, each.id, settled(bank.now())) for each in orders]
            async with bank.db.transaction() as tx:
                await conclusion.conclude(tx, verdicts, now=bank.now())
        left.append([await rows(shop, query, account=account_id) for query in _LEFT_BEHIND])
    assert left[0] == left[1]


@pytest.mark.parametrize("description", [None, 'Pedido "1042" \\ café\u2028 </script>', "😀 \t"])
async def test_its_news_says_what_the_resource_says_byte_for_byte(shop: Shop, description: str | None) -> None:
    account_id = await shop.account(2_000)
    order = shop.order(account_id, 1_999)
    await shop.accept(order)
    reference = None if description is None else '"\\</script>~'
    await change(shop, "description = :said, correlation_id = :bears", order.id, said=description, bears=reference)

    assert not await settlement.settle(shop.assembly.bank, await claim(shop))

    now = await payment(shop, order.id)
    ((body, at),) = await rows(shop, "SELECT body, created_at FROM events WHERE resource_id = :id", id=order.id)
    told = EventBody(type="pix.payment.completed", timestamp=at, version=now.version, data=resources.resource(now))
    assert body == told.model_dump_json(by_alias=True).encode()
    assert now.completed_at == now.updated_at == at


async def test_a_payment_of_a_clock_that_ran_ahead_is_not_completed_before_it_was_made(shop: Shop) -> None:
    account_id = await shop.account(100)
    order = shop.order(account_id, 60)
    await shop.accept(order)
    ahead = datetime.now(UTC) + timedelta(minutes=5)
    await change(shop, "created_at = :at, updated_at = :at", order.id, at=ahead)

    await settlement.settle(shop.assembly.bank, await claim(shop))

    now = await payment(shop, order.id)
    assert now.completed_at == now.updated_at == ahead
    ((body,),) = await rows(shop, "SELECT body FROM events WHERE resource_id = :id", id=order.id)
    assert resources.resource(now).model_dump_json(by_alias=True).encode() in body


async def test_a_notification_between_question_and_answer_stands_and_its_contradiction_is_told(
    shop: Shop, network: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    account_id = await shop.account(100)
    order, other = shop.order(account_id, 60), shop.order(account_id, 10)
    await shop.accept(order, other)
    bank = shop.assembly.bank

    async def settle(instructions: Sequence[Instruction]) -> Sequence[Outcome]:
        async with bank.db.transaction() as tx:
            await conclusion.hear(tx, shop.provider_id, order.end_to_end_id, Rejected("AB03"), now=bank.now())
        return [settled(bank.now()) for _ in instructions]

    monkeypatch.setattr(network, "settle", settle)

    assert not await settlement.settle(bank, await claim(shop))

    assert (await payment(shop, order.id)).status == "FAILED"
    assert (await payment(shop, other.id)).status == "COMPLETED"
    assert await alerts(shop, order.id) == ["contradiction"]
    assert await shop.available(account_id) == 100 - 10
    assert await shop.count("events", account_id) == 2
    assert await shop.count("outbox", account_id) == 0


async def test_news_of_another_version_is_not_taken(shop: Shop) -> None:
    account_id = await shop.account(100)
    order = shop.order(account_id, 60)
    await shop.accept(order)
    (claimed,) = await claim(shop)
    stale = await read(shop, order)
    await change(shop, "version = version + 1", order.id)

    assert (
        await completion.complete(shop.assembly.bank, [Completed(stale, settled(stale.created_at), claimed.id)])
        == set()
    )

    assert (await payment(shop, order.id)).status == "PROCESSING"
    assert await shop.count("movements", account_id) == 2
    assert await shop.count("events", account_id) == 0
    assert await shop.count("outbox", account_id) == 1


@pytest.mark.parametrize(
    "otherwise", ["payee_account_id = gen_random_uuid()", "status = 'FAILED', failure_reason = 'AB03'"]
)
async def test_what_stays_inside_or_has_ended_is_nothing_that_the_network_completes(shop: Shop, otherwise: str) -> None:
    account_id = await shop.account(100)
    order = shop.order(account_id, 60)
    await shop.accept(order)
    (claimed,) = await claim(shop)
    seen = await read(shop, order)
    await change(shop, otherwise, order.id)

    assert (
        await completion.complete(shop.assembly.bank, [Completed(seen, settled(seen.created_at), claimed.id)]) == set()
    )

    assert (await payment(shop, order.id)).completed_at is None
    assert await shop.count("movements", account_id) == 2


async def test_what_can_not_be_posted_is_not_completed(shop: Shop) -> None:
    account_id = await shop.account(100)
    order = shop.order(account_id, 60)
    await shop.accept(order)
    (claimed,) = await claim(shop)
    await change(shop, "account_id = :nobody", order.id, nobody=(nobody := uuid4()))
    (seen,) = await underway.read(shop.assembly.bank.db, [(nobody, order.id)])

    with pytest.raises(asyncpg.NotNullViolationError):
        await completion.complete(shop.assembly.bank, [Completed(seen, settled(seen.created_at), claimed.id)])

    assert (await payment(shop, order.id)).status == "PROCESSING"


async def test_a_batch_that_waits_for_the_network_keeps_no_other_waiting(
    shop: Shop, urls: Urls, network: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    account_id = await shop.account(1_000)
    orders = [shop.order(account_id, 1) for _ in range(130)]
    await shop.accept(*orders[:100])
    await shop.accept(*orders[100:])
    at_once = asyncio.Barrier(2)

    async def settle(instructions: Sequence[Instruction]) -> Sequence[Outcome]:
        await at_once.wait()
        return [settled(datetime.now(UTC)) for _ in instructions]

    monkeypatch.setattr(network, "settle", settle)
    worker = Worker(shop.assembly.bank, urls.quiet)
    working = asyncio.create_task(worker.run())

    async def nothing_owed() -> bool:
        return await shop.count("outbox", account_id) == 0

    try:
        await until(nothing_owed)
    finally:
        worker.stop()
        await working
    assert await shop.count("events", account_id) == 130
