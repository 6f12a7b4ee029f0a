"""Credits many received Pix in one transaction: look, lock, decide, write. Called by the till.

A hot receiving account is the normal case, so credits are batched like payments.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.accounts.models import Account, AccountNumber
from lastro.attempt import Overtaken
from lastro.database import among
from lastro.ledger import book
from lastro.ledger.movements import receive
from lastro.pix import inbox
from lastro.pix.inbox import InboxRow, MessageKind
from lastro.pix.transfers import resources, rules
from lastro.pix.transfers.models import PixTransfer, TransferStatus
from lastro.pix.transfers.rules import ReceivingAccount
from lastro.providers.protocol import PixReceived
from lastro.values.money import Money
from lastro.webhooks.announce import News, announce

RECEIVED = "pix.transfer.received"

Address = tuple[UUID, str, str]
"""(provider id, branch, account number)"""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A received Pix and the id that its transfer will have."""

    id: UUID
    provider_id: UUID
    pix: PixReceived
    arrived_at: datetime

    @property
    def address(self) -> Address:
        """Which account the network means."""
        return self.provider_id, self.pix.payee_account.branch, self.pix.payee_account.number


@dataclass(frozen=True, slots=True)
class Verdict:
    """`rejected_with` is the reason code; None: credited, durably."""

    rejected_with: str | None


async def accept(tx: AsyncSession, arrivals: Sequence[Arrival]) -> list[Verdict]:
    """One verdict an arrival, in order; a message that was judged before gets the same verdict.

    Raises Overtaken when another process judged one of them first: nothing is written then.
    """
    known = await inbox.known(tx, [each.pix.end_to_end_id for each in arrivals])
    fresh = [each for each in arrivals if each.pix.end_to_end_id not in known]
    accounts = await _lock(tx, {each.address for each in fresh})
    verdicts = _decide(fresh, accounts)
    await _write(tx, fresh, verdicts, accounts)
    return [
        Verdict(known[each.pix.end_to_end_id].rejected_with) if each.pix.end_to_end_id in known else verdicts[each.id]
        for each in arrivals
    ]


async def _lock(tx: AsyncSession, addresses: set[Address]) -> Mapping[Address, ReceivingAccount]:
    rows = await tx.execute(
        select(AccountNumber).where(
            among(AccountNumber.provider_id, {provider_id for provider_id, _, _ in addresses}),
            among(AccountNumber.account_number, {number for _, _, number in addresses}),
        )
    )
    numbers = [row for row in rows.scalars() if (row.provider_id, row.branch, row.account_number) in addresses]
    money = await book.lock(tx, {row.account_id for row in numbers})
    facts = select(Account.id, Account.tenant_id, Account.status, Account.holder_document, Account.type)
    found = await tx.execute(facts.where(among(Account.id, money)))
    accounts = {
        row.id: ReceivingAccount(row.id, row.tenant_id, row.status, row.holder_document, row.type, money[row.id].total)
        for row in found
    }
    return {(row.provider_id, row.branch, row.account_number): accounts[row.account_id] for row in numbers}


def _decide(arrivals: Sequence[Arrival], accounts: Mapping[Address, ReceivingAccount]) -> dict[UUID, Verdict]:
    credited: dict[Address, Money] = {}
    verdicts: dict[UUID, Verdict] = {}
    for each in arrivals:
        pix = each.pix
        so_far = credited.get(each.address, Money(0))
        code = rules.refusal(
            accounts.get(each.address), pix.amount, pix.payee_tax_id.value, pix.payee_account.kind, so_far
        )
        if code is None:
            credited[each.address] = so_far + pix.amount
        verdicts[each.id] = Verdict(code)
    return verdicts


async def _write(
    tx: AsyncSession,
    arrivals: Sequence[Arrival],
    verdicts: Mapping[UUID, Verdict],
    accounts: Mapping[Address, ReceivingAccount],
) -> None:
    if not arrivals:
        return
    now = max(each.arrived_at for each in arrivals)
    await _write_down(tx, arrivals, verdicts, accounts)
    credited = [(each, accounts[each.address]) for each in arrivals if verdicts[each.id].rejected_with is None]
    transfers = [_transfer(each, account) for each, account in credited]
    tx.add_all(transfers)
    await tx.flush()
    await book.post(tx, [receive(each.account_id, each.amount, each.id) for each in transfers], posted_at=now)
    await announce(
        tx,
        [
            News(RECEIVED, each.tenant_id, each.account_id, each.id, each.version, resources.resource(each))
            for each in transfers
        ],
        now=now,
    )


async def _write_down(
    tx: AsyncSession,
    arrivals: Sequence[Arrival],
    verdicts: Mapping[UUID, Verdict],
    accounts: Mapping[Address, ReceivingAccount],
) -> None:
    """The inbox rows, in id order, so that two processes can not wait for each other."""
    rows = [
        {
            "end_to_end_id": each.pix.end_to_end_id,
            "kind": MessageKind.PAYMENT,
            "provider_id": each.provider_id,
            "account_id": accounts[each.address].id if each.address in accounts else None,
            "reference": each.id if verdicts[each.id].rejected_with is None else None,
            "original_id": None,
            "amount": each.pix.amount,
            "rejected_with": verdicts[each.id].rejected_with,
            "created_at": each.arrived_at,
        }
        for each in sorted(arrivals, key=lambda arrival: arrival.pix.end_to_end_id)
    ]
    statement = insert(InboxRow).on_conflict_do_nothing().returning(InboxRow.end_to_end_id)
    written = (await tx.execute(statement, rows)).scalars().all()
    if len(written) != len(rows):
        raise Overtaken


def _transfer(arrival: Arrival, account: ReceivingAccount) -> PixTransfer:
    pix = arrival.pix
    return PixTransfer(
        account_id=account.id,
        id=arrival.id,
        tenant_id=account.tenant_id,
        provider_id=arrival.provider_id,
        amount=pix.amount,
        refunded=Money(0),
        status=TransferStatus.COMPLETED,
        e2e_id=pix.end_to_end_id,
        txid=pix.txid,
        key=pix.key,
        description=pix.description,
        payer=pix.payer,
        version=1,
        created_at=arrival.arrived_at,
        updated_at=arrival.arrived_at,
    )
