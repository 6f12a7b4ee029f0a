"""Carries out many questions, and the settling of many, in one transaction. Called by the till `bank.metering`.

It also says which keys are our own customers', for it is here that the bank looks at a key before the directory does.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from lastro.errors import RateLimited
from lastro.pix.keys.holders import Holder, holders
from lastro.pix.lookups import budgets
from lastro.pix.lookups.budgets import Asker, Entry, Purpose, Size
from lastro.values.pix_key import PixKey

COST_OF_FOUND, COST_OF_MISSING = 1, 20
# A lookup pays for a miss beforehand, or many at once would all find a full bucket. A payment needs but one token.
CHARGE = {Purpose.LOOKUP: COST_OF_MISSING, Purpose.PAYMENT: COST_OF_FOUND}


@dataclass(frozen=True, slots=True)
class Question:
    """A key that somebody wants to know the owner of."""

    asker: Asker
    key: PixKey
    purpose: Purpose


Order = Question | Entry
Verdict = RateLimited | Holder | None


async def carry_out(tx: AsyncSession, orders: Sequence[Order], *, participant: Size) -> list[Verdict]:
    """One verdict an order: refused; or paid for, with the owner of the key if that is a customer at the same bank.

    A payment between two customers is no question to the directory, so it is not charged.
    """
    questions = [order for order in orders if isinstance(order, Question)]
    ours = await holders(tx, {question.key.value for question in questions})
    found: list[Holder | None] = []
    entries: dict[int, Entry] = {}
    for place, order in enumerate(orders):
        if isinstance(order, Entry):
            found.append(None)
            entries[place] = order
            continue
        holder = ours.get(order.key.value)
        inside = holder if holder is not None and holder.owner.party.account.ispb == order.asker.ispb else None
        found.append(inside)
        if inside is None or order.purpose is Purpose.LOOKUP:
            entries[place] = Entry(order.asker, CHARGE[order.purpose], order.purpose)
    refusals = await budgets.apply(tx, list(entries.values()), participant=participant)
    refused = dict(zip(entries, refusals, strict=True))
    return [refused.get(place) or holder for place, holder in enumerate(found)]


def after(asker: Asker, purpose: Purpose, price: int) -> Entry:
    """The difference between what a question was charged and what its answer costs."""
    return Entry(asker, price - CHARGE[purpose])


def reward(asker: Asker) -> Entry:
    """What a payment gives back of the question that it followed: what it cost, and never more.

    The directory gives a company 2; but its participant 1, and nothing when the payee is at the same bank.
    """
    return Entry(asker, -COST_OF_FOUND)
