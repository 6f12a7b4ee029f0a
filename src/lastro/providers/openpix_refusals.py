"""What OpenPix says when it refuses: a status and a sentence, in Portuguese or English, out of which we read little.

Whether a key is none, and whether the very thing that we asked for is not there: "account not found" says nothing of a
payment.
"""

import re

import httpx

from lastro.jsonapi import strict_json
from lastro.providers import openpix_wire as wire

_LONGEST_WAIT_SECONDS = 3600
_LONGEST_NUMBER = 12
_REFILL_SECONDS = 60  # OpenPix fills the bucket of questions once a minute

_ABOUT_THE_KEY = re.compile(r"inv[áa]lid|fraud", re.IGNORECASE)
_ABSENT = r"\b.{0,40}(?:not found|not exist|n[ãa]o (?:foi )?encontrad|n[ãa]o existe)"
_NOT_THERE = {
    "/payment": re.compile(rf"(?:payment|pagamento){_ABSENT}", re.IGNORECASE),
    "/refund": re.compile(rf"(?:refund|reembolso|devolu[çc][ãa]o){_ABSENT}", re.IGNORECASE),
    "/qrcode-static": re.compile(rf"qr ?code{_ABSENT}", re.IGNORECASE),
}


class Refused(Exception):
    """An answer other than 2xx. `says`: OpenPix' own sentence, empty if it is not in its form."""

    def __init__(self, status: int, says: str | None, retry_after: int = 1) -> None:
        super().__init__()
        self.status = status
        self.says = says or ""
        self.retry_after = retry_after

    def means_nothing_is_there(self, path: str) -> bool:
        """Whether OpenPix says that it has nothing under the id that we asked for at this path."""
        return self.status in {400, 404} and bool(_NOT_THERE[path].search(self.says))


class RefusedAsSuch(Refused):
    """A 400 with its reason: OpenPix has read the request and says no to it. It alone is an answer to a request."""

    @property
    def is_about_the_key(self) -> bool:
        """Whether it is the key that OpenPix finds fault with."""
        return bool(_ABOUT_THE_KEY.search(self.says))


def refused_by(response: httpx.Response) -> Refused:
    """What this answer is."""
    wait = response.headers.get("retry-after", "")
    seconds = int(wait) if wait.isdecimal() and len(wait) <= _LONGEST_NUMBER else _REFILL_SECONDS
    try:
        says = wire.error_in(strict_json.parse(response.content))
    except ValueError:
        says = None
    kind = RefusedAsSuch if response.status_code == httpx.codes.BAD_REQUEST and says else Refused
    return kind(response.status_code, says, min(seconds, _LONGEST_WAIT_SECONDS))
