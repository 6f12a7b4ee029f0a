"""The life of a refund, as one table: what moves in the ledger and what news goes out with each step.

PROCESSING → COMPLETED
    ↓
  FAILED
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class RefundStatus(StrEnum):
    """PROCESSING: accepted, the money is on its way. COMPLETED: the payer has it. FAILED: refused, ours again."""

    PROCESSING = "PROCESSING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


R = RefundStatus


@dataclass(frozen=True, slots=True)
class Edge:
    """One step: the news for the tenant."""

    emits: str


EDGES: Mapping[tuple[RefundStatus, RefundStatus], Edge] = {
    (R.PROCESSING, R.COMPLETED): Edge(emits="pix.refund.completed"),
    (R.PROCESSING, R.FAILED): Edge(emits="pix.refund.failed"),
}
