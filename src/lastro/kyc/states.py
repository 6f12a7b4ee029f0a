"""The life of an account's KYC file, as one table.

NOT_STARTED → PENDING ⇄ IN_PROGRESS → APPROVED
                 ⇅           ↓           ↓
              REJECTED, REQUIRES_UPDATE ←┘
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class KycStatus(StrEnum):
    """The contract's six, of a file and of each document in it."""

    NOT_STARTED = "NOT_STARTED"
    PENDING = "PENDING"
    IN_PROGRESS = "IN_PROGRESS"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    REQUIRES_UPDATE = "REQUIRES_UPDATE"


class DocumentKind(StrEnum):
    """The contract's eight, in its order, which is the order in which they are shown."""

    RG = "RG"
    CNH = "CNH"
    PASSPORT = "PASSPORT"
    RNE = "RNE"
    SELFIE = "SELFIE"
    PROOF_OF_ADDRESS = "PROOF_OF_ADDRESS"
    PROOF_OF_INCOME = "PROOF_OF_INCOME"
    ARTICLES_OF_INCORPORATION = "ARTICLES_OF_INCORPORATION"


S = KycStatus

UNDER_REVIEW = frozenset({S.PENDING, S.IN_PROGRESS})
VERDICTS = frozenset({S.APPROVED, S.REJECTED, S.REQUIRES_UPDATE})


@dataclass(frozen=True, slots=True)
class Edge:
    """One step: the news that goes out with it, if it is any."""

    emits: str | None = None


_APPROVED = Edge(emits="account.kyc.approved")
_REJECTED = Edge(emits="account.kyc.rejected")
_REQUIRES_UPDATE = Edge(emits="account.kyc.requires_update")

EDGES: Mapping[tuple[KycStatus, KycStatus], Edge] = {
    (S.NOT_STARTED, S.PENDING): Edge(),
    (S.NOT_STARTED, S.REQUIRES_UPDATE): _REQUIRES_UPDATE,  # something is missing
    (S.PENDING, S.PENDING): Edge(),  # sent again
    (S.PENDING, S.IN_PROGRESS): Edge(),
    (S.PENDING, S.APPROVED): _APPROVED,  # a desk may be faster than its own receipt
    (S.PENDING, S.REJECTED): _REJECTED,
    (S.PENDING, S.REQUIRES_UPDATE): _REQUIRES_UPDATE,
    (S.IN_PROGRESS, S.PENDING): Edge(),
    (S.IN_PROGRESS, S.APPROVED): _APPROVED,
    (S.IN_PROGRESS, S.REJECTED): _REJECTED,
    (S.IN_PROGRESS, S.REQUIRES_UPDATE): _REQUIRES_UPDATE,
    (S.REJECTED, S.PENDING): Edge(),
    (S.REJECTED, S.REQUIRES_UPDATE): _REQUIRES_UPDATE,
    (S.REQUIRES_UPDATE, S.PENDING): Edge(),
    (S.REQUIRES_UPDATE, S.REQUIRES_UPDATE): _REQUIRES_UPDATE,  # something is still missing, or something else is
    (S.APPROVED, S.REQUIRES_UPDATE): _REQUIRES_UPDATE,  # another name
}
