"""Payments at rest."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from lastro.database import Base
from lastro.pix.parties import PartyColumn
from lastro.pix.payments.states import PaymentStatus
from lastro.providers.protocol import Initiation, Party
from lastro.values.money import Money
from lastro.values.pix_key import KeyType

FAILED = "failure_reason IS NOT NULL"
REVERSED = "returned_centavos = amount_centavos"


class PixPayment(Base):
    """One payment. `id` carries the moment of `created_at`, so lists run newest first along the primary key.

    What SPI is told (ids, amount, both parties, description, txid, created_at) never changes after the row was written.
    `payee_account_id` is set when the payee is our own customer: then SPI is told nothing.
    """

    __tablename__ = "pix_payments"
    __table_args__ = (
        UniqueConstraint("account_id", "e2e_id"),
        Index("ix_pix_payments_e2e_id", "e2e_id"),
        Index("ix_pix_payments_tenant_id_id", "tenant_id", "id"),
        Index(
            "ix_pix_payments_tenant_id_correlation_id_id",
            "tenant_id",
            "correlation_id",
            "id",
            postgresql_where=text("correlation_id IS NOT NULL"),
        ),
        # FAILED and REVERSED, by columns that settling leaves alone: an index on `status` would make each settlement
        # write to every index.
        Index("ix_pix_payments_tenant_id_id_failed", "tenant_id", "id", postgresql_where=text(FAILED)),
        Index("ix_pix_payments_account_id_id_failed", "account_id", "id", postgresql_where=text(FAILED)),
        Index("ix_pix_payments_tenant_id_id_reversed", "tenant_id", "id", postgresql_where=text(REVERSED)),
        Index("ix_pix_payments_account_id_id_reversed", "account_id", "id", postgresql_where=text(REVERSED)),
        CheckConstraint("amount_centavos > 0", name="amount_positive"),
        CheckConstraint("returned_centavos BETWEEN 0 AND amount_centavos", name="returned_within_amount"),
        CheckConstraint(
            "(completed_at IS NOT NULL) = (status IN ('COMPLETED', 'REVERSED'))", name="completed_at_with_completed"
        ),
        CheckConstraint("payee_account_id <> account_id", name="payee_is_somebody_else"),
        CheckConstraint("(failure_reason IS NOT NULL) = (status = 'FAILED')", name="reason_with_failed"),
        # A payment's row is updated once, when it settles, in one transaction with its neighbours on the page: with
        # room for all of them beside it, none needs new entries in the indexes.
        {"postgresql_with": {"fillfactor": 50}},
    )

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    provider_id: Mapped[UUID]
    amount: Mapped[Money] = mapped_column("amount_centavos")
    status: Mapped[PaymentStatus]
    recipient_key_type: Mapped[KeyType]
    recipient_key_value: Mapped[str]
    description: Mapped[str | None]
    correlation_id: Mapped[str | None]
    e2e_id: Mapped[str]
    external_ref: Mapped[str | None]
    failure_reason: Mapped[str | None]
    payer: Mapped[Party] = mapped_column(PartyColumn)
    payee: Mapped[Party] = mapped_column(PartyColumn)
    payee_account_id: Mapped[UUID | None]
    initiation: Mapped[Initiation] = mapped_column(server_default=text("'KEY'"))
    txid: Mapped[str | None]
    returned: Mapped[Money] = mapped_column("returned_centavos", server_default=text("0"))
    version: Mapped[int]
    completed_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
