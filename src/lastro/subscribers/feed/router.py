"""/events: where news is asked for."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from lastro.asking import TheBank
from lastro.auth.caller import Caller
from lastro.auth.permissions import Permission
from lastro.auth.requires import requires
from lastro.http import api_router
from lastro.jsonapi.errors import JSON
from lastro.subscribers.feed import resources, service
from lastro.subscribers.feed.resources import EventDocument, Feed, FeedQuery

router = api_router("/events", "Eventos")

Reader = Annotated[Caller, requires(Permission.EVENTS_READ)]


@router.get("", response_model=Feed)
async def search(query: Annotated[FeedQuery, Query()], caller: Reader, bank: TheBank) -> Response:
    """Ler eventos, do mais antigo ao mais novo."""
    async with bank.db.reading() as tx:
        found = await service.read(tx, caller, query)
    return Response(resources.feed(found, query), media_type=JSON)


@router.get("/{event_id}", response_model=EventDocument)
async def get(event_id: UUID, caller: Reader, bank: TheBank) -> Response:
    """Obter evento por ID."""
    async with bank.db.reading() as tx:
        told = await service.get(tx, caller, event_id)
    return Response(resources.document(told), media_type=JSON)
