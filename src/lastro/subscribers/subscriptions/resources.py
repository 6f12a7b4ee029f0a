"""How subscriptions look on the wire. The secret is shown once, when it is made; headers never show their values."""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, WithJsonSchema, model_validator

from lastro.accounts.order import UNCHANGED
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
from lastro.jsonapi.fields import Given, Moment, Timestamp, line
from lastro.jsonapi.query import ListQuery, collection
from lastro.paging import Found
from lastro.subscribers import catalog
from lastro.subscribers.subscriptions.order import COVERED, Again, Alteration, Wanted
from lastro.values.text import Invalid, Text
from lastro.webhooks.models import Subscription, SubscriptionStatus
from lastro.webhooks.schedule import DEFAULTS
from lastro.webhooks.signature import OURS

Kind = Literal["webhook-subscriptions"]
TestKind = Literal["webhook-tests"]
ReplayKind = Literal["webhook-replays"]

MOST_ACCOUNTS = 1_000
MOST_HEADERS, LONGEST_HEADER = 20, 1_000
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")
_HEADER_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
_NOT_THEIRS = ("content-", "webhook-", "proxy-")

_HEADERS_SHAPE = Text(
    f"Deve ser um objeto de até {MOST_HEADERS} cabeçalhos, cada valor um texto.",
    f"Must be an object of at most {MOST_HEADERS} headers, each value a string.",
)
_NO_NAME = Text("Nome de cabeçalho inválido ou repetido.", "Invalid or repeated header name.")
_OURS = Text("Este cabeçalho é reservado.", "This header is reserved.")
_NO_VALUE = Text(
    f"Valor de cabeçalho: de 1 a {LONGEST_HEADER} caracteres ASCII visíveis, sem espaços nas pontas.",
    f"A header's value: 1 to {LONGEST_HEADER} visible ASCII characters, no spaces around them.",
)
_NO_NUMBER = Text("Deve ser um número.", "Must be a number.")
_IDS_OR_TIME = Text("Informe eventIds ou from, não ambos.", "Give eventIds or from, not both.")
_OF_A_TIME = Text("Só com from.", "Only with from.")
_ORDER = Text("from deve ser anterior a to.", "from must lie before to.")


