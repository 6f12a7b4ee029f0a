"""A, I, S, E, T, O and V: accounts, stored answers, news, tenants and promises agree with what they are about."""

from lastro.checker.invariants import Invariant

_STATES = """
SELECT account.id::text
  FROM accounts account LEFT JOIN balances balance ON balance.account_id = account.id
 WHERE CASE account.status
       WHEN 'PENDING' THEN account.branch IS NOT NULL OR account.account_number IS NOT NULL
                           OR account.closed_at IS NOT NULL
       WHEN 'ACTIVE' THEN account.branch IS NULL OR account.account_number IS NULL OR account.closed_at IS NOT NULL
       WHEN 'BLOCKED' THEN account.branch IS NULL OR account.account_number IS NULL OR account.closed_at IS NOT NULL
       WHEN 'CLOSED' THEN (account.branch IS NULL) <> (account.account_number IS NULL) OR account.closed_at IS NULL
                          OR account.closed_at < account.created_at
                          OR balance.available_centavos <> 0 OR balance.in_transit_centavos <> 0
       ELSE TRUE END
UNION ALL
SELECT account.id::text
  FROM accounts account JOIN providers provider ON provider.id = account.provider_id
  LEFT JOIN kyc_files file ON file.account_id = account.id
 WHERE account.account_number IS NOT NULL
   AND provider.adapter = 'network'  -- other providers have reviewed their customers before
   AND (file.approved_at IS NULL
        OR NOT EXISTS (SELECT FROM kyc_submissions submission
                        WHERE submission.account_id = account.id AND submission.verdict = 'APPROVED'))
"""

_REGISTERS = """
SELECT coalesce(account.id, entry.account_id)::text
  FROM (SELECT * FROM accounts WHERE status <> 'CLOSED') account
  FULL JOIN open_accounts entry ON entry.account_id = account.id
 WHERE (account.provider_id, account.holder_document) IS DISTINCT FROM (entry.provider_id, entry.holder_document)
UNION ALL
SELECT account_id::text FROM open_accounts GROUP BY account_id HAVING count(*) > 1
UNION ALL
SELECT coalesce(account.id, entry.account_id)::text
  FROM (SELECT * FROM accounts WHERE account_number IS NOT NULL) account
  FULL JOIN account_numbers entry ON entry.account_id = account.id
 WHERE (account.provider_id, account.branch, account.account_number)
       IS DISTINCT FROM (entry.provider_id, entry.branch, entry.account_number)
UNION ALL
SELECT account_id::text FROM account_numbers GROUP BY account_id HAVING count(*) > 1
"""

# Bodies begin {"data":{"type":"…","id":"…". They are cut at the quotes rather than parsed: what is no JSON must be an
# offender, not an error; and a million of them must not take minutes.
_ANSWERS = """
WITH answer AS MATERIALIZED (
    SELECT tenant_id, operation, key, string_to_array(encode(substr(body, 1, 160), 'escape'), '"') AS words,
           CASE WHEN operation LIKE '%/pix/payments' THEN 'pix-payments'
                WHEN operation LIKE '%/refund' THEN 'pix-refunds'
                WHEN operation LIKE '%/pix/keys%' THEN 'pix-keys'
                WHEN operation LIKE '%/pix/qrcode' THEN 'pix-qrcode'
                WHEN operation LIKE '%/transfers/internal' THEN 'internal-transfers'
                WHEN operation LIKE '%/kyc' THEN 'kyc'
                WHEN operation LIKE '%/webhook-subscriptions%' THEN 'webhook-subscriptions'
                ELSE 'accounts' END AS type
      FROM idempotency
     WHERE operation LIKE 'POST %/pix/payments'
        OR operation LIKE 'POST %/refund'
        OR operation ~ '/pix/keys(/[{]key_id[}]/confirm)?$'
        OR operation LIKE '%/pix/qrcode'
        OR operation LIKE '%/transfers/internal'
        OR operation ~ '/webhook-subscriptions(/[{]subscription_id[}]/(pause|resume|rotate-secret))?$'
        OR operation ~ '/accounts(/[{]account_id[}](/(close|block|unblock|kyc))?)?$'
)
SELECT answer.operation || ' ' || answer.key
  FROM answer
  LEFT JOIN pix_payments payment ON answer.type = 'pix-payments' AND payment.id::text = answer.words[10]
                                AND payment.tenant_id = answer.tenant_id
  LEFT JOIN pix_refunds refund ON answer.type = 'pix-refunds' AND refund.id::text = answer.words[10]
                              AND refund.tenant_id = answer.tenant_id
  LEFT JOIN kyc_files file ON answer.type = 'kyc' AND file.id::text = answer.words[10]
                          AND file.tenant_id = answer.tenant_id
  LEFT JOIN accounts account ON answer.type = 'accounts' AND account.id::text = answer.words[10]
                            AND account.tenant_id = answer.tenant_id
  LEFT JOIN pix_keys key ON answer.type = 'pix-keys' AND key.id::text = answer.words[10]
                        AND key.tenant_id = answer.tenant_id
  LEFT JOIN pix_qrcodes code ON answer.type = 'pix-qrcode' AND code.id::text = answer.words[10]
                            AND code.tenant_id = answer.tenant_id
  LEFT JOIN internal_transfers moved ON answer.type = 'internal-transfers' AND moved.id::text = answer.words[10]
                                    AND moved.tenant_id = answer.tenant_id
  LEFT JOIN webhook_subscriptions hook ON answer.type = 'webhook-subscriptions' AND hook.id::text = answer.words[10]
                                      AND hook.tenant_id = answer.tenant_id
 WHERE (words[2], words[4], words[6], words[8]) IS DISTINCT FROM ('data', 'type', answer.type, 'id')
    OR coalesce(payment.id, refund.id, account.id, key.id, file.id, code.id, moved.id, hook.id) IS NULL
UNION ALL
SELECT words[10] || ' was created under two keys'
  FROM answer
 WHERE words[10] IS NOT NULL
   AND operation ~ ('^POST .*/(pix/payments|refund|pix/keys|pix/qrcode|transfers/internal|accounts'
                    || '|webhook-subscriptions)$')
 GROUP BY words[10] HAVING count(*) > 1
"""

