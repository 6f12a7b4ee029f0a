"""The 32 characters by which every bank knows one Pix, or one return of a Pix."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from lastro.values.random_text import letters_and_digits
from lastro.values.text import Invalid, Text

# The shape of the Central Bank's schema (pacs.008 1.16). It admits month 19, so `parse` also reads the date.
_SHAPE = re.compile(r"[ED][0-9A-Z]{8}[0-9]{12}[a-zA-Z0-9]{11}")
_ISPB = re.compile(r"[0-9A-Z]{8}")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_WRONG_SHAPE = Text(
    "O identificador fim a fim deve ter 32 caracteres: E ou D, ISPB, data e hora, e 11 letras ou algarismos.",
    "The end-to-end id must have 32 characters: E or D, ISPB, date and time, and 11 letters or digits.",
)
_NO_SUCH_DATE = Text(
    "O identificador fim a fim contém uma data que não existe.", "The end-to-end id holds a date that does not exist."
)


class EndToEndId(str):
    """E (a payment) or D (a return), the ISPB of who made it, the minute in UTC, eleven random letters and digits."""

    __slots__ = ()

    @classmethod
    def new(cls, ispb: str, now: datetime) -> "EndToEndId":
        """A fresh id for a payment that the participant `ispb` sends; `now` is aware."""
        return cls._fresh("E", ispb, now)

    @classmethod
    def new_return(cls, ispb: str, now: datetime) -> "EndToEndId":
        """A fresh id for a return (devolução) that the participant `ispb` sends; `now` is aware."""
        return cls._fresh("D", ispb, now)

    @classmethod
    def _fresh(cls, letter: str, ispb: str, now: datetime) -> "EndToEndId":
        since = now - _EPOCH
        minutes = since.days * 1440 + since.seconds // 60
        return cls(_head(letter, ispb, minutes) + letters_and_digits(11))

    @classmethod
    def parse(cls, text: str) -> "EndToEndId":
        """The id that somebody else made. Raises `Invalid` for another shape or an impossible date."""
        if not _SHAPE.fullmatch(text):
            raise Invalid(_WRONG_SHAPE)
        parsed = cls(text)
        try:
            _ = parsed.minute
        except ValueError:
            raise Invalid(_NO_SUCH_DATE) from None
        return parsed

    @property
    def ispb(self) -> str:
        """The eight characters of the participant that made it."""
        return self[1:9]

    @property
    def minute(self) -> datetime:
        """When it was made (a scheduled payment: when it is to be sent), to the minute, in UTC."""
        return datetime(
            int(self[9:13]), int(self[13:15]), int(self[15:17]), int(self[17:19]), int(self[19:21]), tzinfo=UTC
        )

    @property
    def is_return(self) -> bool:
        """Whether it names a return rather than a payment."""
        return self[0] == "D"


# Formatting a date costs more than all the rest, and changes once a minute.
@lru_cache(maxsize=256)
def _head(letter: str, ispb: str, minutes: int) -> str:
    """The first 21 characters, `minutes` after 1970."""
    if not _ISPB.fullmatch(ispb):
        raise AssertionError("an ISPB has eight digits or capital letters")
    return f"{letter}{ispb}{_EPOCH + timedelta(minutes=minutes):%Y%m%d%H%M}"
