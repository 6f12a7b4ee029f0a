"""/accounts: where accounts are reached."""

import re
from typing import Annotated
from uuid import UUID

from fastapi import Header, Query, Request, Response

from lastro.accounts import resources, service
from lastro.accounts.resources import (
    AccountChange,
    AccountCollection,
    AccountDocument,
    AccountQuery,
    ClosedDocument,
    NewAccountBody,
)
from lastro.asking import TheAttempt, TheBank
from lastro.auth.caller import Caller
from lastro.auth.permissions import Permission
from lastro.auth.requires import requires
from lastro.errors import ErrorCode, Flaw, Validation
from lastro.http import also, api_router, respond
from lastro.values.text import Text

router = api_router("/accounts", "Contas Bancárias")

Creator = Annotated[Caller, requires(Permission.ACCOUNTS_CREATE)]
Reader = Annotated[Caller, requires(Permission.ACCOUNTS_READ)]
Updater = Annotated[Caller, requires(Permission.ACCOUNTS_UPDATE)]
Closer = Annotated[Caller, requires(Permission.ACCOUNTS_CLOSE)]
Blocker = Annotated[Caller, requires(Permission.ACCOUNTS_BLOCK)]

_OTHER_ID = Text("Deve ser igual ao id do endereço.", "Must equal the id of the path.")
_IF_MATCH_SHAPE = Text("If-Match deve conter ETags desta conta ou *.", "If-Match must hold ETags of this account or *.")
_ETAG = re.compile(r'"([0-9]{1,10})\.[0-9]{1,19}"')


@router.post("", status_code=201, response_model=AccountDocument)
async def create(body: NewAccountBody, caller: Creator, bank: TheBank, attempt: TheAttempt) -> Response:
    """Criar conta bancária."""
    caller.demand_the_whole_tenant()
    wanted = body.data.attributes
    provider = await bank.providers.of_tenant(wanted.provider_id, caller.tenant_id)
    return respond(await service.create(bank, caller, wanted.application(provider.id), attempt))


@router.get("")
async def search(query: Annotated[AccountQuery, Query()], caller: Reader, bank: TheBank) -> AccountCollection:
    """Listar contas."""
    async with bank.db.reading() as tx:
        found, holdings = await service.search(tx, caller, query)
    return resources.listing(found, holdings, query)


@router.get("/{account_id}")
async def get(account_id: UUID, caller: Reader, bank: TheBank, response: Response) -> AccountDocument:
    """Obter conta por ID."""
    account, holdings = await service.get(bank.db, caller, account_id)
    response.headers["etag"] = resources.etag(account, holdings)
    return resources.document(account, holdings)


@router.patch("/{account_id}", responses=also(ErrorCode.PRECONDITION_FAILED))
async def change(  # noqa: PLR0917 - FastAPI injects by name
    account_id: UUID,
    body: AccountChange,
    caller: Updater,
    bank: TheBank,
    request: Request,
    response: Response,
    _if_match: Annotated[
        str | None, Header(alias="If-Match", description="ETag lida em GET; 412 se a conta mudou desde então.")
    ] = None,
) -> AccountDocument:
    """Atualizar conta."""
    if body.data.id not in {None, account_id}:
        raise Validation(_OTHER_ID, flaws=[Flaw(_OTHER_ID, pointer="/data/id")])
    alteration = body.data.attributes.alteration(_seen_versions(request.headers.getlist("if-match")))
    async with bank.db.transaction() as tx:
        account, holdings = await service.change(
            tx, caller, account_id, alteration, now=bank.now(), renamed=bank.consequences.renamed
        )
    response.headers["etag"] = resources.etag(account, holdings)
    return resources.document(account, holdings)


def _seen_versions(if_match: list[str]) -> frozenset[int] | None:
    tags = [tag.strip() for header in if_match for tag in header.split(",")]
    if not tags or tags == ["*"]:
        return None
    matches = [_ETAG.fullmatch(tag) for tag in tags]
    if not all(matches):
        raise Validation(_IF_MATCH_SHAPE, flaws=[Flaw(_IF_MATCH_SHAPE, header="If-Match")])
    return frozenset(int(match[1]) for match in matches if match)


@router.post("/{account_id}/close", response_model=ClosedDocument)
async def close(account_id: UUID, caller: Closer, bank: TheBank, attempt: TheAttempt) -> Response:
    """Encerrar conta."""
    return respond(await service.close(bank, caller, account_id, attempt))


@router.post("/{account_id}/block", response_model=AccountDocument)
async def block(account_id: UUID, caller: Blocker, bank: TheBank, attempt: TheAttempt) -> Response:
    """Bloquear conta."""
    return respond(await service.block(bank, caller, account_id, attempt))


@router.post("/{account_id}/unblock", response_model=AccountDocument)
async def unblock(account_id: UUID, caller: Blocker, bank: TheBank, attempt: TheAttempt) -> Response:
    """Desbloquear conta."""
    return respond(await service.unblock(bank, caller, account_id, attempt))
