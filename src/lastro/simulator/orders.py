"""What payments and returns that Lastro sends have in common: a verdict, a rule, a row in the book, news of it."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID, uuid4

from sqlalchemy import ARRAY, Text, any_, cast, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.simulator import lookup_limits
from lastro.simulator.book import Kind, Payment, Rule, Status
from lastro.simulator.delivery import announce, database_now, provider_of
from lastro.simulator.wire import rfc3339
from lastro.values.money import Money

_OVERDUE = "AB03"  # what a contradiction claims of a payment that settled
_AT_ONCE = 200  # payments of one round whose delay is over

# One parameter for a whole batch: ten times faster than a hundred rows of parameters.
_INSERT = text(
    "INSERT INTO payment SELECT row.* FROM jsonb_populate_recordset(NULL::payment, CAST(:rows AS jsonb)) AS row"
    " ON CONFLICT (end_to_end_id) DO NOTHING RETURNING end_to_end_id"
)


class Facts(Protocol):
    """As much of a `Payment` as a pacs.002 says, and the fingerprint of the message that it answers."""

    @property
    def end_to_end_id(self) -> str: ...
    @property
    def status(self) -> Status: ...
    @property
    def reason(self) -> str | None: ...
    @property
    def settled_at(self) -> datetime | None: ...
    @property
    def external_ref(self) -> str | None: ...
    @property
    def fingerprint(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Decision:
    """A new row of the book that is not yet written, and the rule that shaped it."""

    end_to_end_id: str
    kind: Kind
    amount: Money
    account_id: UUID | None
    fingerprint: str
    facts: Mapping[str, object]  # the columns that only a payment, or only a return, has
    created_at: datetime
    verdict: str | None  # the code of the rejection, if it is one
    external_ref: str
    rule: Rule | None

    @property
    def status(self) -> Status:
        """ACSP as long as a rule delays the verdict."""
        if self.rule is not None and self.rule.delay is not None:
            return Status.ACSP
        return Status.ACSC if self.verdict is None else Status.RJCT

    @property
    def reason(self) -> str | None:
        """The code of a rejection that is out."""
        return self.verdict if self.status is Status.RJCT else None

    @property
    def settled_at(self) -> datetime | None:
        """When it settled, if it did."""
        return self.created_at if self.status is Status.ACSC else None

    @property
    def copies(self) -> int:
        """How often Lastro is told, apart from the answer: a delayed verdict must be told at least once."""
        if self.rule is None:
            return 0
        if self.rule.duplicate:
            return 2
        return int(self.rule.contradict or self.rule.delay is not None)

    def row(self) -> dict[str, object]:
        """As JSON of the table's row."""
        delay = None if self.rule is None else self.rule.delay
        return {
            "end_to_end_id": self.end_to_end_id,
            "kind": self.kind,
            "status": self.status,
            "reason": self.reason,
            "amount": self.amount.centavos,
            "account_id": None if self.account_id is None else str(self.account_id),
            "fingerprint": self.fingerprint,
            "external_ref": self.external_ref if self.status is Status.ACSC else None,
            "created_at": self.created_at.isoformat(),
            "settled_at": None if self.settled_at is None else self.settled_at.isoformat(),
            "settle_at": None if delay is None else (self.created_at + delay).isoformat(),
            "verdict": self.verdict,
            "copies": self.copies,
            "contradict": self.rule is not None and self.rule.contradict,
            **self.facts,
        }


def new_reference() -> str:
    """The network's own id of a settlement."""
    return f"SPI{uuid4().hex}"


def status_of(payment: Facts) -> dict[str, Any]:
    """The pacs.002 of a payment."""
    settled_at = payment.settled_at
    return status(
        payment.end_to_end_id,
        payment.status,
        reason=payment.reason,
        settled_at=settled_at,
        external_ref=payment.external_ref if settled_at is not None else None,
    )


