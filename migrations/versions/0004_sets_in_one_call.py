"""Functions that carry out a whole set in one call: movements of the ledger, payments at the till."""

from collections.abc import Sequence

from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# Postgres does the sum, and its CHECK refuses an overdraft, whatever the code above believed. Movements of one account
# are numbered in the order given. What one statement changes, itself does not see: the INSERT reads the balances as
# they were, through their index, where joining what was changed would compare each with each.
POST_MOVEMENTS = """
CREATE FUNCTION post_movements(
    account_ids uuid[], sources text[], targets text[], amounts bigint[], reasons text[], refs uuid[],
    posted_at timestamptz
) RETURNS bigint
LANGUAGE plpgsql SET search_path = public, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    written bigint;
BEGIN
    WITH said AS (
        SELECT s.*,
               ((s.target = 'AVAILABLE')::int - (s.source = 'AVAILABLE')::int) * s.amount AS available,
               ((s.target = 'IN_TRANSIT')::int - (s.source = 'IN_TRANSIT')::int) * s.amount AS in_transit
          FROM unnest(account_ids, sources, targets, amounts, reasons, refs) WITH ORDINALITY
               AS s(account_id, source, target, amount, reason, reference, position)
    ), changed AS (
        UPDATE balances b
           SET available_centavos  = b.available_centavos + change.available,
               in_transit_centavos = b.in_transit_centavos + change.in_transit,
               seq                 = b.seq + change.movements
          FROM (SELECT account_id, sum(available)::bigint AS available, sum(in_transit)::bigint AS in_transit,
                       count(*) AS movements
                  FROM said GROUP BY account_id) change
         WHERE b.account_id = change.account_id
    )
    INSERT INTO movements (account_id, seq, source, target, amount_centavos, reason, reference,
                           available_after_centavos, in_transit_after_centavos, posted_at)
    SELECT said.account_id, b.seq + count(*) OVER so_far, said.source, said.target, said.amount, said.reason,
           said.reference,
           b.available_centavos + sum(said.available) OVER so_far,
           b.in_transit_centavos + sum(said.in_transit) OVER so_far,
           post_movements.posted_at
      FROM said JOIN balances b USING (account_id)
    WINDOW so_far AS (PARTITION BY said.account_id ORDER BY said.position);
    GET DIAGNOSTICS written = ROW_COUNT;
    IF written <> cardinality(account_ids) THEN
        RAISE EXCEPTION 'a movement names an account without a balance';
    END IF;
    RETURN written;
END $$
"""

# One verdict an order, in their order. The balances are locked first, in id order; what decides is read behind the
# locks; what grows, by a LATERAL join, which is never planned as a walk through a table that was empty when the plan was
# made. Orders are walked in arrival order: a large one that is refused does not stand in the way of a small one.
# A key that another transaction recorded first undoes everything (LA001: overtaken), and the till looks again.
ACCEPT_PAYMENTS = """
CREATE FUNCTION accept_payments(
    again boolean, account_ids uuid[], ids uuid[], tenant_ids uuid[], provider_ids uuid[], amounts bigint[],
    key_types text[], key_values text[], descriptions text[], e2e_ids text[], payers text[], payees text[],
    payee_account_ids uuid[], initiations text[], txids text[], moments timestamptz[], with_lookups boolean[],
    operations text[], keys text[], fingerprints bytea[], bodies bytea[]
) RETURNS TABLE (verdict text, stored_status integer, stored_body bytea)
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    each record;
    payer uuid;
    remaining bigint;
    used text[];
    said text;
    verdicts text[] := array_fill(NULL::text, ARRAY[cardinality(ids)]);
    statuses integer[] := array_fill(NULL::integer, ARRAY[cardinality(ids)]);
    answers bytea[] := array_fill(NULL::bytea, ARRAY[cardinality(ids)]);
    accepted boolean[] := array_fill(false, ARRAY[cardinality(ids)]);
    attempts bigint := 0;
    recorded bigint;
BEGIN
    PERFORM 1 FROM balances b WHERE b.account_id = ANY (account_ids) ORDER BY b.account_id FOR NO KEY UPDATE;
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
         ORDER BY o.account_id, o.position
    LOOP
        IF payer IS DISTINCT FROM each.account_id THEN
            payer := each.account_id;
            remaining := each.available_centavos;
            used := '{}';
        END IF;
        said := CASE
            WHEN each.stored_fingerprint = each.fingerprint THEN 'REPLAYED'
            WHEN each.stored_fingerprint IS NOT NULL THEN 'KEY_REUSED'
            WHEN each.committed THEN 'COMMITTED'
            WHEN each.owner_id IS NULL OR each.owner_id <> each.tenant_id THEN 'NO_ACCOUNT'
            WHEN each.status <> 'ACTIVE' THEN 'NOT_ACTIVE'
            WHEN each.amount > remaining THEN 'SHORT'
            WHEN each.with_lookup AND (NOT each.looked_up OR each.e2e_id = ANY (used)) THEN 'NO_LOOKUP'
            ELSE 'ACCEPTED'
        END;
        verdicts[each.position] := said;
        IF said = 'ACCEPTED' THEN
            remaining := remaining - each.amount;
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
                                  recipient_key_value, description, e2e_id, payer, payee, payee_account_id, initiation,
                                  txid, version, created_at, updated_at)
        SELECT o.account_id, o.id, o.tenant_id, o.provider_id, o.amount, 'PROCESSING', o.key_type, o.key_value,
               o.description, o.e2e_id, o.payer::jsonb, o.payee::jsonb, o.payee_account_id, o.initiation, o.txid,
               1, o.moment, o.moment
          FROM unnest(account_ids, ids, tenant_ids, provider_ids, amounts, key_types, key_values, descriptions, e2e_ids,
                      payers, payees, payee_account_ids, initiations, txids, moments) WITH ORDINALITY
               AS o(account_id, id, tenant_id, provider_id, amount, key_type, key_value, description, e2e_id,
                    payer, payee, payee_account_id, initiation, txid, moment, position)
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
    op.execute(POST_MOVEMENTS)
    op.execute(ACCEPT_PAYMENTS)


def downgrade() -> None:
    raise NotImplementedError("an older server does not mind these functions: leave them")
