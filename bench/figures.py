"""The arithmetic of the harness: percentiles, medians, shares."""

import statistics
from collections.abc import Sequence


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value that `share` of the values do not exceed, of values in order; 0 of none."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def median(values: Sequence[float]) -> float | None:
    """None of none."""
    return statistics.median(values) if values else None


def slope_per_minute(points: Sequence[tuple[float, float]]) -> float:
    """How fast the values of (second, value) rise a minute: least squares; 0 of fewer than two moments."""
    if len({at for at, _ in points}) < 2:
        return 0.0
    return statistics.linear_regression([at for at, _ in points], [value for _, value in points]).slope * 60
