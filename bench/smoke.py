"""The short run that every change must pass: the books balance, and a payment is several times as fast as the peer's.

Bank and peer are measured in turns, so that what else the machine does disturbs both; the median of the turns decides.
"""

import asyncio
import sys
from contextlib import ExitStack
from typing import Any

from bench import books, drive, processes, report
from bench.adapter import ADAPTER
from bench.bars import BARS, Bar, Rows, judge, judged, ratio, shown
from bench.books import Made
from bench.place import Place
from bench.rounds import HOT, SPREAD, limits
from bench.rows import Extent, Row
from bench.settling import settlement
from bench.stage import Say, Stage, stage

TURNS = 3
_WARM_SECONDS = 1.5
LEAST = 5.0


def _times_as_fast(rows: Rows) -> float | None:
    """By rate, or by processor time, whichever says more: on a machine that others use, rates say little.

    Both are fully loaded, so that on a quiet machine the two agree.
    """
    post, peer = rows.get("post_2p_64"), rows.get("peer_2p_64")
    if post is None or peer is None:
        return None
    found = (ratio(post.per_second, peer.per_second), ratio(_processor_time(peer), _processor_time(post)))
    return max((value for value in found if value is not None), default=None)


def _processor_time(row: Row) -> float:
    return row.cpu_milliseconds.get("python", 0.0) + row.cpu_milliseconds.get("postgres", 0.0)


FLOOR = Bar("POST payment ÷ ORM peer, 64 connections, 2 processes", _times_as_fast, least=LEAST)


def smoke(place: Place, extent: Extent, say: Say) -> dict[str, Any]:
    """The section for results.json: rows, rounds, and the one bar."""
    rounds = [list[Row]() for _ in range(TURNS)]
    with ExitStack() as stack:
        bank = stack.enter_context(stage(place, extent, "smoke_bank", say, adapter=ADAPTER))
        peer = stack.enter_context(stage(place, extent, "smoke_peer", say))
        with (
            processes.server(place, bank.database, processes=2, in_process_network=True) as (bank_pid, bank_port),
            processes.plain(place, peer.database, "bench.peer:app", processes=2) as (peer_pid, peer_port),
        ):
            for port in (peer_port, bank_port):
                _warm(drive.payment(port, place.token, SPREAD, 64), bank if port == bank_port else peer)
            for _ in range(TURNS):
                aim = drive.payment(peer_port, place.token, SPREAD, 64)
                peer.around({"python": peer_pid}).driven(aim, "peer_2p_64", "ORM peer: POST payment, 64 connections")
                aim = drive.payment(bank_port, place.token, SPREAD, 64)
                bank.around({"python": bank_pid}).driven(aim, "post_2p_64", "POST payment, 64 connections, spread")
            serving = bank.around({"python": bank_pid})
            aim = drive.payment(bank_port, place.token, HOT, 64)
            serving.driven(aim, "post_2p_hot_64", "POST payment, 64 connections, one account")
            aim = drive.incoming(bank_port, place.network_secret, 0, 64)
            serving.driven(aim, "receive_hot_64", "Pix received, 64 connections, one account")
            aim = drive.account(bank_port, place.token, SPREAD, 64)
            serving.driven(aim, "get_account_64", "GET account, 64 connections")
        settlement(bank, "smoke_network")
        for row in [*peer.closed(), *bank.closed(), *limits(place, extent, 0, say)]:
            _put(rounds, row)
    verdict = judge(FLOOR, judged_values(rounds))
    return {
        "rows": report.lines(rounds),
        "bars": shown([verdict, *judged(BARS, rounds)]),
        "rounds": [[report.kept(row) for row in rows] for rows in rounds],
        "passed": bool(verdict.met) and not any(row.flaws for rows in rounds for row in rows),
    }


def _warm(aim: drive.Aim, here: Stage) -> None:
    """The first requests of a process compile statements and fill caches: no window shall hold them."""
    before = here.count()
    (figures,), _ = drive.together([aim], {}, warm_seconds=0, seconds=_WARM_SECONDS)
    made = {"payments": Made(figures.expected_in_all, figures.in_flight)}
    if flaws := asyncio.run(books.check(here.place, here.database, before, made)):
        raise RuntimeError("; ".join(flaws))


def _put(rounds: list[list[Row]], row: Row) -> None:
    """Into the first round that has none of its name."""
    for rows in rounds:
        if row.name not in {each.name for each in rows}:
            rows.append(row)
            return


def judged_values(rounds: list[list[Row]]) -> list[float]:
    """The ratio of each turn whose books balance."""
    values = [FLOOR.of({row.name: row for row in rows if not row.flaws}) for rows in rounds]
    return [value for value in values if value is not None]


def verdict(section: dict[str, Any]) -> str:
    """What to say at the end."""
    bar = section["bars"][0]
    measured = "nothing" if bar["measured"] is None else f"{bar['measured']:.1f}"
    word = "passed" if section["passed"] else "FAILED"
    print(f"{bar['name']}: {measured}, wanted {bar['wanted']}: {word}", file=sys.stderr)
    return word
