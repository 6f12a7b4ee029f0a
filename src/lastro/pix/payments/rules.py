"""Which orders of a batch are carried out. No I/O: the rows are locked and read."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from lastro.accounts.rules import NOT_ACTIVE
from lastro.accounts.states import AccountStatus
from lastro.errors import BankError, Conflict, Flaw, InsufficientBalance, NotFound, Unprocessable
from lastro.pix.payments.order import ReadyOrder
from lastro.values.money import Money
from lastro.values.text import Text

NO_ACCOUNT = Text("Conta não encontrada.", "Account not found.")
_NO_LOOKUP = Text(
    "A consulta não existe, já foi usada, passou de 15 minutos ou é de outra conta ou chave.",
    "The lookup does not exist, was used, is older than 15 minutes, or is another account's or key's.",
)
SHORT = Text("Saldo insuficiente para o envio.", "Insufficient balance.")


@dataclass(frozen=True, slots=True)
class PayingAccount:
    """What deciding needs of an account, read under its lock."""

    tenant_id: UUID
    status: AccountStatus
    available: Money


def decide(
    orders: Sequence[ReadyOrder],
    accounts: Mapping[UUID, PayingAccount],
    unused_lookups: Collection[tuple[UUID, str]] = (),
) -> list[BankError | None]:
    """Walk the orders in arrival order and say what refuses each; None means that it is carried out.

    A large order that is refused does not stand in the way of a small one behind it.
    """
    left = {account_id: account.available for account_id, account in accounts.items()}
    unused = set(unused_lookups)
    verdicts: list[BankError | None] = []
    for ready in orders:
        refusal = _refusal(ready, accounts.get(ready.order.account_id), left)
        if refusal is None and ready.lookup_pair is not None and ready.lookup_pair not in unused:
            refusal = no_lookup()
        if refusal is None:
            unused -= {ready.lookup_pair}
            left[ready.order.account_id] -= ready.order.amount
        verdicts.append(refusal)
    return verdicts


def _refusal(ready: ReadyOrder, account: PayingAccount | None, left: Mapping[UUID, Money]) -> BankError | None:
    if account is None or account.tenant_id != ready.tenant_id:
        return NotFound(NO_ACCOUNT, flaws=[Flaw(NO_ACCOUNT, pointer="/data/attributes/accountId")])
    if account.status is not AccountStatus.ACTIVE:
        return Conflict(NOT_ACTIVE)
    if ready.order.amount > left[ready.order.account_id]:
        return InsufficientBalance(SHORT, flaws=[Flaw(SHORT, pointer="/data/attributes/amount")])
    return None


def no_lookup() -> Unprocessable:
    """The payment names a lookup that it can not go out under."""
    return Unprocessable(_NO_LOOKUP, flaws=[Flaw(_NO_LOOKUP, pointer="/data/attributes/lookupE2eId")])
