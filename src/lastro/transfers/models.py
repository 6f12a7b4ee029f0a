"""Internal transfers at rest."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from lastro.database import Base
from lastro.transfers.states import InternalTransferStatus
from lastro.values.money import Money


class InternalTransfer(Base):
    """One transfer, a row of the account that gives. `id` carries the moment of `created_at`, as a payment's does.

    Written once and never changed: the application's role can not.
    """

    __tablename__ = "internal_transfers"
    __table_args__ = (
        Index("ix_internal_transfers_tenant_id_id", "tenant_id", "id"),
        Index("ix_internal_transfers_recipient_account_id_id", "recipient_account_id", "id"),
        Index(
            "ix_internal_transfers_tenant_id_correlation_id_id",
            "tenant_id",
            "correlation_id",
            "id",
            postgresql_where=text("correlation_id IS NOT NULL"),
        ),
        CheckConstraint("amount_centavos > 0", name="amount_positive"),
        CheckConstraint("recipient_account_id <> account_id", name="two_accounts"),
    )

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    recipient_account_id: Mapped[UUID]
    amount: Mapped[Money] = mapped_column("amount_centavos")
    status: Mapped[InternalTransferStatus]
    description: Mapped[str | None]
    correlation_id: Mapped[str | None]
    completed_at: Mapped[datetime]
    created_at: Mapped[datetime]
