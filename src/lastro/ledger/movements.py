"""The sentences of the ledger: each moves one positive amount from one pot to another, so the books always balance.

    hold     AVAILABLE  → IN_TRANSIT   a payment was accepted
    settle   IN_TRANSIT → SPI          the network says settled
    release  IN_TRANSIT → AVAILABLE    the network says rejected
    receive  SPI        → AVAILABLE    a Pix arrived, or came back
    pay      IN_TRANSIT → BOOK         the payee is our own customer too
    transfer AVAILABLE  → BOOK         to another account of the same tenant, at once
    collect  BOOK       → AVAILABLE    the other side of these two, in the same transaction

AVAILABLE and IN_TRANSIT belong to the account. SPI and BOOK belong to the bank: SPI is the sum of what crossed to and
from the network; in BOOK nothing stays.
"""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from lastro.values.money import Money


class Pot(StrEnum):
    """Where money lies."""

    AVAILABLE = "AVAILABLE"
    IN_TRANSIT = "IN_TRANSIT"
    SPI = "SPI"
    BOOK = "BOOK"


class Reason(StrEnum):
    """Why money moved; an account moves for one reason and one reference at most once, for ever."""

    HOLD = "HOLD"
    SETTLE = "SETTLE"
    RELEASE = "RELEASE"
    RECEIVE = "RECEIVE"
    PAY = "PAY"
    COLLECT = "COLLECT"
    TRANSFER = "TRANSFER"


@dataclass(frozen=True, slots=True)
class Movement:
    """One sentence. `reference` is the id of the payment, transfer or return that it is about."""

    account_id: UUID
    source: Pot
    target: Pot
    amount: Money
    reason: Reason
    reference: UUID


def hold(account_id: UUID, amount: Money, reference: UUID) -> Movement:
    """A payment was accepted: the money is still the customer's and can not be spent twice."""
    return Movement(account_id, Pot.AVAILABLE, Pot.IN_TRANSIT, amount, Reason.HOLD, reference)


def settle(account_id: UUID, amount: Money, reference: UUID) -> Movement:
    """The network settled the payment: the money left."""
    return Movement(account_id, Pot.IN_TRANSIT, Pot.SPI, amount, Reason.SETTLE, reference)


def release(account_id: UUID, amount: Money, reference: UUID) -> Movement:
    """The network rejected the payment: the money is free again."""
    return Movement(account_id, Pot.IN_TRANSIT, Pot.AVAILABLE, amount, Reason.RELEASE, reference)


def receive(account_id: UUID, amount: Money, reference: UUID) -> Movement:
    """A Pix arrived, or a payment came back."""
    return Movement(account_id, Pot.SPI, Pot.AVAILABLE, amount, Reason.RECEIVE, reference)


def pay(account_id: UUID, amount: Money, reference: UUID) -> Movement:
    """The money goes to another customer of this bank; `collect` says the other half."""
    return Movement(account_id, Pot.IN_TRANSIT, Pot.BOOK, amount, Reason.PAY, reference)


def transfer(account_id: UUID, amount: Money, reference: UUID) -> Movement:
    """The money goes to another account of the same tenant; `collect` says the other half."""
    return Movement(account_id, Pot.AVAILABLE, Pot.BOOK, amount, Reason.TRANSFER, reference)


def collect(account_id: UUID, amount: Money, reference: UUID) -> Movement:
    """Another account of this bank paid, transferred, or gave back."""
    return Movement(account_id, Pot.BOOK, Pot.AVAILABLE, amount, Reason.COLLECT, reference)
