"""What may be done with subscriptions: make, find, change, pause, resume, delete; and give them a new secret."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ARRAY, Select, Uuid, bindparam, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.accounts.models import Account
from lastro.accounts.order import UNCHANGED
from lastro.accounts.rules import NO_ACCOUNT
from lastro.attempt import Answer, Attempt
from lastro.auth.caller import Caller
from lastro.bank import Bank
from lastro.database import among
from lastro.errors import Conflict, Flaw, NotFound, Validation
from lastro.idempotency import once, shown_once
from lastro.keyring import CannotOpen, KeyRing, Sealed
from lastro.paging import Found, page_of
from lastro.subscribers.subscriptions import resources
from lastro.subscribers.subscriptions.order import COVERED, Alteration, Wanted
from lastro.subscribers.subscriptions.owing import IS_DISABLED
from lastro.subscribers.subscriptions.resources import RevealedDocument, SubscriptionDocument, SubscriptionQuery
from lastro.tenants.models import Tenant
from lastro.values.text import Invalid, Text
from lastro.values.time_ordered_id import new_id
from lastro.webhooks import secrets, tidying
from lastro.webhooks.models import Subscription, SubscriptionSecret, SubscriptionStatus

MOST_OF_A_TENANT = 20
OVERLAP = timedelta(hours=24)
"""How long the old secret still signs after a new one was made."""

NO_SUBSCRIPTION = Text("Assinatura de webhook não encontrada.", "Webhook subscription not found.")
_ONE_TOO_MANY = Text(
    f"Limite de {MOST_OF_A_TENANT} assinaturas de webhook atingido.",
    f"The limit of {MOST_OF_A_TENANT} webhook subscriptions is reached.",
)
LOST = Text(
    "A chave que guarda o segredo ou os cabeçalhos foi perdida: use rotate-secret, e envie customHeaders de novo.",
    "The key under which the secret or the headers are kept was lost: use rotate-secret, and send customHeaders again.",
)
_NO_OLD_VALUE = Text("Não há valor anterior para manter.", "There is no earlier value to keep.")


def visible(caller: Caller) -> Select[Subscription]:
    """What the caller may see of subscriptions, deleted ones too.

    A token that is bound to accounts sees those that tell of its accounts alone.
    """
    scope = select(Subscription).where(Subscription.tenant_id == caller.tenant_id)
    if caller.accounts is None:
        return scope
    bound_to = bindparam(None, sorted(caller.accounts), type_=ARRAY(Uuid()), unique=True)
    return scope.where(Subscription.account_ids.op("<@", is_comparison=True)(bound_to))


def _living(caller: Caller) -> Select[Subscription]:
    return visible(caller).where(Subscription.deleted_at.is_(None))


async def create(bank: Bank, caller: Caller, wanted: Wanted, attempt: Attempt | None) -> Answer:
    """Make a subscription. Raises Validation, NotFound, Conflict."""
    now, secret = bank.now(), secrets.new()
    url = _judged(bank, wanted.endpoint_url)

    async def apply(tx: AsyncSession) -> Subscription:
        await _demand_room(tx, caller)
        subscription = Subscription(
            id=new_id(now),
            tenant_id=caller.tenant_id,
            name=wanted.name,
            endpoint_url=url,
            event_filters=list(wanted.event_filters),
            account_ids=await _told_of(tx, caller, wanted.account_ids),
            timeout_ms=wanted.timeout_ms,
            retry_config=dict(wanted.retry_config),
            status=SubscriptionStatus.ACTIVE,
            failures=0,
            version=1,
            created_at=now,
            updated_at=now,
        )
        _seal_headers(bank.key_ring, subscription, _uncovered(wanted.custom_headers, {}))
        tx.add(subscription)
        await tx.flush()
        tx.add(_sealed(bank.key_ring, subscription.id, secret, now))
        return subscription

    return await _revealing(bank, attempt, 201, secret, apply)


async def _revealing(
    bank: Bank,
    attempt: Attempt | None,
    status: int,
    secret: str,
    work: Callable[[AsyncSession], Awaitable[Subscription]],
) -> Answer:
    """Answer with the secret, once."""

    async def apply(tx: AsyncSession) -> tuple[RevealedDocument, RevealedDocument]:
        subscription = await work(tx)
        names = header_names(bank.key_ring, subscription)
        return resources.revealed(subscription, names, None), resources.revealed(subscription, names, secret)

    return await shown_once(bank.db, attempt, status, bank.now(), apply)


async def _demand_room(tx: AsyncSession, caller: Caller) -> None:
    """Behind a lock of the tenant, so that two can not take the last place."""
    await tx.execute(select(Tenant.id).where(Tenant.id == caller.tenant_id).with_for_update(key_share=True))
    there = select(func.count()).where(Subscription.tenant_id == caller.tenant_id, Subscription.deleted_at.is_(None))
    if (await tx.execute(there)).scalar_one() >= MOST_OF_A_TENANT:
        raise Conflict(_ONE_TOO_MANY)


async def _told_of(tx: AsyncSession, caller: Caller, account_ids: Sequence[UUID] | None) -> list[UUID] | None:
    """The accounts, all of them the caller's; without a word, all that it reaches. Raises NotFound."""
    if account_ids is None:
        return None if caller.accounts is None else sorted(caller.accounts)
    query = select(Account.id).where(Account.tenant_id == caller.tenant_id, among(Account.id, account_ids))
    own = {account_id for account_id in (await tx.execute(query)).scalars() if caller.reaches(account_id)}
    strange = [place for place, each in enumerate(account_ids) if each not in own]
    if strange:
        flaws = [Flaw(NO_ACCOUNT, pointer=f"/data/attributes/accountIds/{place}") for place in strange]
        raise NotFound(NO_ACCOUNT, flaws=flaws)
    return list(account_ids)


