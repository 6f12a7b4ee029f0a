"""One round: the limit first, then the bank beside it, and after each payment run the books."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from bench import books, ceiling, cpu, drive, processes
from bench.books import Counts
from bench.drive import Aim
from bench.load import Figures
from bench.place import Place
from bench.seed import ACCOUNTS, account_id
from bench.server import ADAPTER
from lastro.tenants.service import NETWORK

SPREAD = [account_id(number) for number in range(ACCOUNTS)]
HOT = [account_id(0)]
_SECONDS_TO_BEGIN = 30.0


@dataclass(frozen=True, slots=True)
class Extent:
    """How much to measure."""

    rounds: int
    seconds: float
    warm_seconds: float
    processes: int


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of one round. `cpu_milliseconds`: per operation, by party. `flaws`: what is wrong with the books."""

    name: str
    label: str
    per_second: float
    p50_milliseconds: float | None
    p95_milliseconds: float | None
    p99_milliseconds: float | None
    cpu_milliseconds: Mapping[str, float]
    other_cores: float
    operations: int
    unexpected: Mapping[str, int] = field(default_factory=dict)
    flaws: list[str] = field(default_factory=list)
    books_checked: bool = False


@dataclass(frozen=True, slots=True)
class _Stage:
    """A database, what runs around it (the ids of the processes), and how long it is measured."""

    place: Place
    extent: Extent
    database: str
    parties: Mapping[str, int]

    def count(self) -> Counts:
        """What the books hold now."""
        return asyncio.run(books.count(self.place, self.database))

    def owed(self) -> int:
        """How many payments wait for a worker."""
        return asyncio.run(books.owed(self.place, self.database))

    def judged(self, row: Row, before: Counts, figures: Figures) -> Row:
        """The row with what is wrong with the books after it."""
        flaws = asyncio.run(
            books.check(
                self.place, self.database, before, answered=figures.expected_in_all, in_flight=figures.in_flight
            )
        )
        return replace(row, flaws=[*row.flaws, *flaws], books_checked=True)

    def driven(self, aim: Aim, name: str, label: str) -> Row:
        """Send requests, measure, and check the books if money moved."""
        before = self.count() if aim.pays else None
        figures, usage = drive.drive(
            aim,
            self.parties,
            warm_seconds=self.extent.warm_seconds,
            seconds=self.extent.seconds,
            scratch=self.place.scratch,
        )
        row = _row(name, label, figures, usage)
        return row if before is None else self.judged(row, before, figures)


def one_round(place: Place, extent: Extent, number: int, say: Callable[[Row], None]) -> list[Row]:
    """All rows: the limit on one copy of the seeded bank, the server on another."""
    rows: list[Row] = []
    for part in (_limit, _acceptance, _settlement):
        for row in part(place, extent, number):
            say(row)
            rows.append(row)
    asyncio.run(place.drop(f"bank_{number}"))
    asyncio.run(place.drop(f"network_{number}"))
    return rows


def _limit(place: Place, extent: Extent, number: int) -> Iterator[Row]:
    stage = _Stage(place, extent, f"limit_{number}", {})
    asyncio.run(place.copy_bank(stage.database))
    asyncio.run(place.run(stage.database, ceiling.pay_one()))
    for name, hot in (("pgbench_spread", False), ("pgbench_hot", True)):
        before = stage.count()
        figures, usage = ceiling.pgbench(
            place, stage.database, hot=hot, warm_seconds=extent.warm_seconds, seconds=extent.seconds
        )
        where = "one account" if hot else "spread"
        label = f"pgbench, one transaction a payment, {ceiling.CLIENTS} clients, {where}"
        yield stage.judged(_row(name, label, figures, usage), before, figures)
    asyncio.run(place.drop(stage.database))


def _acceptance(place: Place, extent: Extent, number: int) -> Iterator[Row]:
    """Payees found in the process, nobody settles."""
    database = f"bank_{number}"
    asyncio.run(place.copy_bank(database, adapter=ADAPTER))
    with processes.server(place, database, processes=extent.processes, in_process_directory=True) as (pid, port):
        stage = _Stage(place, extent, database, {"python": pid, "postgres": place.server.pid})
        for connections in (1, 16, 64):
            aim = drive.payment(port, place.token, SPREAD, connections)
            yield stage.driven(aim, f"post_{connections}", f"POST payment, {_connections(connections)}, spread")
        aim = drive.payment(port, place.token, HOT, 64)
        yield stage.driven(aim, "post_hot_64", f"POST payment, {_connections(64)}, one account")
        aim = drive.account(port, place.token, SPREAD, 64)
        yield stage.driven(aim, "get_account_64", f"GET account, {_connections(64)}")


def _connections(number: int) -> str:
    return "1 connection" if number == 1 else f"{number} connections"


def _settlement(place: Place, extent: Extent, number: int) -> Iterator[Row]:
    """The whole of it, over HTTP: `lastro serve`, then a worker on what was accepted so far, then both at once."""
    database, book = f"bank_{number}", f"network_{number}"
    asyncio.run(place.use_adapter(database, NETWORK))
    asyncio.run(place.copy_network(book))
    with (
        processes.network(place, database, book, processes.free_port()) as (network_pid, network_port),
        processes.server(place, database, processes=extent.processes, network_port=network_port) as (pid, port),
    ):
        parties = {"postgres": place.server.pid, "simulator": network_pid}
        aim = drive.payment(port, place.token, SPREAD, 64)
        label = f"POST payment, {_connections(64)}, spread, DICT over HTTP"
        accepting = _Stage(place, extent, database, {"python": pid, **parties})
        yield accepting.driven(aim, "post_network_64", label)
        with processes.worker(place, database, network_port) as worker_pid:
            yield _drained(_Stage(place, extent, database, {"worker": worker_pid, **parties}))
            both = _Stage(place, extent, database, {"python": pid, "worker": worker_pid, **parties})
            yield both.driven(aim, "post_settling_64", f"{label}, worker settling")


def _drained(stage: _Stage) -> Row:
    """Payments that one worker brings to an end a second, out of what was left for it, until nothing is."""
    start = left = stage.owed()
    give_up_at = time.monotonic() + _SECONDS_TO_BEGIN
    while left == start and time.monotonic() < give_up_at:
        time.sleep(0.1)
        left = stage.owed()
    before, first = stage.count(), cpu.read(stage.parties)
    stop_at = time.monotonic() + stage.extent.seconds
    while left and time.monotonic() < stop_at:
        time.sleep(min(0.2, stage.extent.seconds))
        left = stage.owed()
    usage = cpu.between(first, cpu.read(stage.parties))
    after = stage.count()
    done = after.completed - before.completed
    row = _row("settle", "settlement by one worker, nobody pays", Figures(usage.wall_seconds, done, done), usage)
    return stage.judged(row, after, Figures())


def _row(name: str, label: str, figures: Figures, usage: cpu.Usage) -> Row:
    operations = max(1, figures.answered)
    timed = figures.p50_milliseconds > 0
    return Row(
        name=name,
        label=label,
        per_second=figures.expected / figures.seconds,
        p50_milliseconds=figures.p50_milliseconds if timed else None,
        p95_milliseconds=figures.p95_milliseconds if timed else None,
        p99_milliseconds=figures.p99_milliseconds if timed else None,
        cpu_milliseconds={party: seconds * 1000 / operations for party, seconds in usage.seconds.items()},
        other_cores=usage.other_cores,
        operations=figures.answered,
        unexpected=figures.statuses,
    )
