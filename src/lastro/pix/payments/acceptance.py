"""Carries out many orders in one transaction: lock, decide, write. Called by the till; the commit follows at once."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, DateTime, Text, Uuid, bindparam, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from lastro import idempotency
from lastro.accounts.models import Account
from lastro.attempt import Answer, Attempt
from lastro.database import among
from lastro.errors import BankError
from lastro.ledger import book
from lastro.outbox import queue
from lastro.outbox.queue import Promise
from lastro.pix.lookups import service as lookups
from lastro.pix.lookups.service import Remembered
from lastro.pix.parties import packed
from lastro.pix.payments import resources, rules
from lastro.pix.payments.models import PixPayment
from lastro.pix.payments.order import ReadyOrder
from lastro.pix.payments.rules import PayingAccount
from lastro.pix.payments.states import EDGES, PaymentStatus
from lastro.values.bank_account import AccountType
from lastro.values.end_to_end_id import EndToEndId
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


async def prepare(tx: AsyncSession, questions: Sequence[Question]) -> list[Answer | BankError | Prepared | None]:
    """Answer the questions of many orders with a few reads: the earlier answer, else what is known, else nothing."""
    stored = await idempotency.find(tx, [each.attempt for each in questions if each.attempt is not None])
    rows = await tx.execute(
        select(
            Account.id,
            Account.tenant_id,
            Account.provider_id,
            Account.status,
            Account.holder_name,
            Account.holder_document,
            Account.holder_document_type,
            Account.branch,
            Account.account_number,
            Account.type,
        ).where(among(Account.id, {each.account_id for each in questions}))
    )
    payers = {
        row.id: Payer(
            tenant_id=row.tenant_id,
            provider_id=row.provider_id,
            active=row.status == "ACTIVE",
            name=row.holder_name,
            tax_id=TaxId(row.holder_document, DocumentType(row.holder_document_type)),
            branch=row.branch or "",
            number=row.account_number or "",
            type=row.type,
        )
        for row in rows
    }
    remembered = await lookups.remembered(tx, {(each.account_id, each.lookup) for each in questions if each.lookup})

    def known(question: Question) -> Answer | BankError | Prepared | None:
        earlier = stored.get(question.attempt.identity) if question.attempt else None
        if earlier is not None or question.account_id not in payers:
            return earlier
        looked_up = remembered.get((question.account_id, question.lookup)) if question.lookup else None
        return Prepared(payers[question.account_id], looked_up)

    return [known(each) for each in questions]


async def accept(tx: AsyncSession, orders: Sequence[ReadyOrder], *, again: bool) -> list[Verdict]:
    """One verdict an order, in order. `again` says that an earlier try of these orders may have been committed.

    Raises Overtaken when another process recorded one of the keys first: nothing is written then.
    """
    accounts = await _lock(tx, {each.order.account_id for each in orders})
    # Behind the lock: a twin in another process that was faster has taken the money, and left its answer.
    stored = await idempotency.find(tx, [each.attempt for each in orders if each.attempt is not None])
    verdicts: dict[UUID, Verdict] = {}
    for each in orders:
        earlier = stored.get(each.attempt.identity) if each.attempt else None
        if earlier is not None:
            verdicts[each.id] = earlier
    fresh = [each for each in orders if each.id not in verdicts]
    if again:
        committed = await _committed(tx, fresh)
        verdicts |= {each.id: _answer(each) for each in fresh if each.id in committed}
        fresh = [each for each in fresh if each.id not in committed]
    # Behind the lock, too: an end-to-end id that the directory was asked under is good for one payment.
    unused = await lookups.remembered(tx, {pair for each in fresh if (pair := each.lookup_pair)})
    refusals = rules.decide(fresh, accounts, unused)
    carried_out: list[ReadyOrder] = []
    for each, refusal in zip(fresh, refusals, strict=True):
        verdicts[each.id] = refusal or _answer(each)
        if refusal is None:
            carried_out.append(each)
    await _write(tx, carried_out, verdicts)
    return [verdicts[each.id] for each in orders]


def _answer(ready: ReadyOrder) -> Answer:
    return Answer(201, resources.accepted(ready).model_dump_json(by_alias=True).encode())


async def _lock(tx: AsyncSession, account_ids: set[UUID]) -> Mapping[UUID, PayingAccount]:
    """Lock the balances first, then read the accounts: a status that changed while we waited must be seen."""
    money = await book.lock(tx, account_ids)
    rows = await tx.execute(select(Account.id, Account.tenant_id, Account.status).where(among(Account.id, money)))
    return {row.id: PayingAccount(row.tenant_id, row.status, money[row.id].available) for row in rows}


async def _committed(tx: AsyncSession, orders: Sequence[ReadyOrder]) -> set[UUID]:
    rows = await tx.execute(
        select(PixPayment.id).where(
            among(PixPayment.account_id, {each.order.account_id for each in orders}),
            among(PixPayment.id, {each.id for each in orders}),
        )
    )
    return set(rows.scalars())


_INSERT = text(
    """
    INSERT INTO pix_payments (account_id, id, tenant_id, provider_id, amount_centavos, status, recipient_key_type,
                              recipient_key_value, description, e2e_id, payer, payee, payee_account_id, initiation,
                              txid, version, created_at, updated_at)
    SELECT account_id, id, tenant_id, provider_id, amount, :status, key_type, key_value, description, e2e_id,
           payer::jsonb, payee::jsonb, payee_account_id, initiation, txid, 1, created_at, created_at
      FROM unnest(:account_ids, :ids, :tenant_ids, :provider_ids, :amounts, :key_types, :key_values, :descriptions,
                  :e2e_ids, :payers, :payees, :payee_account_ids, :initiations, :txids, :moments)
           AS u(account_id, id, tenant_id, provider_id, amount, key_type, key_value, description, e2e_id, payer, payee,
                payee_account_id, initiation, txid, created_at)
    """
).bindparams(
    bindparam("account_ids", type_=ARRAY(Uuid())),
    bindparam("ids", type_=ARRAY(Uuid())),
    bindparam("tenant_ids", type_=ARRAY(Uuid())),
    bindparam("provider_ids", type_=ARRAY(Uuid())),
    bindparam("amounts", type_=ARRAY(BigInteger())),
    bindparam("key_types", type_=ARRAY(Text())),
    bindparam("key_values", type_=ARRAY(Text())),
    bindparam("descriptions", type_=ARRAY(Text())),
    bindparam("e2e_ids", type_=ARRAY(Text())),
    bindparam("payers", type_=ARRAY(Text())),
    bindparam("payees", type_=ARRAY(Text())),
    bindparam("payee_account_ids", type_=ARRAY(Uuid())),
    bindparam("initiations", type_=ARRAY(Text())),
    bindparam("txids", type_=ARRAY(Text())),
    bindparam("moments", type_=ARRAY(DateTime(timezone=True))),
)


async def _write(tx: AsyncSession, orders: Sequence[ReadyOrder], verdicts: Mapping[UUID, Verdict]) -> None:
    """Payments, holds, promises and answers: set by set, never row by row."""
    if not orders:
        return
    await tx.execute(
        _INSERT,
        {
            "status": PaymentStatus.PROCESSING.value,
            "account_ids": [each.order.account_id for each in orders],
            "ids": [each.id for each in orders],
            "tenant_ids": [each.tenant_id for each in orders],
            "provider_ids": [each.provider_id for each in orders],
            "amounts": [each.order.amount.centavos for each in orders],
            "key_types": [each.order.key.kind for each in orders],
            "key_values": [each.order.key.value for each in orders],
            "descriptions": [each.order.description for each in orders],
            "e2e_ids": [each.end_to_end_id for each in orders],
            "payers": [_json(packed(each.payer)) for each in orders],
            "payees": [_json(packed(each.payee)) for each in orders],
            "payee_account_ids": [each.payee_account_id for each in orders],
            "initiations": [each.order.initiation for each in orders],
            "txids": [each.order.txid for each in orders],
            "moments": [each.created_at for each in orders],
        },
    )
    moves = EDGES[PaymentStatus.PENDING, PaymentStatus.PROCESSING].moves
    assert moves is not None  # noqa: S101 - the table says so, and a test holds it to that
    now = max(each.created_at for each in orders)
    await book.post(tx, [moves(each.order.account_id, each.order.amount, each.id) for each in orders], posted_at=now)
    await queue.promise(tx, [Promise(SETTLE, each.order.account_id, each.id) for each in orders])
    await lookups.use_up(tx, {pair for each in orders if (pair := each.lookup_pair)})
    answers = [(each.attempt, verdicts[each.id]) for each in orders if each.attempt is not None]
    await idempotency.record(
        tx, [(attempt, answer) for attempt, answer in answers if isinstance(answer, Answer)], now=now
    )


def _json(facts: Mapping[str, str]) -> str:
    return json.dumps(facts, ensure_ascii=False, separators=(",", ":"))
