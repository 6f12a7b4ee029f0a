"""What may be done with clients."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.access import resources
from lastro.access.bucket import SIZE
from lastro.access.giving import demand, demand_there, within_reach
from lastro.access.order import Alteration, Wish
from lastro.attempt import Answer, Attempt
from lastro.auth.caller import Caller
from lastro.auth.models import ApiClient
from lastro.auth.service import NO_CLIENT
from lastro.auth.tokens import NewSecret
from lastro.bank import Bank
from lastro.errors import Conflict, NotFound
from lastro.idempotency import shown_once
from lastro.paging import Found, PageRequest, page_of
from lastro.values.text import Text
from lastro.values.time_ordered_id import new_id

_REVOKED = Text("O cliente de API foi revogado.", "The API client was revoked.")


async def create(bank: Bank, caller: Caller, wish: Wish, attempt: Attempt | None) -> Answer:
    """Make a client; its secret is in this answer alone. Raises Forbidden, NotFound."""
    now = bank.now()
    client_id = new_id(now)
    secret = bank.mint.client_secret(client_id)

    async def work(tx: AsyncSession) -> tuple[BaseModel, BaseModel]:
        await demand(tx, caller, wish.rights)
        row = await keep(tx, client_id, caller.tenant_id, wish, secret.hmac, created_by=caller.token_id, now=now)
        return resources.revealed_client(row, None), resources.revealed_client(row, secret.text)

    return await shown_once(bank.db, attempt, 201, now, work)


async def introduce(bank: Bank, tenant_id: UUID, wish: Wish) -> tuple[UUID, str]:
    """An operator makes a client; its id, and its secret, which is told this once.

    Raises NotFound for a tenant or accounts that are none.
    """
    now = bank.now()
    client_id = new_id(now)
    secret = bank.mint.client_secret(client_id)
    async with bank.db.transaction() as tx:
        await demand_there(tx, tenant_id, wish.rights)
        await keep(tx, client_id, tenant_id, wish, secret.hmac, created_by=None, now=now)
    return client_id, secret.text


async def keep(
    tx: AsyncSession,
    client_id: UUID,
    tenant_id: UUID,
    wish: Wish,
    secret_hmac: bytes,
    *,
    created_by: str | None,
    now: datetime,
) -> ApiClient:
    """Write a client down, with a full bucket."""
    row = ApiClient(
        id=client_id,
        tenant_id=tenant_id,
        name=wish.name,
        secret_hmac=secret_hmac,
        rights=wish.rights,
        millitokens=SIZE,
        refilled_at=now,
        created_by=created_by,
        created_at=now,
        updated_at=now,
    )
    tx.add(row)
    await tx.flush()
    return row


async def search(tx: AsyncSession, caller: Caller, page: PageRequest) -> Found[ApiClient]:
    """The clients within the caller's reach, newest first, revoked ones too."""
    return await page_of(tx, within_reach(ApiClient, caller), [], [ApiClient.created_at, ApiClient.id], page)


async def get(tx: AsyncSession, caller: Caller, client_id: UUID, *, locked: bool = False) -> ApiClient:
    """One client within the caller's reach. Raises NotFound."""
    query = within_reach(ApiClient, caller).where(ApiClient.id == client_id)
    row = (await tx.execute(query.with_for_update(key_share=True) if locked else query)).scalar_one_or_none()
    if row is None:
        raise NotFound(NO_CLIENT)
    return row


async def change(
    tx: AsyncSession, caller: Caller, client_id: UUID, alteration: Alteration, *, now: datetime
) -> ApiClient:
    """Change a client, and what its tokens may from now on. Raises NotFound, Conflict, Forbidden."""
    row = await _living(tx, caller, client_id)
    if alteration.touches_rights:
        rights = alteration.rights(row.rights)
        await demand(tx, caller, row.rights, rights)
        row.rights = rights
    if alteration.name is not None:
        row.name = alteration.name
    row.updated_at = now
    await tx.flush()
    return row


async def rotate_secret(bank: Bank, caller: Caller, client_id: UUID, attempt: Attempt | None) -> Answer:
    """Give a client another secret; the old one is void at once. Whoever gets it gets all that the client may.

    Raises NotFound, Conflict, Forbidden.
    """
    secret: NewSecret = bank.mint.client_secret(client_id)

    async def work(tx: AsyncSession) -> tuple[BaseModel, BaseModel]:
        row = await _living(tx, caller, client_id)
        await demand(tx, caller, row.rights)
        row.secret_hmac = secret.hmac
        row.updated_at = bank.now()
        await tx.flush()
        return resources.revealed_client(row, None), resources.revealed_client(row, secret.text)

    return await shown_once(bank.db, attempt, 200, bank.now(), work)


async def revoke(tx: AsyncSession, caller: Caller, client_id: UUID, *, now: datetime) -> None:
    """End a client and all of its tokens, for good. Raises NotFound, also for one that was revoked."""
    row = await get(tx, caller, client_id, locked=True)
    if row.revoked_at is not None:
        raise NotFound(NO_CLIENT)
    row.revoked_at = row.updated_at = now
    await tx.flush()


async def _living(tx: AsyncSession, caller: Caller, client_id: UUID) -> ApiClient:
    row = await get(tx, caller, client_id, locked=True)
    if row.revoked_at is not None:
        raise Conflict(_REVOKED)
    return row
