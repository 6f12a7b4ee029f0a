"""B: what moved between a tenant's own accounts moved on both sides, once; and no token is said to have sent more."""

from lastro.checker.invariants import Invariant

_BOTH_SIDES = """
WITH gave AS (SELECT account_id, reference, count(*) AS times, sum(amount_centavos) AS centavos
                FROM movements WHERE reason = 'TRANSFER' GROUP BY account_id, reference),
     took AS (SELECT account_id, reference, count(*) AS times, sum(amount_centavos) AS centavos
                FROM movements WHERE reason = 'COLLECT' GROUP BY account_id, reference)
SELECT coalesce(transfer.id, gave.reference)::text
  FROM internal_transfers transfer
  FULL JOIN gave ON gave.account_id = transfer.account_id AND gave.reference = transfer.id
  LEFT JOIN took ON took.account_id = transfer.recipient_account_id AND took.reference = transfer.id
 WHERE transfer.id IS NULL
    OR (gave.times, gave.centavos) IS DISTINCT FROM (1, transfer.amount_centavos)
    OR (took.times, took.centavos) IS DISTINCT FROM (1, transfer.amount_centavos)
"""

_ONE_INSTITUTION = """
SELECT transfer.id::text
  FROM internal_transfers transfer
  LEFT JOIN accounts giver ON giver.id = transfer.account_id
  LEFT JOIN accounts taker ON taker.id = transfer.recipient_account_id
  LEFT JOIN providers givers ON givers.id = giver.provider_id
  LEFT JOIN providers takers ON takers.id = taker.provider_id
 WHERE transfer.account_id = transfer.recipient_account_id
    OR givers.house IS DISTINCT FROM takers.house
    OR giver.currency IS DISTINCT FROM taker.currency
    OR transfer.completed_at < transfer.created_at
"""

# Which token asked is not kept with what it asked for. But nobody can have spent what was not accepted that day, nor
# all together more than was.
_SPENDING = """
SELECT day || ': tokens spent ' || coalesce(spent, 0) || ' centavos of ' || coalesce(accepted, 0)
  FROM (SELECT day, sum(centavos) AS spent FROM token_spending GROUP BY day) counted
  LEFT JOIN (SELECT (created_at AT TIME ZONE 'America/Sao_Paulo')::date AS day, sum(amount_centavos) AS accepted
               FROM (SELECT created_at, amount_centavos FROM pix_payments
                      UNION ALL
                     SELECT created_at, amount_centavos FROM pix_refunds
                      UNION ALL
                     SELECT created_at, amount_centavos FROM internal_transfers) sent
              GROUP BY 1) there USING (day)
 WHERE spent > coalesce(accepted, 0)
UNION ALL
SELECT day || ' ' || spender || ' spent ' || centavos FROM token_spending WHERE centavos < 0
"""

INVARIANTS = (
    Invariant(
        "B1", "An internal transfer has one movement on each side, of its amount; nothing else has.", _BOTH_SIDES
    ),
    Invariant("B2", "Internal transfers are between two accounts of one house.", _ONE_INSTITUTION),
    Invariant("B3", "What tokens are said to have spent on a day is not more than what was accepted.", _SPENDING),
)
