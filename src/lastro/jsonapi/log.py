"""Logs on the wire: lists that only grow, read along a cursor. They have no page numbers and no totals."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from lastro.jsonapi.document import Attributes, Kind, Resource, Schema, link
from lastro.jsonapi.query import LARGEST_PAGE, Digits

LOOKED_AT_ONCE = 10_000
"""Rows that one request looks at, however few of them its filters let through."""

Item = TypeVar("Item")


class LogQuery(BaseModel):
    """The parameters that every log takes; a log adds its filters, and anything else is a 400."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    size: Digits = Field(default=20, ge=1, le=LARGEST_PAGE, alias="page[size]", description="Itens por página.")
    after: UUID | None = Field(
        default=None, alias="page[after]", description="Itens depois deste: o id em que a página anterior terminou."
    )

    def link(self, path: str, after: UUID | None) -> str:
        """The same question from there on."""
        asked = self.model_dump(by_alias=True, exclude_none=True, mode="json", exclude={"size", "after"})
        place = {"page[after]": after} if after is not None else {}
        return link(path, {**asked, **place, "page[size]": self.size})


@dataclass(frozen=True, slots=True)
class Looked(Generic[Item]):
    """What was found in a bounded look along a log.

    `last` is the row up to which it was looked, found or not: the next look goes on there. None: nothing was there.
    """

    rows: Sequence[Item]
    last: UUID | None
    has_next: bool


class LogLinks(Schema):
    """How to go on; `next` is null at the end of what is there."""

    self: str
    next: str | None


class LogMeta(Schema):
    """Where in a log we are. A page may hold less than was asked for, even nothing, and yet not be the last."""

    items_per_page: int
    has_next_page: bool


class Log(Schema, Generic[Kind, Attributes]):
    """An answer about a part of a log."""

    data: Sequence[Resource[Kind, Attributes]]
    meta: LogMeta
    links: LogLinks


def links(query: LogQuery, path: str, found: Looked[Any]) -> LogLinks:
    """To this page and, where there is more, to the next."""
    following = query.link(path, found.last) if found.has_next else None
    return LogLinks(self=query.link(path, query.after), next=following)