_SECRETS_TOLD = """
SELECT operation || ' ' || key
  FROM idempotency
 WHERE operation LIKE '%/webhook-subscriptions%' AND position(convert_to('whsec_', 'UTF8') IN body) > 0
"""

_NEWS = """
WITH told AS (
    SELECT account_id, resource_id, min(tenant_id::text) AS tenant, max(tenant_id::text) AS other_tenant,
           count(*) AS times,
           count(*) FILTER (WHERE type = 'pix.payment.completed') AS completed,
           count(*) FILTER (WHERE type = 'pix.payment.failed') AS failed,
           count(*) FILTER (WHERE type = 'pix.payment.reversed') AS reversed,
           count(*) FILTER (WHERE type = 'pix.transfer.received') AS received,
           count(*) FILTER (WHERE type = 'pix.refund.completed') AS refunded,
           count(*) FILTER (WHERE type = 'pix.refund.failed') AS not_refunded,
           count(*) FILTER (WHERE type = 'transfer.internal.completed') AS transferred,
           count(*) FILTER (WHERE type = 'pix.qrcode.paid') AS code_paid,
           count(*) FILTER (WHERE type = 'pix.refund.received') AS given_back,
           count(*) FILTER (WHERE type = 'pix.qrcode.expired') AS code_expired,
           count(*) FILTER (WHERE type = 'pix.key.registered') AS key_registered,
           count(*) FILTER (WHERE type = 'pix.key.refused') AS key_refused,
           count(*) FILTER (WHERE type = 'pix.key.removed') AS key_removed,
           count(*) FILTER (WHERE type = 'account.activated') AS activated,
           count(*) FILTER (WHERE type = 'account.blocked') AS blocked,
           count(*) FILTER (WHERE type = 'account.unblocked') AS unblocked,
           count(*) FILTER (WHERE type = 'account.closed') AS closed,
           count(*) FILTER (WHERE type LIKE 'account.kyc.%') AS kyc
      FROM events GROUP BY account_id, resource_id
), owed AS (
    SELECT account_id, id AS resource_id, tenant_id::text AS tenant, 'pix.payment' AS kind, status FROM pix_payments
     UNION ALL
    SELECT account_id, id, tenant_id::text, 'pix.transfer', status FROM pix_transfers
     UNION ALL
    SELECT account_id, id, tenant_id::text, 'pix.refund', status FROM pix_refunds
     UNION ALL
    SELECT account_id, id, tenant_id::text, 'transfer.internal', status FROM internal_transfers
     UNION ALL
    SELECT id, id, tenant_id::text, 'account',
           CASE WHEN status = 'CLOSED' AND account_number IS NULL THEN 'WITHDRAWN' ELSE status END
      FROM accounts
     UNION ALL
    SELECT account_id, id, tenant_id::text, 'pix.qrcode',
           CASE WHEN paid_at IS NOT NULL THEN 'PAID' WHEN expired_at IS NOT NULL THEN 'EXPIRED' ELSE 'UNPAID' END
      FROM pix_qrcodes
     UNION ALL
    SELECT back.account_id, back.reference, payer.tenant_id::text, 'pix.return', 'CREDITED'
      FROM (SELECT account_id, reference FROM inbox WHERE kind = 'RETURN' AND rejected_with IS NULL
             UNION ALL
            SELECT transfer.payment_account_id, refund.id
              FROM pix_refunds refund
              JOIN pix_transfers transfer ON transfer.account_id = refund.account_id
                                         AND transfer.id = refund.transfer_id
             WHERE refund.status = 'COMPLETED' AND transfer.payment_id IS NOT NULL) back
      JOIN accounts payer ON payer.id = back.account_id
     UNION ALL
    SELECT account_id, id, tenant_id::text, 'pix.key',
           CASE WHEN stage = 'ACTIVE' THEN 'ACTIVE' WHEN activated_at IS NOT NULL THEN 'REMOVED'
                WHEN failure_reason IS NOT NULL THEN 'REFUSED' ELSE 'UNHEARD OF' END
      FROM pix_keys
     UNION ALL
    SELECT account_id, id, tenant_id::text, 'kyc', 'of any status' FROM kyc_files
)
SELECT coalesce(owed.kind || ' ' || owed.resource_id, 'news of ' || told.resource_id)
  FROM owed FULL JOIN told ON told.account_id = owed.account_id AND told.resource_id = owed.resource_id
 WHERE owed.resource_id IS NULL
    OR told.tenant <> owed.tenant
    OR told.other_tenant <> owed.tenant
    OR CASE owed.kind || ' ' || owed.status
       WHEN 'pix.payment PENDING' THEN told.times IS NOT NULL
       WHEN 'pix.payment PROCESSING' THEN told.times IS NOT NULL
       WHEN 'pix.payment COMPLETED' THEN (times, completed) IS DISTINCT FROM (1, 1)
       WHEN 'pix.payment FAILED' THEN (times, failed) IS DISTINCT FROM (1, 1)
       WHEN 'pix.payment REVERSED' THEN (times, completed, reversed) IS DISTINCT FROM (2, 1, 1)
       WHEN 'pix.transfer COMPLETED' THEN (times, received) IS DISTINCT FROM (1, 1)
       WHEN 'pix.refund PROCESSING' THEN told.times IS NOT NULL
       WHEN 'pix.refund COMPLETED' THEN (times, refunded) IS DISTINCT FROM (1, 1)
       WHEN 'pix.refund FAILED' THEN (times, not_refunded) IS DISTINCT FROM (1, 1)
       WHEN 'transfer.internal COMPLETED' THEN (times, transferred) IS DISTINCT FROM (1, 1)
       WHEN 'pix.qrcode UNPAID' THEN told.times IS NOT NULL
       WHEN 'pix.qrcode PAID' THEN (times, code_paid) IS DISTINCT FROM (1, 1)
       WHEN 'pix.qrcode EXPIRED' THEN (times, code_expired) IS DISTINCT FROM (1, 1)
       WHEN 'pix.return CREDITED' THEN (times, given_back) IS DISTINCT FROM (1, 1)
       WHEN 'pix.key UNHEARD OF' THEN told.times IS NOT NULL
       WHEN 'pix.key ACTIVE' THEN (times, key_registered) IS DISTINCT FROM (1, 1)
       WHEN 'pix.key REFUSED' THEN (times, key_refused) IS DISTINCT FROM (1, 1)
       WHEN 'pix.key REMOVED' THEN (times, key_registered, key_removed) IS DISTINCT FROM (2, 1, 1)
       WHEN 'account PENDING' THEN told.times IS NOT NULL
       WHEN 'account ACTIVE' THEN (activated, closed, blocked) IS DISTINCT FROM (1, 0, unblocked)
                                  OR times <> 1 + blocked + unblocked
       WHEN 'account BLOCKED' THEN (activated, closed, blocked) IS DISTINCT FROM (1, 0, unblocked + 1)
                                   OR times <> 1 + blocked + unblocked
       WHEN 'account CLOSED' THEN (activated, closed, blocked) IS DISTINCT FROM (1, 1, unblocked)
                                  OR times <> 2 + blocked + unblocked
       WHEN 'account WITHDRAWN' THEN (times, closed) IS DISTINCT FROM (1, 1)
       WHEN 'kyc of any status' THEN times <> kyc
       ELSE TRUE END
UNION ALL
SELECT 'kyc ' || file.id
  FROM kyc_files file
  LEFT JOIN (SELECT account_id, resource_id, max(resource_version) AS last,
                    (array_agg(type ORDER BY resource_version DESC))[1] AS latest,
                    count(*) FILTER (WHERE type = 'account.kyc.approved') AS approved,
                    count(*) FILTER (WHERE type = 'account.kyc.rejected') AS rejected,
                    count(*) FILTER (WHERE type = 'account.kyc.requires_update') AS sent_back
               FROM events GROUP BY account_id, resource_id) news
         ON news.account_id = file.account_id AND news.resource_id = file.id
  LEFT JOIN (SELECT account_id, count(*) FILTER (WHERE verdict = 'APPROVED') AS approved,
                    count(*) FILTER (WHERE verdict = 'REJECTED') AS rejected,
                    count(*) FILTER (WHERE verdict = 'REQUIRES_UPDATE') AS sent_back
               FROM kyc_submissions GROUP BY account_id) decided ON decided.account_id = file.account_id
 WHERE coalesce(news.approved, 0) <> coalesce(decided.approved, 0)
    OR coalesce(news.rejected, 0) <> coalesce(decided.rejected, 0)
    OR coalesce(news.sent_back, 0) < coalesce(decided.sent_back, 0)  -- we send back what is incomplete, too
    OR coalesce(news.last, 0) > file.version
    OR CASE WHEN file.status IN ('APPROVED', 'REJECTED', 'REQUIRES_UPDATE')
            THEN (news.last, news.latest) IS DISTINCT FROM (file.version, 'account.kyc.' || lower(file.status))
            ELSE coalesce(news.last, 0) >= file.version END
"""

