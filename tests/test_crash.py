"""kill -9 in the middle of everything, Postgres included: what was answered 201 is there, and settles once."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from build import API, until
from lastro import demo
from lastro.checker.run import check_books
from lastro.embedded.home import data_directory

ROUNDS = 3
SENDERS = 16
TAKEN_BEFORE_THE_CUT = 150


@dataclass
class Installation:
    """One `lastro dev` on a directory of its own."""

    home: Path
    port: int
    process: "subprocess.Popen[bytes] | None" = None
    taken: dict[str, str] = field(default_factory=dict)
    """Idempotency-Key → payment id, of every 201."""
    unknown: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Idempotency-Key → body, of every request that never got an answer."""

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        command = [sys.executable, "-m", "lastro", "dev", "--port", str(self.port), "--data-dir", str(self.home)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        async with httpx.AsyncClient(base_url=self.base, trust_env=False) as client:

            async def ready() -> bool:
                assert self.process is not None
                assert self.process.poll() is None, "lastro dev left"
                try:
                    return (await client.get("/health/ready")).status_code == 200
                except httpx.HTTPError:
                    return False

            await until(ready, seconds=60)

    def postmaster(self) -> int:
        return int((self.home / "data" / "postmaster.pid").read_text().splitlines()[0])

    def kill_everything(self) -> None:
        """As a power cut would: no process gets to say goodbye."""
        assert self.process is not None
        postmaster = self.postmaster()
        backends = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        for pid in (self.process.pid, postmaster, *map(int, backends)):
            os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def urls(self) -> tuple[str, str]:
        password = json.loads((self.home / "secrets.json").read_text())["application"]
        port = (self.home / "data" / "postmaster.pid").read_text().splitlines()[3]
        base = f"postgresql+asyncpg://lastro_login:{password}@127.0.0.1:{port}"
        return f"{base}/lastro", f"{base}/lastro_simulator"

    async def send(self, client: httpx.AsyncClient, key: str, body: dict[str, Any]) -> None:
        headers = {"authorization": f"Bearer {demo.TOKEN}", "idempotency-key": key}
        try:
            response = await client.post(f"{API}/pix/payments", json=body, headers=headers)
        except httpx.HTTPError:
            self.unknown[key] = body
            raise
        if response.status_code == 201:
            self.taken[key] = response.json()["data"]["id"]
        else:
            assert response.status_code == 503, response.text
            self.unknown[key] = body


@pytest.fixture
def installation() -> Iterator[Installation]:
    parent = Path(tempfile.mkdtemp(prefix="lastro-crash-"))
    home = data_directory(parent)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    made = Installation(home, port)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.stop()
    shutil.rmtree(home, ignore_errors=True)
    shutil.rmtree(parent, ignore_errors=True)


def a_payment(amount: float = 0.01) -> dict[str, Any]:
    attributes = {
        "accountId": str(demo.ACCOUNT),
        "amount": amount,
        "recipientKeyType": "CPF",
        "recipientKeyValue": "12345678901",
    }
    return {"data": {"type": "pix-payments", "attributes": attributes}}


async def traffic(installation: Installation, round_number: int) -> None:
    """Senders that go on until the lights go out."""
    before = len(installation.taken)
    limits = httpx.Limits(max_connections=SENDERS)
    async with httpx.AsyncClient(base_url=installation.base, trust_env=False, timeout=10, limits=limits) as client:

        async def sender(number: int) -> None:
            for count in range(10_000):
                try:
                    await installation.send(client, f"{round_number}-{number}-{count}", a_payment())
                except httpx.HTTPError:
                    return

        async def in_full_swing() -> bool:
            return len(installation.taken) >= before + TAKEN_BEFORE_THE_CUT

        senders = [asyncio.create_task(sender(number)) for number in range(SENDERS)]
        await until(in_full_swing, seconds=30)
        installation.kill_everything()
        await asyncio.gather(*senders)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds Postgres' processes through /proc")
async def test_three_power_cuts_lose_nothing_and_double_nothing(installation: Installation) -> None:
    for round_number in range(ROUNDS):
        await installation.start()
        await traffic(installation, round_number)
    assert len(installation.taken) >= ROUNDS * TAKEN_BEFORE_THE_CUT
    await installation.start()

    async with httpx.AsyncClient(base_url=installation.base, trust_env=False, timeout=30) as client:
        answered_before = dict(installation.taken)
        for key, body in list(installation.unknown.items()):
            await installation.send(client, key, body)
        assert set(installation.unknown) <= set(installation.taken), (
            "every request of unknown outcome could be repeated"
        )
        assert {key: installation.taken[key] for key in answered_before} == answered_before

        async def at_rest() -> bool:
            query = f"filter[accountId]={demo.ACCOUNT}&filter[status]=PROCESSING&page[size]=1"
            response = await client.get(
                f"{API}/pix/payments?{query}", headers={"authorization": f"Bearer {demo.TOKEN}"}
            )
            return bool(response.json()["meta"]["totalItems"] == 0)

        await until(at_rest, seconds=30)
        done = await client.get(
            f"{API}/pix/payments?filter[status]=COMPLETED&page[size]=1",
            headers={"authorization": f"Bearer {demo.TOKEN}"},
        )
        assert done.json()["meta"]["totalItems"] == len(installation.taken), "one payment a key, no more, no fewer"
        account = await client.get(f"{API}/accounts/{demo.ACCOUNT}", headers={"authorization": f"Bearer {demo.TOKEN}"})
        spent = len(installation.taken)
        assert round(account.json()["data"]["attributes"]["balance"] * 100) == 5_000_000 - spent

    bank, simulator = installation.urls()

    async def is_clean() -> bool:  # as soon as the last events have their places
        return (await check_books(bank, simulator_url=simulator, quiesced=True)).clean

    with contextlib.suppress(TimeoutError):
        await until(is_clean, seconds=10)
    report = await check_books(bank, simulator_url=simulator, quiesced=True)
    assert report.clean, report.text()
    postmaster = installation.postmaster()
    assert installation.stop() == 0, "SIGTERM ends it in order"
    assert not Path(f"/proc/{postmaster}").exists(), "and Postgres with it"


async def test_a_database_that_dies_comes_back_by_itself(installation: Installation) -> None:
    await installation.start()
    os.kill(installation.postmaster(), signal.SIGKILL)

    async with httpx.AsyncClient(base_url=installation.base, trust_env=False, timeout=30) as client:
        refused = await client.get(f"{API}/accounts", headers={"authorization": f"Bearer {demo.TOKEN}"})
        assert refused.status_code in {200, 503}

        async def back() -> bool:
            return (await client.get("/health/ready")).status_code == 200

        await until(back, seconds=30)
        await installation.send(client, "after", a_payment())
    assert "after" in installation.taken


async def test_a_second_one_on_the_same_data_is_refused_in_one_sentence(installation: Installation) -> None:
    await installation.start()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "lastro", "dev", "--port", str(port), "--data-dir", str(installation.home)]
    second = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=30, check=False)
    assert second.returncode == 1
    assert second.stderr.startswith("lastro: ")
    assert "Traceback" not in second.stderr
    command[5] = str(installation.port)
    taken = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=30, check=False)
    assert f"port {installation.port} is taken" in taken.stderr
