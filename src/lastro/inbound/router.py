"""/network: where a provider's notifications arrive. Not part of the public API; authenticated by its signature."""

from typing import Literal
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel

from lastro.asking import TheBank
from lastro.errors import NotFound, Unauthorized
from lastro.http import LeanRoute
from lastro.inbound import service
from lastro.providers.protocol import ManyReceived
from lastro.values.text import Text

_REFUSED = Text("Assinatura ausente ou inválida.", "Signature missing or invalid.")


router = APIRouter(prefix="/network", include_in_schema=False, route_class=LeanRoute)


class Heard(BaseModel):
    """ACSP: it took effect, durably. RJCT: it did not, for this reason."""

    status: Literal["ACSP", "RJCT"]
    reason: str | None


class AllHeard(BaseModel):
    """One verdict for each payment of `payments.received`, in their order."""

    verdicts: list[Heard]


@router.post("/{provider_id}/notifications")
async def notify(provider_id: UUID, request: Request, bank: TheBank) -> Heard | AllHeard:
    """Take in one notification; docs/network.md describes them."""
    try:
        provider = await bank.providers.get(provider_id)
    except NotFound as error:  # whoever can not sign shall not learn which providers there are
        raise Unauthorized(_REFUSED) from error
    notification = provider.speaks.read(request.headers, await request.body())
    refusals = await service.handle(bank, provider.id, notification)
    verdicts = [Heard(status="ACSP" if refusal is None else "RJCT", reason=refusal) for refusal in refusals]
    return AllHeard(verdicts=verdicts) if isinstance(notification, ManyReceived) else verdicts[0]
