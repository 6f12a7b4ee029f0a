"""P, R and N: a payment's money and dates agree with its status; what arrived was credited once, and only that."""

from lastro.checker.invariants import Invariant

# "Unique" is about what we send: a payment between two providers of one database arrives under the id it left with.
_END_TO_END_IDS = """
SELECT payment.id::text
  FROM pix_payments payment LEFT JOIN providers provider ON provider.id = payment.provider_id
 WHERE payment.e2e_id !~ '^E[0-9A-Z]{8}[0-9]{12}[A-Za-z0-9]{11}$'
    OR substr(payment.e2e_id, 2, 8) IS DISTINCT FROM provider.ispb
    OR substr(payment.e2e_id, 10, 12) > to_char(payment.created_at AT TIME ZONE 'UTC', 'YYYYMMDDHH24MI')
    OR substr(payment.e2e_id, 10, 12)
       < to_char((payment.created_at - interval '15 minutes') AT TIME ZONE 'UTC', 'YYYYMMDDHH24MI')
UNION ALL
SELECT e2e_id FROM pix_payments GROUP BY e2e_id HAVING count(*) > 1
"""

# Both are held, then leave or are released; `inside` says that they leave to another customer of the bank.
_SENT = """
SELECT account_id, id, status, amount_centavos, payee_account_id IS NOT NULL AS inside FROM pix_payments
UNION ALL
SELECT refund.account_id, refund.id, refund.status, refund.amount_centavos, transfer.payment_id IS NOT NULL
  FROM pix_refunds refund
  LEFT JOIN pix_transfers transfer ON transfer.account_id = refund.account_id AND transfer.id = refund.transfer_id
"""

# FAILED without a movement is a payment that never left PENDING: it was provably not sent.
_MONEY_OF_WHAT_WAS_SENT = f"""
SELECT coalesce(sent.id, moved.reference)::text
  FROM ({_SENT}) sent
  FULL JOIN (SELECT account_id, reference,
                    count(*) FILTER (WHERE reason = 'HOLD') AS held,
                    count(*) FILTER (WHERE reason = 'SETTLE') AS settled,
                    count(*) FILTER (WHERE reason = 'PAY') AS paid,
                    count(*) FILTER (WHERE reason = 'RELEASE') AS released
               FROM movements WHERE reason IN ('HOLD', 'SETTLE', 'PAY', 'RELEASE')
              GROUP BY account_id, reference) moved
    ON moved.account_id = sent.account_id AND moved.reference = sent.id
 WHERE CASE sent.status
       WHEN 'PENDING' THEN moved.reference IS NOT NULL
       WHEN 'PROCESSING' THEN (held, settled, paid, released) IS DISTINCT FROM (1, 0, 0, 0)
       WHEN 'COMPLETED' THEN (held, settled, paid, released) IS DISTINCT FROM (1, (NOT inside)::int, inside::int, 0)
       WHEN 'REVERSED' THEN (held, settled, paid, released) IS DISTINCT FROM (1, (NOT inside)::int, inside::int, 0)
       WHEN 'FAILED' THEN moved.reference IS NOT NULL
                          AND (held, settled, paid, released) IS DISTINCT FROM (1, 0, 0, 1)
       ELSE TRUE END
"""  # noqa: S608 - a constant above

_AMOUNTS = f"""
SELECT sent.id || ' ' || movement.reason
  FROM ({_SENT}) sent
  JOIN movements movement ON movement.account_id = sent.account_id AND movement.reference = sent.id
 WHERE movement.amount_centavos <> sent.amount_centavos
"""  # noqa: S608 - a constant above

_DATES = """
SELECT id::text
  FROM pix_payments
 WHERE (completed_at IS NOT NULL) <> (status IN ('COMPLETED', 'REVERSED'))
    OR completed_at < created_at
    OR updated_at < greatest(created_at, completed_at)
"""

_FORGOTTEN = """
SELECT sent.id::text
  FROM (SELECT account_id, id, created_at FROM pix_payments WHERE status = 'PROCESSING'
         UNION ALL
        SELECT account_id, id, created_at FROM pix_refunds WHERE status = 'PROCESSING') sent
  LEFT JOIN alerts alert ON alert.account_id = sent.account_id AND alert.reference = sent.id
 WHERE sent.created_at < clock_timestamp() - interval '24 hours'
   AND alert.id IS NULL
"""

