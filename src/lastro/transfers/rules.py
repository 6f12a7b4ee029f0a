"""Whether money may move between two accounts of a tenant: facts in, a refusal or nothing out."""

from dataclasses import dataclass

from lastro.accounts.rules import NOT_ACTIVE, SAME_ACCOUNT
from lastro.accounts.states import AccountStatus
from lastro.errors import BankError, Conflict, Flaw, InsufficientBalance, Unprocessable
from lastro.values.money import MAX_CENTAVOS, Money
from lastro.values.text import Text

GIVES, TAKES = "/data/attributes/accountId", "/data/attributes/recipientAccountId"
_AMOUNT = "/data/attributes/amount"

_CURRENCY = Text("As contas são de moedas diferentes.", "The accounts are in different currencies.")
_ELSEWHERE = Text(
    "As contas são de instituições diferentes: entre elas, envie um Pix.",
    "The accounts are at different institutions: between them, send a Pix.",
)
_SHORT = Text("Saldo insuficiente para a transferência.", "Insufficient balance for the transfer.")
_TOO_MUCH = Text(
    "O saldo da conta de destino passaria de R$ 100 bilhões.",
    "The recipient account would hold more than R$ 100 billion.",
)


@dataclass(frozen=True, slots=True)
class Side:
    """What is fixed about one of the two accounts. `house` is its provider's: our books alone move money within one."""

    currency: str
    house: str


@dataclass(frozen=True, slots=True)
class Holding:
    """What may change about it, read behind the lock of its balance. `total` is what it holds, free and on its way."""

    status: AccountStatus
    available: Money
    total: Money


def itself() -> Unprocessable:
    """Both sides are one account."""
    return _impossible(SAME_ACCOUNT, TAKES)


def may_connect(giver: Side, taker: Side) -> BankError | None:
    """Judge two accounts by what never changes about them."""
    if giver.currency != taker.currency:
        return _impossible(_CURRENCY, TAKES)
    if giver.house != taker.house:
        return _impossible(_ELSEWHERE, TAKES)
    return None


def may_transfer(giver: Holding, taker: Holding, amount: Money) -> BankError | None:
    """Judge the amount between two accounts that may be connected."""
    for side, pointer in ((giver, GIVES), (taker, TAKES)):
        if side.status is not AccountStatus.ACTIVE:
            return Conflict(NOT_ACTIVE, flaws=[Flaw(NOT_ACTIVE, pointer=pointer)])
    if amount > giver.available:
        return InsufficientBalance(_SHORT, flaws=[Flaw(_SHORT, pointer=_AMOUNT)])
    if taker.total.centavos + amount.centavos > MAX_CENTAVOS:
        return _impossible(_TOO_MUCH, _AMOUNT)
    return None


def _impossible(text: Text, pointer: str) -> Unprocessable:
    return Unprocessable(text, flaws=[Flaw(text, pointer=pointer)])
