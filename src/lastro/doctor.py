"""`lastro doctor`: looks at a setup from outside, says what is wrong with it and what would mend it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
from alembic.script import ScriptDirectory
from sqlalchemy import NullPool, make_url, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from lastro.database import APPLICATION_ROLE
from lastro.errors import SetupError
from lastro.keyring import KeyRing
from lastro.migrations import configuration
from lastro.pix.qrcodes.signer import Signer
from lastro.settings import Settings

LEAST_VERSION = 15
MOST_SKEW = timedelta(seconds=5)
SOON = timedelta(days=30)
MOST_LATENESS = timedelta(seconds=60)

_SECONDS_TO_CONNECT = 5
# What connecting can raise: the last two are for a URL with an option that the driver does not know.
_AWAY = (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TypeError, ValueError)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `remedy` says what would mend it, and is None when it is good."""

    good: bool
    what: str
    remedy: str | None = None

    def line(self) -> str:
        """For a terminal."""
        mark = "good" if self.good else "BAD "
        return f"{mark}  {self.what}" + (f"\n      → {self.remedy}" if self.remedy else "")


async def examine(settings: Settings) -> list[Finding]:
    """Everything that can be told without changing anything. What depends on something broken is not looked at.

    Raises nothing for a broken setup: that is what findings are for. No finding shows a secret.
    """
    findings: list[Finding] = []
    try:
        async with _connected(settings.database_url) as connection:
            findings.append(Finding(True, f"the database answers ({_place(settings.database_url)})"))
            findings += await _server(connection)
            findings += await _bank(connection, settings)
    except _AWAY as error:
        findings.append(_away("the database", settings.database_url, "LASTRO_DATABASE_URL", error))
    findings.append(_certificate(settings))
    findings.append(await _network(settings.network_url))
    findings += await _simulator(settings)
    return findings


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[AsyncConnection]:
    """A session of the login's own, not yet under the application's role. Each question is its own transaction."""
    engine = create_async_engine(
        url, poolclass=NullPool, hide_parameters=True, connect_args={"timeout": _SECONDS_TO_CONNECT}
    )
    try:
        async with engine.connect() as connection:
            yield await connection.execution_options(isolation_level="AUTOCOMMIT")
    finally:
        await engine.dispose()


def _place(url: str) -> str:
    parts = make_url(url)
    return f"{parts.host}:{parts.port or 5432}/{parts.database}"


def _away(what: str, url: str, variable: str, error: Exception) -> Finding:
    # The class of the driver's own error says enough; its text may repeat what is in the URL.
    cause = getattr(getattr(error, "orig", None), "__cause__", None) or error
    return Finding(
        False,
        f"{what} at {_place(url)} can not be used ({type(cause).__name__})",
        f"start it, or correct {variable}: host, port, database, user, password",
    )


async def _row(connection: AsyncConnection, question: str) -> dict[str, Any]:
    return dict((await connection.execute(text(question))).mappings().one())


async def _server(connection: AsyncConnection) -> list[Finding]:
    """The version, what survives a power cut, and the time."""
    facts = await _row(
        connection,
        """
        SELECT current_setting('server_version_num')::int / 10000 AS version, clock_timestamp() AS now,
               current_setting('fsync') AS fsync, current_setting('full_page_writes') AS full_page_writes,
               current_setting('synchronous_commit') AS synchronous_commit
        """,
    )
    return [_version(facts["version"]), _durability(facts), _skew(facts["now"] - machine_now())]


def machine_now() -> datetime:
    """This machine's own clock, which is what is being compared."""
    return datetime.now(UTC)


def _version(version: int) -> Finding:
    if version < LEAST_VERSION:
        return Finding(False, f"Postgres {version} is too old", f"use Postgres {LEAST_VERSION} or later")
    return Finding(True, f"Postgres {version}")


def _durability(facts: Mapping[str, Any]) -> Finding:
    off = [name for name in ("fsync", "full_page_writes", "synchronous_commit") if facts[name] == "off"]
    if off:
        return Finding(
            False,
            f"committed payments may be lost in a power cut: {', '.join(off)} off",
            "as a superuser: "
            + " ".join(f"ALTER SYSTEM RESET {name};" for name in off)
            + " SELECT pg_reload_conf(); and look for it in postgresql.conf, ALTER ROLE and ALTER DATABASE",
        )
    return Finding(True, "what is committed survives a power cut")


def _skew(skew: timedelta) -> Finding:
    seconds = skew.total_seconds()
    if abs(skew) >= MOST_SKEW:
        return Finding(
            False,
            f"the database's clock and this machine's are {abs(seconds):.0f} seconds apart",
            "let both follow NTP: tokens and signatures go by this machine's clock, payments by the database's",
        )
    return Finding(True, f"the clocks agree (to {abs(seconds):.1f} s)")


