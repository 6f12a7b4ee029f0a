"""Readable builders of what is told to whom, written straight into the tables."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import insert, select, update
from sqlalchemy.engine import RowMapping

from lastro.bank import Bank
from lastro.tenants import service as tenants
from lastro.values.time_ordered_id import new_id
from lastro.webhooks import secrets
from lastro.webhooks.courier import Courier
from lastro.webhooks.models import (
    Attempt,
    Delivery,
    EventRow,
    FeedEntry,
    Subscription,
    SubscriptionSecret,
    SubscriptionStatus,
)

RECEIVED = "pix.transfer.received"
SOON: Mapping[str, Any] = {"maxRetries": 3, "retryBackoffMs": 20, "retryBackoffMultiplier": 1}
"""Three more tries, almost at once."""


@dataclass
class Newsroom:
    """A tenant of the test's own, on a bank where nobody tells anything but the test."""

    bank: Bank
    tenant_id: UUID
    account_id: UUID = field(default_factory=uuid4)

    @classmethod
    async def open(cls, bank: Bank) -> "Newsroom":
        return cls(bank, await tenants.create_tenant(bank, f"newsroom-{uuid4().hex[:8]}", "11222333000181"))

    async def subscribe(
        self,
        url: str,
        *filters: str,
        headers: Mapping[str, str] | None = None,
        retry: Mapping[str, Any] = SOON,
        timeout_ms: int = 1000,
        **facts: Any,
    ) -> "Subscribed":
        """A subscription with one secret; of everything, unless filters say of what."""
        now, subscription_id = self.bank.now(), facts.pop("id", uuid4())
        sealed = secrets.sealed_headers(self.bank.key_ring, headers, subscription_id) if headers else None
        row = {
            "id": subscription_id,
            "tenant_id": self.tenant_id,
            "name": "test",
            "endpoint_url": url,
            "event_filters": list(filters or ["*"]),
            "custom_headers_key_id": sealed and sealed.key_id,
            "custom_headers": sealed and sealed.ciphertext,
            "timeout_ms": timeout_ms,
            "retry_config": dict(retry),
            "status": SubscriptionStatus.ACTIVE,
            "version": 1,
            "created_at": now,
            "updated_at": now,
        }
        async with self.bank.db.transaction() as tx:
            await tx.execute(insert(Subscription), [row | facts])
        subscribed = Subscribed(self, subscription_id)
        subscribed.secret = await subscribed.add_secret()
        return subscribed

    async def happens(self, n: int = 1, kind: str = RECEIVED, **facts: Any) -> list[UUID]:
        """So many events, in one transaction; their ids, in the order of time."""
        now: datetime = facts.pop("created_at", None) or self.bank.now()
        rows = [self._event(kind, now, **facts) for _ in range(n)]
        async with self.bank.db.transaction() as tx:
            await tx.execute(insert(EventRow), rows)
        return [row["id"] for row in rows]

    def _event(self, kind: str, now: datetime, **facts: Any) -> dict[str, Any]:
        resource_id = uuid4()
        return {
            "account_id": self.account_id,
            "id": new_id(now),
            "tenant_id": self.tenant_id,
            "type": kind,
            "resource_id": resource_id,
            "resource_version": 1,
            "body": json.dumps({"type": kind, "data": {"id": str(resource_id), "name": "João"}}).encode(),
            "created_at": now,
        } | facts

    async def feed(self) -> list[UUID]:
        """The ids of the tenant's events in the order of their places."""
        query = select(FeedEntry.event_id).where(FeedEntry.tenant_id == self.tenant_id).order_by(FeedEntry.position)
        async with self.bank.db.transaction() as tx:
            return list((await tx.execute(query)).scalars())

    async def close(self) -> None:
        """Nobody else's courier should meet what is left."""
        async with self.bank.db.transaction() as tx:
            await tx.execute(
                update(Subscription).where(Subscription.tenant_id == self.tenant_id).values(deleted_at=self.bank.now())
            )


@dataclass
class Subscribed:
    """A subscription, and what became of its deliveries."""

    newsroom: Newsroom
    id: UUID
    secret: str = ""

    async def add_secret(self, *, lives: timedelta | None = None) -> str:
        """Another secret that is in force, for as long as it lives."""
        bank, secret, secret_id = self.newsroom.bank, secrets.new(), uuid4()
        sealed = secrets.sealed(bank.key_ring, secret, self.id, secret_id)
        now = bank.now()
        row = {
            "subscription_id": self.id,
            "id": secret_id,
            "key_id": sealed.key_id,
            "ciphertext": sealed.ciphertext,
            "created_at": now,
            "expires_at": None if lives is None else now + lives,
        }
        async with bank.db.transaction() as tx:
            await tx.execute(insert(SubscriptionSecret), [row])
        return secret

    async def change(self, **facts: Any) -> None:
        """Set columns of the subscription."""
        async with self.newsroom.bank.db.transaction() as tx:
            await tx.execute(update(Subscription).where(Subscription.id == self.id).values(**facts))

    async def change_deliveries(self, **facts: Any) -> None:
        """Set columns of all its deliveries."""
        async with self.newsroom.bank.db.transaction() as tx:
            await tx.execute(update(Delivery).where(Delivery.subscription_id == self.id).values(**facts))

    async def row(self) -> RowMapping:
        return (await self._rows(select(Subscription.__table__).where(Subscription.id == self.id)))[0]

    async def deliveries(self) -> Sequence[RowMapping]:
        """In the order of the feed."""
        query = select(Delivery.__table__).where(Delivery.subscription_id == self.id).order_by(Delivery.position)
        return await self._rows(query)

    async def statuses(self) -> list[str]:
        return [row["status"].value for row in await self.deliveries()]

    async def attempts(self) -> Sequence[RowMapping]:
        """Of all deliveries, in the order in which they began."""
        query = (
            select(Attempt.__table__)
            .join(Delivery, Delivery.id == Attempt.delivery_id)
            .where(Delivery.subscription_id == self.id)
            .order_by(Attempt.started_at, Attempt.number)
        )
        return await self._rows(query)

    async def _rows(self, query: Any) -> Sequence[RowMapping]:
        async with self.newsroom.bank.db.transaction() as tx:
            return (await tx.execute(query)).mappings().all()


async def tell_all(courier: Courier) -> None:
    """Until nothing is untold."""
    while await courier.tell():
        pass


async def bring_all(courier: Courier) -> None:
    """Tell, and post what is due until nothing is."""
    await tell_all(courier)
    while await courier.round():
        await courier.settle()
