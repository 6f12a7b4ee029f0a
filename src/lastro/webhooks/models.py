"""News at rest: events, the order in which they are told, who subscribed, and what was delivered to whom."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from lastro.database import Base


class EventRow(Base):
    """One piece of news. `body` holds the bytes that every delivery will carry, now and on every retry."""

    __tablename__ = "events"
    __table_args__ = (UniqueConstraint("account_id", "resource_id", "resource_version"),)

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    type: Mapped[str]
    resource_id: Mapped[UUID]
    resource_version: Mapped[int]
    body: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime]


class UntoldEvents(Base):
    """Events that were committed and have no place in the feed yet: one row a statement that wrote some.

    A trigger of `events` writes it, so that nobody who adds news can forget it. Whoever takes a row takes all that is
    committed, in whatever order it was: a cursor over ids would pass by what commits late.
    """

    __tablename__ = "untold_events"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    account_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid()))
    event_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid()))


class FeedEntry(Base):
    """The place of an event among its tenant's: what the feed pages along, and in what order endpoints are told.

    One worker at a time gives places, so they only grow. They are never shown: clients name events by their ids.
    """

    __tablename__ = "event_feed"
    __table_args__ = (
        UniqueConstraint("tenant_id", "event_id"),
        Index("ix_event_feed_account_id_position", "account_id", "position"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    event_id: Mapped[UUID]
    account_id: Mapped[UUID]
    type: Mapped[str]
    created_at: Mapped[datetime]


class SubscriptionStatus(StrEnum):
    """ACTIVE: told. PAUSED by the tenant: what happens meanwhile is told after `resume`. DISABLED by us, on a 410."""

    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    DISABLED = "DISABLED"


class Subscription(Base):
    """An endpoint of a tenant's that wants to be told.

    `account_ids`: of these accounts only; None: of all. `custom_headers` are sealed JSON (name → value), for they may
    hold a password. `failures` counts attempts that failed in a row over all deliveries; while `resting_until` has not
    passed, the endpoint is left alone, and then asked once.
    """

    __tablename__ = "webhook_subscriptions"
    __table_args__ = (
        Index("ix_webhook_subscriptions_tenant_id_id", "tenant_id", "id", postgresql_where=text("deleted_at IS NULL")),
        CheckConstraint("timeout_ms BETWEEN 1000 AND 30000", name="timeout_within_bounds"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    name: Mapped[str]
    endpoint_url: Mapped[str]
    event_filters: Mapped[list[str]] = mapped_column(ARRAY(Text))
    account_ids: Mapped[list[UUID] | None] = mapped_column(ARRAY(Uuid()))
    custom_headers_key_id: Mapped[str | None]
    custom_headers: Mapped[bytes | None] = mapped_column(LargeBinary)
    timeout_ms: Mapped[int]
    retry_config: Mapped[dict[str, Any]] = mapped_column(JSONB)
    status: Mapped[SubscriptionStatus]
    disabled_reason: Mapped[str | None]
    failures: Mapped[int] = mapped_column(server_default=text("0"))
    failing_since: Mapped[datetime | None]
    resting_until: Mapped[datetime | None]
    version: Mapped[int]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]


class SubscriptionSecret(Base):
    """Under what deliveries are signed, sealed. While two are in force, each delivery carries both signatures."""

    __tablename__ = "webhook_secrets"

    subscription_id: Mapped[UUID] = mapped_column(ForeignKey("webhook_subscriptions.id"), primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    key_id: Mapped[str]
    ciphertext: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]


class DeliveryStatus(StrEnum):
    """PENDING: to be tried at `due_at`. DEAD: given up, with an alert. CANCELED: its subscription is gone."""

    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    DEAD = "DEAD"
    CANCELED = "CANCELED"


class Delivery(Base):
    """One event for one subscription, at most one row for ever: a replay makes the row PENDING again.

    `attempts` counts since the beginning; `attempts_before` of them belong to earlier rounds. While somebody is at it,
    `due_at` lies after his deadline.
    """

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        UniqueConstraint("subscription_id", "event_id"),
        Index("ix_webhook_deliveries_subscription_id_id", "subscription_id", "id"),
        Index(
            "ix_webhook_deliveries_subscription_id_status_id",
            "subscription_id",
            "status",
            "id",
            postgresql_where=text("status <> 'DELIVERED'"),
        ),
        Index(
            "ix_webhook_deliveries_due",
            "subscription_id",
            "due_at",
            "position",
            postgresql_where=text("status = 'PENDING'"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    subscription_id: Mapped[UUID] = mapped_column(ForeignKey("webhook_subscriptions.id"))
    event_id: Mapped[UUID]
    account_id: Mapped[UUID]
    event_type: Mapped[str]
    position: Mapped[int] = mapped_column(BigInteger)
    status: Mapped[DeliveryStatus]
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    attempts_before: Mapped[int] = mapped_column(server_default=text("0"))
    response_status: Mapped[int | None]
    due_at: Mapped[datetime]
    created_at: Mapped[datetime]
    delivered_at: Mapped[datetime | None]


class Attempt(Base):
    """One try: what the endpoint answered, or why it did not. `body_sha256` proves that every try sent the same."""

    __tablename__ = "webhook_attempts"

    delivery_id: Mapped[UUID] = mapped_column(ForeignKey("webhook_deliveries.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    started_at: Mapped[datetime]
    duration_ms: Mapped[int]
    response_status: Mapped[int | None]
    error: Mapped[str | None]
    body_sha256: Mapped[bytes] = mapped_column(LargeBinary)
