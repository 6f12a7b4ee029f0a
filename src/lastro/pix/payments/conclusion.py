"""Concludes payments: status, money and news of each land together or not at all."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, DateTime, Text, Uuid, bindparam, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.database import among
from lastro.ledger import book
from lastro.outbox import queue
from lastro.outbox.queue import Concern
from lastro.pix.payments import resources
from lastro.pix.payments.models import PixPayment
from lastro.pix.payments.states import EDGES, Edge, PaymentStatus
from lastro.pix.reasons import failure_reason
from lastro.providers.protocol import Rejected, Settled
from lastro.values.end_to_end_id import EndToEndId
from lastro.webhooks.announce import News, announce


@dataclass(frozen=True, slots=True)
class Verdict:
    """The last word on a payment: the network's, or ours when both sides are our customers."""

    account_id: UUID
    payment_id: UUID
    outcome: Settled | Rejected


_CONCLUDE = text(
    """
    UPDATE pix_payments p
       SET status = v.status, external_ref = v.external_ref, failure_reason = v.failure_reason,
           completed_at = CASE WHEN v.completed_at IS NOT NULL THEN greatest(v.completed_at, p.created_at) END,
           version = p.version + 1, updated_at = greatest(:now, p.updated_at)
      FROM unnest(:account_ids, :ids, :statuses, :external_refs, :failure_reasons, :completed_ats)
           AS v(account_id, id, status, external_ref, failure_reason, completed_at)
     WHERE p.account_id = v.account_id AND p.id = v.id AND p.status = 'PROCESSING'
 RETURNING p.*
    """
).bindparams(
    bindparam("account_ids", type_=ARRAY(Uuid())),
    bindparam("ids", type_=ARRAY(Uuid())),
    bindparam("statuses", type_=ARRAY(Text())),
    bindparam("external_refs", type_=ARRAY(Text())),
    bindparam("failure_reasons", type_=ARRAY(Text())),
    bindparam("completed_ats", type_=ARRAY(DateTime(timezone=True))),
)


async def conclude(tx: AsyncSession, verdicts: Sequence[Verdict], *, now: datetime) -> None:
    """Status, money and news of each verdict, together or not at all.

    Only a PROCESSING payment can be concluded: the second to come (worker, inbox, a worker that was thought dead) finds
    nothing to do. A second verdict that contradicts the first changes nothing and leaves an alert.
    """
    if not verdicts:
        return
    await book.lock(tx, {verdict.account_id for verdict in verdicts})
    settled = [verdict.outcome if isinstance(verdict.outcome, Settled) else None for verdict in verdicts]
    rejected = [verdict.outcome if isinstance(verdict.outcome, Rejected) else None for verdict in verdicts]
    rows = await tx.execute(
        # Whoever called may have read these rows before: what the statement returns is newer.
        select(PixPayment).from_statement(_CONCLUDE).execution_options(populate_existing=True),
        {
            "now": now,
            "account_ids": [verdict.account_id for verdict in verdicts],
            "ids": [verdict.payment_id for verdict in verdicts],
            "statuses": [_status(verdict.outcome) for verdict in verdicts],
            "external_refs": [each.external_ref if each else None for each in settled],
            "failure_reasons": [failure_reason(each.reason) if each else None for each in rejected],
            "completed_ats": [now if each else None for each in settled],
        },
    )
    concluded = rows.scalars().all()
    crossings = [(payment, EDGES[PaymentStatus.PROCESSING, payment.status]) for payment in concluded]
    moves = [(edge.moves if each.payee_account_id is None else edge.moves_inside, each) for each, edge in crossings]
    movements = [sentence(each.account_id, each.amount, each.id) for sentence, each in moves if sentence]
    await book.post(tx, movements, posted_at=now)
    await announce(tx, [_news(payment, edge) for payment, edge in crossings], now=now)
    in_time = {payment.id for payment in concluded}
    await _look_for_contradictions(tx, [verdict for verdict in verdicts if verdict.payment_id not in in_time])


def _status(outcome: Settled | Rejected) -> PaymentStatus:
    return PaymentStatus.COMPLETED if isinstance(outcome, Settled) else PaymentStatus.FAILED


def _news(payment: PixPayment, edge: Edge) -> News:
    assert edge.emits is not None  # noqa: S101 - every end is news
    return News(
        edge.emits,
        payment.tenant_id,
        payment.account_id,
        payment.id,
        payment.version,
        resources.resource(payment),
    )


async def _look_for_contradictions(tx: AsyncSession, late: Sequence[Verdict]) -> None:
    if not late:
        return
    rows = await tx.execute(
        select(PixPayment.id, PixPayment.status).where(
            among(PixPayment.account_id, {verdict.account_id for verdict in late}),
            among(PixPayment.id, {verdict.payment_id for verdict in late}),
        )
    )
    stands: dict[UUID, PaymentStatus] = {row.id: row.status for row in rows}
    await queue.alert(
        tx,
        [
            Concern(
                "contradiction",
                verdict.account_id,
                verdict.payment_id,
                f"{stands[verdict.payment_id]} stands; the network now says {verdict.outcome}",
            )
            for verdict in late
            if verdict.payment_id in stands and not _agree(stands[verdict.payment_id], _status(verdict.outcome))
        ],
    )


def _agree(stands: PaymentStatus, said: PaymentStatus) -> bool:
    return stands is said or (stands is PaymentStatus.REVERSED and said is PaymentStatus.COMPLETED)


async def hear(
    tx: AsyncSession, provider_id: UUID, end_to_end_id: EndToEndId, outcome: Settled | Rejected, *, now: datetime
) -> bool:
    """A network spoke unasked of one of its own payments. Says whether the payment is known.

    Of a payment between two of our customers it can not know: that changes nothing, and a human is told.
    """
    query = select(PixPayment.account_id, PixPayment.id, PixPayment.payee_account_id).where(
        PixPayment.e2e_id == end_to_end_id, PixPayment.provider_id == provider_id
    )
    row = (await tx.execute(query)).one_or_none()
    if row is not None and row.payee_account_id is not None:
        await queue.alert(tx, [Concern("not_the_networks", row.account_id, row.id, f"the network says {outcome}")])
    elif row is not None:
        await conclude(tx, [Verdict(row.account_id, row.id, outcome)], now=now)
    return row is not None
