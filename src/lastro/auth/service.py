"""Tokens and clients at rest: kept, listed, revoked. Each takes effect everywhere within a second."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.auth.binding import Rights
from lastro.auth.models import ApiClient, ApiToken
from lastro.auth.tokens import NewToken, kept_of
from lastro.errors import NotFound
from lastro.values.text import Text
from lastro.values.time_ordered_id import new_id

NO_CLIENT = Text("Cliente de API não encontrado.", "API client not found.")
NO_TOKEN = Text("Token não encontrado.", "Token not found.")


async def keep(
    tx: AsyncSession,
    token: NewToken,
    *,
    tenant_id: UUID,
    name: str,
    rights: Rights,
    expires_at: datetime | None,
    now: datetime,
    client_id: UUID | None = None,
    created_by: str | None = None,
) -> ApiToken:
    """Write down what is kept of a token. A client's is bound as its client is: give it permissions alone."""
    row = ApiToken(
        id=token.id,
        resource_id=new_id(now),
        tenant_id=tenant_id,
        client_id=client_id,
        name=name,
        created_by=created_by,
        created_at=now,
        expires_at=expires_at,
        revoked_at=None,
        rights=rights,
    )
    row.secret_hmac = kept_of(token.secret_hmac, is_bound=row.is_bound)
    tx.add(row)
    await tx.flush()
    return row


async def search(tx: AsyncSession, tenant_id: UUID) -> Sequence[ApiToken]:
    """The tenant's tokens, newest first, revoked ones too; those that clients make themselves are not among them."""
    query = (
        select(ApiToken)
        .where(ApiToken.tenant_id == tenant_id, ApiToken.client_id.is_(None))
        .order_by(ApiToken.created_at.desc())
    )
    return (await tx.execute(query)).scalars().all()


async def revoke(tx: AsyncSession, token_id: str, *, now: datetime) -> None:
    """End a token. Raises NotFound. A token that was revoked stays revoked since then."""
    if await tx.get(ApiToken, token_id) is None:
        raise NotFound(NO_TOKEN)
    await tx.execute(
        update(ApiToken).where(ApiToken.id == token_id, ApiToken.revoked_at.is_(None)).values(revoked_at=now)
    )


async def search_clients(tx: AsyncSession, tenant_id: UUID) -> Sequence[ApiClient]:
    """The tenant's clients, newest first, revoked ones too."""
    query = select(ApiClient).where(ApiClient.tenant_id == tenant_id).order_by(ApiClient.created_at.desc())
    return (await tx.execute(query)).scalars().all()


async def revoke_client(tx: AsyncSession, client_id: UUID, *, now: datetime) -> None:
    """End a client and all of its tokens. Raises NotFound. One that was revoked stays revoked since then."""
    if await tx.get(ApiClient, client_id) is None:
        raise NotFound(NO_CLIENT)
    await tx.execute(
        update(ApiClient)
        .where(ApiClient.id == client_id, ApiClient.revoked_at.is_(None))
        .values(revoked_at=now, updated_at=now)
    )
