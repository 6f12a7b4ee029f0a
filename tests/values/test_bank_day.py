"""Banks rest at weekends and on national holidays, the movable ones too."""

from datetime import date

import pytest

from lastro.values.bank_day import bank_day_from, is_bank_day


@pytest.mark.parametrize(
    "day",
    [
        "2020-12-25",
        "2021-01-01",
        "2026-01-03",
        "2026-01-04",
        "2026-02-16",
        "2026-02-17",
        "2026-04-03",
        "2026-04-21",
        "2026-05-01",
        "2026-06-04",
        "2026-09-07",
        "2026-10-12",
        "2026-11-02",
        "2026-11-20",
        "2024-03-29",
        "2025-03-03",
        "2025-03-04",
        "2025-06-19",
        "2027-02-08",
        "2027-03-26",
        "2038-06-24",
    ],
)
def test_banks_rest(day: str) -> None:
    assert not is_bank_day(date.fromisoformat(day))


@pytest.mark.parametrize(
    "day",
    ["2026-02-18", "2026-02-13", "2026-04-06", "2026-06-05", "2023-11-20", "2026-12-24", "2026-12-31", "2024-02-29"],
)
def test_banks_are_open(day: str) -> None:
    assert is_bank_day(date.fromisoformat(day))


@pytest.mark.parametrize(
    ("day", "then"),
    [
        ("2026-02-14", "2026-02-18"),  # over Carnival, to Ash Wednesday
        ("2020-12-25", "2020-12-28"),
        ("2020-12-28", "2020-12-28"),
        ("2026-04-03", "2026-04-06"),
    ],
)
def test_what_falls_due_on_a_day_of_rest_is_due_on_the_next(day: str, then: str) -> None:
    assert bank_day_from(date.fromisoformat(day)) == date.fromisoformat(then)
