"""A Postgres and a real network for the adapter to speak to."""

import shutil
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from lastro.embedded import Server, data_directory, postgres
from lastro.providers.network_http import NetworkHttp
from simulator.world import SECRET, World, new_database, running


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
