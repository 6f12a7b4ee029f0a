"""What may be done with payments: send one, find them again."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from lastro.accounts.rules import SAME_ACCOUNT
from lastro.attempt import Answer, Attempt
from lastro.auth.caller import Caller, owned
from lastro.auth.spending import caps_of
from lastro.bank import Bank
from lastro.errors import BankError, Flaw, KeyNotFound, NotFound, Unprocessable
from lastro.jsonapi.fields import end_of, start_of
from lastro.outbox import queue
from lastro.paging import Found as Page
from lastro.paging import page_of
from lastro.pix.lookups import payees
from lastro.pix.lookups.budgets import Asker
from lastro.pix.lookups.metering import reward
from lastro.pix.lookups.payees import Known, Payee, Sought
from lastro.pix.lookups.reservations import Reservation
from lastro.pix.lookups.service import Remembered
from lastro.pix.payments import by_code
from lastro.pix.payments.acceptance import SETTLE
from lastro.pix.payments.models import PixPayment
from lastro.pix.payments.order import Order, ReadyOrder, Wish
from lastro.pix.payments.preparation import Prepared, Question
from lastro.pix.payments.resources import PaymentQuery
from lastro.pix.payments.rules import no_account, no_lookup, not_active
from lastro.pix.payments.states import PaymentStatus
from lastro.providers.directory import ProviderFacts
from lastro.providers.features import Feature
from lastro.providers.protocol import Party
from lastro.tally.totals import Counted, total
from lastro.values.bank_account import BankAccount
from lastro.values.end_to_end_id import EndToEndId
from lastro.values.pix_key import PixKey
from lastro.values.text import Text
from lastro.values.time_ordered_id import first_id_at, new_id

NO_PAYMENT = Text("Pagamento não encontrado.", "Payment not found.")
_KEY = Text("Chave Pix do destinatário inválida ou inexistente.", "Recipient's Pix key invalid or unknown.")


async def send(bank: Bank, caller: Caller, wish: Wish, attempt: Attempt | None) -> Answer:
    """Take a payment: find the payee, then hold the money. The answer is durable when it is returned.

    A repetition is answered before anybody is asked. Raises NotFound, Conflict, Unprocessable, InvalidQrCode,
    InsufficientBalance, Forbidden (over a cap of the token), RateLimited, ProviderUnavailable, Unavailable.
    """
    if not caller.reaches(wish.account_id):
        raise no_account()
    try:
        with Reservation(bank.metering) as reservation:
            return await _send(bank, caller, wish, attempt, reservation)
    except BankError:
        # A twin that was faster may be the very reason: it has used up the lookup, or paid the charge.
        if attempt is not None:
            known = await bank.preparing.submit(Question(wish.account_id, caller.tenant_id, attempt))
            if isinstance(known, Answer):
                return known
        raise


async def _send(bank: Bank, caller: Caller, wish: Wish, attempt: Attempt | None, reservation: Reservation) -> Answer:
    key = wish.recipient if isinstance(wish.recipient, PixKey) and wish.lookup is None else None
    sought = Sought(key, reservation) if key is not None else None
    known = await _prepare(bank, Question(wish.account_id, caller.tenant_id, attempt, wish.lookup, sought))
    if isinstance(known, Answer):
        return known
    order = await by_code.order(bank, wish) if isinstance(wish.recipient, str) else _by_key(wish, wish.recipient)
    if order.lookup is None and sought is None:  # the code has told which key
        sought = Sought(order.key, reservation)
        known = await _prepare(bank, Question(wish.account_id, caller.tenant_id, None, sought=sought))
        assert isinstance(known, Prepared)  # noqa: S101 - without an attempt there is no earlier answer
    payer = known.payer
    provider = await bank.providers.get(payer.provider_id)
    provider.offer.demand(Feature.PIX_SEND)
    now = bank.now()
    # Made before the lookup: the directory wants the id that the payment will carry.
    end_to_end_id = order.lookup or EndToEndId.new(provider.ispb, now)
    paying = BankAccount(provider.ispb, payer.branch, payer.number, payer.type)
    asker = Asker(payer.tax_id, caller.tenant_id, provider.ispb)
    if sought is not None:
        payee = await _payee(bank, provider, sought, known.payee, asker=asker, end_to_end_id=end_to_end_id)
    else:
        payee = _told(known.remembered, order.key, now)
    if payee.party.account == paying:
        raise _unprocessable(SAME_ACCOUNT)
    ready = ReadyOrder(
        id=new_id(now),
        order=order,
        tenant_id=caller.tenant_id,
        provider_id=provider.id,
        end_to_end_id=payee.end_to_end_id or end_to_end_id,
        payer=Party(payer.name, payer.tax_id, paying),
        payee=payee.party,
        created_at=now,
        attempt=attempt,
        payee_account_id=payee.account_id,
        caps=caps_of(caller, now),
    )
    verdict = await bank.sending.submit(ready)
    if isinstance(verdict, BankError):
        raise verdict
    assert isinstance(verdict, Answer)  # noqa: S101 - the till gives one or the other
    bank.doorbell.ring()
    if not verdict.replayed:
        _asked_to_pay(bank, asker, order, reservation)
    return verdict


async def _prepare(bank: Bank, question: Question) -> Answer | Prepared:
    known = await bank.preparing.submit(question)
    if isinstance(known, BankError):
        raise known
    if isinstance(known, Answer):
        return known
    if not isinstance(known, Prepared):
        raise no_account()
    if not known.payer.active:
        raise not_active()
    return known


def _by_key(wish: Wish, key: PixKey) -> Order:
    """The order of a client who typed a key."""
    return Order(
        wish.account_id,
        wish.amount,
        key,
        wish.description,
        lookup=wish.lookup,
        correlation_id=wish.correlation_id,
    )


async def _payee(
    bank: Bank, provider: ProviderFacts, sought: Sought, known: Known, *, asker: Asker, end_to_end_id: EndToEndId
) -> Payee:
    """Ask the directory, unless it is known. Whatever goes wrong here leaves nothing behind."""
    try:
        return await payees.find(bank, provider, sought, known, asker=asker, end_to_end_id=end_to_end_id)
    except KeyNotFound as error:
        raise _unprocessable(_KEY) from error


def _told(remembered: Remembered | None, key: PixKey, now: datetime) -> Payee:
    """The payee whom an earlier lookup told of."""
    if remembered is None or remembered.key != key or remembered.has_expired(now):
        raise no_lookup()
    return Payee(remembered.payee, remembered.payee_account_id)


def _asked_to_pay(bank: Bank, asker: Asker, order: Order, reservation: Reservation) -> None:
    """The question has ended in a payment, so it costs nothing; a lookup's price is given back."""
    reservation.owes(None)
    if order.lookup is not None:
        bank.metering.leave(reward(asker))


