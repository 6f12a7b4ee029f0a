"""Ready orders for tests of the till: what `service.send` would have made."""

from datetime import UTC, datetime
from uuid import UUID

from lastro.attempt import Attempt
from lastro.auth.caps import Caps
from lastro.pix.payments.order import Order, ReadyOrder
from lastro.providers.protocol import Party
from lastro.values.bank_account import AccountType, BankAccount
from lastro.values.end_to_end_id import EndToEndId
from lastro.values.money import Money
from lastro.values.pix_key import KeyType, PixKey
from lastro.values.tax_id import TaxId
from lastro.values.time_ordered_id import new_id

PAYER = Party(
    "Loja de Teste Ltda",
    TaxId.parse("11222333000181"),
    BankAccount("00000000", "0001", "1-2", AccountType.CHECKING),
)
PAYEE = Party(
    "João Silva", TaxId.parse("12345678901"), BankAccount("18236120", "0001", "98765-4", AccountType.CHECKING)
)


def ready(
    account_id: UUID,
    tenant_id: UUID,
    centavos: int,
    provider_id: UUID,
    attempt: Attempt | None,
    *,
    at: datetime | None = None,
    caps: Caps | None = None,
) -> ReadyOrder:
    """An order that needs nothing more."""
    now = at or datetime.now(UTC)
    return ReadyOrder(
        id=new_id(now),
        order=Order(account_id, Money(centavos), PixKey(KeyType.CPF, "12345678901"), None),
        tenant_id=tenant_id,
        provider_id=provider_id,
        end_to_end_id=EndToEndId.new("00000000", now),
        payer=PAYER,
        payee=PAYEE,
        created_at=now,
        attempt=attempt,
        caps=caps,
    )
