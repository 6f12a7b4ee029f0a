"""/clients and /tokens: where access is given and taken away."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from lastro.access import clients as service
from lastro.access import resources
from lastro.access import tokens as long_lived
from lastro.access.resources import (
    ClientChange,
    ClientCollection,
    ClientDocument,
    NewClientBody,
    NewTokenBody,
    TokenCollection,
    TokenDocument,
)
from lastro.asking import TheAttempt, TheBank
from lastro.auth.caller import Caller
from lastro.auth.permissions import Permission
from lastro.auth.requires import requires
from lastro.errors import Flaw, Validation
from lastro.http import api_router, respond
from lastro.jsonapi.query import ListQuery
from lastro.values.text import Text

clients = api_router("/clients", "Clientes de API")
tokens = api_router("/tokens", "Tokens")

ClientMaker = Annotated[Caller, requires(Permission.CLIENTS_CREATE)]
ClientReader = Annotated[Caller, requires(Permission.CLIENTS_READ)]
ClientUpdater = Annotated[Caller, requires(Permission.CLIENTS_UPDATE)]
ClientRevoker = Annotated[Caller, requires(Permission.CLIENTS_DELETE)]
TokenMaker = Annotated[Caller, requires(Permission.TOKENS_CREATE)]
TokenReader = Annotated[Caller, requires(Permission.TOKENS_READ)]
TokenRevoker = Annotated[Caller, requires(Permission.TOKENS_DELETE)]

_OTHER_ID = Text("Deve ser igual ao id do endereço.", "Must equal the id of the path.")


@clients.post("", status_code=201, response_model=ClientDocument)
async def create_client(body: NewClientBody, caller: ClientMaker, bank: TheBank, attempt: TheAttempt) -> Response:
    """Criar cliente de API."""
    return respond(await service.create(bank, caller, body.data.attributes.wish(), attempt))


@clients.get("")
async def search_clients(query: Annotated[ListQuery, Query()], caller: ClientReader, bank: TheBank) -> ClientCollection:
    """Listar clientes de API."""
    async with bank.db.reading() as tx:
        return resources.clients(await service.search(tx, caller, query.page()), query)


@clients.get("/{client_id}")
async def get_client(client_id: UUID, caller: ClientReader, bank: TheBank) -> ClientDocument:
    """Obter cliente de API por ID."""
    async with bank.db.reading() as tx:
        return resources.client(await service.get(tx, caller, client_id))


@clients.patch("/{client_id}")
async def change_client(client_id: UUID, body: ClientChange, caller: ClientUpdater, bank: TheBank) -> ClientDocument:
    """Atualizar cliente de API."""
    if body.data.id not in {None, client_id}:
        raise Validation(_OTHER_ID, flaws=[Flaw(_OTHER_ID, pointer="/data/id")])
    async with bank.db.transaction() as tx:
        row = await service.change(tx, caller, client_id, body.data.attributes.alteration(), now=bank.now())
    return resources.client(row)


@clients.post("/{client_id}/rotate-secret", response_model=ClientDocument)
async def rotate_secret(client_id: UUID, caller: ClientUpdater, bank: TheBank, attempt: TheAttempt) -> Response:
    """Trocar o segredo do cliente de API."""
    return respond(await service.rotate_secret(bank, caller, client_id, attempt))


@clients.delete("/{client_id}", status_code=204)
async def revoke_client(client_id: UUID, caller: ClientRevoker, bank: TheBank) -> Response:
    """Revogar cliente de API e seus tokens."""
    async with bank.db.transaction() as tx:
        await service.revoke(tx, caller, client_id, now=bank.now())
    return Response(status_code=204)


@tokens.post("", status_code=201, response_model=TokenDocument)
async def create_token(body: NewTokenBody, caller: TokenMaker, bank: TheBank, attempt: TheAttempt) -> Response:
    """Criar token."""
    return respond(await long_lived.create(bank, caller, body.data.attributes.wish(), attempt))


@tokens.get("")
async def search_tokens(query: Annotated[ListQuery, Query()], caller: TokenReader, bank: TheBank) -> TokenCollection:
    """Listar tokens."""
    async with bank.db.reading() as tx:
        found = await long_lived.search(tx, caller, query.page())
    return resources.tokens(found, query, bank.mint.environment, bank.now())


@tokens.delete("/{token_id}", status_code=204)
async def revoke_token(token_id: UUID, caller: TokenRevoker, bank: TheBank) -> Response:
    """Revogar token."""
    async with bank.db.transaction() as tx:
        await long_lived.revoke(tx, caller, token_id, now=bank.now())
    return Response(status_code=204)
