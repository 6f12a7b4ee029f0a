"""Medians over rounds and the bars, in results.json; RESULTS.md and the screen are made of what stands there."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench import growth_report, tables
from bench.bars import BARS, judged, shown
from bench.figures import median
from bench.rows import Row

Document = dict[str, Any]

_RATED = {
    "pgbench_spread": ("post_", "peer_", "open_", "overload", "settle", "all_at_once"),
    "pgbench_hot": ("post_1p_hot_", "post_2p_hot_"),
    "pgbench_credit_hot": ("receive_hot_",),
}
_UNRATED = ("post_code_",)
_SECTIONS = ("conditions", "rows", "bars", "rounds", "passed", "growth", "soak")


def lines(rounds: Sequence[Sequence[Row]]) -> list[Document]:
    """One line a row: medians of its rounds, each figure for itself. A flawed row keeps its name and its flaws."""
    order = list(dict.fromkeys(row.name for rows in rounds for row in rows))
    return [_line([row for rows in rounds for row in rows if row.name == name], rounds) for name in order]


def _line(rows: Sequence[Row], rounds: Sequence[Sequence[Row]]) -> Document:
    flaws = [flaw for row in rows for flaw in row.flaws]
    named: Document = {"name": rows[0].name, "label": rows[0].label, "flaws": flaws}
    if flaws:
        return named

    def middle(figure: Callable[[Row], float | None]) -> float | None:
        return median([value for row in rows if (value := figure(row)) is not None])

    rates = [row.per_second for row in rows]
    return named | {
        "per_second": median(rates),
        "slowest_per_second": min(rates),
        "fastest_per_second": max(rates),
        "p50_milliseconds": middle(lambda row: row.p50_milliseconds),
        "p95_milliseconds": middle(lambda row: row.p95_milliseconds),
        "p99_milliseconds": middle(lambda row: row.p99_milliseconds),
        "cpu_milliseconds": {
            party: median([row.cpu_milliseconds[party] for row in rows]) for party in rows[0].cpu_milliseconds
        },
        "other_cores": middle(lambda row: row.other_cores),
        "limit_ratio": _limit_ratio(rows[0].name, rounds),
        "also": {what: median([row.also[what] for row in rows]) for what in rows[0].also},
        "unexpected": dict(sum((Counter(row.unexpected) for row in rows), Counter[str]())),
        "books_checked": all(row.books_checked for row in rows),
    }


def _limit_ratio(name: str, rounds: Sequence[Sequence[Row]]) -> float | None:
    """How it compares with pgbench of the same round; the median of the rounds."""
    limit = _limit_of(name)
    sound = [{row.name: row.per_second for row in rows if not row.flaws} for rows in rounds]
    return median([rates[name] / rates[limit] for rates in sound if limit in rates and name in rates and rates[limit]])


def _limit_of(name: str) -> str:
    """The most particular prefix decides; some rows write something else than pgbench does."""
    found = [
        (len(prefix), limit)
        for limit, prefixes in _RATED.items()
        for prefix in prefixes
        if name.startswith(prefix) and not name.startswith(_UNRATED)
    ]
    return max(found)[1] if found else ""


def document(conditions: Mapping[str, Any], rounds: Sequence[Sequence[Row]]) -> Document:
    """The main table for machines, with each round of it."""
    raw = [[kept(row) for row in rows] for rows in rounds]
    return {
        "conditions": dict(conditions),
        "rows": lines(rounds),
        "bars": shown(judged(BARS, rounds)),
        "rounds": raw,
    }


def kept(row: Row) -> Document:
    if row.flaws:
        return {"name": row.name, "flaws": row.flaws}
    return asdict(row)


def bars_of(results: Document) -> list[Document]:
    """All bars of all that was measured, whenever."""
    growth = results.get("growth")
    soak = results.get("soak")
    return [
        *results.get("bars", []),
        *(growth_report.bars(growth) if growth else []),
        *(soak["bars"] if soak else []),
    ]


def page(results: Document) -> str:
    """RESULTS.md."""
    parts = ["# Results of `make bench`"]
    if bars := bars_of(results):
        parts += ["## What it must reach", tables.bars(bars)]
    if "rows" in results:
        parts += ["## The table", tables.rows(results["rows"]), *_beside(results["rows"]), HOW_TO_READ]
        parts.append(_facts(results["conditions"]))
    if "growth" in results:
        parts += ["## Growth", growth_report.page(results["growth"])]
    if "soak" in results:
        parts += ["## Memory", tables.soak(results["soak"]), _facts(results["soak"]["conditions"])]
    return "\n\n".join(parts) + "\n"


def _beside(found: Sequence[Document]) -> list[str]:
    """What some rows tell besides."""
    told = [
        f"* {line['label']}: " + ", ".join(f"{what} {value:,.0f}" for what, value in line["also"].items())
        for line in found
        if line.get("also")
    ]
    return ["\n".join(told)] if told else []


def _facts(conditions: Mapping[str, Any]) -> str:
    return "\n".join(f"* {name}: {value}" for name, value in conditions.items())


HOW_TO_READ = """How to read it. Load generator, Python and Postgres share the cores. Each figure is the median of the
rounds; ratios are taken within a round, and rows of one account are compared with pgbench on one account. pgbench
writes the same rows, one transaction each, and does nothing else. The ORM peer is bench/peer.py: the same endpoint by
the textbook, served by the same number of processes. Rows are closed loops, whose percentiles are those of clients that
wait, unless they say "open loop": there requests are due at a constant rate, and a latency counts from the moment that
its request was due. Unless a row says "over HTTP", the network is in the process (bench/adapter.py): the payee is found
there, and a settlement is answered at once. CPU is processor time per operation; of Python, server + worker, and the
simulator's in brackets. "Other cores" is how many cores were busy with what is not part of the run: above 0.2, trust
the processor time and not the rates. After each row that writes, sums and counts are checked, and after each database
`lastro check`; a row whose books do not balance has no figure."""


def write(directory: Path, section: Mapping[str, Any]) -> Document:
    """Put a section into results.json, leave the others, and make RESULTS.md of all of them."""
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / "results.json"
    known: Document = json.loads(file.read_text()) if file.exists() else {}
    results = {name: value for name, value in {**known, **section}.items() if name in _SECTIONS}
    file.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    (directory / "RESULTS.md").write_text(page(results))
    return results
