"""The load generator against a server whose answers are known."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from bench.load import Plan, Run, Schedule
from bench.requests import Template
from bench.seed import ISPB, account_number, document

from bench import drive
from lastro.providers.network_http import NetworkHttp
from lastro.providers.protocol import PixReceived

HEAD = "GET /{subject} HTTP/1.1\r\nidempotency-key: {key}\r\n"
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\ncontent-length: 0\r\n\r\n"


class Server:
    """Answers each request after a pause, one at a time, in pieces; remembers what it was asked."""

    def __init__(self, answer: bytes = OK, pause: float = 0.0) -> None:
        self.requests: list[bytes] = []
        self._answer, self._pause = answer, pause
        self._one_at_a_time = threading.Lock()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]

    def run(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            while request := client.recv(65536):
                with self._one_at_a_time:
                    self.requests.append(request)
                    time.sleep(self._pause)
                client.sendall(self._answer[:20])
                client.sendall(self._answer[20:])

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()


@contextmanager
def serving(answer: bytes = OK, pause: float = 0.0) -> Iterator[Server]:
    server = Server(answer, pause)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield server
    finally:
        server.close()
        thread.join()


def _plan(port: int, *, connections: int = 2, rate: float | None = None, drop: bool = False) -> Plan:
    return Plan(
        host="127.0.0.1",
        port=port,
        head=HEAD,
        body="",
        subjects=["a", "b"],
        connections=connections,
        warm_seconds=0.1,
        seconds=0.5,
        expected_status=200,
        rate=rate,
        drop=drop,
    )


def test_a_closed_loop_sends_a_new_key_each_time_and_counts_every_answer() -> None:
    with serving(pause=0.002) as server:
        figures = Run(_plan(server.port)).carry_out()
    keys = [request.split(b"idempotency-key: ")[1].split(b"\r\n")[0] for request in server.requests]
    assert len(set(keys)) == len(keys) == figures.expected_in_all
    assert {request.split()[1] for request in server.requests} == {b"/a", b"/b"}
    assert 0 < figures.expected == figures.answered < figures.expected_in_all
    assert (figures.in_flight, figures.statuses) == (0, {})
    assert 2 < figures.p50_milliseconds <= figures.p95_milliseconds <= figures.p99_milliseconds


def test_refusals_are_told_apart_and_so_are_those_that_say_when_to_come_again() -> None:
    with serving(BUSY, pause=0.002) as server:
        figures = Run(_plan(server.port)).carry_out()
    assert figures.expected == figures.expected_in_all == 0
    assert figures.statuses == {"503": len(server.requests)}
    assert figures.retry_later == figures.answered > 0
    assert figures.p99_milliseconds == 0


def test_a_schedule_neither_drifts_nor_forgets() -> None:
    schedule = Schedule(start=100.0, rate=10.0)
    assert schedule.due(100.25) == [pytest.approx(moment) for moment in (100.0, 100.1, 100.2)]
    assert schedule.due(100.25) == []
    assert schedule.next_at == pytest.approx(100.3)
    assert len(schedule.due(160.0)) == 598
    assert schedule.next_at == pytest.approx(160.1)


def test_an_open_loop_offers_its_rate() -> None:
    with serving() as server:
        figures = Run(_plan(server.port, connections=64, rate=100)).carry_out()
    assert figures.expected == pytest.approx(50, abs=5)
    assert figures.dropped == 0


def test_an_open_loop_counts_from_the_moment_that_was_due() -> None:
    # Fifty are due, one after the other, and each takes 20 ms: the last of them waits for half a second and more.
    with serving(pause=0.02) as server:
        figures = Run(_plan(server.port, connections=1, rate=100)).carry_out()
    assert figures.expected_in_all == len(server.requests) == pytest.approx(60, abs=3)
    assert figures.p99_milliseconds > 400


def test_what_finds_no_connection_is_dropped_where_clients_do_not_wait() -> None:
    with serving(pause=0.02) as server:
        figures = Run(_plan(server.port, connections=1, rate=100, drop=True)).carry_out()
    assert figures.dropped > 15
    assert figures.dropped + figures.expected == pytest.approx(50, abs=5)


def test_a_notification_is_signed_so_that_the_network_s_adapter_believes_it() -> None:
    secret = "s" * 32
    plan = drive.incoming(80, secret, 7, 1).plan(0, 1)
    make = Template(plan.head, plan.body, plan.subjects, secret).maker("127.0.0.1:80")
    messages = [make(), make()]
    heard = []
    for message in messages:
        head, _, body = message.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
        assert int(headers["content-length"]) == len(body)
        heard.append(NetworkHttp(httpx.AsyncClient(), base_url="http://x", secret=secret).read(headers, body))
        json.loads(body)
    first, second = heard
    assert isinstance(first, PixReceived)
    assert isinstance(second, PixReceived)
    assert first.end_to_end_id != second.end_to_end_id
    assert first.payee_tax_id.value == document(7)
    assert (first.payee_account.ispb, first.payee_account.branch, first.payee_account.number) == (
        ISPB,
        *account_number(7),
    )
