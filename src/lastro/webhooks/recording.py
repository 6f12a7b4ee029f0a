"""Writes down what came of attempts, many in one statement; the word of one whose lease is over changes nothing."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from lastro.database import Database
from lastro.outbox.queue import Concern
from lastro.webhooks.models import DeliveryStatus
from lastro.webhooks.schedule import FIRST_REST_SECONDS, LONGEST_REST_SECONDS, REST_AFTER

GONE = "410 Gone"
ENDPOINT_GONE = "webhook_endpoint_gone"

_LONGEST_WISHED_REST = timedelta(seconds=LONGEST_REST_SECONDS)

# What all endpoints together said is one row each: `failures` are those after the last success of the set, if any. The
# conditions beside the id are in words that no index serves: or a plan may walk through all that is PENDING, for each.
# A 410 is the word of an address: it ends nothing when the tenant has moved meanwhile, and its delivery follows.
_RECORD = f"""
    WITH told AS (
        SELECT * FROM unnest($1::uuid[], $2::int[], $3::timestamptz[], $4::text[], $5::timestamptz[], $6::timestamptz[],
                             $7::int[], $8::int[], $9::text[], $10::bytea[], $22::text[])
            AS t(delivery_id, attempts, leased_until, status, due_at, started_at, duration_ms, response_status, error,
                 body_sha256, gone_url)
    ), changed AS (
        UPDATE webhook_deliveries d
           SET attempts = d.attempts + 1, due_at = told.due_at,
               status = CASE WHEN told.gone_url IS NULL OR EXISTS (
                                  SELECT FROM webhook_subscriptions s
                                   WHERE s.id = d.subscription_id AND s.endpoint_url = told.gone_url)
                             THEN told.status ELSE 'PENDING' END,
               response_status = told.response_status,
               delivered_at = CASE WHEN told.status = 'DELIVERED' THEN told.due_at ELSE d.delivered_at END
          FROM told
         WHERE d.id = told.delivery_id AND d.attempts IS NOT DISTINCT FROM told.attempts
           AND d.due_at IS NOT DISTINCT FROM told.leased_until AND d.status IS NOT DISTINCT FROM 'PENDING'
        RETURNING d.id, d.attempts, told.started_at, told.duration_ms, told.response_status, told.error,
                  told.body_sha256
    ), tried AS (
        INSERT INTO webhook_attempts (delivery_id, number, started_at, duration_ms, response_status, error, body_sha256)
        SELECT * FROM changed
    ), endpoint AS (
        SELECT s.id, said.failures AS more, said.succeeded, said.wished, said.jitter,
               said.gone_url = s.endpoint_url AND s.status <> 'DISABLED' AS ends,
               CASE WHEN said.succeeded THEN 0 ELSE s.failures END + said.failures AS failures
          FROM unnest($11::uuid[], $12::int[], $13::bool[], $14::text[], $15::timestamptz[], $16::float8[])
                   AS said(id, failures, succeeded, gone_url, wished, jitter)
               JOIN webhook_subscriptions s ON s.id = said.id
         WHERE said.failures > 0 OR s.failures > 0 OR s.resting_until IS NOT NULL
    ), heard AS (
        UPDATE webhook_subscriptions s
           SET failures = endpoint.failures,
               failing_since = CASE WHEN endpoint.failures = 0 THEN NULL
                                    WHEN endpoint.succeeded THEN $17::timestamptz
                                    ELSE coalesce(s.failing_since, $17) END,
               resting_until = CASE
                   WHEN endpoint.failures >= {REST_AFTER} AND endpoint.more > 0
                   THEN greatest(endpoint.wished, $17::timestamptz + interval '1 second' * endpoint.jitter * least(
                            {LONGEST_REST_SECONDS},
                            {FIRST_REST_SECONDS} * 2 ^ (least(endpoint.failures, 20) - {REST_AFTER})))
                   ELSE endpoint.wished END,
               status = CASE WHEN endpoint.ends THEN 'DISABLED' ELSE s.status END,
               disabled_reason = CASE WHEN endpoint.ends THEN '{GONE}' ELSE s.disabled_reason END,
               version = s.version + CASE WHEN endpoint.ends THEN 1 ELSE 0 END,
               updated_at = CASE WHEN endpoint.ends THEN $17::timestamptz ELSE s.updated_at END
          FROM endpoint WHERE s.id = endpoint.id
    ), alerted AS (
        INSERT INTO alerts (kind, account_id, reference, detail)
        SELECT * FROM unnest($18::text[], $19::uuid[], $20::uuid[], $21::text[])
                   AS a(kind, account_id, reference, detail)
         WHERE NOT EXISTS (SELECT FROM alerts there
                            WHERE there.kind = a.kind AND there.reference = a.reference AND there.resolved_at IS NULL)
           AND (a.kind <> '{ENDPOINT_GONE}' OR EXISTS (SELECT FROM endpoint e WHERE e.id = a.reference AND e.ends))
    )
    SELECT id FROM changed
