"""How a list is paged: newest first, by number near its beginning and by cursor however deep."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from lastro.database import Base
from lastro.errors import Flaw, Validation
from lastro.values.text import Text

DEEPEST_ROW = 10_000  # page[number] counts rows away; beyond this, page[after] seeks

Row = TypeVar("Row", bound=Base)


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page a client wants: by number, or everything after a row that it has seen."""

    number: int = 1
    size: int = 20
    after: UUID | None = None


@dataclass(frozen=True, slots=True)
class Found(Generic[Row]):
    """One page of rows, newest first, and how many there are in all."""

    rows: Sequence[Row]
    total: int
    page: PageRequest
    has_next: bool


async def page_of(
    tx: AsyncSession,
    scope: Select[Row],
    filters: Sequence[ColumnElement[bool]],
    order: Sequence[InstrumentedAttribute[Any]],
    page: PageRequest,
    *,
    total: int | None = None,
) -> Found[Row]:
    """One page of `scope` under `filters`, newest first by `order`, whose last column is the row's id.

    `scope` is what the caller may see at all: a cursor that names a row outside of it is refused like a random id.
    Without a `total` that is known already, the rows are counted: that is for filters which few rows can match.
    Raises Validation for a page that lies too deep or a cursor that names nothing.
    """
    matching = scope.where(*filters)
    if total is None:
        total = (await tx.execute(select(func.count()).select_from(matching.subquery()))).scalar_one()
    statement = matching.order_by(*(column.desc() for column in order)).limit(page.size + 1)
    if page.after is not None:
        anchor = (await tx.execute(scope.with_only_columns(*order).where(order[-1] == page.after))).one_or_none()
        if anchor is None:
            raise no_such_cursor()
        statement = statement.where(tuple_(*order) < tuple_(*anchor))
    elif (page.number - 1) * page.size > DEEPEST_ROW:
        raise Validation(_TOO_DEEP, flaws=[Flaw(_TOO_DEEP, parameter="page[number]")])
    else:
        statement = statement.offset((page.number - 1) * page.size)
    # Where nothing is, a search for the first row would read all the others.
    rows = (await tx.execute(statement)).scalars().all() if total else []
    return Found(rows=rows[: page.size], total=total, page=page, has_next=len(rows) > page.size)


def no_such_cursor() -> Validation:
    """`page[after]` names nothing that the caller can see in this list."""
    return Validation(_NO_SUCH_CURSOR, flaws=[Flaw(_NO_SUCH_CURSOR, parameter="page[after]")])


_NO_SUCH_CURSOR = Text("Cursor inexistente.", "No such cursor.")
_TOO_DEEP = Text(
    "Página profunda demais: use page[after] com o id do último item recebido.",
    "Page too deep: use page[after] with the id of the last item received.",
)
