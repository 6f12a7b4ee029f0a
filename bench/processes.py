"""The programs of a run, each in a process of its own: started, waited for, stopped."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from bench.machine import ROOT
from bench.place import Place
from bench.server import HEALTHCHECK_SECONDS
from lastro.simulator.app import MOUNTED_AT

HOST = "127.0.0.1"
_SECONDS_TO_START = 120.0
_SECONDS_TO_STOP = 20.0
_LASTRO = ("-c", "from lastro.cli import main; main()")


class DidNotStartError(RuntimeError):
    """A program ended, or did not answer in time; the message ends with what it said."""


def free_port() -> int:
    """A port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def server(
    place: Place,
    database: str,
    *,
    processes: int,
    port: int | None = None,
    network_port: int | None = None,
    in_process_network: bool = False,
) -> Iterator[tuple[int, int]]:
    """The API, with everything on that is on by default. Gives its process id and its port."""
    port = port or free_port()
    metrics = place.scratch / f"metrics-{port}"
    metrics.mkdir()
    surroundings = _settings(place, database, port, network_port)
    if processes > 1:
        surroundings["PROMETHEUS_MULTIPROC_DIR"] = str(metrics)
    program = ("-m", "bench.server") if in_process_network else (*_LASTRO, "serve")
    with _running(place, "server", (*program, "--processes", str(processes)), surroundings) as process:
        _wait(process, f"http://{HOST}:{port}/health/ready", place.scratch / "server.log")
        yield process.pid, port


@contextmanager
def plain(place: Place, database: str, application: str, *, processes: int) -> Iterator[tuple[int, int]]:
    """An application under uvicorn as it comes, without its access log. Gives its process id and its port."""
    port = free_port()
    options = (
        *("--host", HOST, "--port", str(port), "--workers", str(processes), "--no-access-log"),
        *("--timeout-worker-healthcheck", str(HEALTHCHECK_SECONDS)),
    )
    surroundings = _settings(place, database, port, None)
    program = ("-m", "uvicorn", application, *options)
    with _running(place, "peer", program, surroundings) as process:
        _wait(process, f"http://{HOST}:{port}/openapi.json", place.scratch / "peer.log")
        yield process.pid, port


@contextmanager
def network(place: Place, database: str, book: str, deliver_to_port: int) -> Iterator[tuple[int, int]]:
    """The simulator, without limits on lookups. Gives its process id and its port."""
    port = free_port()
    surroundings = _settings(place, database, port, port)
    surroundings["LASTRO_SIMULATOR_DATABASE_URL"] = place.applications_url(book)
    surroundings["LASTRO_SIMULATOR_DELIVER_TO"] = f"http://{HOST}:{deliver_to_port}"
    with _running(place, "network", ("-m", "bench.network"), surroundings) as process:
        _wait(process, f"http://{HOST}:{port}{MOUNTED_AT}/rules", place.scratch / "network.log")
        yield process.pid, port


@contextmanager
def worker(place: Place, database: str, network_port: int | None = None) -> Iterator[int]:
    """`lastro worker`; without the port of a network, with one in the process. Gives its process id."""
    surroundings = _settings(place, database, free_port(), network_port)
    program = ("-m", "bench.worker") if network_port is None else (*_LASTRO, "worker")
    with _running(place, "worker", program, surroundings) as process:
        yield process.pid


@contextmanager
def receiver(place: Place) -> Iterator[tuple[int, int]]:
    """An endpoint for webhooks. Gives its process id and its port."""
    port = free_port()
    with _running(place, "receiver", ("-m", "bench.receiver", str(port)), {}) as process:
        give_up_at = time.monotonic() + _SECONDS_TO_START
        while time.monotonic() < give_up_at:
            with suppress(OSError), socket.create_connection((HOST, port), timeout=1):
                break
            time.sleep(0.05)
        yield process.pid, port


def _settings(place: Place, database: str, port: int, network_port: int | None) -> dict[str, str]:
    """Everything else is as Lastro has it by default."""
    return {
        "LASTRO_DATABASE_URL": place.applications_url(database),
        "LASTRO_TOKEN_PEPPER": place.pepper,
        "LASTRO_ENCRYPTION_KEYS": place.encryption_keys,
        "LASTRO_NETWORK_URL": f"http://{HOST}:{network_port or 9}{MOUNTED_AT}/network",
        "LASTRO_NETWORK_SECRET": place.network_secret,
        "LASTRO_HOST": HOST,
        "LASTRO_PORT": str(port),
    }


@contextmanager
def _running(
    place: Place, name: str, arguments: tuple[str, ...], settings: dict[str, str]
) -> Iterator["subprocess.Popen[bytes]"]:
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("LASTRO_", "PG"))}
    with (place.scratch / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            (sys.executable, *arguments),
            env=inherited | settings,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is for the harness, which then stops everything in order
        )
        try:
            yield process
        finally:
            _stop(process)


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(_SECONDS_TO_STOP)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    give_up_at = time.monotonic() + _SECONDS_TO_START
    with httpx.Client(trust_env=False, timeout=2) as client:
        while process.poll() is None and time.monotonic() < give_up_at:
            with suppress(httpx.HTTPError):
                if client.get(url).status_code == httpx.codes.OK:
                    return
            time.sleep(0.05)
    raise DidNotStartError(f"not ready: {url}\n{log.read_text(errors='replace')[-2000:]}")
