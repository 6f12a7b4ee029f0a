"""The feed of events, subscriptions to it, and what was delivered; charges that expire."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0010"
down_revision: str | None = "0009"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_VOUCHER = "CASE WHEN house = ispb THEN '' ELSE house END"

# One row a statement, whoever wrote the events and in whatever way.
_UNTOLD = """
CREATE FUNCTION events_untold() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO untold_events (account_ids, event_ids)
    SELECT array_agg(account_id ORDER BY id), array_agg(id ORDER BY id) FROM arrived HAVING count(*) > 0;
    RETURN NULL;
END $$
"""

# As in 0006, but for two things: what was told as expired can not be paid any more, and a message is known again by
# who vouches for it too.
_CREDIT_PIX = """
CREATE OR REPLACE FUNCTION credit_pix(
    judged_ids uuid[], judged_statuses text[], told_by uuid[], account_ids uuid[], ids uuid[], amounts bigint[],
    e2e_ids text[], txids text[], keys text[], descriptions text[], payers text[], payment_account_ids uuid[],
    payment_ids uuid[], moments timestamptz[], refusals text[], event_ids uuid[], events bytea[],
    charge_ids uuid[], charge_event_ids uuid[], charge_events bytea[], most bigint, posted_at timestamptz
) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    written bigint;
BEGIN
    PERFORM 1 FROM balances b WHERE b.account_id = ANY (account_ids) ORDER BY b.account_id FOR NO KEY UPDATE;

    IF EXISTS (SELECT 1 FROM unnest(judged_ids, judged_statuses) AS judged(id, status)
                 LEFT JOIN accounts a USING (id, status) WHERE a.id IS NULL) THEN
        RAISE EXCEPTION 'overtaken: an account changed' USING ERRCODE = 'LA001';
    END IF;

    INSERT INTO inbox (end_to_end_id, voucher, kind, provider_id, account_id, reference, amount_centavos, rejected_with,
                       created_at)
    SELECT o.e2e_id, p.voucher, 'PAYMENT', o.provider_id, o.account_id, CASE WHEN o.refusal IS NULL THEN o.id END, o.amount,
           o.refusal, o.moment
      FROM unnest(told_by, account_ids, ids, amounts, e2e_ids, refusals, moments)
           AS o(provider_id, account_id, id, amount, e2e_id, refusal, moment)
      JOIN providers p ON p.id = o.provider_id
     WHERE o.provider_id IS NOT NULL
     ORDER BY o.e2e_id
        ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS written = ROW_COUNT;
    IF written < cardinality(array_remove(told_by, NULL)) THEN
        RAISE EXCEPTION 'overtaken: a message was judged' USING ERRCODE = 'LA001';
    END IF;

    INSERT INTO pix_transfers (account_id, id, tenant_id, provider_id, amount_centavos, status, e2e_id, txid, key,
                               description, payer, payment_account_id, payment_id, version, created_at, updated_at)
    SELECT o.account_id, o.id, a.tenant_id, a.provider_id, o.amount, 'COMPLETED', o.e2e_id, o.txid, o.key,
           o.description, o.payer::jsonb, o.payment_account_id, o.payment_id, 1, o.moment, o.moment
      FROM unnest(account_ids, ids, amounts, e2e_ids, txids, keys, descriptions, payers, payment_account_ids,
                  payment_ids, moments, refusals)
           AS o(account_id, id, amount, e2e_id, txid, key, description, payer, payment_account_id, payment_id, moment,
                refusal)
      JOIN accounts a ON a.id = o.account_id
     WHERE o.refusal IS NULL;
    GET DIAGNOSTICS written = ROW_COUNT;
    IF written = 0 THEN
        RETURN;
    END IF;

    PERFORM post_movements(
                array_agg(o.account_id ORDER BY o.position),
                array_agg(CASE WHEN o.payment_id IS NULL THEN 'SPI' ELSE 'BOOK' END ORDER BY o.position),
                array_agg('AVAILABLE'::text), array_agg(o.amount ORDER BY o.position),
                array_agg(CASE WHEN o.payment_id IS NULL THEN 'RECEIVE' ELSE 'COLLECT' END ORDER BY o.position),
                array_agg(o.id ORDER BY o.position), posted_at
            )
       FROM unnest(account_ids, ids, amounts, payment_ids, refusals) WITH ORDINALITY
            AS o(account_id, id, amount, payment_id, refusal, position)
      WHERE o.refusal IS NULL;
    IF EXISTS (SELECT 1 FROM balances b
                WHERE b.available_centavos + b.in_transit_centavos > most
                  AND b.account_id = ANY (SELECT o.account_id FROM unnest(account_ids, refusals) AS o(account_id, refusal)
                                           WHERE o.refusal IS NULL)) THEN
        RAISE EXCEPTION 'overtaken: an account holds too much' USING ERRCODE = 'LA001';
    END IF;

    INSERT INTO events (account_id, id, tenant_id, type, resource_id, resource_version, body, created_at)
    SELECT o.account_id, o.event_id, a.tenant_id, 'pix.transfer.received', o.id, 1, o.event, posted_at
      FROM unnest(account_ids, ids, event_ids, events, refusals) AS o(account_id, id, event_id, event, refusal)
      JOIN accounts a ON a.id = o.account_id
     WHERE o.refusal IS NULL;

    IF cardinality(array_remove(charge_ids, NULL)) > 0 THEN
        WITH paid AS (
            UPDATE pix_qrcodes q
               SET transfer_id = o.id, paid_at = posted_at, updated_at = posted_at, version = q.version + 1
              FROM unnest(account_ids, ids, charge_ids, charge_event_ids, charge_events)
                   AS o(account_id, id, charge_id, event_id, event)
             WHERE q.account_id = o.account_id AND q.id = o.charge_id AND q.transfer_id IS NULL AND q.expired_at IS NULL
         RETURNING q.account_id, q.id, q.tenant_id, q.version, o.event_id, o.event
        )
        INSERT INTO events (account_id, id, tenant_id, type, resource_id, resource_version, body, created_at)
        SELECT paid.account_id, paid.event_id, paid.tenant_id, 'pix.qrcode.paid', paid.id, paid.version, paid.event,
               posted_at
          FROM paid;
        GET DIAGNOSTICS written = ROW_COUNT;
        IF written < cardinality(array_remove(charge_ids, NULL)) THEN
            RAISE EXCEPTION 'overtaken: a charge was paid, or has expired' USING ERRCODE = 'LA001';
        END IF;
    END IF;
