"""Where a run happens: a durable Postgres of its own, a seeded bank, a fresh copy of it for each round, no traces."""

import asyncio
import base64
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from bench.seed import seed_bank, seed_network
from lastro.dev import databases
from lastro.embedded.home import data_directory
from lastro.embedded.server import Server, postgres
from lastro.migrations import upgrade

_BANK, _NETWORK = "lastro", "lastro_simulator"


@dataclass(frozen=True)
class Place:
    """What every part of the run needs to know of it."""

    server: Server
    scratch: Path
    bank_url: str = field(repr=False)
    network_url: str = field(repr=False)
    pepper: str = field(repr=False)
    encryption_keys: str = field(repr=False)
    network_secret: str = field(repr=False)
    token: str = field(repr=False)

    def owners_url(self, database: str) -> str:
        """The superuser's way in, for asyncpg."""
        return self.server.url(database).replace("+asyncpg", "")

    def applications_url(self, database: str) -> str:
        """The application's way in, as a setting of Lastro."""
        return f"{self.bank_url.rpartition('/')[0]}/{database}"

    async def copy_bank(self, name: str, *, adapter: str | None = None) -> None:
        """Make a copy of the seeded bank; `adapter` renames the one behind its provider."""
        await self._copy(_BANK, name)
        if adapter is not None:
            await self.use_adapter(name, adapter)

    async def copy_network(self, name: str) -> None:
        """Make a copy of the simulator's book."""
        await self._copy(_NETWORK, name)

    async def _copy(self, template: str, name: str) -> None:
        # The same start for everybody: what was seeded or left behind is on the disk before the clock runs.
        await self.run("postgres", f"CREATE DATABASE {name} TEMPLATE {template} OWNER lastro_login", "CHECKPOINT")

    async def use_adapter(self, name: str, adapter: str) -> None:
        """Reach the provider another way. Servers know it within a second."""
        await self.run(name, f"UPDATE providers SET adapter = '{adapter}'")

    async def drop(self, name: str) -> None:
        """Forget a copy."""
        await self.run("postgres", f"DROP DATABASE {name} WITH (FORCE)")

    async def run(self, database: str, *statements: str) -> None:
        """Run statements as the superuser."""
        connection = await asyncpg.connect(self.owners_url(database))
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()


@contextmanager
def place() -> Iterator[Place]:
    """Postgres runs and is seeded while the `with` lasts; afterwards nothing is left of it."""
    with tempfile.TemporaryDirectory(prefix="lastro-bench-", dir=_directory_on_disk()) as name:
        scratch = Path(name)
        scratch.chmod(0o711)  # as root, Postgres runs as another account, which must get through
        home = data_directory(scratch)
        try:
            with postgres(home) as cluster:
                bank_url, network_url = asyncio.run(databases(cluster, secrets.token_urlsafe(24)))
                upgrade(cluster.server.url(_BANK))
                pepper = secrets.token_urlsafe(32)
                token = asyncio.run(seed_bank(cluster.server.url(_BANK).replace("+asyncpg", ""), pepper.encode()))
                asyncio.run(seed_network(network_url))
                network_secret = secrets.token_urlsafe(32)
                keys = f"bench:{base64.b64encode(secrets.token_bytes(32)).decode()}"
                yield Place(cluster.server, scratch, bank_url, network_url, pepper, keys, network_secret, token)
        finally:
            shutil.rmtree(home, ignore_errors=True)


def _directory_on_disk() -> str | None:
    """/tmp lies in memory on many systems; /var/tmp does not. TMPDIR wins over both."""
    return "/var/tmp" if tempfile.gettempdir() == "/tmp" and Path("/var/tmp").is_dir() else None
