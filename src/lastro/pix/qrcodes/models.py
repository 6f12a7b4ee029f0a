"""QR codes at rest, and where the dynamic ones are found from outside."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, Index, Text, UniqueConstraint, Uuid, column, table, text
from sqlalchemy.orm import Mapped, mapped_column

from lastro.database import Base, CentavosColumn
from lastro.pix.qrcodes.states import QrCodeType
from lastro.values.money import Money
from lastro.values.pix_key import KeyType

OPEN = "expires_at IS NOT NULL AND transfer_id IS NULL AND expired_at IS NULL"


class PixQrCode(Base):
    """One code. What arrives with its `txid` was paid through it; `transfer_id` is the one payment of a charge.

    `expired_at` is when an unpaid charge was told as expired; from then on it can not be paid, whenever the Pix came.
    """

    __tablename__ = "pix_qrcodes"
    __table_args__ = (
        UniqueConstraint("account_id", "txid"),
        Index("ix_pix_qrcodes_tenant_id_created_at_id", "tenant_id", "created_at", "id"),
        # Only charges that somebody may still pay, or that are to be told as expired.
        Index("ix_pix_qrcodes_expires_at_open", "expires_at", postgresql_where=text(OPEN)),
        CheckConstraint("amount_centavos > 0", name="amount_positive"),
        CheckConstraint(
            "(type = 'DYNAMIC') = (location_token IS NOT NULL)"
            " AND (type = 'DYNAMIC') = (expires_at IS NOT NULL)"
            " AND (type = 'STATIC' OR amount_centavos IS NOT NULL)",
            name="charge_is_whole",
        ),
        CheckConstraint("(transfer_id IS NULL) = (paid_at IS NULL)", name="paid_at_with_transfer"),
        CheckConstraint("transfer_id IS NULL OR type = 'DYNAMIC'", name="only_charges_are_paid"),
        CheckConstraint("expired_at IS NULL OR transfer_id IS NULL", name="paid_or_expired"),
        CheckConstraint("expired_at >= expires_at", name="expired_after_its_time"),
    )

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    provider_id: Mapped[UUID]
    type: Mapped[QrCodeType]
    amount: Mapped[Money | None] = mapped_column("amount_centavos")
    description: Mapped[str | None]
    key_type: Mapped[KeyType]
    key_value: Mapped[str]
    txid: Mapped[str]
    text: Mapped[str]
    location_token: Mapped[str | None]
    expires_at: Mapped[datetime | None]
    transfer_id: Mapped[UUID | None]
    paid_at: Mapped[datetime | None]
    expired_at: Mapped[datetime | None]
    version: Mapped[int]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class QrCodeLocation(Base):
    """The unguessable word in a charge's address, and which code it is."""

    __tablename__ = "qrcode_locations"

    token: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[UUID]
    qrcode_id: Mapped[UUID]


ARRIVED = table(
    "pix_transfers",
    column("account_id", Uuid()),
    column("id", Uuid()),
    column("e2e_id", Text()),
    column("amount_centavos", CentavosColumn()),
    column("txid", Text()),
    column("created_at", DateTime(timezone=True)),
)
"""As much of the received Pix as a code asks of them; the table belongs to the package above this one."""
