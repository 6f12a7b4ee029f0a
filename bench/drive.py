"""Sends requests from other processes (wrk where it is installed and can, else bench.load) and reads the clocks."""

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO, Literal
from uuid import UUID

from bench import cpu, notification
from bench.load import BEGIN, END, Figures, Plan
from bench.machine import ROOT
from bench.processes import HOST
from bench.seed import PAYMENT, RECIPIENT
from lastro.jsonapi.document import BASE_PATH

Made = Literal["payments", "received", "codes"]

_PAYMENT_BODY = (
    '{"data":{"type":"pix-payments","attributes":{"accountId":"{subject}","amount":'
    + str(PAYMENT)
    + f',"recipientKeyType":"{RECIPIENT.kind}","recipientKeyValue":"{RECIPIENT.value}",'
    + '"description":"Pedido 1042"}}}'
)
_CODE_BODY = '{"data":{"type":"pix-qrcode","attributes":{"accountId":"{subject}","type":"STATIC","amount":10.50}}}'


class LoadError(RuntimeError):
    """The load generator failed; the message ends with what it said."""


@dataclass(frozen=True, slots=True)
class Aim:
    """One kind of request to one server; `makes` is what each expected answer leaves in the books.

    `{subject}` in path and body is one of the subjects, evenly. A `rate` (a second) makes it an open loop.
    """

    method: str
    path: str
    port: int
    headers: Mapping[str, str]
    connections: int
    subjects: Sequence[UUID] = (UUID(int=0),)
    body: str = ""
    makes: Made | None = None
    expected_status: int = 200
    secret: str | None = field(default=None, repr=False)
    rate: float | None = None
    drop: bool = False

    @property
    def needs_ours(self) -> bool:
        """wrk can not sign, and knows no open loop."""
        return self.secret is not None or self.rate is not None

    def plan(self, warm_seconds: float, seconds: float) -> Plan:
        """For our own generator."""
        lines = (f"{self.method} {self.path} HTTP/1.1", *(f"{name}: {value}" for name, value in self.headers.items()))
        return Plan(
            host=HOST,
            port=self.port,
            head="".join(f"{line}\r\n" for line in lines),
            body=self.body,
            subjects=[str(subject) for subject in self.subjects],
            connections=self.connections,
            warm_seconds=warm_seconds,
            seconds=seconds,
            expected_status=self.expected_status,
            secret=self.secret,
            rate=self.rate,
            drop=self.drop,
        )


def payment(port: int, token: str, accounts: Sequence[UUID], connections: int) -> Aim:
    """POST /pix/payments, a new key each time."""
    headers, path = _written(token), f"{BASE_PATH}/pix/payments"
    return Aim("POST", path, port, headers, connections, accounts, _PAYMENT_BODY, "payments", expected_status=201)


def code(port: int, token: str, accounts: Sequence[UUID], connections: int) -> Aim:
    """POST a static QR code."""
    headers, path = _written(token), f"{BASE_PATH}/pix/qrcode"
    return Aim("POST", path, port, headers, connections, accounts, _CODE_BODY, "codes", expected_status=201)


def _written(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}", "content-type": "application/json", "idempotency-key": "{key}"}


def incoming(port: int, secret: str, number: int, connections: int) -> Aim:
    """Signed news of a Pix that arrived for the account of that number."""
    headers = {
        "content-type": "application/json",
        "network-timestamp": "{timestamp}",
        "network-signature": "{signature}",
    }
    body = notification.body(number)
    return Aim("POST", notification.PATH, port, headers, connections, body=body, makes="received", secret=secret)


def get(path: str, port: int, token: str, connections: int, subjects: Sequence[UUID] = (UUID(int=0),)) -> Aim:
    """GET; `{subject}` in the path is one of the subjects."""
    headers = {"authorization": f"Bearer {token}"}
    return Aim("GET", f"{BASE_PATH}{path}", port, headers, connections, subjects)


def account(port: int, token: str, accounts: Sequence[UUID], connections: int) -> Aim:
    """GET an account."""
    return get("/accounts/{subject}", port, token, connections, accounts)


def generator() -> str:
    """Which load generator this machine gets."""
    ours = "Python (bench/load.py)"
    return f"wrk; {ours} for open loops and for signed notifications" if shutil.which("wrk") else ours


def drive(
    aim: Aim, parties: Mapping[str, int], *, warm_seconds: float, seconds: float, scratch: Path
) -> tuple[Figures, cpu.Usage]:
    """Warm up, then measure: what the client saw, and whose processor time it was."""
    if shutil.which("wrk") and not aim.needs_ours:
        return _with_wrk(aim, parties, warm_seconds, seconds, scratch)
    (figures,), usage = together([aim], parties, warm_seconds=warm_seconds, seconds=seconds)
    return figures, usage


