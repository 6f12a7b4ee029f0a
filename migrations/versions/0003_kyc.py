"""Customers' documents and their review."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

STATUSES = ("NOT_STARTED", "PENDING", "IN_PROGRESS", "APPROVED", "REJECTED", "REQUIRES_UPDATE")
KINDS = (
    "RG",
    "CNH",
    "PASSPORT",
    "RNE",
    "SELFIE",
    "PROOF_OF_ADDRESS",
    "PROOF_OF_INCOME",
    "ARTICLES_OF_INCORPORATION",
)


def _one_of(name: str, *words: str) -> sa.Enum:
    return sa.Enum(*words, name=name, native_enum=False, create_constraint=True, length=32)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.create_table(
        "kyc_files",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("status", _one_of("kycstatus", *STATUSES), nullable=False),
        sa.Column("review_note", sa.Text(), nullable=True),
        sa.Column("submission", sa.Integer(), nullable=False),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("status <> 'NOT_STARTED'", name=op.f("ck_kyc_files_begun")),
        sa.CheckConstraint(
            "status <> 'APPROVED' OR approved_at IS NOT NULL", name=op.f("ck_kyc_files_approved_at_with_approved")
        ),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_kyc_files")),
    )
    op.create_table(
        "kyc_submissions",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("holder_name", sa.Text(), nullable=False),
        sa.Column("verdict", _one_of("kycstatus", *STATUSES), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(verdict IS NULL) = (decided_at IS NULL)", name=op.f("ck_kyc_submissions_decided_at_with_verdict")
        ),
        sa.CheckConstraint(
            "verdict IN ('APPROVED', 'REJECTED', 'REQUIRES_UPDATE')", name=op.f("ck_kyc_submissions_verdict_is_one")
        ),
        sa.PrimaryKeyConstraint("account_id", "number", name=op.f("pk_kyc_submissions")),
        sa.UniqueConstraint("account_id", "id", name=op.f("uq_kyc_submissions_account_id_id")),
    )
    op.create_table(
        "kyc_documents",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("type", _one_of("documentkind", *KINDS), nullable=False),
        sa.Column("status", _one_of("kycstatus", *STATUSES), nullable=False),
        sa.Column("uploaded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reviewed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("superseded_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("account_id", "id", name=op.f("pk_kyc_documents")),
    )
    op.create_index(
        "uq_kyc_documents_account_id_type",
        "kyc_documents",
        ["account_id", "type"],
        unique=True,
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    op.create_table(
        "kyc_images",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("document_id", sa.Uuid(), nullable=False),
        sa.Column("side", _one_of("imageside", "FRONT", "BACK"), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("octet_length(sha256) = 32", name=op.f("ck_kyc_images_sha256_shape")),
        sa.CheckConstraint("octet_length(sealed) = size + 28", name=op.f("ck_kyc_images_sealed_size")),
        sa.CheckConstraint("(width IS NULL) = (height IS NULL)", name=op.f("ck_kyc_images_both_dimensions")),
        sa.PrimaryKeyConstraint("account_id", "document_id", "side", name=op.f("pk_kyc_images")),
    )
    op.execute("ALTER TABLE kyc_images ALTER COLUMN sealed SET STORAGE EXTERNAL")  # ciphertext does not compress
    _grant()


def _grant() -> None:
    """Documents are only added to: what was reviewed, and what it was, can not be rewritten by the application."""
    # An application that is withdrawn never gets a number.
    op.drop_constraint(op.f("ck_accounts_numbered_once_open"), "accounts")
    op.create_check_constraint(
        op.f("ck_accounts_numbered_once_open"),
        "accounts",
        "status = 'CLOSED' OR (status = 'PENDING') = (account_number IS NULL)",
    )
    op.add_column("accounts", sa.Column("approved_name", sa.Text(), nullable=True))
    op.execute("GRANT SELECT ON kyc_files, kyc_submissions, kyc_documents, kyc_images TO lastro_app")
    op.execute("GRANT INSERT ON kyc_files, kyc_submissions, kyc_documents, kyc_images TO lastro_app")
    op.execute(
        "GRANT UPDATE (status, review_note, submission, approved_at, version, updated_at) ON kyc_files TO lastro_app"
    )
    op.execute("GRANT UPDATE (verdict, decided_at) ON kyc_submissions TO lastro_app")
    op.execute("GRANT UPDATE (status, reviewed_at, superseded_at) ON kyc_documents TO lastro_app")
    op.execute("GRANT UPDATE (key_id, sealed) ON kyc_images TO lastro_app")  # for a new key


def downgrade() -> None:
    for name in ("kyc_images", "kyc_documents", "kyc_submissions", "kyc_files"):
        op.drop_table(name)