END $$
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    _vouchers()
    _charges()
    _feed()
    _subscriptions()
    _deliveries()
    op.execute(_UNTOLD)
    op.execute(
        "CREATE TRIGGER events_untold AFTER INSERT ON events REFERENCING NEW TABLE AS arrived"
        " FOR EACH STATEMENT EXECUTE FUNCTION events_untold()"
    )
    # What happened before there was a feed is told in the order of the ids, which carry the time.
    op.execute(
        "INSERT INTO event_feed (tenant_id, event_id, account_id, type, created_at)"
        " SELECT tenant_id, id, account_id, type, created_at FROM events ORDER BY id"
    )
    op.execute(
        "GRANT SELECT ON untold_events, event_feed, webhook_subscriptions, webhook_secrets, webhook_deliveries,"
        " webhook_attempts TO lastro_app"
    )
    op.execute("GRANT INSERT, DELETE ON untold_events TO lastro_app")
    op.execute("GRANT INSERT ON event_feed, webhook_attempts TO lastro_app")
    op.execute("GRANT INSERT, UPDATE ON webhook_subscriptions, webhook_secrets, webhook_deliveries TO lastro_app")


def _vouchers() -> None:
    """Until now the operator's key vouched for every message. A tenant whose provider signs with a key of the tenant's
    choice must not use up the ids of what the network will tell somebody else. What an older server writes is the
    network's. Postgres makes the key anew: credits wait meanwhile, some seconds for ten million messages.
    """
    op.execute(f"ALTER TABLE providers ADD COLUMN voucher text NOT NULL GENERATED ALWAYS AS ({_VOUCHER}) STORED")
    op.execute(
        "ALTER TABLE inbox DROP CONSTRAINT pk_inbox, ADD COLUMN voucher text NOT NULL DEFAULT '',"
        " ADD CONSTRAINT pk_inbox PRIMARY KEY (end_to_end_id, voucher)"
    )


def _charges() -> None:
    op.add_column("pix_qrcodes", sa.Column("expired_at", sa.DateTime(timezone=True), nullable=True))
    op.create_check_constraint(
        op.f("ck_pix_qrcodes_paid_or_expired"), "pix_qrcodes", "expired_at IS NULL OR transfer_id IS NULL"
    )
    op.create_check_constraint(op.f("ck_pix_qrcodes_expired_after_its_time"), "pix_qrcodes", "expired_at >= expires_at")
    op.create_index(
        "ix_pix_qrcodes_expires_at_open",
        "pix_qrcodes",
        ["expires_at"],
        postgresql_where=sa.text("expires_at IS NOT NULL AND transfer_id IS NULL AND expired_at IS NULL"),
    )
    op.execute(_CREDIT_PIX)


