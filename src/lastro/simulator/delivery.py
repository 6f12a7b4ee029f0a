"""Tells Lastro what happened, signed, again and again until it has heard it, and writes its verdict into the book."""

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID, uuid4

import httpx
import structlog
from pydantic import Field, ValidationError
from sqlalchemy import DateTime, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.clock import Clock
from lastro.simulator.book import Book, CustomerAccount, Kind, Notice, Payment, Status
from lastro.simulator.wire import Strict

_TIMEOUT_SECONDS = 5.0
# Longer than one delivery takes, so that no round starts a delivery that another one is busy with.
_LEASE = timedelta(seconds=_TIMEOUT_SECONDS + 1)
_FIRST_WAIT, _LONGEST_WAIT = timedelta(milliseconds=300), timedelta(seconds=5)
_AT_ONCE = 50  # notices of one round
_INCOMING = (Kind.RECEIVED, Kind.RETURNED_TO_US)

_log = structlog.get_logger(part="simulator")


class Verdict(Strict):
    """What Lastro answers to a notification."""

    status: Literal["ACSP", "RJCT"]
    reason: str | None = Field(default=None, pattern=r"^[A-Z0-9]{4}$")


@dataclass(frozen=True, slots=True)
class _Letter:
    """A notice as it travels."""

    id: UUID
    end_to_end_id: str
    provider_id: UUID
    body: str
    attempts: int


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """The `Network-Signature` of a body: hex HMAC-SHA256 of `timestamp + "." + body`."""
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def announce(
    tx: AsyncSession, end_to_end_id: str, provider_id: UUID, facts: Mapping[str, Any], *, due_at: datetime
) -> UUID:
    """Write down a notification, so that it will be delivered even if this process dies; return its id."""
    notice = Notice(
        id=uuid4(), end_to_end_id=end_to_end_id, provider_id=provider_id, body="", attempts=0, due_at=due_at
    )
    notice.body = json.dumps({"id": str(notice.id), **facts}, ensure_ascii=False)
    tx.add(notice)
    return notice.id


async def provider_of(tx: AsyncSession, account_id: UUID | None, ispb: str) -> UUID | None:
    """Whom to tell about an account: its provider, else any provider that works under that ISPB."""
    statement = (
        select(CustomerAccount.provider_id)
        .where(CustomerAccount.ispb == ispb)
        .order_by((CustomerAccount.request_id == account_id).desc())
    )
    return (await tx.execute(statement.limit(1))).scalar_one_or_none()


async def database_now(tx: AsyncSession) -> datetime:
    """The database's clock, by which deliveries are due: unlike the network's, nobody moves it."""
    return (await tx.execute(select(func.clock_timestamp(type_=DateTime(timezone=True))))).scalar_one()


def leased(now: datetime) -> datetime:
    """When the loop may take over a notice that somebody is about to deliver."""
    return now + _LEASE


