"""Whether a received Pix can be credited: facts in, SPI's reason code or nothing out."""

from dataclasses import dataclass
from uuid import UUID

from lastro.accounts.states import AccountStatus
from lastro.values.bank_account import AccountType
from lastro.values.money import MAX_CENTAVOS, Money

NO_ACCOUNT = "AC03"
BLOCKED = "AC06"
CLOSED = "AC07"
WRONG_TYPE = "AC14"
ABOVE_LIMIT = "AM02"
WRONG_HOLDER = "BE01"
NO_AMOUNT = "AM01"


@dataclass(frozen=True, slots=True)
class ReceivingAccount:
    """What deciding needs of an account."""

    id: UUID
    status: AccountStatus
    holder_document: str
    type: AccountType
    total: Money


def refusal(
    account: ReceivingAccount | None, amount: Money, payee_document: str, payee_type: AccountType, credited: Money
) -> str | None:
    """The code that refuses the credit. `credited` is what this batch already gives the account."""
    if not amount:
        return NO_AMOUNT
    if account is None or account.status is AccountStatus.PENDING:
        return NO_ACCOUNT
    if account.status is not AccountStatus.ACTIVE:
        return BLOCKED if account.status is AccountStatus.BLOCKED else CLOSED
    if account.holder_document != payee_document:
        return WRONG_HOLDER
    if account.type is not payee_type:
        return WRONG_TYPE
    over = account.total.centavos + credited.centavos + amount.centavos > MAX_CENTAVOS
    return ABOVE_LIMIT if over else None
