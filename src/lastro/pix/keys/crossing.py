"""Takes keys from one stage to the next, with the news, the promise and the register of holders that go with it."""

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.outbox import queue
from lastro.outbox.queue import Promise
from lastro.pix.keys import resources
from lastro.pix.keys.models import KeyHolder, PixKeyRow
from lastro.pix.keys.states import EDGES, KeyStage
from lastro.webhooks.announce import News, announce

PROVE = "pix.key.prove"
"""The promise to send the code that proves possession."""
REGISTER = "pix.key.register"
"""The promise to bring a key to the directory."""
REMOVE = "pix.key.remove"
"""The promise to take a key out of the directory."""


async def cross(tx: AsyncSession, key: PixKeyRow, to: KeyStage, *, now: datetime) -> None:
    """Take one step of the life: the stage and its news land together. The key's row must be locked, or new."""
    edge = EDGES[key.stage, to]
    key.stage = to
    key.version += 1
    key.updated_at = max(now, key.updated_at)
    if to is KeyStage.ACTIVE:
        key.activated_at = key.updated_at
    await tx.flush()
    if edge.emits is not None:
        shown = resources.resource(key, now=now)
        await announce(tx, [News(edge.emits, key.tenant_id, key.account_id, key.id, key.version, shown)], now=now)


async def claim(tx: AsyncSession, key: PixKeyRow) -> UUID | None:
    """Make the key's value this account's, before the directory is asked. None, or the account that has it already."""
    assert key.value is not None  # noqa: S101 - an EVP is claimed once it is made
    row = insert(KeyHolder).values(key_value=key.value, account_id=key.account_id, key_id=key.id)
    written = await tx.execute(row.on_conflict_do_nothing().returning(KeyHolder.key_id))
    if written.first() is not None:
        return None
    holder = (await tx.execute(select(KeyHolder).where(KeyHolder.key_value == key.value))).scalar_one()
    return None if holder.key_id == key.id else holder.account_id


async def let_go(tx: AsyncSession, key: PixKeyRow, *, now: datetime) -> None:
    """The key is not in the directory (any more): anybody may have it."""
    await tx.execute(delete(KeyHolder).where(KeyHolder.key_value == key.value, KeyHolder.key_id == key.id))
    await cross(tx, key, KeyStage.INACTIVE, now=now)


async def promise_removal(tx: AsyncSession, key: PixKeyRow) -> None:
    """Owe that the directory forgets this key. The id of that request is made once."""
    key.removal_id = uuid4()
    await tx.flush()
    await queue.promise(tx, [Promise(REMOVE, key.account_id, key.id)])


async def take_away(tx: AsyncSession, key: PixKeyRow, *, now: datetime) -> None:
    """The customer has this key no longer, whatever stage it is in; the directory follows.

    While it is being registered nobody knows whether the directory has it: the registration is brought to its end
    first, and whoever does that sees to the removal.
    """
    match key.stage:
        case KeyStage.AWAITING_CODE:
            await cross(tx, key, KeyStage.INACTIVE, now=now)
        case KeyStage.REGISTERING:
            await cross(tx, key, KeyStage.REMOVING, now=now)
        case KeyStage.ACTIVE:
            await cross(tx, key, KeyStage.REMOVING, now=now)
            await promise_removal(tx, key)


async def close_account(tx: AsyncSession, account_id: UUID, now: datetime) -> None:
    """What follows from closing an account: it has no keys any more."""
    alive = (KeyStage.AWAITING_CODE, KeyStage.REGISTERING, KeyStage.ACTIVE)
    keys = await tx.execute(
        select(PixKeyRow)
        .where(PixKeyRow.account_id == account_id, PixKeyRow.stage.in_(alive))
        .order_by(PixKeyRow.id)
        .with_for_update()
    )
    for key in keys.scalars().all():
        await take_away(tx, key, now=now)