def _judged(bank: Bank, url: str) -> str:
    try:
        return bank.outlet.judge(url)
    except Invalid as error:
        raise Validation(error.text, flaws=[Flaw(error.text, pointer="/data/attributes/endpointUrl")]) from error


def _uncovered(wanted: Mapping[str, str], old: Mapping[str, str]) -> dict[str, str]:
    """The headers as they are to be sent: a value that is covered is the one that it had. Raises Validation."""
    known = {name.lower(): value for name, value in old.items()}
    headers = {name: known.get(name.lower()) if value == COVERED else value for name, value in wanted.items()}
    unknown = [name for name, value in headers.items() if value is None]
    if unknown:
        flaws = [Flaw(_NO_OLD_VALUE, pointer=f"/data/attributes/customHeaders/{name}") for name in unknown]
        raise Validation(_NO_OLD_VALUE, flaws=flaws)
    return {name: value for name, value in headers.items() if value is not None}


def _seal_headers(ring: KeyRing, subscription: Subscription, headers: dict[str, str]) -> None:
    sealed = secrets.sealed_headers(ring, headers, subscription.id) if headers else None
    subscription.custom_headers_key_id = None if sealed is None else sealed.key_id
    subscription.custom_headers = None if sealed is None else sealed.ciphertext


def opened_headers(ring: KeyRing, subscription: Subscription) -> dict[str, str]:
    """Name → value. Raises CannotOpen."""
    if subscription.custom_headers is None or subscription.custom_headers_key_id is None:
        return {}
    sealed = Sealed(subscription.custom_headers_key_id, subscription.custom_headers)
    return secrets.opened_headers(ring, sealed, subscription.id)


def header_names(ring: KeyRing, subscription: Subscription) -> list[str]:
    """What may be shown of them: nothing, when their key is lost. What is broken can still be seen, and be mended."""
    return list(_kept_headers(ring, subscription))


def _sealed(ring: KeyRing, subscription_id: UUID, secret: str, now: datetime) -> SubscriptionSecret:
    secret_id = new_id(now)
    sealed = secrets.sealed(ring, secret, subscription_id, secret_id)
    return SubscriptionSecret(
        subscription_id=subscription_id,
        id=secret_id,
        key_id=sealed.key_id,
        ciphertext=sealed.ciphertext,
        created_at=now,
    )


async def get(tx: AsyncSession, caller: Caller, subscription_id: UUID) -> Subscription:
    """One subscription of the caller's. Raises NotFound."""
    return await _one(tx, _living(caller).where(Subscription.id == subscription_id))


async def _one(tx: AsyncSession, query: Select[Subscription]) -> Subscription:
    subscription = (await tx.execute(query)).scalar_one_or_none()
    if subscription is None:
        raise NotFound(NO_SUBSCRIPTION)
    return subscription


async def locked(tx: AsyncSession, caller: Caller, subscription_id: UUID) -> Subscription:
    """The same, to be changed. Raises NotFound."""
    query = _living(caller).where(Subscription.id == subscription_id).with_for_update(key_share=True)
    return await _one(tx, query)


async def search(tx: AsyncSession, caller: Caller, query: SubscriptionQuery) -> Found[Subscription]:
    """The caller's subscriptions, newest first."""
    filters = [] if query.status is None else [Subscription.status == query.status]
    return await page_of(tx, _living(caller), filters, [Subscription.id], query.page())


