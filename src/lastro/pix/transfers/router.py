"""/pix/transfers: where received Pix are reached."""

from typing import Annotated
from uuid import UUID

from fastapi import Query

from lastro.asking import TheBank
from lastro.auth.caller import Caller
from lastro.auth.permissions import Permission
from lastro.auth.requires import requires
from lastro.http import api_router
from lastro.pix.transfers import resources, service
from lastro.pix.transfers.resources import TransferCollection, TransferDocument, TransferQuery

router = api_router("/pix/transfers", "Pix")

Reader = Annotated[Caller, requires(Permission.PIX_READ)]


@router.get("")
async def search(query: Annotated[TransferQuery, Query()], caller: Reader, bank: TheBank) -> TransferCollection:
    """Listar Pix recebidos."""
    async with bank.db.reading() as tx:
        found = await service.search(tx, caller, query)
    return resources.listing(found, query)


@router.get("/{transfer_id}")
async def get(transfer_id: UUID, caller: Reader, bank: TheBank) -> TransferDocument:
    """Obter Pix recebido por ID."""
    async with bank.db.reading() as tx:
        transfer = await service.get(tx, caller, transfer_id)
    return resources.document(transfer)
