"""How a statement looks on the wire."""

from collections.abc import Sequence
from datetime import date
from enum import StrEnum
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from lastro.jsonapi.document import ListLinks, Resource, Schema, link
from lastro.jsonapi.fields import Day, Reais, Timestamp
from lastro.jsonapi.query import LARGEST_PAGE, Digits
from lastro.statements.lines import Direction, Line, Wanted
from lastro.statements.origins import LineType, ResourceType
from lastro.statements.service import Page, Statement

Kind = Literal["statement-lines"]


class Format(StrEnum):
    """What a statement can be had as: pages of JSON, or one file."""

    JSON = "json"
    CSV = "csv"
    OFX = "ofx"
    CNAB240 = "cnab240"
    PDF = "pdf"


class StatementQuery(BaseModel):
    """What can be asked of a statement."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    date_from: Day | None = Field(
        default=None,
        alias="filter[dateFrom]",
        description="Primeiro dia (AAAA-MM-DD); se omitido, 29 dias antes do último.",
    )
    date_to: Day | None = Field(
        default=None, alias="filter[dateTo]", description="Último dia, incluído (AAAA-MM-DD); se omitido, hoje."
    )
    direction: Direction | None = Field(default=None, alias="filter[direction]", description="Só em JSON e CSV.")
    type: LineType | None = Field(default=None, alias="filter[type]", description="Só em JSON e CSV.")
    size: Digits = Field(default=20, ge=1, le=LARGEST_PAGE, alias="page[size]", description="Linhas por página.")
    after: UUID | None = Field(
        default=None,
        alias="page[after]",
        description="Linhas depois desta (o id da última recebida); custa o mesmo em qualquer profundidade.",
    )
    format: Format | None = Field(
        default=None, description="Se omitido, o que Accept preferir. Arquivos trazem o período inteiro."
    )

    @property
    def wanted(self) -> Wanted:
        """Which lines."""
        return Wanted(self.direction, self.type)

    def names(self, parameter: str) -> bool:
        """Whether this parameter was given, under its name on the wire."""
        return any(type(self).model_fields[name].alias == parameter for name in self.model_fields_set)

    def parameters(self, **changes: Any) -> dict[str, Any]:
        """The query as it was asked, with `changes` to the page."""
        asked = self.model_dump(by_alias=True, exclude_none=True, mode="json", exclude={"size", "after"})
        return {**asked, **changes, "page[size]": self.size}


class OtherSide(Schema):
    """Who paid, or was paid. The document of a person who was paid is masked, as in the directory."""

    name: str
    document: str
    bank_name: str | None
    ispb: str


class About(Schema):
    """The resource that tells more."""

    type: ResourceType
    id: UUID


class LineAttributes(Schema):
    """One line: money that came in or went out, and the balance after it."""

    posted_at: Timestamp
    direction: Direction
    type: LineType
    amount: Reais
    balance_after: Reais
    description: str | None
    counterparty: OtherSide
    e2e_id: str | None
    correlation_id: str | None
    resource: About


class StatementMeta(Schema):
    """The period and the balances before and after it, whatever filters and page leave out."""

    account_id: UUID
    date_from: date
    date_to: date
    opening_balance: Reais
    closing_balance: Reais
    items_per_page: int
    has_next_page: bool


LineResource = Resource[Kind, LineAttributes]


class StatementDocument(Schema):
    """One page of a statement, oldest line first."""

    data: Sequence[LineResource]
    meta: StatementMeta
    links: ListLinks


def resource(line: Line) -> LineResource:
    """One line."""
    origin = line.origin
    other = origin.counterparty
    return LineResource(
        type="statement-lines",
        id=line.id,
        attributes=LineAttributes(
            posted_at=line.posted_at,
            direction=line.direction,
            type=origin.type,
            amount=line.amount,
            balance_after=line.balance_after,
            description=origin.description,
            counterparty=OtherSide(
                name=other.name, document=other.document, bank_name=other.bank_name, ispb=other.ispb
            ),
            e2e_id=origin.e2e_id,
            correlation_id=origin.correlation_id,
            resource=About(type=origin.resource_type, id=origin.resource_id),
        ),
    )


def document(of: Statement, page: Page, query: StatementQuery) -> StatementDocument:
    """The answer: the links name the days, so that midnight moves nothing between two pages."""
    holder, period, span = of.holder, of.period, of.span
    path = f"/accounts/{holder.account_id}/statement"
    days = {"filter[dateFrom]": period.first.isoformat(), "filter[dateTo]": period.last.isoformat()}

    def at(after: UUID | None) -> str:
        return link(path, query.parameters(**days, **({"page[after]": after} if after else {})))

    following = at(page.lines[-1].id) if page.has_next else None
    return StatementDocument(
        data=[resource(line) for line in page.lines],
        meta=StatementMeta(
            account_id=holder.account_id,
            date_from=period.first,
            date_to=period.last,
            opening_balance=span.opening,
            closing_balance=span.closing,
            items_per_page=query.size,
            has_next_page=page.has_next,
        ),
        links=ListLinks(self=at(query.after), first=at(None), prev=None, next=following, last=None),
    )
