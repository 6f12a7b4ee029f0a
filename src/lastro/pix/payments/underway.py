"""A payment on its way, as the worker reads it: what SPI is told, and what its news will say. Columns, no objects."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from lastro.database import Database
from lastro.pix.parties import unpacked
from lastro.providers.protocol import Initiation, Instruction
from lastro.values.end_to_end_id import EndToEndId
from lastro.values.money import Money
from lastro.values.pix_key import KeyType, PixKey

PaymentKey = tuple[UUID, UUID]
"""(account id, payment id)"""


class Underway(NamedTuple):
    """One row, as Postgres gives it. `payer` and `payee` are what `pix.parties` packed."""

    account_id: UUID
    id: UUID
    provider_id: UUID
    payee_account_id: UUID | None
    status: str
    version: int
    e2e_id: str
    amount_centavos: int
    recipient_key_type: str
    recipient_key_value: str
    description: str | None
    correlation_id: str | None
    payer: dict[str, str]
    payee: dict[str, str]
    initiation: str
    txid: str | None
    created_at: datetime
    updated_at: datetime

    @property
    def amount(self) -> Money:
        """What is paid."""
        return Money(self.amount_centavos)


_READ = f"""
    SELECT {", ".join(f"p.{name}" for name in Underway._fields)}
      FROM unnest($1::uuid[], $2::uuid[]) AS wanted(account_id, id)
     CROSS JOIN LATERAL (SELECT * FROM pix_payments p
                          WHERE p.account_id = wanted.account_id AND p.id = wanted.id LIMIT 1) p
"""  # noqa: S608 - the names of columns, from above


async def read(db: Database, keys: Sequence[PaymentKey]) -> Sequence[Underway]:
    """These payments, in any order, each once."""
    wanted = set(keys)
    rows = await db.call(_READ, [each for each, _ in wanted], [each for _, each in wanted])
    return [Underway._make(row) for row in rows]


def instruction(payment: Underway) -> Instruction:
    """The order to the rail, from what was frozen at acceptance: the same payment gives the same instruction."""
    return Instruction(
        end_to_end_id=EndToEndId(payment.e2e_id),
        amount=payment.amount,
        payer=unpacked(payment.payer),
        payee=unpacked(payment.payee),
        key=PixKey(KeyType(payment.recipient_key_type), payment.recipient_key_value),
        description=payment.description,
        accepted_at=payment.created_at,
        initiation=Initiation(payment.initiation),
        txid=payment.txid,
    )
