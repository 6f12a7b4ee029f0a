"""The days of a statement: São Paulo's, both included, the last thirty unless somebody says otherwise."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from lastro.errors import Flaw, Validation
from lastro.jsonapi.fields import BUSINESS_TIME, end_of, start_of
from lastro.values.text import Text

USUAL_DAYS = 30
MOST_DAYS = 366

_INVALID = Text("Dados inválidos.", "Invalid data.")
_ORDER = Text(
    "Não pode ser depois de dateTo (hoje, se não informado).", "May not be after dateTo (today unless it is given)."
)
_TOO_LONG = Text(
    "O período pode ter no máximo {most} dias; informe outro filter[dateFrom] ou filter[dateTo].",
    "The period may have {most} days at most; give another filter[dateFrom] or filter[dateTo].",
).fill(most=MOST_DAYS)


@dataclass(frozen=True, slots=True)
class Period:
    """From the first moment of one day to the last of another. `asked_at` is when somebody wanted to know."""

    first: date
    last: date
    asked_at: datetime

    @property
    def since(self) -> datetime:
        """Its first moment."""
        return start_of(self.first)

    @property
    def until(self) -> datetime:
        """The first moment after it."""
        return end_of(self.last)

    @property
    def is_over(self) -> bool:
        """Nothing can happen in it any more."""
        return self.until <= self.asked_at


def period(date_from: date | None, date_to: date | None, *, now: datetime) -> Period:
    """The days that were asked for. Raises Validation when they are in no order, or too many."""
    last = date_to or now.astimezone(BUSINESS_TIME).date()
    first = date_from or last - timedelta(days=USUAL_DAYS - 1)
    if first > last:
        raise _wrong(_ORDER)
    if (last - first).days >= MOST_DAYS:
        raise _wrong(_TOO_LONG)
    return Period(first, last, now)


def _wrong(text: Text) -> Validation:
    return Validation(_INVALID, flaws=[Flaw(text, parameter="filter[dateFrom]")])


def local(moment: datetime) -> datetime:
    """The moment as clocks in São Paulo show it."""
    return moment.astimezone(BUSINESS_TIME)
