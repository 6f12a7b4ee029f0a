"""Token buckets that limit our questions to the directory: each is charged to a payer, a tenant and a participant.

They are stricter than the directory's own (DICT API 2.12.1, "Políticas de limitação"), so that one tenant's scan ends
here and not in a refusal of everybody's questions. The lowest 30 % of each are for payments alone. Levels are kept in
thousandths of a token and refilled by the database's clock, which all processes share; docs/decisions/0012 says why.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, DateTime, bindparam, text
from sqlalchemy import Text as TextColumn
from sqlalchemy.ext.asyncio import AsyncSession

from lastro import metrics
from lastro.attempt import Overtaken
from lastro.errors import RateLimited
from lastro.pix.lookups.models import BudgetLevel
from lastro.providers.refusals import TOO_OFTEN
from lastro.values.tax_id import DocumentType, TaxId

MILLI = 1000
_MINUTE = 60_000_000  # microseconds


class Purpose(StrEnum):
    """What a question is for: only a payment's may use the reserve."""

    LOOKUP = "LOOKUP"
    PAYMENT = "PAYMENT"


@dataclass(frozen=True, slots=True)
class Size:
    """How many tokens a bucket holds, and how many thousandths of one flow into it each minute."""

    tokens: int
    milli_a_minute: int

    @property
    def full(self) -> int:
        """The most that it can hold, in thousandths."""
        return self.tokens * MILLI

    @property
    def reserve(self) -> int:
        """What a lookup must leave, in thousandths."""
        return self.full * 3 // 10

    def floor(self, purpose: Purpose) -> int:
        """How low a question of this purpose may bring it."""
        return self.reserve if purpose is Purpose.LOOKUP else 0


PERSON = Size(80, 1_600)
COMPANY = Size(500, 16_000)
TENANT = Size(4_000, 120_000)
# The Central Bank's categories of participants: what each may ask in a minute, and at once.
PARTICIPANTS: Mapping[str, Size] = {
    "A": Size(50_000, 25_000_000),
    "B": Size(40_000, 20_000_000),
    "C": Size(30_000, 15_000_000),
    "D": Size(16_000, 8_000_000),
    "E": Size(5_000, 2_500_000),
    "F": Size(500, 250_000),
    "G": Size(250, 25_000),
    "H": Size(50, 2_000),
}

Address = tuple[BudgetLevel, str]
BucketRow = tuple[int | None, datetime | None]
"""What is written of a bucket: thousandths, and the moment of which. Both are None when there is no row."""


@dataclass(frozen=True)
class Asker:
    """Who pays for a question: one bucket at each level."""

    payer: TaxId
    tenant_id: UUID
    ispb: str

    @property
    def size(self) -> Size:
        """The payer's own bucket."""
        return PERSON if self.payer.kind is DocumentType.CPF else COMPANY

    @cached_property
    def addresses(self) -> tuple[Address, Address, Address]:
        """Where the three buckets are."""
        return (
            (BudgetLevel.PAYER, self.payer.value),
            (BudgetLevel.TENANT, str(self.tenant_id)),
            (BudgetLevel.PLATFORM, self.ispb),
        )

    def sizes(self, participant: Size) -> Mapping[Address, Size]:
        """How large they are, in that order."""
        return dict(zip(self.addresses, (self.size, TENANT, participant), strict=True))


@dataclass(frozen=True, slots=True)
class Entry:
    """Tokens taken from an asker, or (below zero) given to it, alike on every level.

    With a purpose it is refused as a whole when one level has too little. Without one it is the settling of an earlier
    charge: never refused, it stops at empty and at full.
    """

    asker: Asker
    tokens: int
    purpose: Purpose | None = None


