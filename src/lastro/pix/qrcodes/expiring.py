"""Tells which charges have expired: each once, in the transaction that makes it so for good."""

from datetime import datetime, timedelta

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.pix.qrcodes import resources
from lastro.pix.qrcodes.models import OPEN, PixQrCode
from lastro.pix.qrcodes.states import QrCodeStatus
from lastro.webhooks.announce import News, announce

EXPIRED = "pix.qrcode.expired"
AT_ONCE = 500
GRACE = timedelta(seconds=30)
"""What arrived in time is written down by then: nobody waits longer for an answer."""


async def expire(tx: AsyncSession, *, now: datetime) -> int:
    """Mark unpaid charges whose time is over, the longest overdue first, and tell it. Says how many.

    Somebody who is paying one, or expiring it, holds its row: it is passed by, and looked at again next time. Who pays
    one that is marked meanwhile finds it taken (`credit_pix`), looks again, and refuses.
    """
    query = (
        select(PixQrCode)
        .where(text(OPEN), PixQrCode.expires_at <= now - GRACE)
        .order_by(PixQrCode.expires_at)
        .limit(AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    codes = (await tx.execute(query)).scalars().all()
    for code in codes:
        code.expired_at = code.updated_at = now
        code.version += 1
    await tx.flush()
    await announce(tx, [_news(code) for code in codes], now=now)
    return len(codes)


def _news(code: PixQrCode) -> News:
    shown = resources.resource(code, QrCodeStatus.EXPIRED)
    return News(EXPIRED, code.tenant_id, code.account_id, code.id, code.version, shown)
