"""Medians over rounds, ratios within a round, one table: on the screen, in results.json and in RESULTS.md."""

import json
import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.rounds import Row

_LIMIT = {"post_hot_64": "pgbench_hot"}
_RATED = ("post_1", "post_16", "post_64", "post_hot_64", "post_network_64", "post_settling_64", "settle")
_PARTIES = ("python", "worker", "postgres", "simulator", "load")


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the table: medians of its rounds, each figure for itself."""

    name: str
    label: str
    per_second: float
    slowest_per_second: float
    fastest_per_second: float
    p50_milliseconds: float | None
    p95_milliseconds: float | None
    p99_milliseconds: float | None
    cpu_milliseconds: Mapping[str, float]
    other_cores: float
    limit_ratio: float | None
    unexpected: Mapping[str, int]
    flaws: Sequence[str]
    books_checked: bool


def lines(rounds: Sequence[Sequence[Row]]) -> list[Line]:
    """The table. A row that is flawed in any round keeps its name and loses its figures."""
    return [_line([each for rows in rounds for each in rows if each.name == row.name], rounds) for row in rounds[0]]


def _line(rows: Sequence[Row], rounds: Sequence[Sequence[Row]]) -> Line:
    def middle(figure: Callable[[Row], float | None]) -> float | None:
        values = [value for row in rows if (value := figure(row)) is not None]
        return statistics.median(values) if values else None

    rates = [row.per_second for row in rows]
    return Line(
        name=rows[0].name,
        label=rows[0].label,
        per_second=statistics.median(rates),
        slowest_per_second=min(rates),
        fastest_per_second=max(rates),
        p50_milliseconds=middle(lambda row: row.p50_milliseconds),
        p95_milliseconds=middle(lambda row: row.p95_milliseconds),
        p99_milliseconds=middle(lambda row: row.p99_milliseconds),
        cpu_milliseconds={
            party: statistics.median(row.cpu_milliseconds[party] for row in rows) for party in rows[0].cpu_milliseconds
        },
        other_cores=statistics.median(row.other_cores for row in rows),
        limit_ratio=_limit_ratio(rows[0].name, rounds),
        unexpected=sum((Counter(row.unexpected) for row in rows), Counter()),
        flaws=[flaw for row in rows for flaw in row.flaws],
        books_checked=all(row.books_checked for row in rows),
    )


def _limit_ratio(name: str, rounds: Sequence[Sequence[Row]]) -> float | None:
    """How it compares with pgbench of the same round; the median of the rounds."""
    if name not in _RATED:
        return None
    limit = _LIMIT.get(name, "pgbench_spread")
    ratios = []
    for rows in rounds:
        by_name = {row.name: row for row in rows}
        if by_name[limit].flaws:
            return None
        ratios.append(by_name[name].per_second / by_name[limit].per_second)
    return statistics.median(ratios)


def table(found: Sequence[Line]) -> str:
    """Markdown that also reads well on a screen."""
    head = (
        "",
        "a second",
        "÷ pgbench",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "CPU ms: Python",
        "Postgres",
        "load",
        "not 2xx",
        "other cores",
    )
    cells = [head, *(_cells(line) for line in found)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    rows = ["| " + " | ".join(_padded(row, widths)) + " |" for row in cells]
    rule = "|" + "|".join("-" * (width + 1) + ("-" if not column else ":") for column, width in enumerate(widths)) + "|"
    return "\n".join((rows[0], rule, *rows[1:]))


def _padded(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]


def _cells(line: Line) -> tuple[str, ...]:
    if line.flaws:
        return (f"{line.label}: THE BOOKS DO NOT BALANCE", *("–" for _ in range(10)))
    cpu = line.cpu_milliseconds
    python = [f"{cpu[party]:.3f}" for party in ("python", "worker") if party in cpu]
    if "simulator" in cpu:
        python.append(f"({cpu['simulator']:.3f})")
    return (
        line.label,
        f"{line.per_second:,.0f}",
        _number(line.limit_ratio, 2),
        _number(line.p50_milliseconds, 1),
        _number(line.p95_milliseconds, 1),
        _number(line.p99_milliseconds, 1),
        " + ".join(python) or "–",
        _number(cpu.get("postgres"), 3),
        _number(cpu.get("load"), 3),
        str(sum(line.unexpected.values())),
        f"{line.other_cores:.2f}",
    )


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def derived(found: Sequence[Line]) -> dict[str, float]:
    """Ratios between rows of the same run that a later change may be held to."""
    # A window so short that nothing was answered in it has no ratios.
    by_name = {line.name: line for line in found if not line.flaws and line.per_second}
    post, limit = by_name.get("post_64"), by_name.get("pgbench_spread")
    ratios: dict[str, float] = {}
    if post and post.p50_milliseconds and post.p99_milliseconds:
        ratios["p99 ÷ p50 at 64 connections"] = post.p99_milliseconds / post.p50_milliseconds
    if post and "post_16" in by_name:
        ratios["payments a second at 64 ÷ at 16 connections"] = post.per_second / by_name["post_16"].per_second
    if post and "post_hot_64" in by_name:
        ratios["payments a second on one account ÷ spread"] = by_name["post_hot_64"].per_second / post.per_second
    if post and limit and limit.cpu_milliseconds.get("postgres"):
        used = post.cpu_milliseconds["python"] + post.cpu_milliseconds["postgres"]
        ratios["(Python + Postgres) CPU of a payment ÷ Postgres CPU of pgbench's"] = (
            used / limit.cpu_milliseconds["postgres"]
        )
    if post and "settle" in by_name:
        ratios["settled by one worker ÷ accepted, a second"] = by_name["settle"].per_second / post.per_second
    return ratios


def document(conditions: Mapping[str, Any], rounds: Sequence[Sequence[Row]], found: Sequence[Line]) -> dict[str, Any]:
    """All of it, for machines. A flawed row keeps its flaws and nothing else."""
    shown = [asdict(line) if not line.flaws else {"name": line.name, "flaws": line.flaws} for line in found]
    raw = [
        [asdict(row) if not row.flaws else {"name": row.name, "flaws": row.flaws} for row in rows] for rows in rounds
    ]
    return {"conditions": conditions, "rows": shown, "ratios": derived(found), "rounds": raw}


def page(conditions: Mapping[str, Any], found: Sequence[Line]) -> str:
    """RESULTS.md."""
    facts = "\n".join(f"* {name}: {value}" for name, value in conditions.items())
    ratios = "\n".join(f"* {name}: {value:.2f}" for name, value in derived(found).items())
    return f"""# Results of `python -m bench`

{table(found)}

{ratios}

How to read it. Load generator, Python and Postgres share the cores. Each figure is the median of the rounds; the
ratio to pgbench is taken within a round: spread rows to pgbench spread, the row on one account to pgbench on one
account. pgbench writes the same rows, one transaction a payment, and does nothing else. Connections are a closed loop,
so percentiles are those of clients that wait. Unless a row says "DICT over HTTP", the payee is found in the process by
a labelled directory (bench/server.py). CPU is processor time per operation; of Python, server + worker
(and the simulator's in brackets). "Other cores" is how many cores were busy with what is not part of the run: above
0.2, trust the processor time and not the rates, and least of all a rate's ratio to pgbench, whose 32 processes win
against one of Python wherever there is not enough for all. After each row that pays, the books are checked; a row
whose books do not balance has no figure.

{facts}
"""


def write(directory: Path, conditions: Mapping[str, Any], rounds: Sequence[Sequence[Row]]) -> None:
    """results.json and RESULTS.md."""
    found = lines(rounds)
    content = json.dumps(document(conditions, rounds, found), indent=1, ensure_ascii=False)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "results.json").write_text(content + "\n")
    (directory / "RESULTS.md").write_text(page(conditions, found))
