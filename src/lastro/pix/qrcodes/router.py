"""/pix/qrcode and /pix/qr-codes/decode: where codes are made, found again, and read."""

from typing import Annotated
from uuid import UUID

from fastapi import Response

from lastro.asking import TheAttempt, TheBank
from lastro.auth.caller import Caller
from lastro.auth.permissions import Permission
from lastro.auth.requires import requires
from lastro.errors import ErrorCode
from lastro.http import also, api_router, respond
from lastro.pix.qrcodes import service
from lastro.pix.qrcodes.resources import DecodedDocument, DecodingBody, NewQrCodeBody, QrCodeDocument, ReadDocument

router = api_router("/pix", "QR Code")

Creator = Annotated[Caller, requires(Permission.PIX_QRCODE_CREATE)]
Reader = Annotated[Caller, requires(Permission.PIX_QRCODE_READ)]


@router.post("/qrcode", status_code=201, response_model=QrCodeDocument)
async def create(body: NewQrCodeBody, caller: Creator, bank: TheBank, attempt: TheAttempt) -> Response:
    """Gerar QR Code."""
    return respond(await service.create(bank, caller, body.data.attributes.order(), attempt))


@router.get("/qrcode/{qrcode_id}")
async def get(qrcode_id: UUID, caller: Reader, bank: TheBank) -> ReadDocument:
    """Obter QR Code por ID."""
    return await service.get(bank, caller, qrcode_id)


@router.post("/qr-codes/decode", responses=also(ErrorCode.INVALID_QRCODE, ErrorCode.PROVIDER_UNAVAILABLE))
async def decode(body: DecodingBody, caller: Reader, bank: TheBank) -> DecodedDocument:
    """Decodificar QR Code."""
    return await service.decode(bank, caller, body.data.attributes.qr_code_text)
