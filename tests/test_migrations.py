"""The migrations make exactly the schema that the models describe."""

import asyncio

from alembic import command

from conftest import Urls
from lastro.embedded import Postgres
from lastro.migrations import configuration


async def test_models_and_migrations_agree(cluster: Postgres, urls: Urls) -> None:
    assert urls.bank
    await asyncio.to_thread(command.check, configuration(cluster.server.url("lastro_quiet")))


async def test_migrating_twice_changes_nothing(cluster: Postgres, urls: Urls) -> None:
    assert urls.bank
    await asyncio.to_thread(command.upgrade, configuration(cluster.server.url("lastro_quiet")), "head")
