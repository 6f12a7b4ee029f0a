"""Keeps the promise to open an account: asks the provider's office, then writes branch and number."""

from collections.abc import Sequence

from sqlalchemy import select

from lastro.accounts.models import Account, AccountNumber
from lastro.accounts.service import cross
from lastro.accounts.states import AccountStatus
from lastro.bank import Bank
from lastro.ledger import book
from lastro.outbox import queue
from lastro.outbox.queue import Claimed, Waiting
from lastro.providers.protocol import Holder, Opened
from lastro.values.tax_id import TaxId


async def open_accounts(bank: Bank, claimed: Sequence[Claimed]) -> Sequence[Waiting]:
    """Open each account at its provider; repeating is harmless. Says which could not be opened now, and why.

    One account that its provider refuses does not stand in the way of those behind it.
    """
    waiting: list[Waiting] = []
    for each in claimed:
        try:
            await _open(bank, each)
        except Exception as error:  # noqa: BLE001 - whatever it was, the next account has its turn
            waiting.append(Waiting(each, f"{type(error).__name__}: {error}"))
    return waiting


async def _open(bank: Bank, claimed: Claimed) -> None:
    async with bank.db.transaction() as tx:
        account = (await tx.execute(select(Account).where(Account.id == claimed.reference))).scalar_one()
    opened = await _ask(bank, account) if account.status is AccountStatus.PENDING else None
    await _write(bank, claimed, opened)


async def _ask(bank: Bank, account: Account) -> Opened:
    provider = await bank.providers.get(account.provider_id)
    holder = Holder(account.holder_name, TaxId(account.holder_document, account.holder_document_type))
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
