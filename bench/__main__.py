"""The command: `python -m bench [--quick] [--rounds N] [--seconds S] [--processes N]`."""

import argparse
import asyncio
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import books, drive, report
from bench.machine import NotDurableError, flush_milliseconds, machine_facts, postgres_facts
from bench.place import Place, place
from bench.rounds import Extent, Row, one_round

_HERE = Path(__file__).resolve().parent


def main() -> int:
    """Measure, print, write. 1 when the books of any row do not balance, 2 when nothing may be reported at all."""
    options = _options()
    extent = Extent(options.rounds, options.seconds, options.warm_seconds, options.processes)
    # SIGTERM must unwind the stack: its default action would orphan Postgres and the servers.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with place() as here:
            conditions = _conditions(here, extent, options.note)
            for name, value in conditions.items():
                print(f"{name}: {value}")
            rounds = [one_round(here, extent, number, _say) for number in range(1, extent.rounds + 1)]
    except NotDurableError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    found = report.lines(rounds)
    print(f"\n{report.table(found)}\n")
    for name, ratio in report.derived(found).items():
        print(f"{name}: {ratio:.2f}")
    report.write(options.out, conditions, rounds)
    flaws = [f"{line.label}: {flaw}" for line in found for flaw in line.flaws]
    print("\n".join(flaws), file=sys.stderr, end="\n" if flaws else "")
    return 1 if flaws else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, help="how often everything is measured (3; quick: 1)")
    parser.add_argument("--seconds", type=float, help="length of each measurement (4; quick: 2)")
    parser.add_argument("--warm-seconds", type=float, help="what runs before each and is not counted (1; quick: 0.5)")
    parser.add_argument("--processes", type=int, default=1, help="server processes (1)")
    parser.add_argument("--quick", action="store_true", help="one short round, less than a minute")
    parser.add_argument("--out", type=Path, default=_HERE, help="where results.json and RESULTS.md go (bench/)")
    parser.add_argument("--note", default="", help="a sentence about the conditions, kept with the results")
    options = parser.parse_args()
    for name, usual, quick in (("rounds", 3, 1), ("seconds", 4.0, 2.0), ("warm_seconds", 1.0, 0.5)):
        if getattr(options, name) is None:
            setattr(options, name, quick if options.quick else usual)
    return options


def _conditions(here: Place, extent: Extent, note: str) -> dict[str, Any]:
    """Everything that a reader needs to doubt a figure. Raises NotDurableError."""
    settings = asyncio.run(postgres_facts(here.owners_url("postgres")))
    facts: dict[str, Any] = {
        "date": datetime.now(UTC).isoformat(timespec="minutes"),
        **machine_facts(),
        "postgres": settings.pop("version"),
        "postgres settings": ", ".join(f"{name} {value}" for name, value in settings.items()),
        "one flush to the disk": f"{flush_milliseconds(here.scratch):.2f} ms (median)",
        "load generator": f"{drive.generator()}, closed loop",
        "server": f"{extent.processes} process(es), all defaults, log level info",
        "extent": f"{extent.rounds} round(s), {extent.seconds:g} s a row after {extent.warm_seconds:g} s of warming up",
        "books": "sums, counts" + (", lastro check" if books.checker_is_there() else ""),
    }
    return facts | ({"note": note} if note else {})


def _say(row: Row) -> None:
    """Progress, on the other stream."""
    if row.flaws:
        said = "books do not balance: " + "; ".join(row.flaws)
    else:
        said = f"{row.per_second:,.0f}/s, other busy cores {row.other_cores:.2f}"
    print(f"  {row.label}: {said}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
