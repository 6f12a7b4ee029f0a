"""Completes what the network settled, a hundred payments by one call: the way that nearly every payment ends.

The news is written before the call, from the payment as the worker read it. The database takes it only for a payment
that is still as it was read; for any other, `conclusion` has the word.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ARRAY, BigInteger, DateTime, Integer, LargeBinary, Text, Uuid, bindparam, text

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

_SETTLE = text(
    "SELECT settle_payments(:account_ids, :payment_ids, :versions, :external_refs, :event_ids, :bodies, :promise_ids,"
    " :event_type, :moment)"
).bindparams(
    bindparam("account_ids", type_=ARRAY(Uuid())),
    bindparam("payment_ids", type_=ARRAY(Uuid())),
    bindparam("versions", type_=ARRAY(Integer())),
    bindparam("external_refs", type_=ARRAY(Text())),
    bindparam("event_ids", type_=ARRAY(Uuid())),
    bindparam("bodies", type_=ARRAY(LargeBinary())),
    bindparam("promise_ids", type_=ARRAY(BigInteger())),
    bindparam("event_type", type_=Text()),
    bindparam("moment", type_=DateTime(timezone=True)),
)


async def complete(bank: Bank, settled: Sequence[Completed]) -> set[int]:
    """Status, money, news and promise of each, together or not at all. Says which promises were kept.

    What is not kept was changed by somebody else since it was read (a notification, another worker), and nothing of it
    was touched.
    """
    if not settled:
        return set()
    now = bank.now()
    payments = [each.payment for each in settled]
    kept = await bank.db.alone(
        _SETTLE,
        {
            "account_ids": [each.account_id for each in payments],
            "payment_ids": [each.id for each in payments],
            "versions": [each.version for each in payments],
            "external_refs": [each.outcome.external_ref for each in settled],
            "event_ids": [new_id(now) for _ in settled],
            "bodies": [
                frozen(_NEWS, resources.completed(each.payment, each.outcome.external_ref, now), now=now)
                for each in settled
            ],
            "promise_ids": [each.promise_id for each in settled],
            "event_type": _NEWS,
            "moment": now,
        },
    )
    return {promise_id for (promise_id,) in kept}
