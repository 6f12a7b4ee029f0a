"""What may be done with tokens that live long; those that clients make themselves are not among them."""

from datetime import datetime, timedelta
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.access import resources
from lastro.access.giving import demand, demand_there, within_reach
from lastro.access.order import Wish
from lastro.attempt import Answer, Attempt
from lastro.auth import service as auth
from lastro.auth.binding import Rights
from lastro.auth.caller import Caller
from lastro.auth.models import ApiToken
from lastro.bank import Bank
from lastro.errors import Flaw, NotFound, Validation
from lastro.idempotency import shown_once
from lastro.paging import Found, PageRequest, page_of
from lastro.values.text import Text

LIVES = timedelta(days=90)
LIVES_AT_MOST = timedelta(days=3650)

_WHEN = Text("Deve ser no futuro, e em no máximo 3650 dias.", "Must be in the future, and within 3650 days.")


async def create(bank: Bank, caller: Caller, wish: Wish, attempt: Attempt | None) -> Answer:
    """Make a token; its text is in this answer alone. Raises Validation, Forbidden, NotFound."""
    now, token = bank.now(), bank.mint.token()
    expires_at = wish.expires_at or now + LIVES

    async def work(tx: AsyncSession) -> tuple[BaseModel, BaseModel]:
        if not now < expires_at <= now + LIVES_AT_MOST:
            raise Validation(_WHEN, flaws=[Flaw(_WHEN, pointer="/data/attributes/expiresAt")])
        await demand(tx, caller, wish.rights)
        row = await auth.keep(
            tx,
            token,
            tenant_id=caller.tenant_id,
            name=wish.name,
            rights=wish.rights,
            expires_at=expires_at,
            created_by=caller.token_id,
            now=now,
        )
        word = bank.mint.environment
        return resources.revealed_token(row, word, now, None), resources.revealed_token(row, word, now, token.text)

    return await shown_once(bank.db, attempt, 201, now, work)


async def issue(bank: Bank, tenant_id: UUID, name: str, rights: Rights, *, expires_at: datetime | None) -> str:
    """An operator makes a token; its text is told this once. Raises NotFound for a tenant or accounts that are none."""
    now, token = bank.now(), bank.mint.token()
    async with bank.db.transaction() as tx:
        await demand_there(tx, tenant_id, rights)
        await auth.keep(tx, token, tenant_id=tenant_id, name=name, rights=rights, expires_at=expires_at, now=now)
    return token.text


async def search(tx: AsyncSession, caller: Caller, page: PageRequest) -> Found[ApiToken]:
    """The tokens within the caller's reach, newest first, those that are over too."""
    return await page_of(tx, _scope(caller), [], [ApiToken.created_at, ApiToken.resource_id], page)


async def revoke(tx: AsyncSession, caller: Caller, resource_id: UUID, *, now: datetime) -> None:
    """End a token. Raises NotFound, also for one that was revoked."""
    query = _scope(caller).where(ApiToken.resource_id == resource_id, ApiToken.revoked_at.is_(None))
    row = (await tx.execute(query.with_for_update(key_share=True))).scalar_one_or_none()
    if row is None:
        raise NotFound(auth.NO_TOKEN)
    row.revoked_at = now
    await tx.flush()


def _scope(caller: Caller) -> Select[ApiToken]:
    return within_reach(ApiToken, caller).where(ApiToken.client_id.is_(None))