def status(
    end_to_end_id: str,
    state: Status,
    *,
    reason: str | None = None,
    settled_at: datetime | None = None,
    external_ref: str | None = None,
) -> dict[str, Any]:
    """A pacs.002."""
    return {
        "endToEndId": end_to_end_id,
        "status": state,
        "reason": reason,
        "settledAt": None if settled_at is None else rfc3339(settled_at),
        "externalRef": external_ref,
    }


def rejected(end_to_end_id: str, reason: str) -> dict[str, Any]:
    """A pacs.002 that rejects."""
    return status(end_to_end_id, Status.RJCT, reason=reason)


def answer_to(fingerprint: str, recorded: Facts) -> dict[str, Any]:
    """What a message is answered whose id stands in the book: FF08 unless it is the very same message."""
    return status_of(recorded) if recorded.fingerprint == fingerprint else rejected(recorded.end_to_end_id, "FF08")


async def known(tx: AsyncSession, end_to_end_ids: Collection[str]) -> dict[str, Facts]:
    """What the book holds under these ids."""
    # One array and not a hundred parameters: the statement is parsed and planned once.
    ids = cast(list(end_to_end_ids), ARRAY(Text))
    found = select(Payment).where(Payment.end_to_end_id == any_(ids))
    return {payment.end_to_end_id: payment for payment in (await tx.execute(found)).scalars()}


async def write(tx: AsyncSession, decisions: Sequence[Decision], *, metered: bool) -> set[str]:
    """Write new rows and the news that rules ask for; return the ids that nobody else wrote meanwhile."""
    if not decisions:
        return set()
    # In one order everywhere, so that two batches with the same ids can not wait for each other.
    rows = [decision.row() for decision in sorted(decisions, key=lambda decision: decision.end_to_end_id)]
    mine = set((await tx.execute(_INSERT, {"rows": json.dumps(rows)})).scalars())
    written = [decision for decision in decisions if decision.end_to_end_id in mine]
    for decision in written:
        if decision.copies and decision.status is not Status.ACSP:
            await _tell(tx, await tx.get_one(Payment, decision.end_to_end_id), decision.created_at)
    if metered:
        settled = [decision.end_to_end_id for decision in written if decision.status is Status.ACSC]
        await lookup_limits.give_back(tx, settled)
    return mine


async def settle_due(tx: AsyncSession, now: datetime, *, metered: bool) -> bool:
    """Carry out the verdicts whose delay is over, and tell Lastro; return whether there were any."""
    due = select(Payment).where(Payment.settle_at <= now).order_by(Payment.settle_at, Payment.end_to_end_id)
    payments = (await tx.execute(due.limit(_AT_ONCE).with_for_update(skip_locked=True))).scalars().all()
    for payment in payments:
        payment.settle_at = None
        if payment.verdict is None:
            payment.status, payment.settled_at, payment.external_ref = Status.ACSC, now, new_reference()
        else:
            payment.status, payment.reason = Status.RJCT, payment.verdict
        await _tell(tx, payment, now)
    if metered:
        settled = [payment.end_to_end_id for payment in payments if payment.status is Status.ACSC]
        await lookup_limits.give_back(tx, settled)
    return bool(payments)


async def _tell(tx: AsyncSession, payment: Payment, now: datetime) -> None:
    """Write down the `payment.status` notifications: as the book has it, or as a rule wants it contradicted."""
    provider_id = await provider_of(tx, payment.account_id, payment.end_to_end_id[1:9])
    if provider_id is None:  # it was sent by nobody whom the office knows
        return
    news = status_of(payment)
    if payment.contradict and payment.status is Status.ACSC:
        news = rejected(payment.end_to_end_id, _OVERDUE)
    elif payment.contradict:
        news = status(payment.end_to_end_id, Status.ACSC, settled_at=now, external_ref=new_reference())
    due_at = await database_now(tx)
    for _ in range(payment.copies):
        announce(tx, payment.end_to_end_id, provider_id, {"type": "payment.status", "status": news}, due_at=due_at)
