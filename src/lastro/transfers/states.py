"""The life of an internal transfer, which is one moment: it exists once its money has moved, and not before."""

from enum import StrEnum


class InternalTransferStatus(StrEnum):
    """COMPLETED: both accounts have moved."""

    COMPLETED = "COMPLETED"


COMPLETED = "transfer.internal.completed"
"""The news of it."""
