"""What may be done with received Pix: take one in, find them again."""

from uuid import UUID

from sqlalchemy import ColumnElement
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.auth.caller import Caller, owned
from lastro.bank import Bank
from lastro.errors import NotFound
from lastro.jsonapi.fields import end_of, start_of
from lastro.paging import Found, page_of
from lastro.pix.transfers.acceptance import Arrival, Verdict
from lastro.pix.transfers.models import PixTransfer
from lastro.pix.transfers.resources import TransferQuery
from lastro.providers.protocol import PixReceived
from lastro.tally.totals import Counted, total
from lastro.values.text import Text
from lastro.values.time_ordered_id import new_id

_NO_TRANSFER = Text("Pix recebido não encontrado.", "Received Pix not found.")


async def receive(bank: Bank, provider_id: UUID, pix: PixReceived, *, transfer_id: UUID | None = None) -> str | None:
    """Credit a Pix and say with which code it is refused, if it is. Durable when it returns; repeating is harmless."""
    now = bank.now()
    verdict = await bank.receiving.submit(Arrival(transfer_id or new_id(now), provider_id, pix, now))
    assert isinstance(verdict, Verdict)  # noqa: S101 - the till of credits gives nothing else
    return verdict.rejected_with


async def get(tx: AsyncSession, caller: Caller, transfer_id: UUID) -> PixTransfer:
    """One received Pix of the caller's. Raises NotFound."""
    query = owned(PixTransfer, caller).where(PixTransfer.id == transfer_id)
    transfer = (await tx.execute(query)).scalar_one_or_none()
    if transfer is None:
        raise NotFound(_NO_TRANSFER)
    return transfer


async def search(tx: AsyncSession, caller: Caller, query: TransferQuery) -> Found[PixTransfer]:
    """The caller's received Pix under the query's filters, newest first."""
    filters: list[ColumnElement[bool]] = []
    if query.account_id is not None:
        filters.append(PixTransfer.account_id == query.account_id)
    if query.date_from is not None:
        filters.append(PixTransfer.created_at >= start_of(query.date_from))
    if query.date_to is not None:
        filters.append(PixTransfer.created_at < end_of(query.date_to))
    if query.e2e_id is not None:
        filters.append(PixTransfer.e2e_id == query.e2e_id)
    if query.txid is not None:
        filters.append(PixTransfer.txid == query.txid)
    order = [PixTransfer.created_at, PixTransfer.id]
    scope = owned(PixTransfer, caller, along_accounts=query.account_id is not None)
    return await page_of(tx, scope, filters, order, query.page(), total=await _total(tx, caller, query))


async def _total(tx: AsyncSession, caller: Caller, query: TransferQuery) -> int | None:
    """None: the tally does not know these filters, which match few."""
    if query.e2e_id is not None or query.txid is not None:
        return None
    facts = (query.account_id, None, query.date_from, query.date_to)
    return await total(tx, Counted(PixTransfer.__tablename__, caller.tenant_id, *facts, within=caller.accounts))
