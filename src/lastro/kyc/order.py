"""What a tenant sends of its customer's documents: first as texts, then as sides that may be kept."""

from dataclasses import dataclass, field

from lastro.kyc.images import Side
from lastro.kyc.states import DocumentKind


@dataclass(frozen=True, slots=True)
class Paper:
    """A document as it was sent; what its sides hold is not known yet."""

    type: DocumentKind
    front: str = field(repr=False)
    back: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Upload:
    """A document whose sides were judged."""

    type: DocumentKind
    front: Side
    back: Side | None
