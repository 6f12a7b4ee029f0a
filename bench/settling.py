"""Settlement by one worker, without and with the simulator; then everything that Lastro does, at once."""

import asyncio
import time
from collections.abc import Callable

from bench import ceiling, cpu, drive, processes
from bench.load import Figures
from bench.rows import row_of
from bench.seed import ACCOUNTS, account_id
from bench.stage import Stage
from lastro.providers.directory import NETWORK

BACKLOG = 20_000
_SECONDS_TO_BEGIN = 30.0
_ACCOUNTS = [account_id(number) for number in range(ACCOUNTS)]


def settlement(here: Stage, book: str) -> None:
    """What was accepted so far waits for a worker: drained by one alone, then with all that is usually around it."""
    place = here.place
    asyncio.run(place.run(here.database, ceiling.pay_one()))
    fill(here)
    with processes.worker(place, here.database) as pid:
        drained(here.around({"worker": pid}), "settle_alone", "settlement by one worker, network in the process")
    asyncio.run(place.use_adapter(here.database, NETWORK))
    asyncio.run(place.copy_network(book))
    port_of_server = processes.free_port()
    with (
        processes.network(place, here.database, book, port_of_server) as (network_pid, network_port),
        processes.server(place, here.database, processes=2, network_port=network_port, port=port_of_server) as (
            pid,
            port,
        ),
    ):
        around = {"python": pid, "simulator": network_pid}
        aim = drive.payment(port, place.token, _ACCOUNTS, 64)
        label = "POST payment, DICT over HTTP, 2 processes, 64 connections, spread"
        here.around(around).driven(aim, "post_network_64", label)
        fill(here)
        with processes.worker(place, here.database, network_port) as worker_pid:
            settling = here.around({"worker": worker_pid, "simulator": network_pid})
            drained(settling, "settle", "settlement by one worker, network over HTTP")
            aims = {
                "POST payment": aim,
                "received": drive.incoming(port, place.network_secret, 0, 16),
                "GET account": drive.account(port, place.token, _ACCOUNTS, 16),
            }
            label = (
                "all at once: POST payment (64) with DICT over HTTP, Pix received (16), GET account (16), settlement"
            )
            here.around({**around, "worker": worker_pid}).driven_together(aims, "all_at_once", label)
    asyncio.run(place.drop(book))


def fill(here: Stage) -> None:
    """So many payments that a worker does not run out of them, written as pgbench writes them."""
    missing = max(0, round(BACKLOG * min(1, here.extent.seconds / 4)) - here.owed())
    statement = f"SELECT count(pay_one(number % {ACCOUNTS})) FROM generate_series(1, {missing}) AS number"
    asyncio.run(here.place.run(here.database, statement, "ANALYZE outbox", "CHECKPOINT"))


def drained(stage: Stage, name: str, label: str, left_of: Callable[[], int] | None = None) -> None:
    """What one worker brings to an end a second, out of what was left for it, until nothing is.

    That is promises, unless `left_of` counts something else.
    """
    count_left = left_of or stage.owed
    start = left = count_left()
    give_up_at = time.monotonic() + _SECONDS_TO_BEGIN
    while left == start and time.monotonic() < give_up_at:
        time.sleep(0.05)
        left = count_left()
    before, start, first = stage.count(), count_left(), cpu.read(stage.parties)
    stop_at, left = time.monotonic() + stage.extent.seconds, start
    while left and time.monotonic() < stop_at:
        time.sleep(min(0.2, stage.extent.seconds))
        left = count_left()
    usage = cpu.between(first, cpu.read(stage.parties))
    done = start - left
    stage.judged(row_of(name, label, Figures(usage.wall_seconds, done, done), usage), before, {})
