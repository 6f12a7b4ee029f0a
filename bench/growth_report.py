"""How times grow with the table: bars and a page, out of what `bench.growth` measured."""

from collections.abc import Mapping, Sequence
from typing import Any

from bench import tables
from bench.bars import Bar, judge, ratio, shown

Section = Mapping[str, Any]

LABELS = {
    "post_64": "POST payment, 64 connections",
    "first_page": "first page, total of the tenant",
    "keyset_page": "page after a cursor, total of the tenant",
    "by_status": "first page and total by status",
    "by_account": "first page and total of the account that has every twentieth",
    "by_dates": "first page and total of 30 days",
}
_FLAT = ("post_64", "first_page", "keyset_page")
FLAT, WITH_TOTAL = 1.3, 2.0


def bars(section: Section) -> list[dict[str, Any]]:
    """The largest table against the smallest, within each round."""
    sizes = sorted((int(size) for size in section["sizes"]), reverse=True)
    largest, smallest = section["sizes"][str(sizes[0])], section["sizes"][str(sizes[-1])]
    found = []
    for name, label in LABELS.items():
        bar = Bar(
            f"{label}: time at {sizes[0]:,} payments ÷ at {sizes[-1]:,}",
            lambda _rows: None,
            most=FLAT if name in _FLAT else WITH_TOTAL,
        )
        sound = not largest["flaws"] and not smallest["flaws"]
        values = _ratios(largest["rounds"], smallest["rounds"], name) if sound else []
        found.append(judge(bar, values))
    return shown(found)


def _ratios(largest: Sequence[Section], smallest: Sequence[Section], name: str) -> list[float]:
    pairs = zip(largest, smallest, strict=True)
    values = [ratio(one[name]["milliseconds"], other[name]["milliseconds"]) for one, other in pairs]
    return [value for value in values if value is not None]


def page(section: Section) -> str:
    """One line a figure, one column a size: the median time in milliseconds."""
    sizes = sorted(int(size) for size in section["sizes"])
    head = ("median ms (one connection unless said)", *(f"{size:,}" for size in sizes))
    cells = [[label, *(_time(section["sizes"][str(size)], name) for size in sizes)] for name, label in LABELS.items()]
    cells.append(["POST payment, a second", *(_rate(section["sizes"][str(size)]) for size in sizes)])
    cells.append(["seeding, seconds", *(f"{section['sizes'][str(size)]['seeding_seconds']:,.0f}" for size in sizes)])
    cells.append(["database, GB", *(f"{section['sizes'][str(size)]['bytes'] / 1e9:,.1f}" for size in sizes)])
    facts = "\n".join(f"* {name}: {value}" for name, value in section["conditions"].items())
    return f"{tables.table([head, *cells])}\n\n{facts}"


def _time(size: Section, name: str) -> str:
    return "–" if size["flaws"] else tables.number(size["figures"][name]["milliseconds"], 2)


def _rate(size: Section) -> str:
    return "–" if size["flaws"] else tables.number(size["figures"]["post_64"]["per_second"], 0)
