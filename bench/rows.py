"""One figure of one round: what was measured, whose processor time it was, and what is wrong with the books."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.cpu import Usage
from bench.load import Figures


@dataclass(frozen=True, slots=True)
class Extent:
    """How much to measure. `patience`: how many seconds to wait for a quiet moment before each row."""

    rounds: int
    seconds: float
    warm_seconds: float
    patience: float = 0.0
    parts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """`cpu_milliseconds`: per operation, by party. `also`: what else is worth telling, by name."""

    name: str
    label: str
    per_second: float
    p50_milliseconds: float | None
    p95_milliseconds: float | None
    p99_milliseconds: float | None
    cpu_milliseconds: Mapping[str, float]
    other_cores: float
    operations: int
    unexpected: Mapping[str, int] = field(default_factory=dict)
    also: Mapping[str, float] = field(default_factory=dict)
    flaws: list[str] = field(default_factory=list)
    books_checked: bool = False


def row_of(name: str, label: str, figures: Figures, usage: Usage, also: Mapping[str, float] | None = None) -> Row:
    """The figures of one run as a row."""
    operations = max(1, figures.answered)
    timed = figures.p50_milliseconds > 0
    return Row(
        name=name,
        label=label,
        per_second=figures.expected / figures.seconds,
        p50_milliseconds=figures.p50_milliseconds if timed else None,
        p95_milliseconds=figures.p95_milliseconds if timed else None,
        p99_milliseconds=figures.p99_milliseconds if timed else None,
        cpu_milliseconds={party: seconds * 1000 / operations for party, seconds in usage.seconds.items()},
        other_cores=usage.other_cores,
        operations=figures.answered,
        unexpected=figures.statuses,
        also=also or {},
    )
