"""What may be done with payments: send one, find them again."""

from uuid import UUID

from sqlalchemy import ColumnElement
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.attempt import Answer, Attempt
from lastro.auth.caller import Caller, owned
from lastro.bank import Bank
from lastro.database import Found as Page
from lastro.database import page_of
from lastro.errors import BankError, Flaw, KeyNotFound, NotFound, Unprocessable
from lastro.jsonapi.fields import end_of, start_of
from lastro.pix.lookups import service as lookups
from lastro.pix.lookups.budgets import Purpose
from lastro.pix.lookups.service import Found, Remembered
from lastro.pix.payments import by_code
from lastro.pix.payments.acceptance import Payer, Prepared, Question
from lastro.pix.payments.models import PixPayment
from lastro.pix.payments.order import Order, ReadyOrder, Wish
from lastro.pix.payments.resources import PaymentQuery
from lastro.pix.payments.rules import no_account, no_lookup, not_active
from lastro.providers.directory import ProviderFacts
from lastro.providers.protocol import Party
from lastro.values.bank_account import BankAccount
from lastro.values.end_to_end_id import EndToEndId
from lastro.values.pix_key import PixKey
from lastro.values.text import Text
from lastro.values.time_ordered_id import first_id_at, new_id

_NO_PAYMENT = Text("Pagamento não encontrado.", "Payment not found.")
_KEY = Text("Chave Pix do destinatário inválida ou inexistente.", "Recipient's Pix key invalid or unknown.")
_SELF = Text("A conta de destino é a própria conta de origem.", "The recipient is the paying account itself.")


async def send(bank: Bank, caller: Caller, wish: Wish, attempt: Attempt | None) -> Answer:
    """Take a payment: find the payee, then hold the money. The answer is durable when it is returned.

    A repetition is answered before anybody is asked. Raises NotFound, Conflict, Unprocessable, InvalidQrCode,
    InsufficientBalance, RateLimited, ProviderUnavailable, Unavailable.
    """
    try:
        return await _send(bank, caller, wish, attempt)
    except BankError:
        # A twin that was faster may be the very reason: it has used up the lookup, or paid the charge.
        if attempt is not None:
            known = await bank.preparing.submit(Question(wish.account_id, attempt, None))
            if isinstance(known, Answer):
                return known
        raise


async def _send(bank: Bank, caller: Caller, wish: Wish, attempt: Attempt | None) -> Answer:
    known = await bank.preparing.submit(Question(wish.account_id, attempt, wish.lookup))
    if isinstance(known, BankError):
        raise known
    if isinstance(known, Answer):
        return known
    payer, remembered = _own(known, caller)
    order = await by_code.order(bank, wish) if isinstance(wish.recipient, str) else _by_key(wish, wish.recipient)
    provider = await bank.providers.get(payer.provider_id)
    now = bank.now()
    # Made before the lookup: the directory wants the id that the payment will carry.
    end_to_end_id = order.lookup or EndToEndId.new(provider.ispb, now)
    paying = BankAccount(provider.ispb, payer.branch, payer.number, payer.type)
    if order.lookup is None:
        found = await _payee(bank, provider, order, payer, end_to_end_id)
        payee, payee_account_id = found.owner.party, found.payee_account_id
    elif remembered is not None and remembered.key == order.key and not remembered.has_expired(now):
        payee, payee_account_id = remembered.payee, remembered.payee_account_id
    else:
        raise no_lookup()
    if payee.account == paying:
        raise _unprocessable(_SELF)
    ready = ReadyOrder(
        id=new_id(now),
        order=order,
        tenant_id=caller.tenant_id,
        provider_id=provider.id,
        end_to_end_id=end_to_end_id,
        payer=Party(payer.name, payer.tax_id, paying),
        payee=payee,
        created_at=now,
        attempt=attempt,
        payee_account_id=payee_account_id,
    )
    verdict = await bank.sending.submit(ready)
    if isinstance(verdict, BankError):
        raise verdict
    assert isinstance(verdict, Answer)  # noqa: S101 - the till gives one or the other
    bank.doorbell.ring()
    if not verdict.replayed and (payee_account_id is None or order.lookup is not None):
        lookups.give_back(bank, provider, payer_tax_id=payer.tax_id, tenant_id=caller.tenant_id)
    return verdict


def _by_key(wish: Wish, key: PixKey) -> Order:
    """The order of a client who typed a key."""
    return Order(wish.account_id, wish.amount, key, wish.description, lookup=wish.lookup)


def _own(known: object, caller: Caller) -> tuple[Payer, Remembered | None]:
    if not isinstance(known, Prepared) or known.payer.tenant_id != caller.tenant_id:
        raise no_account()
    if not known.payer.active:
        raise not_active()
    return known.payer, known.remembered


async def _payee(bank: Bank, provider: ProviderFacts, order: Order, payer: Payer, end_to_end_id: EndToEndId) -> Found:
    """Look among our customers, then ask the directory. Whatever goes wrong here leaves nothing behind."""
    try:
        return await lookups.ask(
            bank,
            provider,
            order.key,
            payer_tax_id=payer.tax_id,
            tenant_id=payer.tenant_id,
            end_to_end_id=end_to_end_id,
            purpose=Purpose.PAYMENT,
        )
    except KeyNotFound as error:
        raise _unprocessable(_KEY) from error


def _unprocessable(text: Text) -> Unprocessable:
    return Unprocessable(text, flaws=[Flaw(text, pointer="/data/attributes/recipientKeyValue")])


async def get(tx: AsyncSession, caller: Caller, payment_id: UUID) -> PixPayment:
    """One payment of the caller's. Raises NotFound."""
    payment = (await tx.execute(owned(PixPayment, caller).where(PixPayment.id == payment_id))).scalar_one_or_none()
    if payment is None:
        raise NotFound(_NO_PAYMENT)
    return payment


async def search(tx: AsyncSession, caller: Caller, query: PaymentQuery) -> Page[PixPayment]:
    """The caller's payments under the query's filters, newest first."""
    filters: list[ColumnElement[bool]] = []
    if query.account_id is not None:
        filters.append(PixPayment.account_id == query.account_id)
    if query.status is not None:
        filters.append(PixPayment.status == query.status)
    if query.date_from is not None:
        filters.append(PixPayment.id >= first_id_at(start_of(query.date_from)))
    if query.date_to is not None:
        filters.append(PixPayment.id < first_id_at(end_of(query.date_to)))
    if query.e2e_id is not None:
        filters.append(PixPayment.e2e_id == query.e2e_id)
    if query.external_ref is not None:
        filters.append(PixPayment.external_ref == query.external_ref)
    return await page_of(tx, owned(PixPayment, caller), filters, [PixPayment.id], query.page())
