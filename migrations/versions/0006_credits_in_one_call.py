"""A function that writes a set of credits in one call, whoever brings them."""

from collections.abc import Sequence

from alembic import op

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# What was judged without a lock is written behind the locks, if it still holds: the accounts stand as they did, nobody
# judged one of the messages or was paid one of the charges meanwhile, and no account grows beyond what one may hold.
# Else nothing is written at all (LA001: overtaken), and the till looks again. Row by row the arrays say one credit
# each, or one refused message; `told_by` is the provider that brought it, null for what never left the bank.
CREDIT_PIX = """
CREATE FUNCTION credit_pix(
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

    INSERT INTO inbox (end_to_end_id, kind, provider_id, account_id, reference, amount_centavos, rejected_with,
                       created_at)
    SELECT o.e2e_id, 'PAYMENT', o.provider_id, o.account_id, CASE WHEN o.refusal IS NULL THEN o.id END, o.amount,
           o.refusal, o.moment
      FROM unnest(told_by, account_ids, ids, amounts, e2e_ids, refusals, moments)
           AS o(provider_id, account_id, id, amount, e2e_id, refusal, moment)
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
             WHERE q.account_id = o.account_id AND q.id = o.charge_id AND q.transfer_id IS NULL
         RETURNING q.account_id, q.id, q.tenant_id, q.version, o.event_id, o.event
        )
        INSERT INTO events (account_id, id, tenant_id, type, resource_id, resource_version, body, created_at)
        SELECT paid.account_id, paid.event_id, paid.tenant_id, 'pix.qrcode.paid', paid.id, paid.version, paid.event,
               posted_at
          FROM paid;
        GET DIAGNOSTICS written = ROW_COUNT;
        IF written < cardinality(array_remove(charge_ids, NULL)) THEN
            RAISE EXCEPTION 'overtaken: a charge was paid' USING ERRCODE = 'LA001';
        END IF;
    END IF;
END $$
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.execute(CREDIT_PIX)
    op.execute("GRANT EXECUTE ON FUNCTION credit_pix TO lastro_app")


def downgrade() -> None:
    raise NotImplementedError("an older server does not mind this function: leave it")
