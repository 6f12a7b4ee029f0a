"""L: the ledger balances, counts without gaps, never went below zero, and can not be rewritten."""

from lastro.checker.invariants import Invariant

_SENTENCES = """
SELECT account_id || ' seq ' || seq
  FROM movements
 WHERE amount_centavos <= 0
    OR source = target
    OR (reason, source, target) NOT IN (('HOLD', 'AVAILABLE', 'IN_TRANSIT'), ('SETTLE', 'IN_TRANSIT', 'SPI'),
                                        ('RELEASE', 'IN_TRANSIT', 'AVAILABLE'), ('RECEIVE', 'SPI', 'AVAILABLE'),
                                        ('PAY', 'IN_TRANSIT', 'BOOK'), ('COLLECT', 'BOOK', 'AVAILABLE'),
                                        ('TRANSFER', 'AVAILABLE', 'BOOK'))
"""

_APPEND_ONLY = """
SELECT 'there is no role lastro_app' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'lastro_app')
UNION ALL
SELECT verb || ' ' || name
  FROM pg_roles role
 CROSS JOIN unnest(ARRAY['movements', 'events', 'event_feed', 'webhook_attempts', 'inbox', 'idempotency',
                         'internal_transfers']) AS name
 CROSS JOIN unnest(ARRAY['UPDATE', 'DELETE', 'TRUNCATE']) AS verb
 WHERE role.rolname = 'lastro_app'
   AND (has_table_privilege(role.oid, name, verb)
        OR verb = 'UPDATE' AND has_any_column_privilege(role.oid, name, 'UPDATE'))
"""

_SUMS = """
SELECT account_id::text
  FROM (SELECT id AS account_id FROM accounts) account
  FULL JOIN balances balance USING (account_id)
  FULL JOIN (SELECT account_id,
                    sum(CASE 'AVAILABLE' WHEN target THEN amount_centavos WHEN source THEN -amount_centavos
                        ELSE 0 END) AS available,
                    sum(CASE 'IN_TRANSIT' WHEN target THEN amount_centavos WHEN source THEN -amount_centavos
                        ELSE 0 END) AS in_transit
               FROM movements GROUP BY account_id) history USING (account_id)
 WHERE account IS NULL
    OR balance IS NULL
    OR balance.available_centavos <> coalesce(history.available, 0)
    OR balance.in_transit_centavos <> coalesce(history.in_transit, 0)
"""

_RUNNING = """
SELECT account_id || ' seq ' || seq
  FROM (SELECT account_id, seq, source, target, amount_centavos, available_after_centavos, in_transit_after_centavos,
               row_number() OVER earlier AS position,
               lag(available_after_centavos, 1, 0::bigint) OVER earlier AS available,
               lag(in_transit_after_centavos, 1, 0::bigint) OVER earlier AS in_transit
          FROM movements WINDOW earlier AS (PARTITION BY account_id ORDER BY seq)) step
 WHERE seq <> position
    OR available_after_centavos <> available
       + CASE 'AVAILABLE' WHEN target THEN amount_centavos WHEN source THEN -amount_centavos ELSE 0 END
    OR in_transit_after_centavos <> in_transit
       + CASE 'IN_TRANSIT' WHEN target THEN amount_centavos WHEN source THEN -amount_centavos ELSE 0 END
UNION ALL
SELECT balance.account_id || ' balance'
  FROM balances balance
  LEFT JOIN (SELECT account_id, count(*) AS movements FROM movements GROUP BY account_id) counted USING (account_id)
  LEFT JOIN movements last ON last.account_id = balance.account_id AND last.seq = balance.seq
 WHERE balance.seq <> coalesce(counted.movements, 0)
    OR balance.available_centavos <> coalesce(last.available_after_centavos, 0)
    OR balance.in_transit_centavos <> coalesce(last.in_transit_after_centavos, 0)
"""

