"""The CPF of a person or the CNPJ of a company, numeric or (since July 2026) alphanumeric."""

import re
from dataclasses import dataclass
from enum import StrEnum
from operator import mul

from lastro.values.text import Invalid, Text


class DocumentType(StrEnum):
    """Whose document it is: a natural person's (CPF) or a legal person's (CNPJ)."""

    CPF = "CPF"
    CNPJ = "CNPJ"


_SHAPES = {
    DocumentType.CPF: re.compile(r"[0-9]{11}|[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}"),
    # IN RFB 2.229/2024: letters may stand anywhere but in the two check digits.
    DocumentType.CNPJ: re.compile(r"[0-9A-Z]{12}[0-9]{2}|[0-9A-Z]{2}\.[0-9A-Z]{3}\.[0-9A-Z]{3}/[0-9A-Z]{4}-[0-9]{2}"),
}
_WITHOUT_PUNCTUATION = str.maketrans("", "", ".-/")
# What each character counts for the first and for the second check digit. A character is worth its ASCII code less
# that of "0": a digit itself, a letter 17 and more (IN RFB 2.229/2024, annex XV).
_WEIGHTS = {
    DocumentType.CPF: ((10, 9, 8, 7, 6, 5, 4, 3, 2), (11, 10, 9, 8, 7, 6, 5, 4, 3, 2)),
    DocumentType.CNPJ: ((5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2), (6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)),
}

_COVERED = re.compile(r"[0-9*]{3}\.[0-9*]{3}\.[0-9*]{3}-[0-9*]{2}|[0-9*]{11}")  # a CPF that somebody may not see whole

_NOT_A_TAX_ID = Text(
    "O documento não tem a forma de um CPF nem de um CNPJ.", "The document is neither a CPF nor a CNPJ."
)
_WRONG_SHAPE = {
    DocumentType.CPF: Text("O CPF deve ter 11 algarismos.", "A CPF must have 11 digits."),
    DocumentType.CNPJ: Text(
        "O CNPJ deve ter 12 letras ou algarismos e mais 2 algarismos.",
        "A CNPJ must have 12 letters or digits and 2 more digits.",
    ),
}


@dataclass(frozen=True, slots=True)
class TaxId:
    """A CPF (11 digits) or a CNPJ (14 characters), bare and in upper case. Made by `parse`, or by `shown`."""

    value: str
    kind: DocumentType

    @classmethod
    def parse(cls, text: str, kind: DocumentType | None = None) -> "TaxId":
        """Read "123.456.789-01", "12.345.678/0001-90" or either of them bare; without `kind`, either will do.

        Looks at the shape only, because a sandbox may accept documents with wrong check digits: ask
        `has_valid_check_digits`. Raises `Invalid`.
        """
        # Before upper(), which turns some foreign letters into ASCII ones (U+017F becomes S).
        shouted = text.upper() if text.isascii() else ""
        for candidate in (kind,) if kind else DocumentType:
            if _SHAPES[candidate].fullmatch(shouted):
                return cls(shouted.translate(_WITHOUT_PUNCTUATION), candidate)
        raise Invalid(_WRONG_SHAPE[kind] if kind else _NOT_A_TAX_ID)

    @classmethod
    def shown(cls, text: str) -> "TaxId":
        """Read a stranger's document as a partner shows it: whole, or a CPF with asterisks in it. Raises `Invalid`."""
        if "*" in text and _COVERED.fullmatch(text):
            return cls(text.translate(_WITHOUT_PUNCTUATION), DocumentType.CPF)
        return cls.parse(text)

    @property
    def is_covered(self) -> bool:
        """Whether some of its digits are not known."""
        return "*" in self.value

    @property
    def has_valid_check_digits(self) -> bool:
        """Whether the last two digits follow from the others (modulo 11); one repeated character never does."""
        if self.is_covered:
            return False
        worths = [code - _ZERO for code in self.value.encode()]
        first, second = _WEIGHTS[self.kind]
        return (
            len(set(worths)) > 1
            and _check_digit(worths, first) == worths[-2]
            and _check_digit(worths, second) == worths[-1]
        )

    @property
    def punctuated(self) -> str:
        """As people write it: "123.456.789-01" or "12.345.678/0001-90"."""
        text = self.value
        if self.kind is DocumentType.CPF:
            return f"{text[:3]}.{text[3:6]}.{text[6:9]}-{text[9:]}"
        return f"{text[:2]}.{text[2:5]}.{text[5:8]}/{text[8:12]}-{text[12:]}"

    @property
    def masked(self) -> str:
        """What other people may see: "***456789**" (Manual Operacional do DICT, 8.1) or "**345678******".

        What came covered stays as it came: more of it is not known.
        """
        if self.is_covered:
            return self.value
        if self.kind is DocumentType.CPF:
            return f"***{self.value[3:9]}**"
        return f"**{self.value[2:8]}******"

    def __str__(self) -> str:
        return self.value


_ZERO = ord("0")


def _check_digit(worths: list[int], weights: tuple[int, ...]) -> int:
    rest = sum(map(mul, worths, weights)) % 11  # as far as the shorter of the two: the weights
    return 0 if rest < 2 else 11 - rest  # noqa: PLR2004 - two is what the rule says
