"""The customers of other banks: they pay ours, and give back what ours paid them."""

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import model_validator
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.simulator.book import CustomerAccount, DirectoryEntry, Kind, Notice, Payment, Status
from lastro.simulator.delivery import announce, database_now, leased, provider_of
from lastro.simulator.network import another_bank
from lastro.simulator.returns import given_back
from lastro.simulator.wire import (
    CodeText,
    Document,
    KeyText,
    Line,
    PaymentId,
    Reais,
    Strict,
    TransactionId,
    conflict,
    not_found,
    rfc3339,
)
from lastro.values.end_to_end_id import EndToEndId
from lastro.values.money import Money


class Somebody(Strict):
    """A payer at another bank."""

    name: Line
    document: Document


MARIA = Somebody.model_validate({"name": "Maria Souza", "document": "39053344705"})


class Pay(Strict):
    """`POST /simulator/pix`; a code is read by the `scanner`, and names a key from then on."""

    amount: Reais | None = None
    account_id: UUID | None = None
    key_value: KeyText | None = None
    qr_code_text: CodeText | None = None
    payer: Somebody = MARIA
    end_to_end_id: PaymentId | None = None
    txid: TransactionId | None = None
    description: Line | None = None

    @model_validator(mode="after")
    def _one_payee(self) -> Self:
        if sum(payee is not None for payee in (self.account_id, self.key_value, self.qr_code_text)) != 1:
            raise ValueError("diga um só entre accountId, keyValue e qrCodeText")
        if self.qr_code_text is None and self.amount is None:
            raise ValueError("falta amount")
        if self.qr_code_text is not None and self.txid is not None:
            raise ValueError("o txid de um código é o dele")
        if self.end_to_end_id is not None and self.end_to_end_id.is_return:
            raise ValueError("endToEndId deve começar com E")
        return self


class GiveBack(Strict):
    """`POST /simulator/returns`; without an amount, all that is left."""

    end_to_end_id: PaymentId
    amount: Reais | None = None


async def pay(tx: AsyncSession, body: Pay, now: datetime) -> tuple[str, UUID | None]:
    """Order a Pix to one of our customers: its end-to-end id, and the notice that now has to be delivered, if any.

    Ordered again under the same id, it is the same Pix and its notice is delivered again. Raises Refusal 409 when
    that id belongs to something else.
    """
    assert body.amount is not None  # noqa: S101 - it was said, or the scanner read it
    account = await _customer(tx, body)
    payer = _payer(body.payer, another_bank(account.ispb if account else ""))
    end_to_end_id = body.end_to_end_id or EndToEndId.new(payer["account"]["ispb"], now)
    facts: dict[str, Any] = {
        "end_to_end_id": end_to_end_id,
        "kind": Kind.RECEIVED,
        "status": Status.ACSP if account else Status.RJCT,
        "reason": None if account else "AC03",
        "amount": body.amount,
        "account_id": account.request_id if account else body.account_id,
        "payer": payer,
        "payee": _payee(account, body.key_value) if account else None,
        "key": body.key_value,
        "txid": body.txid,
        "description": body.description,
        "created_at": now,
    }
    if not await _is_new(tx, facts):
        return end_to_end_id, await _known(tx, end_to_end_id, body)
    if account is None:
        return end_to_end_id, None
    news = {
        "endToEndId": end_to_end_id,
        "amount": str(body.amount),
        "payer": payer,
        "payee": facts["payee"],
        "txid": body.txid,
        "remittanceInformation": body.description,
        "createdAt": rfc3339(now),
    }
    due_at = leased(await database_now(tx))
    message = {"type": "payment.received", "payment": news}
    return end_to_end_id, announce(tx, end_to_end_id, account.provider_id, message, due_at=due_at)


async def give_back(tx: AsyncSession, body: GiveBack, now: datetime) -> tuple[str, UUID]:
    """Order the return of a Pix that we sent: the return's id, and the notice that now has to be delivered.

    More than is left is ordered all the same: it is the payer's bank that answers AM09. Raises Refusal 404 or 409.
    """
    original = await tx.get(Payment, body.end_to_end_id, with_for_update=True)
    if original is None or original.kind is not Kind.SENT or original.payee is None:
        raise not_found("A rede não conhece um Pix enviado com esse endToEndId.")
    if original.status is not Status.ACSC:
        raise conflict("O Pix ainda não foi liquidado, ou foi rejeitado.")
    left = original.amount.centavos - await given_back(tx, body.end_to_end_id)
    if body.amount is None and left <= 0:
        raise conflict("O Pix já foi devolvido por inteiro.")
    amount = body.amount or Money(left)
    provider_id = await provider_of(tx, original.account_id, body.end_to_end_id.ispb)
    if provider_id is None:
        raise conflict("Quem enviou o Pix não é cliente de nenhum provedor desta rede.")
    return_id = EndToEndId.new_return(original.payee["account"]["ispb"], now)
    facts: dict[str, Any] = {
        "end_to_end_id": return_id,
        "kind": Kind.RETURNED_TO_US,
        "status": Status.ACSP,
        "amount": amount,
        "account_id": original.account_id,
        "original_end_to_end_id": body.end_to_end_id,
        "created_at": now,
    }
    await _is_new(tx, facts)
    news = {
        "returnId": return_id,
        "originalEndToEndId": body.end_to_end_id,
        "amount": str(amount),
        "reason": "MD06",
        "createdAt": rfc3339(now),
    }
    due_at = leased(await database_now(tx))
    message = {"type": "return.received", "return": news}
    return return_id, announce(tx, return_id, provider_id, message, due_at=due_at)


async def _is_new(tx: AsyncSession, facts: dict[str, Any]) -> bool:
    """Write a row that waits for a verdict; False when its id is already in the book."""
    row = insert(Payment).values(**facts, copies=0, contradict=False).on_conflict_do_nothing()
    return (await tx.execute(row.returning(Payment.end_to_end_id))).first() is not None


async def _known(tx: AsyncSession, end_to_end_id: str, body: Pay) -> UUID | None:
    """The notice of a Pix that was ordered before. Raises Refusal 409 when it was another Pix."""
    payment = await tx.get_one(Payment, end_to_end_id)
    same_payee = payment.key == body.key_value if body.key_value else payment.account_id == body.account_id
    if payment.kind is not Kind.RECEIVED or payment.amount != body.amount or not same_payee:
        raise conflict("Já existe outro Pix com esse endToEndId.")
    return (await tx.execute(select(Notice.id).where(Notice.end_to_end_id == end_to_end_id))).scalar_one_or_none()


async def _customer(tx: AsyncSession, body: Pay) -> CustomerAccount | None:
    if body.account_id is not None:
        return await tx.get(CustomerAccount, body.account_id)
    same_place = (
        CustomerAccount.ispb == DirectoryEntry.ispb,
        CustomerAccount.branch == DirectoryEntry.branch,
        CustomerAccount.number == DirectoryEntry.number,
    )
    live = (DirectoryEntry.key == body.key_value, DirectoryEntry.removed_at.is_(None))
    return (await tx.execute(select(CustomerAccount).where(*same_place, *live))).scalar_one_or_none()


def _payer(somebody: Somebody, ispb: str) -> dict[str, Any]:
    account = {"ispb": ispb, "branch": "0001", "number": "543210", "type": "CACC"}
    return {"name": somebody.name, "taxId": str(somebody.document), "account": account}


def _payee(account: CustomerAccount, key: str | None) -> dict[str, Any]:
    place = {"ispb": account.ispb, "branch": account.branch, "number": account.number, "type": account.type}
    return {"taxId": account.holder_tax_id, "account": place, "key": key}
