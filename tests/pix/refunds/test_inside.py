"""What stays inside the bank is nobody else's: a network that speaks of it moves nothing, and a human is told."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

import pytest
from sqlalchemy import select, text

from build import reached
from conftest import Urls, settings_for
from lastro.accounts.models import Account
from lastro.auth.caller import Caller
from lastro.auth.permissions import Permission
from lastro.outbox.models import Alert
from lastro.pix.payments import conclusion as payments
from lastro.pix.payments import returns, settlement
from lastro.pix.payments.order import ReadyOrder
from lastro.pix.refunds import conclusion as refunds
from lastro.pix.refunds import service
from lastro.pix.refunds import settlement as refunding
from lastro.pix.refunds.models import PixRefund
from lastro.pix.refunds.order import RefundOrder
from lastro.pix.transfers.models import PixTransfer
from lastro.providers.protocol import Party, Rejected, ReturnReceived, Settled
from lastro.values.bank_account import BankAccount
from lastro.values.end_to_end_id import EndToEndId
from lastro.values.money import Money
from lastro.values.tax_id import TaxId
from lastro.wiring import build
from pix.payments.test_acceptance import Shop
from pix.payments.test_settlement import Scripted, claim, payment

SETTLED = Settled(datetime.now(UTC), "theirs")


@dataclass
class Neighbours:
    """Two customers, of whom one pays the other; the network is a script that must hear nothing."""

    shop: Shop
    payer: UUID
    payee: UUID
    orders: list[ReadyOrder]

    async def held_by_both(self) -> int:
        return await self.shop.available(self.payer) + await self.shop.available(self.payee)

    async def alerts(self) -> list[str]:
        async with self.shop.assembly.bank.db.transaction() as tx:
            query = select(Alert.kind).where(Alert.account_id.in_([self.payer, self.payee]))
            return list((await tx.execute(query)).scalars())

    async def settle(self) -> None:
        assert not await settlement.settle(self.shop.assembly.bank, await claim(self.shop))

    async def give_back(self) -> list[PixRefund]:
        """Refund everything that the payee received, as far as accepting goes."""
        bank = self.shop.assembly.bank
        caller = Caller(self.shop.tenant_id, "test", frozenset(Permission))
        async with bank.db.transaction() as tx:
            received = (await tx.execute(select(PixTransfer).where(PixTransfer.account_id == self.payee))).scalars()
        for each in received.all():
            await service.create(bank, caller, each.id, RefundOrder(None, None), None)
        async with bank.db.transaction() as tx:
            return list((await tx.execute(select(PixRefund).where(PixRefund.account_id == self.payee))).scalars())


@pytest.fixture
async def neighbours(urls: Urls) -> AsyncIterator[Neighbours]:
    settings = settings_for(Urls(urls.quiet, urls.simulator, urls.quiet), port=9)
    assembly = build(settings, adapters={"network": reached(Scripted())})
    await assembly.open()
    async with assembly.bank.db.transaction() as tx:
        await tx.execute(text("DELETE FROM outbox"))
    shop = await Shop.open(assembly)
    payer, payee = await shop.account(1000), await shop.account(0)
    async with assembly.bank.db.transaction() as tx:
        row = await tx.get_one(Account, payee)
    assert row.branch is not None
    assert row.account_number is not None
    party = Party(
        row.holder_name,
        TaxId(row.holder_document, row.holder_document_type),
        BankAccount("00000000", row.branch, row.account_number, row.type),
    )
    orders = [replace(shop.order(payer, 100), payee=party, payee_account_id=payee) for _ in range(2)]
    await shop.accept(*orders)
    yield Neighbours(shop, payer, payee, orders)
    await assembly.close()


@pytest.mark.parametrize("outcome", [SETTLED, Rejected("AC03")])
async def test_a_word_about_a_payment_inside_changes_nothing(
    neighbours: Neighbours, outcome: Settled | Rejected
) -> None:
    bank, order = neighbours.shop.assembly.bank, neighbours.orders[0]
    async with bank.db.transaction() as tx:
        known = await payments.hear(tx, neighbours.shop.provider_id, order.end_to_end_id, outcome, now=bank.now())

    assert known
    assert (await payment(neighbours.shop, order.id)).status == "PROCESSING"
    assert await neighbours.alerts() == ["not_the_networks"]
    await neighbours.settle()
    assert await neighbours.shop.available(neighbours.payee) == 200


async def test_a_return_of_a_payment_inside_is_refused(neighbours: Neighbours) -> None:
    bank = neighbours.shop.assembly.bank
    for settled in (False, True):
        if settled:
            await neighbours.settle()
        now = bank.now()
        returned = ReturnReceived(
            EndToEndId.new_return("11111111", now), neighbours.orders[0].end_to_end_id, Money(100), "MD06", now
        )
        async with bank.db.transaction() as tx:
            refusal = await returns.take_back(tx, neighbours.shop.provider_id, returned, now=now)
        assert refusal == "FF08"
    assert await neighbours.held_by_both() == 1000


async def test_a_word_about_a_refund_inside_changes_nothing(neighbours: Neighbours) -> None:
    bank = neighbours.shop.assembly.bank
    await neighbours.settle()
    refund, _ = await neighbours.give_back()
    async with bank.db.transaction() as tx:
        known = await refunds.hear(tx, neighbours.shop.provider_id, EndToEndId(refund.e2e_id), SETTLED, now=bank.now())

    assert known
    assert await neighbours.alerts() == ["not_the_networks"]
    assert not await refunding.settle(bank, await claim(neighbours.shop))
    assert await neighbours.shop.available(neighbours.payer) == 1000


async def test_one_refund_that_can_not_be_concluded_waits_alone(neighbours: Neighbours) -> None:
    """It should never be; if it is, the others of its batch are not held up."""
    await neighbours.settle()
    wrong, _ = await neighbours.give_back()
    async with neighbours.shop.assembly.bank.db.transaction() as tx:
        await tx.execute(
            text("UPDATE pix_payments SET returned_centavos = 1 WHERE e2e_id = :id"), {"id": wrong.original_e2e_id}
        )

    (waiting,) = await refunding.settle(neighbours.shop.assembly.bank, await claim(neighbours.shop))

    assert waiting.claimed.reference == wrong.id
    assert "returned_within_amount" in waiting.why
    assert await neighbours.shop.available(neighbours.payer) == 900
