"""A closed-loop load generator in a process of its own: a plan comes in as JSON, figures go out as JSON.

Each connection sends, waits for the whole answer, and sends again. A slow answer therefore delays the requests behind
it (coordinated omission): the percentiles are those of a client that waits.
"""

import array
import asyncio
import gc
import json
import random
import re
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import Any

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_SECONDS_TO_FINISH = 30.0
BEGIN, END = "begin", "end"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send. `{account}` and `{key}` in head and body are filled in, always with the same lengths."""

    host: str
    port: int
    head: str
    body: str
    accounts: list[str]
    connections: int
    warm_seconds: float
    seconds: float
    expected_status: int

    def template(self) -> bytes:
        """The whole request; %s stands for key and account."""
        size = len(self.body.replace("{account}", self.accounts[0]).encode())
        length = f"content-length: {size}\r\n" if self.body else ""
        request = f"{self.head}host: {self.host}:{self.port}\r\n{length}\r\n{self.body}"
        return request.replace("%", "%%").replace("{account}", "%(account)s").replace("{key}", "%(key)s").encode()


@dataclass(slots=True)
class Figures:
    """What came back. `answered` and `expected` are those of the window; `expected_in_all` counts everything.

    `statuses` counts the answers that were not expected; `in_flight`, the requests whose answer nobody saw.
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


class _Run:
    """All connections of one run, and what they saw."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.figures = Figures()
        self.measuring = False
        self.stopping = False
        self.open = 0
        self.finished = asyncio.Event()
        self._latencies = array.array("d")
        self._accounts = [account.encode() for account in plan.accounts]
        self._template = plan.template()

    def request(self) -> bytes:
        key = b"%032x" % random.getrandbits(128)
        return self._template % {b"account": random.choice(self._accounts), b"key": key}

    def answered(self, status: int, seconds: float) -> None:
        good = status == self.plan.expected_status
        self.figures.expected_in_all += good
        if not good:
            name = str(status)
            self.figures.statuses[name] = self.figures.statuses.get(name, 0) + 1
        if self.measuring:
            self.figures.answered += 1
            self.figures.expected += good
            self._latencies.append(seconds)

    def broke_off(self) -> None:
        """Nobody knows what became of the request that was under way."""
        self.figures.in_flight += 1
        self.figures.statuses["closed"] = self.figures.statuses.get("closed", 0) + 1

    def closed(self) -> None:
        self.open -= 1
        if self.open == 0:
            self.finished.set()

    def percentiles(self) -> None:
        ordered = sorted(self._latencies)
        for name, share in (("p50", 0.50), ("p95", 0.95), ("p99", 0.99)):
            value = ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000 if ordered else 0.0
            setattr(self.figures, f"{name}_milliseconds", value)


class _Connection(asyncio.Protocol):
    """One client: one request under way at a time, over one connection that stays open."""

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._buffer = b""
        self._sent_at = 0.0
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._run.open += 1
        self._send()

    def _send(self) -> None:
        if self._run.stopping:
            self._transport.close()
            return
        request = self._run.request()
        self._sent_at = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end_of_head = self._buffer.find(b"\r\n\r\n")
        if end_of_head < 0:
            return
        found = _LENGTH.search(self._buffer, 0, end_of_head)
        length = int(found[1]) if found else 0
        if len(self._buffer) < end_of_head + 4 + length:
            return
        self._run.answered(int(self._buffer[9:12]), time.perf_counter() - self._sent_at)
        self._buffer = b""
        self._send()

    def connection_lost(self, _error: Exception | None) -> None:
        if not self._run.stopping:
            self._run.broke_off()
        self._run.closed()


async def _carry_out(plan: Plan) -> Figures:
    run = _Run(plan)
    loop = asyncio.get_running_loop()
    for _ in range(plan.connections):
        await loop.create_connection(lambda: _Connection(run), plan.host, plan.port)
    await asyncio.sleep(plan.warm_seconds)
    print(BEGIN, flush=True)
    started_at, run.measuring = time.perf_counter(), True
    await asyncio.sleep(plan.seconds)
    run.measuring, run.stopping = False, True
    run.figures.seconds = time.perf_counter() - started_at
    print(END, flush=True)
    await asyncio.wait_for(run.finished.wait(), _SECONDS_TO_FINISH)
    run.percentiles()
    return run.figures


def main() -> None:
    """Read a plan from standard input; say begin, end, and the figures on standard output."""
    plan = Plan(**json.load(sys.stdin))
    gc.disable()  # nothing here makes cycles, and a pause would be blamed on the server
    try:
        import uvloop
    except ImportError:
        loop_factory = None
    else:
        loop_factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        figures = runner.run(_carry_out(plan))
    print(json.dumps(asdict(figures)), flush=True)


if __name__ == "__main__":
    main()
