"""Whether a received Pix may be given back: facts in, a refusal or nothing out."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from lastro.accounts.rules import NOT_ACTIVE
from lastro.accounts.states import AccountStatus
from lastro.errors import BankError, Conflict, Flaw, InsufficientBalance, RefundExceeded, Unprocessable
from lastro.values.money import Money
from lastro.values.text import Text

REFUNDABLE_FOR = timedelta(days=90)
"""From the receipt; Regulamento do Pix (Resolução BCB 1/2020), art. 41."""

TOO_LATE = "DT05"
_AMOUNT = "/data/attributes/amount"
_EXCEEDED = Text(
    "O valor da devolução excede o que resta do Pix recebido.", "The refund exceeds what is left of the received Pix."
)
_NOTHING_LEFT = Text("O Pix recebido já foi devolvido por inteiro.", "The received Pix was already refunded whole.")
_LATE = Text(
    "A devolução só pode ser pedida em até 90 dias após o recebimento.",
    "A refund can be asked for within 90 days of the receipt.",
)
_SHORT = Text("Saldo insuficiente para a devolução.", "Insufficient balance for the refund.")


@dataclass(frozen=True, slots=True)
class Refundable:
    """What deciding needs, read under the account's lock. `refunded` counts refunds that are under way, too."""

    status: AccountStatus
    available: Money
    amount: Money
    refunded: Money
    received_at: datetime

    @property
    def left(self) -> Money:
        """What was not given back yet, nor is on its way."""
        return self.amount - self.refunded


def may_refund(facts: Refundable, amount: Money, now: datetime) -> BankError | None:
    """Judge a refund of `amount`, which is what is left when the client named none."""
    if facts.status is not AccountStatus.ACTIVE:
        return Conflict(NOT_ACTIVE)
    if now > facts.received_at + REFUNDABLE_FOR:
        return Unprocessable(_LATE, reason=TOO_LATE)
    if not facts.left:
        return RefundExceeded(_NOTHING_LEFT, flaws=[Flaw(_NOTHING_LEFT, pointer=_AMOUNT)])
    if amount > facts.left:
        return RefundExceeded(_EXCEEDED, flaws=[Flaw(_EXCEEDED, pointer=_AMOUNT)])
    if amount > facts.available:
        return InsufficientBalance(_SHORT, flaws=[Flaw(_SHORT, pointer=_AMOUNT)])
    return None
