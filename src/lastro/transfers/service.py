"""What may be done with internal transfers: make one, find them again."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Select, false, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.accounts.models import Account
from lastro.accounts.rules import no_account
from lastro.attempt import Answer, Attempt
from lastro.auth.caller import Caller, owned
from lastro.auth.spending import spend
from lastro.bank import Bank
from lastro.database import among
from lastro.errors import NotFound
from lastro.idempotency import once
from lastro.jsonapi.fields import end_of, start_of
from lastro.ledger import book
from lastro.ledger.movements import collect, transfer
from lastro.paging import Found, page_of
from lastro.providers.models import ProviderRow
from lastro.tally import totals
from lastro.tally.totals import Counted
from lastro.transfers import resources, rules
from lastro.transfers.models import InternalTransfer
from lastro.transfers.order import TransferOrder
from lastro.transfers.resources import TransferDocument, TransferQuery
from lastro.transfers.rules import Holding, Side
from lastro.transfers.states import COMPLETED, InternalTransferStatus
from lastro.values.text import Text
from lastro.values.time_ordered_id import first_id_at, new_id
from lastro.webhooks.announce import News, announce

_NO_TRANSFER = Text("Transferência não encontrada.", "Transfer not found.")


async def create(bank: Bank, caller: Caller, order: TransferOrder, attempt: Attempt | None) -> Answer:
    """Move the money, both sides in one transaction; durable when it returns.

    Raises NotFound, Unprocessable, Conflict, InsufficientBalance, Forbidden (over a cap of the token), Unavailable.
    """
    for account_id, pointer in ((order.account_id, rules.GIVES), (order.recipient_account_id, rules.TAKES)):
        if not caller.reaches(account_id):
            raise no_account(pointer)

    async def apply(tx: AsyncSession) -> TransferDocument:
        await _demand_two_sides(tx, caller, order)
        holdings = await _locked(tx, order)
        now = bank.now()  # behind the locks: no movement of these accounts is younger
        refusal = rules.may_transfer(holdings[order.account_id], holdings[order.recipient_account_id], order.amount)
        if refusal is not None:
            raise refusal
        await spend(tx, caller, order.amount, now=now)
        made = _transfer(order, caller.tenant_id, now)
        tx.add(made)
        await tx.flush()
        gives = transfer(order.account_id, order.amount, made.id)
        takes = collect(order.recipient_account_id, order.amount, made.id)
        await book.post(tx, [gives, takes], posted_at=now)
        document = resources.document(made)
        await announce(tx, [News(COMPLETED, made.tenant_id, made.account_id, made.id, 1, document.data)], now=now)
        return document

    return await once(bank.db, attempt, 201, bank.now(), apply)


async def _demand_two_sides(tx: AsyncSession, caller: Caller, order: TransferOrder) -> None:
    """Nobody's balance is locked before it is known to be the caller's. Raises NotFound, Unprocessable."""
    query = (
        owned(Account, caller)
        .join(ProviderRow, ProviderRow.id == Account.provider_id)
        .where(among(Account.id, {order.account_id, order.recipient_account_id}))
        .with_only_columns(Account.id, Account.currency, ProviderRow.house)
    )
    sides = {row.id: Side(row.currency, row.house) for row in await tx.execute(query)}
    for account_id, pointer in ((order.account_id, rules.GIVES), (order.recipient_account_id, rules.TAKES)):
        if account_id not in sides:
            raise no_account(pointer)
    if order.account_id == order.recipient_account_id:
        raise rules.itself()
    refusal = rules.may_connect(sides[order.account_id], sides[order.recipient_account_id])
    if refusal is not None:
        raise refusal


async def _locked(tx: AsyncSession, order: TransferOrder) -> Mapping[UUID, Holding]:
    """Both balances, locked in id order, and the statuses, which do not change meanwhile."""
    both = {order.account_id, order.recipient_account_id}
    money = await book.lock(tx, both)
    statuses = await tx.execute(select(Account.id, Account.status).where(among(Account.id, both)))
    return {row.id: Holding(row.status, money[row.id].available, money[row.id].total) for row in statuses}


def _transfer(order: TransferOrder, tenant_id: UUID, now: datetime) -> InternalTransfer:
    return InternalTransfer(
        account_id=order.account_id,
        id=new_id(now),
        tenant_id=tenant_id,
        recipient_account_id=order.recipient_account_id,
        amount=order.amount,
        status=InternalTransferStatus.COMPLETED,
        description=order.description,
        correlation_id=order.correlation_id,
        completed_at=now,
        created_at=now,
    )


def _seen(caller: Caller, *, along_accounts: bool = False) -> Select[InternalTransfer]:
    """The tenant's transfers of which the token reaches at least one side: each belongs to both."""
    scope = owned(InternalTransfer, replace(caller, accounts=None), along_accounts=along_accounts)
    if caller.accounts is None:
        return scope
    sides = (InternalTransfer.account_id, InternalTransfer.recipient_account_id)
    return scope.where(or_(*(among(side, caller.accounts) for side in sides)))


async def get(tx: AsyncSession, caller: Caller, transfer_id: UUID) -> InternalTransfer:
    """One internal transfer of the caller's. Raises NotFound."""
    found = (await tx.execute(_seen(caller).where(InternalTransfer.id == transfer_id))).scalar_one_or_none()
    if found is None:
        raise NotFound(_NO_TRANSFER)
    return found


async def search(tx: AsyncSession, caller: Caller, query: TransferQuery) -> Found[InternalTransfer]:
    """The caller's internal transfers under the query's filters, newest first."""
    filters: list[ColumnElement[bool]] = []
    if query.account_id is not None:
        filters.append(_of(caller, query.account_id))
    if query.date_from is not None:
        filters.append(InternalTransfer.id >= first_id_at(start_of(query.date_from)))
    if query.date_to is not None:
        filters.append(InternalTransfer.id < first_id_at(end_of(query.date_to)))
    if query.correlation_id is not None:
        filters.append(InternalTransfer.correlation_id == query.correlation_id)
    # The index of references names the tenant, so with one the accounts' own indexes are not the way.
    scope = _seen(caller, along_accounts=query.account_id is not None and query.correlation_id is None)
    total = await _total(tx, caller, query)
    return await page_of(tx, scope, filters, [InternalTransfer.id], query.page(), total=total)


def _of(caller: Caller, account_id: UUID) -> ColumnElement[bool]:
    """What one account gave and took; nothing, when it is beyond the token's reach."""
    if not caller.reaches(account_id):
        return false()
    return or_(InternalTransfer.account_id == account_id, InternalTransfer.recipient_account_id == account_id)


async def _total(tx: AsyncSession, caller: Caller, query: TransferQuery) -> int | None:
    """None: the tally counts a tenant's transfers by day; the sides of an account, references and a token's own
    accounts it does not know."""
    if query.account_id is not None or query.correlation_id is not None or caller.accounts is not None:
        return None
    days = (query.date_from, query.date_to)
    return await totals.total(tx, Counted(InternalTransfer.__tablename__, caller.tenant_id, None, None, *days))