def _read_headers(value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or len(value) > MOST_HEADERS:
        raise Invalid(_HEADERS_SHAPE)
    seen: set[str] = set()
    for name, content in value.items():
        low = name.lower()
        if not _HEADER_NAME.fullmatch(name) or low in seen:
            raise Invalid(_NO_NAME)
        if low in OURS or low.startswith(_NOT_THEIRS):
            raise Invalid(_OURS)
        if not isinstance(content, str) or len(content) > LONGEST_HEADER or not _HEADER_VALUE.fullmatch(content):
            raise Invalid(_NO_VALUE)
        seen.add(low)
    return value


def _read_number(value: Any) -> float:
    """A JSON number; strict JSON gives a Decimal for what has a point."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise Invalid(_NO_NUMBER)
    return float(value)


Name = Annotated[str, *line(100), Field(description="Nome da assinatura", examples=["Pedidos"])]
Headers = Annotated[
    dict[str, str],
    PlainValidator(_read_headers),
    WithJsonSchema({"type": "object", "maxProperties": MOST_HEADERS, "additionalProperties": {"type": "string"}}),
    Field(description="Cabeçalhos a enviar; os valores nunca são exibidos", examples=[{"x-origem": "lastro"}]),
]
Filters = Annotated[
    list[Annotated[str, Field(strict=True), AfterValidator(catalog.parse)]],
    Field(min_length=1, max_length=50, description="Tipos de evento, famílias (pix.*) ou *", examples=[["pix.*"]]),
    AfterValidator(lambda filters: list(dict.fromkeys(filters))),
]
AccountIds = Annotated[
    list[UUID],
    Field(min_length=1, max_length=MOST_ACCOUNTS, description="Somente destas contas; nulo: de todas"),
    AfterValidator(lambda ids: list(dict.fromkeys(ids))),
]
Url = Annotated[str, Field(strict=True, max_length=2_048, examples=["https://api.empresa.com.br/webhooks"])]
Retries = Annotated[int, Field(strict=True, ge=0, le=20, description="Tentativas além da primeira")]
Milliseconds = Annotated[int, Field(strict=True, ge=1_000, le=30_000, description="Prazo de cada tentativa")]


class RetryConfig(Incoming):
    """How often, and how long apart, a delivery is tried again; what is left out is as in `schedule.DEFAULTS`."""

    max_retries: Retries = DEFAULTS["maxRetries"]
    retry_backoff_ms: Annotated[
        int, Field(strict=True, ge=1_000, le=3_600_000, description="Pausa até a segunda tentativa")
    ] = DEFAULTS["retryBackoffMs"]
    retry_backoff_multiplier: Annotated[
        float, BeforeValidator(_read_number), Field(ge=1, le=5, description="Quanto cresce cada pausa")
    ] = DEFAULTS["retryBackoffMultiplier"]

    def kept(self) -> dict[str, Any]:
        """As it lies in the database."""
        return self.model_dump(by_alias=True)


class NewSubscription(Incoming):
    """What a client sends to be told."""

    name: Name
    endpoint_url: Annotated[Url, Field(description="Somente https, portas 443 e 8443")]
    event_filters: Filters
    account_ids: AccountIds | None = None
    custom_headers: Headers = Field(default_factory=dict)
    timeout_ms: Milliseconds = 10_000
    retry_config: RetryConfig = RetryConfig()

    def wanted(self) -> Wanted:
        """The subscription in our words."""
        return Wanted(
            self.name,
            self.endpoint_url,
            self.event_filters,
            self.account_ids,
            self.custom_headers,
            self.timeout_ms,
            self.retry_config.kept(),
        )


class SubscriptionChanges(Changes):
    """What a client may change."""

    name: Given[Name] = None
    endpoint_url: Given[Url] = None
    event_filters: Given[Filters] = None
    account_ids: AccountIds | None = None
    custom_headers: Given[Headers] = None
    timeout_ms: Given[Milliseconds] = None
    retry_config: Given[RetryConfig] = None

    def alteration(self) -> Alteration:
        """The change in our words."""
        return Alteration(
            name=UNCHANGED if self.name is None else self.name,
            endpoint_url=UNCHANGED if self.endpoint_url is None else self.endpoint_url,
            event_filters=UNCHANGED if self.event_filters is None else self.event_filters,
            account_ids=self.account_ids if "account_ids" in self.model_fields_set else UNCHANGED,
            custom_headers=UNCHANGED if self.custom_headers is None else self.custom_headers,
            timeout_ms=UNCHANGED if self.timeout_ms is None else self.timeout_ms,
            retry_config=UNCHANGED if self.retry_config is None else self.retry_config.kept(),
        )


class SubscriptionAttributes(Schema):
    """A subscription."""

    name: str
    endpoint_url: str
    event_filters: Sequence[str]
    account_ids: Sequence[UUID] | None
    custom_headers: Mapping[str, str]
    timeout_ms: int
    retry_config: Mapping[str, Any]
    status: SubscriptionStatus
    disabled_reason: str | None
    failing_since: Timestamp | None
    created_at: Timestamp
    updated_at: Timestamp


class RevealedSubscriptionAttributes(SubscriptionAttributes):
    """A subscription with the secret that was just made; null in an answer that is given again."""

    secret: str | None


class SubscriptionQuery(ListQuery):
    """How subscriptions can be listed."""

    status: SubscriptionStatus | None = Field(default=None, alias="filter[status]")


NewSubscriptionBody = Body[Kind, NewSubscription]
SubscriptionChange = Change[Kind, SubscriptionChanges]
SubscriptionResource = Resource[Kind, SubscriptionAttributes]
SubscriptionDocument = Document[Kind, SubscriptionAttributes]
SubscriptionCollection = Collection[Kind, SubscriptionAttributes]
RevealedDocument = Document[Kind, RevealedSubscriptionAttributes]


def resource(subscription: Subscription, headers: Sequence[str]) -> SubscriptionResource:
    """One subscription; of its headers, the names."""
    return SubscriptionResource(
        type="webhook-subscriptions",
        id=subscription.id,
        links=_links(subscription),
        attributes=SubscriptionAttributes(**_facts(subscription, headers)),
    )


def document(subscription: Subscription, headers: Sequence[str]) -> SubscriptionDocument:
    """The answer about one subscription."""
    data = resource(subscription, headers)
    return SubscriptionDocument(data=data, links=data.links)


def revealed(subscription: Subscription, headers: Sequence[str], secret: str | None) -> RevealedDocument:
    """The answer that shows the new secret, or what is kept of this answer: without it."""
    links = _links(subscription)
    attributes = RevealedSubscriptionAttributes(**_facts(subscription, headers), secret=secret)
    data = Resource[Kind, RevealedSubscriptionAttributes](
        type="webhook-subscriptions", id=subscription.id, links=links, attributes=attributes
    )
    return RevealedDocument(data=data, links=links)


def _links(subscription: Subscription) -> SelfLink:
    return SelfLink(self=link(f"/webhook-subscriptions/{subscription.id}"))


def _facts(subscription: Subscription, headers: Sequence[str]) -> dict[str, Any]:
    return {
        "name": subscription.name,
        "endpoint_url": subscription.endpoint_url,
        "event_filters": subscription.event_filters,
        "account_ids": subscription.account_ids,
        "custom_headers": dict.fromkeys(headers, COVERED),
        "timeout_ms": subscription.timeout_ms,
        "retry_config": subscription.retry_config,
        "status": subscription.status,
        "disabled_reason": subscription.disabled_reason,
        "failing_since": subscription.failing_since,
        "created_at": subscription.created_at,
        "updated_at": subscription.updated_at,
    }


def listing(
    found: Found[Subscription], headers: Mapping[UUID, Sequence[str]], query: SubscriptionQuery
) -> SubscriptionCollection:
    """The answer to a list."""
    return collection(found, query, "/webhook-subscriptions", lambda each: resource(each, headers[each.id]))


class WebhookTestAttributes(Schema):
    """How a trial went: what the endpoint answered, or why it did not."""

    delivered: bool
    response_status: int | None
    duration_ms: int
    error: str | None


TestDocument = Document[TestKind, WebhookTestAttributes]


def tried(*, status: int | None, milliseconds: int, error: str | None) -> TestDocument:
    """The answer to a trial. Any 2xx is good."""
    delivered = status is not None and 200 <= status < 300  # noqa: PLR2004
    attributes = WebhookTestAttributes(
        delivered=delivered, response_status=status, duration_ms=milliseconds, error=error
    )
    return TestDocument(data=Resource[TestKind, WebhookTestAttributes](type="webhook-tests", attributes=attributes))


class NewReplay(Incoming):
    """What a client sends to be told again."""

    event_ids: Annotated[
        list[UUID] | None, Field(min_length=1, max_length=100, description="Estes eventos; ou de um período, com from")
    ] = None
    since: Annotated[Moment | None, Field(alias="from", description="Eventos a partir deste instante")] = None
    until: Annotated[Moment | None, Field(alias="to", description="Até antes deste; agora, se omitido")] = None
    event_filters: Annotated[Filters | None, Field(description="Se omitido, os da assinatura")] = None
    after: Annotated[UUID | None, Field(description="Continua depois deste evento: o after da resposta")] = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.event_ids is None) == (self.since is None):
            raise Invalid(_IDS_OR_TIME)
        if self.since is None and any(each is not None for each in (self.until, self.event_filters, self.after)):
            raise Invalid(_OF_A_TIME)
        if self.since is not None and self.until is not None and self.since >= self.until:
            raise Invalid(_ORDER)
        return self

    def again(self) -> Again:
        """The question in our words."""
        return Again(self.event_ids, self.since, self.until, self.event_filters, self.after)


class ReplayAttributes(Schema):
    """What will be told again; with `hasMore`, the same question with `after` goes on."""

    replayed: int
    last_event_id: UUID | None
    has_more: bool
    after: UUID | None


NewReplayBody = Body[ReplayKind, NewReplay]
ReplayDocument = Document[ReplayKind, ReplayAttributes]


def replayed(count: int, *, last: UUID | None, place: UUID | None, has_more: bool) -> ReplayDocument:
    """The answer to a replay. `last` is the last event that will be told again, `place` how far it was looked."""
    attributes = ReplayAttributes(
        replayed=count, last_event_id=last, has_more=has_more, after=place if has_more else None
    )
    return ReplayDocument(data=Resource[ReplayKind, ReplayAttributes](type="webhook-replays", attributes=attributes))
