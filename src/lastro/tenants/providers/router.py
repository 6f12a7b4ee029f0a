"""/providers: the banks behind a tenant's accounts. They belong to the company as a whole."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from lastro.asking import TheAttempt, TheBank
from lastro.auth.caller import Caller
from lastro.auth.permissions import Permission
from lastro.auth.requires import requires
from lastro.errors import Flaw, Validation
from lastro.http import api_router, respond
from lastro.tenants.providers import examination, service
from lastro.tenants.providers.resources import (
    NewProviderBody,
    ProviderChange,
    ProviderCollection,
    ProviderDocument,
    ProviderQuery,
    TestDocument,
)
from lastro.values.text import Text

router = api_router("/providers", "Provedores")

Creator = Annotated[Caller, requires(Permission.PROVIDERS_CREATE)]
Reader = Annotated[Caller, requires(Permission.PROVIDERS_READ)]
Updater = Annotated[Caller, requires(Permission.PROVIDERS_UPDATE)]
Deleter = Annotated[Caller, requires(Permission.PROVIDERS_DELETE)]

_OTHER_ID = Text("Deve ser igual ao id do endereço.", "Must equal the id of the path.")


@router.post("", status_code=201, response_model=ProviderDocument)
async def create(body: NewProviderBody, caller: Creator, bank: TheBank, attempt: TheAttempt) -> Response:
    """Cadastrar provedor."""
    return respond(await service.create(bank, caller, body.data.attributes.order(), attempt))


@router.get("")
async def search(query: Annotated[ProviderQuery, Query()], caller: Reader, bank: TheBank) -> ProviderCollection:
    """Listar provedores."""
    return await service.search(bank, caller, query)


@router.get("/{provider_id}")
async def get(provider_id: UUID, caller: Reader, bank: TheBank) -> ProviderDocument:
    """Obter provedor por ID."""
    return await service.get(bank, caller, provider_id)


@router.patch("/{provider_id}")
async def change(provider_id: UUID, body: ProviderChange, caller: Updater, bank: TheBank) -> ProviderDocument:
    """Atualizar provedor."""
    if body.data.id not in {None, provider_id}:
        raise Validation(_OTHER_ID, flaws=[Flaw(_OTHER_ID, pointer="/data/id")])
    return await service.change(bank, caller, provider_id, body.data.attributes.changes())


@router.delete("/{provider_id}", status_code=204)
async def remove(provider_id: UUID, caller: Deleter, bank: TheBank) -> None:
    """Excluir provedor."""
    await service.remove(bank, caller, provider_id)


@router.post("/{provider_id}/test")
async def test(provider_id: UUID, caller: Updater, bank: TheBank) -> TestDocument:
    """Testar provedor."""
    return await examination.examine(bank, caller, provider_id)


@router.post("/{provider_id}/set-default", response_model=ProviderDocument)
async def make_default(provider_id: UUID, caller: Updater, bank: TheBank, attempt: TheAttempt) -> Response:
    """Tornar provedor padrão."""
    return respond(await service.make_default(bank, caller, provider_id, attempt))
