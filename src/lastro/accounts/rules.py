"""Whether an account may be opened, changed or closed: facts in, a refusal or nothing out."""

from lastro.accounts.order import Application
from lastro.accounts.states import AccountStatus
from lastro.errors import BankError, Conflict, Flaw, NotFound, Unprocessable, Validation
from lastro.providers.offer import Offer
from lastro.values.text import Text

_TYPE = Text("O provedor não suporta este tipo de conta.", "The provider does not support this account type.")
WRONG_CHECK_DIGITS = Text("Dígitos verificadores incorretos.", "Wrong check digits.")
NO_ACCOUNT = Text("Conta não encontrada.", "Account not found.")
SAME_ACCOUNT = Text("A conta de destino é a própria conta de origem.", "The recipient is the sending account itself.")
NOT_ACTIVE = Text("A conta não está ativa.", "The account is not active.")
_HAS_MONEY = Text(
    "A conta possui saldo ou operações pendentes.", "The account holds money or has operations under way."
)
_OPENING = Text(
    "O provedor está abrindo a conta; tente de novo em instantes.",
    "The provider is opening the account; try again in a moment.",
)
CLOSED = Text("A conta está encerrada.", "The account is closed.")


def no_account(pointer: str | None = None) -> NotFound:
    """Absent, another tenant's, or beyond the token's reach: nobody can tell which. `pointer`: to what named it."""
    return NotFound(NO_ACCOUNT, flaws=[] if pointer is None else [Flaw(NO_ACCOUNT, pointer=pointer)])


def may_open(application: Application, offer: Offer, *, strict: bool) -> BankError | None:
    """Judge an application by what its provider offers."""
    refusal = offer.refuses_to_open()
    if refusal is not None:
        return refusal
    if strict and not application.holder_document.has_valid_check_digits:
        wrong = Flaw(WRONG_CHECK_DIGITS, pointer="/data/attributes/holderDocument")
        return Validation(WRONG_CHECK_DIGITS, flaws=[wrong])
    if application.type not in offer.account_types:
        return Unprocessable(_TYPE, flaws=[Flaw(_TYPE, pointer="/data/attributes/type")])
    return None


def may_change(status: AccountStatus) -> BankError | None:
    """A closed account is history."""
    return Conflict(CLOSED) if status is AccountStatus.CLOSED else None


def may_close(status: AccountStatus, *, empty: bool, opening: bool) -> BankError | None:
    """Closing needs an account with no money, neither free nor on its way, that is not blocked.

    A pending one is an application that is withdrawn; not while its provider is `opening` it.
    """
    if status is AccountStatus.CLOSED:
        return Conflict(CLOSED)
    if status is AccountStatus.BLOCKED:
        return Conflict(NOT_ACTIVE)
    if status is AccountStatus.PENDING and opening:
        return Conflict(_OPENING)
    return None if empty else Conflict(_HAS_MONEY)
