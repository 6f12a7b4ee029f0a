"""Whether a token or a client still opens anything."""

from datetime import datetime
from enum import StrEnum


class AccessStatus(StrEnum):
    """What the API shows. What is REVOKED stays so; only tokens expire."""

    ACTIVE = "ACTIVE"
    EXPIRED = "EXPIRED"
    REVOKED = "REVOKED"


def status_of(revoked_at: datetime | None, expires_at: datetime | None, now: datetime) -> AccessStatus:
    """What has become of it by now."""
    if revoked_at is not None:
        return AccessStatus.REVOKED
    if expires_at is not None and expires_at <= now:
        return AccessStatus.EXPIRED
    return AccessStatus.ACTIVE