async def _bank(connection: AsyncConnection, settings: Settings) -> list[Finding]:
    """Login, schema and rows. Rows are read as the application reads them, or not at all."""
    findings, may_serve = await _login(connection)
    if may_serve:
        await connection.execute(text(f"SET ROLE {APPLICATION_ROLE}"))
    schema = await _schema(connection, settings)
    findings.append(schema)
    if may_serve and schema.good:
        findings += [await _alerts(connection), await _promises(connection), await _keys(connection, settings)]
        findings += await _tenants(connection)
    return findings


async def _login(connection: AsyncConnection) -> tuple[list[Finding], bool]:
    """Whether the login can serve under the application's role, and whether it can do more than it should."""
    facts = await _row(
        connection,
        f"""
        SELECT session_user AS login, login.rolsuper AS superuser,
               EXISTS (SELECT FROM pg_roles WHERE rolname = '{APPLICATION_ROLE}') AS role_exists,
               coalesce((SELECT pg_has_role(login.oid, oid, 'MEMBER') FROM pg_roles
                          WHERE rolname = '{APPLICATION_ROLE}'), FALSE) AS may_serve,
               (SELECT count(*) FROM pg_class
                 WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
                   AND pg_has_role(login.oid, relowner, 'MEMBER')) AS owned
          FROM pg_roles login WHERE login.rolname = session_user
        """,  # noqa: S608 - a constant
    )
    login = facts["login"]
    if not facts["role_exists"]:
        serves = Finding(False, f"there is no role {APPLICATION_ROLE}", "run: lastro migrate")
    elif not facts["may_serve"]:
        serves = Finding(
            False,
            f"the login {login} may not serve as {APPLICATION_ROLE}",
            f'as a superuser: GRANT {APPLICATION_ROLE} TO "{login}"',
        )
    else:
        serves = Finding(True, f"the login {login} serves as {APPLICATION_ROLE}")
    return [serves, _modesty(facts)], serves.good


def _modesty(facts: Mapping[str, Any]) -> Finding:
    login = facts["login"]
    if facts["superuser"] or facts["owned"]:
        power = "is a superuser" if facts["superuser"] else f"owns {facts['owned']} tables"
        return Finding(
            False,
            f"the login {login} {power}: whoever gets its password can rewrite the ledger",
            f"CREATE ROLE lastro_login LOGIN PASSWORD '…' IN ROLE {APPLICATION_ROLE}; name that login in"
            " LASTRO_DATABASE_URL, and this one in LASTRO_MIGRATION_DATABASE_URL alone",
        )
    return Finding(True, f"the login {login} can not rewrite the ledger")


async def _schema(connection: AsyncConnection, settings: Settings) -> Finding:
    head = ScriptDirectory.from_config(configuration(settings.database_url)).get_current_head()
    exists = await _row(connection, "SELECT to_regclass('public.alembic_version') IS NOT NULL AS it")
    if not exists["it"]:
        return Finding(False, "the database is empty", "run: lastro migrate")
    try:
        found = (await connection.execute(text("SELECT version_num FROM public.alembic_version"))).scalars().all()
    except SQLAlchemyError:
        return Finding(False, "the login may not read the schema's version", "see the role of the login above")
    if list(found) != [head]:
        return Finding(
            False,
            f"the schema is {', '.join(found) or 'of no version'}, this program wants {head}",
            "run: lastro migrate (if the schema is the newer one, update the program)",
        )
    return Finding(True, f"the schema is current ({head})")


async def _alerts(connection: AsyncConnection) -> Finding:
    """A promise that was given up and kept after all needs nobody any more; whatever else was noted does."""
    facts = await _row(
        connection,
        """
        SELECT count(*) AS waiting, min(alert.id) AS first, min(alert.created_at) AS since,
               string_agg(DISTINCT alert.kind, ', ') AS kinds
          FROM alerts alert
         WHERE alert.resolved_at IS NULL
           AND (alert.kind NOT LIKE 'given_up:%'
                OR EXISTS (SELECT FROM outbox promise
                            WHERE promise.account_id = alert.account_id AND promise.reference = alert.reference))
        """,
    )
    if facts["waiting"]:
        return Finding(
            False,
            f"alerts that wait for a human: {facts['waiting']}, since {facts['since']:%Y-%m-%d %H:%M}"
            f" ({facts['kinds']})",
            "read table alerts where resolved_at is null; the owner of the table sets it to now() for what was seen to"
            f" (the oldest is id {facts['first']})",
        )
    return Finding(True, "no alert waits for a human")


