"""The lines of a statement: each movement that changed the balance, with what it was and who stood on the other side."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.database import among
from lastro.ledger import history
from lastro.ledger.history import CREDITS, DEBITS, REFERENCE, Entry
from lastro.ledger.movements import Reason
from lastro.pix.inbox import InboxRow, MessageKind
from lastro.pix.payments.models import PixPayment
from lastro.pix.refunds.models import PixRefund
from lastro.pix.transfers.models import PixTransfer
from lastro.providers.protocol import Party
from lastro.values.money import Money
from lastro.values.participants import participant
from lastro.values.tax_id import DocumentType, TaxId


class Direction(StrEnum):
    """Money came in, or went out."""

    CREDIT = "CREDIT"
    DEBIT = "DEBIT"


class LineType(StrEnum):
    """What a line is."""

    PIX_SENT = "PIX_SENT"
    PIX_RECEIVED = "PIX_RECEIVED"
    PIX_REFUND_SENT = "PIX_REFUND_SENT"
    PIX_REFUND_RECEIVED = "PIX_REFUND_RECEIVED"
    TRANSFER_SENT = "TRANSFER_SENT"
    TRANSFER_RECEIVED = "TRANSFER_RECEIVED"


NAMES: Mapping[LineType, str] = {
    LineType.PIX_SENT: "Pix enviado",
    LineType.PIX_RECEIVED: "Pix recebido",
    LineType.PIX_REFUND_SENT: "Devolução de Pix enviada",
    LineType.PIX_REFUND_RECEIVED: "Devolução de Pix recebida",
    LineType.TRANSFER_SENT: "Transferência enviada",
    LineType.TRANSFER_RECEIVED: "Transferência recebida",
}
"""As the files write them."""


@dataclass(frozen=True, slots=True)
class Counterparty:
    """Who stood on the other side, as far as the account's holder may see it."""

    name: str
    document: str
    bank_name: str | None
    ispb: str


@dataclass(frozen=True, slots=True)
class Origin:
    """What a movement was: its type, the resource that tells more, and the other side."""

    type: LineType
    resource_type: str
    resource_id: UUID
    counterparty: Counterparty
    description: str | None
    e2e_id: str | None
    correlation_id: str | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One line. Its id tells account and number, and nothing else has it."""

    id: UUID
    posted_at: datetime
    direction: Direction
    amount: Money
    balance_after: Money
    origin: Origin


_SEQ_BITS, _TAIL_BITS = 48, 62
_LOW = (1 << _TAIL_BITS) - 1


def line_id(account_id: UUID, seq: int) -> UUID:
    """The id of a line: a UUID of version 8 (RFC 9562) with the movement's number in front, so that ids sort like lines,
    and a digest of account and number behind."""
    digest = hashlib.blake2b(account_id.bytes + seq.to_bytes(8), digest_size=10, person=b"statement-line").digest()
    seal = int.from_bytes(digest)
    upper = seq << 16 | 0x8000 | (seal >> _TAIL_BITS) & 0xFFF
    return UUID(int=upper << 64 | 0b10 << _TAIL_BITS | seal & _LOW)


def seq_of(account_id: UUID, id_of_line: UUID) -> int | None:
    """The movement's number, if this is the id of a line of this account."""
    seq = id_of_line.int >> 128 - _SEQ_BITS
    return seq if line_id(account_id, seq) == id_of_line else None


def shown_document(tax_id: TaxId, *, whole: bool) -> str:
    """A company's is public; a person's is masked, unless the network told it to the account's holder whole."""
    return tax_id.punctuated if whole or tax_id.kind is DocumentType.CNPJ else tax_id.masked


