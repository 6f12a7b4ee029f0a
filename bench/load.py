"""A load generator in a process of its own: a plan comes in as JSON, figures go out as JSON.

Closed loop: each connection sends, waits for the whole answer, and sends again. A slow answer delays the requests
behind it (coordinated omission), so its percentiles are those of clients that wait.

Open loop: requests are due at a constant rate, whatever the server does, and each latency counts from the moment that
its request was *due*: what waits for a connection waits at the server's expense.

It shares the cores with what it measures, so it is one loop over plain sockets: asyncio would cost twice as much.
"""

import array
import gc
import json
import re
import select
import selectors
import socket
import sys
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any

from bench.figures import percentile
from bench.requests import Template

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_SECONDS_TO_FINISH = 30.0
_LARGEST_READ = 262_144
BEGIN, END = "begin", "end"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send, and how: `rate` is None in a closed loop, else requests a second.

    In an open loop, `connections` is the most that are opened; with `drop`, a request that is due while all of them
    are busy is never sent, as that of a client that is turned away by its own limits.
    """

    host: str
    port: int
    head: str
    body: str
    subjects: list[str]
    connections: int
    warm_seconds: float
    seconds: float
    expected_status: int
    secret: str | None = None
    rate: float | None = None
    drop: bool = False


@dataclass(slots=True)
class Figures:
    """What came back. `answered` and `expected` are those of the window; `expected_in_all` counts everything.

    `sent` are those of the window; `statuses` counts the answers that were not expected; `retry_later`, those that
    named a time to come again; `in_flight`, the requests whose answer nobody saw; `dropped`, those that were due in the
    window and never sent.
    """

    seconds: float = 0.0
    answered: int = 0
    expected: int = 0
    expected_in_all: int = 0
    in_flight: int = 0
    p50_milliseconds: float = 0.0
    p95_milliseconds: float = 0.0
    p99_milliseconds: float = 0.0
    statuses: dict[str, int] = field(default_factory=dict)
    sent: int = 0
    retry_later: int = 0
    dropped: int = 0


class _Client:
    """One connection, which has one request under way at a time."""

    __slots__ = ("buffer", "busy", "due_at", "socket")

    def __init__(self, host: str, port: int) -> None:
        self.socket = socket.create_connection((host, port), timeout=_SECONDS_TO_FINISH)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.buffer = b""
        self.due_at = 0.0
        self.busy = False


class Schedule:
    """When requests are due: a constant rate from `start` on."""

    def __init__(self, start: float, rate: float) -> None:
        self._start, self._rate, self._given = start, rate, 0

    @property
    def next_at(self) -> float:
        """When the next one is due. Computed from the start, so that nothing adds up."""
        return self._start + self._given / self._rate

    def due(self, now: float) -> list[float]:
        """The moments that have come since the last question."""
        moments = []
        while (moment := self.next_at) <= now:
            moments.append(moment)
            self._given += 1
        return moments


class Run:
    """All connections of one run, and what they saw."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.figures = Figures()
        self._make = Template(plan.head, plan.body, plan.subjects, plan.secret).maker(f"{plan.host}:{plan.port}")
        self._selector = selectors.DefaultSelector()
        self._idle: list[_Client] = []
        self._waiting: deque[float] = deque()
        self._open = self._busy = self._sent = 0
        self._latencies = array.array("d")
        self._window = (float("inf"), float("inf"))

    def carry_out(self) -> Figures:
        """Warm up, measure, and wait for what is under way."""
        plan = self.plan
        if plan.drop:  # to open thousands takes a while, which is not the server's fault
            self._idle = [self._connected() for _ in range(plan.connections)]
        start = time.perf_counter()
        schedule = Schedule(start, plan.rate) if plan.rate else None
        if schedule is None:
            for _ in range(plan.connections):
                self._send(self._connected(), time.perf_counter())
        begin = start + plan.warm_seconds
        self._until(begin, schedule)
        self._window, sent = (time.perf_counter(), float("inf")), self._sent
        print(BEGIN, flush=True)
        self._until(self._window[0] + plan.seconds, schedule)
        self._window, self.figures.sent = (self._window[0], time.perf_counter()), self._sent - sent
        print(END, flush=True)
        self._finish()
        self._count()
        return self.figures

    def _until(self, end: float, schedule: Schedule | None) -> None:
        while (now := time.perf_counter()) < end:
            wake_at = end
            if schedule is not None:
                for moment in schedule.due(now):
                    self._begin(moment)
                wake_at = min(end, schedule.next_at)
            self._hear(wake_at, again=schedule is None)

    def _finish(self) -> None:
        give_up_at = time.perf_counter() + _SECONDS_TO_FINISH
        while (self._busy or self._waiting) and time.perf_counter() < give_up_at:
            self._hear(give_up_at, again=False)
        self.figures.in_flight += self._busy
        if self._busy:
            self._note("no answer", self._busy)
        for key in list(self._selector.get_map().values()):
            self._close(key.data)
        self._selector.close()

    def _begin(self, due_at: float) -> None:
        """Send on a connection that is free, or on a new one; else the request waits, or is dropped."""
        if self._idle:
            self._send(self._idle.pop(), due_at)
        elif self._open < self.plan.connections:
            self._send(self._connected(), due_at)
        elif not self.plan.drop:
            self._waiting.append(due_at)
        elif self._window[0] <= due_at:
            self.figures.dropped += 1

    def _connected(self) -> _Client:
        client = _Client(self.plan.host, self.plan.port)
        self._selector.register(client.socket, selectors.EVENT_READ, client)
        self._open += 1
        return client

    def _send(self, client: _Client, due_at: float) -> None:
        client.due_at, client.busy = due_at, True
        self._busy += 1
        self._sent += 1
        try:
            client.socket.send(self._make())  # a request is far smaller than the buffer of an idle socket
        except OSError:  # the server hung up on an idle connection before it read this: nothing happened
            self._close(client)
            self._begin(due_at)

    def _hear(self, wake_at: float, *, again: bool) -> None:
        """Wait for answers, at most until then. `again`: who was answered sends the next request."""
        remaining = max(0.0, wake_at - time.perf_counter())
        if self.plan.rate and remaining < 1:
            select.select([self._selector], [], [], remaining)  # epoll alone counts in milliseconds
            remaining = 0
        for key, _ in self._selector.select(remaining):
            client: _Client = key.data
            try:
                data = client.socket.recv(_LARGEST_READ)
            except BlockingIOError:
                continue
            except OSError:
                data = b""
            if not data:
                self._hung_up(client, again=again)
            elif self._answered(client, data):
                if again:
                    self._send(client, time.perf_counter())
                elif self._waiting:
                    self._send(client, self._waiting.popleft())
                else:
                    self._idle.append(client)

    def _answered(self, client: _Client, data: bytes) -> bool:
        """Whether the answer is whole now."""
        if client.buffer:
            data = client.buffer + data
        head = data.find(b"\r\n\r\n")
        found = _LENGTH.search(data, 0, head) if head >= 0 else None
        if head < 0 or len(data) < head + 4 + (int(found[1]) if found else 0):
            client.buffer = data
            return False
        client.buffer, client.busy = b"", False
        self._busy -= 1
        now, figures, (begin, end) = time.perf_counter(), self.figures, self._window
        good = int(data[9:12]) == self.plan.expected_status
        figures.expected_in_all += good
        if not good:
            self._note(data[9:12].decode(), 1)
        if begin <= now <= end:
            figures.answered += 1
            figures.expected += good
            if not good:
                figures.retry_later += b"\r\nretry-after:" in data[:head].lower()
        if good and begin <= (client.due_at if self.plan.rate else now) <= end:
            self._latencies.append(now - client.due_at)
        return True

    def _hung_up(self, client: _Client, *, again: bool) -> None:
        """An idle connection that is closed is replaced when it is missed; of a busy one, nobody knows what became."""
        if client.busy:
            self.figures.in_flight += 1
            self._note("closed", 1)
        elif client in self._idle:
            self._idle.remove(client)
        self._close(client)
        if again:
            self._send(self._connected(), time.perf_counter())

    def _close(self, client: _Client) -> None:
        self._busy -= client.busy
        self._open -= 1
        self._selector.unregister(client.socket)
        client.socket.close()

    def _note(self, what: str, times: int) -> None:
        self.figures.statuses[what] = self.figures.statuses.get(what, 0) + times

    def _count(self) -> None:
        figures, ordered = self.figures, sorted(self._latencies)
        begin, end = self._window
        figures.seconds = end - begin
        figures.p50_milliseconds = percentile(ordered, 0.50) * 1000
        figures.p95_milliseconds = percentile(ordered, 0.95) * 1000
        figures.p99_milliseconds = percentile(ordered, 0.99) * 1000


def main() -> None:
    """Read a plan from standard input; say begin, end, and the figures on standard output."""
    told: dict[str, Any] = json.load(sys.stdin)
    gc.disable()  # nothing here makes cycles, and a pause would be blamed on the server
    print(json.dumps(asdict(Run(Plan(**told)).carry_out())), flush=True)


if __name__ == "__main__":
    main()
