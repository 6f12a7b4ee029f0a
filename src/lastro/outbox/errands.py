"""Promises that are kept one by one, or provider by provider: side by side, and not for long."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

from lastro.errors import BankError, Unavailable
from lastro.outbox.queue import Claimed, Waiting

PATIENCE_SECONDS = 4.0  # for all that were claimed together: the worker has payments to bring to the network too
AT_ONCE = 16

Errand = Callable[[Claimed], Awaitable[None]]


async def side_by_side(claimed: Sequence[Claimed], errand: Errand) -> Sequence[Waiting]:
    """Run the errands, some at once, all within a few seconds; says which must wait, and why.

    One that fails, whatever the reason, does not stand in the way of the others.
    """
    places = asyncio.Semaphore(AT_ONCE)
    deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS

    async def run(each: Claimed) -> Waiting | None:
        try:
            async with asyncio.timeout_at(deadline), places:
                await errand(each)
        except Exception as error:  # noqa: BLE001 - whatever it was, nothing is known of this one
            return Waiting(each, f"{type(error).__name__}: {error}")
        return None

    return [waiting for waiting in await asyncio.gather(*map(run, claimed)) if waiting is not None]


async def provider_by_provider(
    claimed: Sequence[Claimed],
    provider_of: Callable[[Claimed], UUID],
    keep: Callable[[UUID, Sequence[Claimed]], Awaitable[Sequence[Waiting]]],
) -> Sequence[Waiting]:
    """Keep each provider's promises by themselves, side by side: a slow one keeps no other's waiting.

    What goes wrong with one makes its own promises wait. Says which must wait, and why.
    """

    async def at(provider_id: UUID, mine: Sequence[Claimed]) -> Sequence[Waiting]:
        try:
            return await keep(provider_id, mine)
        except BankError as error:
            return [Waiting(each, f"{type(error).__name__}: {error}") for each in mine]

    parts: dict[UUID, list[Claimed]] = {}
    for each in claimed:
        parts.setdefault(provider_of(each), []).append(each)
    done = await asyncio.gather(*(at(provider_id, mine) for provider_id, mine in parts.items()), return_exceptions=True)
    waiting: list[Waiting] = []
    for outcome in done:
        if isinstance(outcome, BaseException):  # a bug: the others are done, and are left alone by who postpones
            raise outcome
        waiting += outcome
    return waiting


async def apart(claimed: Sequence[Claimed], keep: Callable[[Sequence[Claimed]], Awaitable[None]]) -> Sequence[Waiting]:
    """Keep these together, in one transaction; if that fails, one by one, so that what is wrong waits alone."""
    if not claimed:
        return []
    try:
        await keep(claimed)
    except Unavailable:
        raise
    except Exception as error:  # noqa: BLE001 - as above
        if len(claimed) == 1:
            return [Waiting(claimed[0], f"{type(error).__name__}: {error}")]
        return [waiting for each in claimed for waiting in await apart([each], keep)]
    return []
