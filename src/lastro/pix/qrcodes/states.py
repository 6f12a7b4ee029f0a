"""The kinds of code, and how a charge stands: that follows from its payment and the time.

ACTIVE → PAID
   ↓
EXPIRED
"""

from datetime import datetime
from enum import StrEnum


class QrCodeType(StrEnum):
    """STATIC: paid as often as people like. DYNAMIC: a charge of one amount, that expires and is paid once."""

    STATIC = "STATIC"
    DYNAMIC = "DYNAMIC"


class QrCodeStatus(StrEnum):
    """ACTIVE: it can be paid. A static code is never anything else."""

    ACTIVE = "ACTIVE"
    PAID = "PAID"
    EXPIRED = "EXPIRED"


def status_of(paid_at: datetime | None, expires_at: datetime | None, now: datetime) -> QrCodeStatus:
    """How a code stands; what was paid in time does not expire any more."""
    if paid_at is not None:
        return QrCodeStatus.PAID
    expired = expires_at is not None and now >= expires_at
    return QrCodeStatus.EXPIRED if expired else QrCodeStatus.ACTIVE
