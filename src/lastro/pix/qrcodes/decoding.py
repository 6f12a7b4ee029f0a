"""What a text that somebody holds asks to be paid: ours from our books, others' from the code or from their bank."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.bank import Bank
from lastro.pix.keys.holders import holders
from lastro.pix.qrcodes import foreign, publishing, rules
from lastro.pix.qrcodes.charge import ChargeStatus
from lastro.pix.qrcodes.models import PixQrCode
from lastro.pix.qrcodes.states import QrCodeType, status_of
from lastro.providers.protocol import Party
from lastro.values import brcode
from lastro.values.brcode import DynamicCode, RecurrenceCode, StaticCode
from lastro.values.money import Money
from lastro.values.pix_key import PixKey
from lastro.values.text import Invalid, Text

_UNKNOWN = Text("A cobrança deste QR Code não existe.", "The charge of this QR code does not exist.")


@dataclass(frozen=True, slots=True)
class Own:
    """Which code of ours it is, and who is paid through it."""

    account_id: UUID
    qrcode_id: UUID
    payee: Party


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a code asks. Without an amount the payer says it; with `amount_may_change`, the amount is a suggestion.

    No key: there is nothing to pay now, only a Pix Automático to agree to (`automatic`). A `withdrawal` hands out cash
    (Pix Saque, Pix Troco). `name` is the payee's as the code or the charge gives it: only of an `own` code it is true.
    """

    type: QrCodeType
    key: PixKey | None
    amount: Money | None
    name: str
    description: str | None = None
    txid: str | None = None
    created_at: datetime | None = None
    expires_at: datetime | None = None
    amount_may_change: bool = False
    automatic: bool = False
    withdrawal: bool = False
    own: Own | None = None


async def understand(bank: Bank, text: str) -> Decoded:
    """What a text asks to be paid, if it can be paid now. Does not ask the directory.

    Raises InvalidQrCode; ProviderUnavailable when the bank that published the charge does not answer.
    """
    try:
        code = brcode.read(text)
    except Invalid as error:
        raise rules.unreadable(error.text) from error
    match code:
        case RecurrenceCode():
            return Decoded(QrCodeType.DYNAMIC, None, None, code.merchant_name, automatic=True)
        case StaticCode():
            async with bank.db.transaction() as tx:
                made = await _static_of_ours(tx, code, text.strip())
            return made or _static(code)
        case DynamicCode():
            base, _, token = code.location.rpartition("/")
            if base.lower() != bank.publication.location.lower():
                return await _charge_of_others(bank, code)
            async with bank.db.transaction() as tx:
                return await _charge_of_ours(tx, code, token, bank.now())


def _static(code: StaticCode) -> Decoded:
    return Decoded(
        QrCodeType.STATIC,
        code.key,
        code.amount,
        code.merchant_name,
        code.description,
        code.txid,
        automatic=code.recurrence is not None,
        withdrawal=code.withdrawal_facilitator is not None,
    )


async def _static_of_ours(tx: AsyncSession, code: StaticCode, text: str) -> Decoded | None:
    """The code, if it is one that we made, to the letter. What only names a key of ours is anybody's."""
    holder = (await holders(tx, [code.key.value])).get(code.key.value) if code.txid is not None else None
    if holder is None:
        return None
    query = select(PixQrCode).where(PixQrCode.account_id == holder.account_id, PixQrCode.txid == code.txid)
    made = (await tx.execute(query)).scalar_one_or_none()
    return _ours(made, holder.owner.party, automatic=False) if made is not None and made.text == text else None


async def _charge_of_ours(tx: AsyncSession, code: DynamicCode, token: str, now: datetime) -> Decoded:
    found = await publishing.find(tx, token)
    if found is None:
        raise rules.unreadable(_UNKNOWN)
    made = found.code
    holder = (await holders(tx, [made.key_value])).get(made.key_value)
    removed = found.removed or holder is None
    refusal = rules.may_be_paid(status_of(made.paid_at, made.expires_at, now), removed=removed)
    if refusal is not None:
        raise refusal
    assert holder is not None  # noqa: S101 - the rule has seen to it
    return _ours(made, holder.owner.party, automatic=code.recurrence is not None)


def _ours(made: PixQrCode, payee: Party, *, automatic: bool) -> Decoded:
    return Decoded(
        made.type,
        PixKey(made.key_type, made.key_value),
        made.amount,
        payee.name,
        made.description,
        made.txid,
        made.created_at,
        made.expires_at,
        automatic=automatic,
        own=Own(made.account_id, made.id, payee),
    )


async def _charge_of_others(bank: Bank, code: DynamicCode) -> Decoded:
    charge = await foreign.charge_at(bank, code.location)
    now = bank.now()
    paid_at = now if charge.status is ChargeStatus.PAID else None
    removed = charge.status not in {ChargeStatus.ACTIVE, ChargeStatus.PAID}
    refusal = rules.may_be_paid(status_of(paid_at, charge.expires_at, now), removed=removed)
    if refusal is not None:
        raise refusal
    return Decoded(
        QrCodeType.DYNAMIC,
        charge.key,
        charge.amount,
        charge.receiver_name or code.merchant_name,
        charge.description,
        charge.txid,
        charge.created_at,
        charge.expires_at,
        amount_may_change=charge.amount_may_change,
        automatic=code.recurrence is not None,
        withdrawal=charge.withdrawal,
    )
