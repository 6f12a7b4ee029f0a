"""Takes in many received Pix in one transaction: look, lock, decide, write. Called by the till.

A hot receiving account is the normal case, so credits are batched like payments.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.accounts.models import AccountNumber
from lastro.attempt import Overtaken
from lastro.database import among
from lastro.pix import inbox
from lastro.pix.inbox import InboxRow, MessageKind
from lastro.pix.transfers import crediting
from lastro.pix.transfers.crediting import Credit, Judgement
from lastro.providers.protocol import PixReceived

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
    owners = await _owners(tx, {each.address for each in fresh})
    wanted = [_credit(each, owners.get(each.address)) for each in fresh]
    judgement = await crediting.judge(tx, wanted)
    if fresh:
        await _write_down(tx, fresh, wanted, judgement)
        await crediting.credit(tx, wanted, judgement, now=max(each.arrived_at for each in fresh))
    return [
        Verdict(known[each.pix.end_to_end_id].rejected_with)
        if each.pix.end_to_end_id in known
        else Verdict(judgement.refusals.get(each.id))
        for each in arrivals
    ]


async def _owners(tx: AsyncSession, addresses: set[Address]) -> Mapping[Address, UUID]:
    rows = await tx.execute(
        select(AccountNumber).where(
            among(AccountNumber.provider_id, {provider_id for provider_id, _, _ in addresses}),
            among(AccountNumber.account_number, {number for _, _, number in addresses}),
        )
    )
    return {(row.provider_id, row.branch, row.account_number): row.account_id for row in rows.scalars()}


def _credit(arrival: Arrival, account_id: UUID | None) -> Credit:
    pix = arrival.pix
    return Credit(
        id=arrival.id,
        account_id=account_id,
        end_to_end_id=pix.end_to_end_id,
        amount=pix.amount,
        payer=pix.payer,
        payee_document=pix.payee_tax_id.value,
        payee_type=pix.payee_account.kind,
        key=pix.key,
        txid=pix.txid,
        description=pix.description,
        payment=None,
        arrived_at=arrival.arrived_at,
    )


async def _write_down(
    tx: AsyncSession, arrivals: Sequence[Arrival], wanted: Sequence[Credit], judgement: Judgement
) -> None:
    """The inbox rows, in id order, so that two processes can not wait for each other."""
    rows = [
        {
            "end_to_end_id": each.end_to_end_id,
            "kind": MessageKind.PAYMENT,
            "provider_id": arrival.provider_id,
            "account_id": each.account_id,
            "reference": each.id if each.id not in judgement.refusals else None,
            "original_id": None,
            "amount": each.amount,
            "rejected_with": judgement.refusals.get(each.id),
            "created_at": each.arrived_at,
        }
        for each, arrival in sorted(zip(wanted, arrivals, strict=True), key=lambda pair: pair[0].end_to_end_id)
    ]
    statement = insert(InboxRow).on_conflict_do_nothing().returning(InboxRow.end_to_end_id)
    written = (await tx.execute(statement, rows)).scalars().all()
    if len(written) != len(rows):
        raise Overtaken
