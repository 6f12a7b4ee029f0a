"""X1: what we say has settled is what the network's own book says has settled, both ways, to the centavo."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import NamedTuple

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncResult

ID = "X1"
STATEMENT = "At rest, what settled here is what settled in the network's own book."

_ROWS_AT_ONCE = 10_000

# Collation "C" sorts as Python compares, so that the two books can be read side by side. What went another way than
# through the network stands in the book of whoever took it there.
_OURS = text(
    """
      WITH theirs AS (SELECT id AS provider_id FROM providers WHERE adapter = 'network')
    SELECT e2e_id COLLATE "C" AS end_to_end_id, 'SENT' COLLATE "C" AS kind, amount_centavos AS centavos
      FROM pix_payments JOIN theirs USING (provider_id)
     WHERE status IN ('COMPLETED', 'REVERSED') AND payee_account_id IS NULL
     UNION ALL
    SELECT refund.e2e_id, 'RETURNED_BY_US', refund.amount_centavos
      FROM pix_refunds refund JOIN theirs USING (provider_id)
      JOIN pix_transfers transfer ON transfer.account_id = refund.account_id AND transfer.id = refund.transfer_id
     WHERE refund.status = 'COMPLETED' AND transfer.payment_id IS NULL
     UNION ALL
    SELECT end_to_end_id, CASE kind WHEN 'PAYMENT' THEN 'RECEIVED' ELSE 'RETURNED_TO_US' END, amount_centavos
      FROM inbox JOIN theirs USING (provider_id) WHERE rejected_with IS NULL
     UNION ALL
    SELECT e2e_id, 'returned in all', returned_centavos
      FROM pix_payments JOIN theirs USING (provider_id) WHERE returned_centavos > 0 AND payee_account_id IS NULL
     ORDER BY 1, 2
    """
)
_THEIRS = text(
    """
    SELECT end_to_end_id COLLATE "C" AS end_to_end_id, kind::text COLLATE "C" AS kind, amount AS centavos
      FROM payment WHERE status = 'ACSC'
     UNION ALL
    SELECT original_end_to_end_id, 'returned in all', sum(amount)::bigint
      FROM payment WHERE status = 'ACSC' AND kind = 'RETURNED_TO_US' GROUP BY original_end_to_end_id
     ORDER BY 1, 2
    """
)


class _Line(NamedTuple):
    """An end-to-end id, which way the money went, how many centavos."""

    end_to_end_id: str
    kind: str
    centavos: int

    def __str__(self) -> str:
        return f"{self.end_to_end_id} {self.kind} {self.centavos} centavos"


async def differences(bank: AsyncConnection, network: AsyncConnection) -> AsyncIterator[str]:
    """Each line that only one of the books has, then the totals that differ; both connections are in a snapshot.

    The books are merged as they are read, so that neither has to fit in memory.
    """
    here, there = await _Reader.of(bank, _OURS), await _Reader.of(network, _THEIRS)
    ours, theirs = await here.next(), await there.next()
    while ours is not None or theirs is not None:
        if ours == theirs:
            ours, theirs = await here.next(), await there.next()
        elif theirs is None or (ours is not None and ours < theirs):
            yield f"{ours}: only the bank says so"
            ours = await here.next()
        else:
            yield f"{theirs}: only the network says so"
            theirs = await there.next()
    for kind in sorted(here.totals | there.totals):
        if here.totals[kind] != there.totals[kind]:
            yield f"{kind}: {here.totals[kind]} centavos at the bank, {there.totals[kind]} in the network"


class _Reader:
    """One of the books, line by line, with the sum of what was read of each kind."""

    def __init__(self, rows: AsyncResult[str, str, int]) -> None:
        self.totals: Counter[str] = Counter()
        self._rows = rows
        self._chunk: Iterator[_Line] = iter(())

    @classmethod
    async def of(cls, connection: AsyncConnection, question: TextClause) -> "_Reader":
        return cls(await connection.stream(question, execution_options={"yield_per": _ROWS_AT_ONCE}))

    async def next(self) -> _Line | None:
        line = next(self._chunk, None)
        if line is None:
            # One await for ten thousand lines, or waiting would cost more than comparing.
            self._chunk = iter([_Line(*row) for row in await self._rows.fetchmany(_ROWS_AT_ONCE)])
            line = next(self._chunk, None)
        if line is None:
            return None
        self.totals[line.kind] += line.centavos
        return line
