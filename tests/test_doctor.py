"""The doctor finds nothing wrong with a healthy setup, and names each illness with a remedy."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy import make_url

from conftest import ENCRYPTION_KEYS
from lastro import doctor
from lastro.dev import databases
from lastro.doctor import Finding, examine
from lastro.embedded.home import data_directory
from lastro.embedded.server import Postgres, postgres
from lastro.migrations import upgrade
from lastro.pix.qrcodes.signer import SELF_SIGNED_DAYS, self_signed
from lastro.settings import Settings

PASSWORD = "the-login-has-this-password"
SECRET = "a secret that nobody may ever see printed"
TENANT = "550e8400-e29b-41d4-a716-446655440010"

CUSTOMERS = f"""
INSERT INTO tenants VALUES ('{TENANT}', 'demo', '11222333000181', now());
INSERT INTO providers
       (id, tenant_id, name, code, ispb, house, adapter, account_types, strict_documents, created_at, updated_at)
     VALUES (gen_random_uuid(), '{TENANT}', 'bank', '001', '00000000', '00000000', 'network', '{{CHECKING}}', false,
             now(), now());
INSERT INTO api_tokens VALUES ('token', '{TENANT}', 'demo', '', '{{}}', now(), now() + interval '1 day', NULL);
"""


@dataclass
class Patient:
    """A setup, and the superuser who can make it ill."""

    settings: Settings
    owner: str

    async def examined(self, **changed: Any) -> list[Finding]:
        return await examine(self.settings.model_copy(update=changed))

    async def suffer(self, *statements: str) -> None:
        connection = await asyncpg.connect(self.owner.replace("+asyncpg", ""))
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    def url(self, **parts: Any) -> str:
        """The bank's URL with something else in it."""
        return make_url(self.settings.database_url).set(**parts).render_as_string(hide_password=False)


def bad(findings: list[Finding]) -> list[str]:
    """What is wrong; whatever is must have a remedy, and nothing may show a secret."""
    for finding in findings:
        assert PASSWORD not in finding.line()
        assert SECRET not in finding.line()
        assert finding.good == (finding.remedy is None)
        assert finding.line().startswith("good" if finding.good else "BAD")
    return [finding.what for finding in findings if not finding.good]


@pytest.fixture(scope="module")
def ward() -> Iterator[Postgres]:
    """A durable Postgres: that it is not is one of the illnesses."""
    parent = Path(tempfile.mkdtemp(prefix="lastro-doctor-"))
    home = data_directory(parent)
    with postgres(home) as running:
        yield running
    shutil.rmtree(home)
    shutil.rmtree(parent, ignore_errors=True)


