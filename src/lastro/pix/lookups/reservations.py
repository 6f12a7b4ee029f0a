"""What payments under way may still cost: reserved in this process, and charged only when it must be.

A question that ends in a payment costs nothing, so it writes nothing. Until it has ended, a token of each of its three
buckets is nobody else's: else fifty at once would all spend the last one. docs/decisions/0020 says what this bounds.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from lastro.errors import RateLimited
from lastro.pix.lookups import budgets
from lastro.pix.lookups.budgets import Address, Asker, Bucket, BucketRow, Entry, Purpose, Reserved, Size
from lastro.pix.lookups.metering import COST_OF_FOUND
from lastro.till import Till


class Reservations:
    """The tokens of each bucket that payments of this process may still need; `participant` is the last one's size."""

    def __init__(self, participant: Size) -> None:
        self.participant = participant
        self._tokens: Counter[Address] = Counter()

    @property
    def tokens(self) -> Reserved:
        """By bucket; nothing reserved, no entry."""
        return self._tokens

    def add(self, asker: Asker) -> None:
        """Reserve a token of each bucket."""
        for address in asker.addresses:
            self._tokens[address] += COST_OF_FOUND

    def remove(self, asker: Asker) -> None:
        """Undo `add`."""
        for address in asker.addresses:
            self._tokens[address] -= COST_OF_FOUND
            if not self._tokens[address]:
                del self._tokens[address]


class Reservation:
    """One payment's, from before the buckets are read until the payment is accepted or not: a with-block.

    However the block ends, nothing stays reserved, and what is owed by then is charged.
    """

    def __init__(self, metering: Till[Any, Any]) -> None:
        self._metering = metering
        self._over = False
        self._held: tuple[Reservations, Asker] | None = None
        self._owed: Entry | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._over = True
        if self._held is not None:
            reservations, asker = self._held
            self._held = None
            reservations.remove(asker)
        if self._owed is not None:
            self._metering.leave(self._owed)

    def hold(self, reservations: Reservations, asker: Asker) -> None:
        """Called by the till that has read the buckets. Whoever has gone away meanwhile needs nothing any more."""
        if not self._over and self._held is None:
            reservations.add(asker)
            self._held = reservations, asker

    def owes(self, price: Entry | None) -> None:
        """What is to be charged when the block ends, instead of what was said before."""
        self._owed = price


class Judging:
    """Judges the questions of payments by buckets read at once, without a lock. Make it before the read.

    What is released while the read is under way still counts: the read may not have seen what was charged for it.
    """

    def __init__(self, reservations: Reservations) -> None:
        self._reservations = reservations
        self._reserved = Counter(reservations.tokens)

    def refused(
        self, reservation: Reservation, asker: Asker, rows: Sequence[BucketRow], now: datetime
    ) -> RateLimited | None:
        """Reserve what the question may need, or say when to come back. `rows` are those of the asker's addresses."""
        sizes = asker.sizes(self._reservations.participant).items()
        buckets = {address: Bucket.read(size, row, now) for (address, size), row in zip(sizes, rows, strict=True)}
        refusal = budgets.refused(asker, COST_OF_FOUND, Purpose.PAYMENT, buckets, self._reserved)
        if refusal is None:
            reservation.hold(self._reservations, asker)
            self._reserved.update(dict.fromkeys(asker.addresses, COST_OF_FOUND))
        return refusal
