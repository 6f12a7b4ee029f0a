"""The life of a payment, as one table: what moves in the ledger and what news goes out with each step.

PENDING → PROCESSING → COMPLETED → REVERSED
   ↓          ↓
 FAILED     FAILED
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from lastro.ledger.movements import Movement, collect, hold, pay, receive, release, settle
from lastro.values.money import Money


class PaymentStatus(StrEnum):
    """The contract's five."""

    PENDING = "PENDING"
    PROCESSING = "PROCESSING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    REVERSED = "REVERSED"


P = PaymentStatus


@dataclass(frozen=True, slots=True)
class Edge:
    """One step: the sentence for the ledger, the news for the tenant.

    `moves_inside` is the sentence when payer and payee are both our customers.
    """

    moves: Callable[[UUID, Money, UUID], Movement] | None
    moves_inside: Callable[[UUID, Money, UUID], Movement] | None
    emits: str | None


EDGES: Mapping[tuple[PaymentStatus, PaymentStatus], Edge] = {
    (P.PENDING, P.PROCESSING): Edge(moves=hold, moves_inside=hold, emits=None),
    (P.PENDING, P.FAILED): Edge(moves=None, moves_inside=None, emits="pix.payment.failed"),
    (P.PROCESSING, P.COMPLETED): Edge(moves=settle, moves_inside=pay, emits="pix.payment.completed"),
    (P.PROCESSING, P.FAILED): Edge(moves=release, moves_inside=release, emits="pix.payment.failed"),
    (P.COMPLETED, P.REVERSED): Edge(moves=receive, moves_inside=collect, emits="pix.payment.reversed"),
}
