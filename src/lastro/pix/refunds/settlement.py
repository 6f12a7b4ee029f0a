"""What the worker does with accepted refunds: bring each back to whoever paid, and write down what became of it.

An exception from the network means that nothing is known: the refund stays PROCESSING, its money held, and the same
return under the same id goes out again later.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from uuid import UUID

from sqlalchemy import select

from lastro.accounts.models import Account
from lastro.bank import Bank
from lastro.database import among
from lastro.logs import logger
from lastro.outbox import queue
from lastro.outbox.errands import apart, provider_by_provider
from lastro.outbox.queue import Claimed, Waiting
from lastro.pix.refunds import inside
from lastro.pix.refunds.conclusion import Verdict, conclude
from lastro.pix.refunds.models import PixRefund
from lastro.pix.transfers.models import PixTransfer
from lastro.providers.models import ProviderRow
from lastro.providers.protocol import Outcome, Rejected, ReturnInstruction, Settled
from lastro.values.bank_account import BankAccount
from lastro.values.end_to_end_id import EndToEndId

_LOG = logger("refunds")

ASKED_BY_THE_RECEIVER = "MD06"
"""The only reason that a receiving customer's own wish has (pacs.004)."""

# As for payments: SPI refuses an id that is older than 12 hours, so after this it is only asked about.
RESEND_WITHIN = timedelta(hours=11)


@dataclass(frozen=True, slots=True)
class _Held:
    """A refund, and the account from which it goes back: its numbers never change once it has them."""

    refund: PixRefund
    account: BankAccount


async def settle(bank: Bank, claimed: Sequence[Claimed]) -> Sequence[Waiting]:
    """Bring these refunds back and conclude the ones that got a verdict; says which must wait."""
    refunds, ours = await _read(bank, claimed)
    stuck = await apart([each for each in claimed if each.reference in ours], partial(inside.settle, bank))

    async def at(_provider_id: UUID, mine: Sequence[Claimed]) -> Sequence[Waiting]:
        return await _settle_at(bank, mine, [refunds[each.reference] for each in mine])

    outside = [each for each in claimed if each.reference not in ours]
    waiting = await provider_by_provider(outside, lambda each: refunds[each.reference].refund.provider_id, at)
    return [*stuck, *waiting]


async def _settle_at(bank: Bank, outside: Sequence[Claimed], refunds: Sequence[_Held]) -> Sequence[Waiting]:
    """Those of one provider."""
    answers = await asyncio.gather(*(_ask(bank, refund) for refund in refunds))
    outcomes = dict(zip((each.reference for each in outside), answers, strict=True))
    verdicts = [
        Verdict(each.account_id, each.reference, outcome)
        for each in outside
        if isinstance(outcome := outcomes[each.reference], Settled | Rejected)
    ]
    decided = {verdict.refund_id for verdict in verdicts}
    async with bank.db.transaction() as tx:
        await conclude(tx, verdicts, now=bank.now())
        await queue.keep(tx, [each.id for each in outside if each.reference in decided])
    return [Waiting(each, str(outcomes[each.reference])) for each in outside if each.reference not in decided]


async def _read(bank: Bank, claimed: Sequence[Claimed]) -> tuple[dict[UUID, _Held], set[UUID]]:
    """The refunds, and which of them go to another customer of ours."""
    query = (
        select(
            PixRefund, PixTransfer.payment_id, ProviderRow.ispb, Account.branch, Account.account_number, Account.type
        )
        .join(PixTransfer, (PixTransfer.account_id == PixRefund.account_id) & (PixTransfer.id == PixRefund.transfer_id))
        .join(Account, Account.id == PixRefund.account_id)
        .join(ProviderRow, ProviderRow.id == PixRefund.provider_id)
        .where(
            among(PixRefund.account_id, {each.account_id for each in claimed}),
            among(PixRefund.id, {each.reference for each in claimed}),
        )
    )
    held: dict[UUID, _Held] = {}
    ours: set[UUID] = set()
    async with bank.db.transaction() as tx:
        for refund, payment_id, ispb, branch, number, kind in await tx.execute(query):
            held[refund.id] = _Held(refund, BankAccount(ispb, branch or "", number or "", kind))
            if payment_id is not None:
                ours.add(refund.id)
    return held, ours


async def _ask(bank: Bank, held: _Held) -> Outcome | str:
    """What the network says of a refund; a text says why nothing is known."""
    network = (await bank.providers.get(held.refund.provider_id)).speaks
    return_id = EndToEndId(held.refund.e2e_id)
    try:
        if held.refund.created_at >= bank.now() - RESEND_WITHIN:
            return await network.give_back(_instruction(held))
        return await network.outcome_of(return_id, account=held.account) or "the network says that it never saw it"
    except Exception as error:  # noqa: BLE001 - whatever it was, nothing is known
        _LOG.warning("no answer", why=type(error).__name__)
        return f"{type(error).__name__}: {error}"


def _instruction(held: _Held) -> ReturnInstruction:
    """From what was frozen at acceptance: the same refund gives the same message."""
    refund = held.refund
    return ReturnInstruction(
        return_id=EndToEndId(refund.e2e_id),
        original_end_to_end_id=EndToEndId(refund.original_e2e_id),
        account=held.account,
        amount=refund.amount,
        reason=ASKED_BY_THE_RECEIVER,
        created_at=refund.created_at,
    )
