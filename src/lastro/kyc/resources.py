"""How a KYC file looks on the wire."""

from collections.abc import Sequence
from typing import Annotated, Literal
from uuid import UUID, uuid5

from pydantic import AfterValidator, Field

from lastro.accounts.models import Account
from lastro.jsonapi.document import Body, Document, Incoming, Resource, Schema
from lastro.jsonapi.fields import Timestamp
from lastro.kyc.models import KycDocument, KycFile
from lastro.kyc.order import Paper
from lastro.kyc.states import DocumentKind, KycStatus
from lastro.values.text import Invalid, Text

MOST_DOCUMENTS = 8

Kind = Literal["kyc"]

_HOW_MANY = Text(
    f"Envie de 1 a {MOST_DOCUMENTS} documentos por requisição.", f"Send 1 to {MOST_DOCUMENTS} documents a request."
)
_TWICE = Text("O mesmo tipo de documento aparece duas vezes.", "The same type of document appears twice.")

Base64 = Annotated[
    str,
    Field(
        strict=True,
        description="Em base64: JPEG ou PNG, até 5 MB; PDF também, menos para SELFIE",
        examples=["iVBORw0KGgo…"],
        json_schema_extra={"contentEncoding": "base64"},
    ),
]


class SentDocument(Incoming):
    """One document of a request."""

    type: DocumentKind
    front: Base64
    back: Base64 | None = None


def _each_once(documents: list[SentDocument]) -> list[SentDocument]:
    if not 1 <= len(documents) <= MOST_DOCUMENTS:
        raise Invalid(_HOW_MANY)
    if len({each.type for each in documents}) != len(documents):
        raise Invalid(_TWICE)
    return documents


class SentDocuments(Incoming):
    """What a client sends for a review."""

    documents: Annotated[
        list[SentDocument],
        AfterValidator(_each_once),
        Field(json_schema_extra={"minItems": 1, "maxItems": MOST_DOCUMENTS}),
    ]

    def papers(self) -> Sequence[Paper]:
        """The request in our words."""
        return [Paper(each.type, each.front, each.back) for each in self.documents]


class DocumentAttributes(Schema):
    """A document, without what it shows."""

    type: DocumentKind
    status: KycStatus
    uploaded_at: Timestamp
    reviewed_at: Timestamp | None


class KycAttributes(Schema):
    """A KYC file as the contract shows it; `reviewNote` and each `reviewedAt` are null until there was a review."""

    account_id: UUID
    status: KycStatus
    documents: Sequence[DocumentAttributes]
    review_note: str | None
    created_at: Timestamp
    updated_at: Timestamp


KycBody = Body[Kind, SentDocuments]
KycDocumentAnswer = Document[Kind, KycAttributes]
KycResource = Resource[Kind, KycAttributes]


def file_id(account_id: UUID) -> UUID:
    """The id of an account's file, which has one before it has anything else."""
    return uuid5(account_id, "kyc")


def resource(account: Account, file: KycFile | None, documents: Sequence[KycDocument]) -> KycResource:
    """The file of an account, or what is shown where there is none yet."""
    order = list(DocumentKind)
    return KycResource(
        type="kyc",
        id=file.id if file else file_id(account.id),
        attributes=KycAttributes(
            account_id=account.id,
            status=file.status if file else KycStatus.NOT_STARTED,
            documents=[
                DocumentAttributes(
                    type=each.type, status=each.status, uploaded_at=each.uploaded_at, reviewed_at=each.reviewed_at
                )
                for each in sorted(documents, key=lambda each: order.index(each.type))
            ],
            review_note=file.review_note if file else None,
            created_at=file.created_at if file else account.created_at,
            updated_at=file.updated_at if file else account.updated_at,
        ),
    )


def document(account: Account, file: KycFile | None, documents: Sequence[KycDocument]) -> KycDocumentAnswer:
    """The answer about it."""
    return KycDocumentAnswer(data=resource(account, file, documents))
