"""How codes look on the wire: those that we make, and what we read out of others."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from lastro.errors import Flaw, Validation
from lastro.jsonapi.document import Body, Document, Incoming, Resource, Schema
from lastro.jsonapi.fields import Amount, Reais, Timestamp, line
from lastro.pix.qrcodes.decoding import Decoded
from lastro.pix.qrcodes.models import PixQrCode
from lastro.pix.qrcodes.order import CodeOrder
from lastro.pix.qrcodes.states import QrCodeStatus, QrCodeType
from lastro.providers.protocol import Party
from lastro.values.money import Money
from lastro.values.participants import participant
from lastro.values.pix_key import KeyType
from lastro.values.tax_id import DocumentType
from lastro.values.text import Text

Kind = Literal["pix-qrcode"]
DecodeKind = Literal["pix-qrcode-decode"]
Description = Annotated[str, *line(140)]  # solicitacaoPagador of API Pix 2.9.0

MOST_MINUTES = 43_200
DEFAULT_LIFETIME = timedelta(days=1)  # API Pix 2.9.0: calendario.expiracao, 86400
MOST_AMOUNT = Money(999_999_999_999)  # ten digits before the point, in a BR Code and in API Pix

_AMOUNT_MISSING = Text("Obrigatório em um QR Code dinâmico.", "Required in a dynamic QR code.")
_AMOUNT_TOO_LARGE = Text("Um QR Code vai até R$ 9.999.999.999,99.", "A QR code reaches as far as R$ 9,999,999,999.99.")
_NEVER_EXPIRES = Text("Só um QR Code dinâmico expira.", "Only a dynamic QR code expires.")


class NewQrCode(Incoming):
    """What a client sends to have a code made."""

    account_id: Annotated[UUID, Field(description="ID da conta recebedora")]
    type: QrCodeType
    amount: Annotated[Amount | None, Field(description="Valor, em reais; obrigatório para DYNAMIC")] = None
    description: Annotated[Description | None, Field(description="Descrição do pagamento")] = None
    expires_in_minutes: Annotated[
        int | None,
        Field(strict=True, ge=1, le=MOST_MINUTES, description="Expiração em minutos (apenas DYNAMIC); 1440 se omitida"),
    ] = None

    def order(self) -> CodeOrder:
        """The code in our words. Raises Validation."""
        dynamic = self.type is QrCodeType.DYNAMIC
        if dynamic and self.amount is None:
            raise _flawed(_AMOUNT_MISSING, "amount")
        if self.amount is not None and self.amount > MOST_AMOUNT:
            raise _flawed(_AMOUNT_TOO_LARGE, "amount")
        if not dynamic and self.expires_in_minutes is not None:
            raise _flawed(_NEVER_EXPIRES, "expiresInMinutes")
        lifetime = DEFAULT_LIFETIME if self.expires_in_minutes is None else timedelta(minutes=self.expires_in_minutes)
        return CodeOrder(self.account_id, self.type, self.amount, self.description, lifetime if dynamic else None)


def _flawed(text: Text, field: str) -> Validation:
    return Validation(text, flaws=[Flaw(text, pointer=f"/data/attributes/{field}")])


class QrCodeAttributes(Schema):
    """A code as the contract shows it, and how it stands; the image is left out of the news."""

    account_id: UUID
    type: QrCodeType
    amount: Reais | None
    description: str | None
    qr_code_text: str
    qr_code_image: Annotated[
        str | None,
        Field(
            exclude_if=lambda value: value is None,
            description="PNG em base64",
            json_schema_extra={"contentEncoding": "base64", "contentMediaType": "image/png"},
        ),
    ] = None
    expires_at: Timestamp | None
    created_at: Timestamp
    txid: str
    status: QrCodeStatus


class CodePayment(Schema):
    """A Pix that was received through a code."""

    transfer_id: UUID
    e2e_id: str
    amount: Reais
    paid_at: Timestamp


class ReadAttributes(QrCodeAttributes):
    """A code with what was received through it."""

    payments: Sequence[CodePayment]


NewQrCodeBody = Body[Kind, NewQrCode]
QrCodeResource = Resource[Kind, QrCodeAttributes]
QrCodeDocument = Document[Kind, QrCodeAttributes]
ReadResource = Resource[Kind, ReadAttributes]
ReadDocument = Document[Kind, ReadAttributes]


def resource(code: PixQrCode, status: QrCodeStatus, image: str | None = None) -> QrCodeResource:
    """One code."""
    attributes = QrCodeAttributes(**_facts(code, status, image))
    return QrCodeResource(type="pix-qrcode", id=code.id, attributes=attributes)


def _facts(code: PixQrCode, status: QrCodeStatus, image: str | None) -> dict[str, Any]:
    return {
        "account_id": code.account_id,
        "type": code.type,
        "amount": code.amount,
        "description": code.description,
        "qr_code_text": code.text,
        "qr_code_image": image,
        "expires_at": code.expires_at,
        "created_at": code.created_at,
        "txid": code.txid,
        "status": status,
    }


def made(code: PixQrCode, image: str) -> QrCodeDocument:
    """The answer to making a code."""
    return QrCodeDocument(data=resource(code, QrCodeStatus.ACTIVE, image))


def read(code: PixQrCode, status: QrCodeStatus, image: str, payments: Sequence[CodePayment]) -> ReadDocument:
    """The answer about one code."""
    attributes = ReadAttributes(**_facts(code, status, image), payments=payments)
    return ReadDocument(data=ReadResource(type="pix-qrcode", id=code.id, attributes=attributes))


class NewDecoding(Incoming):
    """What a client sends to have a code read. Whatever the text is, it is for the reading to judge."""

    qr_code_text: Annotated[str, Field(strict=True, description="Texto do QR Code Pix (payload BRCode)")]


class Recipient(Schema):
    """Who would be paid. Not `verified`: only the name that the code itself gives, which may be anybody's."""

    name: str
    document: str | None
    document_type: DocumentType | None
    bank_name: str | None
    bank_code: str | None
    verified: bool


