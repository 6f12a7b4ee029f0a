"""What must be known of an order before the directory is asked, for many orders with one read. Called by a till.

Was it answered already? Who pays? Is the payee our own customer? If not: may this payer, this tenant, this bank ask?
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from lastro import idempotency
from lastro.accounts.states import AccountStatus
from lastro.attempt import Answer, Attempt
from lastro.database import Database
from lastro.errors import BankError
from lastro.pix.lookups.budgets import Asker
from lastro.pix.lookups.payees import Known, Payee, Sought
from lastro.pix.lookups.reservations import Judging, Reservations
from lastro.pix.lookups.service import Remembered, no_key
from lastro.pix.parties import unpacked
from lastro.providers.protocol import Party
from lastro.values.bank_account import AccountType, BankAccount
from lastro.values.end_to_end_id import EndToEndId
from lastro.values.pix_key import KeyType, PixKey
from lastro.values.tax_id import DocumentType, TaxId


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody wants to know of an order: with an earlier lookup nobody is sought."""

    account_id: UUID
    tenant_id: UUID
    attempt: Attempt | None
    lookup: EndToEndId | None = None
    sought: Sought | None = None


@dataclass(frozen=True, slots=True)
class Payer:
    """The paying account, as far as it can be known without a lock."""

    provider_id: UUID
    active: bool
    name: str
    tax_id: TaxId
    branch: str
    number: str
    type: AccountType


@dataclass(frozen=True, slots=True)
class Prepared:
    """Who pays; what an earlier lookup said of the payee; what is known of the payee who is sought."""

    payer: Payer
    remembered: Remembered | None
    payee: Known


Reply = Answer | BankError | Prepared | None
"""The earlier answer; else what is known; None when the tenant has no such account."""

_PREPARE = """
    SELECT i.fingerprint AS stored_fingerprint, i.status AS stored_status, i.body AS stored_body,
           a.id IS NOT NULL AS there, a.provider_id, a.status, a.holder_name, a.holder_document, a.holder_document_type,
           a.branch, a.account_number, a.type, p.ispb, p.strict_documents,
           l.key_type, l.key_value, l.owner, l.payee_account_id, l.created_at AS looked_up_at,
           ours.id AS ours_id, ours.holder_name AS ours_name, ours.holder_document AS ours_document,
           ours.holder_document_type AS ours_document_type, ours.branch AS ours_branch,
           ours.account_number AS ours_number, ours.type AS ours_type, theirs.ispb AS ours_ispb,
           theirs.house = p.house AS one_house,
           payers.millitokens AS payers_level, payers.refilled_at AS payers_moment,
           tenants.millitokens AS tenants_level, tenants.refilled_at AS tenants_moment,
           banks.millitokens AS banks_level, banks.refilled_at AS banks_moment,
           clock_timestamp() AS now
      FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[]) WITH ORDINALITY
           AS o(account_id, tenant_id, lookup, operation, key, sought, position)
      LEFT JOIN accounts a ON a.id = o.account_id AND a.tenant_id = o.tenant_id
      LEFT JOIN providers p ON p.id = a.provider_id
      LEFT JOIN LATERAL (SELECT * FROM idempotency i
                          WHERE i.tenant_id = o.tenant_id AND i.operation = o.operation AND i.key = o.key
                          LIMIT 1) i ON true
      LEFT JOIN LATERAL (SELECT * FROM pix_lookups l
                          WHERE l.account_id = o.account_id AND l.e2e_id = o.lookup
                          LIMIT 1) l ON true
      LEFT JOIN LATERAL (SELECT k.*
                           FROM key_holders h JOIN pix_keys k ON k.account_id = h.account_id AND k.id = h.key_id
                          WHERE h.key_value = o.sought AND k.stage = 'ACTIVE'
                          LIMIT 1) k ON true
      LEFT JOIN accounts ours ON ours.id = k.account_id
      LEFT JOIN providers theirs ON theirs.id = k.provider_id
      LEFT JOIN LATERAL (SELECT * FROM lookup_budgets payers
                          WHERE payers.level = 'PAYER' AND payers.holder = a.holder_document
                          LIMIT 1) payers ON true
      LEFT JOIN lookup_budgets tenants ON tenants.level = 'TENANT' AND tenants.holder = o.tenant_id::text
      LEFT JOIN lookup_budgets banks ON banks.level = 'PLATFORM' AND banks.holder = p.ispb
     ORDER BY o.position
"""


async def prepare(db: Database, questions: Sequence[Question], reservations: Reservations) -> list[Reply]:
    """Answer the questions in their order. Whoever must ask the directory and may has a token reserved then."""
    judging = Judging(reservations)
    rows = await db.call(
        _PREPARE,
        [each.account_id for each in questions],
        [each.tenant_id for each in questions],
        [each.lookup for each in questions],
        [each.attempt and each.attempt.operation for each in questions],
        [each.attempt and each.attempt.key for each in questions],
        [each.sought and each.sought.key.value for each in questions],
    )
    return [_reply(row, each, judging) for row, each in zip(rows, questions, strict=True)]


def _reply(row: asyncpg.Record, question: Question, judging: Judging) -> Reply:
    attempt = question.attempt
    if attempt is not None and row["stored_fingerprint"] is not None:
        same = row["stored_fingerprint"] == attempt.fingerprint
        return Answer(row["stored_status"], row["stored_body"], replayed=True) if same else idempotency.reused()
    if not row["there"]:
        return None
    payer = _payer(row)
    remembered = _remembered(row) if row["looked_up_at"] is not None else None
    known = None
    if question.sought is not None and payer.active:
        known = _known(row, question.sought, Asker(payer.tax_id, question.tenant_id, row["ispb"]), judging)
    return Prepared(payer, remembered, known)


def _payer(row: asyncpg.Record) -> Payer:
    return Payer(
        provider_id=row["provider_id"],
        active=row["status"] == AccountStatus.ACTIVE,
        name=row["holder_name"],
        tax_id=TaxId(row["holder_document"], DocumentType(row["holder_document_type"])),
        branch=row["branch"] or "",
        number=row["account_number"] or "",
        type=AccountType(row["type"]),
    )


def _remembered(row: asyncpg.Record) -> Remembered:
    return Remembered(
        PixKey(KeyType(row["key_type"]), row["key_value"]),
        unpacked(row["owner"]),
        row["payee_account_id"],
        row["looked_up_at"],
    )


def _known(row: asyncpg.Record, sought: Sought, asker: Asker, judging: Judging) -> Known:
    """The payee, or why nobody will be asked; None: a token is reserved, ask.

    A payment inside one bank (house) is no question to the directory and takes nothing. At another bank our customer
    is a stranger, whom the directory knows.
    """
    if row["strict_documents"] and not sought.key.has_valid_check_digits:
        return no_key()
    if row["one_house"] and row["ours_branch"] is not None and row["ours_number"] is not None:
        return _ours(row)
    buckets = [(row[f"{level}_level"], row[f"{level}_moment"]) for level in ("payers", "tenants", "banks")]
    return judging.refused(sought.reservation, asker, buckets, row["now"])


def _ours(row: asyncpg.Record) -> Payee:
    tax_id = TaxId(row["ours_document"], DocumentType(row["ours_document_type"]))
    account = BankAccount(row["ours_ispb"], row["ours_branch"], row["ours_number"], AccountType(row["ours_type"]))
    return Payee(Party(row["ours_name"], tax_id, account), row["ours_id"])
