"""A database with what runs around it: sends requests, measures, repeats once when disturbed, and checks the books."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from bench import books, cpu, drive
from bench.books import Counts, Made
from bench.drive import Aim
from bench.load import Figures
from bench.place import Place
from bench.rows import Extent, Row, row_of

Say = Callable[[Row], None]


@dataclass(frozen=True, slots=True)
class Stage:
    """`parties` are the ids of the processes; `rows` are those that were measured on this database so far."""

    place: Place
    extent: Extent
    database: str
    say: Say
    parties: Mapping[str, int] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)

    def around(self, parties: Mapping[str, int]) -> "Stage":
        """The same database with other processes around it."""
        return replace(self, parties={**parties, "postgres": self.place.server.pid})

    def count(self) -> Counts:
        """What the books hold now."""
        return asyncio.run(books.count(self.place, self.database))

    def owed(self) -> int:
        """How many payments wait for a worker."""
        return asyncio.run(books.owed(self.place, self.database))

    def driven(self, aim: Aim, name: str, label: str) -> Row:
        """Send requests and measure, twice where something else disturbed; check the books if money moved."""
        before = self.count() if aim.makes else None
        made = Made()
        row = self._driven_once(aim, name, label, made)
        if self.extent.patience and row.other_cores > cpu.QUIET_CORES:
            row = min(row, self._driven_once(aim, name, label, made), key=lambda each: each.other_cores)
        return self.keep(row) if before is None else self.judged(row, before, {aim.makes or "": made})

    def _driven_once(self, aim: Aim, name: str, label: str, made: Made) -> Row:
        cpu.wait_for_quiet(self.parties, self.extent.patience)
        figures, usage = drive.drive(
            aim,
            self.parties,
            warm_seconds=self.extent.warm_seconds,
            seconds=self.extent.seconds,
            scratch=self.place.scratch,
        )
        made.answered += figures.expected_in_all
        made.in_flight += figures.in_flight
        return row_of(name, label, figures, usage, _also(aim, figures))

    def driven_together(self, aims: Mapping[str, Aim], name: str, label: str) -> Row:
        """Several kinds of requests at once; the figures are those of the first, the others are told beside it."""
        before, first = self.count(), next(iter(aims))
        figures, usage = drive.together(
            list(aims.values()),
            self.parties,
            warm_seconds=self.extent.warm_seconds,
            seconds=self.extent.seconds,
        )
        seen = dict(zip(aims, figures, strict=True))
        made: dict[str, Made] = {
            aim.makes: Made(seen[what].expected_in_all, seen[what].in_flight) for what, aim in aims.items() if aim.makes
        }
        also = {f"{what}/s": each.expected / each.seconds for what, each in seen.items() if what != first}
        row = row_of(name, label, seen[first], usage, also)
        strange = {f"{what} {status}": times for what, each in seen.items() for status, times in each.statuses.items()}
        return self.judged(replace(row, unexpected=strange), before, made)

    def judged(self, row: Row, before: Counts, made: Mapping[str, Made]) -> Row:
        """Keep the row, with what is wrong with the books after it."""
        flaws = asyncio.run(books.check(self.place, self.database, before, made))
        return self.keep(replace(row, flaws=[*row.flaws, *flaws], books_checked=True))

    def keep(self, row: Row) -> Row:
        """Remember a row and tell of it."""
        self.rows.append(row)
        self.say(row)
        return row

    def closed(self) -> list[Row]:
        """All rows, after `lastro check` has seen the database: what it finds spoils every row that wrote to it."""
        flaws = asyncio.run(books.checked(self.place, self.database))
        if flaws and self.rows:
            self.say(replace(self.rows[-1], flaws=flaws))
        return [replace(row, flaws=[*row.flaws, *flaws]) if row.books_checked else row for row in self.rows]


@contextmanager
def stage(place: Place, extent: Extent, database: str, say: Say, *, adapter: str | None = None) -> Iterator[Stage]:
    """A fresh copy of the seeded bank, gone afterwards."""
    asyncio.run(place.copy_bank(database, adapter=adapter))
    try:
        yield Stage(place, extent, database, say)
    finally:
        asyncio.run(place.drop(database))


def _also(aim: Aim, figures: Figures) -> dict[str, float]:
    if aim.rate is None:
        return {}
    refused: Sequence[int] = [times for status, times in figures.statuses.items() if status == "503"]
    return {
        "offered/s": aim.rate,
        "sent/s": figures.sent / figures.seconds,
        "answered/s": figures.answered / figures.seconds,
        "retry-after/s": figures.retry_later / figures.seconds,
        "503 in all": float(sum(refused)),
    }
