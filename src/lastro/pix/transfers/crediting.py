"""Judges and writes credits, whoever brings them: the network, or another of our customers.

Behind the lock of the receiving balance: a charge belongs to one account, so that lock keeps it from being paid twice.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.accounts.models import Account
from lastro.database import among
from lastro.ledger import book
from lastro.ledger.movements import collect, receive
from lastro.pix.qrcodes import charges
from lastro.pix.qrcodes import rules as charge_rules
from lastro.pix.qrcodes.models import PixQrCode
from lastro.pix.transfers import resources, rules
from lastro.pix.transfers.models import PixTransfer, TransferStatus
from lastro.pix.transfers.rules import ReceivingAccount
from lastro.providers.protocol import Party
from lastro.values.bank_account import AccountType
from lastro.values.money import Money
from lastro.webhooks.announce import News, announce

RECEIVED = "pix.transfer.received"


@dataclass(frozen=True, slots=True)
class Credit:
    """Money for an account. `id` is the transfer's to be; `account_id` is None when the address is nobody's.

    `payment` is (account id, payment id) of the customer of ours who sent it; None: the network brought it.
    """

    id: UUID
    account_id: UUID | None
    end_to_end_id: str
    amount: Money
    payer: Party
    payee_document: str
    payee_type: AccountType
    key: str | None
    txid: str | None
    description: str | None
    payment: tuple[UUID, UUID] | None
    arrived_at: datetime


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was found of the accounts and their charges, and the code with which each refused credit is refused."""

    accounts: Mapping[UUID, ReceivingAccount]
    charges: Mapping[tuple[UUID, str], PixQrCode]
    refusals: Mapping[UUID, str]


async def judge(tx: AsyncSession, wanted: Sequence[Credit]) -> Judgement:
    """Lock the receiving balances, then decide on each credit in order."""
    accounts = await _lock(tx, {each.account_id for each in wanted if each.account_id is not None})
    found = await charges.find(tx, {(each.account_id, each.txid) for each in wanted if each.account_id and each.txid})
    credited: dict[UUID, Money] = {}
    paid: set[tuple[UUID, str]] = set()
    refusals: dict[UUID, str] = {}
    for each in wanted:
        account = accounts.get(each.account_id) if each.account_id else None
        so_far = credited.get(account.id, Money(0)) if account else Money(0)
        code = rules.refusal(account, each.amount, each.payee_document, each.payee_type, so_far)
        charge = found.get((account.id, each.txid)) if account and each.txid else None
        if charge is not None:
            facts = charges.facts(charge)
            facts = replace(facts, paid=facts.paid or (charge.account_id, charge.txid) in paid)
            code = code or charge_rules.refusal(facts, each.amount, each.arrived_at)
        if code is not None:
            refusals[each.id] = code
            continue
        assert account is not None  # noqa: S101 - without one there is a refusal
        credited[account.id] = so_far + each.amount
        if charge is not None:
            paid.add((charge.account_id, charge.txid))
    return Judgement(accounts, found, refusals)


async def _lock(tx: AsyncSession, account_ids: Collection[UUID]) -> Mapping[UUID, ReceivingAccount]:
    """The balances first, then the accounts: a status that changed while we waited must be seen."""
    money = await book.lock(tx, account_ids)
    facts = select(
        Account.id, Account.tenant_id, Account.provider_id, Account.status, Account.holder_document, Account.type
    )
    rows = await tx.execute(facts.where(among(Account.id, money)))
    return {
        row.id: ReceivingAccount(
            id=row.id,
            tenant_id=row.tenant_id,
            provider_id=row.provider_id,
            status=row.status,
            holder_document=row.holder_document,
            type=row.type,
            total=money[row.id].total,
        )
        for row in rows
    }


async def credit(tx: AsyncSession, wanted: Sequence[Credit], judgement: Judgement, *, now: datetime) -> None:
    """Write the credits that were not refused: transfers, money, paid charges and news."""
    passed = [each for each in wanted if each.id not in judgement.refusals]
    transfers = [_transfer(each, judgement) for each in passed]
    tx.add_all(transfers)
    await tx.flush()
    movements = [
        (receive if each.payment_id is None else collect)(each.account_id, each.amount, each.id) for each in transfers
    ]
    await book.post(tx, movements, posted_at=now)
    await announce(
        tx,
        [
            News(RECEIVED, each.tenant_id, each.account_id, each.id, each.version, resources.resource(each))
            for each in transfers
        ],
        now=now,
    )
    paid = [
        (judgement.charges[each.account_id, each.txid], each.id)
        for each in transfers
        if each.txid and (each.account_id, each.txid) in judgement.charges
    ]
    await charges.pay(tx, paid, now=now)


def _transfer(credit: Credit, judgement: Judgement) -> PixTransfer:
    assert credit.account_id is not None  # noqa: S101 - it was credited
    account = judgement.accounts[credit.account_id]
    payment_account_id, payment_id = credit.payment or (None, None)
    return PixTransfer(
        account_id=account.id,
        id=credit.id,
        tenant_id=account.tenant_id,
        provider_id=account.provider_id,
        amount=credit.amount,
        refunded=Money(0),
        status=TransferStatus.COMPLETED,
        e2e_id=credit.end_to_end_id,
        txid=credit.txid,
        key=credit.key,
        description=credit.description,
        payer=credit.payer,
        payment_account_id=payment_account_id,
        payment_id=payment_id,
        version=1,
        created_at=credit.arrived_at,
        updated_at=credit.arrived_at,
    )