async def change(bank: Bank, caller: Caller, subscription_id: UUID, alteration: Alteration) -> SubscriptionDocument:
    """Change what the alteration says. Raises NotFound, Validation."""
    url = alteration.endpoint_url
    url = url if url is UNCHANGED else _judged(bank, url)
    async with bank.db.transaction() as tx:
        subscription = await locked(tx, caller, subscription_id)
        if alteration.name is not UNCHANGED:
            subscription.name = alteration.name
        if url is not UNCHANGED:
            subscription.endpoint_url = url
            _forgive(subscription)  # it was another endpoint that failed
        if alteration.event_filters is not UNCHANGED:
            subscription.event_filters = list(alteration.event_filters)
        if alteration.account_ids is not UNCHANGED:
            subscription.account_ids = await _told_of(tx, caller, alteration.account_ids)
        if alteration.custom_headers is not UNCHANGED:
            old = _kept_headers(bank.key_ring, subscription)
            _seal_headers(bank.key_ring, subscription, _uncovered(alteration.custom_headers, old))
        if alteration.timeout_ms is not UNCHANGED:
            subscription.timeout_ms = alteration.timeout_ms
        if alteration.retry_config is not UNCHANGED:
            subscription.retry_config = dict(alteration.retry_config)
        _touch(subscription, bank.now())
        await tx.flush()
    return resources.document(subscription, header_names(bank.key_ring, subscription))


def _kept_headers(ring: KeyRing, subscription: Subscription) -> dict[str, str]:
    """Those whose values a change may keep."""
    try:
        return opened_headers(ring, subscription)
    except CannotOpen:
        return {}


def _touch(subscription: Subscription, now: datetime) -> None:
    subscription.version += 1
    subscription.updated_at = now


def _forgive(subscription: Subscription) -> None:
    subscription.failures = 0
    subscription.failing_since = subscription.resting_until = None


async def pause(bank: Bank, caller: Caller, subscription_id: UUID, attempt: Attempt | None) -> Answer:
    """Tell it nothing for now; what happens meanwhile is told later. Raises NotFound, Conflict."""

    def step(subscription: Subscription) -> None:
        if subscription.status is SubscriptionStatus.DISABLED:
            raise Conflict(IS_DISABLED)
        subscription.status = SubscriptionStatus.PAUSED

    return await _step(bank, caller, subscription_id, attempt, step)


async def resume(bank: Bank, caller: Caller, subscription_id: UUID, attempt: Attempt | None) -> Answer:
    """Tell it again, at once, whatever it was stopped by. Raises NotFound."""

    def step(subscription: Subscription) -> None:
        subscription.status, subscription.disabled_reason = SubscriptionStatus.ACTIVE, None
        _forgive(subscription)

    answer = await _step(bank, caller, subscription_id, attempt, step)
    bank.doorbell.ring()
    return answer


async def _step(
    bank: Bank, caller: Caller, subscription_id: UUID, attempt: Attempt | None, step: Callable[[Subscription], None]
) -> Answer:
    now = bank.now()

    async def apply(tx: AsyncSession) -> SubscriptionDocument:
        subscription = await locked(tx, caller, subscription_id)
        step(subscription)
        _touch(subscription, now)
        await tx.flush()
        return resources.document(subscription, header_names(bank.key_ring, subscription))

    return await once(bank.db, attempt, 200, now, apply)


async def rotate(bank: Bank, caller: Caller, subscription_id: UUID, attempt: Attempt | None) -> Answer:
    """A new secret. The one before it signs along for a day; any older is over at once. Raises NotFound."""
    now, secret = bank.now(), secrets.new()
    of_it = SubscriptionSecret.subscription_id == subscription_id
    unlimited = SubscriptionSecret.expires_at.is_(None)

    async def apply(tx: AsyncSession) -> Subscription:
        subscription = await locked(tx, caller, subscription_id)
        await tx.execute(
            update(SubscriptionSecret).where(of_it, SubscriptionSecret.expires_at > now).values(expires_at=now)
        )
        await tx.execute(update(SubscriptionSecret).where(of_it, unlimited).values(expires_at=now + OVERLAP))
        tx.add(_sealed(bank.key_ring, subscription.id, secret, now))
        _touch(subscription, now)
        await tx.flush()
        return subscription

    return await _revealing(bank, attempt, 200, secret, apply)


async def remove(bank: Bank, caller: Caller, subscription_id: UUID) -> None:
    """Nothing more is sent to it, and what was still to be sent is canceled. Raises NotFound."""
    now = bank.now()
    async with bank.db.transaction() as tx:
        subscription = await locked(tx, caller, subscription_id)
        subscription.deleted_at = now
        _touch(subscription, now)
        await tx.flush()
    await tidying.cancel(bank.db)  # the first thousands at once, the rest by the worker
