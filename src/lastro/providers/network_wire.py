"""The words of docs/network.md, and what they are in ours: every translation between the network's JSON and Lastro."""

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter
from pydantic.alias_generators import to_camel

from lastro.providers.protocol import (
    Holder,
    InFlight,
    Initiation,
    Instruction,
    KeyOwner,
    KycPaper,
    KycReviewed,
    KycSide,
    ManyReceived,
    Notification,
    Outcome,
    Party,
    PaymentStatus,
    PixReceived,
    Rejected,
    ReturnInstruction,
    ReturnReceived,
    Settled,
)
from lastro.values.bank_account import AccountType, BankAccount
from lastro.values.end_to_end_id import EndToEndId
from lastro.values.money import Money
from lastro.values.pix_key import KeyType, PixKey
from lastro.values.tax_id import DocumentType, TaxId

ACCOUNT_TYPES = {AccountType.CHECKING: "CACC", AccountType.SAVINGS: "SVGS", AccountType.PAYMENT: "TRAN"}
_ACCOUNT_TYPES_READ = {word: kind for kind, word in ACCOUNT_TYPES.items()}
_OWNER_TYPES = {DocumentType.CPF: "NATURAL_PERSON", DocumentType.CNPJ: "LEGAL_PERSON"}
# pacs.008, LclInstrm: by key, by static and by dynamic QR code.
_INITIATIONS = {
    Initiation.KEY: "DICT",
    Initiation.STATIC_QR_CODE: "QRES",
    Initiation.DYNAMIC_QR_CODE: "QRDN",
}
_CHANNELS = {KeyType.EMAIL: "EMAIL", KeyType.PHONE: "SMS"}
_NOT_STORABLE = re.compile(r"[\x00\ud800-\udfff]")  # NUL, and the halves of a pair, which JSON can spell
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z")


def _storable(text: str) -> str:
    if _NOT_STORABLE.search(text):
        raise ValueError("holds a character that Postgres can not store")
    return text


_Text = Annotated[str, Field(min_length=1, max_length=300), AfterValidator(_storable)]
_Code = Annotated[str, Field(pattern=r"^[A-Z0-9]{4}$")]


