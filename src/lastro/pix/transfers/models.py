"""Received Pix at rest."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from lastro.database import Base
from lastro.pix.parties import PartyColumn
from lastro.providers.protocol import Party
from lastro.values.money import Money


class TransferStatus(StrEnum):
    """COMPLETED: the money was credited. A received Pix exists only once it was."""

    COMPLETED = "COMPLETED"


class PixTransfer(Base):
    """One received Pix: credited once, under the network's end-to-end id.

    `payment_id` is set when another of our customers sent it: then no network was told.
    """

    __tablename__ = "pix_transfers"
    __table_args__ = (
        UniqueConstraint("account_id", "e2e_id"),
        Index("ix_pix_transfers_account_id_created_at_id", "account_id", "created_at", "id"),
        Index("ix_pix_transfers_tenant_id_created_at_id", "tenant_id", "created_at", "id"),
        Index("ix_pix_transfers_tenant_id_id", "tenant_id", "id"),
        Index("ix_pix_transfers_tenant_id_txid", "tenant_id", "txid", postgresql_where=text("txid IS NOT NULL")),
        Index("ix_pix_transfers_tenant_id_e2e_id", "tenant_id", "e2e_id"),
        Index("ix_pix_transfers_account_id_txid", "account_id", "txid", postgresql_where=text("txid IS NOT NULL")),
        CheckConstraint("amount_centavos > 0", name="amount_positive"),
        CheckConstraint("(payment_id IS NULL) = (payment_account_id IS NULL)", name="payment_is_whole"),
        CheckConstraint("refunded_centavos BETWEEN 0 AND amount_centavos", name="refunded_within_amount"),
    )

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    provider_id: Mapped[UUID]
    amount: Mapped[Money] = mapped_column("amount_centavos")
    refunded: Mapped[Money] = mapped_column("refunded_centavos", server_default=text("0"))
    status: Mapped[TransferStatus]
    e2e_id: Mapped[str]
    txid: Mapped[str | None]
    key: Mapped[str | None]
    description: Mapped[str | None]
    payer: Mapped[Party] = mapped_column(PartyColumn)
    payment_account_id: Mapped[UUID | None]
    payment_id: Mapped[UUID | None]
    version: Mapped[int]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
