"""Brings events to the endpoints that want them: claims a few deliveries of each, posts them side by side, judges.

No transaction is open while an endpoint is asked. What a worker that dies was at comes due again when its lease ends.
"""

import asyncio
import contextlib
import hashlib
import time
from collections.abc import Sequence
from datetime import datetime

from lastro import metrics
from lastro.bank import Bank
from lastro.errors import Unavailable
from lastro.keyring import CannotOpen
from lastro.logs import logger
from lastro.till import Till
from lastro.webhooks import claiming, recording, secrets, signature, telling, tidying
from lastro.webhooks.claiming import Parcel
from lastro.webhooks.lanes import Lanes, Post
from lastro.webhooks.models import DeliveryStatus
from lastro.webhooks.outlet import Unreachable
from lastro.webhooks.recording import Outcome
from lastro.webhooks.schedule import Schedule, wish_of

POLL_SECONDS = 0.1
PACE_SECONDS = 0.01  # between two claims, so that each takes what came free meanwhile
TELL_SECONDS = 0.075
TIDY_SECONDS = 5.0

_GONE = 410
_ASKS_FOR_PATIENCE = {429, 503}

_LOG = logger("courier")


class Courier:
    """One for each worker. Any number may run."""

    def __init__(self, bank: Bank) -> None:
        self._bank = bank
        self._lanes = Lanes()
        self._posts: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()
        self._recording: Till[Outcome, bool] = Till(self._record, lambda _outcome: None)

    async def tell(self) -> int:
        """Give places to what happened, and owe deliveries. Says how many events got a place."""
        if not await telling.is_anything_untold(self._bank.db):
            return 0
        async with self._bank.db.transaction() as tx:
            told = await telling.tell(tx, now=self._bank.now())
        if told:
            self._woken.set()
        return told

    async def round(self) -> int:
        """Claim what is due, as far as there is room, and begin to post it. Says how many posts began."""
        plan = self._lanes.plan(await claiming.look(self._bank.db, now=self._bank.now()))
        if not plan:
            return 0
        parcels = await claiming.claim(self._bank.db, plan, now=self._bank.now())
        for parcel in parcels:
            post = asyncio.create_task(self._carry(parcel, self._lanes.begin(parcel.to)))
            self._posts.add(post)
            post.add_done_callback(self._posts.discard)
        return len(parcels)

    async def tidy(self) -> int:
        """End what is over, and measure how late we are. Says how many deliveries it ended."""
        bank, ended = self._bank, 0
        while (canceled := await tidying.cancel(bank.db)) > 0:
            ended += canceled
        async with bank.db.reading() as tx:
            failing = (await tx.execute(tidying.failing(bank.now()))).scalars().all()
        for subscription in failing:
            died = tidying.AT_ONCE
            while died >= tidying.AT_ONCE:
                async with bank.db.transaction() as tx:
                    died = await tidying.give_up(tx, subscription, now=bank.now())
                ended += died
        metrics.UNTOLD.set(await telling.untold(bank.db))
        metrics.DUE.set(await claiming.lateness(bank.db, now=bank.now()))
        return ended

    async def wait(self, seconds: float) -> None:
        """Until there may be something to bring, or `seconds` have passed."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), seconds)
        self._woken.clear()

    async def settle(self, seconds: float = 60.0) -> None:
        """Let the posts under way come to their end, and write down what came of them.

        Those that take longer than `seconds` are broken off: they come due again when their leases end.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._posts:
                    await asyncio.wait(list(self._posts))
        for post in list(self._posts):
            post.cancel()
        await asyncio.gather(*self._posts, return_exceptions=True)
        await self._recording.drain()

    async def _carry(self, parcel: Parcel, post: Post) -> None:
        outcome = None
        try:
            outcome = await self._try(parcel)
            await self._recording.submit(outcome)
        except CannotOpen as error:
            # No fault of the endpoint's, and nothing that time mends: it counts as no attempt, and is tried again when
            # the lease is over.
            _LOG.error("can not sign", subscription=str(parcel.to.subscription_id), why=str(error))
        except Unavailable:
            # The lease ends, and it is brought again.
            _LOG.warning("not written down", delivery=str(parcel.delivery_id))
        except Exception:  # noqa: BLE001 - one parcel that can not be brought must not stop the others
            _LOG.exception("not brought", delivery=str(parcel.delivery_id))
        finally:
            self._lanes.end(post, succeeded=outcome is not None and outcome.succeeded)
            self._woken.set()  # there is room again

    async def _try(self, parcel: Parcel) -> Outcome:
        bank, to = self._bank, parcel.to.subscription_id
        opened = secrets.all_opened(bank.key_ring, parcel.secrets)
        custom = {} if parcel.headers is None else secrets.opened_headers(bank.key_ring, parcel.headers, to)
        began_at = bank.now()
        headers = signature.headers(
            opened,
            custom,
            event_id=parcel.event_id,
            timestamp=int(time.time()),  # the real one, which the receiver compares with his own
            body=parcel.body,
        )
        began = time.monotonic()
        try:
            answer = await bank.outlet.post(parcel.url, headers, parcel.body, timeout_seconds=parcel.timeout_seconds)
        except Unreachable as error:
            took = round((time.monotonic() - began) * 1000)
            return judge(parcel, None, error=error.reason, began_at=began_at, took=took, now=bank.now())
        return judge(
            parcel,
            answer.status,
            retry_after=answer.retry_after,
            began_at=began_at,
            took=answer.milliseconds,
            now=bank.now(),
        )

    async def _record(self, outcomes: Sequence[Outcome], _again: bool) -> Sequence[bool]:
        counted = await recording.record(self._bank.db, outcomes, now=self._bank.now())
        for each in outcomes:
            metrics.ATTEMPTS.labels(each.error or ("DELIVERED" if each.succeeded else "REFUSED")).inc()
        return counted


def judge(
    parcel: Parcel,
    status: int | None,
    *,
    began_at: datetime,
    took: int,
    now: datetime,
    error: str | None = None,
    retry_after: str | None = None,
) -> Outcome:
    """What follows from an answer. Any 2xx is a success; 410 ends the subscription; all else is tried again in time."""
    tries = parcel.attempts - parcel.attempts_before + 1
    wish = wish_of(retry_after, now=time.time()) if status in _ASKS_FOR_PATIENCE else None
    due_at = now
    if status is not None and 200 <= status < 300:  # noqa: PLR2004
        verdict = DeliveryStatus.DELIVERED
    elif status == _GONE:
        verdict = DeliveryStatus.CANCELED
    else:
        pause = Schedule.of(parcel.retry_config).next_pause(tries, wish)
        verdict = DeliveryStatus.DEAD if pause is None else DeliveryStatus.PENDING
        due_at = now if pause is None else now + pause
    return Outcome(
        delivery_id=parcel.delivery_id,
        subscription_id=parcel.to.subscription_id,
        account_id=parcel.account_id,
        attempts=parcel.attempts,
        leased_until=parcel.leased_until,
        status=verdict,
        due_at=due_at,
        started_at=began_at,
        duration_ms=took,
        response_status=status,
        error=error,
        body_sha256=hashlib.sha256(parcel.body).digest(),
        wished=wish,
        gone_url=parcel.url if status == _GONE else None,
    )
