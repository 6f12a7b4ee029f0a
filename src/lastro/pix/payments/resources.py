"""How payments look on the wire."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, ValidationInfo, field_validator, model_validator

from lastro.errors import Flaw, Validation
from lastro.jsonapi.document import BASE_PATH, Body, Collection, Document, Incoming, Resource, Schema, SelfLink, link
from lastro.jsonapi.errors import REQUIRED
from lastro.jsonapi.fields import Amount, CorrelationId, Reais, Timestamp, line, quoted, timestamp, write_amount
from lastro.jsonapi.query import DatedQuery, collection
from lastro.paging import Found
from lastro.pix.payments.models import PixPayment
from lastro.pix.payments.order import ReadyOrder, Wish
from lastro.pix.payments.states import PaymentStatus
from lastro.pix.payments.underway import Underway
from lastro.values.end_to_end_id import EndToEndId
from lastro.values.pix_key import KeyType, PixKey
from lastro.values.text import Invalid, Text

Kind = Literal["pix-payments"]
Description = Annotated[str, *line(140)]

_A_DAY_OR_TWO = Text(
    "Informe também filter[dateFrom] e filter[dateTo], de no máximo dois dias.",
    "Give filter[dateFrom] and filter[dateTo] too, of two days at most.",
)
_ONE_OF_BOTH = Text("Informe a chave ou o QR Code, não ambos.", "Give the key or the QR code, not both.")


class NewPayment(Incoming):
    """What a client sends to pay."""

    account_id: Annotated[UUID, Field(description="ID da conta de origem")]
    amount: Annotated[Amount, Field(description="Valor do pagamento, em reais")]
    qr_code_text: Annotated[
        str | None,
        Field(strict=True, min_length=1, max_length=2_000, description="QR Code (copia e cola), no lugar da chave"),
    ] = None
    recipient_key_type: Annotated[KeyType | None, Field(description="Obrigatório, exceto com qrCodeText")] = None
    recipient_key_value: Annotated[
        str | None,
        Field(
            strict=True,
            min_length=1,
            max_length=100,
            description="Chave Pix do destinatário; obrigatória, exceto com qrCodeText",
            examples=["12345678901"],
        ),
    ] = None
    description: Annotated[Description | None, Field(description="Descrição do pagamento")] = None
    correlation_id: CorrelationId | None = None
    lookup_e2e_id: Annotated[
        str | None,
        Field(strict=True, max_length=40, description="e2eId de uma consulta da conta e da chave, há até 15 minutos"),
    ] = None

    def wish(self) -> Wish:
        """The payment in our words. Raises Validation for a key whose shape is not its type's."""
        return Wish(
            self.account_id, self.amount, self._recipient(), self.description, self._lookup(), self.correlation_id
        )

    @model_validator(mode="before")
    @classmethod
    def _say_what_is_missing(cls, data: Any) -> Any:
        """A default is not looked at: what was not sent must stand there to be missed."""
        return {"recipientKeyType": None, "recipientKeyValue": None, **data} if isinstance(data, dict) else data

    @field_validator("recipient_key_type", "recipient_key_value", mode="before")
    @classmethod
    def _one_of_both(cls, value: Any, info: ValidationInfo) -> Any:
        if "qr_code_text" in info.data and (value is None) == (info.data["qr_code_text"] is None):
            raise Invalid(REQUIRED if value is None else _ONE_OF_BOTH)
        return value

    def _recipient(self) -> PixKey | str:
        if self.qr_code_text is not None:
            return self.qr_code_text
        assert self.recipient_key_type is not None  # noqa: S101 - the validator has seen to it
        assert self.recipient_key_value is not None  # noqa: S101
        try:
            return PixKey.parse(self.recipient_key_type, self.recipient_key_value)
        except Invalid as error:
            raise Validation(
                error.text, flaws=[Flaw(error.text, pointer="/data/attributes/recipientKeyValue")]
            ) from error

    def _lookup(self) -> EndToEndId | None:
        try:
            return None if self.lookup_e2e_id is None else EndToEndId.parse(self.lookup_e2e_id)
        except Invalid as error:
            raise Validation(error.text, flaws=[Flaw(error.text, pointer="/data/attributes/lookupE2eId")]) from error


class PaymentAttributes(Schema):
    """A payment as the contract shows it."""

    account_id: UUID
    amount: Reais
    status: PaymentStatus
    recipient_key_type: KeyType
    recipient_key_value: str
    description: str | None
    correlation_id: str | None
    e2e_id: str
    external_ref: str | None
    failure_reason: str | None
    returned_amount: Reais
    completed_at: Timestamp | None
    created_at: Timestamp
    updated_at: Timestamp


