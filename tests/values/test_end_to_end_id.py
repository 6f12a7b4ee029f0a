"""An end-to-end id says who made it and when, and no two are the same."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastro.values.end_to_end_id import EndToEndId
from lastro.values.text import Invalid

BRASILIA = timezone(timedelta(hours=-3))
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)

ispbs = st.from_regex(r"[0-9A-Z]{8}", fullmatch=True)
# Hypothesis wants its bounds naive.
moments = st.datetimes(datetime(1970, 1, 2), datetime(9999, 12, 30), timezones=st.sampled_from([UTC, BRASILIA]))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("text", "ispb", "minute"),
    [
        ("E1234567820200909122120200808008", "12345678", datetime(2020, 9, 9, 12, 21, tzinfo=UTC)),
        ("E12345678202009091221kkkkkkkkkkk", "12345678", datetime(2020, 9, 9, 12, 21, tzinfo=UTC)),
        ("E12345678202406201221abcdef12345", "12345678", datetime(2024, 6, 20, 12, 21, tzinfo=UTC)),
        ("E99999A03202402292359abcdefghijk", "99999A03", datetime(2024, 2, 29, 23, 59, tzinfo=UTC)),
        ("D00000000202401151330AbCdEfGhIjK", "00000000", datetime(2024, 1, 15, 13, 30, tzinfo=UTC)),
    ],
)
def test_an_id_tells_who_made_it_and_when(text: str, ispb: str, minute: datetime) -> None:
    parsed = EndToEndId.parse(text)
    assert (parsed, parsed.ispb, parsed.minute) == (text, ispb, minute)
    assert parsed.is_return is (text[0] == "D")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "E12345678202401151030abcdefghijkl",  # 33 characters, as in the documented sample
        "D12345678202401151030abcdefghijkl",
        "E12345678202401151030abcdefghij",
        "e12345678202401151030abcdefghijk",
        "M12345678202401151030abcdefghijk",
        "|12345678202401151030abcdefghijk",
        "E1234567a202401151030abcdefghijk",
        "E12345678202401151030abcdefghij-",
        "E12345678202401151030abcdefghijé",
        "E12345678202401151030abcdefghij\x00",
        "E12345678202401151030abcdefghijk\n",
        " E12345678202401151030abcdefghijk",
        "E1234567\uff18202401151030abcdefghijk",
        "E12345678\uff12\uff1024" + "01151030abcdefghijk",
        "\u202eE12345678202401151030abcdefghij",
    ],
)
def test_any_other_shape_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="32 characters"):
        EndToEndId.parse(text)


@pytest.mark.parametrize(
    "moment",
    [
        "202419151030",
        "202400151030",
        "202401391030",
        "202302291030",
        "202401152930",
        "202401152400",
        "202401151060",
        "000001010000",
    ],
)
def test_a_date_that_does_not_exist_is_refused(moment: str) -> None:
    with pytest.raises(Invalid, match="date that does not exist"):
        EndToEndId.parse(f"E12345678{moment}abcdefghijk")


def test_the_time_in_it_is_utc() -> None:
    made = EndToEndId.new("12345678", datetime(2024, 1, 15, 10, 30, tzinfo=BRASILIA))
    assert made.startswith("E12345678202401151330")


def test_the_seconds_do_not_show() -> None:
    assert EndToEndId.new("12345678", datetime(2024, 1, 15, 10, 30, 59, 999_999, tzinfo=UTC))[9:21] == "202401151030"


@given(ispbs, moments)
def test_a_new_id_can_be_read_back(ispb: str, moment: datetime) -> None:
    minute = moment.astimezone(UTC).replace(second=0, microsecond=0)
    for made, is_return in (
        (EndToEndId.new(ispb, moment), False),
        (EndToEndId.new_return(ispb, moment), True),
    ):
        assert EndToEndId.parse(made) == made
        assert len(made) == 32
        assert (made.ispb, made.minute, made.is_return) == (ispb, minute, is_return)


def test_ten_thousand_ids_of_one_minute_are_all_different() -> None:
    assert len({EndToEndId.new("12345678", NOON) for _ in range(10_000)}) == 10_000


def test_all_62_characters_are_used_about_evenly() -> None:
    suffixes = "".join(EndToEndId.new("12345678", NOON)[21:] for _ in range(10_000))
    counts = {character: suffixes.count(character) for character in set(suffixes)}
    assert len(counts) == 62
    assert max(counts.values()) < 1.6 * min(counts.values())


def test_a_naive_time_is_a_bug() -> None:
    with pytest.raises(TypeError):
        EndToEndId.new("12345678", datetime(2024, 1, 15))  # noqa: DTZ001 - that is the point


@pytest.mark.parametrize("ispb", ["", "1234567", "123456789", "1234567a", "1234567\uff18"])
def test_a_wrong_ispb_is_a_bug(ispb: str) -> None:
    with pytest.raises(AssertionError):
        EndToEndId.new(ispb, NOON)


def test_it_is_a_plain_string_to_everybody_else() -> None:
    made = EndToEndId.new("12345678", NOON)
    assert f"{made}" == made
    assert not hasattr(made, "__dict__")


@given(st.text(max_size=40))
def test_nothing_but_a_refusal_comes_of_garbage(text: str) -> None:
    with pytest.raises(Invalid):
        EndToEndId.parse(text)
