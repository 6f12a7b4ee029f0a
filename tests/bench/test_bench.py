"""The harness runs for real, with windows too short for figures: rows are there, and every book was checked."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from bench.place import Place, place
from bench.seed import FUNDS, RECIPIENT, account_id

from bench import books, growth_seed, processes

ROOT = Path(__file__).resolve().parents[2]
LIMITS = {"pgbench_spread", "pgbench_hot", "pgbench_credit_hot", "pgledger"}


@pytest.fixture(scope="module")
def here() -> Iterator[Place]:
    with place() as found:
        yield found


def test_a_short_run_checks_every_book(tmp_path: Path) -> None:
    brief = ("--rounds", "1", "--seconds", "0.5", "--warm-seconds", "0", "--patience", "0", "--parts", "limits")
    done = subprocess.run(
        (sys.executable, "-m", "bench", *brief, "--out", tmp_path, "--note", "a test"),
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )

    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "results.json").read_text())
    rows = {row["name"]: row for row in results["rows"]}
    assert set(rows) == LIMITS
    assert all(row["books_checked"] and row["flaws"] == [] and row["unexpected"] == {} for row in rows.values())
    assert results["conditions"]["note"] == "a test"
    assert "fsync on" in results["conditions"]["postgres settings"]
    page = (tmp_path / "RESULTS.md").read_text()
    assert all(row["label"] in page for row in rows.values())


def test_the_peer_pays_once_replays_and_refuses(here: Place) -> None:
    asyncio.run(here.copy_bank("peer"))
    before = asyncio.run(books.count(here, "peer"))
    with (
        processes.plain(here, "peer", "bench.peer:app", processes=1) as (_, port),
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60) as client,
    ):

        def pay(key: str, amount: str = "1.00", token: str = here.token) -> httpx.Response:
            attributes = {
                "accountId": str(account_id(3)),
                "amount": float(amount),
                "recipientKeyType": RECIPIENT.kind,
                "recipientKeyValue": RECIPIENT.value,
            }
            return client.post(
                "/baas/api/v1/pix/payments",
                json={"data": {"type": "pix-payments", "attributes": attributes}},
                headers={"authorization": f"Bearer {token}", "idempotency-key": key},
            )

        first, again, other = pay("a"), pay("a"), pay("b")
        assert (first.status_code, first.json()["data"]["attributes"]["status"]) == (201, "PROCESSING")
        assert (again.status_code, again.json()) == (201, first.json())
        assert other.json()["data"]["id"] != first.json()["data"]["id"]
        assert pay("a", "2.00").status_code == 422
        assert pay("c", str(FUNDS.centavos / 100)).status_code == 422
        assert pay("d", token=here.token[:-7] + "x" + here.token[-6:]).status_code == 401

    made = {"payments": books.Made(answered=2)}
    assert asyncio.run(books.check(here, "peer", before, made)) == []
    assert asyncio.run(books.checked(here, "peer")) == []
    assert asyncio.run(books.check(here, "peer", before, {})) != []


def test_a_grown_table_has_balanced_books_and_its_indexes_back(here: Place) -> None:
    asyncio.run(here.copy_bank("grown"))
    indexes = asyncio.run(_indexes(here, "grown"))
    asyncio.run(growth_seed.fill(here, "grown", 3_000, datetime.now(UTC)))
    found = asyncio.run(books.count(here, "grown"))
    assert (found.payments, found.completed, found.flaws()) == (3_000, 3_000, [])
    assert asyncio.run(books.checked(here, "grown")) == []
    assert asyncio.run(_indexes(here, "grown")) == indexes


async def _indexes(here: Place, database: str) -> list[str]:
    import asyncpg

    connection = await asyncpg.connect(here.owners_url(database))
    try:
        return [row[0] for row in await connection.fetch("SELECT indexdef FROM pg_indexes ORDER BY indexname")]
    finally:
        await connection.close()
