"""Reads what was written: the movements of an account between two moments, and its money before and after them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, DateTime, Uuid, bindparam, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.ledger.models import MovementRow
from lastro.ledger.movements import Pot, Reason
from lastro.values.money import Money


@dataclass(frozen=True, slots=True)
class Span:
    """The movements after number `before`, up to and including number `last`; what the account held at both ends.

    It is fixed: what is written later lies outside.
    """

    before: int
    last: int
    opening: Money
    closing: Money


@dataclass(frozen=True, slots=True)
class Entry:
    """One movement by which money came in or went out, and what the account held after it."""

    seq: int
    posted_at: datetime
    reason: Reason
    reference: UUID
    is_credit: bool
    amount: Money
    total_after: Money


CREDITS = frozenset({Reason.RECEIVE, Reason.COLLECT})
DEBITS = frozenset({Reason.SETTLE, Reason.PAY, Reason.TRANSFER})
REFERENCE = MovementRow.reference
"""For conditions: the id of what a movement is about."""

# Two binary searches along the primary key (migration 0011) and two rows, in one statement: all see the same moment.
_SPAN = text(
    """
    WITH bounds AS MATERIALIZED (
        SELECT movements_before(:account_id, :since) AS before, movements_before(:account_id, :until) AS last
    )
    SELECT bounds.before, bounds.last,
           coalesce(opening.available_after_centavos + opening.in_transit_after_centavos, 0),
           coalesce(closing.available_after_centavos + closing.in_transit_after_centavos, 0)
      FROM bounds
      LEFT JOIN movements opening ON opening.account_id = :account_id AND opening.seq = bounds.before
      LEFT JOIN movements closing ON closing.account_id = :account_id AND closing.seq = bounds.last
    """
).bindparams(
    bindparam("account_id", type_=Uuid()),
    bindparam("since", type_=DateTime(timezone=True)),
    bindparam("until", type_=DateTime(timezone=True)),
)


async def span(tx: AsyncSession, account_id: UUID, since: datetime, until: datetime) -> Span:
    """What moved from `since` (included) to `until` (excluded). Costs a few reads, however long the history is."""
    found = await tx.execute(_SPAN, {"account_id": account_id, "since": since, "until": until})
    before, last, opening, closing = found.one()
    return Span(before, last, Money(opening), Money(closing))


async def entries(
    tx: AsyncSession,
    account_id: UUID,
    *,
    after: int,
    last: int,
    limit: int,
    reasons: Collection[Reason] = CREDITS | DEBITS,
    conditions: Sequence[ColumnElement[bool]] = (),
) -> Sequence[Entry]:
    """The first `limit` of the movements after number `after`, up to `last`, that happened for these reasons."""
    row = MovementRow
    query = (
        select(
            row.seq, row.posted_at, row.reason, row.reference, row.target, row.amount,
            row.available_after, row.in_transit_after,
        )
        .where(row.account_id == account_id, row.seq > after, row.seq <= last, row.reason.in_(sorted(reasons)))
        .where(*conditions)
        .order_by(row.seq)
        .limit(limit)
    )  # fmt: skip
    return [
        Entry(seq, posted_at, reason, reference, target is Pot.AVAILABLE, amount, available + in_transit)
        for seq, posted_at, reason, reference, target, amount, available, in_transit in await tx.execute(query)
    ]


async def count(tx: AsyncSession, account_id: UUID, *, after: int, last: int, most: int) -> int:
    """How many entries there are, counted up to `most`."""
    row = MovementRow
    entry = (
        select(row.seq)
        .where(row.account_id == account_id, row.seq > after, row.seq <= last, row.reason.in_(CREDITS | DEBITS))
        .limit(most)
    )
    counted: int = (await tx.execute(select(func.count()).select_from(entry.subquery()))).scalar_one()
    return counted
