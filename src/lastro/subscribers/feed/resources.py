"""How the feed looks on the wire: the very bytes that endpoints get, each under the id that they get it under."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from lastro.jsonapi.document import Document, Resource
from lastro.jsonapi.fields import Day
from lastro.jsonapi.log import Log, LogLinks, LogMeta, LogQuery, Looked
from lastro.jsonapi.query import in_order
from lastro.subscribers import catalog
from lastro.webhooks.announce import EventBody

Kind = Literal["events"]
TypeFilter = Annotated[str, AfterValidator(catalog.parse)]


@dataclass(frozen=True, slots=True)
class Told:
    """An event with its body, as it is delivered."""

    id: UUID
    body: bytes


class FeedQuery(LogQuery):
    """How the feed can be read."""

    type: TypeFilter | None = Field(
        default=None, alias="filter[type]", description="Um tipo (pix.payment.completed) ou uma família (pix.*)."
    )
    account_id: UUID | None = Field(default=None, alias="filter[accountId]")
    date_from: Day | None = Field(default=None, alias="filter[dateFrom]", description="Primeiro dia (AAAA-MM-DD).")
    date_to: Day | None = Field(default=None, alias="filter[dateTo]", description="Último dia, incluído (AAAA-MM-DD).")

    @field_validator("date_to")
    @classmethod
    def _not_before_the_first(cls, last: Day | None, others: ValidationInfo) -> Day | None:
        return in_order(others.data.get("date_from"), last)


class FeedMeta(LogMeta):
    """Where in the feed we are; `lastEventId` is where the next question goes on, even at the end."""

    last_event_id: UUID | None


class FeedLinks(LogLinks):
    """How to go on: `next` is always there, for more will come."""

    next: str


class Feed(Log[Kind, EventBody]):
    """A part of the feed."""

    meta: FeedMeta
    links: FeedLinks


EventResource = Resource[Kind, EventBody]
EventDocument = Document[Kind, EventBody]


def document(told: Told) -> bytes:
    """The JSON of one event."""
    return b'{"data":%s}' % _resource(told)


def feed(found: Looked[Told], query: FeedQuery) -> bytes:
    """The JSON of a part of the feed. Bodies pass as they are: no digit of theirs is read and written again."""
    last = found.last or query.after
    meta = FeedMeta(items_per_page=query.size, has_next_page=found.has_next, last_event_id=last)
    links = FeedLinks(self=query.link("/events", query.after), next=query.link("/events", last))
    return b'{"data":[%s],"meta":%s,"links":%s}' % (
        _joined(found.rows),
        meta.model_dump_json(by_alias=True).encode(),
        links.model_dump_json(by_alias=True).encode(),
    )


def _joined(told: Sequence[Told]) -> bytes:
    return b",".join(map(_resource, told))


def _resource(told: Told) -> bytes:
    return b'{"type":"events","id":"%s","attributes":%s}' % (str(told.id).encode(), told.body)
