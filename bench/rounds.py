"""One round: the limits and the peers first, then the bank beside them; after each part, the books."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import asyncpg

from bench import ceiling, cpu, drive, growth_seed, pgledger, processes
from bench.adapter import ADAPTER
from bench.books import Made
from bench.hooks import webhooks
from bench.pgbench import CLIENTS, pgbench
from bench.place import Place
from bench.rows import Extent, Row, row_of
from bench.seed import ACCOUNTS, account_id
from bench.settling import settlement
from bench.stage import Say, Stage, stage

SPREAD = [account_id(number) for number in range(ACCOUNTS)]
HOT = [account_id(0)]
CONNECTIONS = (1, 16, 64, 256)
SHARES = (50, 70, 90)
OVERLOAD = 5
OVERLOAD_CONNECTIONS = 5_000  # more than the tills of two processes let wait
OPEN_CONNECTIONS = 512
PAGES_OF_SAMPLE = 300
SETTLED = 50_000  # payments that are there already, so that lists have what to show


def one_round(place: Place, extent: Extent, number: int, say: Say) -> list[Row]:
    """All rows of the parts that are wanted."""
    rows: list[Row] = []
    for name, part in PARTS.items():
        if not extent.parts or name in extent.parts:
            rows += part(place, extent, number, say)
    return rows


def limits(place: Place, extent: Extent, number: int, say: Say) -> list[Row]:
    """pgbench: the same writes, one transaction each."""
    scripts = (
        ("pgbench_spread", ceiling.SPREAD, "payments", f"one transaction a payment, {CLIENTS} clients, spread"),
        ("pgbench_hot", ceiling.HOT, "payments", f"one transaction a payment, {CLIENTS} clients, one account"),
        ("pgbench_credit_hot", ceiling.CREDIT_HOT, "received", f"one credit each, {CLIENTS} clients, one account"),
    )
    with stage(place, extent, f"limit_{number}", say) as here:
        asyncio.run(place.run(here.database, ceiling.pay_one(), ceiling.credit_one()))
        for name, script, made, label in scripts:
            before = here.count()
            row, answered = _pgbench(here, script, name, f"pgbench: {label}")
            here.judged(row, before, {made: Made(answered)})
        rows = here.closed()
    return [*rows, _pgledger(place, extent, f"pgledger_{number}", say)]


def _pgbench(here: Stage, script: str, name: str, label: str) -> tuple[Row, int]:
    """The row, and how many transactions there were in all."""
    extent, answered, rows = here.extent, 0, list[Row]()
    while not rows or (len(rows) == 1 and extent.patience and rows[0].other_cores > cpu.QUIET_CORES):
        cpu.wait_for_quiet({}, extent.patience)
        figures, usage = pgbench(
            here.place, here.database, script, warm_seconds=extent.warm_seconds, seconds=extent.seconds
        )
        answered += figures.expected_in_all
        rows.append(row_of(name, label, figures, usage))
    return min(rows, key=lambda row: row.other_cores), answered


def _pgledger(place: Place, extent: Extent, database: str, say: Say) -> Row:
    asyncio.run(pgledger.build(place, database))
    here = Stage(place, extent, database, say)
    label = f"pgledger-style transfers in bare SQL, {CLIENTS} clients, spread"
    row, answered = _pgbench(here, pgledger.SPREAD, "pgledger", label)
    flaws = asyncio.run(pgledger.flaws(place, database, answered=answered))
    asyncio.run(place.drop(database))
    return here.keep(replace(row, flaws=flaws, books_checked=True))


def peers(place: Place, extent: Extent, number: int, say: Say) -> list[Row]:
    """What FastAPI costs when it does nothing, and the textbook's way to do the same."""
    with stage(place, extent, f"peer_{number}", say) as here:
        with processes.plain(place, here.database, "bench.hello:app", processes=1) as (pid, port):
            aim = drive.get("/hello", port, place.token, 64)
            here.around({"python": pid}).driven(aim, "hello_64", "FastAPI: GET hello, 1 process, 64 connections")
        for count in (1, 2):
            with processes.plain(place, here.database, "bench.peer:app", processes=count) as (pid, port):
                label = f"ORM peer: POST payment, {_processes(count)}, 64 connections, spread"
                aim = drive.payment(port, place.token, SPREAD, 64)
                here.around({"python": pid}).driven(aim, f"peer_{count}p_64", label)
        return here.closed()


