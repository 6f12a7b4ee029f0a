"""The life of a key, as one table: what news goes out with each step, and what the contract calls each stage.

AWAITING_CODE → REGISTERING → ACTIVE → REMOVING → INACTIVE
      ↓              ↓                                ↑
      └──────────────┴────────────────────────────────┘
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class KeyStatus(StrEnum):
    """The contract's three."""

    ACTIVE = "ACTIVE"
    PENDING = "PENDING"
    INACTIVE = "INACTIVE"


class KeyStage(StrEnum):
    """Where a key stands.

    AWAITING_CODE: the possession of an e-mail address or a phone is still to be proven. REGISTERING: the directory is
    (to be) asked. REMOVING: no longer the customer's, and still in the directory. INACTIVE: removed, or never taken.
    """

    AWAITING_CODE = "AWAITING_CODE"
    REGISTERING = "REGISTERING"
    ACTIVE = "ACTIVE"
    REMOVING = "REMOVING"
    INACTIVE = "INACTIVE"


S = KeyStage

STATUS: Mapping[KeyStage, KeyStatus] = {
    S.AWAITING_CODE: KeyStatus.PENDING,
    S.REGISTERING: KeyStatus.PENDING,
    S.ACTIVE: KeyStatus.ACTIVE,
    S.REMOVING: KeyStatus.INACTIVE,
    S.INACTIVE: KeyStatus.INACTIVE,
}


@dataclass(frozen=True, slots=True)
class Edge:
    """One step: the news that goes out with it, if it is news."""

    emits: str | None


EDGES: Mapping[tuple[KeyStage, KeyStage], Edge] = {
    (S.AWAITING_CODE, S.REGISTERING): Edge(emits=None),
    (S.AWAITING_CODE, S.INACTIVE): Edge(emits=None),
    (S.REGISTERING, S.ACTIVE): Edge(emits="pix.key.registered"),
    (S.REGISTERING, S.REMOVING): Edge(emits=None),
    (S.REGISTERING, S.INACTIVE): Edge(emits="pix.key.refused"),
    (S.ACTIVE, S.REMOVING): Edge(emits="pix.key.removed"),
    (S.REMOVING, S.INACTIVE): Edge(emits=None),
}
