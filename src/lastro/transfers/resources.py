"""How internal transfers look on the wire."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from lastro.jsonapi.document import Body, Collection, Document, Incoming, Resource, Schema, SelfLink, link
from lastro.jsonapi.fields import Amount, CorrelationId, Reais, Timestamp, line
from lastro.jsonapi.query import DatedQuery, collection
from lastro.paging import Found
from lastro.transfers.models import InternalTransfer
from lastro.transfers.order import TransferOrder
from lastro.transfers.states import InternalTransferStatus

Kind = Literal["internal-transfers"]
Description = Annotated[str, *line(140)]


class NewInternalTransfer(Incoming):
    """What a client sends to move money between two of its accounts."""

    account_id: Annotated[UUID, Field(description="ID da conta de origem")]
    recipient_account_id: Annotated[UUID, Field(description="ID da conta de destino, da mesma empresa")]
    amount: Annotated[Amount, Field(description="Valor da transferência, em reais")]
    description: Annotated[Description | None, Field(description="Descrição da transferência")] = None
    correlation_id: CorrelationId | None = None

    def order(self) -> TransferOrder:
        """The transfer in our words."""
        return TransferOrder(
            self.account_id, self.recipient_account_id, self.amount, self.description, self.correlation_id
        )


class InternalTransferAttributes(Schema):
    """An internal transfer."""

    account_id: UUID
    recipient_account_id: UUID
    amount: Reais
    status: InternalTransferStatus
    description: str | None
    correlation_id: str | None
    completed_at: Timestamp
    created_at: Timestamp


class TransferQuery(DatedQuery):
    """How internal transfers can be listed."""

    account_id: UUID | None = Field(
        default=None, alias="filter[accountId]", description="Conta de origem ou de destino."
    )
    correlation_id: CorrelationId | None = Field(default=None, alias="filter[correlationId]")


NewTransferBody = Body[Kind, NewInternalTransfer]
TransferResource = Resource[Kind, InternalTransferAttributes]
TransferDocument = Document[Kind, InternalTransferAttributes]
TransferCollection = Collection[Kind, InternalTransferAttributes]


def resource(transfer: InternalTransfer) -> TransferResource:
    """One internal transfer."""
    return TransferResource(
        type="internal-transfers",
        id=transfer.id,
        links=SelfLink(self=link(f"/transfers/internal/{transfer.id}")),
        attributes=InternalTransferAttributes(
            account_id=transfer.account_id,
            recipient_account_id=transfer.recipient_account_id,
            amount=transfer.amount,
            status=transfer.status,
            description=transfer.description,
            correlation_id=transfer.correlation_id,
            completed_at=transfer.completed_at,
            created_at=transfer.created_at,
        ),
    )


def document(transfer: InternalTransfer) -> TransferDocument:
    """The answer about one internal transfer."""
    data = resource(transfer)
    return TransferDocument(data=data, links=data.links)


def listing(found: Found[InternalTransfer], query: TransferQuery) -> TransferCollection:
    """The answer to a list."""
    return collection(found, query, "/transfers/internal", resource)
