"""The order of ids is the order of the microseconds in which they were made."""

from datetime import UTC, datetime, timedelta, timezone
from uuid import RFC_4122, UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastro.values.time_ordered_id import first_id_at, new_id

NOON = datetime(2026, 11, 21, 12, 0, 0, 123_456, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

# Hypothesis wants its bounds naive.
moments = st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001


def milliseconds_in(identity: UUID) -> int:
    return identity.int >> 80


@given(moments)
def test_an_id_is_a_version_7_uuid_of_its_millisecond(moment: datetime) -> None:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    for identity in (new_id(moment), first_id_at(moment)):
        assert (identity.version, identity.variant) == (7, RFC_4122)
        assert milliseconds_in(identity) == (moment - epoch) // timedelta(milliseconds=1)


def test_the_example_of_the_standard_has_the_same_time() -> None:
    # RFC 9562, A.6: 2022-02-22 14:22:22.00 at UTC-5
    moment = datetime(2022, 2, 22, 14, 22, 22, tzinfo=timezone(timedelta(hours=-5)))
    assert str(new_id(moment)).startswith("017f22e2-79b0-7000-")


@given(moments, moments)
def test_created_since_is_the_same_as_id_since(created_at: datetime, since: datetime) -> None:
    assert (new_id(created_at) >= first_id_at(since)) == (created_at >= since)


@given(moments)
def test_the_next_microsecond_sorts_after_this_one(moment: datetime) -> None:
    assert first_id_at(moment) <= new_id(moment) < first_id_at(moment + MICROSECOND)


def test_all_thousand_microseconds_of_a_millisecond_are_in_order() -> None:
    millisecond = NOON.replace(microsecond=0)
    ids = [new_id(millisecond + count * MICROSECOND) for count in range(1_001)]
    assert ids == sorted(ids)
    assert [identity.bytes for identity in ids] == sorted(identity.bytes for identity in ids)


def test_the_first_id_leaves_nothing_to_chance() -> None:
    assert first_id_at(NOON) == first_id_at(NOON)
    assert first_id_at(NOON).int & ((1 << 62) - 1) == 0


def test_ten_thousand_ids_of_one_microsecond_are_all_different() -> None:
    assert len({new_id(NOON) for _ in range(10_000)}) == 10_000


def test_all_62_random_bits_are_used() -> None:
    ones = zeros = 0
    for _ in range(200):
        ones |= new_id(NOON).int
        zeros |= ~new_id(NOON).int
    random_bits = (1 << 62) - 1
    assert ones & random_bits == random_bits
    assert zeros & random_bits == random_bits


def test_the_time_zone_does_not_matter() -> None:
    assert first_id_at(NOON) == first_id_at(NOON.astimezone(timezone(timedelta(hours=-3))))


def test_a_naive_time_is_a_bug() -> None:
    with pytest.raises(TypeError):
        new_id(datetime(2026, 11, 21))  # noqa: DTZ001 - that is the point


def test_a_time_before_1970_is_a_bug() -> None:
    with pytest.raises(ValueError, match="128-bit"):
        new_id(datetime(1969, 12, 31, tzinfo=UTC))