def _feed() -> None:
    op.create_table(
        "untold_events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("account_ids", postgresql.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("event_ids", postgresql.ARRAY(sa.Uuid()), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_untold_events")),
    )
    op.create_table(
        "event_feed",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "position", name=op.f("pk_event_feed")),
        sa.UniqueConstraint("tenant_id", "event_id", name=op.f("uq_event_feed_tenant_id_event_id")),
    )
    op.create_index("ix_event_feed_account_id_position", "event_feed", ["account_id", "position"])


def _subscriptions() -> None:
    op.create_table(
        "webhook_subscriptions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("endpoint_url", sa.Text(), nullable=False),
        sa.Column("event_filters", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("account_ids", postgresql.ARRAY(sa.Uuid()), nullable=True),
        sa.Column("custom_headers_key_id", sa.Text(), nullable=True),
        sa.Column("custom_headers", sa.LargeBinary(), nullable=True),
        sa.Column("timeout_ms", sa.Integer(), nullable=False),
        sa.Column("retry_config", postgresql.JSONB(), nullable=False),
        sa.Column(
            "status",
            sa.Enum("ACTIVE", "PAUSED", "DISABLED", name="subscriptionstatus", native_enum=False, length=32),
            nullable=False,
        ),
        sa.Column("disabled_reason", sa.Text(), nullable=True),
        sa.Column("failures", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resting_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "status IN ('ACTIVE', 'PAUSED', 'DISABLED')", name=op.f("ck_webhook_subscriptions_subscriptionstatus")
        ),
        sa.CheckConstraint(
            "timeout_ms BETWEEN 1000 AND 30000", name=op.f("ck_webhook_subscriptions_timeout_within_bounds")
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_webhook_subscriptions_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_subscriptions")),
    )
    op.create_index(
        "ix_webhook_subscriptions_tenant_id_id",
        "webhook_subscriptions",
        ["tenant_id", "id"],
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_table(
        "webhook_secrets",
        sa.Column("subscription_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["subscription_id"], ["webhook_subscriptions.id"], name=op.f("fk_webhook_secrets_subscription_id")
        ),
        sa.PrimaryKeyConstraint("subscription_id", "id", name=op.f("pk_webhook_secrets")),
    )


def _deliveries() -> None:
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("subscription_id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("event_type", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column(
            "status",
            sa.Enum("PENDING", "DELIVERED", "DEAD", "CANCELED", name="deliverystatus", native_enum=False, length=32),
            nullable=False,
        ),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("attempts_before", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("response_status", sa.Integer(), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "status IN ('PENDING', 'DELIVERED', 'DEAD', 'CANCELED')",
            name=op.f("ck_webhook_deliveries_deliverystatus"),
        ),
        sa.ForeignKeyConstraint(
            ["subscription_id"], ["webhook_subscriptions.id"], name=op.f("fk_webhook_deliveries_subscription_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_deliveries")),
        sa.UniqueConstraint("subscription_id", "event_id", name=op.f("uq_webhook_deliveries_subscription_id_event_id")),
    )
    op.create_index("ix_webhook_deliveries_subscription_id_id", "webhook_deliveries", ["subscription_id", "id"])
    op.create_index(
        "ix_webhook_deliveries_subscription_id_status_id",
        "webhook_deliveries",
        ["subscription_id", "status", "id"],
        postgresql_where=sa.text("status <> 'DELIVERED'"),
    )
    op.create_index(
        "ix_webhook_deliveries_due",
        "webhook_deliveries",
        ["subscription_id", "due_at", "position"],
        postgresql_where=sa.text("status = 'PENDING'"),
    )
    op.create_table(
        "webhook_attempts",
        sa.Column("delivery_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("response_status", sa.Integer(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("body_sha256", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["webhook_deliveries.id"], name=op.f("fk_webhook_attempts_delivery_id")
        ),
        sa.PrimaryKeyConstraint("delivery_id", "number", name=op.f("pk_webhook_attempts")),
    )


def downgrade() -> None:
    earlier = _CREDIT_PIX
    for text in (
        " AND q.expired_at IS NULL", " voucher,", " p.voucher,", "\n      JOIN providers p ON p.id = o.provider_id",
    ):  # fmt: skip
        earlier = earlier.replace(text, "")
    op.execute(earlier)
    op.execute(
        "ALTER TABLE inbox DROP CONSTRAINT pk_inbox, DROP COLUMN voucher,"
        " ADD CONSTRAINT pk_inbox PRIMARY KEY (end_to_end_id)"
    )
    op.drop_column("providers", "voucher")
    op.drop_column("pix_qrcodes", "expired_at")
    op.execute("DROP TRIGGER events_untold ON events")
    op.execute("DROP FUNCTION events_untold")
    for table in (
        "webhook_attempts",
        "webhook_deliveries",
        "webhook_secrets",
        "webhook_subscriptions",
        "event_feed",
        "untold_events",
    ):
        op.drop_table(table)
