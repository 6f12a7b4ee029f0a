"""How deliveries and their attempts look on the wire."""

from collections.abc import Sequence
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field

from lastro.jsonapi.document import Document, Resource, Schema, SelfLink, link
from lastro.jsonapi.fields import Timestamp
from lastro.jsonapi.log import Log, LogMeta, LogQuery, Looked, links
from lastro.subscribers import catalog
from lastro.webhooks.models import Attempt, Delivery, DeliveryStatus

Kind = Literal["webhook-deliveries"]
AttemptKind = Literal["webhook-attempts"]


class DeliveryAttributes(Schema):
    """One event for one subscription, and how far it got. `nextAttemptAt` is there while there will be one."""

    subscription_id: UUID
    event_id: UUID
    event_type: str
    account_id: UUID
    status: DeliveryStatus
    attempts: int
    response_status: int | None
    next_attempt_at: Timestamp | None
    delivered_at: Timestamp | None
    created_at: Timestamp


class DeliveryQuery(LogQuery):
    """How deliveries can be read."""

    subscription_id: UUID | None = Field(default=None, alias="filter[subscriptionId]")
    event_id: UUID | None = Field(default=None, alias="filter[eventId]")
    event_type: Annotated[str, AfterValidator(catalog.parse)] | None = Field(
        default=None, alias="filter[eventType]", description="Um tipo (pix.payment.completed) ou uma família (pix.*)."
    )
    status: DeliveryStatus | None = Field(default=None, alias="filter[status]")


class AttemptAttributes(Schema):
    """One try: what the endpoint answered, or why it did not."""

    number: int
    started_at: Timestamp
    duration_ms: int
    response_status: int | None
    error: str | None


class Attempts(Schema):
    """The tries of one delivery, newest first: the last hundred."""

    data: Sequence[Resource[AttemptKind, AttemptAttributes]]
    links: SelfLink


DeliveryResource = Resource[Kind, DeliveryAttributes]
DeliveryDocument = Document[Kind, DeliveryAttributes]
DeliveryLog = Log[Kind, DeliveryAttributes]


def resource(delivery: Delivery) -> DeliveryResource:
    """One delivery."""
    return DeliveryResource(
        type="webhook-deliveries",
        id=delivery.id,
        links=SelfLink(self=link(f"/webhook-deliveries/{delivery.id}")),
        attributes=DeliveryAttributes(
            subscription_id=delivery.subscription_id,
            event_id=delivery.event_id,
            event_type=delivery.event_type,
            account_id=delivery.account_id,
            status=delivery.status,
            attempts=delivery.attempts,
            response_status=delivery.response_status,
            next_attempt_at=delivery.due_at if delivery.status is DeliveryStatus.PENDING else None,
            delivered_at=delivery.delivered_at,
            created_at=delivery.created_at,
        ),
    )


def document(delivery: Delivery) -> DeliveryDocument:
    """The answer about one delivery."""
    data = resource(delivery)
    return DeliveryDocument(data=data, links=data.links)


def log(found: Looked[Delivery], query: DeliveryQuery) -> DeliveryLog:
    """The answer about many."""
    return DeliveryLog(
        data=[resource(each) for each in found.rows],
        meta=LogMeta(items_per_page=query.size, has_next_page=found.has_next),
        links=links(query, "/webhook-deliveries", found),
    )


def attempts(delivery_id: UUID, made: Sequence[Attempt]) -> Attempts:
    """The answer about the tries of one."""
    return Attempts(
        data=[
            Resource[AttemptKind, AttemptAttributes](
                type="webhook-attempts",
                attributes=AttemptAttributes(
                    number=each.number,
                    started_at=each.started_at,
                    duration_ms=each.duration_ms,
                    response_status=each.response_status,
                    error=each.error,
                ),
            )
            for each in made
        ],
        links=SelfLink(self=link(f"/webhook-deliveries/{delivery_id}/attempts")),
    )
