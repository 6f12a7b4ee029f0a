"""What may move between two accounts of a tenant, judged on facts alone."""

from dataclasses import replace

import pytest

from lastro.accounts.states import AccountStatus
from lastro.errors import Conflict, InsufficientBalance, Unprocessable
from lastro.transfers.rules import GIVES, TAKES, Holding, Side, may_connect, may_transfer
from lastro.values.money import MAX_CENTAVOS, Money

SIDE = Side("BRL", "00000000")
GIVER = Holding(AccountStatus.ACTIVE, Money(100), Money(150))
TAKER = Holding(AccountStatus.ACTIVE, Money(0), Money(0))


def test_two_accounts_of_one_institution_may_be_connected() -> None:
    assert may_connect(SIDE, SIDE) is None


@pytest.mark.parametrize("other", [replace(SIDE, currency="USD"), replace(SIDE, house="00000001")])
def test_another_currency_or_institution_is_impossible(other: Side) -> None:
    refusal = may_connect(SIDE, other)

    assert isinstance(refusal, Unprocessable)
    assert [flaw.pointer for flaw in refusal.flaws] == [TAKES]


@pytest.mark.parametrize("status", sorted(set(AccountStatus) - {AccountStatus.ACTIVE}))
def test_both_must_be_active(status: AccountStatus) -> None:
    for giver, taker, pointer in (
        (replace(GIVER, status=status), TAKER, GIVES),
        (GIVER, replace(TAKER, status=status), TAKES),
    ):
        refusal = may_transfer(giver, taker, Money(1))
        assert isinstance(refusal, Conflict)
        assert [flaw.pointer for flaw in refusal.flaws] == [pointer]


def test_what_is_on_its_way_can_not_be_given() -> None:
    assert may_transfer(GIVER, TAKER, Money(100)) is None
    assert isinstance(may_transfer(GIVER, TAKER, Money(101)), InsufficientBalance)


def test_the_recipient_may_be_filled_to_the_brim_and_no_further() -> None:
    full = replace(TAKER, total=Money(MAX_CENTAVOS - 100))

    assert may_transfer(GIVER, full, Money(100)) is None
    assert isinstance(may_transfer(GIVER, replace(full, total=Money(MAX_CENTAVOS - 99)), Money(100)), Unprocessable)
