"""Settles payments between two of our customers: both sides in one transaction, and no network is told."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.bank import Bank
from lastro.database import among
from lastro.ledger import book
from lastro.outbox import queue
from lastro.outbox.queue import Claimed
from lastro.pix.payments.conclusion import Verdict, conclude
from lastro.pix.payments.models import PixPayment
from lastro.pix.payments.states import PaymentStatus
from lastro.pix.transfers import crediting
from lastro.pix.transfers.order import Credit
from lastro.providers.protocol import Rejected, Settled
from lastro.values.time_ordered_id import new_id


async def settle(bank: Bank, claimed: Sequence[Claimed]) -> None:
    """Conclude these, all of them: nothing here can be unknown.

    The payee is judged as for a Pix from outside, and refused with the same codes. Repeating is harmless.
    """
    async with bank.db.transaction() as tx:
        payments = await _locked(tx, claimed)
        now = bank.now()  # behind the locks: no movement of these accounts is younger
        wanted = [_credit(payment, now) for payment in payments]
        judgement = await crediting.behind_locks(tx, wanted)
        verdicts = [
            Verdict(payment.account_id, payment.id, Rejected(code) if code else Settled(now, None))
            for payment, credit in zip(payments, wanted, strict=True)
            for code in [judgement.refusals.get(credit.id)]
        ]
        await conclude(tx, verdicts, now=now)
        await crediting.credit(tx, wanted, judgement, now=now)
        await queue.keep(tx, [each.id for each in claimed])


async def _locked(tx: AsyncSession, claimed: Sequence[Claimed]) -> Sequence[PixPayment]:
    """Those that are still on their way, behind the locks of both sides, which are taken together, in id order."""
    of_these = (
        among(PixPayment.account_id, {each.account_id for each in claimed}),
        among(PixPayment.id, {each.reference for each in claimed}),
    )
    sides = (await tx.execute(select(PixPayment.account_id, PixPayment.payee_account_id).where(*of_these))).all()
    await book.lock(tx, {account_id for side in sides for account_id in side if account_id is not None})
    query = select(PixPayment).where(*of_these, PixPayment.status == PaymentStatus.PROCESSING).order_by(PixPayment.id)
    return (await tx.execute(query)).scalars().all()


def _credit(payment: PixPayment, now: datetime) -> Credit:
    return Credit(
        id=new_id(now),
        account_id=payment.payee_account_id,
        end_to_end_id=payment.e2e_id,
        amount=payment.amount,
        payer=payment.payer,
        payee_document=payment.payee.tax_id.value,
        payee_type=payment.payee.account.kind,
        key=payment.recipient_key_value,
        txid=payment.txid,
        description=payment.description,
        payment=(payment.account_id, payment.id),
        told_by=None,
        arrived_at=now,
    )
