"""K: whose a key is, whether it may be, how many there are, and when a key and its news must be gone."""

from lastro.checker.invariants import Invariant

# A key is somebody's from the moment that the directory is asked until it is out of there.
_HOLDERS = """
WITH held AS (SELECT account_id, id, key_value FROM pix_keys
               WHERE stage IN ('REGISTERING', 'ACTIVE', 'REMOVING') AND key_value IS NOT NULL)
SELECT coalesce(held.id, holder.key_id) || ' and the register of holders disagree'
  FROM held FULL JOIN key_holders holder USING (account_id, key_value)
 WHERE held.id IS DISTINCT FROM holder.key_id
UNION ALL
SELECT min(id::text) || ' is not the only one with its value' FROM held GROUP BY key_value HAVING count(*) > 1
UNION ALL
SELECT key.id || ' is not in the spelling of the directory'
  FROM pix_keys key
 WHERE key.key_value !~ CASE key.key_type
       WHEN 'CPF' THEN '^[0-9]{11}$'
       WHEN 'CNPJ' THEN '^[0-9A-Z]{12}[0-9]{2}$'
       WHEN 'PHONE' THEN '^[+][1-9][0-9]{1,14}$'
       WHEN 'EMAIL' THEN '^[a-z0-9.!#$''*+/=?^_`{|}~-]+@[a-z0-9.-]+$'
       ELSE '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' END
UNION ALL
SELECT key.id || ' is not the document of its holder'
  FROM pix_keys key JOIN accounts account ON account.id = key.account_id
 WHERE key.key_type IN ('CPF', 'CNPJ')
   AND (key.key_type, key.key_value) IS DISTINCT FROM (account.holder_document_type, account.holder_document)
UNION ALL
SELECT account.id || ' has ' || count(*) || ' keys'
  FROM pix_keys key JOIN accounts account ON account.id = key.account_id
 WHERE key.stage IN ('REGISTERING', 'ACTIVE', 'REMOVING')
    OR key.stage = 'AWAITING_CODE' AND key.code_expires_at > clock_timestamp()
 GROUP BY account.id HAVING count(*) > CASE account.holder_document_type WHEN 'CPF' THEN 5 ELSE 20 END
"""

_OF_THE_CLOSED = """
SELECT key.id::text
  FROM pix_keys key JOIN accounts account ON account.id = key.account_id
 WHERE account.status = 'CLOSED' AND key.stage NOT IN ('REMOVING', 'INACTIVE')
"""

INVARIANTS = (
    Invariant(
        "K1",
        "A key is one account's at most, is spelt as the directory spells it, and of no more than an account may have.",
        _HOLDERS,
    ),
    Invariant("K2", "A closed account has no key that is alive.", _OF_THE_CLOSED),
)
