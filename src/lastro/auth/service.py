"""What an operator does with tokens: make, list, revoke. Each takes effect everywhere within a second."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.auth.models import ApiToken
from lastro.auth.permissions import Permission
from lastro.auth.tokens import NewToken, issue
from lastro.errors import NotFound
from lastro.values.text import Text

_NO_TOKEN = Text("Token não encontrado.", "Token not found.")


async def create(
    tx: AsyncSession,
    *,
    tenant_id: UUID,
    name: str,
    permissions: Sequence[Permission],
    expires_at: datetime | None,
    environment: str,
    pepper: bytes,
    now: datetime,
) -> NewToken:
    """Make a token; its text exists only in what this returns."""
    token = issue(environment, pepper)
    tx.add(
        ApiToken(
            id=token.id,
            tenant_id=tenant_id,
            name=name,
            secret_hmac=token.secret_hmac,
            permissions=[str(permission) for permission in permissions],
            created_at=now,
            expires_at=expires_at,
            revoked_at=None,
        )
    )
    await tx.flush()
    return token


async def search(tx: AsyncSession, tenant_id: UUID) -> Sequence[ApiToken]:
    """The tenant's tokens, newest first, revoked ones too."""
    query = select(ApiToken).where(ApiToken.tenant_id == tenant_id).order_by(ApiToken.created_at.desc())
    return (await tx.execute(query)).scalars().all()


async def revoke(tx: AsyncSession, token_id: str, *, now: datetime) -> None:
    """End a token. Raises NotFound. A token that was revoked stays revoked since then."""
    if await tx.get(ApiToken, token_id) is None:
        raise NotFound(_NO_TOKEN)
    await tx.execute(
        update(ApiToken).where(ApiToken.id == token_id, ApiToken.revoked_at.is_(None)).values(revoked_at=now)
    )
