"""What a token may send out: the bounds, and the words when they do not let something pass."""

from dataclasses import dataclass
from datetime import date

from lastro.errors import Flaw, Forbidden
from lastro.values.money import Money
from lastro.values.text import Text

PER_PAYMENT, PER_DAY = "AMOUNT_PER_PAYMENT", "AMOUNT_PER_DAY"

_PER_PAYMENT = Text(
    "O valor ultrapassa o que este token pode movimentar por operação.",
    "The amount exceeds what this token may send in one operation.",
)
_PER_DAY = Text(
    "O valor ultrapassa o que este token ainda pode movimentar hoje.",
    "The amount exceeds what is left of what this token may send today.",
)


@dataclass(frozen=True, slots=True)
class Caps:
    """The bounds of one order: at most this much at once; at most this much on `day`, with all else of `spender`."""

    spender: str
    day: date
    most_each: Money | None
    most_a_day: Money | None


def over_each() -> Forbidden:
    """More than the token may send in one operation."""
    return _refusal(_PER_PAYMENT, PER_PAYMENT)


def over_a_day() -> Forbidden:
    """More than is left of what the token may send on this day."""
    return _refusal(_PER_DAY, PER_DAY)


def _refusal(text: Text, reason: str) -> Forbidden:
    return Forbidden(text, flaws=[Flaw(text, pointer="/data/attributes/amount")], reason=reason)
