"""How received Pix look on the wire."""

from typing import Literal
from uuid import UUID

from pydantic import Field

from lastro.jsonapi.document import Collection, Document, Resource, Schema, SelfLink, link
from lastro.jsonapi.fields import Reais, Timestamp
from lastro.jsonapi.query import DatedQuery, collection
from lastro.paging import Found
from lastro.pix.transfers.models import PixTransfer, TransferStatus
from lastro.pix.transfers.order import Credit
from lastro.providers.protocol import Party
from lastro.values.money import Money
from lastro.values.participants import participant
from lastro.values.tax_id import DocumentType

Kind = Literal["pix-transfers"]


class Payer(Schema):
    """Who paid."""

    name: str
    document: str
    document_type: DocumentType
    bank_code: str | None
    bank_name: str | None
    ispb: str


class TransferAttributes(Schema):
    """A received Pix."""

    account_id: UUID
    amount: Reais
    refunded_amount: Reais
    status: TransferStatus
    payer: Payer
    e2e_id: str
    txid: str | None
    key_value: str | None
    description: str | None
    created_at: Timestamp
    updated_at: Timestamp


class TransferQuery(DatedQuery):
    """How received Pix can be listed."""

    account_id: UUID | None = Field(default=None, alias="filter[accountId]")
    e2e_id: str | None = Field(default=None, alias="filter[e2eId]", max_length=40)
    txid: str | None = Field(default=None, alias="filter[txid]", max_length=40)


TransferResource = Resource[Kind, TransferAttributes]
TransferDocument = Document[Kind, TransferAttributes]
TransferCollection = Collection[Kind, TransferAttributes]


def resource(transfer: PixTransfer) -> TransferResource:
    """One received Pix."""
    return TransferResource(
        type="pix-transfers",
        id=transfer.id,
        links=SelfLink(self=link(f"/pix/transfers/{transfer.id}")),
        attributes=TransferAttributes(
            account_id=transfer.account_id,
            amount=transfer.amount,
            refunded_amount=transfer.refunded,
            status=transfer.status,
            payer=_payer(transfer.payer),
            e2e_id=transfer.e2e_id,
            txid=transfer.txid,
            key_value=transfer.key,
            description=transfer.description,
            created_at=transfer.created_at,
            updated_at=transfer.updated_at,
        ),
    )


def credited(credit: Credit) -> TransferResource:
    """What a credit will be, once it is written."""
    assert credit.account_id is not None  # noqa: S101 - without one it is refused
    return TransferResource(
        type="pix-transfers",
        id=credit.id,
        links=SelfLink(self=link(f"/pix/transfers/{credit.id}")),
        attributes=TransferAttributes(
            account_id=credit.account_id,
            amount=credit.amount,
            refunded_amount=Money(0),
            status=TransferStatus.COMPLETED,
            payer=_payer(credit.payer),
            e2e_id=credit.end_to_end_id,
            txid=credit.txid,
            key_value=credit.key,
            description=credit.description,
            created_at=credit.arrived_at,
            updated_at=credit.arrived_at,
        ),
    )


def _payer(party: Party) -> Payer:
    bank = participant(party.account.ispb)
    return Payer(
        name=party.name,
        document=party.tax_id.punctuated,
        document_type=party.tax_id.kind,
        bank_code=bank.compe if bank else None,
        bank_name=bank.short_name if bank else None,
        ispb=party.account.ispb,
    )


def document(transfer: PixTransfer) -> TransferDocument:
    """The answer about one received Pix."""
    data = resource(transfer)
    return TransferDocument(data=data, links=data.links)


def listing(found: Found[PixTransfer], query: TransferQuery) -> TransferCollection:
    """The answer to a list."""
    return collection(found, query, "/pix/transfers", resource)
