"""Payments that the network settled are concluded a hundred at a time, by one call that is a transaction of its own."""

from collections.abc import Sequence

from alembic import op

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_ARGUMENTS = "uuid[], uuid[], integer[], text[], uuid[], bytea[], bigint[], text, timestamptz"

# VOLATILE, so that the second statement sees what was committed while the first waited for its locks. A payment that
# is not as the caller read it is left alone: its news was written from what was read. An account without a balance
# would get a movement without a number, which the table refuses. What one statement changes, itself does not see:
# `posted` reads the balances as they were, through their index, where joining `changed` would compare each with each.
_SETTLE_PAYMENTS = """
CREATE FUNCTION settle_payments(account_ids uuid[], payment_ids uuid[], versions integer[], external_refs text[],
                                event_ids uuid[], bodies bytea[], promise_ids bigint[], event_type text,
                                moment timestamptz)
RETURNS SETOF bigint LANGUAGE plpgsql VOLATILE SECURITY INVOKER SET search_path = public, pg_temp AS $body$
BEGIN
    PERFORM FROM balances b WHERE b.account_id = ANY (account_ids) ORDER BY b.account_id FOR NO KEY UPDATE;
    RETURN QUERY
    WITH said AS (
        SELECT *
          FROM unnest(account_ids, payment_ids, versions, external_refs, event_ids, bodies, promise_ids)
               WITH ORDINALITY AS s(account_id, id, version, external_ref, event_id, body, promise_id, position)
    ), settled AS (
        UPDATE pix_payments p
           SET status = 'COMPLETED', external_ref = said.external_ref, completed_at = greatest(moment, p.created_at),
               version = p.version + 1, updated_at = greatest(moment, p.updated_at)
          FROM said
         WHERE p.account_id = said.account_id AND p.id = said.id AND p.version = said.version
           AND p.status = 'PROCESSING' AND p.payee_account_id IS NULL
     RETURNING p.account_id, p.id, p.tenant_id, p.version, p.amount_centavos, said.event_id, said.body,
               said.promise_id, said.position
    ), changed AS (
        UPDATE balances b
           SET in_transit_centavos = b.in_transit_centavos - change.amount, seq = b.seq + change.movements
          FROM (SELECT account_id, sum(amount_centavos)::bigint AS amount, count(*) AS movements
                  FROM settled GROUP BY account_id) change
         WHERE b.account_id = change.account_id
    ), posted AS (
        INSERT INTO movements (account_id, seq, source, target, amount_centavos, reason, reference,
                               available_after_centavos, in_transit_after_centavos, posted_at)
        SELECT settled.account_id, b.seq + count(*) OVER so_far, 'IN_TRANSIT', 'SPI', settled.amount_centavos,
               'SETTLE', settled.id, b.available_centavos,
               b.in_transit_centavos - sum(settled.amount_centavos) OVER so_far, moment
          FROM settled LEFT JOIN balances b USING (account_id)
        WINDOW so_far AS (PARTITION BY settled.account_id ORDER BY settled.position)
    ), told AS (
        INSERT INTO events (account_id, id, tenant_id, type, resource_id, resource_version, body, created_at)
        SELECT account_id, event_id, tenant_id, event_type, id, version, body, moment FROM settled
    ), kept AS (
        DELETE FROM outbox o USING settled WHERE o.id = settled.promise_id
    )
    SELECT settled.promise_id FROM settled;
END $body$
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.execute("ALTER TABLE pix_payments SET (fillfactor = 50)")
    op.execute(_SETTLE_PAYMENTS)
    op.execute(f"REVOKE ALL ON FUNCTION settle_payments({_ARGUMENTS}) FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION settle_payments({_ARGUMENTS}) TO lastro_app")


def downgrade() -> None:
    op.execute("ALTER TABLE pix_payments SET (fillfactor = 80)")
    op.execute(f"DROP FUNCTION settle_payments({_ARGUMENTS})")
