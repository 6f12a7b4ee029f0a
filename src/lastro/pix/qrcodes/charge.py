"""What the issuer of a dynamic code publishes: the charge, in the JSON of the Central Bank's API Pix 2.9.0.

Ours is written as the API says. Those of others are read with patience for how things are spelled (numbers as strings,
commas for points), and with none where it matters whom to pay and how much. Pure: `signature` says who wrote it.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from lastro.errors import InvalidQrCode
from lastro.jsonapi import strict_json
from lastro.jsonapi.fields import BUSINESS_TIME
from lastro.values.bank_day import bank_day_from
from lastro.values.money import Money
from lastro.values.pix_key import PixKey
from lastro.values.tax_id import TaxId
from lastro.values.text import Invalid, Text

LONGEST_DESCRIPTION = 140
LONGEST_NAME = 200
_DEFAULT_SECONDS = 86_400
_MOST_SECONDS = 2**31 - 1  # the API's int32
_DEFAULT_DAYS_AFTER = 30
_MOST_DAYS_AFTER = 36_500
_MOST_DETAILS = 50
_LONGEST_DETAIL_NAME, _LONGEST_DETAIL_VALUE = 50, 200

_TXID = re.compile(r"[A-Za-z0-9]{1,35}")
_AMOUNT = re.compile(r"([0-9]{1,10})(?:[.,]([0-9]{1,2}))?")
_DIGITS = re.compile(r"[0-9]{1,10}")

_NOT_A_CHARGE = Text(
    "A instituição que emitiu o QR Code publicou uma cobrança que não se pode ler ({field}).",
    "The institution that issued the QR code published a charge that can not be read ({field}).",
)


class ChargeStatus(StrEnum):
    """As API Pix has it. That a charge has expired is no status: compare `expires_at`."""

    ACTIVE = "ATIVA"
    PAID = "CONCLUIDA"
    REMOVED_BY_PAYEE = "REMOVIDA_PELO_USUARIO_RECEBEDOR"
    REMOVED_BY_ITS_BANK = "REMOVIDA_PELO_PSP"


@dataclass(frozen=True, slots=True)
class Charge:
    """One charge. Without an amount the payer says it; with `amount_may_change`, the amount is a suggestion.

    A `withdrawal` (Pix Saque, Pix Troco) hands out cash: its amount is not only what is bought.
    """

    txid: str
    key: PixKey
    amount: Money | None
    status: ChargeStatus
    created_at: datetime
    expires_at: datetime
    description: str | None = None
    revision: int = 0
    details: tuple[tuple[str, str], ...] = ()
    receiver_name: str | None = None
    receiver_document: TaxId | None = None
    amount_may_change: bool = False
    withdrawal: bool = False


def write(charge: Charge, *, presented_at: datetime) -> bytes:
    """The payload of our charge (`cob`) as it is published at this moment."""
    if charge.amount is None:
        raise AssertionError("our charges have an amount")
    payload: dict[str, Any] = {
        "txid": charge.txid,
        "revisao": charge.revision,
        "calendario": {
            "criacao": _written(charge.created_at),
            "apresentacao": _written(presented_at),
            "expiracao": int((charge.expires_at - charge.created_at).total_seconds()),
        },
        "valor": {"original": str(charge.amount)},
        "chave": charge.key.value,
        "status": charge.status.value,
    }
    if charge.description is not None:
        payload["solicitacaoPagador"] = charge.description[:LONGEST_DESCRIPTION]
    if charge.details:
        payload["infoAdicionais"] = [{"nome": name, "valor": value} for name, value in charge.details]
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()


def read(payload: bytes) -> Charge:
    """The charge in a payload, immediate (`cob`) or with a due date (`cobv`). Raises `InvalidQrCode`."""
    try:
        found = strict_json.parse(payload)
    except Invalid:
        raise _unreadable("JSON") from None
    if not isinstance(found, dict):
        raise _unreadable("JSON")
    dates, prices = _object(found, "calendario"), _object(found, "valor")
    created_at = _moment(dates, "criacao")
    receiver = found.get("recebedor")
    name, document = _receiver(receiver if isinstance(receiver, dict) else {})
    return Charge(
        txid=_txid(found),
        key=_key(found),
        amount=_price(prices),
        status=_status(found),
        created_at=created_at,
        expires_at=_end_of_validity(dates) if "dataDeVencimento" in dates else _expiry(dates, created_at),
        description=_words(found.get("solicitacaoPagador"), LONGEST_DESCRIPTION),
        revision=_whole_number(found, "revisao", 0, _MOST_SECONDS),
        details=_details(found.get("infoAdicionais")),
        receiver_name=name,
        receiver_document=document,
        amount_may_change=_whole_number(prices, "modalidadeAlteracao", 0, 1) == 1,
        withdrawal=prices.get("retirada") is not None,
    )


def _unreadable(field: str) -> InvalidQrCode:
    return InvalidQrCode(_NOT_A_CHARGE.fill(field=field))


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _object(found: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    value = found.get(field)
    if not isinstance(value, dict):
        raise _unreadable(field)
    return value


def _txid(found: Mapping[str, Any]) -> str:
    value = found.get("txid")
    if not isinstance(value, str) or not _TXID.fullmatch(value):
        raise _unreadable("txid")
    return value


def _key(found: Mapping[str, Any]) -> PixKey:
    value = found.get("chave")
    try:
        return PixKey.of_unknown_kind(value if isinstance(value, str) else "")
    except Invalid:
        raise _unreadable("chave") from None


def _status(found: Mapping[str, Any]) -> ChargeStatus:
    try:
        return ChargeStatus(str(found.get("status")))
    except ValueError:
        raise _unreadable("status") from None


def _price(prices: Mapping[str, Any]) -> Money | None:
    """What is to be paid today: with a due date, the issuer has counted fine, interest and discount into `final`."""
    field = "final" if prices.get("final") is not None else "original"
    value = prices.get(field)
    text = str(value) if isinstance(value, int | Decimal) else value
    match = _AMOUNT.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise _unreadable(f"valor.{field}")
    return Money(int(match[1] + (match[2] or "").ljust(2, "0"))) or None


def _whole_number(found: Mapping[str, Any], field: str, default: int, most: int) -> int:
    value = found.get(field)
    if value is None:
        return default
    text = str(value) if isinstance(value, int) else value
    if not isinstance(text, str) or not _DIGITS.fullmatch(text) or int(text) > most:
        raise _unreadable(field)
    return int(text)


def _moment(dates: Mapping[str, Any], field: str) -> datetime:
    try:
        moment = datetime.fromisoformat(dates[field])
        if moment.tzinfo is None:
            raise _unreadable(field)
        return moment.astimezone(UTC)
    except (KeyError, TypeError, ValueError, OverflowError):
        raise _unreadable(field) from None


def _expiry(dates: Mapping[str, Any], created_at: datetime) -> datetime:
    try:
        return created_at + timedelta(seconds=_whole_number(dates, "expiracao", _DEFAULT_SECONDS, _MOST_SECONDS))
    except OverflowError:
        raise _unreadable("expiracao") from None


def _end_of_validity(dates: Mapping[str, Any]) -> datetime:
    """The end of the last day to pay: so many days after the due date, each moved off days on which banks rest.

    A holiday of the payer's city may move it further. The issuer knows, and shows no charge that is over.
    """
    days = _whole_number(dates, "validadeAposVencimento", _DEFAULT_DAYS_AFTER, _MOST_DAYS_AFTER)
    try:
        due = bank_day_from(date.fromisoformat(dates["dataDeVencimento"]))
        last = bank_day_from(due + timedelta(days=days))
        return datetime.combine(last + timedelta(days=1), time(), tzinfo=BUSINESS_TIME).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        raise _unreadable("dataDeVencimento") from None


def _words(value: object, longest: int) -> str | None:
    """A text that a person may be shown: on one line, without controls, cut; None if nothing is left."""
    if not isinstance(value, str):
        return None
    shown = "".join(character if character.isprintable() else " " for character in value)
    return " ".join(shown.split())[:longest].rstrip() or None


def _details(value: object) -> tuple[tuple[str, str], ...]:
    """Name and value of each further piece of information; what is not one is left out."""
    found = []
    for each in value[:_MOST_DETAILS] if isinstance(value, list) else []:
        about = each if isinstance(each, dict) else {}
        name = _words(about.get("nome"), _LONGEST_DETAIL_NAME)
        text = _words(about.get("valor"), _LONGEST_DETAIL_VALUE)
        if name and text:
            found.append((name, text))
    return tuple(found)


def _receiver(receiver: Mapping[str, Any]) -> tuple[str | None, TaxId | None]:
    """Who says to be the payee. The directory says who is, by the key."""
    document = receiver.get("cnpj") or receiver.get("cpf")
    try:
        tax_id = TaxId.parse(document) if isinstance(document, str) else None
    except Invalid:
        tax_id = None
    return _words(receiver.get("nome"), LONGEST_NAME), tax_id
