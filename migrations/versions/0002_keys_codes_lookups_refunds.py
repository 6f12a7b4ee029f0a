"""Keys, lookups, QR codes, refunds, and payments between two customers of the bank."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.create_table(
        "key_holders",
        sa.Column("key_value", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("key_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("key_value", name=op.f("pk_key_holders")),
    )
    op.create_table(
        "lookup_budgets",
        sa.Column(
            "level",
            sa.Enum(
                "PAYER", "TENANT", "PLATFORM", name="budgetlevel", native_enum=False, create_constraint=True, length=32
            ),
            nullable=False,
        ),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("millitokens", sa.BigInteger(), nullable=False),
        sa.Column("refilled_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("level", "holder", name=op.f("pk_lookup_budgets")),
    )
    op.create_table(
        "pix_keys",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("provider_id", sa.Uuid(), nullable=False),
        sa.Column(
            "key_type",
            sa.Enum(
                "CPF",
                "CNPJ",
                "EMAIL",
                "PHONE",
                "EVP",
                name="keytype",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("key_value", sa.Text(), nullable=True),
        sa.Column("holder_name", sa.Text(), nullable=False),
        sa.Column(
            "stage",
            sa.Enum(
                "AWAITING_CODE",
                "REGISTERING",
                "ACTIVE",
                "REMOVING",
                "INACTIVE",
                name="keystage",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("registration_id", sa.Uuid(), nullable=False),
        sa.Column("removal_id", sa.Uuid(), nullable=True),
        sa.Column("code_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tries", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("failure_reason", sa.Text(), nullable=True),
        sa.Column("activated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "key_value IS NOT NULL OR (key_type = 'EVP' AND stage IN ('REGISTERING', 'REMOVING', 'INACTIVE'))",
            name=op.f("ck_pix_keys_named_once_made"),
        ),
        sa.CheckConstraint(
            "stage <> 'AWAITING_CODE' OR code_expires_at IS NOT NULL", name=op.f("ck_pix_keys_code_expires")
        ),
        sa.CheckConstraint(
            "(stage <> 'ACTIVE' OR activated_at IS NOT NULL) AND (stage NOT IN ('AWAITING_CODE', 'REGISTERING')"
            " OR activated_at IS NULL)",
            name=op.f("ck_pix_keys_activated_at_with_active"),
        ),
        sa.CheckConstraint(
            "failure_reason IS NULL OR stage = 'INACTIVE'", name=op.f("ck_pix_keys_reason_with_inactive")
        ),
        sa.PrimaryKeyConstraint("account_id", "id", name=op.f("pk_pix_keys")),
    )
    op.create_index("ix_pix_keys_tenant_id_created_at_id", "pix_keys", ["tenant_id", "created_at", "id"], unique=False)
    op.create_index("ix_pix_keys_tenant_id_id", "pix_keys", ["tenant_id", "id"], unique=False)
    op.create_table(
        "pix_lookups",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("e2e_id", sa.Text(), nullable=False),
        sa.Column(
            "key_type",
            sa.Enum(
                "CPF",
                "CNPJ",
                "EMAIL",
                "PHONE",
                "EVP",
                name="keytype",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("key_value", sa.Text(), nullable=False),
        sa.Column("owner", postgresql.JSONB(), nullable=False),
        sa.Column("payee_account_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "e2e_id", name=op.f("pk_pix_lookups")),
    )
    op.create_table(
        "pix_qrcodes",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("provider_id", sa.Uuid(), nullable=False),
        sa.Column(
            "type",
            sa.Enum("STATIC", "DYNAMIC", name="qrcodetype", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("amount_centavos", sa.BigInteger(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column(
            "key_type",
            sa.Enum(
                "CPF",
                "CNPJ",
                "EMAIL",
                "PHONE",
                "EVP",
                name="keytype",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("key_value", sa.Text(), nullable=False),
        sa.Column("txid", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("location_token", sa.Text(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("transfer_id", sa.Uuid(), nullable=True),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(type = 'DYNAMIC') = (location_token IS NOT NULL) AND (type = 'DYNAMIC') = (expires_at IS NOT NULL) AND (type = 'STATIC' OR amount_centavos IS NOT NULL)",
            name=op.f("ck_pix_qrcodes_charge_is_whole"),
        ),
        sa.CheckConstraint(
            "transfer_id IS NULL OR type = 'DYNAMIC'", name=op.f("ck_pix_qrcodes_only_charges_are_paid")
        ),
        sa.CheckConstraint(
            "(transfer_id IS NULL) = (paid_at IS NULL)", name=op.f("ck_pix_qrcodes_paid_at_with_transfer")
        ),
        sa.CheckConstraint("amount_centavos > 0", name=op.f("ck_pix_qrcodes_amount_positive")),
        sa.PrimaryKeyConstraint("account_id", "id", name=op.f("pk_pix_qrcodes")),
        sa.UniqueConstraint("account_id", "txid", name=op.f("uq_pix_qrcodes_account_id_txid")),
    )
    op.create_index(
        "ix_pix_qrcodes_tenant_id_created_at_id", "pix_qrcodes", ["tenant_id", "created_at", "id"], unique=False
    )
    op.create_table(
        "pix_refunds",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("provider_id", sa.Uuid(), nullable=False),
        sa.Column("transfer_id", sa.Uuid(), nullable=False),
        sa.Column("amount_centavos", sa.BigInteger(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "PROCESSING",
                "COMPLETED",
                "FAILED",
                name="refundstatus",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("e2e_id", sa.Text(), nullable=False),
        sa.Column("original_e2e_id", sa.Text(), nullable=False),
        sa.Column("failure_reason", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(completed_at IS NOT NULL) = (status = 'COMPLETED')",
            name=op.f("ck_pix_refunds_completed_at_with_completed"),
        ),
        sa.CheckConstraint(
            "(failure_reason IS NOT NULL) = (status = 'FAILED')", name=op.f("ck_pix_refunds_reason_with_failed")
        ),
        sa.CheckConstraint("amount_centavos > 0", name=op.f("ck_pix_refunds_amount_positive")),
        sa.PrimaryKeyConstraint("account_id", "id", name=op.f("pk_pix_refunds")),
        sa.UniqueConstraint("account_id", "e2e_id", name=op.f("uq_pix_refunds_account_id_e2e_id")),
    )
    op.create_index("ix_pix_refunds_account_id_transfer_id", "pix_refunds", ["account_id", "transfer_id"], unique=False)
    op.create_index("ix_pix_refunds_e2e_id", "pix_refunds", ["e2e_id"], unique=False)
    op.create_index("ix_pix_refunds_tenant_id_id", "pix_refunds", ["tenant_id", "id"], unique=False)
    op.create_table(
        "qrcode_locations",
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("qrcode_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("token", name=op.f("pk_qrcode_locations")),
    )
    op.add_column("pix_payments", sa.Column("payee_account_id", sa.Uuid(), nullable=True))
    op.add_column(
        "pix_payments",
        sa.Column(
            "initiation",
            sa.Enum(
                "KEY",
                "STATIC_QR_CODE",
                "DYNAMIC_QR_CODE",
                name="initiation",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            server_default=sa.text("'KEY'"),
            nullable=False,
        ),
    )
    op.add_column("pix_payments", sa.Column("txid", sa.Text(), nullable=True))
    op.add_column("pix_transfers", sa.Column("payment_account_id", sa.Uuid(), nullable=True))
    op.add_column("pix_transfers", sa.Column("payment_id", sa.Uuid(), nullable=True))
    op.add_column(
        "providers", sa.Column("hides_accounts", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.create_check_constraint(
        op.f("ck_pix_payments_payee_is_somebody_else"), "pix_payments", "payee_account_id <> account_id"
    )
    op.create_check_constraint(
        op.f("ck_pix_transfers_payment_is_whole"),
        "pix_transfers",
        "(payment_id IS NULL) = (payment_account_id IS NULL)",
    )
    pots = "'AVAILABLE', 'IN_TRANSIT', 'SPI', 'BOOK'"
    reasons = "'HOLD', 'SETTLE', 'RELEASE', 'RECEIVE', 'PAY', 'COLLECT'"
    for column, words in (("source", pots), ("target", pots), ("reason", reasons)):
        op.drop_constraint(op.f(f"ck_movements_{column}"), "movements")
        op.create_check_constraint(op.f(f"ck_movements_{column}"), "movements", f"{column} IN ({words})")
    op.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO lastro_app")
    op.execute("GRANT INSERT, UPDATE ON pix_keys, lookup_budgets, pix_qrcodes, pix_refunds TO lastro_app")
    op.execute("GRANT INSERT, DELETE ON key_holders, pix_lookups TO lastro_app")
    op.execute("GRANT INSERT ON qrcode_locations TO lastro_app")


def downgrade() -> None:
    raise NotImplementedError("what was received and refunded can not be forgotten: restore a backup instead")
