"""Settles refunds between two of our customers: both sides in one transaction, and no network is told."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.accounts.models import Account
from lastro.accounts.states import AccountStatus
from lastro.bank import Bank
from lastro.database import among
from lastro.ledger import book
from lastro.ledger.movements import collect
from lastro.outbox import queue
from lastro.outbox.queue import Claimed
from lastro.pix.payments import returns
from lastro.pix.payments.models import PixPayment
from lastro.pix.refunds.conclusion import Verdict, conclude
from lastro.pix.refunds.models import PixRefund
from lastro.pix.refunds.states import RefundStatus
from lastro.pix.transfers.models import PixTransfer
from lastro.providers.protocol import Rejected, Settled


async def settle(bank: Bank, claimed: Sequence[Claimed]) -> None:
    """Conclude these, all of them: nothing here can be unknown. Repeating is harmless.

    It is the first payer's own money, so a blocked account takes it back too; a closed one can not.
    """
    if not claimed:
        return
    async with bank.db.transaction() as tx:
        origins = await _origins(tx, claimed)
        await book.lock(tx, {side for _, account_id, own in origins.values() for side in (account_id, own)})
        now = bank.now()  # behind the locks: no movement of these accounts is younger
        refunds = await _processing(tx, claimed)
        closed = await _closed(tx, {account_id for _, account_id, _ in origins.values()})
        for refund in refunds:
            payment_id, account_id, _ = origins[refund.id]
            refused = account_id in closed
            outcome = Rejected(returns.ACCOUNT_CLOSED) if refused else Settled(now, None)
            await conclude(tx, [Verdict(refund.account_id, refund.id, outcome)], now=now)
            if not refused:
                await _take_back(tx, account_id, payment_id, refund, now)
        await queue.keep(tx, [each.id for each in claimed])


async def _origins(tx: AsyncSession, claimed: Sequence[Claimed]) -> dict[UUID, tuple[UUID, UUID, UUID]]:
    """Of each refund: the payment that it gives back, the payment's account, and its own."""
    query = (
        select(PixRefund.id, PixTransfer.payment_id, PixTransfer.payment_account_id, PixRefund.account_id)
        .join(PixTransfer, (PixTransfer.account_id == PixRefund.account_id) & (PixTransfer.id == PixRefund.transfer_id))
        .where(
            among(PixRefund.account_id, {each.account_id for each in claimed}),
            among(PixRefund.id, {each.reference for each in claimed}),
        )
    )
    return {
        row.id: (row.payment_id, row.payment_account_id, row.account_id)
        for row in await tx.execute(query)
        if row.payment_id is not None and row.payment_account_id is not None
    }


async def _processing(tx: AsyncSession, claimed: Sequence[Claimed]) -> Sequence[PixRefund]:
    query = select(PixRefund).where(
        among(PixRefund.account_id, {each.account_id for each in claimed}),
        among(PixRefund.id, {each.reference for each in claimed}),
        PixRefund.status == RefundStatus.PROCESSING,
    )
    return (await tx.execute(query.order_by(PixRefund.id))).scalars().all()


async def _closed(tx: AsyncSession, account_ids: set[UUID]) -> set[UUID]:
    query = select(Account.id).where(among(Account.id, account_ids), Account.status == AccountStatus.CLOSED)
    return set((await tx.execute(query)).scalars())


async def _take_back(tx: AsyncSession, account_id: UUID, payment_id: UUID, refund: PixRefund, now: datetime) -> None:
    query = select(PixPayment).where(PixPayment.account_id == account_id, PixPayment.id == payment_id)
    payment = (await tx.execute(query.with_for_update(key_share=True))).scalar_one()
    await returns.credit(tx, payment, collect(account_id, refund.amount, refund.id), now=now)
