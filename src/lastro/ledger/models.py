"""The two tables of the ledger. Only `book` may import this module."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Enum, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from lastro.database import Base
from lastro.ledger.movements import Pot, Reason
from lastro.values.money import Money


def _pot(column: str) -> Enum:
    """Two columns of one type: each needs a CHECK under a name of its own."""
    return Enum(Pot, native_enum=False, create_constraint=True, length=32, name=column)


class Balance(Base):
    """What an account holds now. Locked by whoever is about to move its money; `seq` counts its movements.

    `moved_at` is the time of the last one: no later movement is ever older, whatever clock its writer had.
    """

    __tablename__ = "balances"
    __table_args__ = (
        CheckConstraint("available_centavos >= 0", name="available_not_negative"),
        CheckConstraint("in_transit_centavos >= 0", name="in_transit_not_negative"),
        # Every payment updates its row: room on the page lets the new version stay beside the old one.
        {"postgresql_with": {"fillfactor": 50}},
    )

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    available: Mapped[Money] = mapped_column("available_centavos")
    in_transit: Mapped[Money] = mapped_column("in_transit_centavos")
    seq: Mapped[int] = mapped_column(BigInteger)
    moved_at: Mapped[datetime | None]


class MovementRow(Base):
    """One sentence that was said, with the balances after it. Append-only: the application's role can not change it.

    Along `seq`, `posted_at` never goes back.
    """

    __tablename__ = "movements"
    __table_args__ = (
        CheckConstraint("amount_centavos > 0", name="amount_positive"),
        CheckConstraint("source <> target", name="two_pots"),
        CheckConstraint("available_after_centavos >= 0", name="available_not_negative"),
        CheckConstraint("in_transit_after_centavos >= 0", name="in_transit_not_negative"),
        UniqueConstraint("account_id", "reason", "reference"),
    )

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    source: Mapped[Pot] = mapped_column(_pot("source"))
    target: Mapped[Pot] = mapped_column(_pot("target"))
    amount: Mapped[Money] = mapped_column("amount_centavos")
    reason: Mapped[Reason]
    reference: Mapped[UUID]
    available_after: Mapped[Money] = mapped_column("available_after_centavos")
    in_transit_after: Mapped[Money] = mapped_column("in_transit_after_centavos")
    posted_at: Mapped[datetime]
