"""How clients and tokens look on the wire."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

from pydantic import AfterValidator, Field, PlainSerializer, PlainValidator, WithJsonSchema

from lastro.access.order import Alteration, Wish
from lastro.access.states import AccessStatus, status_of
from lastro.auth.binding import Binding, Rights
from lastro.auth.models import ApiClient, ApiToken
from lastro.auth.permissions import Permission
from lastro.jsonapi.document import (
    Body,
    Change,
    Changes,
    Collection,
    Document,
    Incoming,
    Resource,
    Schema,
    SelfLink,
    link,
)
from lastro.jsonapi.errors import NO_STRING
from lastro.jsonapi.fields import Amount, Given, Moment, Reais, Timestamp, line
from lastro.jsonapi.query import ListQuery, collection
from lastro.paging import Found
from lastro.values.network import Network, parse_network
from lastro.values.text import Invalid, Text

ClientKind = Literal["clients"]
TokenKind = Literal["tokens"]
Item = TypeVar("Item")

MOST_ACCOUNTS, MOST_NETWORKS = 100, 50

_HOW_MANY = Text("Deve ter de 1 a {most} itens.", "Must have 1 to {most} items.")


def _few(most: int) -> AfterValidator:
    def judge(items: list[Item]) -> list[Item]:
        if not 1 <= len(items) <= most:
            raise Invalid(_HOW_MANY.fill(most=most))
        return items

    return AfterValidator(judge)


def _read_network(value: Any) -> Network:
    if not isinstance(value, str):
        raise Invalid(NO_STRING)
    return parse_network(value)


Cidr = Annotated[
    Network,
    PlainValidator(_read_network),
    PlainSerializer(str),
    WithJsonSchema({"type": "string", "examples": ["203.0.113.0/24"]}),
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

    expires_at: Annotated[
        Moment | None, Field(description="Até quando vale; 90 dias se omitido", examples=["2027-01-31T12:00:00Z"])
    ] = None

    def wish(self) -> Wish:
        """The request in our words."""
        return replace(super().wish(), expires_at=self.expires_at)


class ClientChanges(_Bound, Changes):
    """What changes a client; what is not mentioned stays, and null takes a bound away."""

    name: Given[Annotated[str, *line(100), Field(description="Nome do cliente")]] = None
    permissions: Given[Names] = None

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
    """A client."""

    created_at: Timestamp
    updated_at: Timestamp


class RevealedClientAttributes(ClientAttributes):
    """A client with the secret that was just made; null in an answer that is given again."""

    client_secret: str | None


class TokenAttributes(_Shown):
    """A token. `prefix` is how it begins."""

    prefix: str
    expires_at: Timestamp | None
    created_at: Timestamp


class RevealedTokenAttributes(TokenAttributes):
    """A token that was just made, with its whole text; null in an answer that is given again."""

    token: str | None


NewClientBody = Body[ClientKind, NewClient]
ClientChange = Change[ClientKind, ClientChanges]
ClientResource = Resource[ClientKind, ClientAttributes]
ClientDocument = Document[ClientKind, ClientAttributes]
ClientCollection = Collection[ClientKind, ClientAttributes]
RevealedClient = Document[ClientKind, RevealedClientAttributes]
NewTokenBody = Body[TokenKind, NewToken]
TokenResource = Resource[TokenKind, TokenAttributes]
TokenCollection = Collection[TokenKind, TokenAttributes]
RevealedToken = Document[TokenKind, RevealedTokenAttributes]


def _bounds(row: ApiClient | ApiToken) -> dict[str, Any]:
    return {
        "name": row.name,
        "permissions": row.permissions,
        "account_ids": row.account_ids,
        "networks": row.networks,
        "max_amount_per_payment": row.most_each,
        "max_amount_per_day": row.most_a_day,
    }


def _client_facts(row: ApiClient) -> dict[str, Any]:
    return {
        **_bounds(row),
        "status": status_of(row.revoked_at, None, row.created_at),
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }


def _client_links(row: ApiClient) -> SelfLink:
    return SelfLink(self=link(f"/clients/{row.id}"))


def _client(row: ApiClient) -> ClientResource:
    attributes = ClientAttributes(**_client_facts(row))
    return ClientResource(type="clients", id=row.id, links=_client_links(row), attributes=attributes)


def client(row: ApiClient) -> ClientDocument:
    """The answer about one client."""
    data = _client(row)
    return ClientDocument(data=data, links=data.links)


def revealed_client(row: ApiClient, secret: str | None) -> RevealedClient:
    """The answer that shows the new secret, or what is kept of this answer: without it."""
    attributes = RevealedClientAttributes(**_client_facts(row), client_secret=secret)
    links = _client_links(row)
    data = Resource[ClientKind, RevealedClientAttributes](type="clients", id=row.id, links=links, attributes=attributes)
    return RevealedClient(data=data, links=links)


def clients(found: Found[ApiClient], query: ListQuery) -> ClientCollection:
    """The answer to a list."""
    return collection(found, query, "/clients", _client)


def _token_facts(row: ApiToken, environment: str, now: datetime) -> dict[str, Any]:
    return {
        **_bounds(row),
        "status": status_of(row.revoked_at, row.expires_at, now),
        "prefix": f"lastro_{environment}_{row.id}",
        "expires_at": row.expires_at,
        "created_at": row.created_at,
    }


def revealed_token(row: ApiToken, environment: str, now: datetime, text: str | None) -> RevealedToken:
    """The answer that shows a new token, or what is kept of this answer: without its text."""
    attributes = RevealedTokenAttributes(**_token_facts(row, environment, now), token=text)
    data = Resource[TokenKind, RevealedTokenAttributes](type="tokens", id=row.resource_id, attributes=attributes)
    return RevealedToken(data=data)


def tokens(found: Found[ApiToken], query: ListQuery, environment: str, now: datetime) -> TokenCollection:
    """The answer to a list."""

    def resource(row: ApiToken) -> TokenResource:
        attributes = TokenAttributes(**_token_facts(row, environment, now))
        return TokenResource(type="tokens", id=row.resource_id, attributes=attributes)

    return collection(found, query, "/tokens", resource)
