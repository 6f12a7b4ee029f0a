"""Runs migrations over asyncpg, each in its own transaction, never waiting long for a lock."""

import asyncio
import os
from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import Connection, pool
from sqlalchemy.ext.asyncio import create_async_engine

from lastro.database import CentavosColumn
from lastro.pix.parties import PartyColumn
from lastro.tables import metadata


def _url() -> str:
    url: str | None = context.config.attributes.get("url") or os.environ.get("LASTRO_MIGRATION_DATABASE_URL")
    if not url:
        raise SystemExit("set LASTRO_MIGRATION_DATABASE_URL, or run: lastro migrate")
    return url


def _render(kind: str, item: Any, _context: AutogenContext) -> str | Literal[False]:
    """A migration must not change when the application's types do: write what Postgres stores."""
    if kind == "type" and isinstance(item, CentavosColumn):
        return "sa.BigInteger()"
    if kind == "type" and isinstance(item, PartyColumn):
        return "postgresql.JSONB()"
    return False


def _run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        transaction_per_migration=True,
        compare_server_default=True,
        render_item=_render,
    )
    with context.begin_transaction():
        context.run_migrations()


async def _online() -> None:
    engine = create_async_engine(
        _url(), poolclass=pool.NullPool, connect_args={"server_settings": {"lock_timeout": "3s"}}
    )
    async with engine.connect() as connection:
        await connection.run_sync(_run)
        await connection.commit()
    await engine.dispose()


asyncio.run(_online())
