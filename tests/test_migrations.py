"""The migrations make exactly the schema that the models describe."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import asyncpg
from alembic import command

from conftest import Urls
from lastro.embedded.server import Postgres
from lastro.migrations import configuration


async def test_models_and_migrations_agree(cluster: Postgres, urls: Urls) -> None:
    assert urls.bank
    await asyncio.to_thread(command.check, configuration(cluster.server.url("lastro_quiet")))


async def test_migrating_twice_changes_nothing(cluster: Postgres, urls: Urls) -> None:
    assert urls.bank
    await asyncio.to_thread(command.upgrade, configuration(cluster.server.url("lastro_quiet")), "head")


async def test_providers_from_before_keep_working(cluster: Postgres, urls: Urls) -> None:
    assert urls.bank
    owner = await asyncpg.connect(cluster.server.url("postgres").replace("+asyncpg", ""))
    await owner.execute("CREATE DATABASE before_providers")
    await owner.close()
    url = cluster.server.url("before_providers")
    await asyncio.to_thread(command.upgrade, configuration(url), "0008")
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    await connection.execute(
        "INSERT INTO tenants (id, name, tax_id, created_at) VALUES (gen_random_uuid(), 'one', '1', now()),"
        " (gen_random_uuid(), 'two', '2', now())"
    )
    for _ in range(2):
        await connection.execute(
            "INSERT INTO providers"
            " (id, tenant_id, name, code, ispb, adapter, account_types, strict_documents, created_at)"
            " SELECT gen_random_uuid(), id, name, code, '00000000', 'network', '{CHECKING}', true, clock_timestamp()"
            "   FROM tenants CROSS JOIN (VALUES ('001'), (NULL)) AS codes (code)"
        )

    await asyncio.to_thread(command.upgrade, configuration(url), "0010")

    rows = await connection.fetch("SELECT * FROM providers ORDER BY tenant_id, created_at")
    assert {(row["type"], row["status"], row["house"], row["voucher"], row["settings"]) for row in rows} == {
        ("FULL", "ACTIVE", "00000000", "", "{}")
    }
    assert all(row["updated_at"] == row["created_at"] for row in rows)
    assert [row["code"] for row in rows].count("001") == 2, "the oldest of each tenant keeps its code"
    assert [row["code"] for row in rows].count(None) == 4
    await asyncio.to_thread(command.downgrade, configuration(url), "0008")
    await asyncio.to_thread(command.upgrade, configuration(url), "head")
    await connection.close()


async def test_movements_that_were_out_of_order_are_mended(cluster: Postgres) -> None:
    owner = await asyncpg.connect(cluster.server.url("postgres").replace("+asyncpg", ""))
    await owner.execute("CREATE DATABASE lastro_of_old")
    await owner.close()
    old = configuration(cluster.server.url("lastro_of_old"))
    await asyncio.to_thread(command.upgrade, old, "0010")
    account, idle, noon = uuid4(), uuid4(), datetime(2026, 1, 2, 12, tzinfo=UTC)
    seconds = (10, 12, 11, 9, 13, 12)
    connection = await asyncpg.connect(cluster.server.url("lastro_of_old").replace("+asyncpg", ""))
    try:
        await connection.execute("INSERT INTO balances VALUES ($1, 6, 0, 6), ($2, 0, 0, 0)", account, idle)
        for seq, second in enumerate(seconds, start=1):
            await connection.execute(
                "INSERT INTO movements VALUES ($1, $2, 'SPI', 'AVAILABLE', 1, 'RECEIVE', $3, $2, 0, $4)",
                account,
                seq,
                uuid4(),
                noon + timedelta(seconds=second),
            )

        await asyncio.to_thread(command.upgrade, old, "0011")

        posted = await connection.fetch("SELECT posted_at FROM movements ORDER BY seq")
        assert [(row["posted_at"] - noon).seconds for row in posted] == [10, 12, 12, 12, 13, 13]
        moved = {row["account_id"]: row["moved_at"] for row in await connection.fetch("SELECT * FROM balances")}
        assert moved == {account: noon + timedelta(seconds=13), idle: None}
    finally:
        await connection.close()