class DecodedAttributes(Schema):
    """What a code asks, as the contract shows it; `automaticPix`: it also asks for a recurring authorisation."""

    type: QrCodeType
    key_type: KeyType | None
    key_value: str | None
    amount: Reais | None
    description: str | None
    recipient: Recipient
    expires_at: Timestamp | None
    created_at: Timestamp | None
    txid: str | None
    automatic_pix: bool


DecodingBody = Body[DecodeKind, NewDecoding]
DecodedDocument = Document[DecodeKind, DecodedAttributes]


def decoded(code: Decoded, payee: Party | None) -> DecodedDocument:
    """The answer to reading a code."""
    return DecodedDocument(
        data=Resource[DecodeKind, DecodedAttributes](
            type="pix-qrcode-decode",
            attributes=DecodedAttributes(
                type=code.type,
                key_type=code.key.kind if code.key else None,
                key_value=code.key.value if code.key else None,
                amount=code.amount,
                description=code.description,
                recipient=_nobody(code.name) if payee is None else _recipient(payee),
                expires_at=code.expires_at,
                created_at=code.created_at,
                txid=code.txid,
                automatic_pix=code.automatic,
            ),
        )
    )


def _recipient(payee: Party) -> Recipient:
    """A person's document is covered, as the Central Bank wants it; a company's is public."""
    bank = participant(payee.account.ispb)
    person = payee.tax_id.kind is DocumentType.CPF
    return Recipient(
        name=payee.name,
        document=payee.tax_id.masked if person else payee.tax_id.punctuated,
        document_type=payee.tax_id.kind,
        bank_name=bank.short_name if bank else None,
        bank_code=bank.compe if bank else None,
        verified=True,
    )


def _nobody(name: str) -> Recipient:
    return Recipient(name=name, document=None, document_type=None, bank_name=None, bank_code=None, verified=False)
