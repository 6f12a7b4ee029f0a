"""Percentiles and slopes, by hand."""

import pytest
from bench.figures import median, percentile, slope_per_minute


def test_a_percentile_is_a_value_that_was_measured() -> None:
    hundred = [float(value) for value in range(1, 101)]
    assert percentile(hundred, 0.50) == 51
    assert percentile(hundred, 0.95) == 96
    assert percentile(hundred, 0.99) == 100
    assert percentile([7.0], 0.50) == percentile([7.0], 0.99) == 7


def test_nothing_measured_is_nothing() -> None:
    assert percentile([], 0.99) == 0
    assert median([]) is None
    assert slope_per_minute([]) == 0
    assert slope_per_minute([(1.0, 100.0), (1.0, 200.0)]) == 0


def test_a_slope_is_what_is_added_in_a_minute() -> None:
    assert slope_per_minute([(0, 100.0), (10, 101.0), (20, 102.0)]) == pytest.approx(6)
    assert slope_per_minute([(0, 100.0), (10, 90.0), (20, 100.0)]) == pytest.approx(0)
