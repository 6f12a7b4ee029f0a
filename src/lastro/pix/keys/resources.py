"""How keys look on the wire."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from lastro.errors import Flaw, Validation
from lastro.jsonapi.document import Body, Collection, Document, Incoming, Resource, Schema, SelfLink, link
from lastro.jsonapi.fields import Timestamp
from lastro.jsonapi.query import ListQuery, collection
from lastro.paging import Found
from lastro.pix.keys.models import PixKeyRow, expired
from lastro.pix.keys.order import Registration
from lastro.pix.keys.states import STATUS, KeyStatus
from lastro.providers.refusals import why_taken
from lastro.values.pix_key import KeyType, PixKey
from lastro.values.text import Invalid, Text

Kind = Literal["pix-keys"]

_NO_VALUE = Text("Campo obrigatório para este tipo de chave.", "Required for this type of key.")
_MADE_BY_DICT = Text(
    "Uma chave EVP é criada pelo diretório: não envie keyValue.", "An EVP is made by the directory: send no keyValue."
)


class NewKey(Incoming):
    """What a client sends to register a key."""

    account_id: Annotated[UUID, Field(description="ID da conta")]
    key_type: KeyType
    key_value: Annotated[
        str | None,
        Field(
            strict=True,
            min_length=1,
            max_length=100,
            description="Valor da chave; ausente para EVP",
            examples=["financeiro@empresa-abc.com.br"],
        ),
    ] = None

    def registration(self) -> Registration:
        """The request in our words. Raises Validation for a key whose shape is not its type's."""
        if self.key_type is KeyType.EVP:
            if self.key_value is not None:
                raise _flaw(_MADE_BY_DICT)
            return Registration(self.account_id, self.key_type, None)
        if self.key_value is None:
            raise _flaw(_NO_VALUE)
        try:
            return Registration(self.account_id, self.key_type, PixKey.parse(self.key_type, self.key_value))
        except Invalid as error:
            raise _flaw(error.text) from error


def _flaw(text: Text) -> Validation:
    return Validation(text, flaws=[Flaw(text, pointer="/data/attributes/keyValue")])


class Proof(Incoming):
    """What a client sends to prove possession of an e-mail address or a phone."""

    code: Annotated[
        str,
        Field(strict=True, pattern=r"^[0-9]{6}$", description="O código que o titular recebeu", examples=["123456"]),
    ]


class KeyAttributes(Schema):
    """A key as the contract shows it; an EVP has no value until the directory has made it."""

    account_id: UUID
    key_type: KeyType
    key_value: str | None
    status: KeyStatus
    created_at: Timestamp
    failure_reason: str | None = Field(exclude_if=lambda value: value is None)


class KeyQuery(ListQuery):
    """How keys can be listed: without a status, those that are pending or active."""

    account_id: UUID | None = Field(default=None, alias="filter[accountId]")
    key_type: KeyType | None = Field(default=None, alias="filter[keyType]")
    status: KeyStatus | None = Field(default=None, alias="filter[status]")


NewKeyBody = Body[Kind, NewKey]
ProofBody = Body[Kind, Proof]
KeyResource = Resource[Kind, KeyAttributes]
KeyDocument = Document[Kind, KeyAttributes]
KeyCollection = Collection[Kind, KeyAttributes]


def resource(key: PixKeyRow, *, now: datetime) -> KeyResource:
    """One key, as it stands now."""
    return KeyResource(
        type="pix-keys",
        id=key.id,
        links=SelfLink(self=link(f"/pix/keys/{key.id}")),
        attributes=KeyAttributes(
            account_id=key.account_id,
            key_type=key.type,
            key_value=key.value,
            status=KeyStatus.INACTIVE if expired(key, now) else STATUS[key.stage],
            created_at=key.created_at,
            failure_reason=_failure_reason(key),
        ),
    )


def _failure_reason(key: PixKeyRow) -> str | None:
    if key.failure_reason is None:
        return None
    return f"{key.failure_reason}: {why_taken(key.failure_reason).pt}"


def document(key: PixKeyRow, *, now: datetime) -> KeyDocument:
    """The answer about one key."""
    return KeyDocument(data=resource(key, now=now))


def listing(found: Found[PixKeyRow], query: KeyQuery, *, now: datetime) -> KeyCollection:
    """The answer to a list."""
    return collection(found, query, "/pix/keys", lambda key: resource(key, now=now))
