"""Runs the Postgres of a home while a `with` lasts, for `lastro dev` and the tests."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from lastro.embedded.home import SUPERUSER, prepare, take
from lastro.embedded.postmaster import HOST, Cluster, launch, shut_down
from lastro.embedded.programs import EmbeddedPostgresError, postgres_programs


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


class Postgres:
    """A Postgres that runs until `stop`; its owner asks `died` now and then and calls `ensure_running`.

    Safe to use from several threads. `ensure_running` and `stop` block for up to some seconds: an event loop calls
    them through `asyncio.to_thread`.
    """

    def __init__(self, cluster: Cluster, port: int | None) -> None:
        self._cluster = cluster
        self._password = (cluster.home / "password").read_text()
        self._turn = threading.Lock()
        self._stopped = False
        self._process, self._port = launch(cluster, port)

    @property
    def server(self) -> Server:
        """Where it listens; after a restart only `pid` is another."""
        return Server(HOST, self._port, SUPERUSER, self._password, self._process.pid)

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
            self._process, _ = launch(self._cluster, self._port)
            return True

    def stop(self) -> None:
        """Stop it for good: sessions are cut, the data is left clean. Leaving `postgres()` does this."""
        with self._turn:
            self._stopped = True
            shut_down(self._process.pid, self.died)


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
        lock = take(home)
        try:
            running = Postgres(prepare(home, durable=durable), port)
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
