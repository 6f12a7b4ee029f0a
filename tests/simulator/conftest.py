"""One Postgres for all tests of the simulator, one network that they share, and an empty one for those that need it."""

import shutil
from collections.abc import AsyncIterator, Iterator

import pytest

from lastro.embedded.home import data_directory
from lastro.embedded.server import Server, postgres
from simulator.world import Receiver, World, new_database, running


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    # pytest's own directories are closed to the account that Postgres runs as when we are root.
    home = data_directory(tmp_path_factory.mktemp("simulator-postgres"))
    with postgres(home, durable=False) as database:
        yield database.server
    shutil.rmtree(home)


@pytest.fixture(scope="session")
async def shared(server: Server) -> AsyncIterator[World]:
    async with running(await new_database(server)) as world:
        yield world


@pytest.fixture
async def world(shared: World) -> World:
    """The shared network without rules, and a Lastro that accepts everything."""
    await shared.steering.delete("/rules")
    shared.lastro.respond = Receiver().respond
    return shared


@pytest.fixture
async def database_url(server: Server) -> str:
    """An empty database, for a network of one's own."""
    return await new_database(server)
