"""/webhook-subscriptions: where endpoints are registered."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from lastro.asking import TheAttempt, TheBank
from lastro.auth.caller import Caller
from lastro.auth.permissions import Permission
from lastro.auth.requires import requires
from lastro.errors import ErrorCode, Flaw, Validation
from lastro.http import also, api_router, respond
from lastro.subscribers.subscriptions import replaying, resources, service, trying
from lastro.subscribers.subscriptions.resources import (
    NewReplayBody,
    NewSubscriptionBody,
    ReplayDocument,
    RevealedDocument,
    SubscriptionChange,
    SubscriptionCollection,
    SubscriptionDocument,
    SubscriptionQuery,
    TestDocument,
)
from lastro.values.text import Text

router = api_router("/webhook-subscriptions", "Webhooks")

Creator = Annotated[Caller, requires(Permission.WEBHOOKS_CREATE)]
Reader = Annotated[Caller, requires(Permission.WEBHOOKS_READ)]
Updater = Annotated[Caller, requires(Permission.WEBHOOKS_UPDATE)]
Remover = Annotated[Caller, requires(Permission.WEBHOOKS_DELETE)]

_OTHER_ID = Text("Deve ser igual ao id do endereço.", "Must equal the id of the path.")


@router.post("", status_code=201, response_model=RevealedDocument)
async def create(body: NewSubscriptionBody, caller: Creator, bank: TheBank, attempt: TheAttempt) -> Response:
    """Criar assinatura de webhook."""
    return respond(await service.create(bank, caller, body.data.attributes.wanted(), attempt))


@router.get("")
async def search(query: Annotated[SubscriptionQuery, Query()], caller: Reader, bank: TheBank) -> SubscriptionCollection:
    """Listar assinaturas de webhook."""
    async with bank.db.reading() as tx:
        found = await service.search(tx, caller, query)
    headers = {each.id: service.header_names(bank.key_ring, each) for each in found.rows}
    return resources.listing(found, headers, query)


@router.get("/{subscription_id}")
async def get(subscription_id: UUID, caller: Reader, bank: TheBank) -> SubscriptionDocument:
    """Obter assinatura de webhook por ID."""
    async with bank.db.reading() as tx:
        found = await service.get(tx, caller, subscription_id)
    return resources.document(found, service.header_names(bank.key_ring, found))


@router.patch("/{subscription_id}")
async def change(
    subscription_id: UUID, body: SubscriptionChange, caller: Updater, bank: TheBank
) -> SubscriptionDocument:
    """Atualizar assinatura de webhook."""
    if body.data.id not in {None, subscription_id}:
        raise Validation(_OTHER_ID, flaws=[Flaw(_OTHER_ID, pointer="/data/id")])
    return await service.change(bank, caller, subscription_id, body.data.attributes.alteration())


@router.delete("/{subscription_id}", status_code=204)
async def remove(subscription_id: UUID, caller: Remover, bank: TheBank) -> Response:
    """Excluir assinatura de webhook."""
    await service.remove(bank, caller, subscription_id)
    return Response(status_code=204)


@router.post("/{subscription_id}/pause", response_model=SubscriptionDocument)
async def pause(subscription_id: UUID, caller: Updater, bank: TheBank, attempt: TheAttempt) -> Response:
    """Pausar entregas."""
    return respond(await service.pause(bank, caller, subscription_id, attempt))


@router.post("/{subscription_id}/resume", response_model=SubscriptionDocument)
async def resume(subscription_id: UUID, caller: Updater, bank: TheBank, attempt: TheAttempt) -> Response:
    """Retomar entregas."""
    return respond(await service.resume(bank, caller, subscription_id, attempt))


@router.post("/{subscription_id}/rotate-secret", response_model=RevealedDocument)
async def rotate(subscription_id: UUID, caller: Updater, bank: TheBank, attempt: TheAttempt) -> Response:
    """Trocar o segredo; o anterior vale por mais 24 horas."""
    return respond(await service.rotate(bank, caller, subscription_id, attempt))


@router.post("/{subscription_id}/test", responses=also(ErrorCode.RATE_LIMITED))
async def test(subscription_id: UUID, caller: Updater, bank: TheBank) -> TestDocument:
    """Enviar um evento de teste agora."""
    return await trying.attempt(bank, caller, subscription_id)


@router.post("/{subscription_id}/replay", response_model=ReplayDocument)
async def replay(
    subscription_id: UUID, body: NewReplayBody, caller: Updater, bank: TheBank, attempt: TheAttempt
) -> Response:
    """Entregar eventos de novo."""
    return respond(await replaying.replay(bank, caller, subscription_id, body.data.attributes.again(), attempt))
