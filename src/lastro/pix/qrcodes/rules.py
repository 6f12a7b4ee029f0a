"""Whether a charge may be paid: facts in, SPI's reason code or nothing out."""

from dataclasses import dataclass
from datetime import datetime

from lastro.values.money import Money

PAID_BEFORE = "DUPL"
EXPIRED = "BE17"
OTHER_AMOUNT = "INDT"


@dataclass(frozen=True, slots=True)
class Charge:
    """What a dynamic code asks for, and whether it got it."""

    amount: Money
    expires_at: datetime
    paid: bool


def refusal(charge: Charge, amount: Money, now: datetime) -> str | None:
    """A charge is paid once, in time and to the centavo, whatever the payer's bank made of it."""
    if charge.paid:
        return PAID_BEFORE
    if now >= charge.expires_at:
        return EXPIRED
    return OTHER_AMOUNT if amount != charge.amount else None