_TENANTS = """
SELECT kind || ' ' || resource.id
  FROM (SELECT 'payment' AS kind, account_id, id, tenant_id, provider_id FROM pix_payments
         UNION ALL
        SELECT 'transfer', account_id, id, tenant_id, provider_id FROM pix_transfers
         UNION ALL
        SELECT 'refund', account_id, id, tenant_id, provider_id FROM pix_refunds
         UNION ALL
        SELECT 'key', account_id, id, tenant_id, provider_id FROM pix_keys
         UNION ALL
        SELECT 'code', account_id, id, tenant_id, provider_id FROM pix_qrcodes
         UNION ALL
        SELECT 'transfer from', account_id, id, tenant_id, NULL FROM internal_transfers
         UNION ALL
        SELECT 'transfer to', recipient_account_id, id, tenant_id, NULL FROM internal_transfers
         UNION ALL
        SELECT 'event', account_id, id, tenant_id, NULL FROM events
         UNION ALL
        SELECT 'kyc file', account_id, id, tenant_id, NULL FROM kyc_files
         UNION ALL
        SELECT 'kyc submission', account_id, id, tenant_id, NULL FROM kyc_submissions
         UNION ALL
        SELECT 'kyc document', account_id, id, tenant_id, NULL FROM kyc_documents
         UNION ALL
        SELECT 'kyc image of', account_id, document_id, tenant_id, NULL FROM kyc_images) resource
  LEFT JOIN accounts account ON account.id = resource.account_id
 WHERE account.id IS NULL
    OR resource.tenant_id <> account.tenant_id
    OR resource.provider_id <> account.provider_id
UNION ALL
SELECT 'account ' || account.id
  FROM accounts account LEFT JOIN providers provider ON provider.id = account.provider_id
 WHERE provider.tenant_id IS DISTINCT FROM account.tenant_id
UNION ALL
SELECT 'lookup ' || lookup.e2e_id
  FROM pix_lookups lookup
  LEFT JOIN accounts account ON account.id = lookup.account_id
  LEFT JOIN providers provider ON provider.id = account.provider_id
  LEFT JOIN accounts payee ON payee.id = lookup.payee_account_id
  LEFT JOIN providers payees ON payees.id = payee.provider_id
 WHERE substr(lookup.e2e_id, 2, 8) IS DISTINCT FROM provider.ispb
    OR lookup.payee_account_id IS NOT NULL
       AND (payees.house IS DISTINCT FROM provider.house OR lookup.owner ->> 'ispb' IS DISTINCT FROM provider.ispb)
UNION ALL
SELECT 'default provider of ' || tenant.id
  FROM tenants tenant JOIN providers provider ON provider.id = tenant.default_provider_id
 WHERE provider.tenant_id <> tenant.id
UNION ALL
SELECT 'message ' || message.end_to_end_id
  FROM inbox message JOIN accounts account ON account.id = message.account_id
 WHERE message.provider_id <> account.provider_id
"""

