"""/webhook-deliveries: where it can be seen what was told to whom."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from lastro.asking import TheAttempt, TheBank
from lastro.auth.caller import Caller
from lastro.auth.permissions import Permission
from lastro.auth.requires import requires
from lastro.http import api_router, respond
from lastro.subscribers.deliveries import resources, service
from lastro.subscribers.deliveries.resources import Attempts, DeliveryDocument, DeliveryLog, DeliveryQuery

router = api_router("/webhook-deliveries", "Webhooks")

Reader = Annotated[Caller, requires(Permission.WEBHOOKS_READ)]
Updater = Annotated[Caller, requires(Permission.WEBHOOKS_UPDATE)]


@router.get("")
async def search(query: Annotated[DeliveryQuery, Query()], caller: Reader, bank: TheBank) -> DeliveryLog:
    """Listar entregas, da mais nova à mais antiga."""
    async with bank.db.reading() as tx:
        found = await service.search(tx, caller, query)
    return resources.log(found, query)


@router.get("/{delivery_id}")
async def get(delivery_id: UUID, caller: Reader, bank: TheBank) -> DeliveryDocument:
    """Obter entrega por ID."""
    async with bank.db.reading() as tx:
        found = await service.get(tx, caller, delivery_id)
    return resources.document(found)


@router.get("/{delivery_id}/attempts")
async def attempts(delivery_id: UUID, caller: Reader, bank: TheBank) -> Attempts:
    """Listar tentativas de uma entrega."""
    async with bank.db.reading() as tx:
        made = await service.attempts(tx, caller, delivery_id)
    return resources.attempts(delivery_id, made)


@router.post("/{delivery_id}/replay", response_model=DeliveryDocument)
async def replay(delivery_id: UUID, caller: Updater, bank: TheBank, attempt: TheAttempt) -> Response:
    """Entregar de novo."""
    return respond(await service.replay(bank, caller, delivery_id, attempt))
