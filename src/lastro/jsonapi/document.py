"""The JSON:API envelopes of the contract, typed once: what comes in, one resource, a list of them."""

from collections.abc import Sequence
from typing import Annotated, Any, Generic, Self, TypeVar
from urllib.parse import urlencode
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from lastro.jsonapi.fields import NeverNull
from lastro.values.text import Invalid, Text

BASE_PATH = "/baas/api/v1"

_NOTHING = Text("Informe ao menos um atributo.", "Give at least one attribute.")

Kind = TypeVar("Kind", bound=str)
Attributes = TypeVar("Attributes", bound=BaseModel)


def _wire_name(name: str) -> str:
    """`to_camel` would say e2EId; the contract says e2eId, and lookupE2eId follows from it."""
    return to_camel(name).replace("2E", "2e")


def _absent(value: object) -> bool:
    return value is None


class Schema(BaseModel):
    """Names in camelCase on the wire, unknown fields refused."""

    model_config = ConfigDict(
        alias_generator=_wire_name, validate_by_name=True, validate_by_alias=True, extra="forbid", frozen=True
    )


class Envelope(Schema):
    """Something typed around attributes; in the description named after them: AccountDocument, NewAccountBody."""

    @classmethod
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        """The name of the class for these attributes."""
        attributes = params[-1]
        if not isinstance(attributes, type):
            return super().model_parametrized_name(params)
        about = attributes.__name__.removesuffix("Attributes").removesuffix("Changes")
        return f"{about}{cls.__name__}"


class Incoming(Schema):
    """What clients send: each field under its one name on the wire, never under the name of the code."""

    model_config = ConfigDict(validate_by_name=False, validate_by_alias=True)


class Changes(Incoming):
    """Attributes of which a client mentions those that are to change: one at least."""

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.model_fields_set:
            raise Invalid(_NOTHING)
        return self


class SelfLink(Schema):
    """Where the thing can be read again."""

    self: str = Field(examples=["/baas/api/v1/accounts/550e8400-e29b-41d4-a716-446655440100"])


class Resource(Envelope, Generic[Kind, Attributes]):
    """One thing: its type, its id, its attributes. `id` and `links` vanish when absent; null attributes stay."""

    type: Kind
    id: Annotated[UUID | None, NeverNull()] = Field(default=None, exclude_if=_absent)
    links: Annotated[SelfLink | None, NeverNull()] = Field(default=None, exclude_if=_absent)
    attributes: Attributes


class Document(Envelope, Generic[Kind, Attributes]):
    """An answer about one thing."""

    data: Resource[Kind, Attributes]
    links: Annotated[SelfLink | None, NeverNull()] = Field(default=None, exclude_if=_absent)


class Meta(Schema):
    """Where in a list we are."""

    total_items: int
    total_pages: int
    current_page: int
    items_per_page: int
    has_next_page: bool
    has_previous_page: bool


class ListLinks(Schema):
    """How to move through a list; `prev` and `next` are null at its ends."""

    self: str
    first: str
    prev: str | None
    next: str | None
    last: str | None


class Collection(Envelope, Generic[Kind, Attributes]):
    """An answer about many things, one page of them."""

    data: Sequence[Resource[Kind, Attributes]]
    meta: Meta
    links: ListLinks


class BodyData(Incoming, Envelope, Generic[Kind, Attributes]):
    """What a client sends inside `data`."""

    type: Kind
    attributes: Attributes


class Body(Incoming, Envelope, Generic[Kind, Attributes]):
    """What a client sends to create something; ids are ours to give."""

    data: BodyData[Kind, Attributes]


class ChangeData(BodyData[Kind, Attributes], Generic[Kind, Attributes]):
    """What a client sends inside `data` to change something: it may repeat the id of the path."""

    id: UUID | None = None


class Change(Incoming, Envelope, Generic[Kind, Attributes]):
    """What a client sends to change something."""

    data: ChangeData[Kind, Attributes]


def link(path: str, parameters: dict[str, Any] | None = None) -> str:
    """A path under the API's base, with brackets left readable, as the contract prints them."""
    query = f"?{urlencode(parameters, safe='[]:,')}" if parameters else ""
    return f"{BASE_PATH}{path}{query}"
