"""Clients, what tokens and clients are bound to, and the main account of a tenant."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# Nobody who serves may delete a token. What a client's tokens leave behind goes through this, which knows no other.
_FORGET = """
CREATE FUNCTION forget_spent_tokens(most integer) RETURNS integer
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH gone AS (
        DELETE FROM api_tokens
         WHERE id IN (SELECT id FROM api_tokens
                       WHERE client_id IS NOT NULL AND expires_at < clock_timestamp() - interval '1 day'
                       ORDER BY expires_at LIMIT most
                         FOR UPDATE SKIP LOCKED)
        RETURNING 1
    )
    SELECT count(*)::integer FROM gone
$$
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.add_column("tenants", sa.Column("main_account_id", sa.Uuid(), nullable=True))
    op.add_column("tenants", sa.Column("default_provider_id", sa.Uuid(), nullable=True))
    _clients()
    _tokens()
    op.execute(_FORGET)
    op.execute("REVOKE ALL ON FUNCTION forget_spent_tokens FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION forget_spent_tokens TO lastro_app")
    op.execute("GRANT SELECT, INSERT ON api_clients TO lastro_app")
    op.execute(
        "GRANT UPDATE (name, secret_hmac, permissions, account_ids, networks, most_each_centavos,"
        " most_a_day_centavos, millitokens, refilled_at, updated_at, revoked_at) ON api_clients TO lastro_app"
    )
    op.execute("REVOKE UPDATE ON api_tokens FROM lastro_app")
    op.execute("GRANT UPDATE (revoked_at) ON api_tokens TO lastro_app")


def _bindings() -> list[sa.Column[object]]:
    return [
        sa.Column("account_ids", postgresql.ARRAY(sa.Uuid()), nullable=True),
        sa.Column("networks", postgresql.ARRAY(sa.Text()), nullable=True),
        sa.Column("most_each_centavos", sa.BigInteger(), nullable=True),
        sa.Column("most_a_day_centavos", sa.BigInteger(), nullable=True),
    ]


def _clients() -> None:
    op.create_table(
        "api_clients",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("secret_hmac", sa.LargeBinary(), nullable=False),
        sa.Column("permissions", postgresql.ARRAY(sa.Text()), nullable=False),
        *_bindings(),
        sa.Column("millitokens", sa.BigInteger(), nullable=False),
        sa.Column("refilled_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("most_each_centavos > 0", name=op.f("ck_api_clients_most_each_positive")),
        sa.CheckConstraint("most_a_day_centavos > 0", name=op.f("ck_api_clients_most_a_day_positive")),
        sa.CheckConstraint("millitokens >= 0", name=op.f("ck_api_clients_bucket_not_negative")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_api_clients_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_clients")),
        sa.UniqueConstraint("tenant_id", "id", name=op.f("uq_api_clients_tenant_id_id")),
    )


def _tokens() -> None:
    own = sa.Column("resource_id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False)
    op.add_column("api_tokens", own)
    op.add_column("api_tokens", sa.Column("client_id", sa.Uuid(), nullable=True))
    for column in _bindings():
        op.add_column("api_tokens", column)
    op.add_column("api_tokens", sa.Column("created_by", sa.Text(), nullable=True))
    op.create_unique_constraint(op.f("uq_api_tokens_resource_id"), "api_tokens", ["resource_id"])
    op.create_foreign_key(
        op.f("fk_api_tokens_tenant_id_client_id"),
        "api_tokens",
        "api_clients",
        ["tenant_id", "client_id"],
        ["tenant_id", "id"],
    )
    op.create_check_constraint(op.f("ck_api_tokens_most_each_positive"), "api_tokens", "most_each_centavos > 0")
    op.create_check_constraint(op.f("ck_api_tokens_most_a_day_positive"), "api_tokens", "most_a_day_centavos > 0")
    op.create_check_constraint(
        op.f("ck_api_tokens_bound_as_its_client"),
        "api_tokens",
        "client_id IS NULL OR (expires_at IS NOT NULL AND num_nonnulls(account_ids, networks, most_each_centavos,"
        " most_a_day_centavos) = 0)",
    )
    op.create_index(
        "ix_api_tokens_spent", "api_tokens", ["expires_at"], postgresql_where=sa.text("client_id IS NOT NULL")
    )
    op.create_index(
        "ix_api_tokens_tenant_id_created_at_resource_id",
        "api_tokens",
        ["tenant_id", "created_at", "resource_id"],
        postgresql_where=sa.text("client_id IS NULL"),
    )


def downgrade() -> None:
    op.execute("GRANT UPDATE ON api_tokens TO lastro_app")
    op.execute("DROP FUNCTION forget_spent_tokens(integer)")
    op.execute("DELETE FROM api_tokens WHERE client_id IS NOT NULL")
    # What is bound would be free.
    op.execute(
        "UPDATE api_tokens SET revoked_at = clock_timestamp() WHERE revoked_at IS NULL AND"
        " num_nonnulls(account_ids, networks, most_each_centavos, most_a_day_centavos) > 0"
    )
    for name in ("resource_id", "client_id", *(column.name for column in _bindings()), "created_by"):
        op.drop_column("api_tokens", name)
    op.drop_table("api_clients")
    op.drop_column("tenants", "default_provider_id")
    op.drop_column("tenants", "main_account_id")
