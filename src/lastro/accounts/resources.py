"""How accounts look on the wire."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from lastro.accounts.models import Account, AccountFacts
from lastro.accounts.order import UNCHANGED, Alteration, Application
from lastro.accounts.states import AccountStatus
from lastro.errors import Flaw, Validation
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
from lastro.jsonapi.fields import Given, Metadata, Reais, Timestamp, line
from lastro.jsonapi.query import ListQuery, collection
from lastro.ledger.book import Holdings
from lastro.paging import Found
from lastro.values.bank_account import AccountType
from lastro.values.tax_id import DocumentType, TaxId
from lastro.values.text import Invalid, Text

Kind = Literal["accounts"]
HolderName = Annotated[str, *line(140)]  # what a pacs.008 can carry: a longer name could open no account


class NewAccount(Incoming):
    """What a client sends to open an account."""

    provider_id: Annotated[
        UUID | None, Field(description="ID do provedor bancário; o provedor padrão da empresa, se ausente")
    ] = None
    holder_name: Annotated[HolderName, Field(description="Nome do titular", examples=["Empresa ABC Ltda"])]
    holder_document: Annotated[
        str, Field(strict=True, max_length=18, description="CPF/CNPJ do titular", examples=["12.345.678/0001-90"])
    ]
    holder_document_type: DocumentType
    type: AccountType = AccountType.CHECKING
    metadata: Annotated[
        Metadata | None, Field(description="Dados adicionais: até 16 kB, profundidade 4, 50 chaves")
    ] = None

    def application(self, provider_id: UUID) -> Application:
        """The request to this provider, in our words. Raises Validation for a document unlike its type."""
        try:
            document = TaxId.parse(self.holder_document, self.holder_document_type)
        except Invalid as error:
            raise document_flaw(error.text) from error
        return Application(provider_id, self.holder_name, document, self.type, self.metadata)


def document_flaw(text: Text) -> Validation:
    """Something is wrong with the holder's document."""
    return Validation(text, flaws=[Flaw(text, pointer="/data/attributes/holderDocument")])


class AccountChanges(Changes):
    """What a client may change."""

    holder_name: Given[HolderName] = None
    metadata: Metadata | None = None

    def alteration(self, seen_versions: frozenset[int] | None) -> Alteration:
        """The change in our words."""
        return Alteration(
            holder_name=UNCHANGED if self.holder_name is None else self.holder_name,
            metadata=self.metadata if "metadata" in self.model_fields_set else UNCHANGED,
            seen_versions=seen_versions,
        )


class AccountAttributes(Schema):
    """An account as the contract shows it; `balance` holds what is on its way out too, `availableBalance` does not."""

    provider_id: UUID
    holder_name: str
    holder_document: str
    holder_document_type: DocumentType
    type: AccountType
    status: AccountStatus
    branch: str | None
    account_number: str | None
    balance: Reais
    available_balance: Reais
    currency: str
    metadata: dict[str, Any] | None = Field(exclude_if=lambda value: value is None)
    created_at: Timestamp
    updated_at: Timestamp


class ClosedAttributes(Schema):
    """What the contract shows of an account that was just closed."""

    status: AccountStatus
    balance: Reais
    updated_at: Timestamp


class AccountQuery(ListQuery):
    """How accounts can be listed."""

    status: AccountStatus | None = Field(default=None, alias="filter[status]")
    type: AccountType | None = Field(default=None, alias="filter[type]")
    provider_id: UUID | None = Field(default=None, alias="filter[providerId]")


NewAccountBody = Body[Kind, NewAccount]
AccountChange = Change[Kind, AccountChanges]
AccountResource = Resource[Kind, AccountAttributes]
AccountDocument = Document[Kind, AccountAttributes]
AccountCollection = Collection[Kind, AccountAttributes]
ClosedDocument = Document[Kind, ClosedAttributes]


def resource(account: Account | AccountFacts, holdings: Holdings) -> AccountResource:
    """One account."""
    return AccountResource(
        type="accounts",
        id=account.id,
        links=SelfLink(self=link(f"/accounts/{account.id}")),
        attributes=AccountAttributes(
            provider_id=account.provider_id,
            holder_name=account.holder_name,
            holder_document=TaxId(account.holder_document, account.holder_document_type).punctuated,
            holder_document_type=account.holder_document_type,
            type=account.type,
            status=account.status,
            branch=account.branch,
            account_number=account.account_number,
            balance=holdings.total,
            available_balance=holdings.available,
            currency=account.currency,
            metadata=account.extra,
            created_at=account.created_at,
            updated_at=account.updated_at,
        ),
    )


def document(account: Account | AccountFacts, holdings: Holdings) -> AccountDocument:
    """The answer about one account."""
    data = resource(account, holdings)
    return AccountDocument(data=data, links=data.links)


def closed(account: Account, holdings: Holdings) -> ClosedDocument:
    """The answer to closing, as short as the contract's."""
    return ClosedDocument(
        data=Resource[Kind, ClosedAttributes](
            type="accounts",
            id=account.id,
            attributes=ClosedAttributes(status=account.status, balance=holdings.total, updated_at=account.updated_at),
        )
    )


def listing(found: Found[Account], holdings: dict[UUID, Holdings], query: AccountQuery) -> AccountCollection:
    """The answer to a list."""
    return collection(found, query, "/accounts", lambda account: resource(account, holdings[account.id]))


def etag(account: Account | AccountFacts, holdings: Holdings) -> str:
    """Changes with the account's data and with its money; `If-Match` looks at the first half only."""
    return f'"{account.version}.{holdings.seq}"'
