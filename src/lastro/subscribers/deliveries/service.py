"""What may be done with deliveries: find them and their attempts, and have one made again."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.attempt import Answer
from lastro.attempt import Attempt as Question
from lastro.auth.caller import Caller, owned
from lastro.bank import Bank
from lastro.errors import Conflict, NotFound
from lastro.idempotency import once
from lastro.jsonapi.log import Looked
from lastro.paging import no_such_cursor
from lastro.subscribers import catalog
from lastro.subscribers.deliveries import logbook, resources
from lastro.subscribers.deliveries.logbook import Sought
from lastro.subscribers.deliveries.resources import DeliveryDocument, DeliveryQuery
from lastro.subscribers.feed.places import Entry
from lastro.subscribers.subscriptions import service as subscriptions
from lastro.subscribers.subscriptions.owing import tell_again
from lastro.values.text import Text
from lastro.webhooks.models import Attempt, Delivery, Subscription

MOST_ATTEMPTS = 100
"""Of one delivery, the newest."""

_NO_DELIVERY = Text("Entrega não encontrada.", "Delivery not found.")
_GONE = Text("A assinatura desta entrega foi excluída.", "The subscription of this delivery was deleted.")


async def search(tx: AsyncSession, caller: Caller, query: DeliveryQuery) -> Looked[Delivery]:
    """The caller's deliveries under the query's filters, newest first. Raises Validation for a foreign cursor."""
    if query.after is not None and await _find(tx, caller, query.after) is None:
        raise no_such_cursor()
    own = subscriptions.visible(caller).with_only_columns(Subscription.id)
    if query.subscription_id is not None:
        own = own.where(Subscription.id == query.subscription_id)
    sought = Sought(
        subscriptions=(await tx.execute(own)).scalars().all(),
        accounts=caller.accounts,
        event_id=query.event_id,
        types=None if query.event_type is None else catalog.types_of([query.event_type]),
        status=query.status,
        before=query.after,
    )
    return await logbook.look(tx, sought, size=query.size)


async def _find(tx: AsyncSession, caller: Caller, delivery_id: UUID) -> Delivery | None:
    own = subscriptions.visible(caller).with_only_columns(Subscription.id)
    query = owned(Delivery, caller).where(Delivery.id == delivery_id, Delivery.subscription_id.in_(own))
    return (await tx.execute(query)).scalar_one_or_none()


async def get(tx: AsyncSession, caller: Caller, delivery_id: UUID) -> Delivery:
    """One delivery of the caller's. Raises NotFound."""
    delivery = await _find(tx, caller, delivery_id)
    if delivery is None:
        raise NotFound(_NO_DELIVERY)
    return delivery


async def attempts(tx: AsyncSession, caller: Caller, delivery_id: UUID) -> Sequence[Attempt]:
    """Its tries, newest first. Raises NotFound."""
    await get(tx, caller, delivery_id)
    query = select(Attempt).where(Attempt.delivery_id == delivery_id).order_by(Attempt.number.desc())
    return (await tx.execute(query.limit(MOST_ATTEMPTS))).scalars().all()


async def replay(bank: Bank, caller: Caller, delivery_id: UUID, question: Question | None) -> Answer:
    """Make it again, from the beginning. Raises NotFound, Conflict."""
    now = bank.now()

    async def apply(tx: AsyncSession) -> DeliveryDocument:
        delivery = await get(tx, caller, delivery_id)
        try:
            subscription = await subscriptions.locked(tx, caller, delivery.subscription_id)
        except NotFound as error:
            raise Conflict(_GONE) from error
        entry = Entry(delivery.event_id, delivery.account_id, delivery.event_type, delivery.position)
        await tell_again(tx, subscription, [entry], now=now)
        await tx.refresh(delivery)
        return resources.document(delivery)

    answer = await once(bank.db, question, 200, now, apply)
    bank.doorbell.ring()
    return answer
