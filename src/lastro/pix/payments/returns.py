"""Takes back what comes back: the return (devolução) of a Pix that we sent, credited once, REVERSED when whole."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.accounts.models import Account
from lastro.accounts.states import AccountStatus
from lastro.attempt import Overtaken
from lastro.database import constraint_of
from lastro.errors import Unavailable
from lastro.ledger import book
from lastro.ledger.movements import Movement, receive
from lastro.pix import inbox
from lastro.pix.inbox import InboxRow, MessageKind
from lastro.pix.payments import resources
from lastro.pix.payments.models import PixPayment
from lastro.pix.payments.states import EDGES, PaymentStatus
from lastro.providers.models import ProviderRow
from lastro.providers.protocol import ReturnReceived
from lastro.values.text import Text
from lastro.values.time_ordered_id import new_id
from lastro.webhooks.announce import News, announce

RETURNED = "pix.refund.received"
UNKNOWN_ORIGINAL = "FF08"
MORE_THAN_LEFT = "AM09"
ACCOUNT_CLOSED = "AC07"

_EDGE = EDGES[PaymentStatus.COMPLETED, PaymentStatus.REVERSED]
assert _EDGE.emits is not None  # noqa: S101 - every end is news
_REVERSED = _EDGE.emits

_NOT_YET = Text(
    "O pagamento original ainda não foi concluído aqui; repita em instantes.",
    "The original payment is not concluded here yet; repeat in a moment.",
)


async def take_back(tx: AsyncSession, provider_id: UUID, returned: ReturnReceived, *, now: datetime) -> str | None:
    """Credit a return and say what refuses it, if anything does. The same return always gets the same answer.

    It is the customer's own money, so a blocked account takes it too; a closed one can not. Raises Overtaken when
    another delivery of it was faster, Unavailable while we do not know yet that the payment settled at all.
    """
    voucher = (await tx.get_one(ProviderRow, provider_id)).voucher
    earlier = await inbox.known(tx, returned.return_id, voucher=voucher)
    if earlier is not None:
        return earlier.rejected_with
    payment = await _original(tx, provider_id, returned)
    if payment is not None and payment.payee_account_id is None and payment.status is PaymentStatus.PROCESSING:
        raise Unavailable(_NOT_YET, retry_after=1)
    refusal = _refusal(payment, returned) or await _closed(tx, payment)
    reference = new_id(now)
    await _write_down(tx, (provider_id, voucher), returned, payment, reference, refusal, now)
    if payment is not None and refusal is None:
        await credit(tx, [(payment, receive(payment.account_id, returned.amount, reference))], now=now)
    return refusal


async def _original(tx: AsyncSession, provider_id: UUID, returned: ReturnReceived) -> PixPayment | None:
    """The payment that comes back, behind its account's lock."""
    of_ours = (PixPayment.e2e_id == returned.original_end_to_end_id, PixPayment.provider_id == provider_id)
    account_id = (await tx.execute(select(PixPayment.account_id).where(*of_ours))).scalar_one_or_none()
    if account_id is None:
        return None
    await book.lock(tx, [account_id])
    query = select(PixPayment).where(PixPayment.account_id == account_id, *of_ours).with_for_update(key_share=True)
    return (await tx.execute(query)).scalar_one()


def _refusal(payment: PixPayment | None, returned: ReturnReceived) -> str | None:
    if payment is None or payment.payee_account_id is not None:  # what stayed inside, no network can return
        return UNKNOWN_ORIGINAL
    if payment.status not in {PaymentStatus.COMPLETED, PaymentStatus.REVERSED}:
        return UNKNOWN_ORIGINAL
    if not returned.amount or payment.returned + returned.amount > payment.amount:
        return MORE_THAN_LEFT
    return None


async def _closed(tx: AsyncSession, payment: PixPayment | None) -> str | None:
    """Behind the balance's lock, so that the account can not close meanwhile."""
    if payment is None:
        return None
    status = (await tx.execute(select(Account.status).where(Account.id == payment.account_id))).scalar_one()
    return ACCOUNT_CLOSED if status is AccountStatus.CLOSED else None


async def _write_down(  # noqa: PLR0917 - one fact each
    tx: AsyncSession,
    told_by: tuple[UUID, str],
    returned: ReturnReceived,
    payment: PixPayment | None,
    reference: UUID,
    refusal: str | None,
    now: datetime,
) -> None:
    tx.add(
        InboxRow(
            end_to_end_id=returned.return_id,
            voucher=told_by[1],
            kind=MessageKind.RETURN,
            provider_id=told_by[0],
            account_id=payment.account_id if payment else None,
            reference=reference if refusal is None else None,
            original_id=payment.id if payment else None,
            amount=returned.amount,
            rejected_with=refusal,
            created_at=now,
        )
    )
    try:
        await tx.flush()
    except IntegrityError as error:
        if constraint_of(error) == "pk_inbox":
            raise Overtaken from error
        raise


async def credit(tx: AsyncSession, returned: Sequence[tuple[PixPayment, Movement]], *, now: datetime) -> None:
    """Put back what settled payments got back. The accounts' balances are locked.

    Each return is news under an id of its own, whatever it does to the payment; what is shown is the payment.
    """
    news: list[News] = []
    for payment, movement in returned:
        payment.returned += movement.amount
        payment.version += 1
        payment.updated_at = now
        whole = payment.returned == payment.amount
        if whole:
            payment.status = PaymentStatus.REVERSED
        owner = (payment.tenant_id, payment.account_id)
        shown = (payment.version, resources.resource(payment))
        news.append(News(RETURNED, *owner, movement.reference, *shown))
        if whole:
            news.append(News(_REVERSED, *owner, payment.id, *shown))
    await tx.flush()
    await book.post(tx, [movement for _, movement in returned], posted_at=now)
    await announce(tx, news, now=now)
