"""How often a payer may ask the directory: DICT's token buckets, kept in the book.

Source: DICT API 2.12.1, "Políticas de limitação", ENTRIES_READ_USER_ANTISCAN. One bucket a payer: 100 tokens and 2 a
minute for a person, 1000 and 20 for a company; a key found costs 1, one not found 20; a payment that settles after a
lookup gives back 1 or 2. The bucket may go below zero; whoever has less than one token is refused.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.simulator.book import Lookup, LookupBucket
from lastro.simulator.wire import Refusal

COST_OF_FOUND, COST_OF_NOT_FOUND = 1, 20
_CPF_LENGTH = 11


@dataclass(frozen=True, slots=True)
class _Size:
    """Tokens: the most there can be, how many come a minute, how many a payment gives back."""

    capacity: int
    a_minute: int
    a_payment: int


_PERSON, _COMPANY = _Size(100, 2, 1), _Size(1000, 20, 2)


@dataclass(frozen=True, slots=True)
class Bucket:
    """A payer's bucket, locked until the transaction ends."""

    payer_id: str
    thousandths: int
    now: datetime


async def hold(tx: AsyncSession, payer_id: str) -> Bucket:
    """Lock and refill the payer's bucket. Raises Refusal 429 when it holds less than one token."""
    size = _size(payer_id)
    full = insert(LookupBucket).values(
        payer_id=payer_id, thousandths=size.capacity * 1000, refilled_at=func.clock_timestamp()
    )
    await tx.execute(full.on_conflict_do_nothing())
    columns = select(LookupBucket.thousandths, LookupBucket.refilled_at, func.clock_timestamp())
    row = (await tx.execute(columns.where(LookupBucket.payer_id == payer_id).with_for_update())).one()
    held, refilled_at, now = row
    # One token a minute is one thousandth in 60 ms.
    elapsed_milliseconds = max(0, int((now - refilled_at).total_seconds() * 1000))
    level = min(size.capacity * 1000, held + elapsed_milliseconds * size.a_minute // 60)
    if level < 1000:  # noqa: PLR2004 - one token
        seconds = -(-(1000 - level) * 60 // (size.a_minute * 1000))
        raise Refusal(429, "RateLimited", "Consultas demais: aguarde.", retry_after=seconds)
    return Bucket(payer_id, level, now)


async def spend(tx: AsyncSession, bucket: Bucket, tokens: int, end_to_end_id: str) -> None:
    """Take tokens; when the key was found, remember which payment may give some back."""
    left = {"thousandths": bucket.thousandths - tokens * 1000, "refilled_at": bucket.now}
    await tx.execute(update(LookupBucket).where(LookupBucket.payer_id == bucket.payer_id).values(left))
    if tokens == COST_OF_FOUND:
        seen = insert(Lookup).values(end_to_end_id=end_to_end_id, payer_id=bucket.payer_id)
        await tx.execute(seen.on_conflict_do_nothing())


async def give_back(tx: AsyncSession, end_to_end_ids: Sequence[str]) -> None:
    """These payments settled: each that followed a lookup gives its tokens back, once."""
    followed = delete(Lookup).where(Lookup.end_to_end_id.in_(end_to_end_ids)).returning(Lookup.payer_id)
    payers = (await tx.execute(followed.execution_options(synchronize_session=False))).scalars().all()
    # In one order everywhere, so that two batches can not wait for each other.
    for payer_id in sorted(set(payers)):
        size = _size(payer_id)
        more = LookupBucket.thousandths + payers.count(payer_id) * size.a_payment * 1000
        await tx.execute(
            update(LookupBucket)
            .where(LookupBucket.payer_id == payer_id)
            .values(thousandths=func.least(more, size.capacity * 1000, type_=LookupBucket.thousandths.type))
        )


def _size(payer_id: str) -> _Size:
    return _PERSON if len(payer_id) == _CPF_LENGTH else _COMPANY
