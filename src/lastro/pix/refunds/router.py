"""/pix/transfers/:id/refund and /pix/refunds: where refunds are asked for and followed."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from lastro.asking import TheAttempt, TheBank
from lastro.auth.caller import Caller
from lastro.auth.permissions import Permission
from lastro.auth.requires import requires
from lastro.http import api_router, respond
from lastro.pix.refunds import resources, service
from lastro.pix.refunds.resources import (
    NewRefundBody,
    RefundCollection,
    RefundDocument,
    RefundQuery,
    RefundsOfTransferQuery,
)

router = api_router("/pix", "Pix")

Refunder = Annotated[Caller, requires(Permission.PIX_REFUND)]
Reader = Annotated[Caller, requires(Permission.PIX_READ)]


@router.post("/transfers/{transfer_id}/refund", status_code=201, response_model=RefundDocument)
async def create(
    transfer_id: UUID, body: NewRefundBody, caller: Refunder, bank: TheBank, attempt: TheAttempt
) -> Response:
    """Devolver Pix (total ou parcial)."""
    return respond(await service.create(bank, caller, transfer_id, body.data.attributes.order(), attempt))


@router.get("/transfers/{transfer_id}/refunds", name="search")
async def of_transfer(
    transfer_id: UUID, query: Annotated[RefundsOfTransferQuery, Query()], caller: Reader, bank: TheBank
) -> RefundCollection:
    """Listar devoluções de um Pix recebido."""
    async with bank.db.reading() as tx:
        found = await service.of_transfer(tx, caller, transfer_id, query.page())
    return resources.listing(found, query, f"/pix/transfers/{transfer_id}/refunds")


@router.get("/refunds")
async def search(query: Annotated[RefundQuery, Query()], caller: Reader, bank: TheBank) -> RefundCollection:
    """Listar devoluções."""
    async with bank.db.reading() as tx:
        found = await service.search(tx, caller, query)
    return resources.listing(found, query, "/pix/refunds")


@router.get("/refunds/{refund_id}")
async def get(refund_id: UUID, caller: Reader, bank: TheBank) -> RefundDocument:
    """Obter devolução por ID."""
    async with bank.db.reading() as tx:
        refund = await service.get(tx, caller, refund_id)
    return resources.document(refund)
