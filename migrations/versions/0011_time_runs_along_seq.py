"""Time never goes back along an account's movements, so a day of a statement is found by binary search."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0011"
down_revision: str | None = "0010"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_SETTLE_ARGUMENTS = "uuid[], uuid[], integer[], text[], uuid[], bytea[], bigint[], text, timestamptz"

# Movements took the time of whoever wrote them, and two writers' clocks differ by milliseconds. Behind ADD COLUMN's lock
# on the balances nobody posts, so the pass over all movements sees every one of them. It is some ten seconds for ten
# million; payments wait meanwhile.
_MEND = """
UPDATE movements
   SET posted_at = mended.moment
  FROM (SELECT account_id, seq, posted_at, max(posted_at) OVER (PARTITION BY account_id ORDER BY seq) AS moment
          FROM movements) mended
 WHERE movements.account_id = mended.account_id AND movements.seq = mended.seq AND mended.moment > mended.posted_at
"""
_REMEMBER = """
UPDATE balances SET moved_at = last.posted_at
  FROM movements last WHERE last.account_id = balances.account_id AND last.seq = balances.seq
"""

# As in 0004, and: a movement is never younger than the one after it, whatever time it was given. GREATEST passes over
# the null of an account that never moved.
_POST_MOVEMENTS = """
CREATE OR REPLACE FUNCTION post_movements(
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
               seq                 = b.seq + change.movements,
               moved_at            = greatest(post_movements.posted_at, b.moved_at)
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
           greatest(post_movements.posted_at, b.moved_at)
      FROM said JOIN balances b USING (account_id)
    WINDOW so_far AS (PARTITION BY said.account_id ORDER BY said.position);
    GET DIAGNOSTICS written = ROW_COUNT;
    IF written <> cardinality(account_ids) THEN
        RAISE EXCEPTION 'a movement names an account without a balance';
    END IF;
    RETURN written;
END $$
"""

# As in 0007, with the same rule. What the payment and its news say of the time is the moment itself.
_SETTLE_PAYMENTS = """
CREATE OR REPLACE FUNCTION settle_payments(
    account_ids uuid[], payment_ids uuid[], versions integer[], external_refs text[], event_ids uuid[], bodies bytea[],
    promise_ids bigint[], event_type text, moment timestamptz
)
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
           SET in_transit_centavos = b.in_transit_centavos - change.amount, seq = b.seq + change.movements,
               moved_at = greatest(moment, b.moved_at)
          FROM (SELECT account_id, sum(amount_centavos)::bigint AS amount, count(*) AS movements
                  FROM settled GROUP BY account_id) change
         WHERE b.account_id = change.account_id
    ), posted AS (
        INSERT INTO movements (account_id, seq, source, target, amount_centavos, reason, reference,
                               available_after_centavos, in_transit_after_centavos, posted_at)
        SELECT settled.account_id, b.seq + count(*) OVER so_far, 'IN_TRANSIT', 'SPI', settled.amount_centavos,
               'SETTLE', settled.id, b.available_centavos,
               b.in_transit_centavos - sum(settled.amount_centavos) OVER so_far, greatest(moment, b.moved_at)
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

# Binary search along the primary key: a probe for each doubling of the history. STABLE, so all probes see what the
# asking statement sees.
_MOVEMENTS_BEFORE = """
CREATE FUNCTION movements_before(account uuid, moment timestamptz) RETURNS bigint
LANGUAGE plpgsql STABLE SECURITY INVOKER SET search_path = public, pg_temp AS $$
DECLARE
    low bigint := 0;
    high bigint := coalesce((SELECT b.seq FROM balances b WHERE b.account_id = account), 0);
    middle bigint;
BEGIN
    WHILE low < high LOOP
        middle := (low + high + 1) / 2;
        IF (SELECT m.posted_at < moment FROM movements m WHERE m.account_id = account AND m.seq = middle) THEN
            low := middle;
        ELSE
            high := middle - 1;
        END IF;
    END LOOP;
    RETURN low;
END $$
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '3s'")
    op.add_column("balances", sa.Column("moved_at", sa.DateTime(timezone=True), nullable=True))
    op.execute(_MEND)
    op.execute(_REMEMBER)
    op.execute(_POST_MOVEMENTS)
    op.execute(_SETTLE_PAYMENTS)
    op.execute(_MOVEMENTS_BEFORE)
    op.execute("REVOKE ALL ON FUNCTION movements_before(uuid, timestamptz) FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION movements_before(uuid, timestamptz) TO lastro_app")
    # What a credit was: the return of a payment, or a refund between two of our customers. Both are rare.
    op.create_index(
        "ix_inbox_account_id_reference_returned",
        "inbox",
        ["account_id", "reference"],
        unique=False,
        postgresql_where=sa.text("kind = 'RETURN'"),
    )
    op.create_index("ix_pix_refunds_id", "pix_refunds", ["id"], unique=False)


def downgrade() -> None:
    raise NotImplementedError("an older server does not mind a column and functions that know the time: leave them")
