"""Receipts: what one side may show anybody about a Pix that was concluded, with people's documents masked."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, func, select, type_coerce
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.auth.caller import Caller
from lastro.errors import Conflict
from lastro.pix.payments import service as payments
from lastro.pix.payments.states import PaymentStatus
from lastro.pix.refunds.models import PixRefund
from lastro.pix.refunds.states import RefundStatus
from lastro.pix.transfers import service as transfers
from lastro.providers.protocol import Party
from lastro.statements import service
from lastro.statements.lines import Direction
from lastro.statements.origins import shown_document
from lastro.statements.service import Holder
from lastro.values.money import ZERO, Money
from lastro.values.participants import Participant, participant
from lastro.values.pix_key import KeyType
from lastro.values.tax_id import DocumentType, TaxId
from lastro.values.text import Text

_NOT_CONCLUDED = Text(
    "O pagamento está {status}; só pagamentos concluídos têm comprovante.",
    "The payment is {status}; only concluded payments have a receipt.",
)
_CPF_DIGITS = 11


@dataclass(frozen=True, slots=True)
class Side:
    """Payer or payee. `branch` and `number` are told of the account whose receipt it is, and not of the other."""

    name: str
    document: str
    document_type: DocumentType
    ispb: str
    branch: str | None = None
    number: str | None = None

    @property
    def bank(self) -> Participant | None:
        """The institution, if it is on the list of participants."""
        return participant(self.ispb)


@dataclass(frozen=True, slots=True)
class Receipt:
    """One Pix, from the side of one account: money that went out (DEBIT) or came in (CREDIT)."""

    resource_id: UUID
    account_id: UUID
    direction: Direction
    amount: Money
    returned: Money
    concluded_at: datetime
    e2e_id: str
    txid: str | None
    key: str | None
    description: str | None
    payer: Side
    payee: Side

    @property
    def status(self) -> PaymentStatus:
        """REVERSED when all of it went back."""
        return PaymentStatus.REVERSED if self.returned == self.amount else PaymentStatus.COMPLETED

    @property
    def issuer(self) -> Side:
        """The side whose receipt it is."""
        return self.payer if self.direction is Direction.DEBIT else self.payee

    @property
    def authentication(self) -> str:
        """A digest of what never changes, to compare two copies by; no secret is in it."""
        facts = (
            self.direction, self.e2e_id, self.amount.centavos, self.concluded_at.isoformat(),
            self.payer.document, self.payee.document,
        )  # fmt: skip
        return hashlib.sha256("|".join(map(str, facts)).encode()).hexdigest()[:32].upper()


async def of_payment(tx: AsyncSession, caller: Caller, payment_id: UUID) -> Receipt:
    """The payer's. Raises NotFound, and Conflict while the payment is not concluded, or when it failed."""
    payment = await payments.get(tx, caller, payment_id)
    if payment.completed_at is None:
        raise Conflict(_NOT_CONCLUDED.fill(status=payment.status))
    key = payment.recipient_key_value
    if payment.recipient_key_type is KeyType.CPF:
        key = TaxId(key, DocumentType.CPF).masked
    own = payment.payer.account
    return Receipt(
        resource_id=payment.id,
        account_id=payment.account_id,
        direction=Direction.DEBIT,
        amount=payment.amount,
        returned=payment.returned,
        concluded_at=payment.completed_at,
        e2e_id=payment.e2e_id,
        txid=payment.txid,
        key=key,
        description=payment.description,
        payer=_side(payment.payer, branch=own.branch, number=own.number),
        payee=_side(payment.payee),
    )


async def of_transfer(tx: AsyncSession, caller: Caller, transfer_id: UUID) -> Receipt:
    """The payee's. Raises NotFound."""
    transfer = await transfers.get(tx, caller, transfer_id)
    holder = await service.holder(tx, caller, transfer.account_id)
    return Receipt(
        resource_id=transfer.id,
        account_id=transfer.account_id,
        direction=Direction.CREDIT,
        amount=transfer.amount,
        returned=await _given_back(tx, transfer.account_id, transfer.id) if transfer.refunded else ZERO,
        concluded_at=transfer.created_at,
        e2e_id=transfer.e2e_id,
        txid=transfer.txid,
        key=_masked_if_cpf(transfer.key),
        description=transfer.description,
        payer=_side(transfer.payer),
        payee=_holders_side(holder),
    )


async def _given_back(tx: AsyncSession, account_id: UUID, transfer_id: UUID) -> Money:
    """What has reached the payer again: refunds under way do not count yet."""
    centavos = type_coerce(PixRefund.amount, BigInteger)  # a sum of BIGINTs is NUMERIC, which is no Money
    query = select(func.coalesce(func.sum(centavos), 0)).where(
        PixRefund.account_id == account_id,
        PixRefund.transfer_id == transfer_id,
        PixRefund.status == RefundStatus.COMPLETED,
    )
    return Money(int((await tx.execute(query)).scalar_one()))


def _masked_if_cpf(key: str | None) -> str | None:
    """Of a received Pix only the key itself is known. Eleven digits are a CPF: phones have a plus."""
    if key is not None and len(key) == _CPF_DIGITS and key.isdecimal():
        return TaxId(key, DocumentType.CPF).masked
    return key


def _side(party: Party, *, branch: str | None = None, number: str | None = None) -> Side:
    tax_id = party.tax_id
    return Side(party.name, shown_document(tax_id, whole=False), tax_id.kind, party.account.ispb, branch, number)


def _holders_side(holder: Holder) -> Side:
    document = shown_document(holder.tax_id, whole=False)
    return Side(holder.name, document, holder.tax_id.kind, holder.ispb, holder.branch, holder.number)
