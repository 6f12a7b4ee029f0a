"""Takes in many received Pix at once: look, decide, write. Called by the till.

A hot receiving account is the normal case, so credits are batched like payments, and its lock is held only while the
database writes: nobody waits for our turn of mind.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from lastro.accounts.states import AccountStatus
from lastro.database import Database
from lastro.pix.qrcodes import charges
from lastro.pix.transfers import crediting
from lastro.pix.transfers.crediting import Charges
from lastro.pix.transfers.order import Credit
from lastro.pix.transfers.rules import ReceivingAccount
from lastro.providers.protocol import PixReceived
from lastro.values.bank_account import AccountType
from lastro.values.money import Money


@dataclass(frozen=True, slots=True)
class Arrival:
    """A received Pix and the id that its transfer will have."""

    id: UUID
    provider_id: UUID
    pix: PixReceived
    arrived_at: datetime


@dataclass(frozen=True, slots=True)
class Verdict:
    """`rejected_with` is the reason code; None: credited, durably."""

    rejected_with: str | None


_LOOK = """
SELECT i.end_to_end_id IS NOT NULL AS judged, i.rejected_with,
       a.id AS account_id, a.status, a.holder_document, a.type,
       b.available_centavos + b.in_transit_centavos AS total
  FROM unnest($1::text[], $2::uuid[], $3::text[], $4::text[]) WITH ORDINALITY
       AS told(end_to_end_id, provider_id, branch, account_number, position)
  LEFT JOIN account_numbers n USING (provider_id, branch, account_number)
  LEFT JOIN providers p ON p.id = told.provider_id
  LEFT JOIN LATERAL (SELECT * FROM inbox i
                      WHERE i.end_to_end_id = told.end_to_end_id AND i.voucher = p.voucher LIMIT 1) i ON true
  LEFT JOIN accounts a ON a.id = n.account_id
  LEFT JOIN balances b ON b.account_id = n.account_id
 ORDER BY position
"""


async def accept(db: Database, arrivals: Sequence[Arrival]) -> list[Verdict]:
    """One verdict an arrival, in order; a message that was judged before gets the same verdict.

    Raises Overtaken when what they were judged by changed before it was written down: nothing is written then.
    Unavailable means that nobody knows what became of them; the next try will.
    """
    rows = await db.call(
        _LOOK,
        [each.pix.end_to_end_id for each in arrivals],
        [each.provider_id for each in arrivals],
        [each.pix.payee_account.branch for each in arrivals],
        [each.pix.payee_account.number for each in arrivals],
    )
    wanted = [
        _credit(arrival, row["account_id"]) for arrival, row in zip(arrivals, rows, strict=True) if not row["judged"]
    ]
    accounts = _accounts(rows)
    judgement = crediting.judge(wanted, accounts, await _charges(db, wanted))
    if wanted:
        now = max(each.arrived_at for each in wanted)
        await crediting.credit_if(db, wanted, judgement, accounts, now=now)
    return [
        Verdict(row["rejected_with"] if row["judged"] else judgement.refusals.get(arrival.id))
        for arrival, row in zip(arrivals, rows, strict=True)
    ]


def _accounts(rows: Sequence[asyncpg.Record]) -> Mapping[UUID, ReceivingAccount]:
    found = {row["account_id"]: row for row in rows if row["account_id"] is not None}
    return {
        account_id: ReceivingAccount(
            id=account_id,
            status=AccountStatus(row["status"]),
            holder_document=row["holder_document"],
            type=AccountType(row["type"]),
            total=Money(row["total"]),
        )
        for account_id, row in found.items()
    }


async def _charges(db: Database, wanted: Sequence[Credit]) -> Charges:
    named = {(each.account_id, each.txid) for each in wanted if each.account_id and each.txid}
    if not named:
        return {}
    async with db.reading() as tx:
        return await charges.find(tx, named)


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
        told_by=arrival.provider_id,
        arrived_at=arrival.arrived_at,
        credited_at=pix.credited_at,
    )
