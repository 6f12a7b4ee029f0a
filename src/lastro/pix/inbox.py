"""What the network told us, keyed by its own id: each message takes effect at most once, for ever."""

from collections.abc import Collection, Mapping
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Index, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from lastro.database import Base, among
from lastro.values.money import Money


class MessageKind(StrEnum):
    """What arrived: a Pix for one of our customers, or the return of a Pix that we sent."""

    PAYMENT = "PAYMENT"
    RETURN = "RETURN"


class InboxRow(Base):
    """One message and our verdict: `rejected_with` is the reason code (AC03 …), null when the money was credited.

    `reference` is the id that the movement carries; `original_id` is the payment that a return returns.
    """

    __tablename__ = "inbox"
    # A statement asks what a credit was; only a return writes to this index.
    __table_args__ = (
        Index(
            "ix_inbox_account_id_reference_returned",
            "account_id",
            "reference",
            postgresql_where=text("kind = 'RETURN'"),
        ),
    )

    end_to_end_id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[MessageKind]
    provider_id: Mapped[UUID]
    account_id: Mapped[UUID | None]
    reference: Mapped[UUID | None]
    original_id: Mapped[UUID | None]
    amount: Mapped[Money] = mapped_column("amount_centavos")
    rejected_with: Mapped[str | None]
    created_at: Mapped[datetime]


async def known(tx: AsyncSession, ids: Collection[str]) -> Mapping[str, InboxRow]:
    """The messages among these that were judged before."""
    rows = await tx.execute(select(InboxRow).where(among(InboxRow.end_to_end_id, ids)))
    return {row.end_to_end_id: row for row in rows.scalars()}