@pytest.fixture(scope="module")
async def gateway() -> AsyncIterator[str]:
    """Something that answers HTTP, if only with a refusal."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/network"


@pytest.fixture(scope="module")
async def patient(ward: Postgres, gateway: str) -> Patient:
    bank, simulator = await databases(ward, PASSWORD)
    await asyncio.to_thread(upgrade, ward.server.url("lastro"))
    settings = Settings.model_validate(
        {
            "database_url": bank,
            "token_pepper": SECRET,
            "encryption_keys": ENCRYPTION_KEYS,
            "network_url": gateway,
            "network_secret": SECRET,
            "simulator_database_url": simulator,
        }
    )
    patient = Patient(settings, ward.server.url("lastro"))
    await patient.suffer(CUSTOMERS)
    return patient


async def test_a_healthy_setup_is_all_good(patient: Patient) -> None:
    findings = await patient.examined()
    assert bad(findings) == []
    assert len(findings) == 16
    without_simulator = await patient.examined(simulator_database_url=None)
    assert bad(without_simulator) == []
    assert len(without_simulator) == 15


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"port": 9}, "the database at 127.0.0.1:9/lastro can not be used (ConnectionRefusedError)"),
        ({"password": "wrong"}, "can not be used (InvalidPasswordError)"),
        ({"database": "absent"}, "can not be used (InvalidCatalogNameError)"),
        ({"query": {"sslmode": "require"}}, "can not be used (TypeError)"),
    ],
)
async def test_a_database_out_of_reach(patient: Patient, changed: Mapping[str, Any], named: str) -> None:
    (what,) = bad(await patient.examined(database_url=patient.url(**changed)))
    assert what.endswith(named)


async def test_a_simulator_out_of_reach_or_in_the_banks_database(patient: Patient) -> None:
    (what,) = bad(await patient.examined(simulator_database_url=patient.url(database="absent")))
    assert what.startswith("the simulator's database at 127.0.0.1:")
    for address in ("127.0.0.1", "localhost"):
        (what,) = bad(await patient.examined(simulator_database_url=patient.url(host=address)))
        assert what == "the simulator's database is a bank's"


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/network", "no address", f"ftp://user:{PASSWORD}@127.0.0.1"])
async def test_a_network_out_of_reach(patient: Patient, url: str) -> None:
    (what,) = bad(await patient.examined(network_url=url))
    assert what.startswith("the network's gateway does not answer (")


async def test_commits_that_do_not_last(patient: Patient) -> None:
    await patient.suffer("ALTER DATABASE lastro SET synchronous_commit = off", "ALTER SYSTEM SET fsync = off")
    await patient.suffer("SELECT pg_reload_conf()")
    try:
        async with asyncio.timeout(5):
            while not (what := bad(await patient.examined())) or "fsync" not in what[0]:
                await asyncio.sleep(0.01)
        assert what == ["committed payments may be lost in a power cut: fsync, synchronous_commit off"]
    finally:
        await patient.suffer("ALTER DATABASE lastro RESET ALL", "ALTER SYSTEM RESET ALL", "SELECT pg_reload_conf()")


@pytest.mark.parametrize(
    ("days_ago", "found"),
    [
        (0, []),
        (SELF_SIGNED_DAYS - 20, ["the certificate for QR codes expires in 19 days"]),
        (SELF_SIGNED_DAYS + 1, ["the certificate for QR codes has expired: no bank pays a dynamic code"]),
    ],
)
async def test_a_certificate_of_any_age(patient: Patient, tmp_path: Path, days_ago: int, found: list[str]) -> None:
    pem = tmp_path / "qr.pem"
    pem.write_bytes(self_signed("pix.example.com", datetime.now(UTC) - timedelta(days=days_ago)))

    assert bad(await patient.examined(qr_certificate=pem)) == found


async def test_a_certificate_that_is_none(patient: Patient, tmp_path: Path) -> None:
    (tmp_path / "qr.pem").write_text("nothing")

    (found,) = bad(await patient.examined(qr_certificate=tmp_path / "qr.pem"))

    assert "must hold a private key" in found


async def test_clocks_that_disagree(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    for ahead in (-60, 60):
        monkeypatch.setattr(doctor, "machine_now", lambda ahead=ahead: datetime.now(UTC) + timedelta(seconds=ahead))
        assert bad(await patient.examined()) == ["the database's clock and this machine's are 60 seconds apart"]


async def test_an_old_postgres(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "LEAST_VERSION", 99)
    (what,) = bad(await patient.examined())
    assert what.endswith("is too old")


async def test_a_schema_that_is_not_there_or_not_ours(patient: Patient) -> None:
    await patient.suffer("CREATE DATABASE empty")
    findings = await patient.examined(database_url=patient.url(database="empty"))
    assert bad(findings) == ["the database is empty"]
    await patient.suffer("UPDATE alembic_version SET version_num = 'other'")
    try:
        (what,) = bad(await patient.examined())
        assert what.startswith("the schema is other, this program wants ")
    finally:
        upgraded = what.rpartition(" ")[2]
        await patient.suffer(f"UPDATE alembic_version SET version_num = '{upgraded}'")


async def test_a_login_that_may_too_much_or_too_little(patient: Patient) -> None:
    (what,) = bad(await patient.examined(database_url=patient.owner))
    assert what == "the login postgres is a superuser: whoever gets its password can rewrite the ledger"
    await patient.suffer("ALTER TABLE movements OWNER TO lastro_login")
    (what,) = bad(await patient.examined())
    assert what.startswith("the login lastro_login owns 1 tables: ")
    await patient.suffer("ALTER TABLE movements OWNER TO postgres")
    await patient.suffer(f"CREATE ROLE stranger LOGIN PASSWORD '{PASSWORD}'")
    what, _ = bad(await patient.examined(database_url=patient.url(username="stranger")))
    assert what == "the login stranger may not serve as lastro_app"


async def test_alerts_and_promises_that_wait(patient: Patient) -> None:
    await patient.suffer(
        "INSERT INTO alerts (kind, account_id, reference, detail)"
        f" VALUES ('given_up:account.open', '{TENANT}', '{TENANT}', '')"
    )
    assert bad(await patient.examined()) == []  # its promise was kept after all
    await patient.suffer(
        "INSERT INTO outbox (topic, account_id, reference, due_at)"
        f" VALUES ('account.open', '{TENANT}', '{TENANT}', now() - interval '5 minutes')"
    )
    alerts, promises = bad(await patient.examined())
    assert alerts.startswith("alerts that wait for a human: 1, since ")
    assert promises.startswith("1 promises are due, the oldest for 30")
    await patient.suffer("DELETE FROM outbox", "UPDATE alerts SET kind = 'contradiction'")
    (alerts,) = bad(await patient.examined())
    assert alerts.endswith("(contradiction)")
    await patient.suffer("UPDATE alerts SET resolved_at = now()")
    assert bad(await patient.examined()) == []


async def test_a_bank_without_customers(patient: Patient) -> None:
    await patient.suffer("UPDATE api_tokens SET revoked_at = now()")
    assert bad(await patient.examined()) == ["no tokens"]
    await patient.suffer("UPDATE api_tokens SET revoked_at = NULL, expires_at = now() - interval '1 s'")
    assert bad(await patient.examined()) == ["no tokens"]
    await patient.suffer("DELETE FROM api_tokens", "DELETE FROM providers", "DELETE FROM tenants")
    findings = await patient.examined()
    assert bad(findings) == ["no tenants", "no providers", "no tokens"]
    assert all("run: lastro " in finding.line() for finding in findings if not finding.good)
    await patient.suffer(CUSTOMERS)
