"""How providers look on the wire. Credentials come in, and never go out."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field

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
from lastro.jsonapi.fields import Given, Metadata, Timestamp, line
from lastro.jsonapi.query import ListQuery, collection
from lastro.paging import Found
from lastro.providers.breaker import CircuitState
from lastro.providers.directory import NETWORK
from lastro.providers.features import Feature
from lastro.providers.models import ProviderRow
from lastro.providers.offer import Offer
from lastro.providers.protocol import Probe
from lastro.providers.states import ProviderStatus, ProviderType
from lastro.tenants.providers.order import Alteration, NewProvider, Terms
from lastro.values.bank_account import AccountType
from lastro.values.text import Invalid, Text

Kind = Literal["providers"]
TestKind = Literal["provider-tests"]

_NOT_BASE64 = Text("Deve estar em base64 (RFC 4648).", "Must be base64 (RFC 4648).")
_REPEATED = Text("Valor repetido.", "Repeated value.")
_ASCII = Text("Só caracteres ASCII visíveis.", "Visible ASCII characters only.")


def _base64(value: str) -> str:
    try:
        base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Invalid(_NOT_BASE64) from error
    return value


def _visible(value: str) -> str:
    if not all("!" <= character <= "~" for character in value):
        raise Invalid(_ASCII)
    return value


def _once(values: list[Any] | None) -> list[Any] | None:
    if values is not None and len(set(values)) < len(values):
        raise Invalid(_REPEATED)
    return values


Secret = Annotated[str, Field(strict=True, min_length=1, max_length=2_048), AfterValidator(_visible)]
Certificate = Annotated[str, Field(strict=True, min_length=1, max_length=32_768), AfterValidator(_base64)]
Code = Annotated[str, Field(strict=True, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,49}$", examples=["001"])]
Features = Annotated[list[Feature], Field(max_length=len(Feature)), AfterValidator(_once)]
AccountTypes = Annotated[list[AccountType], Field(min_length=1, max_length=len(AccountType)), AfterValidator(_once)]


class Credentials(Incoming):
    """What opens the provider's door; which of these, its adapter says. Write-only."""

    client_id: Secret | None = Field(default=None, repr=False)
    client_secret: Secret | None = Field(default=None, repr=False)
    api_key: Secret | None = Field(default=None, repr=False)
    certificate: Certificate | None = Field(default=None, repr=False, description="Certificado em base64.")
    environment: Literal["sandbox", "production"] | None = None

    def given(self) -> Mapping[str, str]:
        """Those that were given, by their names on the wire."""
        found: Mapping[str, str] = self.model_dump(by_alias=True, exclude_none=True)
        return found


