"""How refunds look on the wire."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from lastro.jsonapi.document import Body, Collection, Document, Incoming, Resource, Schema
from lastro.jsonapi.fields import Amount, Reais, Timestamp, line
from lastro.jsonapi.query import DatedQuery, ListQuery, collection
from lastro.paging import Found
from lastro.pix.refunds.models import PixRefund
from lastro.pix.refunds.order import RefundOrder
from lastro.pix.refunds.states import RefundStatus

Kind = Literal["pix-refunds"]
Reason = Annotated[str, *line(140)]


class NewRefund(Incoming):
    """What a client sends to give a received Pix back."""

    amount: Annotated[
        Amount | None, Field(description="Valor da devolução, em reais; se omitido, o que resta do Pix recebido")
    ] = None
    reason: Annotated[Reason | None, Field(description="Motivo da devolução")] = None

    def order(self) -> RefundOrder:
        """The refund in our words."""
        return RefundOrder(self.amount, self.reason)


class RefundAttributes(Schema):
    """A refund as the contract shows it; the last three are ours."""

    transfer_id: UUID
    amount: Reais
    status: RefundStatus
    reason: str | None
    e2e_id: str
    created_at: Timestamp
    updated_at: Timestamp
    account_id: UUID
    failure_reason: str | None
    completed_at: Timestamp | None


class RefundQuery(DatedQuery):
    """How refunds can be listed."""

    account_id: UUID | None = Field(default=None, alias="filter[accountId]")
    transfer_id: UUID | None = Field(default=None, alias="filter[transferId]")
    status: RefundStatus | None = Field(default=None, alias="filter[status]")
    e2e_id: str | None = Field(default=None, alias="filter[e2eId]", max_length=40)


class RefundsOfTransferQuery(ListQuery):
    """How the refunds of one received Pix can be listed."""


NewRefundBody = Body[Kind, NewRefund]
RefundResource = Resource[Kind, RefundAttributes]
RefundDocument = Document[Kind, RefundAttributes]
RefundCollection = Collection[Kind, RefundAttributes]


def resource(refund: PixRefund) -> RefundResource:
    """One refund."""
    return RefundResource(
        type="pix-refunds",
        id=refund.id,
        attributes=RefundAttributes(
            transfer_id=refund.transfer_id,
            amount=refund.amount,
            status=refund.status,
            reason=refund.reason,
            e2e_id=refund.e2e_id,
            created_at=refund.created_at,
            updated_at=refund.updated_at,
            account_id=refund.account_id,
            failure_reason=refund.failure_reason,
            completed_at=refund.completed_at,
        ),
    )


def document(refund: PixRefund) -> RefundDocument:
    """The answer about one refund."""
    return RefundDocument(data=resource(refund))


def listing(found: Found[PixRefund], query: ListQuery, path: str) -> RefundCollection:
    """The answer to a list."""
    return collection(found, query, path, resource)
