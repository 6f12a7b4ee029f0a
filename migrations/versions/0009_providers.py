"""Providers that tenants manage: status, what they are used for, sealed credentials, a default one."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    for column in (
        sa.Column(
            "type",
            sa.Enum("BANKING", "PIX", "BOLETO", "FULL", name="providertype", native_enum=False, length=32),
            server_default=sa.text("'FULL'"),
            nullable=False,
        ),
        sa.Column(
            "status",
            sa.Enum("ACTIVE", "INACTIVE", "SUSPENDED", name="providerstatus", native_enum=False, length=32),
            server_default=sa.text("'ACTIVE'"),
            nullable=False,
        ),
        sa.Column("house", sa.Text(), nullable=True),
        sa.Column("supported_features", postgresql.ARRAY(sa.Text()), nullable=True),
        sa.Column("settings", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("credentials_key_id", sa.Text(), nullable=True),
        sa.Column("credentials", sa.LargeBinary(), nullable=True),
        sa.Column("metadata", postgresql.JSONB(), nullable=True),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True),
    ):
        op.add_column("providers", column)
    # Until now all providers of one ISPB were one house.
    op.execute("UPDATE providers SET house = ispb, updated_at = created_at")
    op.alter_column("providers", "house", nullable=False)
    op.alter_column("providers", "updated_at", nullable=False)
    # Nobody demanded that codes differ: the oldest keeps its own.
    op.execute(
        "UPDATE providers AS later SET code = later.code || '-' || right(later.id::text, 12)"
        " WHERE EXISTS (SELECT FROM providers AS earlier"
        " WHERE earlier.tenant_id = later.tenant_id AND earlier.code = later.code"
        " AND (earlier.created_at, earlier.id) < (later.created_at, later.id))"
    )
    op.create_unique_constraint(op.f("uq_providers_tenant_id_code"), "providers", ["tenant_id", "code"])
    for name, condition in (
        ("providertype", "type IN ('BANKING', 'PIX', 'BOLETO', 'FULL')"),
        ("providerstatus", "status IN ('ACTIVE', 'INACTIVE', 'SUSPENDED')"),
        ("sealed_under_a_key", "(credentials IS NULL) = (credentials_key_id IS NULL)"),
    ):
        op.create_check_constraint(op.f(f"ck_providers_{name}"), "providers", condition)
    op.create_foreign_key(
        op.f("fk_tenants_default_provider_id"), "tenants", "providers", ["default_provider_id"], ["id"]
    )
    op.execute("GRANT DELETE ON providers TO lastro_app")


def downgrade() -> None:
    op.execute("REVOKE DELETE ON providers FROM lastro_app")
    op.drop_constraint(op.f("fk_tenants_default_provider_id"), "tenants", type_="foreignkey")
    for name in ("providertype", "providerstatus", "sealed_under_a_key"):
        op.drop_constraint(op.f(f"ck_providers_{name}"), "providers", type_="check")
    op.drop_constraint(op.f("uq_providers_tenant_id_code"), "providers", type_="unique")
    for name in (
        "type",
        "status",
        "house",
        "supported_features",
        "settings",
        "credentials_key_id",
        "credentials",
        "metadata",
        "version",
        "updated_at",
    ):
        op.drop_column("providers", name)
