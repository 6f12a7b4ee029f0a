"""/qr/v2 and /.well-known/jwks.json: where other banks find our charges, and the key that signs them. No token."""

import json

from fastapi import APIRouter, Response

from lastro.asking import TheBank
from lastro.pix.qrcodes import publishing

router = APIRouter(include_in_schema=False)

_NOT_FOUND = json.dumps(
    {
        "type": "https://pix.bcb.gov.br/api/v2/error/CobPayloadNaoEncontrado",
        "title": "Cobrança não encontrada",
        "status": 404,
        "detail": "Não há cobrança neste endereço.",
    },
    ensure_ascii=False,
)


@router.get("/qr/v2/{token}")
async def charge(token: str, bank: TheBank) -> Response:
    """One charge, signed."""
    envelope = await publishing.envelope(bank, token)
    if envelope is None:
        return Response(_NOT_FOUND, status_code=404, media_type="application/problem+json")
    return Response(envelope, media_type="application/jose")


@router.get(publishing.JWKS_PATH)
async def keys(bank: TheBank) -> Response:
    """The public key and its certificates; nothing without a certificate."""
    signer = bank.publication.signer
    return Response(json.dumps(signer.keys() if signer else {"keys": []}), media_type="application/json")
