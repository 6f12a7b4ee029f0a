"""What the worker does with accepted payments: bring them to the network, and write down what it answers.

An exception from the network means that nothing is known: the payment stays PROCESSING, its money held, and the same
instruction under the same end-to-end id goes out again later. A payment is never failed out of ignorance.
"""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ARRAY, DateTime, Text, Uuid, bindparam, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from lastro import metrics
from lastro.bank import Bank
from lastro.database import among
from lastro.ledger import book
from lastro.logs import logger
from lastro.outbox import queue
from lastro.outbox.queue import Claimed, Concern, Waiting
from lastro.pix.payments import resources
from lastro.pix.payments.models import PixPayment
from lastro.pix.payments.states import EDGES, Edge, PaymentStatus
from lastro.pix.reasons import failure_reason
from lastro.providers.protocol import Instruction, Outcome, Provider, Rejected, Settled
from lastro.values.end_to_end_id import EndToEndId
from lastro.values.pix_key import PixKey
from lastro.webhooks.announce import News, announce

_LOG = logger("settlement")

# SPI knows an id again for 24 hours and refuses one that is more than 12 hours old (FF08): after this, only ask.
RESEND_WITHIN = timedelta(hours=11)

PaymentKey = tuple[UUID, UUID]
"""(account id, payment id)"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The network's last word on a payment."""

    account_id: UUID
    payment_id: UUID
    outcome: Settled | Rejected


async def settle(bank: Bank, claimed: Sequence[Claimed]) -> Sequence[Waiting]:
    """Bring these payments to their networks and conclude the ones that got a verdict; says which must wait."""
    async with bank.db.transaction() as tx:
        payments = await _read(tx, [(each.account_id, each.reference) for each in claimed])
    outcomes = await _ask(bank, payments)
    verdicts = [
        Verdict(payment.account_id, payment.id, outcome)
        for payment in payments
        if isinstance(outcome := outcomes[payment.id], Settled | Rejected)
    ]
    decided = {verdict.payment_id for verdict in verdicts}
    kept = [each for each in claimed if each.reference in decided]
    async with bank.db.transaction() as tx:
        await conclude(tx, verdicts, now=bank.now())
        await queue.keep(tx, [each.id for each in kept])
    metrics.KEPT.labels("pix.payment.settle").inc(len(kept))
    return [Waiting(each, str(outcomes[each.reference])) for each in claimed if each not in kept]


async def _read(tx: AsyncSession, keys: Collection[PaymentKey]) -> Sequence[PixPayment]:
    query = select(PixPayment).where(
        among(PixPayment.account_id, {account_id for account_id, _ in keys}),
        among(PixPayment.id, {payment_id for _, payment_id in keys}),
    )
    return (await tx.execute(query)).scalars().all()


class Unknown(str):
    """No outcome, and the reason why there is none."""

    __slots__ = ()


async def _ask(bank: Bank, payments: Sequence[PixPayment]) -> dict[UUID, Outcome | Unknown]:
    """One call for each provider, with what may be sent (again). What one does not answer keeps nobody else waiting.

    Two kinds are only asked about: what is too old to be sent again, and what a notification has concluded before we
    got an answer of our own. If that answer is another one, a human must know.
    """
    outcomes: dict[UUID, Outcome | Unknown] = {}
    oldest = bank.now() - RESEND_WITHIN
    for provider_id in sorted({payment.provider_id for payment in payments}):
        network = (await bank.providers.get(provider_id)).speaks
        mine = [payment for payment in payments if payment.provider_id == provider_id]
        sent = [each for each in mine if each.status is PaymentStatus.PROCESSING and each.created_at >= oldest]
        outcomes |= await _send(network, sent)
        asked = [each for each in mine if each not in sent]
        answers = await asyncio.gather(*(_inquire(network, each) for each in asked))
        outcomes |= {payment.id: answer for payment, answer in zip(asked, answers, strict=True)}
    return outcomes


async def _send(network: Provider, payments: Sequence[PixPayment]) -> dict[UUID, Outcome | Unknown]:
    if not payments:
        return {}
    try:
        answers = await network.settle([instruction(payment) for payment in payments])
        return {payment.id: answer for payment, answer in zip(payments, answers, strict=True)}
    except Exception as error:  # noqa: BLE001 - whatever it was, nothing is known of these
        why = Unknown(f"{type(error).__name__}: {error}")
        _LOG.warning("no answer", payments=len(payments), why=why)
        return {payment.id: why for payment in payments}


async def _inquire(network: Provider, payment: PixPayment) -> Outcome | Unknown:
    """Ask what became of a payment. "Never seen" is not a verdict: a human decides."""
    try:
        return await network.outcome_of(EndToEndId(payment.e2e_id)) or Unknown("the network says that it never saw it")
    except Exception as error:  # noqa: BLE001 - as above
        return Unknown(f"{type(error).__name__}: {error}")


def instruction(payment: PixPayment) -> Instruction:
    """The order to the rail, from what was frozen at acceptance: the same payment gives the same instruction."""
    return Instruction(
        end_to_end_id=EndToEndId(payment.e2e_id),
        amount=payment.amount,
        payer=payment.payer,
        payee=payment.payee,
        key=PixKey(payment.recipient_key_type, payment.recipient_key_value),
        description=payment.description,
        accepted_at=payment.created_at,
        initiation=payment.initiation,
        txid=payment.txid,
    )


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
        select(PixPayment).from_statement(_CONCLUDE),
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
    movements = [edge.moves(each.account_id, each.amount, each.id) for each, edge in crossings if edge.moves]
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
    """A network spoke unasked of one of its own payments. Says whether the payment is known."""
    query = select(PixPayment.account_id, PixPayment.id).where(
        PixPayment.e2e_id == end_to_end_id, PixPayment.provider_id == provider_id
    )
    row = (await tx.execute(query)).one_or_none()
    if row is not None:
        await conclude(tx, [Verdict(row.account_id, row.id, outcome)], now=now)
    return row is not None
