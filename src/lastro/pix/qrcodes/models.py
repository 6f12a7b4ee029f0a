"""QR codes at rest, and where the dynamic ones are found from outside."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from lastro.database import Base
from lastro.values.money import Money
from lastro.values.pix_key import KeyType


class QrCodeType(StrEnum):
    """STATIC: paid as often as people like. DYNAMIC: a charge of one amount, that expires and is paid once."""

    STATIC = "STATIC"
    DYNAMIC = "DYNAMIC"


class PixQrCode(Base):
    """One code. What arrives with its `txid` was paid through it; `transfer_id` is the one payment of a charge."""

    __tablename__ = "pix_qrcodes"
    __table_args__ = (
        UniqueConstraint("account_id", "txid"),
        Index("ix_pix_qrcodes_tenant_id_created_at_id", "tenant_id", "created_at", "id"),
        CheckConstraint("amount_centavos > 0", name="amount_positive"),
        CheckConstraint(
            "(type = 'DYNAMIC') = (location_token IS NOT NULL)"
            " AND (type = 'DYNAMIC') = (expires_at IS NOT NULL)"
            " AND (type = 'STATIC' OR amount_centavos IS NOT NULL)",
            name="charge_is_whole",
        ),
        CheckConstraint("(transfer_id IS NULL) = (paid_at IS NULL)", name="paid_at_with_transfer"),
        CheckConstraint("transfer_id IS NULL OR type = 'DYNAMIC'", name="only_charges_are_paid"),
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
    version: Mapped[int]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class QrCodeLocation(Base):
    """The unguessable word in a charge's address, and which code it is."""

    __tablename__ = "qrcode_locations"

    token: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[UUID]
    qrcode_id: Mapped[UUID]
