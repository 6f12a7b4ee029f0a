"""Transfers between accounts of one tenant, the client's own reference, and what a token may send out."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0012"
down_revision: str | None = "0011"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

REASONS = "'HOLD', 'SETTLE', 'RELEASE', 'RECEIVE', 'PAY', 'COLLECT'"
TALLIED = "AFTER INSERT ON internal_transfers REFERENCING NEW TABLE AS arrived FOR EACH STATEMENT"

# As in 0004, with the client's reference and the caps of tokens. The walk is in arrival order over all accounts, because
# one token may pay from several. Arrays of caps are null when no order has one, and then nothing is asked of
# `token_spending`. Else the counters of those who have a cap a day are locked after the balances, in order, by an upsert
# that changes nothing; the walk keeps what each of them has spent; and what was accepted is added in the transaction
# that holds the money. The older function with fewer arguments stays, for servers that were not restarted yet.
ACCEPT_PAYMENTS = """
CREATE FUNCTION accept_payments(
    again boolean, account_ids uuid[], ids uuid[], tenant_ids uuid[], provider_ids uuid[], amounts bigint[],
    key_types text[], key_values text[], descriptions text[], e2e_ids text[], payers text[], payees text[],
    payee_account_ids uuid[], initiations text[], txids text[], moments timestamptz[], with_lookups boolean[],
    operations text[], keys text[], fingerprints bytea[], bodies bytea[], correlation_ids text[],
    spenders text[], days date[], most_each bigint[], most_a_day bigint[]
) RETURNS TABLE (verdict text, stored_status integer, stored_body bytea)
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    each record;
    place integer;
    held bigint[] := array_fill(0::bigint, ARRAY[cardinality(ids)]);
    used text[] := '{}';
    said text;
    purse record;
    purses text[] := '{}';
    purse_place integer;
    spent bigint[] := '{}';
    so_far bigint;
    verdicts text[] := array_fill(NULL::text, ARRAY[cardinality(ids)]);
    statuses integer[] := array_fill(NULL::integer, ARRAY[cardinality(ids)]);
    answers bytea[] := array_fill(NULL::bytea, ARRAY[cardinality(ids)]);
    accepted boolean[] := array_fill(false, ARRAY[cardinality(ids)]);
    attempts bigint := 0;
    recorded bigint;
