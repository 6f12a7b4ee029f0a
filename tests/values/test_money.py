"""Money is counted in centavos and is never rounded, however it is spelled."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastro.values.money import MAX_CENTAVOS, ZERO, Money
from lastro.values.text import Invalid

all_centavos = st.integers(min_value=-MAX_CENTAVOS, max_value=MAX_CENTAVOS)
half_centavos = st.integers(min_value=-MAX_CENTAVOS // 2, max_value=MAX_CENTAVOS // 2)


@pytest.mark.parametrize(
    ("reais", "centavos"),
    [
        ("1500.00", 150_000),
        ("1500", 150_000),
        ("1.5E+3", 150_000),
        ("0.01", 1),
        ("-5", -500),
        ("-0.00", 0),
        ("100000000000", MAX_CENTAVOS),
        ("-100000000000.00", -MAX_CENTAVOS),
    ],
)
def test_reais_become_centavos(reais: str, centavos: int) -> None:
    assert Money.from_reais(Decimal(reais)) == Money(centavos)


@pytest.mark.parametrize("reais", ["10.001", "10.000", "0.005", "1E-30", "1E-999999", "0E-3"])
def test_a_third_decimal_is_refused(reais: str) -> None:
    with pytest.raises(Invalid, match="two decimals"):
        Money.from_reais(Decimal(reais))


@pytest.mark.parametrize("reais", ["NaN", "-NaN", "sNaN", "Infinity", "-Infinity"])
def test_what_is_no_number_is_refused(reais: str) -> None:
    with pytest.raises(Invalid, match="must be a number"):
        Money.from_reais(Decimal(reais))


@pytest.mark.parametrize("reais", ["100000000000.01", "-100000000000.01", "1E+30", "-1E+30", "1E+999999"])
def test_more_than_a_hundred_billion_is_refused(reais: str) -> None:
    with pytest.raises(Invalid, match="100 billion"):
        Money.from_reais(Decimal(reais))


@pytest.mark.parametrize("centavos", [True, False, 1.0, Decimal(1), "1", None])
def test_centavos_are_an_int_and_nothing_like_one(centavos: Any) -> None:
    with pytest.raises(AssertionError):
        Money(centavos)


@pytest.mark.parametrize("centavos", [MAX_CENTAVOS + 1, -MAX_CENTAVOS - 1])
def test_money_out_of_bounds_can_not_exist(centavos: int) -> None:
    with pytest.raises(AssertionError):
        Money(centavos)


def test_a_sum_out_of_bounds_can_not_exist() -> None:
    with pytest.raises(AssertionError):
        Money(MAX_CENTAVOS) + Money(1)


@pytest.mark.parametrize(
    ("text", "centavos"),
    [("1500.00", 150_000), ("0.01", 1), ("0.00", 0), ("100000000000.00", MAX_CENTAVOS), ("0007.50", 750)],
)
def test_the_wire_form_is_read(text: str, centavos: int) -> None:
    assert Money.parse(text) == Money(centavos)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1500",
        "1500.0",
        "1500.000",
        "1500,00",
        ".50",
        "-1.00",
        "+1.00",
        " 1.00",
        "1.00\n",
        "1.00\x00",
        "1_000.00",
        "1.5E3",
        "NaN",
        "\uff11.00",
        "\u0661.00",
        "1\u202e.00",
        "1000000000000.00",
    ],
)
def test_any_other_form_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="digits, a point and two decimals"):
        Money.parse(text)


def test_the_wire_form_has_the_same_bounds() -> None:
    with pytest.raises(Invalid, match="100 billion"):
        Money.parse("100000000000.01")


@given(all_centavos)
def test_reais_and_centavos_say_the_same(centavos: int) -> None:
    money = Money(centavos)
    assert Money.from_reais(money.reais) == money
    assert money.reais.as_tuple().exponent == -2
    assert str(money) == f"{money.reais:.2f}"


@given(st.integers(min_value=0, max_value=MAX_CENTAVOS))
def test_what_is_printed_can_be_read_back(centavos: int) -> None:
    assert Money.parse(str(Money(centavos))) == Money(centavos)


@given(half_centavos, half_centavos)
def test_sums_are_exact_and_can_be_undone(left: int, right: int) -> None:
    assert Money(left) + Money(right) == Money(left + right)
    assert Money(left) + Money(right) - Money(right) == Money(left)
    assert Money(left) - Money(right) == Money(left) + -Money(right)


@given(all_centavos, all_centavos)
def test_order_is_that_of_the_centavos(left: int, right: int) -> None:
    assert (Money(left) < Money(right)) == (left < right)
    assert (Money(left) >= Money(right)) == (left >= right)


def test_only_zero_is_false() -> None:
    assert not ZERO
    assert Money(1)
    assert Money(-1)


@pytest.mark.parametrize(("centavos", "text"), [(150_000, "1500.00"), (0, "0.00"), (1, "0.01"), (-150, "-1.50")])
def test_it_prints_with_two_decimals(centavos: int, text: str) -> None:
    assert str(Money(centavos)) == text


def test_money_can_not_be_changed() -> None:
    with pytest.raises(AttributeError):
        ZERO.centavos = 5  # type: ignore[misc]
