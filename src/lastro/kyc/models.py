"""An account's KYC file, what was submitted of it, its documents, and their sides under lock and key."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, LargeBinary, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from lastro.database import Base
from lastro.kyc.states import DocumentKind, KycStatus


class KycFile(Base):
    """One an account, made when the first document comes. `submission` is the number of the last one, 0 for none.

    `approved_at` is when it was approved for the first time: since then the account may open.
    """

    __tablename__ = "kyc_files"
    __table_args__ = (
        CheckConstraint("status <> 'NOT_STARTED'", name="begun"),
        CheckConstraint("status <> 'APPROVED' OR approved_at IS NOT NULL", name="approved_at_with_approved"),
    )

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID]
    tenant_id: Mapped[UUID]
    status: Mapped[KycStatus]
    review_note: Mapped[str | None]
    submission: Mapped[int]
    approved_at: Mapped[datetime | None]
    version: Mapped[int]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class KycSubmission(Base):
    """The file as it was brought to the provider: under which name, and what the provider decided. Decided once."""

    __tablename__ = "kyc_submissions"
    __table_args__ = (
        UniqueConstraint("account_id", "id"),
        CheckConstraint("(verdict IS NULL) = (decided_at IS NULL)", name="decided_at_with_verdict"),
        CheckConstraint("verdict IN ('APPROVED', 'REJECTED', 'REQUIRES_UPDATE')", name="verdict_is_one"),
    )

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[UUID]
    tenant_id: Mapped[UUID]
    holder_name: Mapped[str]
    verdict: Mapped[KycStatus | None]
    decided_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class KycDocument(Base):
    """One document. The newest of a kind is the one that counts; the others stay, superseded."""

    __tablename__ = "kyc_documents"
    __table_args__ = (
        Index(
            "uq_kyc_documents_account_id_type",
            "account_id",
            "type",
            unique=True,
            postgresql_where=text("superseded_at IS NULL"),
        ),
    )

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    type: Mapped[DocumentKind]
    status: Mapped[KycStatus]
    uploaded_at: Mapped[datetime]
    reviewed_at: Mapped[datetime | None]
    superseded_at: Mapped[datetime | None]


class ImageSide(StrEnum):
    """Of a document."""

    FRONT = "FRONT"
    BACK = "BACK"


class KycImage(Base):
    """One side of a document, sealed for this very row. `sha256` and `size` are of what is inside."""

    __tablename__ = "kyc_images"
    __table_args__ = (
        CheckConstraint("octet_length(sha256) = 32", name="sha256_shape"),
        CheckConstraint("octet_length(sealed) = size + 28", name="sealed_size"),  # a nonce and a tag more
        CheckConstraint("(width IS NULL) = (height IS NULL)", name="both_dimensions"),
    )

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    document_id: Mapped[UUID] = mapped_column(primary_key=True)
    side: Mapped[ImageSide] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    media_type: Mapped[str]
    width: Mapped[int | None]
    height: Mapped[int | None]
    size: Mapped[int]
    sha256: Mapped[bytes] = mapped_column(LargeBinary)
    key_id: Mapped[str]
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime]