BEGIN
    PERFORM 1 FROM balances b WHERE b.account_id = ANY (account_ids) ORDER BY b.account_id FOR NO KEY UPDATE;
    IF spenders IS NOT NULL THEN
        FOR purse IN SELECT DISTINCT o.spender, o.day FROM unnest(spenders, days, most_a_day) AS o(spender, day, most)
                      WHERE o.most IS NOT NULL ORDER BY 1, 2
        LOOP
            INSERT INTO token_spending AS s (spender, day, centavos) VALUES (purse.spender, purse.day, 0)
                ON CONFLICT (spender, day) DO UPDATE SET centavos = s.centavos
         RETURNING s.centavos INTO so_far;
            purses := purses || (purse.spender || ' ' || purse.day);
            spent := spent || so_far;
        END LOOP;
    END IF;
    FOR each IN
        SELECT o.*, a.tenant_id AS owner_id, a.status, b.available_centavos,
               i.fingerprint AS stored_fingerprint, i.status AS stored_status, i.body AS stored_body,
               l.account_id IS NOT NULL AS looked_up, p.id IS NOT NULL AS committed
          FROM unnest(account_ids, ids, tenant_ids, amounts, e2e_ids, with_lookups, operations, keys, fingerprints)
               WITH ORDINALITY AS o(account_id, id, tenant_id, amount, e2e_id, with_lookup, operation, key, fingerprint,
                                    position)
          LEFT JOIN balances b ON b.account_id = o.account_id
          LEFT JOIN accounts a ON a.id = o.account_id
          LEFT JOIN LATERAL (SELECT * FROM idempotency i
                              WHERE i.tenant_id = o.tenant_id AND i.operation = o.operation AND i.key = o.key
                              LIMIT 1) i ON true
          LEFT JOIN LATERAL (SELECT * FROM pix_lookups l
                              WHERE o.with_lookup AND l.account_id = o.account_id AND l.e2e_id = o.e2e_id
                              LIMIT 1) l ON true
          LEFT JOIN LATERAL (SELECT * FROM pix_payments p
                              WHERE again AND p.account_id = o.account_id AND p.id = o.id
                              LIMIT 1) p ON true
         ORDER BY o.position
    LOOP
        place := array_position(account_ids, each.account_id);
        said := CASE
            WHEN each.stored_fingerprint = each.fingerprint THEN 'REPLAYED'
            WHEN each.stored_fingerprint IS NOT NULL THEN 'KEY_REUSED'
            WHEN each.committed THEN 'COMMITTED'
            WHEN each.owner_id IS NULL OR each.owner_id <> each.tenant_id THEN 'NO_ACCOUNT'
            WHEN each.status <> 'ACTIVE' THEN 'NOT_ACTIVE'
            WHEN each.amount > each.available_centavos - held[place] THEN 'SHORT'
            WHEN each.with_lookup AND (NOT each.looked_up OR each.e2e_id = ANY (used)) THEN 'NO_LOOKUP'
            ELSE 'ACCEPTED'
        END;
        IF said = 'ACCEPTED' AND each.amount > most_each[each.position] THEN
            said := 'AMOUNT_PER_PAYMENT';
        ELSIF said = 'ACCEPTED' AND most_a_day[each.position] IS NOT NULL THEN
            purse_place := array_position(purses, spenders[each.position] || ' ' || days[each.position]);
            IF each.amount > most_a_day[each.position] - spent[purse_place] THEN
                said := 'AMOUNT_PER_DAY';
            ELSE
                spent[purse_place] := spent[purse_place] + each.amount;
            END IF;
        END IF;
        verdicts[each.position] := said;
        IF said = 'ACCEPTED' THEN
            held[place] := held[place] + each.amount;
            accepted[each.position] := true;
            attempts := attempts + (each.key IS NOT NULL)::int;
            IF each.with_lookup THEN
                used := used || each.e2e_id;
                DELETE FROM pix_lookups l WHERE l.account_id = each.account_id AND l.e2e_id = each.e2e_id;
            END IF;
        ELSIF said = 'REPLAYED' THEN
            statuses[each.position] := each.stored_status;
            answers[each.position] := each.stored_body;
        END IF;
    END LOOP;
    IF true = ANY (accepted) THEN
        INSERT INTO pix_payments (account_id, id, tenant_id, provider_id, amount_centavos, status, recipient_key_type,
                                  recipient_key_value, description, correlation_id, e2e_id, payer, payee,
                                  payee_account_id, initiation, txid, version, created_at, updated_at)
        SELECT o.account_id, o.id, o.tenant_id, o.provider_id, o.amount, 'PROCESSING', o.key_type, o.key_value,
               o.description, o.correlation_id, o.e2e_id, o.payer::jsonb, o.payee::jsonb, o.payee_account_id,
               o.initiation, o.txid, 1, o.moment, o.moment
          FROM unnest(account_ids, ids, tenant_ids, provider_ids, amounts, key_types, key_values, descriptions,
                      correlation_ids, e2e_ids, payers, payees, payee_account_ids, initiations, txids, moments)
               WITH ORDINALITY
               AS o(account_id, id, tenant_id, provider_id, amount, key_type, key_value, description, correlation_id,
                    e2e_id, payer, payee, payee_account_id, initiation, txid, moment, position)
         WHERE accepted[o.position];

        PERFORM post_movements(
                    array_agg(o.account_id ORDER BY o.position), array_agg('AVAILABLE'::text),
                    array_agg('IN_TRANSIT'::text), array_agg(o.amount ORDER BY o.position), array_agg('HOLD'::text),
                    array_agg(o.id ORDER BY o.position), max(o.moment)
                )
           FROM unnest(account_ids, ids, amounts, moments) WITH ORDINALITY AS o(account_id, id, amount, moment, position)
          WHERE accepted[o.position];

        INSERT INTO outbox (topic, account_id, reference)
        SELECT 'pix.payment.settle', o.account_id, o.id
          FROM unnest(account_ids, ids) WITH ORDINALITY AS o(account_id, id, position)
         WHERE accepted[o.position];

        IF spenders IS NOT NULL THEN
            UPDATE token_spending s SET centavos = s.centavos + o.centavos
              FROM (SELECT spender, day, sum(amount)::bigint AS centavos
                      FROM unnest(spenders, days, most_a_day, amounts) WITH ORDINALITY
                           AS u(spender, day, most, amount, position)
                     WHERE accepted[position] AND most IS NOT NULL
                     GROUP BY spender, day) o
             WHERE s.spender = o.spender AND s.day = o.day;
        END IF;

        INSERT INTO idempotency (tenant_id, operation, key, fingerprint, status, body, created_at)
        SELECT o.tenant_id, o.operation, o.key, o.fingerprint, 201, o.body, o.moment
          FROM unnest(tenant_ids, operations, keys, fingerprints, bodies, moments) WITH ORDINALITY
               AS o(tenant_id, operation, key, fingerprint, body, moment, position)
         WHERE accepted[o.position] AND o.key IS NOT NULL
         ORDER BY 1, 2, 3
            ON CONFLICT DO NOTHING;
        GET DIAGNOSTICS recorded = ROW_COUNT;
        IF recorded < attempts THEN
            RAISE EXCEPTION 'overtaken' USING ERRCODE = 'LA001';
        END IF;
    END IF;
    RETURN QUERY SELECT * FROM unnest(verdicts, statuses, answers);