class Settings(Schema):
    """`strictDocuments`: judge check digits. `hidesAccounts`: a lookup shows neither branch nor number.

    An adapter may know settings of its own, which are texts, such as public keys.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Annotated[str, *line(4_096)]]

    strict_documents: Annotated[bool, Field(strict=True)] = True
    hides_accounts: Annotated[bool, Field(strict=True)] = False


class NewProviderAttributes(Incoming):
    """What a client sends to add a provider."""

    name: Annotated[str, *line(140), Field(description="Nome do provedor", examples=["Banco Principal"])]
    code: Annotated[Code, Field(description="Código único na empresa, como o número COMPE")]
    ispb: Annotated[str, Field(strict=True, pattern=r"^[0-9A-Z]{8}$", description="ISPB do participante do Pix")]
    adapter: Annotated[str, Field(strict=True, min_length=1, max_length=32, description="Como é alcançado")] = NETWORK
    type: ProviderType = ProviderType.FULL
    status: ProviderStatus = ProviderStatus.ACTIVE
    credentials: Credentials | None = None
    settings: Settings | None = None
    supported_features: Annotated[
        Features | None, Field(description="Parte do que o adaptador oferece; tudo, se ausente")
    ] = None
    account_types: Annotated[AccountTypes | None, Field(description="Todos os do adaptador, se ausente")] = None
    metadata: Metadata | None = None

    def order(self) -> NewProvider:
        """The request in our words."""
        return NewProvider(self.ispb, self.adapter, Terms(self.name, self.code, **_terms(self)))


class ProviderChanges(Changes):
    """What a client may change; ISPB and adapter never do. An object or a list takes the place of the old one."""

    name: Given[Annotated[str, *line(140)]] = None
    code: Given[Code] = None
    type: Given[ProviderType] = None
    status: Given[ProviderStatus] = None
    credentials: Credentials | None = None
    settings: Settings | None = None
    supported_features: Features | None = None
    account_types: AccountTypes | None = None
    metadata: Metadata | None = None

    def alteration(self) -> Alteration:
        """What was mentioned, in our words."""
        plain: dict[str, Any] = {
            name: getattr(self, name) for name in ("name", "code") if name in self.model_fields_set
        }
        return {**plain, **_terms(self)}


def _terms(given: NewProviderAttributes | ProviderChanges) -> dict[str, Any]:
    """What was mentioned beside name and code, by the names of `Terms`. Null brings back what holds unless said."""
    terms: dict[str, Any] = {}
    for name in given.model_fields_set - {"name", "code", "ispb", "adapter"}:
        value = getattr(given, name)
        match name:
            case "credentials":
                terms[name] = {} if value is None else value.given()
            case "settings":
                settings = value or Settings()
                terms["strict_documents"] = settings.strict_documents
                terms["hides_accounts"] = settings.hides_accounts
                terms["settings"] = dict(settings.model_extra or {})
            case "supported_features":
                terms["features"] = None if value is None else tuple(value)
            case "account_types":
                terms[name] = None if value is None else tuple(value)
            case _:
                terms[name] = value
    return terms


class ProviderAttributes(Schema):
    """A provider as its tenant sees it."""

    name: str
    code: str | None
    type: ProviderType
    status: ProviderStatus
    ispb: str
    adapter: str
    is_default: bool
    supported_features: list[Feature]
    account_types: list[AccountType]
    settings: dict[str, Any]
    metadata: dict[str, Any] | None
    created_at: Timestamp
    updated_at: Timestamp


class ProbeResult(Schema):
    """One question that was put to the provider."""

    name: str
    ok: bool
    latency_ms: int
    problem: str | None


class ProviderTestAttributes(Schema):
    """What a test found. `breakers`: how the breakers stand in the process that answers, whatever the test found."""

    provider_id: UUID
    status: Literal["OK", "FAILED"]
    probes: list[ProbeResult]
    breakers: dict[str, CircuitState]
    tested_at: Timestamp


class ProviderQuery(ListQuery):
    """How providers can be listed."""

    status: ProviderStatus | None = Field(default=None, alias="filter[status]")
    type: ProviderType | None = Field(default=None, alias="filter[type]")
    adapter: str | None = Field(default=None, alias="filter[adapter]", max_length=32)
    code: str | None = Field(default=None, alias="filter[code]", max_length=50)


NewProviderBody = Body[Kind, NewProviderAttributes]
ProviderChange = Change[Kind, ProviderChanges]
ProviderResource = Resource[Kind, ProviderAttributes]
ProviderDocument = Document[Kind, ProviderAttributes]
ProviderCollection = Collection[Kind, ProviderAttributes]
TestDocument = Document[TestKind, ProviderTestAttributes]


def resource(row: ProviderRow, offer: Offer, *, is_default: bool) -> ProviderResource:
    """One provider."""
    return ProviderResource(
        type="providers",
        id=row.id,
        links=SelfLink(self=link(f"/providers/{row.id}")),
        attributes=ProviderAttributes(
            name=row.name,
            code=row.code,
            type=row.type,
            status=row.status,
            ispb=row.ispb,
            adapter=row.adapter,
            is_default=is_default,
            supported_features=[feature for feature in Feature if feature in offer.features],
            account_types=[kind for kind in AccountType if kind in offer.account_types],
            settings={
                "strictDocuments": row.strict_documents,
                "hidesAccounts": row.hides_accounts,
                **row.settings,
            },
            metadata=row.extra,
            created_at=row.created_at,
            updated_at=row.updated_at,
        ),
    )


def document(row: ProviderRow, offer: Offer, *, is_default: bool) -> ProviderDocument:
    """The answer about one provider."""
    data = resource(row, offer, is_default=is_default)
    return ProviderDocument(data=data, links=data.links)


def listing(
    found: Found[ProviderRow], offers: Mapping[UUID, Offer], query: ProviderQuery, default: UUID | None
) -> ProviderCollection:
    """The answer to a list."""
    return collection(
        found, query, "/providers", lambda row: resource(row, offers[row.id], is_default=row.id == default)
    )


def tested(
    provider_id: UUID, probes: Sequence[Probe], breakers: Mapping[str, CircuitState], now: datetime
) -> TestDocument:
    """The answer to a test. One that asked nothing has found nothing good."""
    good = bool(probes) and all(probe.problem is None for probe in probes)
    return TestDocument(
        data=Resource[TestKind, ProviderTestAttributes](
            type="provider-tests",
            attributes=ProviderTestAttributes(
                provider_id=provider_id,
                status="OK" if good else "FAILED",
                probes=[
                    ProbeResult(
                        name=probe.name, ok=probe.problem is None, latency_ms=probe.milliseconds, problem=probe.problem
                    )
                    for probe in probes
                ],
                breakers=dict(breakers),
                tested_at=now,
            ),
        )
    )
