"""promise, claim, keep, postpone, give up: the life of a promise. A job may run 0, 1 or 2 times without harm."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, Select, Text, Uuid, bindparam, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.database import Database, among
from lastro.outbox.models import Alert, PromiseRow

LEASE_SECONDS = 10
HURRIED_ATTEMPTS = 12  # about five minutes of doubling pauses; then a human is told
LONGEST_PAUSE_SECONDS = 120.0
GIVEN_UP_PAUSE_SECONDS = 3_600.0
LARGEST_CLAIM = 100

WORKERS = 0x4C415354  # the class of the advisory locks by which workers show that they live ("LAST")


@dataclass(frozen=True, slots=True)
class Promise:
    """What is owed: a topic (what to do) about a reference (to what) of an account."""

    topic: str
    account_id: UUID
    reference: UUID


@dataclass(frozen=True, slots=True)
class Claimed:
    """A promise that this worker holds for `LEASE_SECONDS`; `attempts` includes this one."""

    id: int
    topic: str
    account_id: UUID
    reference: UUID
    attempts: int


@dataclass(frozen=True, slots=True)
class Concern:
    """Something that a human must look at."""

    kind: str
    account_id: UUID
    reference: UUID
    detail: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """A promise that could not be kept now, and why."""

    claimed: Claimed
    why: str


_PROMISE = text(
    "INSERT INTO outbox (topic, account_id, reference) SELECT * FROM unnest(:topics, :account_ids, :refs)"
).bindparams(
    bindparam("topics", type_=ARRAY(Text())),
    bindparam("account_ids", type_=ARRAY(Uuid())),
    bindparam("refs", type_=ARRAY(Uuid())),
)

# The low-water mark keeps the scan off the dead entries that kept promises leave at the head of the index. An array,
# because a join may be planned as a walk through all that is owed.
_CLAIM = f"""
    WITH due AS (
        SELECT id FROM outbox
         WHERE id >= $2 AND due_at <= clock_timestamp()
         ORDER BY id LIMIT {LARGEST_CLAIM} FOR UPDATE SKIP LOCKED
    )
    UPDATE outbox o
       SET due_at = clock_timestamp() + make_interval(secs => {LEASE_SECONDS}),
           leased_by = $1, attempts = o.attempts + 1
     WHERE o.id = ANY (ARRAY(SELECT id FROM due))
 RETURNING o.id, o.topic, o.account_id, o.reference, o.attempts
