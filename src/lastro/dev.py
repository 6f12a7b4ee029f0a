"""`lastro dev`: Postgres, migrations, simulator, API, worker and demo in one process, on one port, from nothing."""

import asyncio
import base64
import contextlib
import json
import secrets
import shutil
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from lastro import demo, logs, runtime
from lastro.app import create_app, serving
from lastro.bank import Bank
from lastro.clock import Clock
from lastro.embedded.server import Postgres, postgres
from lastro.errors import SetupError
from lastro.migrations import upgrade
from lastro.pix.qrcodes.signer import self_signed
from lastro.serving import OPTIONS
from lastro.settings import Settings
from lastro.simulator.app import MOUNTED_AT, Simulator
from lastro.simulator.network import SimulatorSettings, authority_of
from lastro.simulator.seed import seed_demo
from lastro.wiring import build
from lastro.worker import Worker

HOST = "127.0.0.1"


@dataclass(slots=True)
class Household:
    """What runs in one process, around one bank and one clock."""

    bank: Bank
    worker: Worker
    simulator: Simulator
    demo_is_there: bool = False

    @property
    def app(self) -> ASGIApp:
        """API and simulator, each on its own paths."""
        return _Split(serving(create_app(self.bank, docs=True, checks=self.checks)), self.simulator.app)

    async def checks(self) -> Mapping[str, bool]:
        """For /health/ready."""
        return {"demo": self.demo_is_there, "worker": self.worker.ready, "simulator": self.simulator.ready}


def run(port: int, data_dir: Path, *, fresh: bool) -> None:
    """Serve until Ctrl-C or SIGTERM, then stop all of it, Postgres too."""
    started_at = time.monotonic()
    # Until the server takes the signals over, SIGTERM must unwind the stack: its default action would orphan Postgres.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    listener = _listen(port)
    if fresh:
        _forget(data_dir)
    with contextlib.suppress(KeyboardInterrupt), listener, postgres(data_dir) as cluster:
        database_url, simulator_url = asyncio.run(databases(cluster, _secret(data_dir, "application")))
        upgrade(cluster.server.url("lastro"))
        settings = Settings(
            database_url=database_url,
            token_pepper=_secret(data_dir, "pepper"),
            encryption_keys=_secret(data_dir, "encryption", _a_key),
            environment="test",
            network_url=f"http://{HOST}:{port}{MOUNTED_AT}/network",
            network_secret=_secret(data_dir, "network"),
            simulator_database_url=simulator_url,
            simulator_deliver_to=f"http://{HOST}:{port}",
            pool_size=20,
            pix_hosts=f"http://{HOST}:{port}",
            qr_certificate=_certificate(data_dir),
            port=port,
            log_level="warning",
            docs=True,
        )
        logs.configure(settings.log_level)
        runtime.run(_serve(settings, cluster, listener, started_at))


def _listen(port: int) -> socket.socket:
    # By name: asyncio turns Nagle off only for sockets that say they are TCP, and each answer would wait 40 ms.
    listener = socket.socket(proto=socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        raise SetupError(f"port {port} is taken; choose another one: make run PORT={port + 1}") from error
    return listener


def _forget(data_dir: Path) -> None:
    """Start from nothing: what `lastro dev` keeps goes, whatever else lies in the directory stays."""
    with postgres(data_dir):  # refuses while another `lastro dev` owns the directory
        pass
    for name in ("data", "secrets.json", "qr-certificate.pem"):
        path = data_dir / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _a_key() -> str:
    return f"dev:{base64.b64encode(secrets.token_bytes(32)).decode()}"


def _secret(data_dir: Path, name: str, made: Callable[[], str] = lambda: secrets.token_urlsafe(32)) -> str:
    """A secret of this installation, made once and kept readable by its owner alone."""
    path = data_dir / "secrets.json"
    known: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    if name not in known:
        known[name] = made()
        new = path.with_suffix(".new")
        new.touch(0o600)
        new.write_text(json.dumps(known))
        new.replace(path)
    return known[name]


def _certificate(data_dir: Path) -> Path:
    """The key that signs this installation's charges, and a certificate for loopback; made once, like a secret."""
    path = data_dir / "qr-certificate.pem"
    if not path.exists():
        new = path.with_suffix(".new")
        new.touch(0o600)
        new.write_bytes(self_signed(HOST, Clock().now()))
        new.replace(path)
    return path


async def databases(cluster: Postgres, password: str) -> tuple[str, str]:
    """The two databases and the application's own login, which owns nothing. Says their URLs."""
    server = cluster.server
    connection = await asyncpg.connect(server.url("postgres").replace("+asyncpg", ""))
    try:
        for name in ("lastro", "lastro_simulator"):
            if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
                await connection.execute(f"CREATE DATABASE {name}")
        for role in ("lastro_app", "lastro_login"):
            if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role):
                await connection.execute(f"CREATE ROLE {role}")
        await connection.execute(f"ALTER ROLE lastro_login LOGIN PASSWORD '{password}'")
        await connection.execute("GRANT lastro_app TO lastro_login")
        await connection.execute("ALTER DATABASE lastro_simulator OWNER TO lastro_login")
    finally:
        await connection.close()
    base = f"postgresql+asyncpg://lastro_login:{password}@{server.host}:{server.port}"
    return f"{base}/lastro", f"{base}/lastro_simulator"


