"""How a lookup looks on the wire, and what of a stranger's data it shows."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from lastro.errors import Flaw, Validation
from lastro.jsonapi.document import Body, Document, Incoming, Resource, Schema
from lastro.jsonapi.fields import Timestamp
from lastro.pix.lookups.service import LookedUp, Wanted
from lastro.values.bank_account import AccountType
from lastro.values.participants import participant
from lastro.values.pix_key import KeyType, PixKey
from lastro.values.tax_id import DocumentType
from lastro.values.text import Invalid

Kind = Literal["pix-key-lookup"]


class NewLookup(Incoming):
    """What a client asks."""

    key_type: Annotated[KeyType, Field(description="Tipo da chave")]
    key_value: Annotated[
        str,
        Field(strict=True, min_length=1, max_length=100, description="Valor da chave Pix", examples=["12345678901"]),
    ]
    account_id: Annotated[
        UUID | None,
        Field(description="ID da conta que pagará: a consulta é feita em nome do titular e a resposta traz e2eId"),
    ] = None

    def wanted(self) -> Wanted:
        """The question in our words. Raises Validation for a key whose shape is not its type's."""
        try:
            key = PixKey.parse(self.key_type, self.key_value)
        except Invalid as error:
            raise Validation(error.text, flaws=[Flaw(error.text, pointer="/data/attributes/keyValue")]) from error
        return Wanted(key, self.account_id)


class Owner(Schema):
    """Whose key it is."""

    name: str
    document: Annotated[str, Field(description="CPF mascarado; CNPJ mascarado ou inteiro, conforme o provedor")]
    document_type: DocumentType


class OwnersAccount(Schema):
    """Where the owner keeps the money. Null: the provider does not show it, or the bank has no such code."""

    bank_code: str | None
    bank_name: str | None
    branch: str | None
    account_number: str | None
    account_type: AccountType | None


class LookupAttributes(Schema):
    """An entry of the directory as the contract shows it."""

    key_type: KeyType
    key_value: str
    owner: Owner
    account: OwnersAccount
    created_at: Annotated[Timestamp | None, Field(description="Data de criação da chave; null: o provedor não mostra")]
    e2e_id: Annotated[
        str | None, Field(description="Envie como lookupE2eId no pagamento desta conta, em até 15 minutos")
    ]


NewLookupBody = Body[Kind, NewLookup]
LookupDocument = Document[Kind, LookupAttributes]


def document(found: LookedUp) -> LookupDocument:
    """The answer: it has no id and no link, because it can not be read again."""
    owner = found.owner
    return LookupDocument(
        data=Resource[Kind, LookupAttributes](
            type="pix-key-lookup",
            attributes=LookupAttributes(
                key_type=owner.key.kind,
                key_value=owner.key.value,
                owner=Owner(name=owner.party.name, document=_document(found), document_type=owner.party.tax_id.kind),
                account=_account(found),
                created_at=owner.created_at,
                e2e_id=found.end_to_end_id,
            ),
        )
    )


def _document(found: LookedUp) -> str:
    """The Central Bank's rule masks a person and names a company; the contract masks both."""
    tax_id = found.owner.party.tax_id
    whole = found.hides_account and tax_id.kind is DocumentType.CNPJ
    return tax_id.punctuated if whole else tax_id.masked


def _account(found: LookedUp) -> OwnersAccount:
    account = found.owner.party.account
    bank = participant(account.ispb)
    shown = account.is_disclosed and not found.hides_account
    return OwnersAccount(
        bank_code=bank.compe if bank else None,
        bank_name=bank.short_name if bank else None,
        branch=account.branch if shown else None,
        account_number=account.number if shown else None,
        account_type=account.kind if account.is_disclosed else None,
    )
