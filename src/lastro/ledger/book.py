"""The only writer of the ledger: open an account's balance, lock balances, post movements, read a balance."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, DateTime, Text, Uuid, bindparam, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.database import among
from lastro.ledger.models import Balance
from lastro.ledger.movements import Movement
from lastro.values.money import Money


@dataclass(frozen=True, slots=True)
class Holdings:
    """An account's money: free to spend, and on its way out. `seq` counts the movements so far."""

    available: Money
    in_transit: Money
    seq: int

    @property
    def total(self) -> Money:
        """What the contract calls `balance`: the money that has not left yet."""
        return self.available + self.in_transit

    @property
    def nothing(self) -> bool:
        """No money and none on its way: the account may close."""
        return self.available.centavos == 0 and self.in_transit.centavos == 0


# The database does the sum, numbers the movements and holds the guards (migration 0004).
_POST = text(
    "SELECT post_movements(:account_ids, :sources, :targets, :amounts, :reasons, :refs, :posted_at)"
).bindparams(
    bindparam("account_ids", type_=ARRAY(Uuid())),
    bindparam("sources", type_=ARRAY(Text())),
    bindparam("targets", type_=ARRAY(Text())),
    bindparam("amounts", type_=ARRAY(BigInteger())),
    bindparam("reasons", type_=ARRAY(Text())),
    bindparam("refs", type_=ARRAY(Uuid())),
    bindparam("posted_at", type_=DateTime(timezone=True)),
)


async def open_balance(tx: AsyncSession, account_id: UUID) -> None:
    """Give a new account its empty balance."""
    tx.add(Balance(account_id=account_id, available=Money(0), in_transit=Money(0), seq=0))
    await tx.flush()


async def lock(tx: AsyncSession, account_ids: Collection[UUID]) -> dict[UUID, Holdings]:
    """Lock the balances of these accounts until the end of `tx`, in id order, and say what they hold.

    Whoever moves money or decides by it (a till, the worker, closing, blocking) comes through here first, so two of
    them can not wait for each other. Accounts that do not exist are absent from the answer.
    """
    rows = await tx.execute(
        select(Balance.account_id, Balance.available, Balance.in_transit, Balance.seq)
        .where(among(Balance.account_id, set(account_ids)))
        .order_by(Balance.account_id)
        .with_for_update(key_share=True)
    )
    return {row.account_id: Holdings(row.available, row.in_transit, row.seq) for row in rows}


async def post(tx: AsyncSession, movements: Sequence[Movement], *, posted_at: datetime) -> None:
    """Write these movements, in this order, and the balances that follow from them, in one statement.

    The accounts must be locked. Raises IntegrityError when a pot would go below zero, or when an account was already
    moved for the same reason and reference: nothing is written then.
    """
    if not movements:
        return
    await tx.execute(
        _POST,
        {
            "account_ids": [each.account_id for each in movements],
            "sources": [each.source for each in movements],
            "targets": [each.target for each in movements],
            "amounts": [each.amount.centavos for each in movements],
            "reasons": [each.reason for each in movements],
            "refs": [each.reference for each in movements],
            "posted_at": posted_at,
        },
    )


async def holdings(tx: AsyncSession, account_ids: Collection[UUID]) -> Mapping[UUID, Holdings]:
    """What these accounts hold, read without a lock."""
    rows = await tx.execute(
        select(Balance.account_id, Balance.available, Balance.in_transit, Balance.seq).where(
            among(Balance.account_id, set(account_ids))
        )
    )
    return {row.account_id: Holdings(row.available, row.in_transit, row.seq) for row in rows}