"""  # noqa: S608 - the two numbers are constants above

_POSTPONE = text(
    """
    UPDATE outbox o
       SET due_at = clock_timestamp() + later.milliseconds * interval '1 millisecond', leased_by = NULL
      FROM unnest(:ids, :milliseconds) AS later(id, milliseconds)
     WHERE o.id = later.id AND o.leased_by = :worker
 RETURNING o.id
    """
).bindparams(bindparam("ids", type_=ARRAY(BigInteger())), bindparam("milliseconds", type_=ARRAY(BigInteger())))

_TAKE_OVER = text(
    """
    UPDATE outbox SET due_at = clock_timestamp(), leased_by = NULL
     WHERE leased_by IS NOT NULL
       AND leased_by NOT IN (SELECT objid::bigint FROM pg_locks
                              WHERE locktype = 'advisory' AND classid = :workers AND granted
                                AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
    """
)


async def promise(tx: AsyncSession, promises: Sequence[Promise]) -> None:
    """Owe these, if `tx` commits."""
    if promises:
        await tx.execute(
            _PROMISE,
            {
                "topics": [each.topic for each in promises],
                "account_ids": [each.account_id for each in promises],
                "refs": [each.reference for each in promises],
            },
        )


async def claim(db: Database, *, worker: int, low_water: int) -> list[Claimed]:
    """Take up to a hundred promises that are due, oldest first; two workers never take the same one."""
    rows = await db.call(_CLAIM, worker, low_water)
    return sorted((Claimed(*row) for row in rows), key=lambda claimed: claimed.id)


@dataclass(frozen=True, slots=True)
class Sight:
    """The oldest promise that could be seen, and which transactions were still open then."""

    lowest: int
    oldest_open: int
    next_to_open: int


class LowWater:
    """Below this id no promise is owed, nor ever will be: claims start here.

    An id is taken before its transaction commits, so the oldest promise in sight is no such mark: an older one may
    still be on its way. It becomes one when every transaction that was open at that sight has ended.
    """

    def __init__(self) -> None:
        self.mark = 0
        self._before: Sight | None = None

    def look(self, sight: Sight) -> None:
        """Take in what is seen now, some seconds after the last time."""
        if self._before is not None and sight.oldest_open >= self._before.next_to_open:
            self.mark = max(self.mark, min(self._before.lowest, sight.lowest))
            self._before = None
        if self._before is None:
            self._before = sight


_SIGHT = text(
    """
    SELECT coalesce(min(id), (SELECT last_value FROM outbox_id_seq)),
           pg_snapshot_xmin(pg_current_snapshot())::text::bigint,
           pg_snapshot_xmax(pg_current_snapshot())::text::bigint
      FROM outbox WHERE id >= :low_water
    """
)


async def sight(tx: AsyncSession, *, low_water: int) -> Sight:
    """Look for the oldest promise above the mark."""
    return Sight(*(await tx.execute(_SIGHT, {"low_water": low_water})).one())


async def lateness(tx: AsyncSession) -> float:
    """Seconds that the oldest due promise has waited; 0 when none is due."""
    waited = func.extract("epoch", func.clock_timestamp() - func.min(PromiseRow.due_at))
    return max(0.0, float((await tx.execute(select(waited))).scalar_one() or 0))


def owed(topic: str) -> Select[UUID, UUID]:
    """The account and the reference of every promise of this topic that is not kept yet."""
    return select(PromiseRow.account_id, PromiseRow.reference).where(PromiseRow.topic == topic)


async def keep(tx: AsyncSession, ids: Sequence[int]) -> None:
    """These are done; the effect is in the same transaction."""
    if ids:
        await tx.execute(
            text("DELETE FROM outbox WHERE id = ANY(:ids)").bindparams(bindparam("ids", type_=ARRAY(BigInteger()))),
            {"ids": list(ids)},
        )


def pause_after(attempts: int) -> float:
    """Seconds until the next try: 0.2, 0.4, 0.8 … two minutes, jittered; an hour once it was given up."""
    if attempts >= HURRIED_ATTEMPTS:
        return GIVEN_UP_PAUSE_SECONDS
    pause = min(0.1 * 2.0**attempts, LONGEST_PAUSE_SECONDS)
    return pause * random.uniform(0.75, 1.25)  # noqa: S311 - jitter, not a secret


async def postpone(tx: AsyncSession, waiting: Sequence[Waiting], *, worker: int) -> None:
    """Not now: try these again after a pause that doubles. A promise that ran out of hurry is given up.

    Those that were kept meanwhile, or that another worker took over, are left alone.
    """
    if not waiting:
        return
    rows = await tx.execute(
        _POSTPONE,
        {
            "ids": [each.claimed.id for each in waiting],
            "milliseconds": [max(1, round(pause_after(each.claimed.attempts) * 1000)) for each in waiting],
            "worker": worker,
        },
    )
    postponed = set(rows.scalars())
    tired = [each for each in waiting if each.claimed.id in postponed and each.claimed.attempts >= HURRIED_ATTEMPTS]
    await give_up(tx, tired)


async def give_up(tx: AsyncSession, waiting: Sequence[Waiting]) -> None:
    """Stop hurrying and tell a human. Money that is owed a verdict is still asked about, every hour."""
    await alert(
        tx,
        [
            Concern(f"given_up:{each.claimed.topic}", each.claimed.account_id, each.claimed.reference, each.why)
            for each in waiting
        ],
    )


async def alert(tx: AsyncSession, concerns: Sequence[Concern], *, anew: bool = False) -> None:
    """Leave notes for a human, in the transaction of what caused them; one of a kind for each reference.

    `anew`: what was seen to once, and happened again, is told again.
    """
    if not concerns:
        return
    known_ones = select(Alert.kind, Alert.reference).where(
        among(Alert.reference, {each.reference for each in concerns})
    )
    told = await tx.execute(known_ones.where(Alert.resolved_at.is_(None)) if anew else known_ones)
    known = {(row.kind, row.reference) for row in told}
    for each in concerns:
        if (each.kind, each.reference) not in known:
            known.add((each.kind, each.reference))
            tx.add(Alert(kind=each.kind, account_id=each.account_id, reference=each.reference, detail=each.detail))


async def take_over(tx: AsyncSession) -> int:
    """Free the promises of workers that died: their locks are gone. Says how many."""
    result = await tx.execute(_TAKE_OVER, {"workers": WORKERS})
    return int(getattr(result, "rowcount", 0))
