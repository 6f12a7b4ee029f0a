"""The world of the tests: a real Postgres, and on it what `lastro dev` runs, served over real HTTP."""

import asyncio
import atexit
import contextlib
import functools
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import asyncpg
import httpx
import pytest
import uvicorn

from build import Tenant, World
from lastro import demo
from lastro.dev import HOST, databases, household
from lastro.embedded.home import data_directory
from lastro.embedded.server import Postgres, postgres
from lastro.migrations import upgrade
from lastro.pix.qrcodes.signer import self_signed
from lastro.serving import OPTIONS
from lastro.settings import Settings
from lastro.simulator.app import MOUNTED_AT
from lastro.wiring import Assembly, build

PASSWORD = "a-password-for-the-tests-alone-0123456789"
ENCRYPTION_KEYS = "tests:dGhpcnR5LXR3byBieXRlcyBmb3IgdGhlIHRlc3RzIC4="


@pytest.fixture(scope="session")
def cluster() -> Iterator[Postgres]:
    """One Postgres for the whole run; not durable, because no test here pulls the plug."""
    parent = Path(tempfile.mkdtemp(prefix="lastro-tests-"))
    home = data_directory(parent)
    try:
        with postgres(home, durable=False) as running:
            yield running
    finally:
        shutil.rmtree(home, ignore_errors=True)
        shutil.rmtree(parent, ignore_errors=True)


@dataclass(frozen=True)
class Urls:
    """The application's database, the simulator's, and one on which no worker runs."""

    bank: str
    simulator: str
    quiet: str


@pytest.fixture(scope="session")
async def urls(cluster: Postgres) -> Urls:
    """The databases, migrated."""
    bank, simulator = await databases(cluster, PASSWORD)
    await asyncio.to_thread(upgrade, cluster.server.url("lastro"))
    owner = await asyncpg.connect(cluster.server.url("postgres").replace("+asyncpg", ""))
    await owner.execute("CREATE DATABASE lastro_quiet TEMPLATE lastro")
    await owner.close()
    return Urls(bank, simulator, bank.removesuffix("/lastro") + "/lastro_quiet")


@functools.cache
def certificate() -> Path:
    """The key under which this run signs its charges."""
    directory = Path(tempfile.mkdtemp(prefix="lastro-tests-"))
    atexit.register(shutil.rmtree, directory)
    path = directory / "qr-certificate.pem"
    path.write_bytes(self_signed(HOST, datetime.now(UTC)))
    return path


def settings_for(urls: Urls, port: int) -> Settings:
    """The settings that `lastro dev` would use on this port."""
    return Settings(
        database_url=urls.bank,
        token_pepper="a pepper of the tests, long enough",
        encryption_keys=ENCRYPTION_KEYS,
        environment="test",
        network_url=f"http://{HOST}:{port}{MOUNTED_AT}/network",
        network_secret="a network secret of the tests, long",
        simulator_database_url=urls.simulator,
        simulator_deliver_to=f"http://{HOST}:{port}",
        pix_hosts=f"http://{HOST}:{port}",
        qr_certificate=certificate(),
        pool_size=20,
        port=port,
        docs=True,
    )


class Server(uvicorn.Server):
    """Uvicorn without its signal handlers: pytest has its own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@pytest.fixture(scope="session")
async def world(urls: Urls) -> AsyncIterator[World]:
    """The whole bank at work: API, worker, simulator and demo behind one port. Its books are checked at the end."""
    listener = socket.socket(proto=socket.IPPROTO_TCP)  # or asyncio leaves Nagle on: 40 ms an answer
    listener.bind((HOST, 0))
    port: int = listener.getsockname()[1]
    settings = settings_for(urls, port)
    base = f"http://{HOST}:{port}"
    async with household(settings) as living:
        server = Server(uvicorn.Config(living.app, lifespan="off", **OPTIONS))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        # Given up before the server hangs up, at five seconds: else a request may meet a connection that just ended.
        limits = httpx.Limits(keepalive_expiry=4)
        async with httpx.AsyncClient(base_url=base, trust_env=False, timeout=30, limits=limits) as client:
            await demo.seed(living.bank, settings.token_pepper.get_secret_value().encode(), f"{base}{MOUNTED_AT}")
            living.demo_is_there = True
            yield World(bank=living.bank, settings=settings, http=client, worker=living.worker)
            await _come_to_rest(client, urls)
        server.should_exit = True
        await serving
    listener.close()


@pytest.fixture(scope="session")
def settings_of_quiet(urls: Urls) -> Settings:
    """For another process on the database of `quiet`."""
    return settings_for(Urls(urls.quiet, urls.simulator, urls.quiet), port=9)


@pytest.fixture(scope="session")
async def quiet(settings_of_quiet: Settings) -> AsyncIterator[Assembly]:
    """A bank on a database of its own where nobody keeps promises but the test; its network is nowhere."""
    assembly = build(settings_of_quiet, loopback_endpoints=True)
    await assembly.open()
    yield assembly
    await assembly.close()


async def _come_to_rest(client: httpx.AsyncClient, urls: Urls) -> None:
    """After the last test the books must balance, in the bank and against the network's book."""
    try:
        from lastro.checker.run import check_books
    except ImportError:
        return
    await client.delete(f"{MOUNTED_AT}/rules")
    report = None
    for _ in range(100):
        report = await check_books(urls.bank, simulator_url=urls.simulator, quiesced=True)
        if report.clean:
            return
        await asyncio.sleep(0.1)
    assert report is not None
    pytest.fail(report.text())


@pytest.fixture
async def tenant(world: World) -> Tenant:
    """A tenant of the test's own: it sees nobody else, and nobody sees it."""
    return await world.tenant(f"tenant-{uuid4().hex[:8]}")


@pytest.fixture
async def stranger(world: World) -> Tenant:
    """Another tenant."""
    return await world.tenant(f"stranger-{uuid4().hex[:8]}")
