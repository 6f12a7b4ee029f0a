"""Payments by QR code: the code says to whom, and what it fixes must be what the client asks for."""

from lastro.bank import Bank
from lastro.errors import BankError, Flaw, Unprocessable
from lastro.pix.payments.order import Order, Wish
from lastro.pix.qrcodes.decoding import Decoded, understand
from lastro.pix.qrcodes.states import QrCodeType
from lastro.providers.protocol import Initiation
from lastro.values.money import Money
from lastro.values.text import Text

_NOTHING_TO_PAY = Text(
    "O QR Code só autoriza um Pix Automático: não há o que pagar agora.",
    "The QR code only authorises a Pix Automático: there is nothing to pay now.",
)
_WITHDRAWAL = Text(
    "O QR Code é de Pix Saque ou Pix Troco, que não são oferecidos.",
    "The QR code is for Pix Saque or Pix Troco, which are not offered.",
)
_INITIATIONS = {
    QrCodeType.STATIC: Initiation.STATIC_QR_CODE,
    QrCodeType.DYNAMIC: Initiation.DYNAMIC_QR_CODE,
}


async def order(bank: Bank, wish: Wish) -> Order:
    """Read the code, fetching the charge if it is a dynamic one. Call it outside of any transaction.

    Raises InvalidQrCode (expired and paid ones, too), Unprocessable, ProviderUnavailable.
    """
    assert isinstance(wish.recipient, str)  # noqa: S101 - the caller has looked
    code = await understand(bank, wish.recipient)
    refusal = may_pay(code, wish.amount)
    if refusal is not None:
        raise refusal
    assert code.key is not None  # noqa: S101 - without one there is a refusal
    return Order(
        account_id=wish.account_id,
        amount=wish.amount,
        key=code.key,
        description=wish.description,
        initiation=_INITIATIONS[code.type],
        txid=code.txid,
        lookup=wish.lookup,
        correlation_id=wish.correlation_id,
    )


def may_pay(code: Decoded, amount: Money) -> BankError | None:
    """Judge an amount by what the code fixes."""
    if code.key is None:
        return _flawed(_NOTHING_TO_PAY, "qrCodeText")
    if code.withdrawal:
        return _flawed(_WITHDRAWAL, "qrCodeText")
    if code.amount is not None and not code.amount_may_change and amount != code.amount:
        asked = str(code.amount)
        return _flawed(
            Text(f"O QR Code pede R$ {asked.replace('.', ',')}.", f"The QR code asks for R$ {asked}."), "amount"
        )
    return None


def _flawed(text: Text, field: str) -> Unprocessable:
    return Unprocessable(text, flaws=[Flaw(text, pointer=f"/data/attributes/{field}")])
