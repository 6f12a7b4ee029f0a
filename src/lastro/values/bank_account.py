"""An account at any participant of Pix, as people write it and as the directory (DICT) stores it."""

import re
from dataclasses import dataclass
from enum import StrEnum

from lastro.values.text import Invalid, Text


class AccountType(StrEnum):
    """What kind of account it is; DICT calls them CACC, SVGS and TRAN."""

    CHECKING = "CHECKING"
    SAVINGS = "SAVINGS"
    PAYMENT = "PAYMENT"


_ISPB = re.compile(r"[0-9A-Z]{8}")
_BRANCH = re.compile(r"[0-9]{1,4}")
# DICT 2.12.1 stores up to twenty letters or digits, check digit included, hyphen excluded.
_NUMBER = re.compile(r"[0-9A-Za-z]{1,19}-[0-9A-Za-z]|[0-9A-Za-z]{1,20}")

_WRONG_ISPB = Text(
    "O ISPB deve ter 8 letras maiúsculas ou algarismos.", "An ISPB must have 8 capital letters or digits."
)
_WRONG_BRANCH = Text("A agência deve ter de 1 a 4 algarismos, sem dígito.", "A branch must have 1 to 4 digits.")
_WRONG_NUMBER = Text(
    "A conta deve ter de 1 a 20 letras ou algarismos, com ou sem hífen antes do dígito.",
    "An account number must have 1 to 20 letters or digits, with or without a hyphen before the last.",
)


@dataclass(frozen=True, slots=True)
class BankAccount:
    """ISPB, branch without check digit, number with it ("12345-6"), and type. Made by `parse` or `from_bare`.

    Of an `undisclosed` one only the bank is known: its branch and number are empty, and its kind means nothing.
    """

    ispb: str
    branch: str
    number: str
    kind: AccountType

    @classmethod
    def parse(cls, ispb: str, branch: str, number: str, kind: AccountType) -> "BankAccount":
        """Read an account as people write it; "12345-6", "123456" and (were the 6 an X) "12345-x" are all welcome.

        The last character is the check digit, so the number is kept as "12345-6" either way, and two spellings of
        one account are equal. Letters become capitals. Raises `Invalid`.
        """
        if not _ISPB.fullmatch(ispb):
            raise Invalid(_WRONG_ISPB)
        if not _BRANCH.fullmatch(branch):
            raise Invalid(_WRONG_BRANCH)
        if not _NUMBER.fullmatch(number):
            raise Invalid(_WRONG_NUMBER)
        return cls(ispb, branch, _hyphenated(number.replace("-", "").upper()), kind)

    @classmethod
    def from_bare(cls, ispb: str, branch: str, bare_number: str, kind: AccountType) -> "BankAccount":
        """Read an account as DICT and the SPI write it, without the hyphen. Raises `Invalid`."""
        if "-" in bare_number:
            raise Invalid(_WRONG_NUMBER)
        return cls.parse(ispb, branch, bare_number, kind)

    @classmethod
    def undisclosed(cls, ispb: str) -> "BankAccount":
        """Some account at this bank, of which the provider shows nothing else. Raises `Invalid`."""
        if not _ISPB.fullmatch(ispb):
            raise Invalid(_WRONG_ISPB)
        return cls(ispb, "", "", AccountType.CHECKING)

    @property
    def is_disclosed(self) -> bool:
        """Whether it is known which account it is."""
        return bool(self.number)

    @property
    def bare_number(self) -> str:
        """The number as DICT and the SPI write it: "123456"."""
        return self.number.replace("-", "")


def _hyphenated(bare_number: str) -> str:
    """The number with a hyphen before its check digit; a single character has nothing to be parted from."""
    return f"{bare_number[:-1]}-{bare_number[-1]}" if len(bare_number) > 1 else bare_number
