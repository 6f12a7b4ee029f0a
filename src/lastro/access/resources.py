"""How clients and tokens look on the wire."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

from pydantic import AfterValidator, Field, PlainSerializer, PlainValidator, WithJsonSchema, model_validator

from lastro.access.order import Alteration, Wish
from lastro.access.states import AccessStatus, status_of
from lastro.auth.binding import Binding, Rights
from lastro.auth.models import ApiClient, ApiToken
from lastro.auth.permissions import Permission
from lastro.database import Found
from lastro.jsonapi.document import Body, Change, Collection, Document, Incoming, Resource, Schema, SelfLink, link
from lastro.jsonapi.fields import Amount, Reais, Timestamp, line
from lastro.jsonapi.query import ListQuery, collection
from lastro.values.network import Network, parse_network
from lastro.values.text import Invalid, Text

ClientKind = Literal["clients"]
TokenKind = Literal["tokens"]
Item = TypeVar("Item")

MOST_ACCOUNTS, MOST_NETWORKS = 100, 50

_HOW_MANY = Text("Deve ter de 1 a {most} itens.", "Must have 1 to {most} items.")
_NOTHING = Text("Informe ao menos um atributo.", "Give at least one attribute.")
_NULL = Text("Não pode ser null.", "May not be null.")
_NO_TEXT = Text("Deve ser um texto.", "Must be a string.")
_MOMENT = Text(
    "Deve ser um momento em UTC, como 2026-01-31T12:00:00Z.", "Must be a moment in UTC, such as 2026-01-31T12:00:00Z."
)


def _few(most: int) -> AfterValidator:
    def judge(items: list[Item]) -> list[Item]:
        if not 1 <= len(items) <= most:
            raise Invalid(_HOW_MANY.fill(most=most))
        return items

    return AfterValidator(judge)


def _read_network(value: Any) -> Network:
    if not isinstance(value, str):
        raise Invalid(_NO_TEXT)
    return parse_network(value)


def _read_moment(value: Any) -> datetime:
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", value):
        raise Invalid(_MOMENT)
    try:
        return datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Invalid(_MOMENT) from error


Cidr = Annotated[
    Network,
    PlainValidator(_read_network),
    PlainSerializer(str),
    WithJsonSchema({"type": "string", "examples": ["203.0.113.0/24"]}),
]
Moment = Annotated[
    datetime,
    PlainValidator(_read_moment),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2027-01-31T12:00:00Z"]}),
]
Names = Annotated[list[Permission], _few(len(Permission)), Field(description="Permissões; no máximo as de quem pede")]
AccountIds = Annotated[list[UUID], _few(MOST_ACCOUNTS), Field(description="As únicas contas que alcança")]
Networks = Annotated[list[Cidr], _few(MOST_NETWORKS), Field(description="De onde é aceito, em notação CIDR")]
Most = Annotated[Amount, Field(description="Em reais")]


class _Bound(Incoming):
    account_ids: AccountIds | None = None
    networks: Networks | None = None
    max_amount_per_payment: Most | None = None
    max_amount_per_day: Most | None = None

    def binding(self, earlier: Binding) -> Binding:
        """The binding that was there, with what was said."""
        said = self.model_fields_set
        accounts = None if self.account_ids is None else frozenset(self.account_ids)
        networks = None if self.networks is None else tuple(dict.fromkeys(self.networks))
        return Binding(
            accounts=accounts if "account_ids" in said else earlier.accounts,
            networks=networks if "networks" in said else earlier.networks,
            most_each=self.max_amount_per_payment if "max_amount_per_payment" in said else earlier.most_each,
            most_a_day=self.max_amount_per_day if "max_amount_per_day" in said else earlier.most_a_day,
        )


class NewClient(_Bound):
    """What makes a client."""

    name: Annotated[str, *line(100), Field(description="Nome do cliente", examples=["Loja 12"])]
    permissions: Names

    def wish(self) -> Wish:
        """The request in our words."""
        return Wish(self.name, Rights(frozenset(map(str, self.permissions)), self.binding(Binding())))


class NewToken(NewClient):
    """What makes a token."""

    expires_at: Annotated[Moment | None, Field(description="Até quando vale; 90 dias se omitido")] = None

    def wish(self) -> Wish:
        """The request in our words."""
        return replace(super().wish(), expires_at=self.expires_at)


class ClientChanges(_Bound):
    """What changes a client; what is not mentioned stays, and null takes a bound away."""

    name: Annotated[str, *line(100), Field(description="Nome do cliente")] | None = None
    permissions: Names | None = None

    @model_validator(mode="after")
    def _something(self) -> "ClientChanges":
        if not self.model_fields_set:
            raise Invalid(_NOTHING)
        if any(getattr(self, name) is None for name in self.model_fields_set & {"name", "permissions"}):
            raise Invalid(_NULL)
        return self

    def alteration(self) -> Alteration:
        """The change in our words."""

        def applied(earlier: Rights) -> Rights:
            asked = earlier.permissions if self.permissions is None else frozenset(map(str, self.permissions))
            return Rights(asked, self.binding(earlier.binding))

        return Alteration(self.name, applied, touches_rights=self.model_fields_set != {"name"})


class _Shown(Schema):
    name: str
    permissions: Sequence[str]
    account_ids: Sequence[UUID] | None
    networks: Sequence[str] | None
    max_amount_per_payment: Reais | None
    max_amount_per_day: Reais | None
    status: AccessStatus


class ClientAttributes(_Shown):
    """A client; its secret only where it was just made."""

    client_secret: str | None = Field(default=None, exclude_if=lambda value: value is None)
    created_at: Timestamp
    updated_at: Timestamp


class TokenAttributes(_Shown):
    """A token; its text only where it was just made. `prefix` is how it begins."""

    prefix: str
    token: str | None = Field(default=None, exclude_if=lambda value: value is None)
    expires_at: Timestamp | None
    created_at: Timestamp


NewClientBody = Body[ClientKind, NewClient]
ClientChange = Change[ClientKind, ClientChanges]
ClientResource = Resource[ClientKind, ClientAttributes]
ClientDocument = Document[ClientKind, ClientAttributes]
ClientCollection = Collection[ClientKind, ClientAttributes]
NewTokenBody = Body[TokenKind, NewToken]
TokenResource = Resource[TokenKind, TokenAttributes]
TokenDocument = Document[TokenKind, TokenAttributes]
TokenCollection = Collection[TokenKind, TokenAttributes]


def _common(row: ApiClient | ApiToken) -> dict[str, Any]:
    return {
        "name": row.name,
        "permissions": row.permissions,
        "account_ids": row.account_ids,
        "networks": row.networks,
        "max_amount_per_payment": row.most_each,
        "max_amount_per_day": row.most_a_day,
    }


def _client(row: ApiClient, secret: str | None = None) -> ClientResource:
    attributes = ClientAttributes(
        **_common(row),
        status=status_of(row.revoked_at, None, row.created_at),
        client_secret=secret,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
    return ClientResource(
        type="clients", id=row.id, links=SelfLink(self=link(f"/clients/{row.id}")), attributes=attributes
    )


def client(row: ApiClient, secret: str | None = None) -> ClientDocument:
    """The answer about one client."""
    data = _client(row, secret)
    return ClientDocument(data=data, links=data.links)


def clients(found: Found[ApiClient], query: ListQuery) -> ClientCollection:
    """The answer to a list."""
    return collection(found, query, "/clients", _client)


def _token(row: ApiToken, environment: str, now: datetime, text: str | None = None) -> TokenResource:
    attributes = TokenAttributes(
        **_common(row),
        status=status_of(row.revoked_at, row.expires_at, now),
        prefix=f"lastro_{environment}_{row.id}",
        token=text,
        expires_at=row.expires_at,
        created_at=row.created_at,
    )
    return TokenResource(type="tokens", id=row.resource_id, attributes=attributes)


def token(row: ApiToken, environment: str, now: datetime, text: str | None = None) -> TokenDocument:
    """The answer about one token."""
    return TokenDocument(data=_token(row, environment, now, text))


def tokens(found: Found[ApiToken], query: ListQuery, environment: str, now: datetime) -> TokenCollection:
    """The answer to a list."""
    return collection(found, query, "/tokens", lambda row: _token(row, environment, now))
