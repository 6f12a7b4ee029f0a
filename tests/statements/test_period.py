"""The days of a statement: the last thirty, São Paulo's, and never more than a leap year."""

from datetime import UTC, date, datetime

import pytest

from lastro.errors import Validation
from lastro.statements.period import period

NOW = datetime(2026, 3, 10, 2, 30, tzinfo=UTC)  # still the ninth in São Paulo


def test_it_is_the_last_thirty_days_with_today() -> None:
    found = period(None, None, now=NOW)
    assert (found.first, found.last) == (date(2026, 2, 8), date(2026, 3, 9))
    assert not found.is_over


def test_it_begins_and_ends_at_midnight_in_sao_paulo() -> None:
    found = period(date(2026, 1, 1), date(2026, 1, 1), now=NOW)
    assert (found.since, found.until) == (datetime(2026, 1, 1, 3, tzinfo=UTC), datetime(2026, 1, 2, 3, tzinfo=UTC))
    assert found.is_over


def test_one_day_alone_gives_the_other() -> None:
    assert period(date(2026, 3, 1), None, now=NOW).last == date(2026, 3, 9)
    assert period(None, date(2026, 1, 31), now=NOW).first == date(2026, 1, 2)


def test_a_leap_year_is_the_most() -> None:
    assert period(date(2024, 1, 1), date(2024, 12, 31), now=NOW)
    with pytest.raises(Validation) as refused:
        period(date(2024, 1, 1), date(2025, 1, 1), now=NOW)
    assert [flaw.parameter for flaw in refused.value.flaws] == ["filter[dateFrom]"]


@pytest.mark.parametrize(("first", "last"), [(date(2026, 3, 2), date(2026, 3, 1)), (date(2026, 3, 10), None)])
def test_the_first_day_is_not_after_the_last(first: date, last: date | None) -> None:
    with pytest.raises(Validation):
        period(first, last, now=NOW)


def test_days_before_anything_and_after_everything_are_days() -> None:
    assert period(date(1000, 1, 1), date(1000, 1, 2), now=NOW).is_over
    assert not period(date(9998, 12, 1), date(9998, 12, 31), now=NOW).is_over
