"""/oauth: where clients make their tokens (RFC 6749 §4.4) and give them back (RFC 7009). At the root of the server."""

import json

from fastapi import APIRouter, Request, Response

from lastro.access import form, grants
from lastro.access.form import credentials
from lastro.asking import TheBank
from lastro.errors import Validation
from lastro.http import LeanRoute
from lastro.jsonapi.errors import JSON
from lastro.values.text import Text

router = APIRouter(prefix="/oauth", include_in_schema=False, route_class=LeanRoute)

_GRANT = Text("grant_type deve ser client_credentials.", "grant_type must be client_credentials.")


@router.post("/token")
async def token(request: Request, bank: TheBank) -> Response:
    """Trocar client_id e client_secret por um token de uma hora."""
    asked = _asked(request)
    if form.needed(asked, "grant_type") != "client_credentials":
        raise Validation(_GRANT, reason="unsupported_grant_type")
    who = credentials(request.headers, asked, bank.tokens.proxies.client_of(request.scope))
    granted = await grants.grant(bank, who, asked.get("scope"))
    body = {
        "access_token": granted.text,
        "token_type": "Bearer",
        "expires_in": int(grants.LIVES.total_seconds()),
        "scope": " ".join(sorted(granted.permissions)),
    }
    return Response(json.dumps(body), media_type=JSON, headers={"pragma": "no-cache"})


@router.post("/revoke")
async def revoke(request: Request, bank: TheBank) -> Response:
    """Encerrar um token do próprio cliente."""
    asked = _asked(request)
    text = form.needed(asked, "token")
    who = credentials(request.headers, asked, bank.tokens.proxies.client_of(request.scope))
    await grants.give_back(bank, who, text)
    return Response()


def _asked(request: Request) -> form.Asked:
    return form.read(request.headers, request.scope["query_string"], request.scope["state"]["body"])