# When the network's own notification was faster than its answer, the payment has ended and its promise is still there
# until a worker looks: that is no discrepancy, and neither is the promise of a submission that a newer one replaced.
# At rest, V2 wants even those gone.
_PROMISES = """
WITH promised AS (SELECT topic, account_id, reference, count(*) AS times FROM outbox
                   GROUP BY topic, account_id, reference),
     owed AS (SELECT 'pix.payment.settle' AS topic, account_id, id AS reference, status FROM pix_payments
               WHERE status <> 'PENDING'
               UNION ALL
              SELECT 'pix.refund.settle', account_id, id, status FROM pix_refunds
               UNION ALL
              SELECT 'pix.key.prove', account_id, id, 'PERHAPS' FROM pix_keys WHERE code_expires_at IS NOT NULL
               UNION ALL
              SELECT CASE WHEN stage = 'REMOVING' AND removal_id IS NOT NULL THEN 'pix.key.remove'
                          ELSE 'pix.key.register' END, account_id, id, 'PROCESSING'
                FROM pix_keys WHERE stage IN ('REGISTERING', 'REMOVING')
               UNION ALL
              SELECT 'account.open', account.id, account.id, account.status
                FROM accounts account JOIN providers provider ON provider.id = account.provider_id
                LEFT JOIN kyc_files file ON file.account_id = account.id
               WHERE account.status = 'PENDING' AND file.approved_at IS NOT NULL OR provider.adapter <> 'network'
               UNION ALL
              SELECT 'kyc.submit', account_id, submission.id,
                     CASE WHEN submission.number = file.submission THEN file.status END
                FROM kyc_submissions submission JOIN kyc_files file USING (account_id))
SELECT topic || ' ' || reference
  FROM owed FULL JOIN promised USING (topic, account_id, reference)
 WHERE owed.reference IS NULL
    OR promised.times > 1
    OR owed.status IN ('PROCESSING', 'PENDING') AND promised.times IS NULL
"""

