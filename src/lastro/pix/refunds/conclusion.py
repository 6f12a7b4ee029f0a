"""Concludes refunds: status, money, what is left of the received Pix, and news land together or not at all."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.database import among
from lastro.ledger import book
from lastro.ledger.movements import Movement, pay, release, settle
from lastro.outbox import queue
from lastro.outbox.queue import Concern
from lastro.pix.reasons import failure_reason
from lastro.pix.refunds import resources
from lastro.pix.refunds.models import PixRefund
from lastro.pix.refunds.states import EDGES, RefundStatus
from lastro.pix.transfers.models import PixTransfer
from lastro.providers.protocol import Rejected, Settled
from lastro.values.end_to_end_id import EndToEndId
from lastro.webhooks.announce import News, announce


@dataclass(frozen=True, slots=True)
class Verdict:
    """The last word on a refund: the network's, or ours when both sides are our customers."""

    account_id: UUID
    refund_id: UUID
    outcome: Settled | Rejected


async def conclude(tx: AsyncSession, verdicts: Sequence[Verdict], *, now: datetime) -> set[UUID]:
    """Only a PROCESSING refund can be concluded; a second verdict that contradicts the first leaves an alert.

    Says which refunds were concluded now.
    """
    if not verdicts:
        return set()
    await book.lock(tx, {verdict.account_id for verdict in verdicts})
    refunds = {refund.id: refund for refund in await _locked(tx, verdicts)}
    transfers = await _transfers(tx, list(refunds.values()))
    movements: list[Movement] = []
    news: list[News] = []
    concerns: list[Concern] = []
    for verdict in verdicts:
        refund = refunds.get(verdict.refund_id)
        if refund is None:
            continue
        if refund.status is RefundStatus.PROCESSING:
            movements.append(_cross(refund, transfers[refund.transfer_id], verdict.outcome, now))
            news.append(_news(refund))
        elif refund.status is not _status(verdict.outcome):
            said = f"{refund.status} stands; the network now says {verdict.outcome}"
            concerns.append(Concern("contradiction", refund.account_id, refund.id, said))
    await tx.flush()
    await book.post(tx, movements, posted_at=now)
    await announce(tx, news, now=now)
    await queue.alert(tx, concerns)
    return {each.resource_id for each in news}


def _cross(refund: PixRefund, transfer: PixTransfer, outcome: Settled | Rejected, now: datetime) -> Movement:
    """Write down what became of a refund; the sentence for the ledger."""
    refund.status = _status(outcome)
    refund.version += 1
    refund.updated_at = now
    if isinstance(outcome, Settled):
        refund.completed_at = now
        sentence = settle if transfer.payment_id is None else pay
    else:
        refund.failure_reason = failure_reason(outcome.reason)
        transfer.refunded -= refund.amount
        transfer.version += 1
        transfer.updated_at = now
        sentence = release
    return sentence(refund.account_id, refund.amount, refund.id)


def _news(refund: PixRefund) -> News:
    kind = EDGES[RefundStatus.PROCESSING, refund.status].emits
    return News(kind, refund.tenant_id, refund.account_id, refund.id, refund.version, resources.resource(refund))


def _status(outcome: Settled | Rejected) -> RefundStatus:
    return RefundStatus.COMPLETED if isinstance(outcome, Settled) else RefundStatus.FAILED


async def _locked(tx: AsyncSession, verdicts: Sequence[Verdict]) -> Sequence[PixRefund]:
    query = (
        select(PixRefund)
        .where(
            among(PixRefund.account_id, {verdict.account_id for verdict in verdicts}),
            among(PixRefund.id, {verdict.refund_id for verdict in verdicts}),
        )
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return (await tx.execute(query)).scalars().all()


async def _transfers(tx: AsyncSession, refunds: Sequence[PixRefund]) -> dict[UUID, PixTransfer]:
    query = (
        select(PixTransfer)
        .where(
            among(PixTransfer.account_id, {refund.account_id for refund in refunds}),
            among(PixTransfer.id, {refund.transfer_id for refund in refunds}),
        )
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return {transfer.id: transfer for transfer in (await tx.execute(query)).scalars()}


async def hear(
    tx: AsyncSession, provider_id: UUID, return_id: EndToEndId, outcome: Settled | Rejected, *, now: datetime
) -> bool:
    """A network spoke unasked of one of its own refunds. Says whether the refund is known.

    Of a refund between two of our customers it can not know: that changes nothing, and a human is told.
    """
    query = (
        select(PixRefund.account_id, PixRefund.id, PixTransfer.payment_id)
        .join(PixTransfer, (PixTransfer.account_id == PixRefund.account_id) & (PixTransfer.id == PixRefund.transfer_id))
        .where(PixRefund.e2e_id == return_id, PixRefund.provider_id == provider_id)
    )
    row = (await tx.execute(query)).one_or_none()
    if row is not None and row.payment_id is not None:
        await queue.alert(tx, [Concern("not_the_networks", row.account_id, row.id, f"the network says {outcome}")])
    elif row is not None:
        await conclude(tx, [Verdict(row.account_id, row.id, outcome)], now=now)
    return row is not None
