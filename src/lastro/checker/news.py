"""E2 to E5: each event has its place and was told, or will be, to whoever subscribed to it; and to nobody else."""

from lastro.checker.invariants import Invariant

# A subscription is owed what happened after it was made, or changed last: what it asked for before is not known any
# more. The seconds are for what was committed while it was.
_TOLD = """
WITH untold AS (SELECT unnest(event_ids) AS event_id FROM untold_events)
SELECT 'event ' || event.id || ' has no place'
  FROM events event
  LEFT JOIN event_feed place ON place.tenant_id = event.tenant_id AND place.event_id = event.id
 WHERE place.event_id IS NULL AND event.id NOT IN (SELECT event_id FROM untold)
UNION ALL
SELECT 'place ' || place.position || ' is of no event, or says something else of it'
  FROM event_feed place
  LEFT JOIN events event ON event.account_id = place.account_id AND event.id = place.event_id
 WHERE (event.tenant_id, event.type, event.created_at)
       IS DISTINCT FROM (place.tenant_id, place.type, place.created_at)
UNION ALL
SELECT 'event ' || event_id || ' has several places' FROM event_feed GROUP BY event_id HAVING count(*) > 1
UNION ALL
SELECT 'subscription ' || subscription.id || ' is not told of event ' || place.event_id
  FROM webhook_subscriptions subscription
  JOIN event_feed place ON place.tenant_id = subscription.tenant_id
       AND place.created_at > greatest(subscription.created_at, subscription.updated_at) + interval '10 seconds'
       AND (subscription.account_ids IS NULL OR place.account_id = ANY (subscription.account_ids))
  LEFT JOIN webhook_deliveries delivery
         ON delivery.subscription_id = subscription.id AND delivery.event_id = place.event_id
 WHERE delivery.id IS NULL AND subscription.status <> 'DISABLED' AND subscription.deleted_at IS NULL
   AND EXISTS (SELECT FROM unnest(subscription.event_filters) AS filter
                WHERE filter IN ('*', place.type)
                   OR right(filter, 2) = '.*' AND starts_with(place.type, left(filter, -1)))
UNION ALL
SELECT 'delivery ' || delivery.id || ' is ' || delivery.status || CASE delivery.status
       WHEN 'DEAD' THEN ', and nobody was alerted' ELSE ', and its subscription is there' END
  FROM webhook_deliveries delivery JOIN webhook_subscriptions subscription ON subscription.id = delivery.subscription_id
 WHERE CASE delivery.status
       WHEN 'DEAD' THEN NOT EXISTS (SELECT FROM alerts alert WHERE alert.kind = 'webhook_deliveries_dead'
                                                               AND alert.reference = delivery.subscription_id)
       WHEN 'CANCELED' THEN subscription.deleted_at IS NULL AND subscription.status <> 'DISABLED'
                            AND subscription.updated_at < delivery.created_at  -- so it was not resumed since
       ELSE delivery.status NOT IN ('PENDING', 'DELIVERED') END
"""

_ATTEMPTS = """
SELECT 'delivery ' || delivery.id || ' has other attempts than it says'
  FROM webhook_deliveries delivery
  LEFT JOIN (SELECT delivery_id, count(*) AS times, min(number) AS first, max(number) AS last,
                    count(*) FILTER (WHERE response_status BETWEEN 200 AND 299) AS taken
               FROM webhook_attempts GROUP BY delivery_id) tried ON tried.delivery_id = delivery.id
 WHERE delivery.attempts <> coalesce(tried.times, 0)
    OR tried.first <> 1 OR tried.last <> tried.times
    OR delivery.attempts_before NOT BETWEEN 0 AND delivery.attempts
    OR delivery.status = 'DELIVERED' AND (coalesce(tried.taken, 0) = 0 OR delivery.delivered_at IS NULL)
UNION ALL
SELECT 'attempt ' || attempt.number || ' of ' || attempt.delivery_id || ' carried something else'
  FROM webhook_attempts attempt
  JOIN webhook_deliveries delivery ON delivery.id = attempt.delivery_id
  LEFT JOIN events event ON event.account_id = delivery.account_id AND event.id = delivery.event_id
 WHERE attempt.body_sha256 IS DISTINCT FROM sha256(event.body)
    OR (attempt.response_status IS NULL) = (attempt.error IS NULL)
"""

_UNTOLD = "SELECT cardinality(event_ids) || ' events, ' || event_ids[1] || ' among them' FROM untold_events"

_WHOSE = """
SELECT 'delivery ' || delivery.id
  FROM webhook_deliveries delivery
  LEFT JOIN webhook_subscriptions subscription ON subscription.id = delivery.subscription_id
  LEFT JOIN events event ON event.account_id = delivery.account_id AND event.id = delivery.event_id
  LEFT JOIN event_feed place ON place.tenant_id = delivery.tenant_id AND place.event_id = delivery.event_id
 WHERE delivery.tenant_id IS DISTINCT FROM subscription.tenant_id
    OR delivery.tenant_id IS DISTINCT FROM event.tenant_id
    OR delivery.event_type IS DISTINCT FROM event.type
    OR delivery.position IS DISTINCT FROM place.position
"""

INVARIANTS = (
    Invariant(
        "E2",
        "Each event has one place, or waits for it; who subscribed to it has it, or will, or a human was told.",
        _TOLD,
    ),
    Invariant(
        "E3",
        "What was delivered was answered 2xx; attempts are counted without gaps and carry the event's own bytes.",
        _ATTEMPTS,
    ),
    Invariant("E4", "At rest, every event has its place.", _UNTOLD, at_rest=True),
    Invariant("E5", "A delivery is of an event of its own tenant, for a subscription of the same.", _WHOSE),
)
