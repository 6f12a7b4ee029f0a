"""What OpenPix tells unasked: whether it was OpenPix, and what its events are in our words."""

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Annotated, Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key
from pydantic import Field

from lastro.jsonapi import strict_json
from lastro.providers.openpix_wire import (
    AccountSaid,
    Centavos,
    HolderSaid,
    MovementSaid,
    PspSaid,
    Read,
    Told,
    account_in,
    outcome_in,
    payment_id,
    reason_in,
    time_in,
    txid_in,
)
from lastro.providers.protocol import (
    NoNews,
    Notification,
    Party,
    PaymentStatus,
    PixReceived,
    Rejected,
    ReturnReceived,
    Settled,
)
from lastro.values.bank_account import BankAccount
from lastro.values.end_to_end_id import EndToEndId
from lastro.values.money import Money
from lastro.values.tax_id import TaxId
from lastro.values.text import Invalid, Text

_ASKED_BY_THE_RECEIVER = "MD06"  # OpenPix does not tell why; it is by far the most frequent reason
_CREDITED = "CONFIRMED"
_RECEIVED = {
    "OPENPIX:TRANSACTION_RECEIVED",
    "OPENPIX:CHARGE_COMPLETED",
    "OPENPIX:CHARGE_COMPLETED_NOT_SAME_CUSTOMER_PAYER",
}


_MOST_KEYS = 5
_SHORTEST_KEY, _LONGEST_KEY = 1024, 4096  # bits; OpenPix' own has 1024
_ARMOUR = re.compile(r"-----(?:BEGIN|END) [A-Z ]+-----")

_NOT_KEYS = Text(
    "webhookPublicKeys deve ter de 1 a 5 chaves públicas RSA em PEM, separadas por vírgulas.",
    "webhookPublicKeys must hold 1 to 5 public RSA keys as PEM, between commas.",
)


def keys_in(setting: object) -> Sequence[RSAPublicKey]:
    """The RSA keys in a provider's setting, between commas; without any, nothing is believed. Raises Invalid.

    Each as it comes: as PEM, as what stands inside a PEM, or as the base64 of a PEM, in which OpenPix publishes it.
    """
    if setting is None:
        return []
    texts = setting.split(",") if isinstance(setting, str) else []
    if not 0 < len(texts) <= _MOST_KEYS:
        raise Invalid(_NOT_KEYS)
    return [_key_in(each) for each in texts]


def _key_in(text: str) -> RSAPublicKey:
    try:
        raw = base64.b64decode("".join(_ARMOUR.sub("", text).split()), validate=True)
        key = load_pem_public_key(raw) if _ARMOUR.match(raw.decode("latin-1")) else load_der_public_key(raw)
    except (ValueError, UnsupportedAlgorithm):
        raise Invalid(_NOT_KEYS) from None
    if not isinstance(key, RSAPublicKey) or not _SHORTEST_KEY <= key.key_size <= _LONGEST_KEY:
        raise Invalid(_NOT_KEYS)
    return key


