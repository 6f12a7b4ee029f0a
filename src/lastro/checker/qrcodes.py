"""Q: the text of a code says what the code is; a charge has one address and is paid once, in time, to the centavo."""

from lastro.checker.invariants import Invariant

# What a text must contain, with the lengths counted here; the checksum is judged by the tests' other readers.
# A provider that makes codes of its own has its own keys and addresses, and heard of a payment before we did.
_TEXTS = """
SELECT code.id::text
  FROM (SELECT *, div(amount_centavos, 100) || '.' || lpad((amount_centavos % 100)::text, 2, '0') AS reais
          FROM pix_qrcodes) code
  JOIN (SELECT id AS provider_id FROM providers WHERE adapter = 'network') theirs USING (provider_id)
 WHERE text !~ '^000201[ -~]*6304[0-9A-F]{4}$'
    OR length(text) > 512
    OR CASE type
       WHEN 'STATIC' THEN position('01' || lpad(length(key_value)::text, 2, '0') || key_value IN text) = 0
                          OR position('05' || length(txid) || txid || '6304' IN text) = 0
                          OR txid !~ '^[A-Za-z0-9]{25}$'
                          OR position(coalesce('530398654' || lpad(length(reais)::text, 2, '0') || reais, '5303986')
                                      || '5802BR' IN text) = 0
       WHEN 'DYNAMIC' THEN position('/' || location_token || '5204' IN text) = 0
                           OR position('5303986' || '5802BR' IN text) = 0
                           OR txid !~ '^[A-Za-z0-9]{26,35}$'
       ELSE TRUE END
"""

_ADDRESSES = """
SELECT coalesce(code.id, location.qrcode_id)::text
  FROM (SELECT code.* FROM pix_qrcodes code JOIN providers provider ON provider.id = code.provider_id
         WHERE code.type = 'DYNAMIC' AND provider.adapter = 'network') code
  FULL JOIN qrcode_locations location ON location.token = code.location_token
 WHERE (code.account_id, code.id) IS DISTINCT FROM (location.account_id, location.qrcode_id)
"""

_PAID = """
SELECT code.id || ' was not paid by what it names'
  FROM pix_qrcodes code
  JOIN providers provider ON provider.id = code.provider_id
  LEFT JOIN pix_transfers transfer ON transfer.account_id = code.account_id AND transfer.id = code.transfer_id
 WHERE code.transfer_id IS NOT NULL
   AND ((transfer.txid, transfer.amount_centavos) IS DISTINCT FROM (code.txid, code.amount_centavos)
        OR transfer.created_at >= code.expires_at AND provider.adapter = 'network'
        OR code.paid_at IS NULL OR code.paid_at < code.created_at)
UNION ALL
SELECT transfer.id || ' came for a charge that does not name it'
  FROM pix_transfers transfer
  JOIN pix_qrcodes code ON code.account_id = transfer.account_id AND code.txid = transfer.txid
  JOIN providers provider ON provider.id = code.provider_id AND provider.adapter = 'network'
 WHERE code.type = 'DYNAMIC' AND code.transfer_id IS DISTINCT FROM transfer.id
"""

_KEYS = """
SELECT code.id::text
  FROM pix_qrcodes code JOIN providers provider ON provider.id = code.provider_id
 WHERE provider.adapter = 'network' AND NOT EXISTS (SELECT FROM pix_keys key
                    WHERE key.account_id = code.account_id AND key.key_value = code.key_value
                      AND key.key_type = code.key_type)
"""

INVARIANTS = (
    Invariant("Q1", "The text of a code holds its key or its address, its txid and its amount.", _TEXTS),
    Invariant("Q3", "A charge has one address of its own, and each address leads to a charge.", _ADDRESSES),
    Invariant("Q4", "A charge is paid once at most: by a transfer of its txid and amount, in time.", _PAID),
    Invariant("Q5", "A code shows a key that its account had.", _KEYS),
)
