"""The same requests beside ten thousand, a million and ten million payments, in turns."""

import asyncio
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from bench import books, drive, growth_seed, processes
from bench.adapter import ADAPTER
from bench.figures import median
from bench.growth_report import LABELS
from bench.place import Place
from bench.rounds import FIRST_PAGE, KEYSET_PAGE, SPREAD, some_payments
from bench.rows import Extent, Row
from bench.seed import account_id
from bench.stage import Stage

SIZES = (10_000, 1_000_000, 10_000_000)
_CHECKED_WHOLE = 1_000_000
"""Above so many payments, only our own sums are asked: `lastro check` asks for everything, which takes minutes."""


@dataclass(frozen=True, slots=True)
class _Bank:
    """One size: the database, its server, and how it came to be."""

    size: int
    stage: Stage
    port: int
    seeding_seconds: float


def grow(place: Place, extent: Extent, sizes: Sequence[int]) -> dict[str, Any]:
    """Seed all sizes, then measure each in turn, round for round."""
    rounds: dict[int, list[dict[str, Any]]] = {size: [{} for _ in range(extent.rounds)] for size in sizes}
    with ExitStack() as stack:
        banks = [_bank(stack, place, extent, size) for size in sizes]
        for measured in (_reads, _writes):
            for number in range(extent.rounds):
                for bank in banks:
                    rounds[bank.size][number] |= measured(bank)
        summaries = {str(bank.size): _summary(bank, rounds[bank.size]) for bank in banks}
    return {
        "sizes": summaries,
        "conditions": {
            "payments": f"settled, over 90 days, every {growth_seed.HOT_EVERY}th of one account, else evenly",
            "server": "1 process for each size, network in the process",
            "extent": f"{extent.rounds} round(s) over the sizes in turn, {extent.seconds:g} s a figure",
            "books": f"sums and counts; lastro check up to {_CHECKED_WHOLE:,} payments",
        },
    }


def _bank(stack: ExitStack, place: Place, extent: Extent, size: int) -> _Bank:
    database = f"grown_{size}"
    asyncio.run(place.copy_bank(database, adapter=ADAPTER))
    stack.callback(lambda: asyncio.run(place.drop(database)))
    began = time.monotonic()
    asyncio.run(growth_seed.fill(place, database, size, datetime.now(UTC)))
    seconds = time.monotonic() - began
    print(f"  {size:,} payments written in {seconds:.0f} s", file=sys.stderr, flush=True)
    server = processes.server(place, database, processes=1, in_process_network=True)
    pid, port = stack.enter_context(server)
    stage = Stage(place, extent, database, _say).around({"python": pid})
    return _Bank(size, stage, port, seconds)


def _reads(bank: _Bank) -> dict[str, Any]:
    """Each list once. In all rounds before the first payment: no worker runs here, who would settle and count it."""
    stage, port, token = bank.stage, bank.port, bank.stage.place.token
    anchors = asyncio.run(some_payments(stage.place, stage.database))
    since = (datetime.now(UTC) - timedelta(days=40)).date()
    dates = f"&filter%5BdateFrom%5D={since}&filter%5BdateTo%5D={since + timedelta(days=29)}"
    aims = {
        "first_page": drive.get(FIRST_PAGE, port, token, 1),
        "keyset_page": drive.get(KEYSET_PAGE, port, token, 1, anchors),
        "by_status": drive.get(f"{FIRST_PAGE}&filter%5Bstatus%5D=COMPLETED", port, token, 1),
        "by_account": drive.get(f"{FIRST_PAGE}&filter%5BaccountId%5D={account_id(0)}", port, token, 1),
        "by_dates": drive.get(FIRST_PAGE + dates, port, token, 1),
    }
    return {name: _figure(bank, aim, name) for name, aim in aims.items()}


def _writes(bank: _Bank) -> dict[str, Any]:
    """Payments, many at once."""
    aim = drive.payment(bank.port, bank.stage.place.token, SPREAD, 64)
    return {"post_64": _figure(bank, aim, "post_64")}


def _figure(bank: _Bank, aim: drive.Aim, name: str) -> dict[str, Any]:
    """The books are checked once at the end: here, counting ten million rows would empty the cache each time."""
    row = bank.stage.driven(replace(aim, makes=None), name, f"{bank.size:,}: {LABELS[name]}")
    return {
        "milliseconds": row.p50_milliseconds,
        "p99_milliseconds": row.p99_milliseconds,
        "per_second": row.per_second,
        "cpu_milliseconds": dict(row.cpu_milliseconds),
        "other_cores": row.other_cores,
        "unexpected": dict(row.unexpected),
    }


def _summary(bank: _Bank, rounds: Sequence[dict[str, Any]]) -> dict[str, Any]:
    place, database = bank.stage.place, bank.stage.database
    counts = asyncio.run(books.count(place, database))
    flaws = counts.flaws()
    if bank.size <= _CHECKED_WHOLE:
        flaws += asyncio.run(books.checked(place, database))
    figures = {
        name: {
            what: median([each[name][what] for each in rounds if each[name][what] is not None])
            for what in ("milliseconds", "p99_milliseconds", "per_second")
        }
        for name in LABELS
    }
    return {
        "seeding_seconds": bank.seeding_seconds,
        "bytes": asyncio.run(_bytes(place, database)),
        "payments": counts.payments,
        "flaws": flaws,
        "figures": {} if flaws else figures,
        "rounds": [] if flaws else list(rounds),
    }


async def _bytes(place: Place, database: str) -> int:
    connection = await asyncpg.connect(place.owners_url("postgres"))
    try:
        return int(await connection.fetchval("SELECT pg_database_size($1)", database))
    finally:
        await connection.close()


def _say(row: Row) -> None:
    told = f"{row.p50_milliseconds or 0:.2f} ms, {row.per_second:,.0f}/s, other busy cores {row.other_cores:.2f}"
    print(f"  {row.label}: {told}", file=sys.stderr, flush=True)
