"""The promises that are not kept yet, and the alerts about those that could not be kept."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Identity, func
from sqlalchemy.orm import Mapped, mapped_column

from lastro.database import Base


class PromiseRow(Base):
    """One promise. `due_at` runs on the database's clock; while `leased_by` is set, a worker has it until `due_at`."""

    __tablename__ = "outbox"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    topic: Mapped[str]
    account_id: Mapped[UUID]
    reference: Mapped[UUID]
    attempts: Mapped[int] = mapped_column(server_default="0")
    due_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    leased_by: Mapped[int | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class Alert(Base):
    """Something that a human must look at: a promise given up, two verdicts on one payment."""

    __tablename__ = "alerts"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    kind: Mapped[str]
    account_id: Mapped[UUID]
    reference: Mapped[UUID]
    detail: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    resolved_at: Mapped[datetime | None]