@dataclass(slots=True)
class Bucket:
    """A bucket while its row is locked. `refilled_at` is None as long as there is no row: then it is full."""

    size: Size
    level: int
    refilled_at: datetime | None = None
    changed: bool = field(default=False)

    @classmethod
    def read(cls, size: Size, row: BucketRow, now: datetime) -> "Bucket":
        """As it is now, from its row's level and moment; without a row it is full."""
        level, refilled_at = row
        bucket = cls(size, size.full if level is None else level, refilled_at)
        # The time may have been read before a wait for the lock: `refill` never goes back. And it takes away what lies
        # above the size, if the category is a smaller one than yesterday's.
        bucket.refill(now)
        return bucket

    @property
    def known(self) -> bool:
        """Whether there is a row."""
        return self.refilled_at is not None

    def refill(self, now: datetime) -> None:
        """Let in what has come since. Time that made no whole thousandth yet is kept, however often one looks."""
        if self.refilled_at is None or now <= self.refilled_at:
            return
        elapsed = (now - self.refilled_at) // timedelta(microseconds=1)
        gained = elapsed * self.size.milli_a_minute // _MINUTE
        if self.level + gained >= self.size.full:
            self.level, self.refilled_at = self.size.full, now
        else:
            used = -(-gained * _MINUTE // self.size.milli_a_minute)
            self.level, self.refilled_at = self.level + gained, self.refilled_at + timedelta(microseconds=used)

    def seconds_until(self, level: int) -> int:
        """How long until it has filled up to `level`; 0 when it has."""
        return max(0, -(-(level - self.level) * 60 // self.size.milli_a_minute))

    def take(self, millitokens: int) -> None:
        """Take, or give when below zero; stops at empty and at full."""
        level = min(self.size.full, max(0, self.level - millitokens))
        self.changed |= level != self.level
        self.level = level


Reserved = Mapping[Address, int]
"""Tokens that are spoken for: they are still in the bucket, and nobody else may have them."""

NOTHING: Reserved = {}


async def apply(
    tx: AsyncSession, entries: Sequence[Entry], *, participant: Size, reserved: Reserved = NOTHING
) -> list[RateLimited | None]:
    """Carry out entries in their order: one verdict each, None when it was carried out.

    The rows stay locked until `tx` ends, which should be at once. That end does not wait for the disk: a crash of the
    database may forget the last fraction of a second, and a token more or less harms nobody. Raises Overtaken when
    another process wrote one of the buckets for the first time meanwhile: nothing is written then.
    """
    if not entries:
        return []
    buckets = await _lock(tx, [entry.asker for entry in entries], participant)
    verdicts = [carry_out(entry, buckets, reserved) for entry in entries]
    await _write(tx, {address: bucket for address, bucket in buckets.items() if bucket.changed})
    return verdicts


def carry_out(entry: Entry, buckets: Mapping[Address, Bucket], reserved: Reserved = NOTHING) -> RateLimited | None:
    """Take an entry from its three buckets, or from none of them and say when to come back."""
    if entry.purpose is not None:
        refusal = refused(entry.asker, entry.tokens, entry.purpose, buckets, reserved)
        if refusal is not None:
            return refusal
    for address in entry.asker.addresses:
        buckets[address].take(entry.tokens * MILLI)
    return None


def refused(
    asker: Asker, tokens: int, purpose: Purpose, buckets: Mapping[Address, Bucket], reserved: Reserved
) -> RateLimited | None:
    """Whether one of the three has too little, and when to come back."""
    longest, emptiest = 0, BudgetLevel.PAYER
    for address in asker.addresses:
        bucket = buckets[address]
        needed = (tokens + reserved.get(address, 0)) * MILLI
        seconds = bucket.seconds_until(bucket.size.floor(purpose) + needed)
        if seconds > longest:
            longest, emptiest = seconds, address[0]
    if not longest:
        return None
    metrics.LOOKUPS_REFUSED.labels(emptiest, purpose).inc()
    return RateLimited(TOO_OFTEN, retry_after=longest)


_LOCK = text(
    """
    SELECT b.level, b.holder, b.millitokens, b.refilled_at, clock_timestamp() AS now
      FROM unnest(:levels, :holders) AS asked(level, holder)
      JOIN lookup_budgets b USING (level, holder)
     ORDER BY b.level, b.holder
       FOR NO KEY UPDATE OF b
    """
).bindparams(bindparam("levels", type_=ARRAY(TextColumn())), bindparam("holders", type_=ARRAY(TextColumn())))


async def _lock(tx: AsyncSession, askers: Collection[Asker], participant: Size) -> dict[Address, Bucket]:
    """Lock and refill the buckets, in one order everywhere, so that two processes can not wait for each other."""
    sizes: dict[Address, Size] = {}
    for asker in askers:
        sizes |= asker.sizes(participant)
    buckets = {address: Bucket(size, size.full) for address, size in sizes.items()}
    rows = await tx.execute(
        _LOCK, {"levels": [level.value for level, _ in buckets], "holders": [holder for _, holder in buckets]}
    )
    for row in rows:
        address = BudgetLevel(row.level), row.holder
        buckets[address] = Bucket.read(sizes[address], (row.millitokens, row.refilled_at), row.now)
    return buckets


_PLACES = (
    bindparam("levels", type_=ARRAY(TextColumn())),
    bindparam("holders", type_=ARRAY(TextColumn())),
    bindparam("millitokens", type_=ARRAY(BigInteger())),
)
_UPDATE = text(
    """
    UPDATE lookup_budgets b
       SET millitokens = u.millitokens, refilled_at = u.refilled_at
      FROM unnest(:levels, :holders, :millitokens, :moments) AS u(level, holder, millitokens, refilled_at),
           set_config('synchronous_commit', 'off', true)
     WHERE b.level = u.level AND b.holder = u.holder
    """
).bindparams(*_PLACES, bindparam("moments", type_=ARRAY(DateTime(timezone=True))))
_INSERT = text(
    """
    INSERT INTO lookup_budgets (level, holder, millitokens, refilled_at)
    SELECT u.level, u.holder, u.millitokens, clock_timestamp()
      FROM unnest(:levels, :holders, :millitokens) AS u(level, holder, millitokens),
           set_config('synchronous_commit', 'off', true)
     ORDER BY u.level, u.holder
        ON CONFLICT DO NOTHING
    """
).bindparams(*_PLACES)


async def _write(tx: AsyncSession, buckets: Mapping[Address, Bucket]) -> None:
    old = {address: bucket for address, bucket in buckets.items() if bucket.known}
    new = {address: bucket for address, bucket in buckets.items() if not bucket.known}
    if old:
        await tx.execute(_UPDATE, _places(old) | {"moments": [bucket.refilled_at for bucket in old.values()]})
    if new:
        result = await tx.execute(_INSERT, _places(new))
        if getattr(result, "rowcount", -1) != len(new):
            raise Overtaken


def _places(buckets: Mapping[Address, Bucket]) -> dict[str, object]:
    return {
        "levels": [level.value for level, _ in buckets],
        "holders": [holder for _, holder in buckets],
        "millitokens": [bucket.level for bucket in buckets.values()],
    }
