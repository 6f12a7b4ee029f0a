"""Keeps the promise to open an account: asks the provider's office, then writes branch and number."""

from collections.abc import Sequence
from functools import partial

from sqlalchemy import select

from lastro.accounts.models import Account, AccountNumber
from lastro.accounts.service import cross
from lastro.accounts.states import AccountStatus
from lastro.bank import Bank
from lastro.ledger import book
from lastro.outbox import queue
from lastro.outbox.errands import side_by_side
from lastro.outbox.queue import Claimed, Waiting
from lastro.providers.protocol import Holder, Opened
from lastro.values.tax_id import TaxId


async def open_accounts(bank: Bank, claimed: Sequence[Claimed]) -> Sequence[Waiting]:
    """Open each account at its provider; repeating is harmless. Says which could not be opened now, and why."""
    return await side_by_side(claimed, partial(_open, bank))


async def _open(bank: Bank, claimed: Claimed) -> None:
    async with bank.db.transaction() as tx:
        account = (await tx.execute(select(Account).where(Account.id == claimed.reference))).scalar_one()
    opened = await _ask(bank, account) if account.status is AccountStatus.PENDING else None
    await _write(bank, claimed, opened)


async def _ask(bank: Bank, account: Account) -> Opened:
    provider = await bank.providers.get(account.provider_id)
    # The name under which the holder was approved: a new one is reviewed first, and a repetition must say the same.
    holder = Holder(
        account.approved_name or account.holder_name, TaxId(account.holder_document, account.holder_document_type)
    )
    return await provider.speaks.open_account(
        holder, account.type, ispb=provider.ispb, provider_id=provider.id, request_id=account.id
    )


async def _write(bank: Bank, claimed: Claimed, opened: Opened | None) -> None:
    async with bank.db.transaction() as tx:
        query = select(Account).where(Account.id == claimed.reference).with_for_update(key_share=True)
        account = (await tx.execute(query)).scalar_one()
        if opened is not None and account.status is AccountStatus.PENDING:
            account.branch, account.account_number = opened.branch, opened.number
            tx.add(
                AccountNumber(
                    provider_id=account.provider_id,
                    branch=opened.branch,
                    account_number=opened.number,
                    account_id=account.id,
                )
            )
            money = await book.holdings(tx, [account.id])
            await cross(tx, account, AccountStatus.ACTIVE, money[account.id], now=bank.now())
        await queue.keep(tx, [claimed.id])
