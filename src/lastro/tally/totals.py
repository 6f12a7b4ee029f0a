"""total, fold, pending: how many rows a list has, exact at every instant, and the work that keeps this cheap.

The triggers of the counted tables leave a change for each cell that a statement touches; whoever writes to these
tables, in whatever way, can not forget it. The worker folds changes into the roll-up. A total is one statement over
both, so one snapshot: nothing is counted twice or not at all while it is being folded.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    SQLColumnExpression,
    Uuid,
    any_,
    bindparam,
    cast,
    func,
    select,
    text,
)
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.database import among
from lastro.tally.models import EVERY_ACCOUNT, Tally, TallyChange

FOLDED_AT_ONCE = 1_000  # changes; and, of those that name many accounts, as many as name this many together:
CELLS_AT_ONCE = 40_000  # about a second of work

_FOLDING = 0x54414C4C  # the advisory lock of whoever folds ("TALL")


@dataclass(frozen=True, slots=True)
class Counted:
    """Which rows to count: of a table, of a tenant; narrower by what is given. Both days are included.

    `within`: only rows of these accounts, whichever was asked for.
    """

    kind: str
    tenant_id: UUID
    account_id: UUID | None = None
    label: str | None = None
    first_day: date | None = None
    last_day: date | None = None
    within: frozenset[UUID] | None = None

    @property
    def accounts(self) -> Collection[UUID]:
        """The accounts whose rows are counted; EVERY_ACCOUNT alone is all of the tenant's."""
        if self.account_id is None:
            return [EVERY_ACCOUNT] if self.within is None else self.within
        return [self.account_id] if self.within is None or self.account_id in self.within else []


async def total(tx: AsyncSession, counted: Counted) -> int:
    """How many there are, this instant."""
    accounts = counted.accounts
    if not accounts:
        return 0
    theirs = Tally.account_id == next(iter(accounts)) if len(accounts) == 1 else among(Tally.account_id, accounts)
    rolled_up = select(func.sum(Tally.n)).where(theirs, *_cells(Tally, counted))
    pending = select(func.sum(_share(accounts))).where(*_cells(TallyChange, counted))
    both = [func.coalesce(each.scalar_subquery(), 0) for each in (rolled_up, pending)]
    found: int = (await tx.execute(select(cast(both[0] + both[1], BigInteger)))).scalar_one()
    return found


def _cells(table: type[Tally | TallyChange], counted: Counted) -> list[ColumnElement[bool]]:
    conditions = [table.tenant_id == counted.tenant_id, table.kind == counted.kind]
    if counted.label is not None:
        conditions.append(table.label == counted.label)
    if counted.first_day is not None:
        conditions.append(table.day >= counted.first_day)
    if counted.last_day is not None:
        conditions.append(table.day <= counted.last_day)
    return conditions


def _share(accounts: Collection[UUID]) -> SQLColumnExpression[Any]:
    """What of a change is these accounts'."""
    if EVERY_ACCOUNT in accounts:
        return TallyChange.n
    if len(accounts) == 1:
        (account_id,) = accounts
        return TallyChange.counts[func.array_position(TallyChange.account_ids, account_id)]
    share = func.unnest(TallyChange.account_ids, TallyChange.counts).table_valued("account_id", "n").render_derived()
    theirs = share.c.account_id == any_(bindparam(None, sorted(accounts), type_=ARRAY(Uuid()), unique=True))
    return select(func.sum(share.c.n)).select_from(share).where(theirs).correlate(TallyChange).scalar_subquery()


# The oldest first: what takes a row out of a cell is younger than what put it in, so that no cell falls below zero.
_FOLD = text(
    f"""
    WITH taken AS (
        DELETE FROM tally_changes
         WHERE id IN (SELECT id
                        FROM (SELECT id, sum(cardinality(account_ids)) OVER oldest_first AS cells,
                                     row_number() OVER oldest_first AS place
                                FROM (SELECT id, account_ids FROM tally_changes ORDER BY id LIMIT {FOLDED_AT_ONCE}) few
                              WINDOW oldest_first AS (ORDER BY id)) counted
                       WHERE cells <= {CELLS_AT_ONCE} OR place = 1)
        RETURNING tenant_id, kind, label, day, n, account_ids, counts
    ), cell AS (
        SELECT tenant_id, '{EVERY_ACCOUNT}'::uuid AS account_id, kind, label, day, sum(n) AS n
          FROM taken GROUP BY tenant_id, kind, label, day HAVING sum(n) <> 0
         UNION ALL
        SELECT tenant_id, share.account_id, kind, label, day, sum(share.n)
          FROM taken CROSS JOIN unnest(account_ids, counts) AS share(account_id, n)
         GROUP BY tenant_id, share.account_id, kind, label, day HAVING sum(share.n) <> 0
    )
    MERGE INTO tally
    USING cell ON tally.tenant_id = cell.tenant_id AND tally.account_id = cell.account_id AND tally.kind = cell.kind
              AND tally.label = cell.label AND tally.day = cell.day
     WHEN MATCHED AND tally.n + cell.n = 0 THEN DELETE
     WHEN MATCHED THEN UPDATE SET n = tally.n + cell.n
     WHEN NOT MATCHED THEN INSERT (tenant_id, account_id, kind, label, day, n)
          VALUES (cell.tenant_id, cell.account_id, cell.kind, cell.label, cell.day, cell.n)
    """  # noqa: S608 - constants above
)


async def fold(tx: AsyncSession) -> bool:
    """Roll up the oldest changes, unless somebody else is at it. Says whether it was done."""
    if not (await tx.execute(select(func.pg_try_advisory_xact_lock(_FOLDING, 0)))).scalar_one():
        return False
    await tx.execute(text("SET LOCAL statement_timeout = '14s'"))  # nobody waits for it
    await tx.execute(_FOLD)
    return True


async def pending(tx: AsyncSession) -> int:
    """How many changes wait to be rolled up: totals read each of them."""
    return int((await tx.execute(select(func.count()).select_from(TallyChange))).scalar_one())


COUNTED = ("pix_payments", "pix_transfers", "pix_refunds", "internal_transfers")

RECOUNT: Sequence[str] = (
    "TRUNCATE tally, tally_changes",
    *(
        f"""
        INSERT INTO tally (tenant_id, account_id, kind, label, day, n)
        SELECT tenant_id, coalesce(account_id, '{EVERY_ACCOUNT}'), '{table}', status, day, count(*)
          FROM (SELECT tenant_id, account_id, status, (created_at AT TIME ZONE 'America/Sao_Paulo')::date AS day
                  FROM {table}) counted
         GROUP BY GROUPING SETS ((tenant_id, account_id, status, day), (tenant_id, status, day))
        """  # noqa: S608 - constants above
        for table in COUNTED
    ),
)
"""For the owner of the schema, when rows came in while the triggers were disabled: as a bank of ten million does."""
