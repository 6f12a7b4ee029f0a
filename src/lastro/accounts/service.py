"""What may be done with accounts."""

from datetime import datetime
from uuid import UUID

import asyncpg
from sqlalchemy import ColumnElement, delete
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.accounts import resources, rules
from lastro.accounts.models import Account, AccountFacts, OpenAccount
from lastro.accounts.order import UNCHANGED, Alteration, Application
from lastro.accounts.states import EDGES, AccountStatus
from lastro.attempt import Answer, Attempt
from lastro.auth.caller import Caller, owned
from lastro.bank import Bank, Consequence
from lastro.database import Database, constraint_of
from lastro.errors import Conflict, PreconditionFailed
from lastro.idempotency import once
from lastro.ledger import book
from lastro.ledger.book import Holdings
from lastro.outbox import queue
from lastro.outbox.queue import Promise
from lastro.paging import Found, page_of
from lastro.providers.directory import no_provider
from lastro.values.bank_account import AccountType
from lastro.values.money import Money
from lastro.values.tax_id import DocumentType
from lastro.values.text import Text
from lastro.values.time_ordered_id import new_id
from lastro.webhooks.announce import News, announce

OPEN = "account.open"
"""The promise to have the provider open an account; made when its holder is approved."""

_EXISTS = Text(
    "Já existe uma conta para este documento no provedor.", "The provider already has an account for this document."
)
_FORBIDDEN_STEP = Text(
    "A conta está {status}; esta operação não é possível.", "The account is {status}; this is not possible."
)
_STALE = Text("A conta mudou desde a sua leitura.", "The account changed since you read it.")


async def create(bank: Bank, caller: Caller, application: Application, attempt: Attempt | None) -> Answer:
    """Take an application; the account opens when its holder's documents are approved.

    A provider without that desk has seen its customers' documents already: the account opens at once. Raises NotFound,
    Validation, Unprocessable, Conflict.
    """
    provider = await bank.providers.of_tenant(application.provider_id, caller.tenant_id)
    refusal = rules.may_open(application, provider.offer, strict=provider.strict_documents)
    now = bank.now()

    async def apply(tx: AsyncSession) -> resources.AccountDocument:
        if refusal is not None:  # in here, so that a repetition is answered what it was, whatever changed since
            raise refusal
        account = await add(tx, new_id(now), caller.tenant_id, application, now=now)
        if provider.offer.reviewed_elsewhere:
            await queue.promise(tx, [Promise(OPEN, account.id, account.id)])
        return resources.document(account, (await book.holdings(tx, [account.id]))[account.id])

    answer = await once(bank.db, attempt, 201, now, apply)
    bank.doorbell.ring()
    return answer


async def add(
    tx: AsyncSession, account_id: UUID, tenant_id: UUID, application: Application, *, now: datetime
) -> Account:
    """Write a pending account with its empty balance. Raises Conflict when the document has one at this provider."""
    account = Account(
        id=account_id,
        tenant_id=tenant_id,
        provider_id=application.provider_id,
        holder_name=application.holder_name,
        holder_document=application.holder_document.value,
        holder_document_type=application.holder_document.kind,
        type=application.type,
        status=AccountStatus.PENDING,
        currency="BRL",
        extra=application.metadata,
        version=1,
        created_at=now,
        updated_at=now,
    )
    tx.add(account)
    tx.add(
        OpenAccount(
            provider_id=application.provider_id,
            holder_document=application.holder_document.value,
            account_id=account_id,
        )
    )
    try:
        await tx.flush()
    except IntegrityError as error:
        if constraint_of(error) == "pk_open_accounts":
            raise Conflict(_EXISTS) from error
        if constraint_of(error) == "fk_accounts_provider_id":  # taken away in this very moment
            raise no_provider("/data/attributes/providerId") from error
        raise
    await book.open_balance(tx, account_id)
    return account


_GET = """
SELECT a.id, a.provider_id, a.holder_name, a.holder_document, a.holder_document_type, a.type, a.status, a.branch,
       a.account_number, a.currency, a.metadata, a.version, a.created_at, a.updated_at,
       b.available_centavos, b.in_transit_centavos, b.seq
  FROM accounts a JOIN balances b ON b.account_id = a.id
 WHERE a.tenant_id = $1 AND a.id = $2
"""


async def get(db: Database, caller: Caller, account_id: UUID) -> tuple[AccountFacts, Holdings]:
    """One account of the caller's, and its money, in one trip: nothing is read more often. Raises NotFound."""
    rows = await db.look(_GET, caller.tenant_id, account_id) if caller.reaches(account_id) else []
    if not rows:
        raise rules.no_account()
    return _facts(rows[0]), Holdings(
        Money(rows[0]["available_centavos"]), Money(rows[0]["in_transit_centavos"]), rows[0]["seq"]
    )


