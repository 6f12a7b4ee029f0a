"""Refunds at rest."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from lastro.database import Base
from lastro.pix.refunds.states import RefundStatus
from lastro.values.money import Money

FAILED = "failure_reason IS NOT NULL"


class PixRefund(Base):
    """One refund (devolução) of a received Pix. `id` carries the moment of `created_at`, as a payment's does.

    What SPI is told (both ids, amount, created_at) never changes after the row was written.
    """

    __tablename__ = "pix_refunds"
    __table_args__ = (
        UniqueConstraint("account_id", "e2e_id"),
        Index("ix_pix_refunds_account_id_transfer_id", "account_id", "transfer_id"),
        Index("ix_pix_refunds_e2e_id", "e2e_id"),
        Index("ix_pix_refunds_id", "id"),  # for the statement of the payer, who knows nothing of the other account
        Index("ix_pix_refunds_tenant_id_id", "tenant_id", "id"),
        Index("ix_pix_refunds_tenant_id_transfer_id", "tenant_id", "transfer_id"),
        Index("ix_pix_refunds_tenant_id_id_failed", "tenant_id", "id", postgresql_where=text(FAILED)),
        Index("ix_pix_refunds_account_id_id_failed", "account_id", "id", postgresql_where=text(FAILED)),
        CheckConstraint("amount_centavos > 0", name="amount_positive"),
        CheckConstraint("(completed_at IS NOT NULL) = (status = 'COMPLETED')", name="completed_at_with_completed"),
        CheckConstraint("(failure_reason IS NOT NULL) = (status = 'FAILED')", name="reason_with_failed"),
    )

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    provider_id: Mapped[UUID]
    transfer_id: Mapped[UUID]
    amount: Mapped[Money] = mapped_column("amount_centavos")
    status: Mapped[RefundStatus]
    reason: Mapped[str | None]
    e2e_id: Mapped[str]
    original_e2e_id: Mapped[str]
    failure_reason: Mapped[str | None]
    version: Mapped[int]
    completed_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
