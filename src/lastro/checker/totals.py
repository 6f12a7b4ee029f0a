"""C: what the lists say of their length is how many rows there are."""

from lastro.checker.invariants import Invariant

_ALL = "'00000000-0000-0000-0000-000000000000'::uuid"
_DAY = "(created_at AT TIME ZONE 'America/Sao_Paulo')::date AS day"

_TOTALS = f"""
WITH row AS (
    SELECT tenant_id, account_id, 'pix_payments' AS kind, status AS label, {_DAY} FROM pix_payments
     UNION ALL
    SELECT tenant_id, account_id, 'pix_transfers', status, {_DAY} FROM pix_transfers
     UNION ALL
    SELECT tenant_id, account_id, 'pix_refunds', status, {_DAY} FROM pix_refunds
     UNION ALL
    SELECT tenant_id, account_id, 'internal_transfers', status, {_DAY} FROM internal_transfers
), there AS (
    SELECT tenant_id, coalesce(account_id, {_ALL}) AS account_id, kind, label, day, count(*) AS n
      FROM row
     GROUP BY GROUPING SETS ((tenant_id, account_id, kind, label, day), (tenant_id, kind, label, day))
), told AS (
    SELECT tenant_id, account_id, kind, label, day, sum(n) AS n
      FROM (SELECT tenant_id, account_id, kind, label, day, n FROM tally
             UNION ALL
            SELECT tenant_id, {_ALL}, kind, label, day, n FROM tally_changes
             UNION ALL
            SELECT tenant_id, share.account_id, kind, label, day, share.n
              FROM tally_changes CROSS JOIN unnest(account_ids, counts) AS share(account_id, n)) cell
     GROUP BY tenant_id, account_id, kind, label, day
)
SELECT concat_ws(' ', kind, label, day, 'of', CASE account_id WHEN {_ALL} THEN tenant_id ELSE account_id END) || ': '
       || coalesce(there.n, 0) || ' rows, told ' || coalesce(told.n, 0)
  FROM there FULL JOIN told USING (tenant_id, account_id, kind, label, day)
 WHERE coalesce(there.n, 0) <> coalesce(told.n, 0)
"""  # noqa: S608 - constants above

_CELLS = "SELECT concat_ws(' ', kind, label, day, account_id) || ': ' || n FROM tally WHERE n <= 0"

INVARIANTS = (
    Invariant("C1", "What the lists count, of tenants and accounts, by status and day, is what is there.", _TOTALS),
    Invariant("C2", "What is rolled up is never zero or less.", _CELLS),
)
