"""Memory under load: the RSS of every server process and of the worker, every ten seconds for some minutes."""

import asyncio
import sys
import time
from threading import Event, Thread
from typing import Any

from bench import books, cpu, drive, processes
from bench.adapter import ADAPTER
from bench.bars import Bar, Judgement, judge, shown
from bench.books import Made
from bench.figures import slope_per_minute
from bench.place import Place
from bench.rows import Extent
from bench.seed import ACCOUNTS, account_id
from bench.stage import stage

MOST_MEGABYTES = 250.0
FLAT_MEGABYTES_A_MINUTE = 1.0
_EVERY_SECONDS = 10.0
_SETTLING_IN = 1 / 3
"""The share of the time that a process may take to fill its pools and caches; the slope is that of the rest."""

Samples = dict[int, list[tuple[float, float]]]


def soak(place: Place, minutes: float) -> dict[str, Any]:
    """Pay, read and settle for so long, at full speed."""
    extent = Extent(rounds=1, seconds=minutes * 60, warm_seconds=1)
    accounts = [account_id(number) for number in range(ACCOUNTS)]
    with stage(place, extent, "soak", lambda _row: None, adapter=ADAPTER) as here:
        with (
            processes.server(place, here.database, processes=2, in_process_network=True) as (server_pid, port),
            processes.worker(place, here.database) as worker_pid,
        ):
            before = here.count()
            samples: Samples = {}
            stop = Event()
            watching = Thread(target=_watch, args=(samples, (server_pid, worker_pid), stop))
            watching.start()
            try:
                aims = [
                    drive.payment(port, place.token, accounts, 64),
                    drive.account(port, place.token, accounts, 8),
                    drive.incoming(port, place.network_secret, 0, 8),
                ]
                (paid, _, received), _ = drive.together(
                    aims, here.parties, warm_seconds=extent.warm_seconds, seconds=extent.seconds
                )
            finally:
                stop.set()
                watching.join()
        made = {
            "payments": Made(paid.expected_in_all, paid.in_flight),
            "received": Made(received.expected_in_all, received.in_flight),
        }
        flaws = asyncio.run(books.check(place, here.database, before, made))
        flaws += asyncio.run(books.checked(place, here.database))
        settled = here.count().completed - before.completed
    found = _processes(samples, server_pid, worker_pid)
    return {
        "minutes": minutes,
        "per_second": paid.expected / paid.seconds,
        "settled": settled,
        "unexpected": paid.statuses,
        "flaws": flaws,
        "processes": found,
        "bars": [] if flaws else shown(_bars(found)),
        "conditions": {
            "load": "POST payment (64 connections), GET account (8), Pix received on one account (8), closed loops",
            "server": "2 processes and a worker, network in the process",
            "extent": f"{minutes:g} minutes, a look every {_EVERY_SECONDS:g} s",
            "slope": f"of the last {1 - _SETTLING_IN:.0%} of the time",
        },
    }


def _watch(samples: Samples, roots: tuple[int, ...], stop: Event) -> None:
    began = time.monotonic()
    while True:
        for root in roots:
            for pid, size in cpu.memory(root).items():
                samples.setdefault(pid, []).append((time.monotonic() - began, size / 1e6))
        told = ", ".join(f"{points[-1][1]:.0f} MB" for points in samples.values())
        print(f"  {time.monotonic() - began:5.0f} s: {told}", file=sys.stderr, flush=True)
        if stop.wait(_EVERY_SECONDS):
            return


def _processes(samples: Samples, server_pid: int, worker_pid: int) -> list[dict[str, Any]]:
    """Those that work; a parent that only watches its children is small, and told as what it is."""
    found, number = list[dict[str, Any]](), 0
    for pid, points in samples.items():
        if pid == worker_pid:
            label = "worker"
        elif pid == server_pid:
            label = "server's parent"
        else:
            number += 1
            label = f"server process {number}"
        values = [value for _, value in points]
        late = [point for point in points if point[0] >= points[-1][0] * _SETTLING_IN]
        found.append(
            {
                "label": label,
                "first": values[0],
                "last": values[-1],
                "most": max(values),
                "slope": slope_per_minute(late),
                "samples": values,
            }
        )
    return [each for each in found if each["most"] > _HELPER_MEGABYTES]


_HELPER_MEGABYTES = 30.0  # multiprocessing's resource tracker is no server


def _bars(found: list[dict[str, Any]]) -> list[Judgement]:
    most = Bar("memory of the largest process under load, MB", lambda _rows: None, most=MOST_MEGABYTES)
    flat = Bar("rise of the memory of any process, MB a minute", lambda _rows: None, most=FLAT_MEGABYTES_A_MINUTE)
    return [
        judge(most, [max(each["most"] for each in found)]) if found else judge(most, []),
        judge(flat, [max(each["slope"] for each in found)]) if found else judge(flat, []),
    ]
