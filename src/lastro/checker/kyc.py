"""K: a file follows from what was submitted of it, under the present name, and its documents are all there, sealed."""

from lastro.checker.invariants import Invariant

# A file agrees with what was submitted of it: numbers from 1 without gaps, decided at most once, the last one's
# verdict is the file's unless we sent it back ourselves, and it was approved first when `approved_at` says.
_SUBMISSIONS = """
SELECT coalesce(file.account_id, counted.account_id)::text
  FROM kyc_files file
  FULL JOIN (SELECT account_id, count(*) AS times, min(number) AS first, max(number) AS last,
                    min(decided_at) FILTER (WHERE verdict = 'APPROVED') AS approved_at
               FROM kyc_submissions GROUP BY account_id) counted USING (account_id)
  LEFT JOIN kyc_submissions latest
         ON latest.account_id = file.account_id AND latest.number = file.submission
 WHERE file.account_id IS NULL
    OR file.submission <> coalesce(counted.times, 0)
    OR file.submission <> coalesce(counted.last, 0)
    OR counted.first <> 1
    OR file.approved_at IS DISTINCT FROM counted.approved_at
    OR CASE file.status
       WHEN 'PENDING' THEN latest.number IS NULL OR latest.verdict IS NOT NULL
       WHEN 'IN_PROGRESS' THEN latest.number IS NULL OR latest.verdict IS NOT NULL
       WHEN 'APPROVED' THEN latest.verdict IS DISTINCT FROM 'APPROVED'
       WHEN 'REJECTED' THEN latest.verdict IS DISTINCT FROM 'REJECTED'
       WHEN 'REQUIRES_UPDATE' THEN latest.number IS NOT NULL AND latest.verdict IS NULL
       ELSE TRUE END
"""

_IMAGES = """
SELECT 'no front of ' || document.id
  FROM kyc_documents document
 WHERE NOT EXISTS (SELECT FROM kyc_images image
                    WHERE image.account_id = document.account_id AND image.document_id = document.id
                      AND image.side = 'FRONT')
UNION ALL
SELECT 'no document of ' || image.document_id
  FROM kyc_images image
  LEFT JOIN kyc_documents document ON document.account_id = image.account_id AND document.id = image.document_id
 WHERE document.id IS NULL
UNION ALL
SELECT image.side || ' of ' || image.document_id
  FROM kyc_images image
  LEFT JOIN kyc_documents document ON document.account_id = image.account_id AND document.id = image.document_id
 WHERE image.key_id = ''
    OR octet_length(image.sha256) <> 32
    OR image.size NOT BETWEEN 1 AND 5242880
    OR octet_length(image.sealed) <> image.size + 28
    OR CASE image.media_type
       WHEN 'application/pdf' THEN image.width IS NOT NULL OR image.height IS NOT NULL OR document.type = 'SELFIE'
       WHEN 'image/jpeg' THEN coalesce(least(image.width, image.height) < 32
                                       OR image.width::bigint * image.height > 25000000, TRUE)
       WHEN 'image/png' THEN coalesce(least(image.width, image.height) < 32
                                      OR image.width::bigint * image.height > 25000000, TRUE)
       ELSE TRUE END
UNION ALL
SELECT 'documents of no file ' || document.account_id
  FROM kyc_documents document LEFT JOIN kyc_files file USING (account_id)
 WHERE file.account_id IS NULL
"""

_PRESENT_NAME = """
SELECT file.account_id::text
  FROM kyc_files file
  JOIN accounts account ON account.id = file.account_id
  LEFT JOIN kyc_submissions latest
         ON latest.account_id = file.account_id AND latest.number = file.submission
 WHERE file.status IN ('APPROVED', 'PENDING', 'IN_PROGRESS')
   AND latest.holder_name IS DISTINCT FROM account.holder_name
"""

# Of what somebody sent, the application may only say what became of it, and seal it under another key.
_CAN_NOT_REWRITE = """
SELECT verb || ' ' || name
  FROM pg_roles role
 CROSS JOIN unnest(ARRAY['kyc_files', 'kyc_submissions', 'kyc_documents', 'kyc_images']) AS name
 CROSS JOIN unnest(ARRAY['UPDATE', 'DELETE', 'TRUNCATE']) AS verb
 WHERE role.rolname = 'lastro_app' AND has_table_privilege(role.oid, name, verb)
UNION ALL
SELECT 'UPDATE ' || fixed.name || '.' || fixed.attribute
  FROM pg_roles role
 CROSS JOIN (VALUES ('kyc_files', 'id'), ('kyc_files', 'tenant_id'), ('kyc_submissions', 'holder_name'),
                    ('kyc_submissions', 'id'), ('kyc_documents', 'type'), ('kyc_documents', 'uploaded_at'),
                    ('kyc_images', 'sha256'), ('kyc_images', 'size'), ('kyc_images', 'media_type'))
         AS fixed(name, attribute)
 WHERE role.rolname = 'lastro_app' AND has_column_privilege(role.oid, fixed.name, fixed.attribute, 'UPDATE')
"""

INVARIANTS = (
    Invariant("A5", "A file's status follows from what was submitted of it and decided.", _SUBMISSIONS),
    Invariant("A3", "Each document has its front, each image its document, its seal and its limits.", _IMAGES),
    Invariant("A4", "What is approved or under review bears the account's present name.", _PRESENT_NAME),
    Invariant("A6", "The application can not rewrite the documents that were sent.", _CAN_NOT_REWRITE),
)