def counterparty(party: Party, *, whole: bool) -> Counterparty:
    """The other side. Who pays us tells the document whole; of a payee the directory shows a masked one (DICT, 8.1)."""
    bank = participant(party.account.ispb)
    return Counterparty(
        name=party.name,
        document=shown_document(party.tax_id, whole=whole),
        bank_name=bank.short_name if bank else None,
        ispb=party.account.ispb,
    )


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines somebody wants; None is all of them."""

    direction: Direction | None = None
    type: LineType | None = None


async def read(
    tx: AsyncSession, account_id: UUID, *, after: int, last: int, limit: int, wanted: Wanted | None = None
) -> Sequence[Line]:
    """The first lines among the movements after number `after`, up to `last`, oldest first."""
    reasons, conditions = _narrowed(account_id, wanted or Wanted())
    found = await history.entries(
        tx, account_id, after=after, last=last, limit=limit, reasons=reasons, conditions=conditions
    )
    origins = await _origins(tx, account_id, found)
    return [
        Line(
            id=line_id(account_id, each.seq),
            posted_at=each.posted_at,
            direction=Direction.CREDIT if each.is_credit else Direction.DEBIT,
            amount=each.amount,
            balance_after=each.total_after,
            origin=origins[each.reference],
        )
        for each in found
    ]


def _narrowed(account_id: UUID, wanted: Wanted) -> tuple[Collection[Reason], Sequence[ColumnElement[bool]]]:
    """What is wanted, in words of the ledger: reasons, and what the movements must be about."""
    reasons = {None: CREDITS | DEBITS, Direction.CREDIT: CREDITS, Direction.DEBIT: DEBITS}[wanted.direction]
    if wanted.type is None:
        return reasons, ()
    about_refund = select(PixRefund.id).where(PixRefund.account_id == account_id, PixRefund.id == REFERENCE).exists()
    about_transfer = (
        select(PixTransfer.id).where(PixTransfer.account_id == account_id, PixTransfer.id == REFERENCE).exists()
    )
    match wanted.type:
        case LineType.PIX_SENT:
            return reasons & DEBITS, [~about_refund]
        case LineType.PIX_REFUND_SENT:
            return reasons & DEBITS, [about_refund]
        case LineType.PIX_RECEIVED:
            return reasons & CREDITS, [about_transfer]
        case LineType.PIX_REFUND_RECEIVED:
            return reasons & CREDITS, [~about_transfer]
    return (), ()


async def _origins(tx: AsyncSession, account_id: UUID, found: Sequence[Entry]) -> Mapping[UUID, Origin]:
    """By reference. Each question is asked of what the ones before did not answer; most pages need one or two."""
    debits = {each.reference for each in found if not each.is_credit}
    credited = {each.reference for each in found if each.is_credit}
    origins: dict[UUID, Origin] = {}
    for references, questions in ((debits, (_payments, _refunds)), (credited, (_transfers, _returns, _refunds_inside))):
        for question in questions:
            if unknown := references - origins.keys():
                origins |= await question(tx, account_id, unknown)
    return origins


async def _payments(tx: AsyncSession, account_id: UUID, ids: Collection[UUID]) -> Mapping[UUID, Origin]:
    query = select(PixPayment.id, PixPayment.payee, PixPayment.description, PixPayment.e2e_id).where(
        PixPayment.account_id == account_id, among(PixPayment.id, ids)
    )
    return {
        row.id: Origin(
            LineType.PIX_SENT,
            "pix-payments",
            row.id,
            counterparty(row.payee, whole=False),
            row.description,
            row.e2e_id,
        )
        for row in await tx.execute(query)
    }


async def _refunds(tx: AsyncSession, account_id: UUID, ids: Collection[UUID]) -> Mapping[UUID, Origin]:
    query = (
        select(PixRefund.id, PixRefund.reason, PixRefund.e2e_id, PixTransfer.payer)
        .join(PixTransfer, (PixTransfer.account_id == PixRefund.account_id) & (PixTransfer.id == PixRefund.transfer_id))
        .where(PixRefund.account_id == account_id, among(PixRefund.id, ids))
    )
    return {
        row.id: Origin(
            LineType.PIX_REFUND_SENT,
            "pix-refunds",
            row.id,
            counterparty(row.payer, whole=True),
            row.reason,
            row.e2e_id,
        )
        for row in await tx.execute(query)
    }


async def _transfers(tx: AsyncSession, account_id: UUID, ids: Collection[UUID]) -> Mapping[UUID, Origin]:
    query = select(PixTransfer.id, PixTransfer.payer, PixTransfer.description, PixTransfer.e2e_id).where(
        PixTransfer.account_id == account_id, among(PixTransfer.id, ids)
    )
    return {
        row.id: Origin(
            LineType.PIX_RECEIVED,
            "pix-transfers",
            row.id,
            counterparty(row.payer, whole=True),
            row.description,
            row.e2e_id,
        )
        for row in await tx.execute(query)
    }


async def _returns(tx: AsyncSession, account_id: UUID, ids: Collection[UUID]) -> Mapping[UUID, Origin]:
    """What the network brought back of payments of this account."""
    query = (
        select(InboxRow.reference, InboxRow.end_to_end_id, PixPayment.id, PixPayment.payee)
        .join(PixPayment, (PixPayment.account_id == InboxRow.account_id) & (PixPayment.id == InboxRow.original_id))
        .where(
            InboxRow.account_id == account_id, InboxRow.kind == MessageKind.RETURN.value, among(InboxRow.reference, ids)
        )
    )
    return {
        row.reference: _came_back(row.id, row.payee, row.end_to_end_id) for row in (await tx.execute(query)).tuples()
    }


async def _refunds_inside(tx: AsyncSession, account_id: UUID, ids: Collection[UUID]) -> Mapping[UUID, Origin]:
    """What another customer of the bank gave back."""
    query = (
        select(PixRefund.id.label("refund_id"), PixRefund.e2e_id, PixPayment.id, PixPayment.payee)
        .join(PixTransfer, (PixTransfer.account_id == PixRefund.account_id) & (PixTransfer.id == PixRefund.transfer_id))
        .join(
            PixPayment,
            (PixPayment.account_id == PixTransfer.payment_account_id) & (PixPayment.id == PixTransfer.payment_id),
        )
        .where(among(PixRefund.id, ids), PixPayment.account_id == account_id)
    )
    return {row.refund_id: _came_back(row.id, row.payee, row.e2e_id) for row in await tx.execute(query)}


def _came_back(payment_id: UUID, payee: Party, return_id: str) -> Origin:
    """(Part of) a payment came back. The reason is the other side's own word, and not shown."""
    other = counterparty(payee, whole=False)
    return Origin(LineType.PIX_REFUND_RECEIVED, "pix-payments", payment_id, other, None, return_id)
