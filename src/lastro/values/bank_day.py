"""The days on which banks do business: not at weekends, on national holidays, at Carnival or on Corpus Christi.

Holidays of states and cities are not among them. A charge's issuer knows those; see `pix/qrcodes/charge.py`.
"""

from datetime import date, timedelta

_SATURDAY = 5
_FIXED = {(1, 1), (4, 21), (5, 1), (9, 7), (10, 12), (11, 2), (11, 15), (12, 25)}
_BLACK_AWARENESS, _NATIONAL_SINCE = (11, 20), 2024  # Lei 14.759 of 2023
_FROM_EASTER = {-48, -47, -2, 60}  # Carnival's Monday and Tuesday, Good Friday, Corpus Christi


def is_bank_day(day: date) -> bool:
    """Whether banks do business on this day everywhere in Brazil."""
    if day.weekday() >= _SATURDAY or (day.month, day.day) in _FIXED:
        return False
    if (day.month, day.day) == _BLACK_AWARENESS and day.year >= _NATIONAL_SINCE:
        return False
    return (day - _easter(day.year)).days not in _FROM_EASTER


def bank_day_from(day: date) -> date:
    """This day, or the next on which banks do business."""
    while not is_bank_day(day):
        day += timedelta(days=1)
    return day


def _easter(year: int) -> date:
    """Easter Sunday of the Gregorian calendar (the anonymous algorithm of 1876)."""
    century, of_century = divmod(year, 100)
    epact = (19 * (year % 19) + century - century // 4 - (century - (century + 8) // 25 + 1) // 3 + 15) % 30
    weekday = (32 + 2 * (century % 4) + 2 * (of_century // 4) - epact - of_century % 4) % 7
    shift = (year % 19 + 11 * epact + 22 * weekday) // 451
    month, day = divmod(epact + weekday - 7 * shift + 114, 31)
    return date(year, month, day + 1)
