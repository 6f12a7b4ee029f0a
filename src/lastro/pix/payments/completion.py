"""Completes what the network settled, a hundred payments by one call: the way that nearly every payment ends.

The news is written before the call, from the payment as the worker read it. The database takes it only for a payment
that is still as it was read; for any other, `conclusion` has the word.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from lastro.bank import Bank
from lastro.pix.payments import resources
from lastro.pix.payments.states import EDGES, PaymentStatus
from lastro.pix.payments.underway import Underway
from lastro.providers.protocol import Settled
from lastro.values.time_ordered_id import new_id
from lastro.webhooks.announce import frozen


@dataclass(frozen=True, slots=True)
class Completed:
    """A payment on its way, the network's word that it settled, and the promise that is kept with it."""

    payment: Underway
    outcome: Settled
    promise_id: int


_EDGE = EDGES[PaymentStatus.PROCESSING, PaymentStatus.COMPLETED]
assert _EDGE.emits is not None  # noqa: S101 - every end is news
_NEWS = _EDGE.emits


async def complete(bank: Bank, settled: Sequence[Completed]) -> set[int]:
    """Status, money, news and promise of each, together or not at all. Says which promises were kept.

    What is not kept was changed by somebody else since it was read (a notification, another worker), and nothing of it
    was touched.
    """
    if not settled:
        return set()
    now = bank.now()
    payments = [each.payment for each in settled]
    kept = await bank.db.call(
        "SELECT settle_payments($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        [each.account_id for each in payments],
        [each.id for each in payments],
        [each.version for each in payments],
        [each.outcome.external_ref for each in settled],
        [new_id(now) for _ in settled],
        [_told(each, now) for each in settled],
        [each.promise_id for each in settled],
        _NEWS,
        now,
    )
    return {promise_id for (promise_id,) in kept}


def _told(each: Completed, now: datetime) -> bytes:
    shown = resources.completed(each.payment, each.outcome.external_ref, now)
    return frozen(_NEWS, shown, version=each.payment.version + 1, now=now)
