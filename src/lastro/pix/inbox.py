"""What we were told, keyed by its own id and who vouches for it: each message takes effect at most once, for ever."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Index, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from lastro.database import Base
from lastro.values.money import Money


class MessageKind(StrEnum):
    """What arrived: a Pix for one of our customers, or the return of a Pix that we sent."""

    PAYMENT = "PAYMENT"
    RETURN = "RETURN"


class InboxRow(Base):
    """One message and our verdict: `rejected_with` is the reason code (AC03 …), null when the money was credited.

    `reference` is the id that the movement carries; `original_id` is the payment that a return returns. `voucher` is
    the provider's (`providers/models.py`): nobody uses up an id of what somebody else will tell.
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
    voucher: Mapped[str] = mapped_column(primary_key=True, server_default=text("''"))
    kind: Mapped[MessageKind]
    provider_id: Mapped[UUID]
    account_id: Mapped[UUID | None]
    reference: Mapped[UUID | None]
    original_id: Mapped[UUID | None]
    amount: Mapped[Money] = mapped_column("amount_centavos")
    rejected_with: Mapped[str | None]
    created_at: Mapped[datetime]


async def known(tx: AsyncSession, message_id: str, *, voucher: str) -> InboxRow | None:
    """The message, if it was judged before."""
    return await tx.get(InboxRow, (message_id, voucher))
