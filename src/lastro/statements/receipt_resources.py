"""How a receipt looks on the wire."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, PlainSerializer, WithJsonSchema

from lastro.jsonapi.document import Document, Resource, Schema, SelfLink, link
from lastro.jsonapi.fields import Reais, Timestamp
from lastro.pix.payments.states import PaymentStatus
from lastro.statements.lines import Direction
from lastro.statements.period import local
from lastro.statements.receipts import Receipt, Side
from lastro.values.tax_id import DocumentType

Kind = Literal["pix-receipts"]


class ReceiptFormat(StrEnum):
    """What a receipt can be had as."""

    JSON = "json"
    PDF = "pdf"


LocalTime = Annotated[
    datetime,
    PlainSerializer(lambda moment: local(moment).isoformat(timespec="seconds"), return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2024-01-15T07:30:00-03:00"]}),
]
"""A moment as clocks in São Paulo show it."""


class ReceiptSide(Schema):
    """Who paid or was paid. A CPF is masked. Branch and account are those of the side whose receipt it is."""

    name: str
    document: str
    document_type: DocumentType
    bank_code: str | None
    bank_name: str | None
    ispb: str
    branch: str | None
    account_number: str | None


class ReceiptAttributes(Schema):
    """All that a receipt says."""

    account_id: UUID
    direction: Direction
    status: Literal[PaymentStatus.COMPLETED, PaymentStatus.REVERSED]
    amount: Reais
    returned_amount: Reais
    completed_at: Timestamp
    local_completed_at: LocalTime
    e2e_id: str
    txid: str | None
    key_value: str | None
    description: str | None
    payer: ReceiptSide
    payee: ReceiptSide
    authentication: Annotated[str, Field(description="Resumo do que não muda, para comparar duas vias")]


ReceiptDocument = Document[Kind, ReceiptAttributes]


def document(receipt: Receipt) -> ReceiptDocument:
    """The answer: a receipt has the id of the payment or transfer that it is about."""
    kind = "payments" if receipt.direction is Direction.DEBIT else "transfers"
    links = SelfLink(self=link(f"/pix/{kind}/{receipt.resource_id}/receipt"))
    data = Resource[Kind, ReceiptAttributes](
        type="pix-receipts",
        id=receipt.resource_id,
        links=links,
        attributes=ReceiptAttributes(
            account_id=receipt.account_id,
            direction=receipt.direction,
            status=receipt.status,
            amount=receipt.amount,
            returned_amount=receipt.returned,
            completed_at=receipt.concluded_at,
            local_completed_at=receipt.concluded_at,
            e2e_id=receipt.e2e_id,
            txid=receipt.txid,
            key_value=receipt.key,
            description=receipt.description,
            payer=_side(receipt.payer),
            payee=_side(receipt.payee),
            authentication=receipt.authentication,
        ),
    )
    return ReceiptDocument(data=data, links=links)


def _side(side: Side) -> ReceiptSide:
    return ReceiptSide(
        name=side.name,
        document=side.document,
        document_type=side.document_type,
        bank_code=side.bank.compe if side.bank else None,
        bank_name=side.bank.short_name if side.bank else None,
        ispb=side.ispb,
        branch=side.branch,
        account_number=side.number,
    )