def _facts(row: asyncpg.Record) -> AccountFacts:
    return AccountFacts(
        id=row["id"],
        provider_id=row["provider_id"],
        holder_name=row["holder_name"],
        holder_document=row["holder_document"],
        holder_document_type=DocumentType(row["holder_document_type"]),
        type=AccountType(row["type"]),
        status=AccountStatus(row["status"]),
        branch=row["branch"],
        account_number=row["account_number"],
        currency=row["currency"],
        extra=row["metadata"],
        version=row["version"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


async def search(
    tx: AsyncSession, caller: Caller, query: resources.AccountQuery
) -> tuple[Found[Account], dict[UUID, Holdings]]:
    """The caller's accounts under the query's filters, newest first."""
    filters: list[ColumnElement[bool]] = []
    if query.status is not None:
        filters.append(Account.status == query.status)
    if query.type is not None:
        filters.append(Account.type == query.type)
    if query.provider_id is not None:
        filters.append(Account.provider_id == query.provider_id)
    found = await page_of(tx, owned(Account, caller), filters, [Account.created_at, Account.id], query.page())
    return found, dict(await book.holdings(tx, [account.id for account in found.rows]))


async def change(
    tx: AsyncSession, caller: Caller, account_id: UUID, alteration: Alteration, *, now: datetime, renamed: Consequence
) -> tuple[Account, Holdings]:
    """Change the name or the metadata; `renamed` follows from another name. Raises NotFound, Conflict,
    PreconditionFailed."""
    account = await _locked(tx, caller, account_id)
    refusal = rules.may_change(account.status)
    if refusal is not None:
        raise refusal
    if alteration.seen_versions is not None and account.version not in alteration.seen_versions:
        raise PreconditionFailed(_STALE)
    new_name = alteration.holder_name is not UNCHANGED and alteration.holder_name != account.holder_name
    if alteration.holder_name is not UNCHANGED:
        account.holder_name = alteration.holder_name
    if alteration.metadata is not UNCHANGED:
        account.extra = alteration.metadata
    account.version += 1
    account.updated_at = now
    await tx.flush()
    if new_name:
        await renamed(tx, account_id, now)
    return account, (await book.holdings(tx, [account_id]))[account_id]


async def close(bank: Bank, caller: Caller, account_id: UUID, attempt: Attempt | None) -> Answer:
    """Close an empty account for good. Raises NotFound, Conflict."""

    async def apply(tx: AsyncSession) -> resources.ClosedDocument:
        money = await book.lock(tx, [account_id])
        now = bank.now()  # behind the lock: no movement of this account is younger
        account = await _locked(tx, caller, account_id)
        opening = account.approved_name is not None
        refusal = rules.may_close(account.status, empty=money[account_id].nothing, opening=opening)
        if refusal is not None:
            raise refusal
        await bank.consequences.closed(tx, account_id, now)
        account.closed_at = now
        await cross(tx, account, AccountStatus.CLOSED, money[account_id], now=now)
        await tx.execute(delete(OpenAccount).where(OpenAccount.account_id == account_id))
        return resources.closed(account, money[account_id])

    return await once(bank.db, attempt, 200, bank.now(), apply)


async def block(bank: Bank, caller: Caller, account_id: UUID, attempt: Attempt | None) -> Answer:
    """Stop money from moving, in and out. What is under way still settles. Raises NotFound, Conflict."""
    return await _move(bank, caller, account_id, attempt, AccountStatus.BLOCKED, come_from=AccountStatus.ACTIVE)


async def unblock(bank: Bank, caller: Caller, account_id: UUID, attempt: Attempt | None) -> Answer:
    """Let money move again. Raises NotFound, Conflict."""
    return await _move(bank, caller, account_id, attempt, AccountStatus.ACTIVE, come_from=AccountStatus.BLOCKED)


async def _move(
    bank: Bank,
    caller: Caller,
    account_id: UUID,
    attempt: Attempt | None,
    to: AccountStatus,
    *,
    come_from: AccountStatus,
) -> Answer:
    async def apply(tx: AsyncSession) -> resources.AccountDocument:
        # The balance first: a till that holds it has read the old status, and must be done before the status changes.
        money = await book.lock(tx, [account_id])
        account = await _locked(tx, caller, account_id)
        if account.status is not come_from:
            raise Conflict(_FORBIDDEN_STEP.fill(status=account.status))
        await cross(tx, account, to, money[account_id], now=bank.now())
        return resources.document(account, money[account_id])

    return await once(bank.db, attempt, 200, bank.now(), apply)


async def cross(tx: AsyncSession, account: Account, to: AccountStatus, money: Holdings, *, now: datetime) -> None:
    """Take one step of the life: the status and its news land together."""
    edge = EDGES[account.status, to]
    account.status = to
    account.version += 1
    account.updated_at = now
    await tx.flush()
    news = News(
        edge.emits, account.tenant_id, account.id, account.id, account.version, resources.resource(account, money)
    )
    await announce(tx, [news], now=now)


async def _locked(tx: AsyncSession, caller: Caller, account_id: UUID) -> Account:
    query = owned(Account, caller).where(Account.id == account_id).with_for_update(key_share=True)
    account = (await tx.execute(query)).scalar_one_or_none()
    if account is None:
        raise rules.no_account()
    return account
