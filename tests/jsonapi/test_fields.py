"""Amounts, times, names, days and metadata: read strictly, written in one way."""

import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lastro.jsonapi import strict_json
from lastro.jsonapi.document import Schema
from lastro.jsonapi.fields import Amount, Day, Metadata, Reais, Timestamp, end_of, line, start_of, timestamp
from lastro.values.money import MAX_CENTAVOS, Money


class Paid(Schema):
    """Something with an amount."""

    amount: Amount


class Named(Schema):
    """Something with a name."""

    name: Annotated[str, *line(10)]


class Noted(Schema):
    """Something with metadata."""

    metadata: Metadata | None = None


class Dated(Schema):
    """Something on a day."""

    day: Day


class Shown(Schema):
    """Something that is answered."""

    amount: Reais
    at: Timestamp


def paid(literal: str) -> Money:
    """The amount that this JSON literal means."""
    return Paid.model_validate(strict_json.parse(f'{{"amount":{literal}}}'.encode())).amount


def noted(metadata: Any) -> Any:
    """What is kept of this metadata."""
    return Noted.model_validate(strict_json.parse(json.dumps({"metadata": metadata}).encode())).metadata


@pytest.mark.parametrize(
    ("literal", "centavos"),
    [
        ("10", 1_000),
        ("10.0", 1_000),
        ("10.00", 1_000),
        ("10.1", 1_010),
        ("0.01", 1),
        ("0.29", 29),
        ("1500.00", 150_000),
        ("90071992547.93", 9_007_199_254_793),
        ("100000000000", MAX_CENTAVOS),
        ("100000000000.00", MAX_CENTAVOS),
    ],
)
def test_a_json_number_of_reais_becomes_centavos(literal: str, centavos: int) -> None:
    assert paid(literal) == Money(centavos)


@pytest.mark.parametrize(
    "literal",
    [
        "true",
        "false",
        "null",
        '"10.00"',
        '"1_500"',
        '""',
        "[]",
        "[10]",
        "{}",
        "0",
        "0.00",
        "-0",
        "-0.0",
        "-5",
        "-0.01",
        "10.001",
        "10.000",
        "1500.005",
        "0.30000000000000004",
        "100000000000.01",
        "100000000001",
        "1000000000000000",
        "90071992547409.93",
        "99999999999999999999",
    ],
)
def test_anything_else_is_no_amount(literal: str) -> None:
    with pytest.raises(ValidationError, match="Must be a number of reais"):
        paid(literal)


@pytest.mark.parametrize("value", [10.0, 0.1, float("nan"), float("inf"), b"10", Decimal("NaN"), Decimal("1E+1000000")])
def test_a_float_never_becomes_money(value: Any) -> None:
    with pytest.raises(ValidationError, match="Must be a number of reais"):
        Paid.model_validate({"amount": value})


@given(st.integers(min_value=1, max_value=MAX_CENTAVOS))
def test_every_amount_survives_the_wire(centavos: int) -> None:
    shown = Shown(amount=Money(centavos), at=datetime(2026, 1, 1, tzinfo=UTC)).model_dump_json()

    said = json.loads(shown, parse_float=str, parse_int=str)["amount"]

    assert "e" not in said.lower()
    assert paid(said) == Money(centavos)


def test_times_are_written_in_utc_to_the_second() -> None:
    moment = datetime(2024, 1, 15, 7, 30, 0, 999_999, tzinfo=timezone(timedelta(hours=-3)))

    assert timestamp(moment) == "2024-01-15T10:30:00Z"
    assert Shown(amount=Money(0), at=moment).model_dump_json() == '{"amount":0.0,"at":"2024-01-15T10:30:00Z"}'


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("João", "João"),
        ("Joa\u0303o", "João"),  # composed
        ("  a b  ", "a b"),
        ("\u00a0a\u3000", "a"),
        ("1234567890", "1234567890"),
        ("\U0001f600 ok", "\U0001f600 ok"),
        ("<b>&'\";--", "<b>&'\";--"),  # text is text: whoever shows it escapes it
    ],
)
def test_a_name_is_trimmed_and_composed(sent: str, kept: str) -> None:
    assert Named.model_validate({"name": sent}).name == kept


@pytest.mark.parametrize(
    "name",
    [
        "a\nb",
        "a\rb",
        "a\tb",
        "a\x00b",
        "a\x7fb",
        "a\x85b",
        "a\u2028b",
        "a\u2029b",
        "a\u202eb",  # right-to-left override
        "a\u2066b",
        "a\u200bb",  # zero width
        "a\u200db",
        "a\ufeffb",
        "a\u00adb",
        "a\U000e0041b",  # invisible tags
        "a\ue000b",
    ],
)
def test_a_name_holds_nothing_invisible(name: str) -> None:
    with pytest.raises(ValidationError, match="control characters"):
        Named.model_validate({"name": name})


