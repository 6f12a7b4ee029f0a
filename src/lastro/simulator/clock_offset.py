"""The network's clock, which a tester can move forward; where it stands survives a restart."""

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.simulator.book import ClockOffset
from lastro.simulator.wire import bad_request

FARTHEST = timedelta(days=100 * 366)


async def load(tx: AsyncSession) -> timedelta:
    """How far ahead the clock stands."""
    return timedelta(seconds=(await tx.execute(select(ClockOffset.seconds))).scalar_one_or_none() or 0)


async def advance(tx: AsyncSession, seconds: int) -> timedelta:
    """Move it so many seconds on; return where it stands now. Raises Refusal 400 beyond a hundred years."""
    row = insert(ClockOffset).values(id=1, seconds=seconds)
    more = {"seconds": ClockOffset.seconds + seconds}
    moved = row.on_conflict_do_update(index_elements=[ClockOffset.id], set_=more).returning(ClockOffset.seconds)
    offset = timedelta(seconds=(await tx.execute(moved)).scalar_one())
    if offset > FARTHEST:
        raise bad_request("O relógio não passa de cem anos à frente.")
    return offset
