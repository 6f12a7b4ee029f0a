"""Settles refunds between two of our customers: both sides in one transaction, and no network is told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
from lastro.pix.transfers.models import PixTransfer
from lastro.providers.protocol import Rejected, Settled
from lastro.values.money import Money


async def settle(bank: Bank, claimed: Sequence[Claimed]) -> None:
    """Conclude these, all of them: nothing here can be unknown. Repeating is harmless.

    It is the first payer's own money, so a blocked account takes it back too; a closed one can not.
    """
    async with bank.db.transaction() as tx:
        origins = await _origins(tx, claimed)
        await book.lock(tx, {side for origin in origins.values() for side in (origin.account_id, origin.payer_id)})
        now = bank.now()  # behind the locks: no movement of these accounts is younger
        closed = await _closed(tx, {origin.payer_id for origin in origins.values()})
        verdicts = [
            Verdict(
                origin.account_id,
                refund_id,
                Rejected(returns.ACCOUNT_CLOSED) if origin.payer_id in closed else Settled(now, None),
            )
            for refund_id, origin in sorted(origins.items())
        ]
        concluded = await conclude(tx, verdicts, now=now)
        back = [
            (origins[each.refund_id], each.refund_id)
            for each in verdicts
            if each.refund_id in concluded and isinstance(each.outcome, Settled)
        ]
        payments = await _payments(tx, [origin for origin, _ in back])
        returned = [
            (payments[origin.payment_id], collect(origin.payer_id, origin.amount, refund_id))
            for origin, refund_id in back
        ]
        await returns.credit(tx, returned, now=now)
        await queue.keep(tx, [each.id for each in claimed])


@dataclass(frozen=True, slots=True)
class _Origin:
    """What a refund gives back: how much, from which account, and which payment of whose."""

    account_id: UUID
    amount: Money
    payer_id: UUID
    payment_id: UUID


async def _origins(tx: AsyncSession, claimed: Sequence[Claimed]) -> dict[UUID, _Origin]:
    query = (
        select(
            PixRefund.id,
            PixRefund.account_id,
            PixRefund.amount,
            PixTransfer.payment_account_id,
            PixTransfer.payment_id,
        )
        .join(PixTransfer, (PixTransfer.account_id == PixRefund.account_id) & (PixTransfer.id == PixRefund.transfer_id))
        .where(
            among(PixRefund.account_id, {each.account_id for each in claimed}),
            among(PixRefund.id, {each.reference for each in claimed}),
        )
    )
    return {
        row.id: _Origin(row.account_id, row.amount, row.payment_account_id, row.payment_id)
        for row in await tx.execute(query)
        if row.payment_id is not None
    }


async def _closed(tx: AsyncSession, account_ids: set[UUID]) -> set[UUID]:
    query = select(Account.id).where(among(Account.id, account_ids), Account.status == AccountStatus.CLOSED)
    return set((await tx.execute(query)).scalars())


async def _payments(tx: AsyncSession, origins: Sequence[_Origin]) -> Mapping[UUID, PixPayment]:
    query = (
        select(PixPayment)
        .where(
            among(PixPayment.account_id, {origin.payer_id for origin in origins}),
            among(PixPayment.id, {origin.payment_id for origin in origins}),
        )
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return {payment.id: payment for payment in (await tx.execute(query)).scalars()}
