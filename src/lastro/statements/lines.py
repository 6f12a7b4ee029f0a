"""The lines of a statement: each movement that changed what an account holds, in the order of the ledger."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from lastro.ledger import history
from lastro.ledger.history import CREDITS, DEBITS
from lastro.statements import origins
from lastro.statements.origins import LineType, Origin
from lastro.values.money import Money


class Direction(StrEnum):
    """Money came in, or went out."""

    CREDIT = "CREDIT"
    DEBIT = "DEBIT"


@dataclass(frozen=True, slots=True)
class Line:
    """One line. Its id tells account and number, and nothing else has it."""

    id: UUID
    seq: int
    posted_at: datetime
    direction: Direction
    amount: Money
    balance_after: Money
    origin: Origin


_SEQ_BITS, _TAIL_BITS = 48, 62
_LOW = (1 << _TAIL_BITS) - 1


def line_id(account_id: UUID, seq: int) -> UUID:
    """The id of a line: a UUID of version 8 (RFC 9562), the movement's number in front, so that ids sort like lines,
    and a digest of account and number behind."""
    digest = hashlib.blake2b(account_id.bytes + seq.to_bytes(8), digest_size=10, person=b"statement-line").digest()
    seal = int.from_bytes(digest)
    upper = seq << 16 | 0x8000 | (seal >> _TAIL_BITS) & 0xFFF
    return UUID(int=upper << 64 | 0b10 << _TAIL_BITS | seal & _LOW)


def seq_of(account_id: UUID, id_of_line: UUID) -> int | None:
    """The movement's number, if this is the id of a line of this account."""
    seq = id_of_line.int >> 128 - _SEQ_BITS
    return seq if line_id(account_id, seq) == id_of_line else None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines somebody wants; None is all of them."""

    direction: Direction | None = None
    type: LineType | None = None


ALL = Wanted()
_REASONS = {None: CREDITS | DEBITS, Direction.CREDIT: CREDITS, Direction.DEBIT: DEBITS}


async def read(
    tx: AsyncSession, account_id: UUID, *, after: int, last: int, limit: int, wanted: Wanted = ALL
) -> Sequence[Line]:
    """The first lines among the movements after number `after`, up to `last`, oldest first."""
    reasons = _REASONS[wanted.direction]
    of_type, conditions = origins.narrowed(account_id, wanted.type) if wanted.type else (reasons, ())
    found = await history.entries(
        tx, account_id, after=after, last=last, limit=limit, reasons=reasons & of_type, conditions=conditions
    )
    known = await origins.find(tx, account_id, found)
    return [
        Line(
            id=line_id(account_id, each.seq),
            seq=each.seq,
            posted_at=each.posted_at,
            direction=Direction.CREDIT if each.is_credit else Direction.DEBIT,
            amount=each.amount,
            balance_after=each.total_after,
            origin=known[each.reference],
        )
        for each in found
    ]


async def are_more_than(tx: AsyncSession, account_id: UUID, most: int, *, after: int, last: int) -> bool:
    """Whether there are more lines than that; counts no further."""
    return await history.count(tx, account_id, after=after, last=last, most=most + 1) > most
