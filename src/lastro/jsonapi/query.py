"""Lists on the wire: `page[number]`, `page[size]`, `page[after]` and `filter[…]` in; meta and links out."""

import re
from collections.abc import Callable, Sequence
from datetime import date
from typing import Annotated, Any, Protocol, TypeVar
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator

from lastro.jsonapi.document import Collection, Kind, ListLinks, Meta, Resource, link
from lastro.jsonapi.errors import NO_INTEGER
from lastro.jsonapi.fields import Day
from lastro.paging import DEEPEST_ROW, PageRequest
from lastro.values.text import Invalid, Text

LARGEST_PAGE = 100

_DAYS = Text("dateFrom não pode ser depois de dateTo.", "dateFrom may not be after dateTo.")
_BOTH = Text("Use page[number] ou page[after], não ambos.", "Use page[number] or page[after], not both.")


def _digits(value: Any) -> Any:
    if isinstance(value, str) and not re.fullmatch(r"-?[0-9]{1,20}", value):
        raise Invalid(NO_INTEGER)
    return value


Digits = Annotated[int, BeforeValidator(_digits)]
"""An integer in digits alone: `1_0`, `10.0` and ` 10` are none."""


class ListQuery(BaseModel):
    """The parameters that every list takes; a list adds its filters, and anything else is a 400."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    number: Digits = Field(
        default=1, ge=1, le=2**31, alias="page[number]", description="Número da página, a partir de 1."
    )
    size: Digits = Field(default=20, ge=1, le=LARGEST_PAGE, alias="page[size]", description="Itens por página.")
    after: UUID | None = Field(
        default=None,
        alias="page[after]",
        description="Itens depois deste (o id do último item recebido); custa o mesmo em qualquer profundidade.",
    )

    @field_validator("after")
    @classmethod
    def _instead_of_a_number(cls, after: UUID | None, others: ValidationInfo) -> UUID | None:
        if after is not None and others.data.get("number", 1) != 1:
            raise Invalid(_BOTH)
        return after

    def page(self) -> PageRequest:
        """Which page that is."""
        return PageRequest(self.number, self.size, self.after)

    def parameters(self, **changes: Any) -> dict[str, Any]:
        """The query as it was asked, with `changes` to the page."""
        asked = self.model_dump(by_alias=True, exclude_none=True, mode="json", exclude={"number", "size", "after"})
        return {**asked, **changes}


class Days(BaseModel):
    """The days that a list is cut by: São Paulo's, both included."""

    date_from: Day | None = Field(default=None, alias="filter[dateFrom]", description="Primeiro dia (AAAA-MM-DD).")
    date_to: Day | None = Field(default=None, alias="filter[dateTo]", description="Último dia, incluído (AAAA-MM-DD).")

    @field_validator("date_to")
    @classmethod
    def _not_before_the_first(cls, last: date | None, others: ValidationInfo) -> date | None:
        first: date | None = others.data.get("date_from")
        if first is not None and last is not None and first > last:
            raise Invalid(_DAYS)
        return last


class DatedQuery(Days, ListQuery):
    """A list that can be cut by days."""


Item = TypeVar("Item")
Item_co = TypeVar("Item_co", covariant=True)
Attributes = TypeVar("Attributes", bound=BaseModel)


class Page(Protocol[Item_co]):
    """What a service found: some rows, how many there are, and whether more follow."""

    @property
    def rows(self) -> Sequence[Item_co]: ...
    @property
    def total(self) -> int: ...
    @property
    def has_next(self) -> bool: ...


def collection(
    found: Page[Item],
    query: ListQuery,
    path: str,
    resource: Callable[[Item], Resource[Kind, Attributes]],
) -> Collection[Kind, Attributes]:
    """The rows as resources, with the contract's meta and the links to move on."""
    data = [resource(row) for row in found.rows]
    pages = -(-found.total // query.size)
    meta = Meta(
        total_items=found.total,
        total_pages=pages,
        current_page=query.number,
        items_per_page=query.size,
        has_next_page=found.has_next,
        has_previous_page=query.number > 1 or query.after is not None,
    )
    links = _by_cursor(query, path, data, found) if query.after else _by_number(query, path, data, found)
    return Collection[Kind, Attributes](data=data, meta=meta, links=links)


def _by_number(query: ListQuery, path: str, data: Sequence[Resource[Any, Any]], found: Page[Any]) -> ListLinks:
    deepest = DEEPEST_ROW // query.size + 1
    last = max(-(-found.total // query.size), 1)

    def at(number: int) -> str:
        return link(path, query.parameters(**{"page[number]": number, "page[size]": query.size}))

    def after(row: Resource[Any, Any]) -> str:
        return link(path, query.parameters(**{"page[after]": row.id, "page[size]": query.size}))

    following = at(query.number + 1) if query.number < deepest or not data else after(data[-1])
    return ListLinks(
        self=at(query.number),
        first=at(1),
        prev=at(query.number - 1) if query.number > 1 else None,
        next=following if found.has_next else None,
        last=at(last) if last <= deepest else None,
    )


def _by_cursor(query: ListQuery, path: str, data: Sequence[Resource[Any, Any]], found: Page[Any]) -> ListLinks:
    def after(cursor: UUID | None) -> str:
        return link(path, query.parameters(**{"page[after]": cursor, "page[size]": query.size}))

    return ListLinks(
        self=after(query.after),
        first=link(path, query.parameters(**{"page[number]": 1, "page[size]": query.size})),
        prev=None,
        next=after(data[-1].id) if found.has_next else None,
        last=None,
    )
