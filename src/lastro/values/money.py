"""An amount of reais that can not be rounded: whole centavos, never a float."""

import re
from dataclasses import dataclass
from decimal import Decimal

from lastro.values.text import Invalid, Text

# R$ 100 billion, either way. Far above any real payment, and far below where a BIGINT or a JavaScript number breaks.
MAX_CENTAVOS = 10_000_000_000_000

_MAX_REAIS = Decimal(MAX_CENTAVOS // 100)
_WIRE_FORM = re.compile(r"[0-9]{1,12}\.[0-9]{2}")

_NOT_A_NUMBER = Text("O valor deve ser um número.", "The amount must be a number.")
_TOO_PRECISE = Text(
    "O valor não pode ter mais de duas casas decimais.", "The amount must not have more than two decimals."
)
_TOO_LARGE = Text("O valor não pode passar de R$ 100 bilhões.", "The amount must not exceed R$ 100 billion.")
_NOT_WIRE_FORM = Text(
    "O valor deve ter só algarismos, um ponto e duas casas decimais, como 1500.00.",
    "The amount must be digits, a point and two decimals, such as 1500.00.",
)


@dataclass(frozen=True, order=True, slots=True)
class Money:
    """An amount in centavos of Brazilian reais, at most `MAX_CENTAVOS` either way; false when it is zero."""

    centavos: int

    def __post_init__(self) -> None:
        # Not an `Invalid`: what clients send comes through `from_reais` or `parse`, so only a bug can get here.
        if type(self.centavos) is not int:
            raise AssertionError("centavos must be an int")
        if not -MAX_CENTAVOS <= self.centavos <= MAX_CENTAVOS:
            raise AssertionError("an amount of money is out of bounds")

    @classmethod
    def from_reais(cls, reais: Decimal) -> "Money":
        """The amount of so many reais.

        Raises `Invalid` for NaN and infinity, beyond R$ 100 billion, and for a third decimal, even a zero.
        """
        if not reais.is_finite():
            raise Invalid(_NOT_A_NUMBER)
        # Before anything is computed: a comparison is exact, and 1E+999999 must not become an integer.
        if not -_MAX_REAIS <= reais <= _MAX_REAIS:
            raise Invalid(_TOO_LARGE)
        exponent = reais.as_tuple().exponent
        if isinstance(exponent, int) and exponent < -2:  # noqa: PLR2004 - two decimals
            raise Invalid(_TOO_PRECISE)
        return cls(int(reais.scaleb(2)))

    @classmethod
    def parse(cls, text: str) -> "Money":
        """The amount that a BR Code or the Pix API spells "1500.00": no sign, one to twelve digits, two decimals.

        BCB's API Pix 2.9.0 allows ten digits before the point; twelve reach R$ 100 billion. Raises `Invalid`.
        """
        if not _WIRE_FORM.fullmatch(text):
            raise Invalid(_NOT_WIRE_FORM)
        return cls.from_reais(Decimal(text))

    @property
    def reais(self) -> Decimal:
        """The same amount in reais, with exactly two decimals."""
        return Decimal(self.centavos).scaleb(-2)

    def __add__(self, other: "Money") -> "Money":
        return Money(self.centavos + other.centavos)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.centavos - other.centavos)

    def __neg__(self) -> "Money":
        return Money(-self.centavos)

    def __bool__(self) -> bool:
        return self.centavos != 0

    def __str__(self) -> str:
        return str(self.reais)


ZERO = Money(0)