class _Read(BaseModel):
    """Something that the network says. It may say more than we know of, but not otherwise."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True, alias_generator=to_camel)


class _Account(_Read):
    ispb: str
    branch: str
    number: str
    type: Literal["CACC", "SVGS", "TRAN"]


class _Owner(_Read):
    tax_id: str
    name: _Text


class _Entry(_Read):
    key: str
    key_type: Literal["CPF", "CNPJ", "EMAIL", "PHONE", "EVP"]
    account: _Account
    owner: _Owner
    created_at: str


class _Status(_Read):
    end_to_end_id: str
    status: Literal["ACSC", "RJCT", "ACSP"]
    reason: _Code | None = None
    settled_at: str | None = None
    external_ref: _Text | None = None


class _Statuses(_Read):
    statuses: list[_Status]


class _Opened(_Read):
    branch: str
    number: str


class _Payer(_Read):
    name: _Text
    tax_id: str
    account: _Account


class _Payee(_Read):
    tax_id: str
    account: _Account
    key: _Text | None = None


class _Payment(_Read):
    end_to_end_id: str
    amount: str
    payer: _Payer
    payee: _Payee
    txid: Annotated[str, Field(pattern=r"^[a-zA-Z0-9]{1,35}$")] | None = None
    remittance_information: _Text | None = None
    created_at: str


class _Return(_Read):
    return_id: str
    original_end_to_end_id: str
    amount: str
    reason: _Code
    created_at: str


class _PaymentReceived(_Read):
    type: Literal["payment.received"]
    payment: _Payment


class _PaymentsReceived(_Read):
    type: Literal["payments.received"]
    payments: Annotated[list[_Payment], Field(min_length=1, max_length=100)]


class _StatusNotice(_Read):
    type: Literal["payment.status"]
    status: _Status


class _ReturnReceived(_Read):
    type: Literal["return.received"]
    return_: Annotated[_Return, Field(alias="return")]


class _KycVerdict(_Read):
    type: Literal[
        "RG", "CNH", "PASSPORT", "RNE", "SELFIE", "PROOF_OF_ADDRESS", "PROOF_OF_INCOME", "ARTICLES_OF_INCORPORATION"
    ]
    status: Literal["APPROVED", "REJECTED", "REQUIRES_UPDATE"]


class _KycReview(_Read):
    account_id: str
    request_id: str
    status: Literal["IN_PROGRESS", "APPROVED", "REJECTED", "REQUIRES_UPDATE"]
    review_note: Annotated[str, Field(min_length=1, max_length=1_000), AfterValidator(_storable)] | None = None
    documents: list[_KycVerdict] = []


class _KycReviewed(_Read):
    type: Literal["kyc.reviewed"]
    review: _KycReview


_Notice = _PaymentReceived | _PaymentsReceived | _StatusNotice | _ReturnReceived | _KycReviewed
_NOTIFICATION: TypeAdapter[_Notice] = TypeAdapter(Annotated[_Notice, Field(discriminator="type")])


def canonical(body: object) -> bytes:
    """JSON of which there is only one spelling: sorted names, no spaces, UTF-8."""
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def strict_json(body: bytes) -> Any:
    """JSON as RFC 8259 has it: UTF-8, no NaN, no name twice. Raises ValueError."""
    try:
        return json.loads(
            body.decode(), parse_float=Decimal, parse_constant=_no_number, object_pairs_hook=_without_repetition
        )
    except (ArithmeticError, RecursionError):
        raise ValueError("numbers or nesting beyond reason") from None


def account_out(account: BankAccount) -> dict[str, str]:
    """An account as the directory writes it."""
    return {
        "ispb": account.ispb,
        "branch": account.branch,
        "number": account.bare_number,
        "type": ACCOUNT_TYPES[account.kind],
    }


def owner_out(owner: Holder) -> dict[str, str]:
    """Who a key is registered for."""
    return {"type": _OWNER_TYPES[owner.tax_id.kind], "taxId": owner.tax_id.value, "name": owner.name}


def message_out(instruction: Instruction) -> dict[str, Any]:
    """pacs.008: the same instruction always gives the same message."""
    payer, payee = instruction.payer, instruction.payee
    return {
        "endToEndId": instruction.end_to_end_id,
        "amount": str(instruction.amount),
        "acceptedAt": _time_out(instruction.accepted_at),
        "initiation": _INITIATIONS[instruction.initiation],
        "payer": {"name": payer.name, "taxId": payer.tax_id.value, "account": account_out(payer.account)},
        "payee": {
            "taxId": payee.tax_id.value,
            "account": account_out(payee.account),
            "key": instruction.key.value,
        },
        "txid": instruction.txid,
        "remittanceInformation": instruction.description,
    }


def return_out(instruction: ReturnInstruction) -> dict[str, Any]:
    """pacs.004."""
    return {
        "returnId": instruction.return_id,
        "originalEndToEndId": instruction.original_end_to_end_id,
        "amount": str(instruction.amount),
        "reason": instruction.reason,
        "createdAt": _time_out(instruction.created_at),
    }


def code_out(kind: KeyType, address: str, *, code: str, request_id: UUID, expires_at: datetime) -> dict[str, str]:
    """A code for a customer, on the way that proves possession of the key."""
    return {
        "requestId": str(request_id),
        "channel": _CHANNELS[kind],
        "to": address,
        "code": code,
        "expiresAt": _time_out(expires_at),
    }


def key_owner_in(answer: object) -> KeyOwner:
    """An entry of the directory. Raises ValueError when it is none."""
    entry = _Entry.model_validate(answer)
    return KeyOwner(
        key=PixKey.parse(KeyType(entry.key_type), entry.key),
        party=Party(entry.owner.name, TaxId.parse(entry.owner.tax_id), _account_in(entry.account)),
        created_at=_time_in(entry.created_at),
    )


def statuses_in(answer: object) -> Sequence[tuple[str, Outcome]]:
    """The answers to a batch: end-to-end id and outcome. Raises ValueError."""
    return [(status.end_to_end_id, _outcome(status)) for status in _Statuses.model_validate(answer).statuses]


def status_in(answer: object) -> tuple[str, Outcome]:
    """One pacs.002: end-to-end id and outcome. Raises ValueError."""
    status = _Status.model_validate(answer)
    return status.end_to_end_id, _outcome(status)


def opened_in(answer: object, ispb: str, kind: AccountType) -> BankAccount:
    """The account that the office opened. Raises ValueError."""
    opened = _Opened.model_validate(answer)
    return BankAccount.from_bare(ispb, opened.branch, opened.number, kind)


def notification_in(body: bytes) -> Notification:
    """What the network tells us. Raises ValueError when it makes no sense."""
    match _NOTIFICATION.validate_python(strict_json(body)):
        case _PaymentReceived(payment=payment):
            return _received(payment)
        case _PaymentsReceived(payments=payments):
            return ManyReceived([_received(each) for each in payments])
        case _StatusNotice(status=status):
            return PaymentStatus(EndToEndId.parse(status.end_to_end_id), _outcome(status))
        case _ReturnReceived(return_=given_back):
            return ReturnReceived(
                return_id=EndToEndId.parse(given_back.return_id),
                original_end_to_end_id=EndToEndId.parse(given_back.original_end_to_end_id),
                amount=_some_money(given_back.amount),
                reason=given_back.reason,
                created_at=_time_in(given_back.created_at),
            )

        case _KycReviewed(review=review):
            return KycReviewed(
                account_id=UUID(review.account_id),
                submission=UUID(review.request_id),
                status=review.status,
                note=review.review_note,
                documents={each.type: each.status for each in review.documents},
            )


def _received(payment: _Payment) -> PixReceived:
    return PixReceived(
        end_to_end_id=_payment_id(payment.end_to_end_id),
        amount=Money.parse(payment.amount),  # zero has its own answer, AM01
        payer=Party(payment.payer.name, TaxId.parse(payment.payer.tax_id), _account_in(payment.payer.account)),
        payee_tax_id=TaxId.parse(payment.payee.tax_id),
        payee_account=_account_in(payment.payee.account),
        key=payment.payee.key,
        txid=payment.txid,
        description=payment.remittance_information,
        created_at=_time_in(payment.created_at),
    )


def kyc_out(
    account_id: UUID, holder: Holder, papers: Sequence[KycPaper], *, ispb: str, provider_id: UUID, request_id: UUID
) -> bytes:
    """A submission to the KYC desk, as bytes: it may be large."""
    return canonical(
        {
            "requestId": str(request_id),
            "accountId": str(account_id),
            "providerId": str(provider_id),
            "ispb": ispb,
            "holder": {"name": holder.name, "taxId": holder.tax_id.value},
            "documents": [
                {"type": each.type, "front": _side_out(each.front), "back": each.back and _side_out(each.back)}
                for each in papers
            ],
        }
    )


def _side_out(side: KycSide) -> dict[str, str]:
    return {
        "mediaType": side.media_type,
        "sha256": hashlib.sha256(side.content).hexdigest(),
        "content": base64.b64encode(side.content).decode(),
    }


def _outcome(status: _Status) -> Outcome:
    match status:
        case _Status(status="ACSC", settled_at=str(settled_at)):
            return Settled(_time_in(settled_at), status.external_ref)
        case _Status(status="RJCT", reason=str(reason)):
            return Rejected(reason)
        case _Status(status="ACSP"):
            return InFlight()
    raise ValueError("a settlement without a time, or a rejection without a reason")


def _account_in(account: _Account) -> BankAccount:
    return BankAccount.from_bare(account.ispb, account.branch, account.number, _ACCOUNT_TYPES_READ[account.type])


def _some_money(text: str) -> Money:
    if not (amount := Money.parse(text)):
        raise ValueError("nobody sends nothing")
    return amount


def _payment_id(text: str) -> EndToEndId:
    if (end_to_end_id := EndToEndId.parse(text)).is_return:
        raise ValueError("the id of a return")
    return end_to_end_id


def _time_in(text: str) -> datetime:
    if not _TIME.fullmatch(text):
        raise ValueError("not a time in UTC")
    return datetime.fromisoformat(text)


def _time_out(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _no_number(_: str) -> None:
    raise ValueError("NaN and infinities are no JSON")


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name stands twice")
    return members
