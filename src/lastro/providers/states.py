"""What a provider is for, and whether it is used. Any status may follow any other: it is the tenant's word."""

from enum import StrEnum


class ProviderType(StrEnum):
    """What the tenant uses it for, in the words of the field. It says nothing of what the adapter can do."""

    BANKING = "BANKING"
    PIX = "PIX"
    BOLETO = "BOLETO"
    FULL = "FULL"


class ProviderStatus(StrEnum):
    """INACTIVE: opens no new accounts; those that it has go on as ever. SUSPENDED: nothing new goes out either.

    Whatever the status, what is under way settles, and what arrives is credited.
    """

    ACTIVE = "ACTIVE"
    INACTIVE = "INACTIVE"
    SUSPENDED = "SUSPENDED"
