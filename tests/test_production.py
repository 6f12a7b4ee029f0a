"""A production start, command by command: migrate, serve, worker and simulator as processes of their own."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import httpx
import pytest

from build import ALL_PAPERS, API, SIMULATOR, TINY_PICTURE, until
from conftest import ENCRYPTION_KEYS, PASSWORD, Urls
from lastro.embedded.server import Postgres


def a_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@dataclass
class Site:
    """The environment of one installation, and its processes."""

    environment: dict[str, str]
    processes: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    async def run(self, *words: str, code: int = 0) -> str:
        """A command that ends; what it printed."""
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "lastro", *words],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == code, (words, done.stdout, done.stderr)
        return (done.stdout + done.stderr).strip()

    def start(self, *words: str, **environment: str) -> None:
        """A command that stays."""
        self.processes.append(
            subprocess.Popen(
                [sys.executable, "-m", "lastro", *words],
                env=self.environment | environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )

    def stop(self) -> list[int]:
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        return [process.wait(20) for process in self.processes]


@pytest.fixture
async def site(cluster: Postgres, urls: Urls) -> AsyncIterator[Site]:
    """Two empty databases and the settings of a careful operator."""
    assert urls.bank
    owner = await asyncpg.connect(cluster.server.url("postgres").replace("+asyncpg", ""))
    for name in ("production", "production_simulator"):
        await owner.execute(f"CREATE DATABASE {name}")
    await owner.execute("ALTER DATABASE production_simulator OWNER TO lastro_login")
    await owner.close()
    api, network = a_port(), a_port()
    login = f"postgresql://lastro_login:{PASSWORD}@{cluster.server.host}:{cluster.server.port}"
    site = Site(
        {
            "PATH": os.environ["PATH"],
            "LASTRO_DATABASE_URL": f"{login}/production",
            "LASTRO_MIGRATION_DATABASE_URL": cluster.server.url("production"),
            "LASTRO_TOKEN_PEPPER": "p" * 40,
            "LASTRO_ENCRYPTION_KEYS": ENCRYPTION_KEYS,
            "LASTRO_ENVIRONMENT": "test",
            "LASTRO_NETWORK_URL": f"http://127.0.0.1:{network}{SIMULATOR}/network",
            "LASTRO_NETWORK_SECRET": "n" * 40,
            "LASTRO_SIMULATOR_DATABASE_URL": f"{login}/production_simulator",
            "LASTRO_SIMULATOR_DELIVER_TO": f"http://127.0.0.1:{api}",
            "LASTRO_PORT": str(api),
            "SIMULATOR_PORT": str(network),
        }
    )
    yield site
    for process in site.processes:
        with suppress(ProcessLookupError):
            process.kill()
        process.wait()


async def test_a_bank_starts_from_nothing_and_stops_in_order(site: Site) -> None:
    port, network = site.environment["LASTRO_PORT"], site.environment["SIMULATOR_PORT"]
    assert "current" in await site.run("migrate")
    tenant = await site.run("tenants", "create", "Minha Fintech", "--tax-id", "11222333000181")
    provider = await site.run(
        "providers", "add", "Banco", "--tenant", tenant, "--ispb", "00000000", "--code", "001", "--no-strict-documents"
    )
    token = await site.run("tokens", "create", "backend", "--tenant", tenant, "--all")
    assert re.fullmatch(r"lastro_test_[0-9A-Za-z]{10}_[0-9A-Za-z_-]{43}[0-9A-Za-z]{6}", token)
    site.start("serve", "--processes", "2")
    site.start("worker")
    site.start("simulator", LASTRO_PORT=network)

    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=10) as client:
        await until(lambda: answers(client, "/health/ready"), seconds=30)
        await until(lambda: answers(client, f"http://127.0.0.1:{network}{SIMULATOR}/book"), seconds=30)
        await walk(client, provider, token, f"http://127.0.0.1:{network}{SIMULATOR}")
        assert (await client.get("/docs")).status_code == 404
        assert (await client.get(f"{SIMULATOR}/book")).status_code == 404
        literal = await client.get(f"{API}/accounts", headers={"authorization": "Bearer SEU_TOKEN"})
        assert literal.status_code == 401, "the demo's words open nothing here"
        assert "lastro_http_requests_total" in (await client.get("/metrics")).text

        await get_in_with_a_client(site, client, tenant)
        assert "hold" in await site.run("check", "--quiesced")
        assert "Nothing" in await site.run("reseal")
        listed = await site.run("tokens", "list", tenant)
        token_id = token.split("_")[2]
        assert token_id in listed
        assert token not in listed
        await site.run("tokens", "revoke", token_id)
        await asyncio.sleep(1)
        refused = await client.get(f"{API}/accounts", headers={"authorization": f"Bearer {token}"})
        assert refused.status_code == 401

    assert all(code in {0, -signal.SIGTERM} for code in site.stop())


async def get_in_with_a_client(site: Site, client: httpx.AsyncClient, tenant: str) -> None:
    """An operator lets a client in, bound to this machine; it gets a token; then it is out."""
    bounds = ("--network", "127.0.0.0/8", "--network", "::1", "--most-each", "100.00", "--most-a-day", "1000")
    made = await site.run(
        "clients", "create", "caixa", "--tenant", tenant, "--permission", "BAAS_ACCOUNTS_READ", *bounds
    )
    client_id, secret = made.split()
    asked = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
    granted = await client.post("/oauth/token", data=asked)
    assert granted.status_code == 200, granted.text
    headers = {"authorization": f"Bearer {granted.json()['access_token']}"}
    assert (await client.get(f"{API}/accounts", headers=headers)).status_code == 200
    listed = await site.run("clients", "list", tenant)
    assert re.search(f"{client_id}  caixa  good  BAAS_ACCOUNTS_READ  networks 127.0.0.0/8 ::1/128", listed)
    assert secret not in listed
    assert granted.json()["access_token"].split("_")[2] not in await site.run("tokens", "list", tenant)
    assert "Revoked" in await site.run("clients", "revoke", client_id)
    assert (await client.post("/oauth/token", data=asked)).status_code == 401
    demo = {"client_id": "550e8400-e29b-41d4-a716-446655440400", "client_secret": "SEU_SEGREDO"}
    assert (await client.post("/oauth/token", data=asked | demo)).status_code == 401
    elsewhere = await site.run("tokens", "create", "longe", "--tenant", tenant, "--all", "--network", "203.0.113.0/24")
    headers = {"authorization": f"Bearer {elsewhere}"}
    assert (await client.get(f"{API}/accounts", headers=headers)).status_code == 401
    nobodys = "550e8400-e29b-41d4-a716-446655440999"
    assert "not found" in await site.run("tokens", "create", "x", "--tenant", nobodys, code=1)
    assert "not found" in await site.run("tokens", "create", "x", "--tenant", tenant, "--account", nobodys, code=1)
    for option, wrong in (("--network", "203.0.113.7/24"), ("--most-each", "ten"), ("--most-a-day", "0")):
        said = await site.run("clients", "create", "x", "--tenant", tenant, option, wrong, code=2)
        assert "Traceback" not in said


async def answers(client: httpx.AsyncClient, path: str) -> bool:
    try:
        return (await client.get(path)).status_code == 200
    except httpx.HTTPError:
        return False


async def walk(client: httpx.AsyncClient, provider: str, token: str, simulator: str) -> None:
    """Open an account with its documents, put money in, send a Pix to a magic key, see it come back."""
    client.headers["authorization"] = f"Bearer {token}"

    async def post(path: str, kind: str, attributes: dict[str, Any]) -> Any:
        response = await client.post(f"{API}{path}", json={"data": {"type": kind, "attributes": attributes}})
        assert response.status_code == 201, response.text
        return response.json()["data"]

    account = await post(
        "/accounts",
        "accounts",
        {
            "providerId": provider,
            "holderName": "Loja",
            "holderDocument": "11222333000262",
            "holderDocumentType": "CNPJ",
        },
    )

    papers = {"documents": [{"type": each, "front": TINY_PICTURE} for each in ALL_PAPERS]}
    sent = await client.post(
        f"{API}/accounts/{account['id']}/kyc", json={"data": {"type": "kyc", "attributes": papers}}
    )
    assert sent.status_code == 200, sent.text

    async def shows(path: str, name: str, value: Any) -> bool:
        return bool((await client.get(f"{API}{path}")).json()["data"]["attributes"][name] == value)

    await until(lambda: shows(f"/accounts/{account['id']}", "status", "ACTIVE"))
    paid = await client.post(f"{simulator}/pix", json={"amount": 10.00, "accountId": account["id"]})
    assert paid.json()["status"] == "ACSC", paid.text
    payment = await post(
        "/pix/payments",
        "pix-payments",
        {
            "accountId": account["id"],
            "amount": 4.00,
            "recipientKeyType": "EMAIL",
            "recipientKeyValue": "ac07@rejeita.example",
        },
    )
    await until(lambda: shows(f"/pix/payments/{payment['id']}", "status", "FAILED"))
    assert await shows(f"/accounts/{account['id']}", "availableBalance", 10.00)
    del client.headers["authorization"]


async def test_settings_that_are_missing_are_named() -> None:
    site = Site({"PATH": os.environ["PATH"], "LASTRO_TOKEN_PEPPER": "short"})
    said = await site.run("serve", code=1)
    assert "LASTRO_DATABASE_URL" in said
    assert "LASTRO_TOKEN_PEPPER" in said
    assert "Traceback" not in said
