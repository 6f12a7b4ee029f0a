"""Spares whoever asks a provider that does not answer: after a row of failures, "not now" at once, and a try now and
then."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from lastro import logs, metrics
from lastro.errors import BankError, ProviderUnavailable
from lastro.values.text import Text

FAILURES = 5  # in a row
WITHIN_SECONDS = 60.0  # of each other: five that wait for an answer, one after the other, still count
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0
SILENCE_SECONDS = 2.0  # whoever gives up waiting after this has met a failure too

_RESTING = Text(
    "O provedor não está respondendo. Aguarde e tente de novo.",
    "The provider has stopped answering. Wait, then try again.",
)
_log = logs.logger("breaker")

Result = TypeVar("Result")


class CircuitState(StrEnum):
    """CLOSED: calls go through. OPEN: none does. HALF_OPEN: one is out to see."""

    CLOSED = "CLOSED"
    OPEN = "OPEN"
    HALF_OPEN = "HALF_OPEN"


class Circuit:
    """One breaker. A refusal in the provider's own words is an answer: it counts as success."""

    def __init__(self, name: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._clock = clock
        self._failures = 0
        self._first_failure = 0.0
        self._rests_until: float | None = None  # None: closed
        self._pause = FIRST_PAUSE_SECONDS
        self._trying = False

    def state(self) -> CircuitState:
        """As it stands now; OPEN also when the pause is over and nobody has tried yet."""
        if self._rests_until is None:
            return CircuitState.CLOSED
        return CircuitState.HALF_OPEN if self._trying else CircuitState.OPEN

    async def through(self, call: Callable[[], Awaitable[Result]]) -> Result:
        """Make the call, if there is hope; raises ProviderUnavailable with the time to wait when there is none.

        Whatever the call raises is raised. An error that is none of a bank is a bug of ours, and tells nothing of the
        provider.
        """
        trial, began = self._enter(), self._clock()
        try:
            result = await call()
        except ProviderUnavailable:
            self._failed(trial=trial)
            raise
        except BankError:
            self._succeeded(trial=trial)
            raise
        except asyncio.CancelledError:
            if self._clock() - began >= SILENCE_SECONDS:
                self._failed(trial=trial)
            raise
        else:
            self._succeeded(trial=trial)
            return result
        finally:
            if trial:
                self._trying = False

    def _enter(self) -> bool:
        """Whether this call is the one that tries. Raises ProviderUnavailable."""
        if self._rests_until is None:
            return False
        left = self._rests_until - self._clock()
        if left > 0 or self._trying:
            raise ProviderUnavailable(_RESTING, retry_after=max(1, math.ceil(left)))
        self._trying = True
        return True

    def _succeeded(self, *, trial: bool) -> None:
        if trial:
            _log.warning("breaker_closed", part=self._name)
            self._rests_until, self._pause = None, FIRST_PAUSE_SECONDS
        if self._rests_until is None:  # a call that was begun before it opened does not close it
            self._failures = 0

    def _failed(self, *, trial: bool) -> None:
        now = self._clock()
        if trial:
            self._pause = min(self._pause * 2, LONGEST_PAUSE_SECONDS)
            self._rests_until = now + self._pause
        elif self._rests_until is None:
            if self._failures == 0 or now - self._first_failure > WITHIN_SECONDS:
                self._failures, self._first_failure = 0, now
            self._failures += 1
            if self._failures >= FAILURES:
                self._rests_until = now + self._pause
                metrics.BREAKER_OPENED.labels(self._name).inc()
                _log.error("breaker_opened", part=self._name, failures=self._failures)


@dataclass(frozen=True, slots=True)
class Circuits:
    """A breaker for each part of a provider: a directory that is silent keeps no payment from settling."""

    directory: Circuit = field(default_factory=lambda: Circuit("directory"))
    settlement: Circuit = field(default_factory=lambda: Circuit("settlement"))
    office: Circuit = field(default_factory=lambda: Circuit("office"))
    messages: Circuit = field(default_factory=lambda: Circuit("messages"))

    def states(self) -> Mapping[str, CircuitState]:
        """How each stands, in this process."""
        return {
            "directory": self.directory.state(),
            "settlement": self.settlement.state(),
            "office": self.office.state(),
            "messages": self.messages.state(),
        }
