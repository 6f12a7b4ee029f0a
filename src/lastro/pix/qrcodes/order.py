"""What a tenant orders when it wants a code."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from lastro.pix.qrcodes.states import QrCodeType
from lastro.values.money import Money


@dataclass(frozen=True, slots=True)
class CodeOrder:
    """A code to be made; `lifetime` is a charge's alone."""

    account_id: UUID
    type: QrCodeType
    amount: Money | None
    description: str | None
    lifetime: timedelta | None
