"""The life of an account, as one table.

PENDING → ACTIVE ⇄ BLOCKED
   ↓        ↓
 CLOSED   CLOSED
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class AccountStatus(StrEnum):
    """The contract's four."""

    PENDING = "PENDING"
    ACTIVE = "ACTIVE"
    BLOCKED = "BLOCKED"
    CLOSED = "CLOSED"


S = AccountStatus


@dataclass(frozen=True, slots=True)
class Edge:
    """One step: the news that goes out with it."""

    emits: str


EDGES: Mapping[tuple[AccountStatus, AccountStatus], Edge] = {
    (S.PENDING, S.ACTIVE): Edge(emits="account.activated"),
    (S.ACTIVE, S.BLOCKED): Edge(emits="account.blocked"),
    (S.BLOCKED, S.ACTIVE): Edge(emits="account.unblocked"),
    (S.PENDING, S.CLOSED): Edge(emits="account.closed"),
    (S.ACTIVE, S.CLOSED): Edge(emits="account.closed"),
}