class _Server(uvicorn.Server):
    """Uvicorn, leaving the signals to us: it would raise them again after its own end, over our clean-up."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _serve(settings: Settings, cluster: Postgres, listener: socket.socket, started_at: float) -> None:
    async with household(settings) as living:
        config = uvicorn.Config(living.app, lifespan="off", **OPTIONS)
        server = _Server(config)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, lambda: setattr(server, "should_exit", True))
        serving_task = asyncio.create_task(server.serve(sockets=[listener]))
        watching = asyncio.create_task(_watch(cluster))
        try:
            pepper = settings.token_pepper.get_secret_value().encode()
            await demo.seed(living.bank, pepper, f"http://{HOST}:{settings.port}{MOUNTED_AT}")
            living.demo_is_there = True
            runtime.freeze()
            _greet(settings.port, time.monotonic() - started_at)
            await serving_task
        finally:
            server.should_exit = True
            watching.cancel()
            await asyncio.gather(serving_task, watching, return_exceptions=True)


@contextlib.asynccontextmanager
async def household(settings: Settings) -> AsyncIterator[Household]:
    """Simulator and worker at work around one bank; what is still missing is a server for `Household.app`."""
    assert settings.simulator_database_url is not None  # noqa: S101 - whoever calls this sets both
    assert settings.simulator_deliver_to is not None  # noqa: S101
    clock = Clock()
    network = SimulatorSettings(
        database_url=settings.simulator_database_url,
        secret=settings.network_secret.get_secret_value(),
        deliver_to=settings.simulator_deliver_to,
        limit_lookups=False,
        authority=authority_of(settings.network_url),
        customer_tokens=(demo.TOKEN, demo.OTHER_TOKEN),
    )
    simulator = Simulator(network, clock)
    assembly = build(settings, clock=clock, literal_tokens=True, loopback_endpoints=True)
    await simulator.start()
    await seed_demo(simulator.book)
    await assembly.open()
    worker = Worker(assembly.bank, settings.database_url)
    working = asyncio.create_task(worker.run())
    try:
        yield Household(assembly.bank, worker, simulator)
    finally:
        worker.stop()
        await asyncio.wait([working], timeout=10)
        await simulator.stop()
        await assembly.close()


class _Split:
    """The API on its paths, the simulator under its own: two applications that share a port and nothing else."""

    def __init__(self, api: ASGIApp, simulator: ASGIApp) -> None:
        self._api = api
        self._simulator = simulator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if path == MOUNTED_AT or path.startswith(f"{MOUNTED_AT}/"):
            await self._simulator({**scope, "root_path": MOUNTED_AT}, receive, send)
        else:
            await self._api(scope, receive, send)


async def _watch(cluster: Postgres) -> None:
    """Start Postgres again when it dies under us; meanwhile the API answers 503."""
    while True:
        await asyncio.sleep(0.5)
        if cluster.died():
            await asyncio.to_thread(cluster.ensure_running)


def _greet(port: int, seconds: float) -> None:
    base = f"http://{HOST}:{port}"
    print(  # noqa: T201 - this is the command's answer
        f"""
Lastro is ready ({seconds:.1f} s).

  API         {base}/baas/api/v1
  docs        {base}/docs
  simulator   {base}{MOUNTED_AT}/book
  token       {demo.TOKEN}
  client      {demo.CLIENT} with the secret {demo.CLIENT_SECRET}, for {base}/oauth/token

Send a first Pix:

  curl -X POST '{base}/baas/api/v1/pix/payments' \\
    -H 'Authorization: Bearer {demo.TOKEN}' -H 'Content-Type: application/json' \\
    -d '{{"data":{{"type":"pix-payments","attributes":{{"accountId":"{demo.ACCOUNT}",
         "amount":1500.00,"recipientKeyType":"CPF","recipientKeyValue":"12345678901"}}}}}}'

Ctrl-C stops everything.
""",
        flush=True,
    )
