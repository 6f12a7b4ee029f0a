"""Whether a code may be made, and whether a charge may be paid: facts in, a refusal or nothing out."""

from dataclasses import dataclass
from datetime import datetime

from lastro.accounts.rules import NOT_ACTIVE
from lastro.accounts.states import AccountStatus
from lastro.errors import BankError, Conflict, Flaw, InvalidQrCode, Unprocessable
from lastro.pix.qrcodes.states import QrCodeStatus, QrCodeType
from lastro.values.money import Money
from lastro.values.text import Text

PAID_BEFORE = "DUPL"
EXPIRED = "BE17"
OTHER_AMOUNT = "INDT"

_NO_KEY = Text(
    "A conta não tem chave Pix ativa. Registre uma com POST /baas/api/v1/pix/keys e gere o QR Code depois.",
    "The account has no active Pix key. Register one with POST /baas/api/v1/pix/keys, then make the QR code.",
)
_NOT_PUBLISHED = Text(
    "QR Codes dinâmicos não estão disponíveis: o operador ainda não configurou o certificado que assina as cobranças"
    " (LASTRO_QR_CERTIFICATE).",
    "Dynamic QR codes are not available: the operator has not configured the certificate that signs the charges"
    " (LASTRO_QR_CERTIFICATE).",
)
_PAID = Text("A cobrança deste QR Code já foi paga.", "The charge of this QR code has been paid.")
_EXPIRED = Text("A cobrança deste QR Code expirou.", "The charge of this QR code has expired.")
_REMOVED = Text("A cobrança deste QR Code foi removida.", "The charge of this QR code was removed.")
_OUTCOMES = {QrCodeStatus.PAID: _PAID, QrCodeStatus.EXPIRED: _EXPIRED}


def may_be_made(
    kind: QrCodeType, status: AccountStatus, *, elsewhere: bool, has_key: bool, signed: bool
) -> BankError | None:
    """A code needs an active account with a key; a charge also needs somebody who vouches for it.

    A provider that makes codes `elsewhere` has its own keys and vouches itself.
    """
    if status is not AccountStatus.ACTIVE:
        return Conflict(NOT_ACTIVE)
    if elsewhere:
        return None
    if not has_key:
        return Conflict(_NO_KEY)
    if kind is QrCodeType.DYNAMIC and not signed:
        text = _NOT_PUBLISHED
        return Unprocessable(text, flaws=[Flaw(text, pointer="/data/attributes/type")])
    return None


def may_be_paid(status: QrCodeStatus, *, removed: bool) -> BankError | None:
    """A charge is paid once and in time."""
    if status is not QrCodeStatus.ACTIVE:
        return unreadable(_OUTCOMES[status])
    return unreadable(_REMOVED) if removed else None


def unreadable(text: Text) -> InvalidQrCode:
    """The text that a client sent asks for nothing that can be paid; says why."""
    return InvalidQrCode(text, flaws=[Flaw(text, pointer="/data/attributes/qrCodeText")])


@dataclass(frozen=True, slots=True)
class Charge:
    """What a dynamic code asks for, whether it got it, and whether it was told as expired."""

    amount: Money
    expires_at: datetime
    paid: bool
    over: bool = False


def refusal(charge: Charge, amount: Money, now: datetime) -> str | None:
    """Why what arrived for a charge is sent back, as SPI's reason code.

    A charge is paid once, in time and to the centavo, whatever the payer's bank made of it.
    """
    if charge.paid:
        return PAID_BEFORE
    if charge.over or now >= charge.expires_at:
        return EXPIRED
    return OTHER_AMOUNT if amount != charge.amount else None