def is_signed(body: bytes, signature: str, keys: Sequence[RSAPublicKey]) -> bool:
    """Whether one of these keys has signed these bytes: RSA, PKCS #1 v1.5, SHA-256, in base64."""
    try:
        raw = base64.b64decode(signature.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return False
    return any(_verifies(key, raw, body) for key in keys)


def _verifies(key: RSAPublicKey, signature: bytes, body: bytes) -> bool:
    try:
        key.verify(signature, body, PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True


class _Key(Read):
    value: Annotated[Told, Field(alias="pixKey")]


class _Side(Read):
    account: AccountSaid
    psp: PspSaid
    holder: HolderSaid
    key: Annotated[_Key | None, Field(alias="pixKey")] = None


class _Pix(Read):
    value: Centavos
    time: str
    end_to_end_id: Annotated[str, Field(alias="endToEndId")]
    status: str = _CREDITED
    payer: HolderSaid | None = None
    debit: Annotated[_Side, Field(alias="debitParty")]
    credit: Annotated[_Side, Field(alias="creditParty")]
    txid: Annotated[str | None, Field(alias="transactionID")] = None
    description: Annotated[Told | None, Field(alias="infoPagador")] = None


class _Received(Read):
    pix: _Pix


class _PaymentNamed(Read):
    correlation_id: Annotated[str | None, Field(alias="correlationID")] = None


class _Why(Read):
    code: str | None = None
    description: str | None = None


class _Movement(Read):
    payment: _PaymentNamed
    transaction: MovementSaid | None = None
    error: _Why | None = None
    code: Annotated[str | None, Field(alias="providerErrorCode")] = None
    why: Annotated[str | None, Field(alias="providerRejectedReason")] = None


class _Returned(Read):
    value: Centavos
    time: str
    end_to_end_id: Annotated[str, Field(alias="endToEndId")]
    correlation_id: Annotated[str | None, Field(alias="correlationID")] = None


class _Original(Read):
    end_to_end_id: Annotated[str, Field(alias="endToEndId")]


class _Return(Read):
    returned: Annotated[_Returned, Field(alias="refundTransaction")]
    original: Annotated[_Original, Field(alias="originalTransaction")]
    error: str | None = None


def notification_in(body: bytes) -> Notification:
    """What OpenPix tells us. Raises ValueError when it makes no sense."""
    said = strict_json.parse(body)
    event = said.get("event") if isinstance(said, dict) else None
    if not isinstance(event, str):
        raise ValueError("no event")  # noqa: TRY004 - what somebody else wrote has no type, but a value
    if event in _RECEIVED:
        return _received(said, event)
    match event:
        case "OPENPIX:MOVEMENT_CONFIRMED" | "OPENPIX:MOVEMENT_FAILED" if "payment" in said:
            return _moved(_Movement.model_validate(said), event)
        case "PIX_TRANSACTION_REFUND_RECEIVED_CONFIRMED" if "refundTransaction" in said:
            return _came_back(_Return.model_validate(said))
        case "PIX_TRANSACTION_REFUND_SENT_CONFIRMED" | "PIX_TRANSACTION_REFUND_SENT_REJECTED" if (
            "refundTransaction" in said
        ):
            return _gave_back(_Return.model_validate(said), event)
    # Whatever else it tells: charges made and expired, disputes, a request that somebody took back before it moved
    # anything, the test call to a new address.
    return NoNews(event[:100])


def _received(said: dict[str, Any], event: str) -> Notification:
    if said.get("pix") is None:
        return NoNews(event)  # the test call
    pix = _Received.model_validate(said).pix
    if pix.status != _CREDITED:
        return NoNews(event)
    at = time_in(pix.time)
    return PixReceived(
        end_to_end_id=payment_id(pix.end_to_end_id),
        amount=Money(pix.value),
        payer=_payer(pix),
        payee_tax_id=_document(pix.credit.holder),
        payee_account=account_in(pix.credit.account, pix.credit.psp.id),
        key=pix.credit.key.value if pix.credit.key else None,
        txid=txid_in(pix.txid),
        description=pix.description or None,
        created_at=at,
        credited_at=at,
    )


def _payer(pix: _Pix) -> Party:
    name = pix.debit.holder.name or (pix.payer.name if pix.payer else None)
    if not name:
        raise ValueError("a payer without a name")
    try:
        account = account_in(pix.debit.account, pix.debit.psp.id)
    except ValueError:  # some banks' accounts have more digits or other types than the directory knows
        account = BankAccount.undisclosed(pix.debit.psp.id)
    return Party(name, _document(pix.debit.holder), account)


def _document(holder: HolderSaid) -> TaxId:
    if holder.tax_id is None:
        raise ValueError("a holder without a document")
    return TaxId.parse(holder.tax_id.tax_id)


def _moved(said: _Movement, event: str) -> Notification:
    end_to_end_id = _ours(said.payment.correlation_id)
    if end_to_end_id is None:
        return NoNews(event)
    movement = said.transaction or MovementSaid()
    if event == "OPENPIX:MOVEMENT_CONFIRMED":
        return PaymentStatus(end_to_end_id, outcome_in(_CREDITED, movement))
    error = said.error or _Why()
    reason = reason_in(said.code, said.why, movement.why_refused, error.code, error.description)
    return PaymentStatus(end_to_end_id, Rejected(reason))


def _came_back(said: _Return) -> Notification:
    return_id = EndToEndId.parse(said.returned.end_to_end_id)
    if not return_id.is_return or not said.returned.value:
        raise ValueError("not a return")
    return ReturnReceived(
        return_id=return_id,
        original_end_to_end_id=payment_id(said.original.end_to_end_id),
        amount=Money(said.returned.value),
        reason=_ASKED_BY_THE_RECEIVER,
        created_at=time_in(said.returned.time),
    )


def _gave_back(said: _Return, event: str) -> Notification:
    """A refund of ours. It carries OpenPix's id and not always ours: then the worker, which asks, will learn of it."""
    return_id = _ours(said.returned.correlation_id)
    if return_id is None:
        return NoNews(event)
    if event == "PIX_TRANSACTION_REFUND_SENT_CONFIRMED":
        return PaymentStatus(return_id, Settled(time_in(said.returned.time), said.returned.end_to_end_id))
    return PaymentStatus(return_id, Rejected(reason_in(said.error)))


def _ours(correlation_id: str | None) -> EndToEndId | None:
    """Our id. What somebody else did on the same account, in the panel for one, has another kind of id, or none."""
    try:
        return EndToEndId.parse(correlation_id or "")
    except Invalid:
        return None