END $$
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    _sentence(f"{REASONS}, 'TRANSFER'")
    _transfers()
    op.create_table(
        "token_spending",
        sa.Column("spender", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("centavos", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("centavos >= 0", name=op.f("ck_token_spending_centavos_not_negative")),
        sa.PrimaryKeyConstraint("spender", "day", name=op.f("pk_token_spending")),
        postgresql_with={"fillfactor": 50},
    )
    op.execute("GRANT SELECT, INSERT, UPDATE ON token_spending TO lastro_app")
    op.add_column("pix_payments", sa.Column("correlation_id", sa.Text(), nullable=True))
    op.create_index(
        "ix_pix_payments_tenant_id_correlation_id_id",
        "pix_payments",
        ["tenant_id", "correlation_id", "id"],
        postgresql_where=sa.text("correlation_id IS NOT NULL"),
    )
    op.execute(ACCEPT_PAYMENTS)


def _sentence(reasons: str) -> None:
    """What may be said. Postgres reads all that was said so far, and writers wait meanwhile."""
    op.execute("ALTER TABLE movements DROP CONSTRAINT ck_movements_reason")
    op.execute(f"ALTER TABLE movements ADD CONSTRAINT ck_movements_reason CHECK (reason IN ({reasons}))")


def _transfers() -> None:
    op.create_table(
        "internal_transfers",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("recipient_account_id", sa.Uuid(), nullable=False),
        sa.Column("amount_centavos", sa.BigInteger(), nullable=False),
        sa.Column(
            "status",
            sa.Enum("COMPLETED", name="internaltransferstatus", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("correlation_id", sa.Text(), nullable=True),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount_centavos > 0", name=op.f("ck_internal_transfers_amount_positive")),
        sa.CheckConstraint("recipient_account_id <> account_id", name=op.f("ck_internal_transfers_two_accounts")),
        sa.PrimaryKeyConstraint("account_id", "id", name=op.f("pk_internal_transfers")),
    )
    op.create_index("ix_internal_transfers_tenant_id_id", "internal_transfers", ["tenant_id", "id"])
    op.create_index(
        "ix_internal_transfers_recipient_account_id_id", "internal_transfers", ["recipient_account_id", "id"]
    )
    op.create_index(
        "ix_internal_transfers_tenant_id_correlation_id_id",
        "internal_transfers",
        ["tenant_id", "correlation_id", "id"],
        postgresql_where=sa.text("correlation_id IS NOT NULL"),
    )
    op.execute(f"CREATE TRIGGER tally_added {TALLIED} EXECUTE FUNCTION tally_added()")
    op.execute("GRANT SELECT, INSERT ON internal_transfers TO lastro_app")


def downgrade() -> None:
    names = sa.text("SELECT oid::regprocedure::text FROM pg_proc WHERE proname = 'accept_payments' AND pronargs > 21")
    for (signature,) in op.get_bind().execute(names).all():
        op.execute(f"DROP FUNCTION {signature}")
    op.drop_index("ix_pix_payments_tenant_id_correlation_id_id", "pix_payments")
    op.drop_column("pix_payments", "correlation_id")
    op.drop_table("token_spending")
    op.drop_table("internal_transfers")
    _sentence(REASONS)
