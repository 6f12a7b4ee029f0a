"""Carries out many orders in one transaction: lock, decide, write. Called by the till.

Both are one call of the database for the whole set (migration 0004): what a payment costs is shared by its batch.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from lastro import idempotency
from lastro.accounts.states import AccountStatus
from lastro.attempt import Answer, Attempt
from lastro.database import Database
from lastro.errors import BankError
from lastro.pix.lookups.service import Remembered
from lastro.pix.parties import packed, unpacked
from lastro.pix.payments import resources, rules
from lastro.pix.payments.order import ReadyOrder
from lastro.values.bank_account import AccountType
from lastro.values.end_to_end_id import EndToEndId
from lastro.values.pix_key import KeyType, PixKey
from lastro.values.tax_id import DocumentType, TaxId

SETTLE = "pix.payment.settle"
"""The promise to bring a payment to the network."""

Verdict = Answer | BankError


@dataclass(frozen=True, slots=True)
class Question:
    """What must be known of an order before the directory is asked: was it answered, who pays, was the payee found?"""

    account_id: UUID
    attempt: Attempt | None
    lookup: EndToEndId | None


@dataclass(frozen=True, slots=True)
class Payer:
    """The paying account, as far as it can be known without a lock."""

    tenant_id: UUID
    provider_id: UUID
    active: bool
    name: str
    tax_id: TaxId
    branch: str
    number: str
    type: AccountType


@dataclass(frozen=True, slots=True)
class Prepared:
    """Who pays, and what an earlier lookup, if the order names one, said of the payee."""

    payer: Payer
    remembered: Remembered | None


_PREPARE = """
    SELECT i.fingerprint AS stored_fingerprint, i.status AS stored_status, i.body AS stored_body,
           a.tenant_id, a.provider_id, a.status, a.holder_name, a.holder_document, a.holder_document_type,
           a.branch, a.account_number, a.type,
           l.key_type, l.key_value, l.owner, l.payee_account_id, l.created_at AS looked_up_at
      FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::text[]) WITH ORDINALITY
           AS o(account_id, lookup, tenant_id, operation, key, position)
      LEFT JOIN accounts a ON a.id = o.account_id
      LEFT JOIN idempotency i ON i.tenant_id = o.tenant_id AND i.operation = o.operation AND i.key = o.key
      LEFT JOIN pix_lookups l ON l.account_id = o.account_id AND l.e2e_id = o.lookup
     ORDER BY o.position
"""


async def prepare(db: Database, questions: Sequence[Question]) -> list[Answer | BankError | Prepared | None]:
    """Answer the questions of many orders with one read: the earlier answer, else what is known, else nothing."""
    attempts = [each.attempt for each in questions]
    rows = await db.call(
        _PREPARE,
        [each.account_id for each in questions],
        [each.lookup for each in questions],
        [attempt and attempt.tenant_id for attempt in attempts],
        [attempt and attempt.operation for attempt in attempts],
        [attempt and attempt.key for attempt in attempts],
    )
    return [_known(row, attempt) for row, attempt in zip(rows, attempts, strict=True)]


def _known(row: asyncpg.Record, attempt: Attempt | None) -> Answer | BankError | Prepared | None:
    if attempt is not None and row["stored_fingerprint"] is not None:
        same = row["stored_fingerprint"] == attempt.fingerprint
        return Answer(row["stored_status"], row["stored_body"], replayed=True) if same else idempotency.reused()
    if row["tenant_id"] is None:
        return None
    return Prepared(_payer(row), _remembered(row) if row["looked_up_at"] is not None else None)


def _payer(row: asyncpg.Record) -> Payer:
    return Payer(
        tenant_id=row["tenant_id"],
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


_ACCEPT = f"SELECT * FROM accept_payments({', '.join(f'${place}' for place in range(1, 22))})"  # noqa: S608 - numbers


async def accept(db: Database, orders: Sequence[ReadyOrder], *, again: bool) -> list[Verdict]:
    """One verdict an order, in order, each durable. `again` says that an earlier try may have been committed.

    The function walks them in arrival order behind the locks of their accounts, writes payments, holds, promises and
    answers of those that it accepts, and says of each what it decided. Raises Overtaken when another process recorded
    one of the keys first (nothing is written then), Unavailable when nobody knows what became of them.
    """
    bodies = [resources.accepted(each).model_dump_json(by_alias=True).encode() for each in orders]
    attempts = [each.attempt for each in orders]
    rows = await db.call(
        _ACCEPT,
        again,
        [each.order.account_id for each in orders],
        [each.id for each in orders],
        [each.tenant_id for each in orders],
        [each.provider_id for each in orders],
        [each.order.amount.centavos for each in orders],
        [each.order.key.kind for each in orders],
        [each.order.key.value for each in orders],
        [each.order.description for each in orders],
        [each.end_to_end_id for each in orders],
        [_json(packed(each.payer)) for each in orders],
        [_json(packed(each.payee)) for each in orders],
        [each.payee_account_id for each in orders],
        [each.order.initiation for each in orders],
        [each.order.txid for each in orders],
        [each.created_at for each in orders],
        [each.order.lookup is not None for each in orders],
        [attempt and attempt.operation for attempt in attempts],
        [attempt and attempt.key for attempt in attempts],
        [attempt and attempt.fingerprint for attempt in attempts],
        bodies,
    )
    return [_verdict(row, body) for row, body in zip(rows, bodies, strict=True)]


def _verdict(row: asyncpg.Record, body: bytes) -> Verdict:
    match row["verdict"]:
        case "ACCEPTED" | "COMMITTED":
            return Answer(201, body)
        case "REPLAYED":
            return Answer(row["stored_status"], row["stored_body"], replayed=True)
        case "KEY_REUSED":
            return idempotency.reused()
        case refusal:
            return rules.REFUSALS[refusal]()


def _json(facts: Mapping[str, str]) -> str:
    return json.dumps(facts, ensure_ascii=False, separators=(",", ":"))
