"""Sends requests to a server from another process (wrk where it is installed, else bench.load) and reads the clocks."""

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from uuid import UUID

from bench import cpu
from bench.load import BEGIN, END, Figures, Plan
from bench.machine import ROOT
from bench.processes import HOST
from bench.seed import PAYMENT, RECIPIENT
from lastro.jsonapi.document import BASE_PATH

_BODY = (
    '{"data":{"type":"pix-payments","attributes":{"accountId":"{account}","amount":'
    + str(PAYMENT)
    + f',"recipientKeyType":"{RECIPIENT.kind}","recipientKeyValue":"{RECIPIENT.value}",'
    + '"description":"Pedido 1042"}}}'
)


class LoadError(RuntimeError):
    """The load generator failed; the message ends with what it said."""


@dataclass(frozen=True, slots=True)
class Aim:
    """One kind of request to one server, from so many connections, spread evenly over these accounts."""

    method: str
    path: str
    port: int
    token: str
    accounts: Sequence[UUID]
    connections: int

    @property
    def pays(self) -> bool:
        """Whether it moves money."""
        return self.method == "POST"

    @property
    def headers(self) -> dict[str, str]:
        """All but Idempotency-Key, which differs each time."""
        common = {"authorization": f"Bearer {self.token}"}
        return common | {"content-type": "application/json"} if self.pays else common

    def plan(self, warm_seconds: float, seconds: float) -> Plan:
        """For our own generator."""
        headers = self.headers | ({"idempotency-key": "{key}"} if self.pays else {})
        lines = (f"{self.method} {self.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "")
        return Plan(
            host=HOST,
            port=self.port,
            head="\r\n".join(lines),
            body=_BODY if self.pays else "",
            accounts=[str(account) for account in self.accounts],
            connections=self.connections,
            warm_seconds=warm_seconds,
            seconds=seconds,
            expected_status=201 if self.pays else 200,
        )


def payment(port: int, token: str, accounts: Sequence[UUID], connections: int) -> Aim:
    """POST /pix/payments, a new key each time."""
    return Aim("POST", f"{BASE_PATH}/pix/payments", port, token, accounts, connections)


def account(port: int, token: str, accounts: Sequence[UUID], connections: int) -> Aim:
    """GET an account."""
    return Aim("GET", f"{BASE_PATH}/accounts/{{account}}", port, token, accounts, connections)


def generator() -> str:
    """Which load generator this machine gets."""
    return "wrk" if shutil.which("wrk") else "asyncio (bench/load.py)"


def drive(
    aim: Aim, parties: Mapping[str, int], *, warm_seconds: float, seconds: float, scratch: Path
) -> tuple[Figures, cpu.Usage]:
    """Warm up, then measure: what the client saw, and whose processor time it was."""
    send = _with_wrk if shutil.which("wrk") else _with_ours
    return send(aim, parties, warm_seconds, seconds, scratch)


def _with_ours(
    aim: Aim, parties: Mapping[str, int], warm_seconds: float, seconds: float, _scratch: Path
) -> tuple[Figures, cpu.Usage]:
    program = (sys.executable, "-m", "bench.load")
    with subprocess.Popen(
        program, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        everybody = {**parties, "load": process.pid}
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        json.dump(asdict(aim.plan(warm_seconds, seconds)), process.stdin)
        process.stdin.close()
        before = _at(BEGIN, process.stdout.readline, everybody)
        after = _at(END, process.stdout.readline, everybody)
        answer = process.stdout.readline()
        if before is None or after is None or not answer:
            raise LoadError(f"bench.load ended early: {process.stderr.read()[-2000:]}")
    return Figures(**json.loads(answer)), cpu.between(before, after)


def _at(word: str, readline: Callable[[], str], parties: Mapping[str, int]) -> cpu.Reading | None:
    """Wait for the generator's word, then read the clocks."""
    return cpu.read(parties) if readline().strip() == word else None


def _with_wrk(
    aim: Aim, parties: Mapping[str, int], warm_seconds: float, seconds: float, scratch: Path
) -> tuple[Figures, cpu.Usage]:
    warm, _ = _wrk(aim, parties, max(1, round(warm_seconds)), scratch)
    figures, usage = _wrk(aim, parties, max(1, round(seconds)), scratch)
    both = figures.expected_in_all + warm.expected_in_all
    return replace(figures, expected_in_all=both, in_flight=figures.in_flight + warm.in_flight), usage


def _wrk(aim: Aim, parties: Mapping[str, int], seconds: int, scratch: Path) -> tuple[Figures, cpu.Usage]:
    accounts = scratch / "accounts"
    accounts.write_text("".join(f"{account}\n" for account in aim.accounts))
    told = {
        "BENCH_HEAD": "".join(f"{name}: {value}\n" for name, value in aim.headers.items()),
        "BENCH_PATH": aim.path,
        "BENCH_METHOD": aim.method,
        "BENCH_BODY": _BODY if aim.pays else "",
        "BENCH_ACCOUNTS": str(accounts),
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