# The inbox does not say which payment a return is of, so sums are compared an account at a time; X1 compares each
# payment with the network's own book.
_RETURNS = """
SELECT account_id || ': payments say ' || coalesce(taken_back, 0) || ' centavos, the inbox ' || coalesce(arrived, 0)
  FROM (SELECT account_id, sum(returned_centavos) AS taken_back FROM pix_payments GROUP BY account_id) said
  FULL JOIN (SELECT account_id, sum(amount_centavos) AS arrived
               FROM (SELECT account_id, amount_centavos FROM inbox WHERE kind = 'RETURN' AND rejected_with IS NULL
                      UNION ALL
                     SELECT transfer.payment_account_id, refund.amount_centavos
                       FROM pix_refunds refund JOIN pix_transfers transfer
                         ON transfer.account_id = refund.account_id AND transfer.id = refund.transfer_id
                      WHERE refund.status = 'COMPLETED' AND transfer.payment_id IS NOT NULL) back
              GROUP BY account_id) credited USING (account_id)
 WHERE coalesce(taken_back, 0) <> coalesce(arrived, 0)
UNION ALL
SELECT id::text
  FROM pix_payments
 WHERE returned_centavos NOT BETWEEN 0 AND amount_centavos
    OR (status = 'REVERSED') <> (returned_centavos = amount_centavos)
    OR returned_centavos > 0 AND status NOT IN ('COMPLETED', 'REVERSED')
UNION ALL
SELECT message.end_to_end_id
  FROM inbox message
  LEFT JOIN (SELECT account_id, reference, count(*) AS times, sum(amount_centavos) AS centavos
               FROM movements WHERE reason = 'RECEIVE' GROUP BY account_id, reference) received
    ON received.account_id = message.account_id AND received.reference = message.reference
 WHERE message.kind = 'RETURN'
   AND CASE WHEN message.rejected_with IS NULL
            THEN (received.times, received.centavos) IS DISTINCT FROM (1, message.amount_centavos)
            ELSE message.reference IS NOT NULL END
"""

_CREDITS = """
WITH received AS (SELECT account_id, reference, count(*) AS times, sum(amount_centavos) AS centavos
                    FROM movements WHERE reason = 'RECEIVE' GROUP BY account_id, reference)
SELECT coalesce(message.end_to_end_id, transfer.e2e_id)
  FROM (SELECT * FROM inbox WHERE kind = 'PAYMENT') message
  FULL JOIN (SELECT * FROM pix_transfers WHERE payment_id IS NULL) transfer
    ON transfer.e2e_id = message.end_to_end_id AND transfer.provider_id = message.provider_id
  LEFT JOIN received ON received.account_id = transfer.account_id AND received.reference = transfer.id
 WHERE CASE WHEN message.end_to_end_id IS NULL THEN TRUE
            WHEN message.rejected_with IS NOT NULL THEN transfer.id IS NOT NULL OR message.reference IS NOT NULL
            ELSE (message.account_id, message.reference, message.provider_id, message.amount_centavos)
                 IS DISTINCT FROM
                 (transfer.account_id, transfer.id, transfer.provider_id, transfer.amount_centavos)
                 OR (received.times, received.centavos) IS DISTINCT FROM (1, transfer.amount_centavos) END
UNION ALL
SELECT received.reference || ' was received out of nothing'
  FROM received
  LEFT JOIN inbox message ON message.account_id = received.account_id AND message.reference = received.reference
                         AND message.rejected_with IS NULL
 WHERE message.end_to_end_id IS NULL
"""