class PaymentQuery(DatedQuery):
    """How payments can be listed."""

    account_id: UUID | None = Field(default=None, alias="filter[accountId]")
    status: PaymentStatus | None = Field(default=None, alias="filter[status]")
    e2e_id: str | None = Field(default=None, alias="filter[e2eId]", max_length=40)
    external_ref: str | None = Field(
        default=None,
        alias="filter[externalRef]",
        max_length=100,
        description="Exige filter[dateFrom] e filter[dateTo], de no máximo dois dias.",
    )
    correlation_id: CorrelationId | None = Field(default=None, alias="filter[correlationId]")

    @field_validator("external_ref")
    @classmethod
    def _of_a_day_or_two(cls, reference: str | None, others: ValidationInfo) -> str | None:
        """No index serves it, because each settlement would pay for that: the days bound what is read."""
        first, last = others.data.get("date_from"), others.data.get("date_to")
        if reference is not None and (first is None or last is None or last - first > timedelta(days=1)):
            raise Invalid(_A_DAY_OR_TWO)
        return reference


NewPaymentBody = Body[Kind, NewPayment]
PaymentResource = Resource[Kind, PaymentAttributes]
PaymentDocument = Document[Kind, PaymentAttributes]
PaymentCollection = Collection[Kind, PaymentAttributes]


def resource(payment: PixPayment) -> PaymentResource:
    """One payment."""
    return PaymentResource(
        type="pix-payments",
        id=payment.id,
        links=SelfLink(self=link(f"/pix/payments/{payment.id}")),
        attributes=PaymentAttributes(
            account_id=payment.account_id,
            amount=payment.amount,
            status=payment.status,
            recipient_key_type=payment.recipient_key_type,
            recipient_key_value=payment.recipient_key_value,
            description=payment.description,
            correlation_id=payment.correlation_id,
            e2e_id=payment.e2e_id,
            external_ref=payment.external_ref,
            failure_reason=payment.failure_reason,
            returned_amount=payment.returned,
            completed_at=payment.completed_at,
            created_at=payment.created_at,
            updated_at=payment.updated_at,
        ),
    )


# What `resource` would say, a tenth of the work: these two are nearly all that is ever said of a payment.
_WRITTEN = (
    '{"type":"pix-payments","id":"%s","links":%s,"attributes":{"accountId":"%s","amount":%r,"status":"%s",'
    '"recipientKeyType":%s,"recipientKeyValue":%s,"description":%s,"correlationId":%s,"e2eId":%s,"externalRef":%s,'
    '"failureReason":null,"returnedAmount":0.0,"completedAt":%s,"createdAt":"%s","updatedAt":"%s"}}'
)


def completed(payment: Underway, external_ref: str | None, now: datetime) -> str:
    """The JSON of what `resource` says of a payment that is completed now."""
    return _WRITTEN % (
        payment.id,
        _links(payment.id),
        payment.account_id,
        write_amount(payment.amount),
        PaymentStatus.COMPLETED,
        quoted(payment.recipient_key_type),
        quoted(payment.recipient_key_value),
        quoted(payment.description),
        quoted(payment.correlation_id),
        quoted(payment.e2e_id),
        quoted(external_ref),
        quoted(timestamp(max(now, payment.created_at))),
        timestamp(payment.created_at),
        timestamp(max(now, payment.updated_at)),
    )


def accepted(ready: ReadyOrder) -> str:
    """The JSON of what `document` says of a payment that was just accepted: it is on its way."""
    order, links, created_at = ready.order, _links(ready.id), timestamp(ready.created_at)
    data = _WRITTEN % (
        ready.id,
        links,
        order.account_id,
        write_amount(order.amount),
        PaymentStatus.PROCESSING,
        quoted(order.key.kind),
        quoted(order.key.value),
        quoted(order.description),
        quoted(order.correlation_id),
        quoted(ready.end_to_end_id),
        "null",
        "null",
        created_at,
        created_at,
    )
    return f'{{"data":{data},"links":{links}}}'


def _links(payment_id: UUID) -> str:
    return f'{{"self":"{BASE_PATH}/pix/payments/{payment_id}"}}'


def document(payment: PixPayment) -> PaymentDocument:
    """The answer about one payment."""
    data = resource(payment)
    return PaymentDocument(data=data, links=data.links)


def listing(found: Found[PixPayment], query: PaymentQuery) -> PaymentCollection:
    """The answer to a list."""
    return collection(found, query, "/pix/payments", resource)
