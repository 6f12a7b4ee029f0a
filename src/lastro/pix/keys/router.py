"""/pix/keys: where keys are reached."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from lastro.asking import TheAttempt, TheBank
from lastro.auth.caller import Caller
from lastro.auth.permissions import Permission
from lastro.auth.requires import requires
from lastro.errors import ErrorCode
from lastro.http import also, api_router, respond
from lastro.pix.keys import resources, service
from lastro.pix.keys.resources import KeyCollection, KeyDocument, KeyQuery, NewKeyBody, ProofBody

router = api_router("/pix/keys", "Chaves Pix")

Registrar = Annotated[Caller, requires(Permission.PIX_KEYS_CREATE)]
Reader = Annotated[Caller, requires(Permission.PIX_KEYS_READ)]
Remover = Annotated[Caller, requires(Permission.PIX_KEYS_DELETE)]


@router.post("", status_code=201, response_model=KeyDocument, responses=also(ErrorCode.RATE_LIMITED))
async def register(body: NewKeyBody, caller: Registrar, bank: TheBank, attempt: TheAttempt) -> Response:
    """Registrar chave Pix."""
    return respond(await service.register(bank, caller, body.data.attributes.registration(), attempt))


@router.get("")
async def search(query: Annotated[KeyQuery, Query()], caller: Reader, bank: TheBank) -> KeyCollection:
    """Listar chaves Pix."""
    now = bank.now()
    async with bank.db.reading() as tx:
        found = await service.search(tx, caller, query, now=now)
    return resources.listing(found, query, now=now)


@router.get("/{key_id}")
async def get(key_id: UUID, caller: Reader, bank: TheBank) -> KeyDocument:
    """Obter chave Pix por ID."""
    async with bank.db.reading() as tx:
        key = await service.get(tx, caller, key_id)
    return resources.document(key, now=bank.now())


@router.delete("/{key_id}", status_code=204)
async def remove(key_id: UUID, caller: Remover, bank: TheBank) -> Response:
    """Excluir chave Pix."""
    await service.remove(bank, caller, key_id)
    return Response(status_code=204)


@router.post("/{key_id}/confirm", response_model=KeyDocument)
async def confirm(key_id: UUID, body: ProofBody, caller: Registrar, bank: TheBank, attempt: TheAttempt) -> Response:
    """Confirmar posse da chave Pix."""
    return respond(await service.confirm(bank, caller, key_id, body.data.attributes.code, attempt))
