"""/pix/payments: where payments are reached."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from lastro.asking import TheAttempt, TheBank
from lastro.auth.caller import Caller
from lastro.auth.permissions import Permission
from lastro.auth.requires import requires
from lastro.errors import ErrorCode
from lastro.http import also, api_router, respond
from lastro.pix.payments import resources, service
from lastro.pix.payments.resources import NewPaymentBody, PaymentCollection, PaymentDocument, PaymentQuery

router = api_router("/pix/payments", "Pix")

Sender = Annotated[Caller, requires(Permission.PIX_SEND)]
Reader = Annotated[Caller, requires(Permission.PIX_READ)]


@router.post("", status_code=201, response_model=PaymentDocument, responses=also(ErrorCode.RATE_LIMITED))
async def send(body: NewPaymentBody, caller: Sender, bank: TheBank, attempt: TheAttempt) -> Response:
    """Enviar Pix."""
    return respond(await service.send(bank, caller, body.data.attributes.wish(), attempt))


@router.get("")
async def search(query: Annotated[PaymentQuery, Query()], caller: Reader, bank: TheBank) -> PaymentCollection:
    """Listar pagamentos Pix."""
    async with bank.db.reading() as tx:
        found = await service.search(tx, caller, query)
    return resources.listing(found, query)


@router.get("/{payment_id}")
async def get(payment_id: UUID, caller: Reader, bank: TheBank) -> PaymentDocument:
    """Obter pagamento Pix por ID."""
    async with bank.db.reading() as tx:
        payment = await service.get(tx, caller, payment_id)
    return resources.document(payment)