"""  # noqa: S608 - constants of this package


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one attempt, and what follows for its delivery."""

    delivery_id: UUID
    subscription_id: UUID
    account_id: UUID
    attempts: int  # before this one
    leased_until: datetime
    status: DeliveryStatus
    due_at: datetime  # of the next attempt; of the last, when it ended
    started_at: datetime
    duration_ms: int
    response_status: int | None
    error: str | None
    body_sha256: bytes
    wished: timedelta | None  # how long the endpoint asked to be left alone
    gone_url: str | None  # where it was said that there is no endpoint any longer

    @property
    def succeeded(self) -> bool:
        """Whether the endpoint took it."""
        return self.status is DeliveryStatus.DELIVERED


async def record(db: Database, outcomes: Sequence[Outcome], *, now: datetime) -> Sequence[bool]:
    """Write them down; says of each whether it counted. The same twice has the effect of once."""
    endpoints = _endpoints(outcomes, now)
    concerns = _concerns(outcomes)
    rows = await db.call(
        _RECORD,
        [each.delivery_id for each in outcomes],
        [each.attempts for each in outcomes],
        [each.leased_until for each in outcomes],
        [each.status.value for each in outcomes],
        [each.due_at for each in outcomes],
        [each.started_at for each in outcomes],
        [each.duration_ms for each in outcomes],
        [each.response_status for each in outcomes],
        [each.error for each in outcomes],
        [each.body_sha256 for each in outcomes],
        *(list(column) for column in zip(*endpoints, strict=True)),
        now,
        [each.kind for each in concerns],
        [each.account_id for each in concerns],
        [each.reference for each in concerns],
        [each.detail for each in concerns],
        [each.gone_url for each in outcomes],
    )
    counted = {row["id"] for row in rows}
    return [each.delivery_id in counted for each in outcomes]


def _endpoints(outcomes: Sequence[Outcome], now: datetime) -> list[tuple[Any, ...]]:
    """For each endpoint: failures after its last success, whether there was one, where 410 was said, the rest that it
    asked for, jitter."""
    said: dict[UUID, list[Outcome]] = {}
    for each in outcomes:
        said.setdefault(each.subscription_id, []).append(each)
    found = []
    for subscription_id, its in said.items():
        successes = [place for place, each in enumerate(its, 1) if each.succeeded]
        wishes = [each.wished for each in its if each.wished is not None]
        rest = now + min(max(wishes), _LONGEST_WISHED_REST) if wishes else None
        after = its[successes[-1] if successes else 0 :]
        jitter = random.uniform(0.8, 1.2)  # noqa: S311 - no secret
        gone_url = next((each.gone_url for each in reversed(its) if each.gone_url), None)
        found.append((subscription_id, len(after), bool(successes), gone_url, rest, jitter))
    return found


def _concerns(outcomes: Sequence[Outcome]) -> list[Concern]:
    """One of a kind for each endpoint, not for each event."""
    found: dict[tuple[str, UUID], Concern] = {}
    for each in outcomes:
        if each.gone_url:
            concern = Concern(ENDPOINT_GONE, each.account_id, each.subscription_id, GONE)
        elif each.status is DeliveryStatus.DEAD:
            concern = given_up(each.account_id, each.subscription_id, str(each.error or each.response_status))
        else:
            continue
        found[concern.kind, concern.reference] = concern
    return list(found.values())


def given_up(account_id: UUID, subscription_id: UUID, why: str) -> Concern:
    """That deliveries to an endpoint died. The account is that of one of the events."""
    return Concern("webhook_deliveries_dead", account_id, subscription_id, why)
