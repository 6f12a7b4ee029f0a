"""What the worker does with accepted payments: bring them to the network, and write down what it answers.

An exception from the network means that nothing is known: the payment stays PROCESSING, its money held, and the same
instruction under the same end-to-end id goes out again later. A payment is never failed out of ignorance.
"""

import asyncio
from collections.abc import Collection, Sequence
from datetime import timedelta
from functools import partial
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.bank import Bank
from lastro.database import among
from lastro.logs import logger
from lastro.outbox import queue
from lastro.outbox.errands import apart
from lastro.outbox.queue import Claimed, Waiting
from lastro.pix.payments import inside
from lastro.pix.payments.conclusion import Verdict, conclude
from lastro.pix.payments.models import PixPayment
from lastro.pix.payments.states import PaymentStatus
from lastro.providers.protocol import Instruction, Outcome, Provider, Rejected, Settled
from lastro.values.end_to_end_id import EndToEndId
from lastro.values.pix_key import PixKey

_LOG = logger("settlement")

# SPI knows an id again for 24 hours and refuses one that is more than 12 hours old (FF08): after this, only ask.
RESEND_WITHIN = timedelta(hours=11)

PaymentKey = tuple[UUID, UUID]
"""(account id, payment id)"""


async def settle(bank: Bank, claimed: Sequence[Claimed]) -> Sequence[Waiting]:
    """Bring these payments to their networks and conclude the ones that got a verdict; says which must wait."""
    async with bank.db.transaction() as tx:
        payments = await _read(tx, [(each.account_id, each.reference) for each in claimed])
    ours = {payment.id for payment in payments if payment.payee_account_id is not None}
    stuck = await apart([each for each in claimed if each.reference in ours], partial(inside.settle, bank))
    waiting = await _settle_outside(
        bank,
        [each for each in claimed if each.reference not in ours],
        [payment for payment in payments if payment.id not in ours],
    )
    return [*stuck, *waiting]


async def _settle_outside(bank: Bank, claimed: Sequence[Claimed], payments: Sequence[PixPayment]) -> Sequence[Waiting]:
    if not claimed:
        return []
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
