"""The command: `python -m bench`, and with `--growth`, `--soak MINUTES` or `--smoke` another measurement instead."""

import argparse
import asyncio
import resource
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import books, drive, growth, report, smoke, soak, tables
from bench.machine import NotDurableError, flush_milliseconds, machine_facts, postgres_facts
from bench.place import Place, place
from bench.rounds import PARTS, one_round
from bench.rows import Extent, Row

_HERE = Path(__file__).resolve().parent


def main() -> int:
    """Measure, print, write. 1 when books do not balance or the short run fails, 2 when nothing may be reported."""
    options = _options()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 20_000) if most > 0 else 20_000, most))  # children inherit it
    # SIGTERM must unwind the stack: its default action would orphan Postgres and the servers.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with place() as here:
            conditions = _conditions(here, options)
            for name, value in conditions.items():
                print(f"{name}: {value}")
            section, failed = _chosen(options)(here, options, conditions)
    except NotDurableError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    report.write(options.out, section)
    return 1 if failed else 0


Measured = tuple[dict[str, Any], bool]


def _chosen(options: argparse.Namespace) -> Callable[[Place, argparse.Namespace, dict[str, Any]], Measured]:
    if options.growth:
        return _growth
    if options.soak:
        return _soak
    return _smoke if options.smoke else _table


def _table(here: Place, options: argparse.Namespace, conditions: dict[str, Any]) -> Measured:
    extent = _extent(options)
    rounds = [one_round(here, extent, number, _say) for number in range(1, extent.rounds + 1)]
    section = report.document(conditions, rounds)
    _print(section)
    return section, _told(section["rows"])


def _smoke(here: Place, options: argparse.Namespace, conditions: dict[str, Any]) -> Measured:
    section = {"conditions": conditions, **smoke.smoke(here, _extent(options), _say)}
    _print(section)
    _told(section["rows"])
    return section, smoke.verdict(section) == "FAILED"


def _growth(here: Place, options: argparse.Namespace, conditions: dict[str, Any]) -> Measured:
    section = growth.grow(here, _extent(options), options.sizes)
    section["conditions"] = {**conditions, **section["conditions"]}
    flaws = [f"{size}: {flaw}" for size, each in section["sizes"].items() for flaw in each["flaws"]]
    print("\n".join(flaws), file=sys.stderr, end="\n" if flaws else "")
    whole = {"growth": section}
    print(f"\n{report.page(whole)}")
    return whole, bool(flaws)


def _soak(here: Place, options: argparse.Namespace, conditions: dict[str, Any]) -> Measured:
    section = soak.soak(here, options.soak)
    section["conditions"] = {**conditions, **section["conditions"]}
    print("\n".join(section["flaws"]), file=sys.stderr, end="\n" if section["flaws"] else "")
    whole = {"soak": section}
    print(f"\n{report.page(whole)}")
    return whole, bool(section["flaws"])


def _print(section: dict[str, Any]) -> None:
    print(f"\n{tables.rows(section['rows'])}\n\n{tables.bars(section['bars'])}\n")


def _told(rows: list[dict[str, Any]]) -> bool:
    """Say which books do not balance; whether there are any."""
    flaws = [f"{line['label']}: {flaw}" for line in rows for flaw in line["flaws"]]
    print("\n".join(flaws), file=sys.stderr, end="\n" if flaws else "")
    return bool(flaws)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, help="how often everything is measured (3; quick: 1)")
    parser.add_argument("--seconds", type=float, help="length of each measurement (4; quick and smoke: 2)")
    parser.add_argument("--warm-seconds", type=float, help="what runs before each, not counted (1; quick: 0.5)")
    parser.add_argument("--patience", type=float, help="seconds to wait for a quiet moment before each (10; quick: 0)")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=(), help="only these parts of the table")
    parser.add_argument("--growth", action="store_true", help="the same beside 10⁴, 10⁶ and 10⁷ payments")
    parser.add_argument("--sizes", type=int, nargs="+", default=growth.SIZES, help="other numbers of payments")
    parser.add_argument("--soak", type=float, metavar="MINUTES", help="memory under load for so long")
    parser.add_argument("--smoke", action="store_true", help="a few minutes; fails under 5 times the ORM peer")
    parser.add_argument("--quick", action="store_true", help="one short round of everything in the table")
    parser.add_argument("--out", type=Path, default=_HERE, help="where results.json and RESULTS.md go (bench/)")
    parser.add_argument("--note", default="", help="a sentence about the conditions, kept with the results")
    options = parser.parse_args()
    brief = options.quick or options.smoke
    usual = {"rounds": 3, "seconds": 4.0, "warm_seconds": 1.0, "patience": 10.0}
    quick = {"rounds": 1, "seconds": 2.0, "warm_seconds": 0.5, "patience": 0.0}
    for name, value in (quick if brief else usual).items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    return options


def _extent(options: argparse.Namespace) -> Extent:
    return Extent(options.rounds, options.seconds, options.warm_seconds, options.patience, tuple(options.parts))


def _conditions(here: Place, options: argparse.Namespace) -> dict[str, Any]:
    """Everything that a reader needs to doubt a figure. Raises NotDurableError."""
    settings = asyncio.run(postgres_facts(here.owners_url("postgres")))
    facts: dict[str, Any] = {
        "date": datetime.now(UTC).isoformat(timespec="minutes"),
        **machine_facts(),
        "postgres": settings.pop("version"),
        "postgres settings": ", ".join(f"{name} {value}" for name, value in settings.items()),
        "one flush to the disk": f"{flush_milliseconds(here.scratch):.2f} ms (median)",
        "load generator": drive.generator(),
        "server": "all defaults, log level info",
        "extent": f"{options.rounds} round(s), {options.seconds:g} s a row after {options.warm_seconds:g} s",
        "books": "sums, counts" + (", lastro check" if books.checker_is_there() else ""),
    }
    return facts | ({"note": options.note} if options.note else {})


def _say(row: Row) -> None:
    """Progress, on the other stream."""
    if row.flaws:
        said = "books do not balance: " + "; ".join(row.flaws)
    else:
        said = f"{row.per_second:,.0f}/s, other busy cores {row.other_cores:.2f}"
        said += f", unexpected {dict(row.unexpected)}" if row.unexpected else ""
    print(f"  {row.label}: {said}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