async def _promises(connection: AsyncConnection) -> Finding:
    facts = await _row(
        connection,
        "SELECT count(*) AS due, coalesce(clock_timestamp() - min(due_at), interval '0') AS late FROM outbox"
        " WHERE due_at <= clock_timestamp()",
    )
    if facts["late"] > MOST_LATENESS:
        return Finding(
            False,
            f"{facts['due']} promises are due, the oldest for {facts['late'].total_seconds():.0f} seconds",
            "run: lastro worker (or look into its log for why it does not keep up)",
        )
    return Finding(True, f"promises are kept in time ({facts['due']} due)")


_KEYS_IN_USE = """
SELECT array_agg(DISTINCT key_id) AS used
  FROM (SELECT key_id FROM kyc_images
         UNION SELECT credentials_key_id FROM providers WHERE credentials_key_id IS NOT NULL
         UNION SELECT key_id FROM webhook_secrets
         UNION SELECT custom_headers_key_id FROM webhook_subscriptions WHERE custom_headers IS NOT NULL) AS sealed
"""


async def _keys(connection: AsyncConnection, settings: Settings) -> Finding:
    """Whether everything that lies sealed opens with the keys at hand, and whether a key could be retired."""
    ring = KeyRing.parse(settings.encryption_keys.get_secret_value())
    facts = await _row(connection, _KEYS_IN_USE)
    used = set(facts["used"] or ())
    if used - ring.names:
        return Finding(
            False,
            f"documents or secrets are sealed under keys that are missing: {', '.join(sorted(used - ring.names))}",
            "add them to LASTRO_ENCRYPTION_KEYS, behind the first; without them what they sealed is lost",
        )
    return Finding(True, f"whatever is sealed opens ({len(used)} keys in use)")


async def _tenants(connection: AsyncConnection) -> list[Finding]:
    """Whether anybody can use this bank."""
    facts = await _row(
        connection,
        """
        SELECT (SELECT count(*) FROM tenants) AS tenants, (SELECT count(*) FROM providers) AS providers,
               (SELECT count(*) FROM api_tokens
                 WHERE revoked_at IS NULL AND coalesce(expires_at > clock_timestamp(), TRUE)) AS tokens
        """,
    )
    commands = {
        "tenants": "lastro tenants create 'Empresa ABC' --tax-id 11222333000181",
        "providers": "lastro providers add 'Banco Principal' --tenant TENANT_ID --ispb 00000000",
        "tokens": "lastro tokens create 'first' --tenant TENANT_ID --all",
    }
    return [
        Finding(True, f"{facts[name]} {name}") if facts[name] else Finding(False, f"no {name}", f"run: {command}")
        for name, command in commands.items()
    ]


def _certificate(settings: Settings) -> Finding:
    """Dynamic codes need one; without it the static ones work."""
    if settings.qr_certificate is None:
        return Finding(True, "no certificate for QR codes: static ones alone can be made")
    renew = "put a new certificate into the file of LASTRO_QR_CERTIFICATE and restart the API"
    try:
        left = Signer.load(settings.qr_certificate).good_until - machine_now()
    except SetupError as error:
        return Finding(False, str(error), "docs/operations.md says what the file holds")
    if left < timedelta(0):
        return Finding(False, "the certificate for QR codes has expired: no bank pays a dynamic code", renew)
    if left < SOON:
        return Finding(False, f"the certificate for QR codes expires in {left.days} days", renew)
    return Finding(True, f"the certificate for QR codes is good for {left.days} days")


async def _network(url: str) -> Finding:
    """Any answer will do: without our secret it is bound to be a refusal."""
    try:
        place = httpx.URL(url).copy_with(username=None, password=None, query=None)
        async with httpx.AsyncClient(trust_env=False, timeout=_SECONDS_TO_CONNECT, follow_redirects=False) as client:
            await client.get(url)
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        return Finding(
            False,
            f"the network's gateway does not answer ({type(error).__name__})",
            "start it (to try things out: lastro simulator), or correct LASTRO_NETWORK_URL",
        )
    return Finding(True, f"the network's gateway answers ({place.host})")


async def _simulator(settings: Settings) -> list[Finding]:
    """The simulator keeps its book in a database of its own; without one there is nothing to look at."""
    url = settings.simulator_database_url
    if url is None:
        return []
    try:
        async with _connected(url) as connection:
            found = await _row(connection, "SELECT to_regclass('public.movements') IS NOT NULL AS a_bank")
    except _AWAY as error:
        return [_away("the simulator's database", url, "LASTRO_SIMULATOR_DATABASE_URL", error)]
    if found["a_bank"] or _place(url) == _place(settings.database_url):
        return [
            Finding(
                False,
                "the simulator's database is a bank's",
                "CREATE DATABASE lastro_simulator, and name it in LASTRO_SIMULATOR_DATABASE_URL",
            )
        ]
    return [Finding(True, f"the simulator has a database of its own ({_place(url)})")]