def one_process(place: Place, extent: Extent, number: int, say: Say) -> list[Row]:
    """Acceptance by one process, payees found in the process, nobody settles."""
    with stage(place, extent, f"one_{number}", say, adapter=ADAPTER) as here:
        with processes.server(place, here.database, processes=1, in_process_network=True) as (pid, port):
            _acceptance(here.around({"python": pid}), port, 1)
        return here.closed()


def two_processes(place: Place, extent: Extent, number: int, say: Say) -> list[Row]:
    """The same by two, and everything else that two processes answer; then the settlement of what was accepted."""
    with stage(place, extent, f"two_{number}", say, adapter=ADAPTER) as here:
        asyncio.run(growth_seed.fill(place, here.database, SETTLED, datetime.now(UTC)))
        with processes.server(place, here.database, processes=2, in_process_network=True) as (pid, port):
            serving = here.around({"python": pid})
            _reads(serving, port)
            peak = _acceptance(serving, port, 2)
            _open_loop(serving, port, peak)
            aim = drive.code(port, place.token, SPREAD, 64)
            serving.driven(aim, "post_code_64", "POST qrcode (STATIC), 2 processes, 64 connections")
            aim = drive.incoming(port, place.network_secret, 0, 64)
            label = "Pix received, signed notifications, 2 processes, 64 connections, one account"
            serving.driven(aim, "receive_hot_64", label)
        settlement(here, f"network_{number}")
        return here.closed()


def _acceptance(serving: Stage, port: int, count: int) -> float:
    """The rows of POST; gives the most payments a second."""
    token, peak = serving.place.token, 0.0
    for where, accounts, mark in (("spread", SPREAD, ""), ("one account", HOT, "hot_")):
        for connections in CONNECTIONS:
            aim = drive.payment(port, token, accounts, connections)
            label = f"POST payment, {_processes(count)}, {_connections(connections)}, {where}"
            row = serving.driven(aim, f"post_{count}p_{mark}{connections}", label)
            peak = max(peak, 0.0 if mark else row.per_second)
    return peak


def _open_loop(serving: Stage, port: int, peak: float) -> None:
    """At a constant rate below the peak, and far above it."""
    aim = drive.payment(port, serving.place.token, SPREAD, OPEN_CONNECTIONS)
    for share in SHARES:
        label = f"POST payment, open loop at {share} % of the most, 2 processes, spread"
        serving.driven(replace(aim, rate=peak * share / 100), f"open_{share}", label)
    aim = replace(aim, rate=peak * OVERLOAD, connections=OVERLOAD_CONNECTIONS, drop=True)
    label = (
        f"POST payment, {OVERLOAD} times the most offered, {OVERLOAD_CONNECTIONS:,} connections at most, 2 processes"
    )
    serving.driven(aim, "overload", label)


def _reads(serving: Stage, port: int) -> None:
    token = serving.place.token
    anchors = asyncio.run(some_payments(serving.place, serving.database))
    aims: Mapping[str, tuple[str, drive.Aim]] = {
        "get_account_64": ("GET account", drive.account(port, token, SPREAD, 64)),
        "list_first_64": ("GET payments, first page of 20", drive.get(FIRST_PAGE, port, token, 64)),
        "list_after_64": ("GET payments, page after a cursor", drive.get(KEYSET_PAGE, port, token, 64, anchors)),
    }
    for name, (label, aim) in aims.items():
        serving.driven(aim, name, f"{label}, 2 processes, 64 connections")


FIRST_PAGE = "/pix/payments?page%5Bsize%5D=20"
KEYSET_PAGE = f"{FIRST_PAGE}&page%5Bafter%5D={{subject}}"


async def some_payments(place: Place, database: str) -> list[UUID]:
    """About a thousand payments, from all ages."""
    connection = await asyncpg.connect(place.owners_url(database))
    try:
        pages = await connection.fetchval("SELECT pg_relation_size('pix_payments') / 8192")
        share = min(100.0, 100.0 * PAGES_OF_SAMPLE / max(1, pages))
        rows = await connection.fetch(f"SELECT id FROM pix_payments TABLESAMPLE SYSTEM ({share})")
    finally:
        await connection.close()
    return [UUID(bytes=row["id"].bytes) for row in rows[:: max(1, len(rows) // 1000)]]


def _connections(number: int) -> str:
    return "1 connection" if number == 1 else f"{number} connections"


def _processes(number: int) -> str:
    return "1 process" if number == 1 else f"{number} processes"


Part = Callable[[Place, Extent, int, Say], list[Row]]

PARTS: Mapping[str, Part] = {
    "limits": limits,
    "peers": peers,
    "one": one_process,
    "two": two_processes,
    "webhooks": webhooks,
}
