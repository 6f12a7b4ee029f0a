"""Whether the network is there: who knows the secret may ask, for a participant, and nothing happens."""

from fastapi import APIRouter, Request, Response
from sqlalchemy import select

from lastro.simulator.book import DirectoryEntry, Payment
from lastro.simulator.network import Network, TheNetwork
from lastro.simulator.wire import answer, bad_request

router = APIRouter()


@router.get("/ping")
async def ping(request: Request, network: TheNetwork) -> Response:
    """The secret is good."""
    return await _up(request, network, None)


@router.get("/dict/ping")
async def ping_directory(request: Request, network: TheNetwork) -> Response:
    """The directory can be read."""
    return await _up(request, network, DirectoryEntry)


@router.get("/spi/ping")
async def ping_settlement(request: Request, network: TheNetwork) -> Response:
    """The book of payments can be read."""
    return await _up(request, network, Payment)


async def _up(request: Request, network: Network, table: type[DirectoryEntry] | type[Payment] | None) -> Response:
    asking = request.headers.get("pi-requestingparticipant", "")
    if len(asking) != 8 or not asking.isalnum():  # noqa: PLR2004 - an ISPB
        raise bad_request("Falta PI-RequestingParticipant, ou não é um ISPB.")
    if table is not None:
        async with network.book.transaction() as tx:
            await tx.execute(select(1).select_from(table).limit(1))
    return answer({"status": "UP"})