_INSIDE = """
WITH collected AS (SELECT account_id, reference, count(*) AS times, sum(amount_centavos) AS centavos
                     FROM movements WHERE reason = 'COLLECT' GROUP BY account_id, reference)
SELECT coalesce(payment.id, transfer.id)::text
  FROM (SELECT * FROM pix_payments
         WHERE payee_account_id IS NOT NULL AND status IN ('COMPLETED', 'REVERSED')) payment
  FULL JOIN (SELECT * FROM pix_transfers WHERE payment_id IS NOT NULL) transfer
    ON transfer.payment_account_id = payment.account_id AND transfer.payment_id = payment.id
  LEFT JOIN collected ON collected.account_id = transfer.account_id AND collected.reference = transfer.id
 WHERE (payment.payee_account_id, payment.amount_centavos, payment.e2e_id)
       IS DISTINCT FROM (transfer.account_id, transfer.amount_centavos, transfer.e2e_id)
    OR (collected.times, collected.centavos) IS DISTINCT FROM (1, payment.amount_centavos)
UNION ALL
SELECT payment_id || ' arrived twice' FROM pix_transfers WHERE payment_id IS NOT NULL
 GROUP BY payment_id HAVING count(*) > 1
UNION ALL
SELECT refund.id || ' came back'
  FROM pix_refunds refund
  JOIN pix_transfers transfer ON transfer.account_id = refund.account_id AND transfer.id = refund.transfer_id
  LEFT JOIN collected ON collected.account_id = transfer.payment_account_id AND collected.reference = refund.id
 WHERE transfer.payment_id IS NOT NULL
   AND CASE refund.status WHEN 'COMPLETED'
            THEN (collected.times, collected.centavos) IS DISTINCT FROM (1, refund.amount_centavos)
            ELSE collected.times IS NOT NULL END
UNION ALL
SELECT collected.reference || ' was collected out of nothing'
  FROM collected
 WHERE NOT EXISTS (SELECT FROM pix_transfers transfer
                    WHERE transfer.account_id = collected.account_id AND transfer.id = collected.reference
                      AND transfer.payment_id IS NOT NULL)
   AND NOT EXISTS (SELECT FROM pix_refunds refund JOIN pix_transfers transfer
                       ON transfer.account_id = refund.account_id AND transfer.id = refund.transfer_id
                    WHERE refund.id = collected.reference AND transfer.payment_account_id = collected.account_id)
   AND NOT EXISTS (SELECT FROM internal_transfers transfer
                    WHERE transfer.id = collected.reference AND transfer.recipient_account_id = collected.account_id)
"""

_TO_THE_CLOSED = """
SELECT message.end_to_end_id
  FROM inbox message JOIN accounts account ON account.id = message.account_id
 WHERE message.rejected_with IS NULL AND message.created_at > account.closed_at
UNION ALL
SELECT transfer.e2e_id
  FROM pix_transfers transfer JOIN accounts account ON account.id = transfer.account_id
 WHERE transfer.created_at > account.closed_at
"""

# Sizes in thousandths of a token. The platform's depends on a setting: the largest category has fifty thousand tokens.
_BUDGETS = """
SELECT level || ' ' || CASE level WHEN 'PAYER' THEN '***' ELSE holder END || ' has ' || millitokens
  FROM lookup_budgets
 WHERE millitokens < 0
    OR refilled_at > clock_timestamp() + interval '1 minute'
    OR CASE level
       WHEN 'PAYER' THEN CASE length(holder) WHEN 11 THEN millitokens > 80000
                                             WHEN 14 THEN millitokens > 500000
                                             ELSE TRUE END
       WHEN 'TENANT' THEN millitokens > 4000000 OR NOT EXISTS (SELECT FROM tenants WHERE id::text = holder)
       WHEN 'PLATFORM' THEN millitokens > 50000000 OR NOT EXISTS (SELECT FROM providers WHERE ispb = holder)
       ELSE TRUE END
"""

INVARIANTS = (
    Invariant(
        "P2",
        "An end-to-end id has the shape, the provider's ISPB and the minute of acceptance, and is unique.",
        _END_TO_END_IDS,
    ),
    Invariant(
        "P3",
        "A payment or a refund has exactly the movements that its status says, and they have it.",
        _MONEY_OF_WHAT_WAS_SENT,
    ),
    Invariant("P6", "The movements of a payment or a refund have its amount.", _AMOUNTS),
    Invariant("P7", "A payment has a completion date once it settled, and its dates are in order.", _DATES),
    Invariant("P9", "No payment and no refund is PROCESSING for more than 24 hours without an alert.", _FORGOTTEN),
    Invariant(
        "R4",
        "What came back was credited once each and adds up; REVERSED is what came back whole.",
        _RETURNS,
    ),
    Invariant(
        "N1",
        "Each credited message of the inbox has one transfer and one movement of its amount; nothing else has.",
        _CREDITS,
    ),
    Invariant(
        "N3",
        "Between two customers, what one paid or gave back is what the other collected, once.",
        _INSIDE,
    ),
    Invariant("K3", "No budget of questions to the directory is below zero, above full, or nobody's.", _BUDGETS),
    Invariant("N2", "No Pix was credited to an account after it was closed.", _TO_THE_CLOSED),
)
