"""What news costs, and how fast it leaves: settlement without it, with it, with a webhook for each; then delivery."""

import asyncio
import time
from datetime import UTC, datetime
from uuid import uuid4

import asyncpg

from bench import ceiling, processes
from bench.adapter import ADAPTER
from bench.place import Place
from bench.rows import Extent, Row
from bench.seed import TENANT
from bench.settling import drained, fill
from bench.stage import Say, Stage, stage
from lastro.keyring import KeyRing
from lastro.webhooks import secrets

_SECONDS_TO_SETTLE = 120.0

# Everything else goes on as it does: the statement that settles still names the events, and nothing is kept of them.
_EVENTS_OFF = (
    "CREATE FUNCTION no_event() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    "CREATE TRIGGER a_no_event BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION no_event()",
)


def webhooks(place: Place, extent: Extent, number: int, say: Say) -> list[Row]:
    """Settlement by one worker with less and more to tell."""
    return [*_events_off(place, extent, number, say), *_events_on(place, extent, number, say)]


def _events_off(place: Place, extent: Extent, number: int, say: Say) -> list[Row]:
    """A bank that tells nobody. `lastro check` would rightly miss its events: only sums and counts are asked."""
    with stage(place, extent, f"silent_{number}", say, adapter=ADAPTER) as here:
        asyncio.run(place.run(here.database, ceiling.pay_one(), *_EVENTS_OFF))
        fill(here)
        with processes.worker(place, here.database) as pid:
            label = "settlement by one worker, network in the process, events off"
            drained(here.around({"worker": pid}), "settle_events_off", label)
        return here.rows


def _events_on(place: Place, extent: Extent, number: int, say: Say) -> list[Row]:
    with stage(place, extent, f"telling_{number}", say, adapter=ADAPTER) as here:
        asyncio.run(place.run(here.database, ceiling.pay_one()))
        fill(here)
        with processes.worker(place, here.database) as pid:
            label = "settlement by one worker, network in the process, events on"
            drained(here.around({"worker": pid}), "settle_events_on", label)
            _come_to_rest(here)
        with processes.receiver(place) as (receiver_pid, port):
            asyncio.run(_subscribe(place, here.database, port))
            fill(here)
            with processes.worker(place, here.database) as pid:
                around = here.around({"worker": pid, "receiver": receiver_pid})
                label = "settlement by one worker, network in the process, a webhook for each payment"
                drained(around, "settle_with_webhooks", label)
                _come_to_rest(here)
                label = "webhooks delivered by one worker to one endpoint"
                drained(around, "webhooks_delivered", label, lambda: asyncio.run(_undelivered(place, here.database)))
        return here.closed()


def _come_to_rest(here: Stage) -> None:
    """Until every payment is settled and every event has been told of, so that the next row measures itself alone."""
    give_up_at = time.monotonic() + _SECONDS_TO_SETTLE
    while here.owed() or asyncio.run(_untold(here.place, here.database)):
        if time.monotonic() > give_up_at:
            raise TimeoutError("the worker did not come to an end")
        time.sleep(0.1)


async def _subscribe(place: Place, database: str, port: int) -> None:
    """An endpoint that hears of everything from now on."""
    ring, subscription_id, secret_id = KeyRing.parse(place.encryption_keys), uuid4(), uuid4()
    sealed = secrets.sealed(ring, secrets.new(), subscription_id, secret_id)
    now = datetime.now(UTC)
    connection = await asyncpg.connect(place.owners_url(database))
    try:
        await connection.execute(
            """
            INSERT INTO webhook_subscriptions (id, tenant_id, name, endpoint_url, event_filters, timeout_ms,
                                               retry_config, status, version, created_at, updated_at)
            VALUES ($1, $2, 'bench', $3, '{*}', 10000,
                    '{"maxRetries": 16, "retryBackoffMs": 5000, "retryBackoffMultiplier": 2.5}', 'ACTIVE', 1, $4, $4)
            """,
            subscription_id,
            TENANT,
            f"http://{processes.HOST}:{port}/",
            now,
        )
        await connection.execute(
            "INSERT INTO webhook_secrets (subscription_id, id, key_id, ciphertext, created_at)"
            " VALUES ($1, $2, $3, $4, $5)",
            subscription_id,
            secret_id,
            sealed.key_id,
            sealed.ciphertext,
            now,
        )
    finally:
        await connection.close()


async def _untold(place: Place, database: str) -> int:
    return await _counted(place, database, "SELECT count(*) FROM untold_events")


async def _undelivered(place: Place, database: str) -> int:
    return await _counted(place, database, "SELECT count(*) FROM webhook_deliveries WHERE status = 'PENDING'")


async def _counted(place: Place, database: str, statement: str) -> int:
    connection = await asyncpg.connect(place.owners_url(database))
    try:
        return int(await connection.fetchval(statement))
    finally:
        await connection.close()
