"""Which endpoints have something due, and a few deliveries of each: a claim is a lease, which ends by itself."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from lastro.database import Database
from lastro.keyring import Sealed
from lastro.webhooks.lanes import Due
from lastro.webhooks.schedule import REST_AFTER

MARGIN_SECONDS = 10
"""Between the deadline of a post and the end of its lease: to begin it, and to write down what came of it."""

_ASKABLE = "s.status = 'ACTIVE' AND s.deleted_at IS NULL AND (s.resting_until IS NULL OR s.resting_until <= {now})"

# From one subscription to the next along the index: what it costs is how many have something pending, not how much.
_LOOK = f"""
    WITH RECURSIVE waiting AS (
        (SELECT subscription_id FROM webhook_deliveries WHERE status = 'PENDING' ORDER BY subscription_id LIMIT 1)
        UNION ALL
        SELECT (SELECT next.subscription_id FROM webhook_deliveries next
                 WHERE next.status = 'PENDING' AND next.subscription_id > waiting.subscription_id
                 ORDER BY next.subscription_id LIMIT 1)
          FROM waiting WHERE waiting.subscription_id IS NOT NULL
    )
    SELECT s.id, s.tenant_id, s.failures, oldest.due_at
      FROM waiting JOIN webhook_subscriptions s ON s.id = waiting.subscription_id
           CROSS JOIN LATERAL (SELECT d.due_at FROM webhook_deliveries d
                                WHERE d.subscription_id = s.id AND d.status = 'PENDING' AND d.due_at <= $1
                                ORDER BY d.due_at LIMIT 1) oldest
     WHERE {_ASKABLE.format(now="$1")}
"""  # noqa: S608 - constants of this module

# One that failed again and again is asked with one delivery, by one worker: whoever moves the end of its rest.
_CLAIM = f"""
    WITH wanted AS (
        SELECT * FROM unnest($1::uuid[], $2::int[]) AS w(id, quota)
    ), asked AS (
        UPDATE webhook_subscriptions s
           SET resting_until = $3::timestamptz + (s.timeout_ms + {MARGIN_SECONDS * 1000}) * interval '1 millisecond'
          FROM wanted
         WHERE s.id = wanted.id AND s.failures >= {REST_AFTER} AND {_ASKABLE.format(now="$3")}
        RETURNING s.id
    ), due AS (
        SELECT few.id
          FROM wanted JOIN webhook_subscriptions s ON s.id = wanted.id
               CROSS JOIN LATERAL (SELECT d.id FROM webhook_deliveries d
                                    WHERE d.subscription_id = s.id AND d.status = 'PENDING' AND d.due_at <= $3
                                    ORDER BY d.due_at, d.position LIMIT wanted.quota FOR UPDATE SKIP LOCKED) few
         WHERE s.failures < {REST_AFTER} AND {_ASKABLE.format(now="$3")} OR s.id IN (SELECT id FROM asked)
    ), claimed AS (
        UPDATE webhook_deliveries d
           SET due_at = $3::timestamptz + (s.timeout_ms + {MARGIN_SECONDS * 1000}) * interval '1 millisecond'
          FROM webhook_subscriptions s
         WHERE d.id = ANY (ARRAY(SELECT id FROM due)) AND s.id = d.subscription_id
        RETURNING d.id, d.event_id, d.account_id, d.attempts, d.attempts_before, d.due_at, d.position,
                  s.id AS subscription_id, s.tenant_id, s.failures, s.endpoint_url, s.timeout_ms, s.retry_config,
                  s.custom_headers_key_id, s.custom_headers
    )
    SELECT claimed.*, e.body
      FROM claimed JOIN events e ON e.account_id = claimed.account_id AND e.id = claimed.event_id
     ORDER BY claimed.position
"""  # noqa: S608 - constants of this module

_SECRETS = """
    SELECT subscription_id, id, key_id, ciphertext FROM webhook_secrets
     WHERE subscription_id = ANY ($1::uuid[]) AND (expires_at IS NULL OR expires_at > $2)
     ORDER BY created_at DESC
"""


@dataclass(frozen=True, slots=True)
class SealedSecret:
    """A row of `webhook_secrets` that is in force."""

    subscription_id: UUID
    id: UUID
    key_id: str
    ciphertext: bytes


@dataclass(frozen=True, slots=True)
class Parcel:
    """A delivery that is ours until `leased_until`, and all that it takes to try it once more."""

    delivery_id: UUID
    event_id: UUID
    account_id: UUID
    attempts: int  # that were recorded
    attempts_before: int
    leased_until: datetime
    to: Due
    url: str
    timeout_seconds: float
    retry_config: Mapping[str, Any]
    headers: Sealed | None
    secrets: Sequence[SealedSecret]
    body: bytes


async def look(db: Database, *, now: datetime) -> list[Due]:
    """Each endpoint that may be asked and has something due."""
    return [Due(row["id"], row["tenant_id"], row["failures"]) for row in await db.look(_LOOK, now)]


async def lateness(db: Database, *, now: datetime) -> float:
    """Seconds that the oldest due delivery has waited whose endpoint may be asked; 0 when none is due."""
    return max(((now - row["due_at"]).total_seconds() for row in await db.look(_LOOK, now)), default=0.0)


async def claim(db: Database, plan: Mapping[UUID, int], *, now: datetime) -> list[Parcel]:
    """Take that many of each, the longest due first. Two workers never take the same."""
    rows = await db.call(_CLAIM, list(plan), list(plan.values()), now)
    if not rows:
        return []
    secrets: defaultdict[UUID, list[SealedSecret]] = defaultdict(list)
    for found in await db.look(_SECRETS, list({row["subscription_id"] for row in rows}), now):
        secrets[found["subscription_id"]].append(SealedSecret(*found))
    return [_parcel(row, secrets[row["subscription_id"]]) for row in rows]


def _parcel(row: Any, secrets: Sequence[SealedSecret]) -> Parcel:
    headers = row["custom_headers"]
    return Parcel(
        delivery_id=row["id"],
        event_id=row["event_id"],
        account_id=row["account_id"],
        attempts=row["attempts"],
        attempts_before=row["attempts_before"],
        leased_until=row["due_at"],
        to=Due(row["subscription_id"], row["tenant_id"], row["failures"]),
        url=row["endpoint_url"],
        timeout_seconds=row["timeout_ms"] / 1000,
        retry_config=row["retry_config"],
        headers=None if headers is None else Sealed(row["custom_headers_key_id"], headers),
        secrets=secrets,
        body=row["body"],
    )
