"""/accounts/:id/kyc: where documents are sent and a review is followed."""

from typing import Annotated
from uuid import UUID

from fastapi import Response

from lastro.asking import TheAttempt, TheBank
from lastro.auth.caller import Caller
from lastro.auth.permissions import Permission
from lastro.auth.requires import requires
from lastro.http import api_router, respond
from lastro.kyc import service
from lastro.kyc.resources import KycBody, KycDocumentAnswer

router = api_router("/accounts", "KYC (Know Your Customer)")

Sender = Annotated[Caller, requires(Permission.ACCOUNTS_KYC)]
Reader = Annotated[Caller, requires(Permission.ACCOUNTS_KYC_READ)]


@router.post("/{account_id}/kyc", response_model=KycDocumentAnswer)
async def send(account_id: UUID, body: KycBody, caller: Sender, bank: TheBank, attempt: TheAttempt) -> Response:
    """Enviar documentos KYC."""
    return respond(await service.send(bank, caller, account_id, body.data.attributes.papers(), attempt))


@router.get("/{account_id}/kyc")
async def get(account_id: UUID, caller: Reader, bank: TheBank) -> KycDocumentAnswer:
    """Consultar status KYC."""
    async with bank.db.reading() as tx:
        return await service.get(tx, caller, account_id)
