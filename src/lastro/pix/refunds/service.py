"""What may be done with refunds: give a received Pix back, whole or in part, and follow it."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.accounts.models import Account
from lastro.attempt import Answer, Attempt
from lastro.auth.caller import Caller, owned
from lastro.auth.spending import spend
from lastro.bank import Bank
from lastro.errors import NotFound
from lastro.idempotency import once
from lastro.jsonapi.fields import end_of, start_of
from lastro.ledger import book
from lastro.ledger.movements import hold
from lastro.outbox import queue
from lastro.outbox.queue import Promise
from lastro.paging import Found, PageRequest, page_of
from lastro.pix.refunds import resources, rules
from lastro.pix.refunds.models import PixRefund
from lastro.pix.refunds.order import RefundOrder
from lastro.pix.refunds.resources import RefundDocument, RefundQuery
from lastro.pix.refunds.rules import Refundable
from lastro.pix.refunds.states import RefundStatus
from lastro.pix.transfers import service as transfers
from lastro.pix.transfers.models import PixTransfer
from lastro.providers.features import Feature
from lastro.providers.models import ProviderRow
from lastro.tally.totals import Counted, total
from lastro.values.end_to_end_id import EndToEndId
from lastro.values.text import Text
from lastro.values.time_ordered_id import first_id_at, new_id

SETTLE = "pix.refund.settle"
"""The promise to bring a refund to whoever paid."""

_NO_REFUND = Text("Devolução não encontrada.", "Refund not found.")


async def create(bank: Bank, caller: Caller, transfer_id: UUID, order: RefundOrder, attempt: Attempt | None) -> Answer:
    """Hold the money and promise to bring it back; durable when it returns.

    Raises NotFound, Conflict, RefundExceeded, InsufficientBalance, Unprocessable, Unavailable, and Forbidden over a cap
    of the token.
    """

    async def apply(tx: AsyncSession) -> RefundDocument:
        account_id = (await transfers.get(tx, caller, transfer_id)).account_id
        available = (await book.lock(tx, [account_id]))[account_id].available
        now = bank.now()  # behind the lock: no movement of this account is younger
        transfer = await _locked(tx, account_id, transfer_id)
        facts = select(Account.status, ProviderRow).join(ProviderRow, ProviderRow.id == Account.provider_id)
        status, provider = (await tx.execute(facts.where(Account.id == account_id))).one()
        refundable = Refundable(status, available, transfer.amount, transfer.refunded, transfer.created_at)
        amount = refundable.left if order.amount is None else order.amount
        refusal = rules.may_refund(refundable, amount, now) or bank.providers.offer_of(provider).refusal(
            Feature.PIX_REFUND
        )
        if refusal is not None:
            raise refusal
        await spend(tx, caller, amount, now=now)
        refund = _refund(transfer, RefundOrder(amount, order.reason), provider.ispb, now)
        tx.add(refund)
        transfer.refunded += refund.amount
        transfer.version += 1
        transfer.updated_at = now
        await tx.flush()
        await book.post(tx, [hold(account_id, refund.amount, refund.id)], posted_at=now)
        await queue.promise(tx, [Promise(SETTLE, account_id, refund.id)])
        return resources.document(refund)

    answer = await once(bank.db, attempt, 201, bank.now(), apply)
    bank.doorbell.ring()
    return answer


async def _locked(tx: AsyncSession, account_id: UUID, transfer_id: UUID) -> PixTransfer:
    """Read again behind the lock: another refund may have been faster."""
    query = select(PixTransfer).where(PixTransfer.account_id == account_id, PixTransfer.id == transfer_id)
    fresh = query.with_for_update(key_share=True).execution_options(populate_existing=True)
    return (await tx.execute(fresh)).scalar_one()


def _refund(transfer: PixTransfer, order: RefundOrder, ispb: str, now: datetime) -> PixRefund:
    assert order.amount is not None  # noqa: S101 - it was decided
    return PixRefund(
        account_id=transfer.account_id,
        id=new_id(now),
        tenant_id=transfer.tenant_id,
        provider_id=transfer.provider_id,
        transfer_id=transfer.id,
        amount=order.amount,
        status=RefundStatus.PROCESSING,
        reason=order.reason,
        e2e_id=EndToEndId.new_return(ispb, now),
        original_e2e_id=transfer.e2e_id,
        version=1,
        created_at=now,
        updated_at=now,
    )


async def get(tx: AsyncSession, caller: Caller, refund_id: UUID) -> PixRefund:
    """One refund of the caller's. Raises NotFound."""
    refund = (await tx.execute(owned(PixRefund, caller).where(PixRefund.id == refund_id))).scalar_one_or_none()
    if refund is None:
        raise NotFound(_NO_REFUND)
    return refund


async def of_transfer(tx: AsyncSession, caller: Caller, transfer_id: UUID, page: PageRequest) -> Found[PixRefund]:
    """The refunds of one received Pix of the caller's, newest first. Raises NotFound."""
    transfer = await transfers.get(tx, caller, transfer_id)
    filters = [PixRefund.account_id == transfer.account_id, PixRefund.transfer_id == transfer.id]
    return await page_of(tx, owned(PixRefund, caller), filters, [PixRefund.id], page)


async def search(tx: AsyncSession, caller: Caller, query: RefundQuery) -> Found[PixRefund]:
    """The caller's refunds under the query's filters, newest first."""
    filters: list[ColumnElement[bool]] = []
    if query.account_id is not None:
        filters.append(PixRefund.account_id == query.account_id)
    if query.transfer_id is not None:
        filters.append(PixRefund.transfer_id == query.transfer_id)
    if query.status is not None:
        filters += _of(query.status)
    if query.date_from is not None:
        filters.append(PixRefund.id >= first_id_at(start_of(query.date_from)))
    if query.date_to is not None:
        filters.append(PixRefund.id < first_id_at(end_of(query.date_to)))
    if query.e2e_id is not None:
        filters.append(PixRefund.e2e_id == query.e2e_id)
    scope = owned(PixRefund, caller, along_accounts=query.account_id is not None)
    return await page_of(tx, scope, filters, [PixRefund.id], query.page(), total=await _total(tx, caller, query))


def _of(status: RefundStatus) -> list[ColumnElement[bool]]:
    """The status, and what else is true of its refunds and leads to them: see `models`."""
    conditions: list[ColumnElement[bool]] = [PixRefund.status == status]
    if status is RefundStatus.PROCESSING:
        conditions.append(tuple_(PixRefund.account_id, PixRefund.id).in_(queue.owed(SETTLE)))
    elif status is RefundStatus.FAILED:
        conditions.append(PixRefund.failure_reason.is_not(None))
    return conditions


async def _total(tx: AsyncSession, caller: Caller, query: RefundQuery) -> int | None:
    """None: the tally does not know these filters, which match few."""
    if query.e2e_id is not None or query.transfer_id is not None:
        return None
    facts = (query.account_id, query.status, query.date_from, query.date_to)
    return await total(tx, Counted(PixRefund.__tablename__, caller.tenant_id, *facts, within=caller.accounts))