def _unprocessable(text: Text) -> Unprocessable:
    return Unprocessable(text, flaws=[Flaw(text, pointer="/data/attributes/recipientKeyValue")])


async def get(tx: AsyncSession, caller: Caller, payment_id: UUID) -> PixPayment:
    """One payment of the caller's. Raises NotFound."""
    payment = (await tx.execute(owned(PixPayment, caller).where(PixPayment.id == payment_id))).scalar_one_or_none()
    if payment is None:
        raise NotFound(NO_PAYMENT)
    return payment


async def search(tx: AsyncSession, caller: Caller, query: PaymentQuery) -> Page[PixPayment]:
    """The caller's payments under the query's filters, newest first."""
    filters: list[ColumnElement[bool]] = []
    if query.account_id is not None:
        filters.append(PixPayment.account_id == query.account_id)
    if query.status is not None:
        filters += _of(query.status)
    if query.date_from is not None:
        filters.append(PixPayment.id >= first_id_at(start_of(query.date_from)))
    if query.date_to is not None:
        filters.append(PixPayment.id < first_id_at(end_of(query.date_to)))
    if query.e2e_id is not None:
        filters.append(PixPayment.e2e_id == query.e2e_id)
    if query.external_ref is not None:
        filters.append(PixPayment.external_ref == query.external_ref)
    if query.correlation_id is not None:
        filters.append(PixPayment.correlation_id == query.correlation_id)
    # A list does not show the two sides, which are JSON.
    sides = defer(PixPayment.payer, raiseload=True), defer(PixPayment.payee, raiseload=True)
    # The index of references names the tenant, so with one an account's own index is not the way.
    along_accounts = query.account_id is not None and query.correlation_id is None
    scope = owned(PixPayment, caller, along_accounts=along_accounts).options(*sides)
    return await page_of(tx, scope, filters, [PixPayment.id], query.page(), total=await _total(tx, caller, query))


def _of(status: PaymentStatus) -> list[ColumnElement[bool]]:
    """The status, and what else is true of its payments and leads to them by an index: see `models`."""
    conditions: list[ColumnElement[bool]] = [PixPayment.status == status]
    if status is PaymentStatus.PROCESSING:
        conditions.append(tuple_(PixPayment.account_id, PixPayment.id).in_(queue.owed(SETTLE)))
    elif status is PaymentStatus.FAILED:
        conditions.append(PixPayment.failure_reason.is_not(None))
    elif status is PaymentStatus.REVERSED:
        conditions.append(PixPayment.returned == PixPayment.amount)
    return conditions


async def _total(tx: AsyncSession, caller: Caller, query: PaymentQuery) -> int | None:
    """None: the tally does not know these filters, which match few."""
    if query.e2e_id is not None or query.external_ref is not None or query.correlation_id is not None:
        return None
    facts = (query.account_id, query.status, query.date_from, query.date_to)
    return await total(tx, Counted(PixPayment.__tablename__, caller.tenant_id, *facts, within=caller.accounts))
