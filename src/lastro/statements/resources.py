"""How a statement looks on the wire."""

from datetime import date
from enum import StrEnum
from typing import Literal, Self
from uuid import UUID

from pydantic import Field

from lastro.jsonapi.document import Resource, Schema
from lastro.jsonapi.fields import Day, Reais, Timestamp
from lastro.jsonapi.log import Log, LogMeta, LogQuery, Looked, links
from lastro.statements.lines import Direction, Line, Wanted
from lastro.statements.origins import LineType, ResourceType
from lastro.statements.period import Period
from lastro.statements.service import Statement

Kind = Literal["statement-lines"]


class Format(StrEnum):
    """What a statement can be had as: pages of JSON, or one file."""

    JSON = "json"
    CSV = "csv"
    OFX = "ofx"
    CNAB240 = "cnab240"
    PDF = "pdf"


class StatementQuery(LogQuery):
    """What can be asked of a statement."""

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

    def of(self, period: Period) -> Self:
        """The same question with its days named, so that midnight moves nothing between two pages."""
        return self.model_copy(update={"date_from": period.first, "date_to": period.last})


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


class StatementMeta(LogMeta):
    """The period and the balances before and after it, whatever filters and page leave out."""

    account_id: UUID
    date_from: date
    date_to: date
    opening_balance: Reais
    closing_balance: Reais


LineResource = Resource[Kind, LineAttributes]


class StatementDocument(Log[Kind, LineAttributes]):
    """One page of a statement, oldest line first."""

    meta: StatementMeta


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


def document(of: Statement, page: Looked[Line], query: StatementQuery) -> StatementDocument:
    """The answer."""
    holder, period, span = of.holder, of.period, of.span
    return StatementDocument(
        data=[resource(line) for line in page.rows],
        meta=StatementMeta(
            account_id=holder.account_id,
            date_from=period.first,
            date_to=period.last,
            opening_balance=span.opening,
            closing_balance=span.closing,
            items_per_page=query.size,
            has_next_page=page.has_next,
        ),
        links=links(query.of(period), f"/accounts/{holder.account_id}/statement", page),
    )
