"""R: what was given back adds up to what the transfer says, in time, under ids of its own."""

from lastro.checker.invariants import Invariant

_SUMS = """
SELECT transfer.id || ': ' || refunded_centavos || ' centavos, its refunds ' || coalesce(centavos, 0)
  FROM pix_transfers transfer
  LEFT JOIN (SELECT account_id, transfer_id, sum(amount_centavos) AS centavos FROM pix_refunds
              WHERE status <> 'FAILED' GROUP BY account_id, transfer_id) given_back
    ON given_back.account_id = transfer.account_id AND given_back.transfer_id = transfer.id
 WHERE refunded_centavos <> coalesce(centavos, 0)
    OR refunded_centavos NOT BETWEEN 0 AND amount_centavos
"""

_OF_WHAT = """
SELECT refund.id::text
  FROM pix_refunds refund
  LEFT JOIN pix_transfers transfer ON transfer.account_id = refund.account_id AND transfer.id = refund.transfer_id
 WHERE transfer.id IS NULL
    OR (refund.tenant_id, refund.provider_id) IS DISTINCT FROM (transfer.tenant_id, transfer.provider_id)
    OR refund.original_e2e_id <> transfer.e2e_id
    OR refund.created_at NOT BETWEEN transfer.created_at AND transfer.created_at + interval '90 days'
"""

_IDS = """
SELECT refund.id::text
  FROM pix_refunds refund LEFT JOIN providers provider ON provider.id = refund.provider_id
 WHERE refund.e2e_id !~ '^D[0-9A-Z]{8}[0-9]{12}[A-Za-z0-9]{11}$'
    OR substr(refund.e2e_id, 2, 8) IS DISTINCT FROM provider.ispb
    OR substr(refund.e2e_id, 10, 12) <> to_char(refund.created_at AT TIME ZONE 'UTC', 'YYYYMMDDHH24MI')
    OR (refund.completed_at IS NOT NULL) <> (refund.status = 'COMPLETED')
    OR (refund.failure_reason IS NOT NULL) <> (refund.status = 'FAILED')
UNION ALL
SELECT e2e_id FROM pix_refunds GROUP BY e2e_id HAVING count(*) > 1
"""

INVARIANTS = (
    Invariant("R1", "What a transfer says was given back is the sum of its refunds, and not more than it.", _SUMS),
    Invariant("R2", "A refund is of a Pix that its account received, at most 90 days before.", _OF_WHAT),
    Invariant("R3", "The id of a refund has the shape, the provider's ISPB and its minute, and is unique.", _IDS),
)
