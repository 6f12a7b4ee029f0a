"""The process that is Postgres: started until it answers, stopped in order, and found again if its owner died."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lastro.embedded.programs import Account, EmbeddedPostgresError, run, surroundings

HOST = "127.0.0.1"
_SECONDS_WITHOUT_A_SIGN = 30.0  # a long recovery writes to the log every 10 s, so silence means stuck
_SECONDS_FOR_LEFTOVERS = 15.0
_SETTINGS = (
    *(f"listen_addresses={HOST}", "unix_socket_directories=", "max_connections=200", "jit=off"),
    *("max_wal_size=4GB", "checkpoint_timeout=15min", "wal_compression=pglz"),  # pglz is in every build, lz4 is not
    *("timezone=UTC", "log_timezone=UTC", "lc_messages=C", "log_error_verbosity=terse"),  # C: we read the log
)
_DURABLE = ("shared_buffers=256MB",)
_NOT_DURABLE = ("shared_buffers=128MB", "fsync=off", "synchronous_commit=off", "full_page_writes=off")
_PORT_TAKEN = "could not create any TCP/IP sockets"
# Backends that outlived their postmaster, and an orphaned postmaster that had not yet written its pid file.
_LEFTOVERS = ("pre-existing shared memory block", 'lock file "postmaster.pid"')


@dataclass(frozen=True)
class Cluster:
    """An initialised data directory with all that is needed to start it."""

    home: Path
    programs: Path
    account: Account | None  # None: as ourselves
    durable: bool

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def log(self) -> Path:
        return self.home / "postgres.log"


def launch(cluster: Cluster, wanted_port: int | None) -> tuple[subprocess.Popen[bytes], int]:
    """Start the postmaster and wait until it answers; give its process and its port."""
    settings = (*_SETTINGS, *(_DURABLE if cluster.durable else _NOT_DURABLE))
    give_up_at = time.monotonic() + _SECONDS_FOR_LEFTOVERS
    while True:
        stop_orphan(cluster.data)
        port = wanted_port or _free_port()
        options = [part for setting in (*settings, f"port={port}") for part in ("-c", setting)]
        with os.fdopen(os.open(cluster.log, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "rb") as log:
            start = log.seek(0, os.SEEK_END)
            process = subprocess.Popen(  # noqa: S603 - our own program
                [cluster.programs / "postgres", "-D", cluster.data, *options],
                **surroundings(cluster.account) | {"stdout": log, "stderr": log},
                start_new_session=True,  # Ctrl-C is for the owner, which still needs its database to stop in order
            )
            try:
                if _becomes_ready(cluster, process, port):
                    return process, port
            except BaseException:
                shut_down(process.pid, lambda: process.poll() is not None)  # noqa: B023 - called here and now
                raise
            log.seek(start)
            said = log.read().decode(errors="replace")
        passing = any(sign in said for sign in _LEFTOVERS) or (wanted_port is None and _PORT_TAKEN in said)
        if not passing or time.monotonic() > give_up_at:
            reason = f"port {port} is taken" if _PORT_TAKEN in said else f"status {process.returncode}"
            raise EmbeddedPostgresError(f"Postgres in {cluster.home} did not start: {reason}.\n{_tail(said)}")
        time.sleep(0.2)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _becomes_ready(cluster: Cluster, process: subprocess.Popen[bytes], port: int) -> bool:
    """Wait until it answers (True) or has ended (False); raise EmbeddedPostgresError if it does neither."""
    question = (cluster.programs / "pg_isready", "-q", "-h", HOST, "-p", str(port))
    pid_file = cluster.data / "postmaster.pid"
    log_size, deadline = -1, 0.0
    while process.poll() is None:
        with suppress(FileNotFoundError):
            said = pid_file.read_text()
            # Its own word first: on a port taken in between, pg_isready would hear somebody else.
            ready = said.startswith(f"{process.pid}\n") and said.rstrip().endswith("\nready")
            if ready and run(*question).returncode == 0:
                return True
        if log_size != (log_size := cluster.log.stat().st_size):
            deadline = time.monotonic() + _SECONDS_WITHOUT_A_SIGN
        if time.monotonic() > deadline:
            raise EmbeddedPostgresError(
                f"Postgres in {cluster.home} is not ready after {_SECONDS_WITHOUT_A_SIGN:.0f} s without a sign of"
                f" progress.\n{_tail(cluster.log.read_text(errors='replace'))}"
            )
        time.sleep(0.02)
    return False


def _tail(log: str) -> str:
    return "\n".join(log.splitlines()[-20:])


def stop_orphan(data: Path) -> None:
    """Stop the postmaster of an owner that was killed, and clear a pid file that would mislead the next one."""
    pid_file = data / "postmaster.pid"
    try:
        pid = abs(int(pid_file.read_text().split("\n", 1)[0]))
    except FileNotFoundError:
        return
    except ValueError:  # empty: the machine stopped while it was written
        pid_file.unlink()
        return

    def gone() -> bool:
        return f"/postgres -D {data} -c " not in _command_line(pid)

    if not gone():
        shut_down(pid, gone)
    with suppress(ProcessLookupError, PermissionError):  # with either, Postgres itself sees that the file is stale
        os.kill(pid, 0)
        # Now another program's pid, or a zombie's: Postgres would take it for a postmaster. Without the file it still
        # refuses to start beside old backends, as it finds their shared memory through the directory.
        pid_file.unlink(missing_ok=True)


def _command_line(pid: int) -> str:
    """The arguments of a process with spaces between; empty for one that ended, reaped or not."""
    if Path("/proc/self/cmdline").exists():
        with suppress(OSError):
            return os.fsdecode(Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" "))
        return ""
    return run("ps", "-ww", "-o", "command=", "-p", str(pid)).stdout  # macOS


def shut_down(pid: int, ended: Callable[[], bool]) -> None:
    """Ask for the fast shutdown (sessions cut, checkpoint), then the immediate one, then for none at all."""
    for sign, seconds in ((signal.SIGINT, 30.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0)):
        if ended():
            return
        with suppress(ProcessLookupError):
            os.kill(pid, sign)
        deadline = time.monotonic() + seconds
        while not ended() and time.monotonic() < deadline:
            time.sleep(0.02)
