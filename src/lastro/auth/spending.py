"""Counts what tokens send out: by spender and day of São Paulo, in the very transaction that holds the money."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from lastro.auth.caller import Caller
from lastro.auth.caps import Caps, over_a_day, over_each
from lastro.database import Base
from lastro.jsonapi.fields import BUSINESS_TIME
from lastro.values.money import Money


class TokenSpending(Base):
    """How much was accepted of a spender on a day, through tokens with a cap a day. It never goes down."""

    __tablename__ = "token_spending"
    __table_args__ = (
        CheckConstraint("centavos >= 0", name="centavos_not_negative"),
        {"postgresql_with": {"fillfactor": 50}},
    )

    spender: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    spent: Mapped[Money] = mapped_column("centavos")


_COUNT = text(
    """
    INSERT INTO token_spending AS s (spender, day, centavos) VALUES (:spender, :day, :amount)
        ON CONFLICT (spender, day) DO UPDATE SET centavos = s.centavos + excluded.centavos
     WHERE s.centavos + excluded.centavos <= :most
 RETURNING s.spender
    """
)


def caps_of(caller: Caller, now: datetime) -> Caps | None:
    """What bounds an order that is taken now; None, as for nearly everybody, when nothing does."""
    if caller.most_each is None and caller.most_a_day is None:
        return None
    return Caps(caller.spender, now.astimezone(BUSINESS_TIME).date(), caller.most_each, caller.most_a_day)


async def spend(tx: AsyncSession, caller: Caller, amount: Money, *, now: datetime) -> None:
    """Count what leaves at the token's wish. Call it last before the money moves, behind the locks of the balances.

    One conditional statement decides, whoever else spends: `accept_payments` does the same for payments. Raises
    Forbidden, with the cap in its `reason`.
    """
    caps = caps_of(caller, now)
    if caps is None:
        return
    if caps.most_each is not None and amount > caps.most_each:
        raise over_each()
    if caps.most_a_day is not None and not await _counted(tx, caps, amount, caps.most_a_day):
        raise over_a_day()


async def _counted(tx: AsyncSession, caps: Caps, amount: Money, most: Money) -> bool:
    if amount > most:  # no counter is made for what can never pass
        return False
    facts = {"spender": caps.spender, "day": caps.day, "amount": amount.centavos, "most": most.centavos}
    return (await tx.execute(_COUNT, facts)).one_or_none() is not None
