"""T5 and T6: who is let in reaches nobody else's accounts, and the application can not let in by rewriting."""

from lastro.checker.invariants import Invariant

_REACH = """
SELECT bound.kind || ' ' || bound.id
  FROM (SELECT 'client' AS kind, id::text AS id, tenant_id, account_ids FROM api_clients
         UNION ALL
        SELECT 'token', id, tenant_id, account_ids FROM api_tokens
         UNION ALL
        SELECT 'tenant', id::text, id, ARRAY[main_account_id] FROM tenants WHERE main_account_id IS NOT NULL) bound
 CROSS JOIN unnest(bound.account_ids) AS reached(account_id)
  LEFT JOIN accounts account ON account.id = reached.account_id
 WHERE account.tenant_id IS DISTINCT FROM bound.tenant_id
UNION ALL
SELECT 'tenant ' || tenant.id
  FROM tenants tenant LEFT JOIN providers provider ON provider.id = tenant.default_provider_id
 WHERE tenant.default_provider_id IS NOT NULL AND provider.tenant_id IS DISTINCT FROM tenant.id
UNION ALL
SELECT 'token ' || token.id
  FROM api_tokens token JOIN api_clients client ON client.id = token.client_id
 WHERE token.tenant_id <> client.tenant_id OR token.expires_at IS NULL
    OR num_nonnulls(token.account_ids, token.networks, token.most_each_centavos, token.most_a_day_centavos) > 0
"""

_CAN_NOT_LET_IN = """
SELECT verb || ' ' || name
  FROM pg_roles role
 CROSS JOIN unnest(ARRAY['api_clients', 'api_tokens']) AS name
 CROSS JOIN unnest(ARRAY['UPDATE', 'DELETE', 'TRUNCATE']) AS verb
 WHERE role.rolname = 'lastro_app' AND has_table_privilege(role.oid, name, verb)
UNION ALL
SELECT 'UPDATE ' || attribute.attrelid::regclass || '.' || attribute.attname
  FROM pg_roles role
  JOIN pg_attribute attribute ON attribute.attrelid IN ('api_tokens'::regclass, 'api_clients'::regclass)
                             AND attribute.attnum > 0 AND NOT attribute.attisdropped
 WHERE role.rolname = 'lastro_app' AND has_column_privilege(role.oid, attribute.attrelid, attribute.attnum, 'UPDATE')
   AND (attribute.attrelid = 'api_tokens'::regclass AND attribute.attname <> 'revoked_at'
        OR attribute.attname IN ('id', 'tenant_id', 'created_by', 'created_at'))
"""

INVARIANTS = (
    Invariant("T5", "Tokens, clients and tenants reach accounts and providers of their own tenant alone.", _REACH),
    Invariant("T6", "The application can not rewrite or delete tokens, nor whose a client is.", _CAN_NOT_LET_IN),
)