@pytest.mark.parametrize(
    "name", ["", " ", "\u00a0\u3000", "12345678901", "\u0958" * 10, 5, True, None, b"ab", ["a"], "\ud800"]
)
def test_a_name_is_a_text_of_one_to_so_many_characters(name: Any) -> None:
    # U+0958 is one character that Unicode composes into two.
    with pytest.raises(ValidationError):
        Named.model_validate({"name": name})


@given(st.text(max_size=10))
def test_what_is_accepted_as_a_name_is_accepted_again_unchanged(text: str) -> None:
    try:
        name = Named.model_validate({"name": text}).name
    except ValidationError:
        return
    assert Named.model_validate({"name": name}).name == name
    assert len(name.splitlines()) == 1


@pytest.mark.parametrize("text", ["2026-01-31", "2024-02-29", "1000-01-01", "9998-12-31"])
def test_a_day_is_written_as_iso_8601_says(text: str) -> None:
    assert Dated.model_validate({"day": text}).day == date.fromisoformat(text)


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-30",
        "2023-02-29",
        "2026-13-01",
        "2026-00-01",
        "2026-1-1",
        "26-01-31",
        "0000-01-01",
        "0999-12-31",
        "9999-12-31",
        "20260131",
        "2026-W05-6",
        "2026-01-31T00:00:00Z",
        "2026-01-31 ",
        "2026-01-31\n",
        "31/01/2026",
        "２０２６-01-31",
        "",
        20260131,
        1_700_000_000,
        None,
        True,
        date(2026, 1, 31),
    ],
)
def test_any_other_spelling_is_no_day(text: Any) -> None:
    with pytest.raises(ValidationError, match="Must be a date"):
        Dated.model_validate({"day": text})


@pytest.mark.parametrize(
    ("day", "starts", "ends"),
    [
        (date(2026, 1, 31), "2026-01-31T03:00:00Z", "2026-02-01T03:00:00Z"),
        # Summer time began at midnight of 4 November 2018: that day had 23 hours, and no midnight.
        (date(2018, 11, 4), "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"),
        # It ended at midnight of 18 February: the 17th had 25 hours.
        (date(2018, 2, 17), "2018-02-17T02:00:00Z", "2018-02-18T03:00:00Z"),
    ],
)
def test_a_day_begins_and_ends_in_sao_paulo(day: date, starts: str, ends: str) -> None:
    assert timestamp(start_of(day)) == starts
    assert timestamp(end_of(day)) == ends


@given(st.dates(min_value=date(1000, 1, 1), max_value=date(9998, 12, 31)))
def test_no_moment_lies_between_two_days_or_before_1970(day: date) -> None:
    assert end_of(day) == start_of(day + timedelta(days=1))
    assert datetime(1970, 1, 1, tzinfo=UTC) <= start_of(day) <= end_of(day)


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"costCenter": "CC-001"},
        {"a": {"b": {"c": {"d": 1}}}},
        {"a": [[[1, None, True]]]},
        {str(number): number for number in range(50)},
        {"price": 0.1, "rate": -12.5, "count": 9007199254740992},
        {"tenantId": "x", "__proto__": {"admin": True}, "<script>": "alert(1)"},
        {"text": "x" * 16_300},
    ],
)
def test_metadata_comes_back_as_it_was_sent(metadata: Any) -> None:
    assert noted(metadata) == metadata


@pytest.mark.parametrize(
    "metadata",
    [
        {"a": {"b": {"c": {"d": {}}}}},
        {"a": [[[[]]]]},
        {str(number): number for number in range(51)},
        {"a": {str(number): 0 for number in range(25)}, "b": {str(number): 0 for number in range(24)}},
        {"text": "x" * 16_400},
        {"text": "\U0001f600" * 4_200},
        {"list": ["x" * 300] * 60},
        {"list": list(range(1000, 2000)) * 4},
        {"name" * 4_100: 0},
    ],
)
def test_metadata_has_limits(metadata: Any) -> None:
    body = {"metadata": metadata}
    with pytest.raises(ValidationError, match="Limit: 16 kB, depth 4 and 50 keys"):
        Noted.model_validate(body)


@pytest.mark.parametrize("metadata", [[], "x", 1, True])
def test_metadata_is_an_object(metadata: Any) -> None:
    with pytest.raises(ValidationError, match="Must be a JSON object"):
        noted(metadata)


@pytest.mark.parametrize("number", [Decimal("90071992547409.931"), 12345678901234567890, -(2**53) - 1])
def test_a_number_in_metadata_that_a_double_does_not_hold_is_refused(number: Decimal | int) -> None:
    with pytest.raises(ValidationError, match="exact representation"):
        Noted.model_validate({"metadata": {"a": [number]}})
