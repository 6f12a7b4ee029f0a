"""/accounts/:id/statement: where a statement is reached."""

from collections.abc import Mapping
from typing import Annotated
from uuid import UUID

from fastapi import Query, Request, Response

from lastro.asking import TheBank
from lastro.auth.caller import Caller
from lastro.auth.permissions import Permission
from lastro.auth.requires import requires
from lastro.errors import ErrorCode
from lastro.http import also, api_router
from lastro.jsonapi.errors import JSON, JSON_API
from lastro.statements import exports, negotiation, resources, service
from lastro.statements.exports import CNAB_TYPE
from lastro.statements.period import period
from lastro.statements.resources import Format, StatementDocument, StatementQuery

router = api_router("/accounts", "Extrato")

Reader = Annotated[Caller, requires(Permission.STATEMENT_READ)]

OFFERED: Mapping[str, Format] = {
    JSON: Format.JSON,
    JSON_API: Format.JSON,
    "text/csv": Format.CSV,
    "application/x-ofx": Format.OFX,
    CNAB_TYPE: Format.CNAB240,
    "application/pdf": Format.PDF,
}
"""The best first, for who does not care."""

_FILES = {
    "text/csv": {"schema": {"type": "string", "description": "Separado por `;`, UTF-8 com BOM, decimais com vírgula"}},
    "application/x-ofx": {"schema": {"type": "string", "description": "OFX 1.02, SGML, Windows-1252"}},
    CNAB_TYPE: {"schema": {"type": "string", "description": "CNAB 240 FEBRABAN, conciliação bancária, segmento E"}},
    "application/pdf": {"schema": {"type": "string", "format": "binary"}},
}


@router.get(
    "/{account_id}/statement",
    response_model=StatementDocument,
    responses={
        **also(ErrorCode.RATE_LIMITED),
        200: {"description": "Página em JSON, ou o período inteiro em um arquivo", "content": _FILES},
    },
)
async def statement(
    account_id: UUID, query: Annotated[StatementQuery, Query()], caller: Reader, bank: TheBank, request: Request
) -> StatementDocument | Response:
    """Extrato da conta."""
    chosen = negotiation.wanted(query.format, request.headers.get("accept", ""), OFFERED)
    days = period(query.date_from, query.date_to, now=bank.now())
    if chosen is not Format.JSON:
        exports.demand_a_whole(query, chosen)
    async with bank.db.reading() as tx:
        of = await service.statement(tx, caller, account_id, days)
        if chosen is Format.JSON:
            page = await service.page(tx, of, after=query.after, size=query.size, wanted=query.wanted)
            return resources.document(of, page, query)
    return await exports.file(bank, caller, of, query, chosen)
