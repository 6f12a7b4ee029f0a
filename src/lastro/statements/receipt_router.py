"""/pix/…/receipt: where receipts are reached."""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from lastro.asking import TheBank
from lastro.auth.caller import Caller
from lastro.auth.permissions import Permission
from lastro.auth.requires import requires
from lastro.bank import Bank
from lastro.http import api_router
from lastro.jsonapi.errors import JSON, JSON_API
from lastro.statements import exports, negotiation, receipt_pdf, receipt_resources, receipts
from lastro.statements.receipt_resources import ReceiptDocument, ReceiptFormat
from lastro.statements.receipts import Receipt

router = api_router("/pix", "Pix")

Reader = Annotated[Caller, requires(Permission.PIX_READ)]

OFFERED: Mapping[str, ReceiptFormat] = {
    JSON: ReceiptFormat.JSON,
    JSON_API: ReceiptFormat.JSON,
    "application/pdf": ReceiptFormat.PDF,
}
_AS_PDF: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "O comprovante",
        "content": {"application/pdf": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class ReceiptQuery(BaseModel):
    """What can be asked of a receipt."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: ReceiptFormat | None = Field(default=None, description="Se omitido, o que Accept preferir.")


@router.get("/payments/{payment_id}/receipt", response_model=ReceiptDocument, responses=_AS_PDF)
async def of_payment(
    payment_id: UUID, query: Annotated[ReceiptQuery, Query()], caller: Reader, bank: TheBank, request: Request
) -> ReceiptDocument | Response:
    """Comprovante de Pix enviado."""
    chosen = negotiation.wanted(query.format, request.headers.get("accept", ""), OFFERED)
    async with bank.db.reading() as tx:
        receipt = await receipts.of_payment(tx, caller, payment_id)
    return await _answer(bank, receipt, chosen)


@router.get("/transfers/{transfer_id}/receipt", response_model=ReceiptDocument, responses=_AS_PDF)
async def of_transfer(
    transfer_id: UUID, query: Annotated[ReceiptQuery, Query()], caller: Reader, bank: TheBank, request: Request
) -> ReceiptDocument | Response:
    """Comprovante de Pix recebido."""
    chosen = negotiation.wanted(query.format, request.headers.get("accept", ""), OFFERED)
    async with bank.db.reading() as tx:
        receipt = await receipts.of_transfer(tx, caller, transfer_id)
    return await _answer(bank, receipt, chosen)


async def _answer(bank: Bank, receipt: Receipt, chosen: ReceiptFormat) -> ReceiptDocument | Response:
    if chosen is ReceiptFormat.JSON:
        return receipt_resources.document(receipt)
    content = await asyncio.to_thread(receipt_pdf.render, receipt, made_at=bank.now())
    return Response(content, headers=exports.headers("application/pdf", f"comprovante-{receipt.e2e_id}.pdf"))
