"""What a client orders, and the order once everything is known that must be known before money is held."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from lastro.attempt import Attempt
from lastro.auth.caps import Caps
from lastro.providers.protocol import Initiation, Party
from lastro.values.end_to_end_id import EndToEndId
from lastro.values.money import Money
from lastro.values.pix_key import PixKey


@dataclass(frozen=True, slots=True)
class Wish:
    """What the client asked for: `recipient` is a key, or the text of a QR code."""

    account_id: UUID
    amount: Money
    recipient: PixKey | str
    description: str | None
    lookup: EndToEndId | None = None
    correlation_id: str | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be paid, codes read. `lookup` is the end-to-end id of an earlier lookup, to go out under."""

    account_id: UUID
    amount: Money
    key: PixKey
    description: str | None
    initiation: Initiation = Initiation.KEY
    txid: str | None = None
    lookup: EndToEndId | None = None
    correlation_id: str | None = None


@dataclass(frozen=True, slots=True)
class ReadyOrder:
    """An order with its payer and its payee: all that the till needs. Its id makes a second effect impossible.

    `payee_account_id`: the payee is our own customer, and no network is told. `caps`: what bounds the token.
    """

    id: UUID
    order: Order
    tenant_id: UUID
    provider_id: UUID
    end_to_end_id: EndToEndId
    payer: Party
    payee: Party
    created_at: datetime
    attempt: Attempt | None
    payee_account_id: UUID | None = None
    caps: Caps | None = None

    @property
    def lookup_pair(self) -> tuple[UUID, str] | None:
        """Which lookup it uses up, if it names one."""
        return (self.order.account_id, self.order.lookup) if self.order.lookup else None
