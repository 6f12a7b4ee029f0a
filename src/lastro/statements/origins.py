"""What a movement of the ledger was: a Pix, a refund, a transfer; and who stood on the other side of it."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from lastro.accounts.models import Account
from lastro.database import among
from lastro.ledger.history import REFERENCE, Entry
from lastro.ledger.movements import Reason
from lastro.pix.inbox import InboxRow, MessageKind
from lastro.pix.payments.models import PixPayment
from lastro.pix.refunds.models import PixRefund
from lastro.pix.transfers.models import PixTransfer
from lastro.providers.models import ProviderRow
from lastro.providers.protocol import Party
from lastro.transfers.models import InternalTransfer
from lastro.values.participants import participant
from lastro.values.tax_id import DocumentType, TaxId


class LineType(StrEnum):
    """What a line is."""

    PIX_SENT = "PIX_SENT"
    PIX_RECEIVED = "PIX_RECEIVED"
    PIX_REFUND_SENT = "PIX_REFUND_SENT"
    PIX_REFUND_RECEIVED = "PIX_REFUND_RECEIVED"
    TRANSFER_SENT = "TRANSFER_SENT"
    TRANSFER_RECEIVED = "TRANSFER_RECEIVED"


ResourceType = Literal["pix-payments", "pix-transfers", "pix-refunds", "internal-transfers"]

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
    resource_type: ResourceType
    resource_id: UUID
    counterparty: Counterparty
    description: str | None
    e2e_id: str | None
    correlation_id: str | None = None


def shown_document(tax_id: TaxId, *, whole: bool) -> str:
    """A company's is public; a person's is masked, unless the network told it to the account's holder whole."""
    return tax_id.punctuated if whole or tax_id.kind is DocumentType.CNPJ else tax_id.masked


def _counterparty(party: Party, *, whole: bool) -> Counterparty:
    """The other side. Who pays us tells the document whole; of a payee the directory shows a masked one (DICT, 8.1)."""
    return _other_side(party.name, party.tax_id, party.account.ispb, whole=whole)


def _other_side(name: str, tax_id: TaxId, ispb: str, *, whole: bool) -> Counterparty:
    bank = participant(ispb)
    return Counterparty(name, shown_document(tax_id, whole=whole), bank.short_name if bank else None, ispb)


_Question = Callable[[AsyncSession, UUID, Collection[UUID]], Awaitable[Mapping[UUID, Origin]]]


async def find(tx: AsyncSession, account_id: UUID, entries: Sequence[Entry]) -> Mapping[UUID, Origin]:
    """By reference. Each question is asked of what the ones before did not answer; most pages need one or two."""
    by_reason: dict[Reason, set[UUID]] = {}
    for each in entries:
        by_reason.setdefault(each.reason, set()).add(each.reference)
    origins: dict[UUID, Origin] = {}
    for reasons, questions in _QUESTIONS:
        references = set[UUID]().union(*(by_reason.get(reason, ()) for reason in reasons))
        for question in questions:
            if unknown := references - origins.keys():
                origins |= await question(tx, account_id, unknown)
    return origins


def narrowed(account_id: UUID, kind: LineType) -> tuple[frozenset[Reason], Sequence[ColumnElement[bool]]]:
    """The movements that become lines of this type: their reasons, and what they must be about."""
    refund = select(PixRefund.id).where(PixRefund.account_id == account_id, PixRefund.id == REFERENCE).exists()
    pix = select(PixTransfer.id).where(PixTransfer.account_id == account_id, PixTransfer.id == REFERENCE).exists()
    internal = (
        select(InternalTransfer.id)
        .where(InternalTransfer.recipient_account_id == account_id, InternalTransfer.id == REFERENCE)
        .exists()
    )
    match kind:
        case LineType.PIX_SENT:
            return frozenset({Reason.SETTLE, Reason.PAY}), [~refund]
        case LineType.PIX_REFUND_SENT:
            return frozenset({Reason.SETTLE, Reason.PAY}), [refund]
        case LineType.TRANSFER_SENT:
            return frozenset({Reason.TRANSFER}), []
        case LineType.PIX_RECEIVED:
            return frozenset({Reason.RECEIVE, Reason.COLLECT}), [pix]
        case LineType.PIX_REFUND_RECEIVED:
            return frozenset({Reason.RECEIVE, Reason.COLLECT}), [~pix, ~internal]
        case LineType.TRANSFER_RECEIVED:
            return frozenset({Reason.COLLECT}), [internal]


async def _payments(tx: AsyncSession, account_id: UUID, ids: Collection[UUID]) -> Mapping[UUID, Origin]:
    query = select(
        PixPayment.id, PixPayment.payee, PixPayment.description, PixPayment.e2e_id, PixPayment.correlation_id
    ).where(PixPayment.account_id == account_id, among(PixPayment.id, ids))
    return {
        row.id: Origin(
            LineType.PIX_SENT,
            "pix-payments",
            row.id,
            _counterparty(row.payee, whole=False),
            row.description,
            row.e2e_id,
            row.correlation_id,
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
            _counterparty(row.payer, whole=True),
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
            _counterparty(row.payer, whole=True),
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
    return {row.reference: _came_back(row.id, row.payee, row.end_to_end_id) for row in await tx.execute(query)}


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
    other = _counterparty(payee, whole=False)
    return Origin(LineType.PIX_REFUND_RECEIVED, "pix-payments", payment_id, other, None, return_id)


async def _given(tx: AsyncSession, account_id: UUID, ids: Collection[UUID]) -> Mapping[UUID, Origin]:
    """Transfers to other accounts of the tenant."""
    condition = (InternalTransfer.account_id == account_id) & among(InternalTransfer.id, ids)
    return await _internal(tx, LineType.TRANSFER_SENT, InternalTransfer.recipient_account_id, condition)


async def _taken(tx: AsyncSession, account_id: UUID, ids: Collection[UUID]) -> Mapping[UUID, Origin]:
    """Transfers from other accounts of the tenant."""
    condition = (InternalTransfer.recipient_account_id == account_id) & among(InternalTransfer.id, ids)
    return await _internal(tx, LineType.TRANSFER_RECEIVED, InternalTransfer.account_id, condition)


async def _internal(
    tx: AsyncSession, kind: LineType, other: InstrumentedAttribute[UUID], condition: ColumnElement[bool]
) -> Mapping[UUID, Origin]:
    transfer = InternalTransfer
    query = (
        select(
            transfer.id, transfer.description, transfer.correlation_id, Account.holder_name, Account.holder_document,
            Account.holder_document_type, ProviderRow.ispb,
        )
        .join(Account, Account.id == other)
        .join(ProviderRow, ProviderRow.id == Account.provider_id)
        .where(condition)
    )  # fmt: skip
    return {
        row.id: Origin(
            kind,
            "internal-transfers",
            row.id,
            _other_side(row.holder_name, TaxId(row.holder_document, row.holder_document_type), row.ispb, whole=True),
            row.description,
            None,
            row.correlation_id,
        )
        for row in await tx.execute(query)
    }


_QUESTIONS: Sequence[tuple[Collection[Reason], Sequence[_Question]]] = (
    ((Reason.SETTLE, Reason.PAY), (_payments, _refunds)),
    ((Reason.TRANSFER,), (_given,)),
    ((Reason.RECEIVE,), (_transfers, _returns)),
    ((Reason.COLLECT,), (_transfers, _taken, _refunds_inside)),
)
"""What a movement may be about, by why it moved; the usual first."""