def together(
    aims: Sequence[Aim], parties: Mapping[str, int], *, warm_seconds: float, seconds: float
) -> tuple[list[Figures], cpu.Usage]:
    """Several at once, each from a generator of ours."""
    program = (sys.executable, "-m", "bench.load")
    pipe = subprocess.PIPE
    with ExitStack() as stack:
        running = [
            stack.enter_context(subprocess.Popen(program, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe, text=True))
            for _ in aims
        ]
        stack.callback(_stop, running)
        for aim, process in zip(aims, running, strict=True):
            with _stream(process.stdin) as stdin:
                json.dump(asdict(aim.plan(warm_seconds, seconds)), stdin)
        everybody = {**parties, **{f"load {process.pid}": process.pid for process in running}}
        before = _at(BEGIN, running, everybody)
        after = _at(END, running, everybody)
        answers = [_line(process) for process in running]
    return [Figures(**json.loads(answer)) for answer in answers], _merged(cpu.between(before, after))


def _at(word: str, running: Sequence["subprocess.Popen[str]"], parties: Mapping[str, int]) -> cpu.Reading:
    """Wait for the word of all generators, then read the clocks."""
    for process in running:
        if _line(process).strip() != word:
            raise LoadError("bench.load said something else")
    return cpu.read(parties)


def _line(process: "subprocess.Popen[str]") -> str:
    line = _stream(process.stdout).readline()
    if not line:
        raise LoadError(f"bench.load ended early: {_stream(process.stderr).read()[-2000:]}")
    return line


def _stream(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream


def _stop(running: Sequence["subprocess.Popen[str]"]) -> None:
    """After an error, nobody shall go on sending."""
    for process in running:
        if process.poll() is None and sys.exc_info()[0] is not None:
            process.kill()


def _merged(usage: cpu.Usage) -> cpu.Usage:
    """All generators are one party."""
    seconds = {name: value for name, value in usage.seconds.items() if not name.startswith("load ")}
    load = sum(value for name, value in usage.seconds.items() if name.startswith("load "))
    return replace(usage, seconds={**seconds, "load": load})


def _with_wrk(
    aim: Aim, parties: Mapping[str, int], warm_seconds: float, seconds: float, scratch: Path
) -> tuple[Figures, cpu.Usage]:
    warm, _ = _wrk(aim, parties, max(1, round(warm_seconds)), scratch)
    figures, usage = _wrk(aim, parties, max(1, round(seconds)), scratch)
    both = figures.expected_in_all + warm.expected_in_all
    return replace(figures, expected_in_all=both, in_flight=figures.in_flight + warm.in_flight), usage


def _wrk(aim: Aim, parties: Mapping[str, int], seconds: int, scratch: Path) -> tuple[Figures, cpu.Usage]:
    subjects = scratch / "subjects"
    subjects.write_text("".join(f"{subject}\n" for subject in aim.subjects))
    told = {
        "BENCH_HEAD": "".join(f"{name}: {value}\n" for name, value in aim.headers.items()),
        "BENCH_PATH": aim.path,
        "BENCH_METHOD": aim.method,
        "BENCH_BODY": aim.body,
        "BENCH_SUBJECTS": str(subjects),
        "BENCH_SEED": str(random.getrandbits(31)),
    }
    command = ("wrk", "-t1", f"-c{aim.connections}", f"-d{seconds}s", "-s", str(ROOT / "bench" / "wrk.lua"))
    process = subprocess.Popen(
        (*command, f"http://{HOST}:{aim.port}"), env=os.environ | told, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    everybody = {**parties, "load": cpu.FINISHED_CHILDREN}
    before = cpu.read(everybody)
    output, _ = process.communicate()
    after = cpu.read(everybody)
    last = output.decode(errors="replace").strip().rpartition("\n")[2]
    if process.returncode or not last.startswith("{"):
        raise LoadError(f"wrk failed: {output.decode(errors='replace')[-2000:]}")
    seen = json.loads(last)
    good = seen["answered"] - seen["refused"]
    return Figures(
        seconds=seen["seconds"],
        answered=seen["answered"],
        expected=good,
        expected_in_all=good,
        in_flight=aim.connections,  # wrk stops without waiting for what it sent
        p50_milliseconds=seen["p50"],
        p95_milliseconds=seen["p95"],
        p99_milliseconds=seen["p99"],
        statuses={name: count for name, count in (("refused", seen["refused"]), ("closed", seen["broken"])) if count},
    ), cpu.between(before, after)
