"""What Prometheus reads at /metrics."""

import os

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess

REQUESTS = Counter("lastro_http_requests_total", "Requests answered.", ["method", "route", "status"])
DURATION = Histogram(
    "lastro_http_request_seconds",
    "Time from the first byte of a request to the last of its answer.",
    ["route"],
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10),
)
BATCH = Histogram(
    "lastro_till_batch_orders", "Orders that shared a transaction.", ["till"], buckets=(1, 2, 4, 8, 16, 32, 64, 128)
)
KEPT = Counter("lastro_outbox_kept_total", "Promises kept.", ["topic"])
POSTPONED = Counter("lastro_outbox_postponed_total", "Promises postponed.", ["topic"])
OWED = Gauge(
    "lastro_outbox_owed_seconds", "Age of the oldest promise that is due; 0 when none is.", multiprocess_mode="max"
)
TALLY_PENDING = Gauge(
    "lastro_tally_pending_changes", "Changes of totals that are not rolled up yet.", multiprocess_mode="max"
)

BREAKER_OPENED = Counter(
    "lastro_provider_breaker_openings_total", "Times that a provider stopped being asked, by the part of it.", ["part"]
)
UNTOLD = Gauge("lastro_events_untold", "Events that have no place in the feed yet.", multiprocess_mode="max")
ATTEMPTS = Counter("lastro_webhook_attempts_total", "Posts to endpoints of tenants.", ["outcome"])
DUE = Gauge(
    "lastro_webhook_due_seconds",
    "Age of the oldest delivery that is due and whose endpoint is not resting; 0 when none is.",
    multiprocess_mode="max",
)

LOOKUPS = Counter("lastro_dict_questions_total", "Questions to the key directory.", ["purpose", "outcome"])
LOOKUPS_REFUSED = Counter(
    "lastro_dict_refusals_total",
    "Questions refused for want of tokens, by the emptiest level.",
    ["level", "purpose"],
)


_answered: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}  # finding a child by its labels costs more


def answered(method: str, route: str, status: int, seconds: float) -> None:
    """Count one request and its time."""
    children = _answered.get((method, route, status))
    if children is None:
        children = REQUESTS.labels(method, route, status), DURATION.labels(route)
        _answered[method, route, status] = children
    children[0].inc()
    children[1].observe(seconds)


def page() -> bytes:
    """All figures in Prometheus' text format; of all processes, when there are several."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)
    return generate_latest()
