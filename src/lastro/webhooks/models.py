"""Events at rest, one for each version of a resource that somebody may want to hear of."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from lastro.database import Base


class EventRow(Base):
    """One piece of news. `body` holds the bytes that every delivery will carry, now and on every retry."""

    __tablename__ = "events"
    __table_args__ = (UniqueConstraint("account_id", "resource_id", "resource_version"),)

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    type: Mapped[str]
    resource_id: Mapped[UUID]
    resource_version: Mapped[int]
    body: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime]
