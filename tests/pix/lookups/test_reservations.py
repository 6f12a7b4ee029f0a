"""Reservations: one token of three buckets for a payment under way, for exactly as long as it is."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from build import a_cpf
from lastro.pix.lookups.budgets import PARTICIPANTS, Asker, BucketRow, Entry
from lastro.pix.lookups.reservations import Judging, Reservation, Reservations
from lastro.till import Till
from lastro.values.tax_id import TaxId

NOON = datetime(2026, 8, 1, 12, tzinfo=UTC)
FULL: list[BucketRow] = [(None, None)] * 3
SOMEBODY = Asker(TaxId.parse(a_cpf()), UUID(int=1), "00000000")


class Metering(Till[object, None]):
    """Writes down what it is to charge."""

    def __init__(self) -> None:
        self.charged: list[object] = []

    def leave(self, order: object) -> None:
        self.charged.append(order)


@pytest.fixture
def reservations() -> Reservations:
    return Reservations(PARTICIPANTS["B"])


def rows(payers_tokens: int) -> Sequence[BucketRow]:
    return [(payers_tokens * 1000, NOON), (None, None), (None, None)]


def passed(judging: Judging, reservation: Reservation, buckets: Sequence[BucketRow], asker: Asker = SOMEBODY) -> bool:
    return judging.refused(reservation, asker, buckets, NOON) is None


def test_a_token_of_each_bucket_is_reserved_until_the_block_ends(reservations: Reservations) -> None:
    with Reservation(Metering()) as one, pytest.raises(KeyError), Reservation(Metering()) as other:
        assert passed(Judging(reservations), one, FULL)
        assert passed(Judging(reservations), other, FULL)
        assert reservations.tokens == dict.fromkeys(SOMEBODY.addresses, 2)
        raise KeyError
    assert reservations.tokens == {}


def test_one_payment_reserves_once_however_often_it_is_judged(reservations: Reservations) -> None:
    with Reservation(Metering()) as reservation:
        for _ in range(3):
            assert passed(Judging(reservations), reservation, FULL)
        assert reservations.tokens == dict.fromkeys(SOMEBODY.addresses, 1)
    assert reservations.tokens == {}


def test_whoever_has_left_before_the_verdict_reserves_nothing(reservations: Reservations) -> None:
    with Reservation(Metering()) as reservation:
        pass

    assert passed(Judging(reservations), reservation, FULL)

    assert reservations.tokens == {}


def test_what_is_reserved_is_nobody_elses_within_a_batch_and_across(reservations: Reservations) -> None:
    with Reservation(Metering()) as one, Reservation(Metering()) as two, Reservation(Metering()) as three:
        batch = Judging(reservations)
        assert passed(batch, one, rows(2))
        assert passed(batch, two, rows(2))
        assert not passed(batch, three, rows(2))
        assert not passed(Judging(reservations), three, rows(2))
        assert passed(Judging(reservations), three, rows(3))


def test_a_tenants_tokens_are_reserved_whoever_pays(reservations: Reservations) -> None:
    neighbour = Asker(TaxId.parse(a_cpf()), SOMEBODY.tenant_id, SOMEBODY.ispb)
    stranger = Asker(neighbour.payer, uuid4(), SOMEBODY.ispb)
    buckets: list[BucketRow] = [(None, None), (1000, NOON), (None, None)]
    with Reservation(Metering()) as one, Reservation(Metering()) as other:
        assert passed(Judging(reservations), one, buckets)
        assert not passed(Judging(reservations), other, buckets, neighbour)
        assert passed(Judging(reservations), other, buckets, stranger)


def test_what_ends_while_the_buckets_are_read_still_counts(reservations: Reservations) -> None:
    """The read may be older than the charge of the one that ended."""
    with Reservation(Metering()) as other:
        with Reservation(Metering()) as one:
            assert passed(Judging(reservations), one, rows(1))
            before, reading = Judging(reservations), rows(1)
        assert not passed(before, other, reading)
        assert passed(Judging(reservations), other, reading)


def test_a_refusal_reserves_nothing_and_says_when(reservations: Reservations) -> None:
    with Reservation(Metering()) as reservation:
        refusal = Judging(reservations).refused(reservation, SOMEBODY, rows(0), NOON)
        assert refusal is not None
        assert refusal.retry_after == 38  # a token at 1.6 a minute
        assert reservations.tokens == {}


def test_what_is_owed_when_the_block_ends_is_charged_once() -> None:
    metering, price = Metering(), Entry(SOMEBODY, 1)

    with Reservation(metering) as refused:
        refused.owes(price)
    with Reservation(metering) as paid:
        paid.owes(price)
        paid.owes(None)
    with Reservation(metering):
        pass

    assert metering.charged == [price]
