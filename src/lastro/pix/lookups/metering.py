"""Carries out many lookups, and charges of many questions, in one transaction. Called by the till `bank.metering`.

It also says which keys are our own customers', for it is here that the bank looks at a key before the directory does.
Questions of payments come here only when they cost something: docs/decisions/0020.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from lastro.errors import BankError, KeyNotFound, ProviderUnavailable, RateLimited
from lastro.pix.keys.holders import Holder, holders
from lastro.pix.lookups import budgets
from lastro.pix.lookups.budgets import Asker, Entry, Purpose, Reserved, Size
from lastro.values.pix_key import PixKey

COST_OF_FOUND, COST_OF_MISSING = 1, 20


@dataclass(frozen=True, slots=True)
class Question:
    """A key that a client of this house wants to know the owner of."""

    asker: Asker
    key: PixKey
    house: str


Order = Question | Entry
Verdict = RateLimited | Holder | None


async def carry_out(
    tx: AsyncSession, orders: Sequence[Order], *, participant: Size, reserved: Reserved = budgets.NOTHING
) -> list[Verdict]:
    """One verdict an order: refused; or paid for, with the owner of the key if that is a customer at the same bank.

    A question pays for a miss beforehand, or many at once would all find a full bucket. `reserved` is what payments
    may still need.
    """
    ours = await holders(tx, {order.key.value for order in orders if isinstance(order, Question)})
    entries = [
        order if isinstance(order, Entry) else Entry(order.asker, COST_OF_MISSING, Purpose.LOOKUP) for order in orders
    ]
    refusals = await budgets.apply(tx, entries, participant=participant, reserved=reserved)
    return [refusal or _inside(order, ours) for order, refusal in zip(orders, refusals, strict=True)]


def _inside(order: Order, ours: Mapping[str, Holder]) -> Holder | None:
    if not isinstance(order, Question):
        return None
    holder = ours.get(order.key.value)
    return holder if holder is not None and holder.house == order.house else None


def after(asker: Asker, price: int) -> Entry:
    """The difference between what a lookup was charged and what its answer costs."""
    return Entry(asker, price - COST_OF_MISSING)


def reward(asker: Asker) -> Entry:
    """What a payment gives back of the lookup that it followed: what it cost, and never more.

    The directory gives a company 2; but its participant 1, and nothing when the payee is at the same bank.
    """
    return Entry(asker, -COST_OF_FOUND)


def priced(error: BankError) -> tuple[int, str]:
    """What the directory charges for this refusal, and the word for it; what it did not judge costs nothing."""
    match error:
        case KeyNotFound():
            return COST_OF_MISSING, "missing"
        case RateLimited() | ProviderUnavailable():
            return 0, "unanswered"
        case _:  # an answer about the key, if a strange one
            return COST_OF_FOUND, "odd"
