"""Lets requests meet where it matters: two processes on one database, and a lock that is let go when all have come."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from sqlalchemy import text

from build import World
from lastro.app import create_app, serving
from lastro.wiring import build

THE_ACCOUNT = "SELECT 1 FROM accounts WHERE id = :account FOR UPDATE"
THE_BALANCE = "SELECT 1 FROM balances WHERE account_id = :account FOR UPDATE"
MOST_SECONDS = 1.5  # the bank itself waits two seconds for a lock


@asynccontextmanager
async def process(world: World) -> AsyncIterator[httpx.AsyncClient]:
    """The front door of another process of the bank: its own pool, its own tills, the same database."""
    assembly = build(world.settings, clock=world.bank.clock)  # a tester may have moved it
    await assembly.open()
    transport = httpx.ASGITransport(app=serving(create_app(assembly.bank)), raise_app_exceptions=False)
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://other.process") as client:
            yield client
    finally:
        await assembly.close()


@asynccontextmanager
async def held(world: World, lock: str, **facts: Any) -> AsyncIterator[None]:
    """Whoever needs what this statement locks waits until the end of the block."""
    async with world.bank.db.transaction() as tx:
        await tx.execute(text(lock), facts)
        yield
        await tx.rollback()


async def all_wait(world: World, asked: int, *others: asyncio.Task[Any]) -> None:
    """Wait until so many sessions wait for a lock; or until one of the `others`, who should wait too, did not."""
    async with asyncio.timeout(MOST_SECONDS):
        while await _waiting(world) < asked and not any(other.done() for other in others):
            await asyncio.sleep(0.01)


async def _waiting(world: World) -> int:
    async with world.bank.db.transaction() as tx:
        return int((await tx.execute(text("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted"))).scalar_one())
