"""What the worker does with accepted payments: bring them to the network, and write down what it answers.

An exception from the network means that nothing is known: the payment stays PROCESSING, its money held, and the same
instruction under the same end-to-end id goes out again later. A payment is never failed out of ignorance.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from uuid import UUID

from lastro.bank import Bank
from lastro.logs import logger
from lastro.outbox import queue
from lastro.outbox.errands import apart, provider_by_provider
from lastro.outbox.queue import Claimed, Waiting
from lastro.pix.parties import unpacked
from lastro.pix.payments import inside, underway
from lastro.pix.payments.completion import Completed, complete
from lastro.pix.payments.conclusion import Verdict, conclude
from lastro.pix.payments.states import PaymentStatus
from lastro.pix.payments.underway import Underway, instruction
from lastro.providers.protocol import InFlight, Outcome, Provider, Rejected, Settled
from lastro.values.end_to_end_id import EndToEndId

_LOG = logger("settlement")

# SPI knows an id again for 24 hours and refuses one that is more than 12 hours old (FF08): after this, only ask.
RESEND_WITHIN = timedelta(hours=11)


class Unknown(str):
    """No outcome, and the reason why there is none."""

    __slots__ = ()


_SILENCE = Unknown("the provider says nothing of this one")


async def settle(bank: Bank, claimed: Sequence[Claimed]) -> Sequence[Waiting]:
    """Bring these payments to their networks and conclude the ones that got a verdict; says which must wait."""
    payments = await underway.read(bank.db, [(each.account_id, each.reference) for each in claimed])
    ours = {payment.id for payment in payments if payment.payee_account_id is not None}
    stuck = await apart([each for each in claimed if each.reference in ours], partial(inside.settle, bank))
    outside = {payment.id: payment for payment in payments if payment.id not in ours}

    async def at(provider_id: UUID, mine: Sequence[Claimed]) -> Sequence[Waiting]:
        return await _settle_at(bank, provider_id, mine, [outside[each.reference] for each in mine])

    waiting = await provider_by_provider(
        [each for each in claimed if each.reference not in ours],
        lambda each: outside[each.reference].provider_id,
        at,
    )
    return [*stuck, *waiting]


async def _settle_at(
    bank: Bank, provider_id: UUID, claimed: Sequence[Claimed], payments: Sequence[Underway]
) -> Sequence[Waiting]:
    """Those of one provider."""
    outcomes = await _ask(bank, provider_id, payments)
    by_id = {payment.id: payment for payment in payments}
    kept = await complete(
        bank,
        [
            Completed(payment, outcome, each.id)
            for each in claimed
            if isinstance(outcome := outcomes[each.reference], Settled)
            and (payment := by_id[each.reference]).status == PaymentStatus.PROCESSING
        ],
    )
    decided: list[Claimed] = []
    waiting: list[Waiting] = []
    for each in claimed:
        outcome = outcomes[each.reference]
        if isinstance(outcome, InFlight | Unknown):
            waiting.append(Waiting(each, str(outcome)))
        elif each.id not in kept:
            decided.append(each)
    await _conclude(bank, decided, outcomes)
    return waiting


async def _conclude(bank: Bank, decided: Sequence[Claimed], outcomes: Mapping[UUID, Outcome | Unknown]) -> None:
    """The rare ways: what was rejected, what is too old to be sent, what somebody else concluded meanwhile."""
    if not decided:
        return
    verdicts = [
        Verdict(each.account_id, each.reference, outcome)
        for each in decided
        if isinstance(outcome := outcomes[each.reference], Settled | Rejected)
    ]
    async with bank.db.transaction() as tx:
        await conclude(tx, verdicts, now=bank.now())
        await queue.keep(tx, [each.id for each in decided])


async def _ask(bank: Bank, provider_id: UUID, payments: Sequence[Underway]) -> dict[UUID, Outcome | Unknown]:
    """One call with all that may be sent (again).

    Two kinds are only asked about: what is too old to be sent again, and what a notification has concluded before we
    got an answer of our own. If that answer is another one, a human must know.
    """
    oldest = bank.now() - RESEND_WITHIN
    network = (await bank.providers.get(provider_id)).speaks
    sent = [each for each in payments if each.status == PaymentStatus.PROCESSING and each.created_at >= oldest]
    outcomes = await _send(network, sent)
    asked = [each for each in payments if each not in sent]
    answers = await asyncio.gather(*(_inquire(network, each) for each in asked))
    return outcomes | {payment.id: answer for payment, answer in zip(asked, answers, strict=True)}


async def _send(network: Provider, payments: Sequence[Underway]) -> dict[UUID, Outcome | Unknown]:
    if not payments:
        return {}
    try:
        answers = await network.settle([instruction(payment) for payment in payments])
        return {payment.id: answer or _SILENCE for payment, answer in zip(payments, answers, strict=True)}
    except Exception as error:  # noqa: BLE001 - whatever it was, nothing is known of these
        why = Unknown(f"{type(error).__name__}: {error}")
        _LOG.warning("no answer", payments=len(payments), why=why)
        return {payment.id: why for payment in payments}


async def _inquire(network: Provider, payment: Underway) -> Outcome | Unknown:
    """Ask what became of a payment. "Never seen" is not a verdict: a human decides."""
    try:
        account = unpacked(payment.payer).account
        outcome = await network.outcome_of(EndToEndId(payment.e2e_id), account=account)
        return outcome or Unknown("the network says that it never saw it")
    except Exception as error:  # noqa: BLE001 - as above
        return Unknown(f"{type(error).__name__}: {error}")
