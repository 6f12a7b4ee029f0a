"""What a tenant asks for when it moves money between two of its accounts."""

from dataclasses import dataclass
from uuid import UUID

from lastro.values.money import Money


@dataclass(frozen=True, slots=True)
class TransferOrder:
    """From `account_id` to `recipient_account_id`; `correlation_id` is the client's own reference."""

    account_id: UUID
    recipient_account_id: UUID
    amount: Money
    description: str | None
    correlation_id: str | None
