"""A running simulator with a Lastro that answers as told, both over real HTTP, and short words for speaking to them."""

import asyncio
import hashlib
import hmac
import json
import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx
import uvicorn
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from starlette.types import ASGIApp, Receive, Scope, Send

from lastro.clock import Clock
from lastro.embedded.server import Server
from lastro.simulator import Simulator, SimulatorSettings
from lastro.values.end_to_end_id import EndToEndId

SECRET = "the-secret-between-lastro-and-the-network"
OUR_ISPB, THEIR_ISPB = "00000000", "18236120"
COMPANY = "73592014000115"

Json = dict[str, Any]


class _Quiet(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to pytest."""
        yield


@asynccontextmanager
async def served(app: ASGIApp) -> AsyncIterator[str]:
    """Serve an app on a free port of loopback; yields its address."""
    # Only a socket that says TCP gets TCP_NODELAY from asyncio; without it every answer takes 40 ms.
    with socket.socket(proto=socket.IPPROTO_TCP) as listening:
        listening.bind(("127.0.0.1", 0))
        # It waits longer than any client for the next request: httpx and uvicorn both give an idle connection up after
        # five seconds, and a request that is sent at just that moment gets no answer.
        config = uvicorn.Config(
            app, lifespan="off", log_level="critical", timeout_keep_alive=60, timeout_graceful_shutdown=1
        )
        server = _Quiet(config)
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        while not server.started:
            await asyncio.sleep(0.005)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serving


@dataclass
class Receiver:
    """Stands where Lastro stands: verifies each delivery, remembers it, and answers what `respond` says."""

    heard: list[Json] = field(default_factory=list)
    letters: list[tuple[dict[str, str], bytes]] = field(default_factory=list)  # headers and body, as they came
    paths: list[str] = field(default_factory=list)
    respond: Callable[[Json], tuple[int, Any]] = field(default=lambda _: (200, {"status": "ACSP", "reason": None}))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more:
            event = await receive()
            body, more = body + event.get("body", b""), event.get("more_body", False)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        timestamp = headers["network-timestamp"]
        expected = hmac.new(SECRET.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
        status, answer = 401, None
        if hmac.compare_digest(headers["network-signature"], expected) and abs(time.time() - int(timestamp)) < 300:
            message = json.loads(body)
            self.heard.append(message)
            self.letters.append((headers, body))
            self.paths.append(scope["path"])
            status, answer = self.respond(message)
        content = json.dumps(answer).encode()
        await send(
            {"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]}
        )
        await send({"type": "http.response.body", "body": content})

    def about(self, end_to_end_id: str) -> list[Json]:
        """What was heard about one payment or return."""
        return [each for each in self.heard if end_to_end_id in json.dumps(each)]


@dataclass
class World:
    """One simulator, its steering client, its network client, and the Lastro that it tells the news."""

    simulator: Simulator
    clock: Clock
    base: str
    steering: httpx.AsyncClient
    network: httpx.AsyncClient
    lastro: Receiver

    async def open_account(self, **changes: Any) -> Json:
        """A customer of ours: the request, plus the branch and number that the office gave."""
        request: Json = {
            "requestId": str(uuid4()),
            "providerId": str(uuid4()),
            "ispb": OUR_ISPB,
            "holder": {"name": "Empresa ABC Ltda", "taxId": COMPANY},
            "type": "CACC",
        } | changes
        answer = await self.network.post("/office/accounts", json=request)
        assert answer.status_code == 201, answer.text
        return {**request, **answer.json()}

    async def register(self, account: Json, kind: str = "EVP", key: str | None = None) -> str:
        """Register a key for one of our customers; returns the key."""
        answer = await self.try_register(account, kind, key)
        assert answer.status_code == 201, answer.text
        registered: str = answer.json()["key"]
        return registered

    async def try_register(self, account: Json, kind: str = "EVP", key: str | None = None) -> httpx.Response:
        """Ask for a key."""
        return await self.network.post("/dict/entries", json=registration(account, kind, key))

    async def find(
        self, key: str, *, payer: str = COMPANY, ispb: str = OUR_ISPB, e2e: str | None = None
    ) -> httpx.Response:
        """Look a key up."""
        headers = {"PI-RequestingParticipant": ispb, "PI-PayerId": payer, "PI-EndToEndId": e2e or new_id()}
        return await self.network.get("/dict/entries/" + quote(key, safe=""), headers=headers)

    async def somebody(self) -> Json:
        """Somebody at another bank who has a key: `account` and `key`."""
        account = await self.open_account(ispb=THEIR_ISPB, holder={"name": "João Silva", "taxId": "12345678909"})
        return {**account, "key": await self.register(account)}

    async def settle(self, *messages: Json) -> list[Json]:
        """Settle a batch; returns the statuses."""
        # Escaped, so that characters which UTF-8 does not know can be sent too.
        answer = await self.network.put("/spi/payments", content=json.dumps({"messages": messages}))
        assert answer.status_code == 200, answer.text
        statuses: list[Json] = answer.json()["statuses"]
        return statuses

    async def rule(self, **body: Any) -> int:
        """Write a rule; returns its id."""
        answer = await self.steering.post("/rules", json=body)
        assert answer.status_code == 201, answer.text
        rule_id: int = answer.json()["id"]
        return rule_id

    async def pay(self, account: Json, amount: float = 10.0, **more: Any) -> Json:
        """Somebody pays a customer of ours."""
        body = {"amount": amount, "accountId": account["requestId"], **more}
        answer = await self.steering.post("/pix", json=body)
        assert answer.status_code == 201, answer.text
        paid: Json = answer.json()
        return paid

    async def book(self, **query: Any) -> Json:
        """The book, or what of it matches."""
        answer = await self.steering.get("/book", params=query)
        assert answer.status_code == 200, answer.text
        body: Json = answer.json()
        return body

    async def in_book(self, end_to_end_id: str) -> Json:
        """One payment or return as the book has it."""
        (payment,) = (await self.book(endToEndId=end_to_end_id))["payments"]
        found: Json = payment
        return found


def new_id(ispb: str = OUR_ISPB) -> str:
    return EndToEndId.new(ispb, datetime.now(UTC))


def account_of(customer: Json) -> Json:
    return {name: customer[name] for name in ("ispb", "branch", "number", "type")}


def registration(account: Json, kind: str = "EVP", key: str | None = None) -> Json:
    tax_id = account["holder"]["taxId"]
    return {
        "requestId": str(uuid4()),
        "keyType": kind,
        **({} if key is None else {"key": key}),
        "account": account_of(account),
        "owner": {
            "type": "NATURAL_PERSON" if len(tax_id) == 11 else "LEGAL_PERSON",
            "taxId": tax_id,
            "name": account["holder"]["name"],
        },
    }


def message(payer: Json, payee: Json, amount: str = "10.00", **changes: Any) -> Json:
    """A pacs.008 from one customer to another's key."""
    return {
        "endToEndId": new_id(payer["ispb"]),
        "amount": amount,
        "acceptedAt": "2024-01-15T10:30:00.000Z",
        "initiation": "DICT",
        "payer": {
            "name": payer["holder"]["name"],
            "taxId": payer["holder"]["taxId"],
            "account": account_of(payer),
        },
        "payee": {"taxId": payee["holder"]["taxId"], "account": account_of(payee), "key": payee.get("key", "none")},
        "txid": None,
        "remittanceInformation": None,
    } | changes


async def new_database(server: Server) -> str:
    """An empty database; returns its URL."""
    name = f"simulator_{secrets.token_hex(4)}"
    engine = create_async_engine(server.url("postgres"), isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(f"CREATE DATABASE {name}"))
    await engine.dispose()
    return server.url(name)


@asynccontextmanager
async def running(
    database_url: str,
    *,
    limit_lookups: bool = False,
    lastro: Receiver | None = None,
    deliver_to: str | None = None,
    customer_tokens: tuple[str, ...] = (),
) -> AsyncIterator[World]:
    """A simulator on this database, mounted as `lastro dev` mounts it. `deliver_to` may point to nobody."""
    lastro, clock = lastro or Receiver(), Clock()
    async with served(lastro) as lastro_address:
        settings = SimulatorSettings(
            database_url, SECRET, deliver_to or lastro_address, limit_lookups, customer_tokens=customer_tokens
        )
        simulator = Simulator(settings, clock)
        parent = FastAPI()
        parent.mount("/simulator", simulator.app)
        await simulator.start()
        try:
            async with served(parent) as address:
                base = f"{address}/simulator"
                headers = {"Authorization": f"Bearer {SECRET}"}
                async with (
                    httpx.AsyncClient(base_url=base, trust_env=False, timeout=20) as steering,
                    httpx.AsyncClient(base_url=f"{base}/network", headers=headers, trust_env=False) as network,
                ):
                    yield World(simulator, clock, base, steering, network, lastro)
        finally:
            await simulator.stop()


async def eventually(condition: Callable[[], Any], seconds: float = 5.0) -> None:
    """Wait until it holds (a coroutine function is awaited); fail when it does not in time."""
    deadline = time.monotonic() + seconds
    while True:
        holds = condition()
        if asyncio.iscoroutine(holds):
            holds = await holds
        if holds:
            return
        assert time.monotonic() < deadline, "it never happened"
        await asyncio.sleep(0.02)
