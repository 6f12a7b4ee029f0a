"""Ids that sort by the microsecond they were made in, so that an index on the id is an index on time.

UUID version 7 (RFC 9562): 48 bits of milliseconds since 1970, 4 of version, 12 for the microsecond within the
millisecond (section 6.2, method 3), 2 of variant and 62 random ones. Of two ids made in one microsecond, either may
come first.
"""

import os
from datetime import UTC, datetime
from uuid import UUID

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_VARIANT = 0b10 << 62


def new_id(now: datetime) -> UUID:
    """A fresh id for something created at `now`, which is aware and not before 1970."""
    return UUID(int=_upper_half(now) << 64 | _VARIANT | int.from_bytes(os.urandom(8)) >> 2)


def first_id_at(moment: datetime) -> UUID:
    """The smallest id of that microsecond: what has `created_at >= moment` has `id >= first_id_at(moment)`."""
    return UUID(int=_upper_half(moment) << 64 | _VARIANT)


def _upper_half(moment: datetime) -> int:
    """The 64 bits that hold the time. All in integers: a float of seconds does not hold every microsecond."""
    since = moment - _EPOCH
    milliseconds, microseconds = divmod((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds, 1_000)
    # The thousand microseconds are spread over the 4096 values of the twelve bits, each its own.
    return milliseconds << 16 | 0x7000 | microseconds * 4096 // 1000