class Deliveries:
    """The network's line to Lastro. `open` it before use and `close` it after."""

    def __init__(self, book: Book, clock: Clock, *, deliver_to: str, secret: str) -> None:
        self._book, self._clock = book, clock
        self._deliver_to, self._secret = deliver_to.rstrip("/"), secret
        self._client: httpx.AsyncClient | None = None
        self._news = asyncio.Event()

    async def open(self) -> None:
        """Take up what an earlier process left undelivered."""
        # Its own client: no proxy of the environment stands between a toy network and a loopback address.
        self._client = httpx.AsyncClient(timeout=_TIMEOUT_SECONDS, trust_env=False)
        async with self._book.transaction() as tx:
            await tx.execute(update(Notice).where(Notice.heard_at.is_(None)).values(due_at=func.now()))

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()

    def wake(self) -> None:
        """There is news: do not sleep until the next round."""
        self._news.set()

    async def rest(self, seconds: float) -> None:
        """Sleep, at most until somebody wakes us."""
        try:
            await asyncio.wait_for(self._news.wait(), seconds)
        except TimeoutError:
            return
        self._news.clear()

    async def deliver_due(self) -> None:
        """One round: deliver what is due, at most fifty notices, side by side."""
        await asyncio.gather(*(self._deliver(letter) for letter in await self._claim()))

    async def deliver(self, notice_id: UUID) -> None:
        """Deliver this one now, heard or not; when nobody answers, the rounds go on with it."""
        async with self._book.transaction() as tx:
            notice = await tx.get_one(Notice, notice_id)
        await self._deliver(_letter(notice))

    async def _claim(self) -> Sequence[_Letter]:
        due = (
            select(Notice.id)
            .where(Notice.heard_at.is_(None), Notice.due_at <= func.clock_timestamp())
            .order_by(Notice.due_at)
            .limit(_AT_ONCE)
            .with_for_update(skip_locked=True)
        )
        claim = (
            update(Notice)
            .where(Notice.id.in_(due))
            .values(due_at=func.clock_timestamp() + _LEASE)
            .returning(Notice)
            .execution_options(synchronize_session=False)
        )
        async with self._book.transaction() as tx:
            return [_letter(notice) for notice in (await tx.execute(claim)).scalars()]

    async def _deliver(self, letter: _Letter) -> None:
        """No transaction is open while Lastro is spoken to: it may well ask us something before it answers."""
        verdict = await self._tell(letter)
        async with self._book.transaction() as tx:
            if verdict is None:
                wait = min(_FIRST_WAIT * 2 ** min(letter.attempts, 10), _LONGEST_WAIT)
                postponed = {"attempts": Notice.attempts + 1, "due_at": func.clock_timestamp() + wait}
                await tx.execute(update(Notice).where(Notice.id == letter.id).values(postponed))
                return
            await tx.execute(update(Notice).where(Notice.id == letter.id).values(heard_at=func.clock_timestamp()))
            await self._conclude(tx, letter.end_to_end_id, verdict)

    async def _tell(self, letter: _Letter) -> Verdict | None:
        """None: nothing that could be called an answer."""
        assert self._client is not None, "open() comes first"  # noqa: S101
        timestamp, body = str(int(time.time())), letter.body.encode()
        headers = {
            "Content-Type": "application/json",
            "Network-Timestamp": timestamp,
            "Network-Signature": signature(self._secret, timestamp, body),
        }
        url = f"{self._deliver_to}/network/{letter.provider_id}/notifications"
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                response = await self._client.post(url, content=body, headers=headers)
        except (httpx.HTTPError, OSError) as error:
            _log.info("not_heard", notice=str(letter.id), attempt=letter.attempts, why=type(error).__name__)
            return None
        if response.status_code != httpx.codes.OK:
            _log.info("not_heard", notice=str(letter.id), attempt=letter.attempts, why=response.status_code)
            return None
        try:
            return Verdict.model_validate_json(response.content)
        except ValidationError:
            _log.warning("answer_makes_no_sense", notice=str(letter.id))
            return None

    async def _conclude(self, tx: AsyncSession, end_to_end_id: str, verdict: Verdict) -> None:
        """The first verdict on an incoming payment settles or rejects it; a later one changes nothing."""
        accepted = verdict.status == Status.ACSP
        concluded = {
            "status": Status.ACSC if accepted else Status.RJCT,
            "reason": None if accepted else verdict.reason or "ED05",
            "settled_at": self._clock.now() if accepted else None,
            "external_ref": f"SPI{uuid4().hex}" if accepted else None,
        }
        pending = (Payment.end_to_end_id == end_to_end_id, Payment.status == Status.ACSP, Payment.kind.in_(_INCOMING))
        await tx.execute(update(Payment).where(*pending).values(concluded))


def _letter(notice: Notice) -> _Letter:
    return _Letter(notice.id, notice.end_to_end_id, notice.provider_id, notice.body, notice.attempts)
