"""What a notification of the network makes the bank do, and what it is answered."""

import asyncio
from collections.abc import Sequence
from uuid import UUID, uuid5

from lastro.attempt import Overtaken
from lastro.bank import Bank
from lastro.errors import NotFound
from lastro.kyc import reviewing
from lastro.outbox import queue
from lastro.outbox.queue import Concern
from lastro.pix.payments import conclusion as payments
from lastro.pix.payments import returns
from lastro.pix.payments.service import NO_PAYMENT
from lastro.pix.refunds import conclusion as refunds
from lastro.pix.transfers import service as transfers
from lastro.providers.protocol import (
    InFlight,
    KycReviewed,
    ManyReceived,
    NoNews,
    Notification,
    PaymentStatus,
    PixReceived,
    ReturnReceived,
)


async def handle(bank: Bank, provider_id: UUID, notification: Notification) -> Sequence[str | None]:
    """Do what follows from a notification; says of each thing told with which reason code it is refused, if it is.

    Of many, those before a failure may have taken effect: told again, they are answered as before.

    Raises NotFound for the status of a payment that nobody knows (yet: the network will repeat it).
    """
    match notification:
        case PixReceived():
            return [await _receive(bank, provider_id, notification)]
        case ManyReceived():
            return await asyncio.gather(*(transfers.receive(bank, provider_id, each) for each in notification.pix))
        case PaymentStatus():
            await _conclude(bank, provider_id, notification)
            return [None]
        case ReturnReceived():
            return [await _take_back(bank, provider_id, notification)]
        case NoNews():
            return [None]
        case KycReviewed():
            async with bank.db.transaction() as tx:
                refusal = await reviewing.hear(tx, provider_id, notification, now=bank.now())
            bank.doorbell.ring()  # an approval opens the account
            return [refusal]


async def _receive(bank: Bank, provider_id: UUID, pix: PixReceived) -> str | None:
    """A provider that has taken the money already does not send it back for our refusal: a human must."""
    refusal = await transfers.receive(bank, provider_id, pix)
    if refusal is not None and pix.credited_at is not None:
        detail = f"{pix.end_to_end_id} of R$ {pix.amount} lies at the provider, and was refused here: {refusal}"
        reference = uuid5(provider_id, pix.end_to_end_id)  # the same for every repetition
        async with bank.db.transaction() as tx:
            await queue.alert(tx, [Concern("refused_too_late", provider_id, reference, detail)])
    return refusal


async def _conclude(bank: Bank, provider_id: UUID, status: PaymentStatus) -> None:
    if isinstance(status.outcome, InFlight):
        return
    async with bank.db.transaction() as tx:
        hear = refunds.hear if status.end_to_end_id.is_return else payments.hear
        heard = await hear(tx, provider_id, status.end_to_end_id, status.outcome, now=bank.now())
        if not heard:
            raise NotFound(NO_PAYMENT)


async def _take_back(bank: Bank, provider_id: UUID, returned: ReturnReceived) -> str | None:
    try:
        async with bank.db.transaction() as tx:
            return await returns.take_back(tx, provider_id, returned, now=bank.now())
    except Overtaken:
        async with bank.db.transaction() as tx:
            return await returns.take_back(tx, provider_id, returned, now=bank.now())
