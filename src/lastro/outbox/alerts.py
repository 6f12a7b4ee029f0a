"""What waits for a human, and how a human says that it was seen to."""

from collections.abc import Sequence

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.errors import NotFound
from lastro.outbox.models import Alert
from lastro.values.text import Text

_NO_ALERT = Text("Alerta não encontrado.", "Alert not found.")


async def unresolved(tx: AsyncSession) -> Sequence[Alert]:
    """The oldest hundred alerts that nobody has seen to."""
    query = select(Alert).where(Alert.resolved_at.is_(None)).order_by(Alert.id).limit(100)
    return (await tx.execute(query)).scalars().all()


async def resolve(tx: AsyncSession, alert_id: int) -> None:
    """Close an alert; one that was closed stays closed since then. Raises NotFound."""
    if await tx.get(Alert, alert_id) is None:
        raise NotFound(_NO_ALERT)
    await tx.execute(
        update(Alert)
        .where(Alert.id == alert_id, Alert.resolved_at.is_(None))
        .values(resolved_at=func.clock_timestamp())
    )
