"""Carries out many orders in one transaction: lock, decide, write. Called by the till.

It is one call of the database for the whole set (migration 0012): what a payment costs is shared by its batch.
"""

import json
from collections.abc import Sequence
from typing import Any

import asyncpg

from lastro import idempotency
from lastro.attempt import Answer
from lastro.auth.caps import Caps
from lastro.database import Database
from lastro.errors import BankError
from lastro.pix.parties import packed
from lastro.pix.payments import resources, rules
from lastro.pix.payments.order import ReadyOrder
from lastro.values.money import Money

SETTLE = "pix.payment.settle"
"""The promise to bring a payment to the network."""

Verdict = Answer | BankError


_ACCEPT = f"SELECT * FROM accept_payments({', '.join(f'${place}' for place in range(1, 27))})"  # noqa: S608 - numbers


async def accept(db: Database, orders: Sequence[ReadyOrder], *, again: bool) -> list[Verdict]:
    """One verdict an order, in order, each durable. `again` says that an earlier try may have been committed.

    The function walks them in arrival order behind the locks of their accounts, writes payments, holds, promises and
    answers of those that it accepts, and says of each what it decided. Raises Overtaken when another process recorded
    one of the keys first (nothing is written then), Unavailable when nobody knows what became of them.
    """
    bodies = [resources.accepted(each).encode() for each in orders]
    attempts = [each.attempt for each in orders]
    rows = await db.call(
        _ACCEPT,
        again,
        [each.order.account_id for each in orders],
        [each.id for each in orders],
        [each.tenant_id for each in orders],
        [each.provider_id for each in orders],
        [each.order.amount.centavos for each in orders],
        [each.order.key.kind for each in orders],
        [each.order.key.value for each in orders],
        [each.order.description for each in orders],
        [each.end_to_end_id for each in orders],
        [_json(packed(each.payer)) for each in orders],
        [_json(packed(each.payee)) for each in orders],
        [each.payee_account_id for each in orders],
        [each.order.initiation for each in orders],
        [each.order.txid for each in orders],
        [each.created_at for each in orders],
        [each.order.lookup is not None for each in orders],
        [attempt and attempt.operation for attempt in attempts],
        [attempt and attempt.key for attempt in attempts],
        [attempt and attempt.fingerprint for attempt in attempts],
        bodies,
        [each.order.correlation_id for each in orders],
        *_bounds([each.caps for each in orders]),
    )
    return [_verdict(row, body) for row, body in zip(rows, bodies, strict=True)]


def _bounds(caps: Sequence[Caps | None]) -> tuple[Sequence[Any] | None, ...]:
    """Spenders, days, and both caps; nulls when no order has any, and then the function looks at none."""
    if not any(caps):
        return None, None, None, None
    return (
        [each and each.spender for each in caps],
        [each and each.day for each in caps],
        [each and _centavos(each.most_each) for each in caps],
        [each and _centavos(each.most_a_day) for each in caps],
    )


def _centavos(most: Money | None) -> int | None:
    return None if most is None else most.centavos


def _verdict(row: asyncpg.Record, body: bytes) -> Verdict:
    match row["verdict"]:
        case "ACCEPTED" | "COMMITTED":
            return Answer(201, body)
        case "REPLAYED":
            return Answer(row["stored_status"], row["stored_body"], replayed=True)
        case "KEY_REUSED":
            return idempotency.reused()
        case refusal:
            return rules.REFUSALS[refusal]()


_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
