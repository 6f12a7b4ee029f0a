"""The first schema."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.create_table(
        "account_numbers",
        sa.Column("provider_id", sa.Uuid(), nullable=False),
        sa.Column("branch", sa.Text(), nullable=False),
        sa.Column("account_number", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("provider_id", "branch", "account_number", name=op.f("pk_account_numbers")),
    )
    op.create_table(
        "alerts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("reference", sa.Uuid(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
    )
    op.create_table(
        "balances",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("available_centavos", sa.BigInteger(), nullable=False),
        sa.Column("in_transit_centavos", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("available_centavos >= 0", name=op.f("ck_balances_available_not_negative")),
        sa.CheckConstraint("in_transit_centavos >= 0", name=op.f("ck_balances_in_transit_not_negative")),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_balances")),
        postgresql_with={"fillfactor": 50},
    )
    op.create_table(
        "events",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("resource_id", sa.Uuid(), nullable=False),
        sa.Column("resource_version", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "id", name=op.f("pk_events")),
        sa.UniqueConstraint(
            "account_id",
            "resource_id",
            "resource_version",
            name=op.f("uq_events_account_id_resource_id_resource_version"),
        ),
    )
    op.create_table(
        "idempotency",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "operation", "key", name=op.f("pk_idempotency")),
    )
    op.create_table(
        "inbox",
        sa.Column("end_to_end_id", sa.Text(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum("PAYMENT", "RETURN", name="messagekind", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("provider_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("reference", sa.Uuid(), nullable=True),
        sa.Column("original_id", sa.Uuid(), nullable=True),
        sa.Column("amount_centavos", sa.BigInteger(), nullable=False),
        sa.Column("rejected_with", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("end_to_end_id", name=op.f("pk_inbox")),
    )
    op.create_table(
        "movements",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column(
            "source",
            sa.Enum(
                "AVAILABLE", "IN_TRANSIT", "SPI", name="source", native_enum=False, create_constraint=True, length=32
            ),
            nullable=False,
        ),
        sa.Column(
            "target",
            sa.Enum(
                "AVAILABLE", "IN_TRANSIT", "SPI", name="target", native_enum=False, create_constraint=True, length=32
            ),
            nullable=False,
        ),
        sa.Column("amount_centavos", sa.BigInteger(), nullable=False),
        sa.Column(
            "reason",
            sa.Enum(
                "HOLD",
                "SETTLE",
                "RELEASE",
                "RECEIVE",
                name="reason",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("reference", sa.Uuid(), nullable=False),
        sa.Column("available_after_centavos", sa.BigInteger(), nullable=False),
        sa.Column("in_transit_after_centavos", sa.BigInteger(), nullable=False),
        sa.Column("posted_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount_centavos > 0", name=op.f("ck_movements_amount_positive")),
        sa.CheckConstraint("available_after_centavos >= 0", name=op.f("ck_movements_available_not_negative")),
        sa.CheckConstraint("in_transit_after_centavos >= 0", name=op.f("ck_movements_in_transit_not_negative")),
        sa.CheckConstraint("source <> target", name=op.f("ck_movements_two_pots")),
        sa.PrimaryKeyConstraint("account_id", "seq", name=op.f("pk_movements")),
        sa.UniqueConstraint("account_id", "reason", "reference", name=op.f("uq_movements_account_id_reason_reference")),
    )
    op.create_table(
        "open_accounts",
        sa.Column("provider_id", sa.Uuid(), nullable=False),
        sa.Column("holder_document", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("provider_id", "holder_document", name=op.f("pk_open_accounts")),
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("reference", sa.Uuid(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("leased_by", sa.Integer(), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
    )
    op.create_table(
        "pix_payments",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("provider_id", sa.Uuid(), nullable=False),
        sa.Column("amount_centavos", sa.BigInteger(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "PENDING",
                "PROCESSING",
                "COMPLETED",
                "FAILED",
                "REVERSED",
                name="paymentstatus",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column(
            "recipient_key_type",
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
        sa.Column("recipient_key_value", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("e2e_id", sa.Text(), nullable=False),
        sa.Column("external_ref", sa.Text(), nullable=True),
        sa.Column("failure_reason", sa.Text(), nullable=True),
        sa.Column("payer", postgresql.JSONB(), nullable=False),
        sa.Column("payee", postgresql.JSONB(), nullable=False),
        sa.Column("returned_centavos", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(completed_at IS NOT NULL) = (status IN ('COMPLETED', 'REVERSED'))",
            name=op.f("ck_pix_payments_completed_at_with_completed"),
        ),
        sa.CheckConstraint(
            "(failure_reason IS NOT NULL) = (status = 'FAILED')", name=op.f("ck_pix_payments_reason_with_failed")
        ),
        sa.CheckConstraint("amount_centavos > 0", name=op.f("ck_pix_payments_amount_positive")),
        sa.CheckConstraint(
            "returned_centavos BETWEEN 0 AND amount_centavos", name=op.f("ck_pix_payments_returned_within_amount")
        ),
        sa.PrimaryKeyConstraint("account_id", "id", name=op.f("pk_pix_payments")),
        sa.UniqueConstraint("account_id", "e2e_id", name=op.f("uq_pix_payments_account_id_e2e_id")),
        postgresql_with={"fillfactor": 80},
    )
    op.create_index("ix_pix_payments_e2e_id", "pix_payments", ["e2e_id"], unique=False)
    op.create_index("ix_pix_payments_tenant_id_id", "pix_payments", ["tenant_id", "id"], unique=False)
    op.create_table(
        "pix_transfers",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("provider_id", sa.Uuid(), nullable=False),
        sa.Column("amount_centavos", sa.BigInteger(), nullable=False),
        sa.Column("refunded_centavos", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "status",
            sa.Enum("COMPLETED", name="transferstatus", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("e2e_id", sa.Text(), nullable=False),
        sa.Column("txid", sa.Text(), nullable=True),
        sa.Column("key", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("payer", postgresql.JSONB(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount_centavos > 0", name=op.f("ck_pix_transfers_amount_positive")),
        sa.CheckConstraint(
            "refunded_centavos BETWEEN 0 AND amount_centavos", name=op.f("ck_pix_transfers_refunded_within_amount")
        ),
        sa.PrimaryKeyConstraint("account_id", "id", name=op.f("pk_pix_transfers")),
        sa.UniqueConstraint("account_id", "e2e_id", name=op.f("uq_pix_transfers_account_id_e2e_id")),
    )
    op.create_index(
        "ix_pix_transfers_account_id_created_at_id", "pix_transfers", ["account_id", "created_at", "id"], unique=False
    )
    op.create_index(
        "ix_pix_transfers_tenant_id_created_at_id", "pix_transfers", ["tenant_id", "created_at", "id"], unique=False
    )
    op.create_index("ix_pix_transfers_tenant_id_e2e_id", "pix_transfers", ["tenant_id", "e2e_id"], unique=False)
    op.create_table(
        "tenants",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("tax_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tenants")),
    )
    op.create_table(
        "api_tokens",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("secret_hmac", sa.LargeBinary(), nullable=False),
        sa.Column("permissions", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_api_tokens_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_tokens")),
    )
    op.create_table(
        "providers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("ispb", sa.Text(), nullable=False),
        sa.Column("adapter", sa.Text(), nullable=False),
        sa.Column("account_types", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("strict_documents", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("ispb ~ '^[0-9A-Z]{8}$'", name=op.f("ck_providers_ispb_shape")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_providers_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_providers")),
    )
    op.create_table(
        "accounts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("provider_id", sa.Uuid(), nullable=False),
        sa.Column("holder_name", sa.Text(), nullable=False),
        sa.Column("holder_document", sa.Text(), nullable=False),
        sa.Column(
            "holder_document_type",
            sa.Enum("CPF", "CNPJ", name="documenttype", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column(
            "type",
            sa.Enum(
                "CHECKING",
                "SAVINGS",
                "PAYMENT",
                name="accounttype",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column(
            "status",
            sa.Enum(
                "PENDING",
                "ACTIVE",
                "BLOCKED",
                "CLOSED",
                name="accountstatus",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("branch", sa.Text(), nullable=True),
        sa.Column("account_number", sa.Text(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("metadata", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(status = 'CLOSED') = (closed_at IS NOT NULL)", name=op.f("ck_accounts_closed_at_with_closed")
        ),
        sa.CheckConstraint(
            "(status = 'PENDING') = (account_number IS NULL)", name=op.f("ck_accounts_numbered_once_open")
        ),
        sa.ForeignKeyConstraint(["provider_id"], ["providers.id"], name=op.f("fk_accounts_provider_id")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_accounts_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
    )
    op.create_index("ix_accounts_tenant_id_created_at_id", "accounts", ["tenant_id", "created_at", "id"], unique=False)
    op.execute("CREATE SEQUENCE worker_numbers AS integer CYCLE")
    _grant()


def _grant() -> None:
    """The application serves under a role that owns nothing, and can not rewrite what happened."""
    op.execute(
        """
        DO $$ BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'lastro_app') THEN CREATE ROLE lastro_app; END IF;
        END $$
        """
    )
    op.execute("GRANT USAGE ON SCHEMA public TO lastro_app")
    op.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO lastro_app")
    # alembic_version is written by migrations alone; movements, events, inbox and stored answers are only added to.
    op.execute("GRANT INSERT ON movements, events, inbox, idempotency, alerts, account_numbers TO lastro_app")
    op.execute("GRANT INSERT, UPDATE ON tenants, providers, api_tokens, accounts, balances TO lastro_app")
    op.execute("GRANT INSERT, UPDATE ON pix_payments, pix_transfers TO lastro_app")
    op.execute("GRANT INSERT, UPDATE, DELETE ON outbox TO lastro_app")
    op.execute("GRANT INSERT, DELETE ON open_accounts TO lastro_app")
    op.execute("GRANT UPDATE (resolved_at) ON alerts TO lastro_app")
    op.execute("GRANT USAGE ON SEQUENCE worker_numbers TO lastro_app")
    op.execute("GRANT SELECT ON SEQUENCE outbox_id_seq TO lastro_app")


def downgrade() -> None:
    raise NotImplementedError("the first schema is where a bank begins: restore a backup instead")
