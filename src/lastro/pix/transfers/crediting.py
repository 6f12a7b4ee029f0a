"""Judges and writes credits, whoever brings them: the network, or another of our customers.

They are judged by what was read, and written behind the locks of the receiving balances if that still holds: one
function of the database does it (migration 0006). A charge belongs to one account, so it is not paid twice.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, DateTime, LargeBinary, Text, Uuid, bindparam, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import TypeEngine

from lastro.accounts.models import Account
from lastro.database import Database, among
from lastro.ledger import book
from lastro.pix.parties import packed
from lastro.pix.qrcodes import charges
from lastro.pix.qrcodes import rules as charge_rules
from lastro.pix.qrcodes.models import PixQrCode
from lastro.pix.transfers import resources, rules
from lastro.pix.transfers.order import Credit
from lastro.pix.transfers.rules import ReceivingAccount
from lastro.values.money import MAX_CENTAVOS, Money
from lastro.values.time_ordered_id import new_id
from lastro.webhooks.announce import frozen

RECEIVED = "pix.transfer.received"

Charges = Mapping[tuple[UUID, str], PixQrCode]
"""By account and txid."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """The code with which each refused credit is refused, and the charge that each of the others pays, if it does."""

    refusals: Mapping[UUID, str]
    paid: Mapping[UUID, PixQrCode]


def judge(wanted: Sequence[Credit], accounts: Mapping[UUID, ReceivingAccount], found: Charges) -> Judgement:
    """Decide on each credit in order."""
    credited: dict[UUID, Money] = {}
    refusals: dict[UUID, str] = {}
    paid: dict[UUID, PixQrCode] = {}
    taken: set[UUID] = set()
    for each in wanted:
        account = accounts.get(each.account_id) if each.account_id else None
        so_far = credited.get(account.id, Money(0)) if account else Money(0)
        code = rules.refusal(account, each.amount, each.payee_document, each.payee_type, so_far)
        charge = found.get((account.id, each.txid)) if account and each.txid else None
        if charge is not None:
            facts = charges.facts(charge)
            facts = replace(facts, paid=facts.paid or charge.id in taken)
            not_this = charge_rules.refusal(facts, each.amount, each.credited_at or each.arrived_at)
            if not_this is not None and each.credited_at is not None:
                charge = None  # its money is there already, and is the account's: it only pays no charge
            else:
                code = code or not_this
        if code is not None:
            refusals[each.id] = code
            continue
        assert account is not None  # noqa: S101 - without one there is a refusal
        credited[account.id] = so_far + each.amount
        if charge is not None:
            paid[each.id] = charge
            taken.add(charge.id)
    return Judgement(refusals, paid)


async def behind_locks(tx: AsyncSession, wanted: Sequence[Credit]) -> Judgement:
    """Lock the receiving balances, then judge: a status that changed while we waited must be seen."""
    accounts = await _lock(tx, {each.account_id for each in wanted if each.account_id is not None})
    found = await charges.find(tx, {(each.account_id, each.txid) for each in wanted if each.account_id and each.txid})
    return judge(wanted, accounts, found)


async def _lock(tx: AsyncSession, account_ids: Collection[UUID]) -> Mapping[UUID, ReceivingAccount]:
    money = await book.lock(tx, account_ids)
    facts = select(Account.id, Account.status, Account.holder_document, Account.type)
    rows = await tx.execute(facts.where(among(Account.id, money)))
    return {
        row.id: ReceivingAccount(row.id, row.status, row.holder_document, row.type, money[row.id].total) for row in rows
    }


_ARRAYS: dict[str, TypeEngine[Any]] = {
    "judged_ids": Uuid(),
    "judged_statuses": Text(),
    "told_by": Uuid(),
    "account_ids": Uuid(),
    "ids": Uuid(),
    "amounts": BigInteger(),
    "e2e_ids": Text(),
    "txids": Text(),
    "keys": Text(),
    "descriptions": Text(),
    "payers": Text(),
    "payment_account_ids": Uuid(),
    "payment_ids": Uuid(),
    "moments": DateTime(timezone=True),
    "refusals": Text(),
    "event_ids": Uuid(),
    "events": LargeBinary(),
    "charge_ids": Uuid(),
    "charge_event_ids": Uuid(),
    "charge_events": LargeBinary(),
}
_CREDIT = text(f"SELECT credit_pix({', '.join(f':{name}' for name in (*_ARRAYS, 'most', 'posted_at'))})").bindparams(
    *(bindparam(name, type_=ARRAY(kind)) for name, kind in _ARRAYS.items()),
    bindparam("most", type_=BigInteger()),
    bindparam("posted_at", type_=DateTime(timezone=True)),
)


async def credit(tx: AsyncSession, wanted: Sequence[Credit], judgement: Judgement, *, now: datetime) -> None:
    """Write the credits that were not refused. They were judged behind the locks."""
    if wanted:
        await tx.execute(_CREDIT, _parameters(wanted, judgement, {}, now=now))


async def credit_if(
    db: Database,
    wanted: Sequence[Credit],
    judgement: Judgement,
    judged: Mapping[UUID, ReceivingAccount],
    *,
    now: datetime,
) -> None:
    """Write the credits, and what the network told, as a transaction of its own.

    Raises Overtaken when an account that was `judged` without a lock is no longer as it was: nothing is written then.
    """
    places = ", ".join(f"${place}" for place in range(1, len(_ARRAYS) + 3))
    await db.call(f"SELECT credit_pix({places})", *_parameters(wanted, judgement, judged, now=now).values())


def _parameters(
    wanted: Sequence[Credit], judgement: Judgement, judged: Mapping[UUID, ReceivingAccount], *, now: datetime
) -> dict[str, Any]:
    """In the function's own order."""
    paid = [judgement.paid.get(each.id) for each in wanted]
    return {
        "judged_ids": list(judged),
        "judged_statuses": [each.status for each in judged.values()],
        "told_by": [each.told_by for each in wanted],
        "account_ids": [each.account_id for each in wanted],
        "ids": [each.id for each in wanted],
        "amounts": [each.amount.centavos for each in wanted],
        "e2e_ids": [each.end_to_end_id for each in wanted],
        "txids": [each.txid for each in wanted],
        "keys": [each.key for each in wanted],
        "descriptions": [each.description for each in wanted],
        "payers": [json.dumps(packed(each.payer), ensure_ascii=False) for each in wanted],
        "payment_account_ids": [each.payment and each.payment[0] for each in wanted],
        "payment_ids": [each.payment and each.payment[1] for each in wanted],
        "moments": [each.arrived_at for each in wanted],
        "refusals": [judgement.refusals.get(each.id) for each in wanted],
        "event_ids": [new_id(now) for _ in wanted],
        "events": [
            None if each.id in judgement.refusals else frozen(RECEIVED, resources.credited(each), version=1, now=now)
            for each in wanted
        ],
        "charge_ids": [charge and charge.id for charge in paid],
        "charge_event_ids": [charge and new_id(now) for charge in paid],
        "charge_events": [charge and charges.told_as_paid(charge, now=now) for charge in paid],
        "most": MAX_CENTAVOS,
        "posted_at": now,
    }
