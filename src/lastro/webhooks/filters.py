"""What a subscription wants to hear of: exact types, or families of them such as `pix.*`."""

import re
from collections.abc import Sequence
from functools import lru_cache

from lastro.values.text import Invalid, Text

EVERYTHING = "*"
LONGEST = 64

_FILTER = re.compile(r"\*|[a-z]+(?:\.[a-z_]+)*(?:\.\*)?")
_NO_FILTER = Text(
    "Use um tipo de evento (`pix.payment.completed`), uma família (`pix.*`) ou `*`.",
    "Use a type of event (`pix.payment.completed`), a family (`pix.*`) or `*`.",
)


def parse(text: str) -> str:
    """A filter as it is kept. Raises Invalid. A type that does not exist (yet) is a filter too: it matches nothing."""
    if len(text) > LONGEST or not _FILTER.fullmatch(text):
        raise Invalid(_NO_FILTER)
    return text


def matches(filters: Sequence[str], event_type: str) -> bool:
    """Whether one of the filters lets this type through. `pix.*` is whatever begins with `pix.`, however deep."""
    return not _names(event_type).isdisjoint(filters)


@lru_cache(maxsize=1024)
def _names(event_type: str) -> frozenset[str]:
    """Every filter that lets a type through."""
    words = event_type.split(".")
    families = (".".join([*words[:depth], "*"]) for depth in range(1, len(words)))
    return frozenset({EVERYTHING, event_type, *families})
