"""Whether the books balance after a run: by sums of our own here, and by `lastro check` where it exists."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass

import asyncpg

from bench.place import Place

# One statement, so all counts are of one moment. Settled payments have left the outbox in the same commit.
_COUNTS = """
WITH sums AS (
    SELECT account_id, count(*) AS movements,
           sum(amount_centavos * ((target = 'AVAILABLE')::int - (source = 'AVAILABLE')::int)) AS available,
           sum(amount_centavos * ((target = 'IN_TRANSIT')::int - (source = 'IN_TRANSIT')::int)) AS in_transit,
           count(*) FILTER (WHERE reason = 'HOLD') AS held, count(*) FILTER (WHERE reason = 'SETTLE') AS settled,
           count(*) FILTER (WHERE reason = 'RELEASE') AS released,
           count(*) FILTER (WHERE reason = 'RECEIVE') AS credited
      FROM movements GROUP BY account_id
), paid AS (
    SELECT count(*) AS payments, count(*) FILTER (WHERE status = 'PROCESSING') AS processing,
           count(*) FILTER (WHERE status = 'COMPLETED') AS completed,
           count(*) FILTER (WHERE status = 'FAILED') AS failed
      FROM pix_payments
)
SELECT paid.*,
       (SELECT count(*) FROM pix_transfers) AS received,
       (SELECT count(*) FROM pix_qrcodes) AS codes,
       (SELECT coalesce(sum(held), 0)::bigint FROM sums) AS held,
       (SELECT coalesce(sum(settled), 0)::bigint FROM sums) AS settled,
       (SELECT coalesce(sum(released), 0)::bigint FROM sums) AS released,
       (SELECT coalesce(sum(credited), 0)::bigint FROM sums) AS credited,
       (SELECT count(*) FROM idempotency) AS answers,
       (SELECT count(*) FROM outbox WHERE topic = 'pix.payment.settle') AS owed,
       (SELECT count(*) FROM balances b FULL JOIN sums USING (account_id)
         WHERE b.available_centavos IS DISTINCT FROM sums.available
            OR b.in_transit_centavos IS DISTINCT FROM sums.in_transit
            OR b.seq IS DISTINCT FROM sums.movements) AS wrong_balances,
       (SELECT count(*) FROM alerts) AS alerts
  FROM paid
"""


@dataclass(frozen=True, slots=True)
class Counts:
    """What the database holds."""

    payments: int
    processing: int
    completed: int
    failed: int
    received: int
    codes: int
    held: int
    settled: int
    released: int
    credited: int
    answers: int
    owed: int
    wrong_balances: int
    alerts: int

    def flaws(self) -> list[str]:
        """What does not fit together; empty when the books balance."""
        return [
            f"{what}: {one} and {other}"
            for what, one, other in (
                ("payments and holds", self.payments, self.held),
                ("payments with codes, and stored answers", self.payments + self.codes, self.answers),
                ("completed payments and settlements", self.completed, self.settled),
                ("failed payments and releases", self.failed, self.released),
                ("received Pix and credits", self.received, self.credited),
                ("payments on their way and promises to settle", self.processing, self.owed),
                ("balances that do not follow from their movements", self.wrong_balances, 0),
                ("alerts", self.alerts, 0),
            )
            if one != other
        ]


@dataclass(slots=True)
class Made:
    """What the clients saw answered, and how many requests at most were under way when they looked away."""

    answered: int = 0
    in_flight: int = 0

    def flaws(self, made: int, what: str) -> list[str]:
        """Whether as much was made as was answered."""
        if self.answered <= made <= self.answered + self.in_flight:
            return []
        return [f"{what}: {made} were made, {self.answered} were answered, at most {self.in_flight} were under way"]


async def count(place: Place, database: str) -> Counts:
    """Count and sum, at one moment."""
    connection = await asyncpg.connect(place.owners_url(database))
    try:
        row = await connection.fetchrow(_COUNTS)
        assert row is not None
        return Counts(**dict(row))
    finally:
        await connection.close()


async def owed(place: Place, database: str) -> int:
    """Promises that nobody has kept yet; cheap enough to be asked while the clock runs."""
    connection = await asyncpg.connect(place.owners_url(database))
    try:
        return int(await connection.fetchval("SELECT count(*) FROM outbox"))
    finally:
        await connection.close()


async def check(place: Place, database: str, before: Counts, made: Mapping[str, Made]) -> list[str]:
    """What is wrong with the books by our own sums, given what the clients saw answered. Empty: they balance."""
    after = await count(place, database)
    flaws = after.flaws()
    for what in ("payments", "received", "codes"):
        flaws += made.get(what, Made()).flaws(getattr(after, what) - getattr(before, what), what)
    return flaws


def checker_is_there() -> bool:
    """Whether `lastro check` exists in this checkout."""
    try:
        importlib.import_module("lastro.checker.run")
    except ModuleNotFoundError:
        return False
    return True


async def checked(place: Place, database: str) -> list[str]:
    """What `lastro check` says."""
    if not checker_is_there():
        return []
    run = importlib.import_module("lastro.checker.run")
    report = await run.check_books(place.server.url(database))
    return [] if report.clean else [f"lastro check: {report.text()}"]