# A CHECK that is NOT VALID or NOT ENFORCED says so in its definition, and does not count.
_NEVER_NEGATIVE = """
SELECT account_id || ' seq ' || seq
  FROM movements WHERE available_after_centavos < 0 OR in_transit_after_centavos < 0
UNION ALL
SELECT account_id || ' balance' FROM balances WHERE available_centavos < 0 OR in_transit_centavos < 0
UNION ALL
SELECT 'no CHECK on ' || wanted.relation || '.' || wanted.attribute
  FROM (VALUES ('balances', 'available_centavos'), ('balances', 'in_transit_centavos'),
               ('movements', 'available_after_centavos'), ('movements', 'in_transit_after_centavos'))
       AS wanted(relation, attribute)
 WHERE NOT EXISTS (SELECT FROM pg_constraint
                    WHERE contype = 'c' AND conrelid = wanted.relation::regclass
                      AND pg_get_constraintdef(oid) = 'CHECK ((' || wanted.attribute || ' >= 0))')
"""

_ZERO = """
SELECT 'customers hold ' || customers || ' centavos, SPI ' || spi || ', BOOK ' || inside
  FROM (SELECT coalesce(sum(available_centavos + in_transit_centavos), 0) AS customers FROM balances) held
 CROSS JOIN (SELECT coalesce(sum(CASE 'SPI' WHEN target THEN amount_centavos WHEN source THEN -amount_centavos
                                 ELSE 0 END), 0) AS spi,
                    coalesce(sum(CASE 'BOOK' WHEN target THEN amount_centavos WHEN source THEN -amount_centavos
                                 ELSE 0 END), 0) AS inside
               FROM movements) crossed
 WHERE customers + spi <> 0 OR inside <> 0
"""

_ON_ITS_WAY = """
SELECT account_id::text
  FROM balances
  FULL JOIN (SELECT account_id, sum(amount_centavos) AS centavos
               FROM (SELECT account_id, amount_centavos FROM pix_payments WHERE status = 'PROCESSING'
                      UNION ALL
                     SELECT account_id, amount_centavos FROM pix_refunds WHERE status = 'PROCESSING') leaving
              GROUP BY account_id) under_way USING (account_id)
 WHERE coalesce(in_transit_centavos, 0) <> coalesce(centavos, 0)
"""

_ONCE = """
SELECT account_id || ' ' || reason || ' ' || reference
  FROM movements GROUP BY account_id, reason, reference HAVING count(*) > 1
UNION ALL
SELECT 'no UNIQUE (account_id, reason, reference) on movements'
 WHERE NOT EXISTS (SELECT FROM pg_index
                    WHERE indrelid = 'movements'::regclass AND indisunique AND indisvalid AND indpred IS NULL
                      AND pg_get_indexdef(indexrelid) LIKE '%(account_id, reason, reference)')
"""

_AFTER_CLOSING = """
SELECT account_id || ' seq ' || seq
  FROM movements JOIN accounts ON accounts.id = movements.account_id
 WHERE movements.posted_at > accounts.closed_at
"""

_IN_TIME = """
SELECT account_id || ' seq ' || seq
  FROM (SELECT account_id, seq, posted_at, lag(posted_at) OVER (PARTITION BY account_id ORDER BY seq) AS before
          FROM movements) step
 WHERE posted_at < before
UNION ALL
SELECT balance.account_id || ' balance'
  FROM balances balance
  LEFT JOIN movements last ON last.account_id = balance.account_id AND last.seq = balance.seq
 WHERE balance.moved_at IS DISTINCT FROM last.posted_at
"""

INVARIANTS = (
    Invariant("L1", "Each movement is a sentence of the ledger and moves a positive amount.", _SENTENCES),
    Invariant(
        "L2",
        "The application can not rewrite movements, events, inbox, stored answers or internal transfers.",
        _APPEND_ONLY,
    ),
    Invariant("L3", "Each account has one balance, and it is the sum of the account's movements.", _SUMS),
    Invariant("L4", "Movements are numbered 1 to n and each balance follows from the one before.", _RUNNING),
    Invariant("L5", "No pot of a customer was ever below zero, and CHECKs see to it.", _NEVER_NEGATIVE),
    Invariant("L6", "All pots together, the customers' and SPI, sum to zero; nothing stays in BOOK.", _ZERO),
    Invariant("L7", "What an account has in transit is the sum of its PROCESSING payments and refunds.", _ON_ITS_WAY),
    Invariant("L9", "An account moves for one reason and one reference at most once.", _ONCE),
    Invariant("L11", "No movement on an account after it was closed.", _AFTER_CLOSING),
    Invariant("L12", "Time never goes back along an account's movements; its balance has the last.", _IN_TIME),
)
