"""What is to be credited, in our words: money for an account, whoever brings it."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from lastro.providers.protocol import Party
from lastro.values.bank_account import AccountType
from lastro.values.money import Money


@dataclass(frozen=True, slots=True)
class Credit:
    """Money for an account. `id` is the transfer's to be; `account_id` is None when the address is nobody's.

    `payment` is (account id, payment id) of the customer of ours who sent it; None: the provider `told_by` brought it.
    `credited_at`: when that provider took the money itself, whatever the time it told us.
    """

    id: UUID
    account_id: UUID | None
    end_to_end_id: str
    amount: Money
    payer: Party
    payee_document: str
    payee_type: AccountType
    key: str | None
    txid: str | None
    description: str | None
    payment: tuple[UUID, UUID] | None
    told_by: UUID | None
    arrived_at: datetime
    credited_at: datetime | None = None
