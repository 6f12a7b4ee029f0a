"""A bank account is the same account with and without its hyphen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastro.values.bank_account import AccountType, BankAccount
from lastro.values.text import Invalid

CHECKING = AccountType.CHECKING


@pytest.mark.parametrize(
    ("number", "shown", "bare"),
    [
        ("12345-6", "12345-6", "123456"),
        ("123456", "12345-6", "123456"),
        ("12345-x", "12345-X", "12345X"),
        ("0001-0", "0001-0", "00010"),
        ("7", "7", "7"),
        ("1-2", "1-2", "12"),
        ("1" * 20, "1" * 19 + "-1", "1" * 20),
        ("1" * 19 + "-1", "1" * 19 + "-1", "1" * 20),
    ],
)
def test_a_number_is_shown_with_its_hyphen_and_sent_without(number: str, shown: str, bare: str) -> None:
    account = BankAccount.parse("12345678", "0001", number, CHECKING)
    assert (account.number, account.bare_number) == (shown, bare)
    assert BankAccount.from_bare("12345678", "0001", bare, CHECKING) == account


@pytest.mark.parametrize(
    "number",
    [
        "",
        "-",
        "-6",
        "6-",
        "1234-56",
        "1-2345-6",
        "12345--6",
        "12345 6",
        "12.345-6",
        " 12345-6",
        "12345-6\n",
        "12345-6\x00",
        "1" * 21,
        "1" * 20 + "-1",
        "\uff1112345",
        "12345\u202e6",
        "12345\u017f",
    ],
)
def test_any_other_number_is_refused(number: str) -> None:
    with pytest.raises(Invalid, match="account number"):
        BankAccount.parse("12345678", "0001", number, CHECKING)


def test_a_bare_number_has_no_hyphen() -> None:
    with pytest.raises(Invalid, match="account number"):
        BankAccount.from_bare("12345678", "0001", "12345-6", CHECKING)


@pytest.mark.parametrize("branch", ["", "12345", "000A", "1-2", " 1", "1\n", "\uff11"])
def test_a_branch_is_one_to_four_digits(branch: str) -> None:
    with pytest.raises(Invalid, match="branch"):
        BankAccount.parse("12345678", branch, "12345-6", CHECKING)


@pytest.mark.parametrize("ispb", ["", "1234567", "123456789", "1234567a", "12345678\n", "1234567\uff18"])
def test_an_ispb_is_eight_digits_or_capitals(ispb: str) -> None:
    with pytest.raises(Invalid, match="ISPB"):
        BankAccount.parse(ispb, "0001", "12345-6", CHECKING)


def test_the_facts_are_kept_as_they_are() -> None:
    account = BankAccount.parse("99999A03", "1", "98765-4", AccountType.PAYMENT)
    assert account == BankAccount("99999A03", "1", "98765-4", AccountType.PAYMENT)


@given(st.from_regex(r"[0-9A-Z]{1,20}", fullmatch=True), st.sampled_from(AccountType))
def test_a_bare_number_can_be_had_back(bare: str, kind: AccountType) -> None:
    account = BankAccount.from_bare("00000000", "0001", bare, kind)
    assert account.bare_number == bare
    assert BankAccount.parse("00000000", "0001", account.number, kind) == account
