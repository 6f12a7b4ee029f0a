"""/transfers/internal: where transfers between a tenant's own accounts are reached."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from lastro.asking import TheAttempt, TheBank
from lastro.auth.caller import Caller
from lastro.auth.permissions import Permission
from lastro.auth.requires import requires
from lastro.http import api_router, respond
from lastro.transfers import resources, service
from lastro.transfers.resources import NewTransferBody, TransferCollection, TransferDocument, TransferQuery

router = api_router("/transfers/internal", "Transferências")

Maker = Annotated[Caller, requires(Permission.TRANSFERS_CREATE)]
Reader = Annotated[Caller, requires(Permission.TRANSFERS_READ)]


@router.post("", status_code=201, response_model=TransferDocument)
async def create(body: NewTransferBody, caller: Maker, bank: TheBank, attempt: TheAttempt) -> Response:
    """Transferir entre contas da empresa."""
    return respond(await service.create(bank, caller, body.data.attributes.order(), attempt))


@router.get("")
async def search(query: Annotated[TransferQuery, Query()], caller: Reader, bank: TheBank) -> TransferCollection:
    """Listar transferências entre contas da empresa."""
    async with bank.db.reading() as tx:
        found = await service.search(tx, caller, query)
    return resources.listing(found, query)


@router.get("/{internal_transfer_id}")
async def get(internal_transfer_id: UUID, caller: Reader, bank: TheBank) -> TransferDocument:
    """Obter transferência entre contas por ID."""
    async with bank.db.reading() as tx:
        transfer = await service.get(tx, caller, internal_transfer_id)
    return resources.document(transfer)
