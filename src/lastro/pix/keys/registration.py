"""What the worker does with keys: send the code, bring the key to the directory, take it out again.

An exception from the directory means that nothing is known: the key stays as it is, and the same request under the same
id goes out again later. Each handler may run twice without harm.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.accounts.models import Account
from lastro.bank import Bank
from lastro.errors import Conflict, Unprocessable
from lastro.outbox import queue
from lastro.outbox.errands import side_by_side
from lastro.outbox.queue import Claimed, Waiting
from lastro.pix.keys import crossing
from lastro.pix.keys.models import PixKeyRow
from lastro.pix.keys.possession import code_of
from lastro.pix.keys.states import KeyStage
from lastro.providers.protocol import Holder
from lastro.values.bank_account import BankAccount
from lastro.values.pix_key import PixKey
from lastro.values.tax_id import TaxId

_NOT_A_VERDICT = "RequestIdAlreadyUsed"  # says that we contradict ourselves, not that the directory does not have it


async def prove(bank: Bank, claimed: Sequence[Claimed]) -> Sequence[Waiting]:
    """Send the codes by which customers prove that they have an e-mail address or a phone."""
    return await side_by_side(claimed, partial(_prove, bank))


async def register(bank: Bank, claimed: Sequence[Claimed]) -> Sequence[Waiting]:
    """Bring keys to the directory."""
    return await side_by_side(claimed, partial(_register, bank))


async def remove(bank: Bank, claimed: Sequence[Claimed]) -> Sequence[Waiting]:
    """Take keys out of the directory."""
    return await side_by_side(claimed, partial(_remove, bank))


async def _prove(bank: Bank, claimed: Claimed) -> None:
    async with bank.db.transaction() as tx:
        key = await _read(tx, claimed)
    expires_at = key.code_expires_at
    if key.stage is KeyStage.AWAITING_CODE and key.value and expires_at and expires_at > bank.now():
        provider = await bank.providers.get(key.provider_id)
        code = code_of(key.id, bank.code_secret)
        await provider.speaks.send_code(key.type, key.value, code=code, key_id=key.id, expires_at=expires_at)
    async with bank.db.transaction() as tx:
        await queue.keep(tx, [claimed.id])


async def _register(bank: Bank, claimed: Claimed) -> None:
    async with bank.db.transaction() as tx:
        key = await _read(tx, claimed)
        account = (await tx.execute(select(Account).where(Account.id == key.account_id))).scalar_one()
    answer = await _ask(bank, key, account) if _unanswered(key) else None
    async with bank.db.transaction() as tx:
        key = await _read(tx, claimed, locked=True)
        if answer is not None and _unanswered(key):
            await _write(tx, key, answer, bank.now())
        await queue.keep(tx, [claimed.id])


def _unanswered(key: PixKeyRow) -> bool:
    """Whether the directory still owes an answer to the registration."""
    return key.stage is KeyStage.REGISTERING or (key.stage is KeyStage.REMOVING and key.removal_id is None)


async def _ask(bank: Bank, key: PixKeyRow, account: Account) -> PixKey | str:
    """The key as the directory has it, or the code with which it refuses. Built from what does not change."""
    assert account.branch is not None  # noqa: S101 - it was active when the key was asked for
    assert account.account_number is not None  # noqa: S101
    provider = await bank.providers.get(key.provider_id)
    try:
        return await provider.speaks.register_key(
            PixKey(key.type, key.value) if key.value is not None else None,
            kind=key.type,
            owner=Holder(key.holder_name, TaxId(account.holder_document, account.holder_document_type)),
            account=BankAccount(provider.ispb, account.branch, account.account_number, account.type),
            request_id=key.registration_id,
        )
    except (Conflict, Unprocessable) as error:
        if error.reason == _NOT_A_VERDICT:
            raise
        return error.reason or "EntryInvalid"


async def _write(tx: AsyncSession, key: PixKeyRow, answer: PixKey | str, now: datetime) -> None:
    """Write down the directory's answer. Who deleted the key meanwhile wants it out of there."""
    if isinstance(answer, str):
        if key.stage is KeyStage.REGISTERING:
            key.failure_reason = answer
        await crossing.let_go(tx, key, now=now)
        return
    if key.value is None:
        key.value = answer.value
        holder = await crossing.claim(tx, key)
        if holder is not None:
            raise RuntimeError("the directory made an EVP that it had made before")
    if key.stage is KeyStage.REGISTERING:
        await crossing.cross(tx, key, KeyStage.ACTIVE, now=now)
    else:
        await crossing.promise_removal(tx, key)


async def _remove(bank: Bank, claimed: Claimed) -> None:
    async with bank.db.transaction() as tx:
        key = await _read(tx, claimed)
    if key.stage is KeyStage.REMOVING and key.value is not None and key.removal_id is not None:
        provider = await bank.providers.get(key.provider_id)
        await provider.speaks.remove_key(PixKey(key.type, key.value), ispb=provider.ispb, request_id=key.removal_id)
    async with bank.db.transaction() as tx:
        key = await _read(tx, claimed, locked=True)
        if key.stage is KeyStage.REMOVING:
            await crossing.let_go(tx, key, now=bank.now())
        await queue.keep(tx, [claimed.id])


async def _read(tx: AsyncSession, claimed: Claimed, *, locked: bool = False) -> PixKeyRow:
    query = select(PixKeyRow).where(PixKeyRow.account_id == claimed.account_id, PixKeyRow.id == claimed.reference)
    return (await tx.execute(query.with_for_update() if locked else query)).scalar_one()
