"""Why an order is refused, in words. What is decided, `accept_payments` decides behind the locks (migration 0012)."""

from collections.abc import Callable, Mapping

from lastro.accounts import rules as accounts
from lastro.accounts.rules import NOT_ACTIVE
from lastro.auth import caps
from lastro.errors import BankError, Conflict, Flaw, InsufficientBalance, NotFound, Unprocessable
from lastro.values.text import Text

_NO_LOOKUP = Text(
    "A consulta não existe, já foi usada, passou de 15 minutos ou é de outra conta ou chave.",
    "The lookup does not exist, was used, is older than 15 minutes, or is another account's or key's.",
)
SHORT = Text("Saldo insuficiente para o envio.", "Insufficient balance.")


def no_account() -> NotFound:
    """Of the one that is to pay."""
    return accounts.no_account("/data/attributes/accountId")


def not_active() -> Conflict:
    """The paying account is blocked, closed, or not open yet."""
    return Conflict(NOT_ACTIVE)


def short() -> InsufficientBalance:
    """There is less on the account than is to be paid."""
    return InsufficientBalance(SHORT, flaws=[Flaw(SHORT, pointer="/data/attributes/amount")])


def no_lookup() -> Unprocessable:
    """The payment names a lookup that it can not go out under."""
    return Unprocessable(_NO_LOOKUP, flaws=[Flaw(_NO_LOOKUP, pointer="/data/attributes/lookupE2eId")])


REFUSALS: Mapping[str, Callable[[], BankError]] = {
    "NO_ACCOUNT": no_account,
    "NOT_ACTIVE": not_active,
    "SHORT": short,
    "NO_LOOKUP": no_lookup,
    caps.PER_PAYMENT: caps.over_each,
    caps.PER_DAY: caps.over_a_day,
}
"""By the word that the database says."""
