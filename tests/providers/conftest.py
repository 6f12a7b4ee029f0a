"""A Postgres and a real network, and OpenPix's double, for the adapters to speak to."""

import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from uuid import uuid4

import httpx
import pytest

from lastro.embedded.home import data_directory
from lastro.embedded.server import Server, postgres
from lastro.providers import openpix_http
from lastro.providers.directory import Access
from lastro.providers.network_http import NetworkHttp
from lastro.providers.protocol import Provider
from providers.openpix_double import APP_ID, ISPB, Double
from providers.sides import FEATURES, NetworkSide, OpenPixSide, Side
from simulator.world import COMPANY, SECRET, World, new_database, running, served


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    # pytest's own directories are closed to the account that Postgres runs as when we are root.
    home = data_directory(tmp_path_factory.mktemp("providers-postgres"))
    with postgres(home, durable=False) as database:
        yield database.server
    shutil.rmtree(home)


@pytest.fixture(scope="session")
async def shared(server: Server) -> AsyncIterator[World]:
    async with running(await new_database(server), limit_lookups=True) as world:
        yield world


@pytest.fixture
async def world(shared: World) -> World:
    """The network without rules."""
    await shared.steering.delete("/rules")
    return shared


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False) as client:
        yield client


@pytest.fixture
def provider(world: World, client: httpx.AsyncClient) -> NetworkHttp:
    return NetworkHttp(client, base_url=f"{world.base}/network", secret=SECRET)


@dataclass
class OpenPix:
    """OpenPix's double, its address, and a connection to it."""

    double: Double
    address: str
    provider: Provider


def access(double: Double, *, app_id: str = APP_ID, keys: object = None) -> Access:
    """A provider's row, as the adapter sees it."""
    settings = {"webhookPublicKeys": double.public_key if keys is None else keys}
    return Access(uuid4(), ISPB, settings, {"apiKey": app_id})


@pytest.fixture
async def openpix(client: httpx.AsyncClient) -> AsyncIterator[OpenPix]:
    double = Double(COMPANY)
    async with served(double) as address:
        yield OpenPix(double, address, openpix_http.adapter(client, base_url=address).connect(access(double)))
    assert double.bugs == [], "the double does not keep to the specification"


@pytest.fixture(params=sorted(FEATURES))
def side(request: pytest.FixtureRequest, world: World, provider: NetworkHttp, openpix: OpenPix) -> Side:
    """Each adapter with what stands behind it."""
    if request.param == "network":
        return NetworkSide(world, provider)
    return OpenPixSide(openpix.double, openpix.provider)
