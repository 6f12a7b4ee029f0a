"""/pix/keys/lookup: where the directory is asked."""

from typing import Annotated

from lastro.asking import TheBank
from lastro.auth.caller import Caller
from lastro.auth.permissions import Permission
from lastro.auth.requires import requires
from lastro.errors import ErrorCode
from lastro.http import also, api_router
from lastro.pix.lookups import resources, service
from lastro.pix.lookups.resources import LookupDocument, NewLookupBody

router = api_router("/pix/keys/lookup", "Pix")

Reader = Annotated[Caller, requires(Permission.PIX_KEYS_READ)]


@router.post("", responses=also(ErrorCode.RATE_LIMITED, ErrorCode.PROVIDER_UNAVAILABLE))
async def lookup(body: NewLookupBody, caller: Reader, bank: TheBank) -> LookupDocument:
    """Consultar chave no DICT."""
    return resources.document(await service.lookup(bank, caller, body.data.attributes.wanted()))
