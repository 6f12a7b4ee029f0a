"""Tables in Markdown that also read well on a screen."""

from collections.abc import Mapping, Sequence
from typing import Any

_HEAD = (
    *("", "a second", "÷ pgbench", "p50 ms", "p95 ms", "p99 ms", "CPU ms: Python", "Postgres", "load"),
    *("unexpected", "other cores"),
)


def table(cells: Sequence[Sequence[str]]) -> str:
    """The first row is the head; all columns but the first are aligned to the right."""
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    rows = ["| " + " | ".join(_padded(row, widths)) + " |" for row in cells]
    rule = "|" + "|".join("-" * (width + 1) + ("-" if not column else ":") for column, width in enumerate(widths)) + "|"
    return "\n".join((rows[0], rule, *rows[1:]))


def _padded(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]


def number(value: float | None, digits: int) -> str:
    """A dash where nothing was measured."""
    return "–" if value is None else f"{value:,.{digits}f}"


def rows(found: Sequence[Mapping[str, Any]]) -> str:
    """The main table."""
    return table([_HEAD, *(_row(line) for line in found)])


def _row(line: Mapping[str, Any]) -> tuple[str, ...]:
    if line["flaws"]:
        return (f"{line['label']}: THE BOOKS DO NOT BALANCE", *("–" for _ in range(len(_HEAD) - 1)))
    cpu = line["cpu_milliseconds"]
    python = [f"{cpu[party]:.3f}" for party in ("python", "worker") if party in cpu]
    if "simulator" in cpu:
        python.append(f"({cpu['simulator']:.3f})")
    return (
        line["label"],
        number(line["per_second"], 0),
        number(line["limit_ratio"], 2),
        number(line["p50_milliseconds"], 1),
        number(line["p95_milliseconds"], 1),
        number(line["p99_milliseconds"], 1),
        " + ".join(python) or "–",
        number(cpu.get("postgres"), 3),
        number(cpu.get("load"), 3),
        ", ".join(f"{times} × {what}" for what, times in line["unexpected"].items()) or "0",
        number(line["other_cores"], 2),
    )


def bars(found: Sequence[Mapping[str, Any]]) -> str:
    """Each bar, what was measured, and the verdict; under the table, why the missed ones are."""
    verdicts = {True: "met", False: "MISSED", None: "not measured"}
    cells = [
        (
            bar["name"],
            bar["wanted"],
            number(bar["measured"], 2),
            "–" if bar["lowest"] is None else f"{bar['lowest']:,.2f} to {bar['highest']:,.2f}",
            verdicts[bar["met"]],
        )
        for bar in found
    ]
    causes = [f"* {bar['name']}: {bar['cause']}" for bar in found if bar["cause"]]
    shown = table([("", "at least / at most", "measured", "rounds", ""), *cells])
    return "\n".join([shown, "", *causes]) if causes else shown


def soak(found: Mapping[str, Any]) -> str:
    """One line a process."""
    head = ("memory (RSS) under load", "first MB", "last MB", "most MB", "MB a minute")
    cells = [
        (
            process["label"],
            number(process["first"], 0),
            number(process["last"], 0),
            number(process["most"], 0),
            number(process["slope"], 2),
        )
        for process in found["processes"]
    ]
    load = f"{found['minutes']:g} minutes, {found['per_second']:,.0f} payments/s accepted, {found['settled']:,} settled"
    return f"{table([head, *cells])}\n\n{load}"