_UNDER_WAY = """
SELECT 'payment ' || id || ' is ' || status FROM pix_payments WHERE status IN ('PENDING', 'PROCESSING')
UNION ALL
SELECT 'refund ' || id || ' is ' || status FROM pix_refunds WHERE status = 'PROCESSING'
UNION ALL
SELECT 'key ' || id || ' is ' || stage FROM pix_keys WHERE stage IN ('REGISTERING', 'REMOVING')
UNION ALL
SELECT 'account ' || account.id || ' is ' || account.status
  FROM accounts account JOIN providers provider ON provider.id = account.provider_id
  LEFT JOIN kyc_files file ON file.account_id = account.id
 WHERE account.status = 'PENDING' AND (file.approved_at IS NOT NULL OR provider.adapter <> 'network')
UNION ALL
SELECT 'kyc ' || id || ' is ' || status FROM kyc_files WHERE status = 'PENDING'
UNION ALL
SELECT 'code ' || id || ' expired and nobody said so'
  FROM pix_qrcodes
 WHERE transfer_id IS NULL AND expired_at IS NULL AND expires_at < clock_timestamp() - interval '5 minutes'
"""

_OWED = "SELECT id || ' ' || topic || ' ' || reference FROM outbox"

INVARIANTS = (
    Invariant(
        "A1",
        "Status, number and closing date of an account agree; a closed one is empty; the network opens none without an"
        " approval.",
        _STATES,
    ),
    Invariant("A2", "The registers of open accounts and of account numbers hold what they must.", _REGISTERS),
    Invariant("I5", "Each stored answer names a resource of its tenant; none was created under two keys.", _ANSWERS),
    Invariant("S3", "No stored answer tells the secret of a subscription.", _SECRETS_TOLD),
    Invariant("E1", "Each step that is news was announced exactly once, to its own tenant, and nothing else.", _NEWS),
    Invariant("T4", "Whatever belongs to an account belongs to the account's tenant and provider.", _TENANTS),
    Invariant("O1", "What is under way is promised exactly once, and nothing else is promised.", _PROMISES),
    Invariant(
        "V1", "At rest, nothing waits for us: no payment, account, key, document or charge.", _UNDER_WAY, at_rest=True
    ),
    Invariant("V2", "At rest, nothing is promised any more.", _OWED, at_rest=True),
)
