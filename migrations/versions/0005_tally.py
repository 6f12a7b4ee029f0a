"""Exact totals: what the lists count, kept beside the rows by their own triggers, and folded into a roll-up."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

COUNTED = ("pix_payments", "pix_transfers", "pix_refunds")

# One row for each tenant, status and day that the statement touched; nearly always that is one row.
CHANGE = """
    INSERT INTO public.tally_changes (kind, tenant_id, label, day, n, account_ids, counts)
    SELECT TG_TABLE_NAME, tenant_id, label, day, sum(n), array_agg(account_id), array_agg(n)
      FROM (SELECT tenant_id, account_id, status AS label,
                   (created_at AT TIME ZONE 'America/Sao_Paulo')::date AS day, {count} AS n
              FROM {rows} GROUP BY 1, 2, 3, 4 HAVING {count} <> 0) cell
     GROUP BY tenant_id, label, day;
"""
FUNCTIONS = {
    "tally_added": CHANGE.format(count="count(*)", rows="arrived"),
    "tally_changed": CHANGE.format(
        count="sum(step)",
        rows="""(SELECT tenant_id, account_id, status, created_at, 1 AS step FROM arrived
                     UNION ALL
                    SELECT tenant_id, account_id, status, created_at, -1 FROM departed) counted""",
    ),
}
# Seldom statuses have indexes of their own, by columns that settling leaves alone: see the models.
SELDOM = (
    ("pix_payments", "failed", "failure_reason IS NOT NULL"),
    ("pix_payments", "reversed", "returned_centavos = amount_centavos"),
    ("pix_refunds", "failed", "failure_reason IS NOT NULL"),
)
BACKFILL = """
INSERT INTO tally (tenant_id, account_id, kind, label, day, n)
SELECT tenant_id, coalesce(account_id, '00000000-0000-0000-0000-000000000000'), '{table}', status, day, count(*)
  FROM (SELECT tenant_id, account_id, status, (created_at AT TIME ZONE 'America/Sao_Paulo')::date AS day
          FROM {table}) counted
 GROUP BY GROUPING SETS ((tenant_id, account_id, status, day), (tenant_id, status, day))
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.create_table(
        "tally",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "account_id", "kind", "label", "day", name=op.f("pk_tally")),
        postgresql_with={"fillfactor": 80},
    )
    op.create_table(
        "tally_changes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("account_ids", postgresql.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("counts", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tally_changes")),
        postgresql_with={"toast_tuple_target": 8160},
    )
    # A row lives for a few seconds: compressing it would cost more than it saves.
    for column in ("account_ids", "counts"):
        op.execute(f"ALTER TABLE tally_changes ALTER COLUMN {column} SET STORAGE EXTERNAL")
    for name, statement in FUNCTIONS.items():
        op.execute(
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {statement} RETURN NULL; END $$"
        )
    for table in COUNTED:
        op.execute(
            f"CREATE TRIGGER tally_added AFTER INSERT ON {table} REFERENCING NEW TABLE AS arrived"
            " FOR EACH STATEMENT EXECUTE FUNCTION tally_added()"
        )
        op.execute(
            f"CREATE TRIGGER tally_changed AFTER UPDATE ON {table}"
            " REFERENCING OLD TABLE AS departed NEW TABLE AS arrived FOR EACH STATEMENT EXECUTE FUNCTION tally_changed()"
        )
        op.execute(BACKFILL.format(table=table))
    for table, status, where in SELDOM:
        for owner in ("tenant_id", "account_id"):
            name = f"ix_{table}_{owner}_id_{status}"
            op.create_index(name, table, [owner, "id"], postgresql_where=sa.text(where))
    # What is looked for without naming the account.
    op.create_index("ix_pix_transfers_tenant_id_id", "pix_transfers", ["tenant_id", "id"])
    op.create_index(
        "ix_pix_transfers_tenant_id_txid",
        "pix_transfers",
        ["tenant_id", "txid"],
        postgresql_where=sa.text("txid IS NOT NULL"),
    )
    op.create_index("ix_pix_refunds_tenant_id_transfer_id", "pix_refunds", ["tenant_id", "transfer_id"])
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON tally TO lastro_app")
    op.execute("GRANT SELECT, INSERT, DELETE ON tally_changes TO lastro_app")


def downgrade() -> None:
    op.drop_index("ix_pix_refunds_tenant_id_transfer_id", "pix_refunds")
    op.drop_index("ix_pix_transfers_tenant_id_txid", "pix_transfers")
    op.drop_index("ix_pix_transfers_tenant_id_id", "pix_transfers")
    for table, status, _where in SELDOM:
        for owner in ("tenant_id", "account_id"):
            op.drop_index(f"ix_{table}_{owner}_id_{status}", table)
    for table in COUNTED:
        for name in FUNCTIONS:
            op.execute(f"DROP TRIGGER {name} ON {table}")
    for name in FUNCTIONS:
        op.execute(f"DROP FUNCTION {name}()")
    op.drop_table("tally_changes")
    op.drop_table("tally")
