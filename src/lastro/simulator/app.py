"""Puts the network together as one ASGI app, and keeps its rounds going."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import asyncpg
import structlog
from fastapi import Depends, FastAPI, Request, Response
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from lastro.clock import Clock
from lastro.simulator import (
    charges,
    clock_offset,
    directory,
    kyc_desk,
    mailbox,
    office,
    orders,
    pings,
    returns,
    rules,
    settlement,
    shop,
    steering,
)
from lastro.simulator.book import Book
from lastro.simulator.customers import Customers
from lastro.simulator.delivery import Deliveries
from lastro.simulator.network import Network, SimulatorSettings, participant_only
from lastro.simulator.wire import Refusal, answer

MOUNTED_AT = "/simulator"  # and the network of the adapter is reached at MOUNTED_AT + "/network"
_REST_SECONDS = 0.3

_log = structlog.get_logger(part="simulator")


class Simulator:
    """A Pix network. A parent mounts `app` at `MOUNTED_AT`, and calls `start` and `stop` within its own lifespan."""

    def __init__(self, settings: SimulatorSettings, clock: Clock) -> None:
        """Connect nothing yet. `clock` is moved to where this network's clock stands, by `start` and by testers."""
        self.book = Book(settings.database_url)
        deliveries = Deliveries(self.book, deliver_to=settings.deliver_to, secret=settings.secret, clock=clock)
        customers = Customers(self.book, deliver_to=settings.deliver_to, tokens=settings.customer_tokens)
        self._network = Network(settings, clock, self.book, deliveries, customers)
        self._rounds: asyncio.Task[None] | None = None
        self._reading: asyncio.Task[None] | None = None
        self.app = _app(self._network)

    @property
    def ready(self) -> bool:
        """Whether it was started and its rounds are going."""
        return self._rounds is not None and not self._rounds.done()

    async def start(self) -> None:
        """Make the tables, take the clock to where it stood, go on with what was left undone."""
        await self.book.create()
        async with self.book.transaction() as tx:
            self._network.clock.move_to_offset(await clock_offset.load(tx))
        await self._network.deliveries.open()
        await self._network.customers.open()
        self._rounds = asyncio.create_task(self._go_round(), name="simulator-rounds")
        # Apart from the rounds: whoever types a code waits for the answer, and payments must not.
        self._reading = asyncio.create_task(self._read_mail(), name="simulator-customers")

    async def stop(self) -> None:
        """End the rounds and close every connection; the book keeps what is left to do."""
        for task in (self._rounds, self._reading):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
        await self._network.deliveries.close()
        await self._network.customers.close()
        await self.book.close()

    async def _go_round(self) -> None:
        network = self._network
        while True:
            try:
                async with network.book.transaction() as tx:
                    await orders.settle_due(tx, network.clock.now(), metered=network.settings.limit_lookups)
                    await kyc_desk.decide_due(tx, network.clock.now())
                await network.deliveries.deliver_due()
            except Exception:  # noqa: BLE001 - a database that restarts, say; the next round may do better
                _log.exception("round_failed")
            await network.deliveries.rest(_REST_SECONDS)

    async def _read_mail(self) -> None:
        customers = self._network.customers
        while True:
            try:
                await customers.read_mail()
            except Exception:  # noqa: BLE001 - as above
                _log.exception("mail_not_read")
            await customers.rest(_REST_SECONDS)


def standalone(settings: SimulatorSettings, clock: Clock) -> FastAPI:
    """An app of its own for `lastro simulator`, with the network at the same paths as in `lastro dev`."""
    simulator = Simulator(settings, clock)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await simulator.start()
        try:
            yield
        finally:
            await simulator.stop()

    parent = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    parent.mount(MOUNTED_AT, simulator.app)
    return parent


def _app(network: Network) -> FastAPI:
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    app.state.network = network
    for steered in (steering.router, rules.router, charges.router, mailbox.readers, kyc_desk.steered, shop.router):
        app.include_router(steered)
    offices = (office.router, mailbox.router, kyc_desk.router)
    for part in (pings.router, directory.router, settlement.router, returns.router, *offices):
        app.include_router(part, prefix="/network", dependencies=[Depends(participant_only)])
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(HTTPException, _not_here)
    for error in (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        app.add_exception_handler(error, _away)
    return app


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)  # noqa: S101 - it is registered for nothing else
    response = answer({"type": error.kind, "title": error.title}, error.status)
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
    return response


async def _not_here(_: Request, error: Exception) -> Response:
    """Paths and verbs that do not exist."""
    assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for nothing else
    kind, title = "BadRequest", "A requisição não faz sentido."
    if error.status_code == 404:  # noqa: PLR2004
        kind, title = "NoSuchPath", "Não há nada neste endereço."
    elif error.status_code == 405:  # noqa: PLR2004
        kind, title = "MethodNotAllowed", "Este endereço conhece outros verbos."
    response = answer({"type": kind, "title": title}, error.status_code)
    response.headers.update(error.headers or {})
    return response


async def _away(_: Request, error: Exception) -> Response:
    _log.warning("book_away", exc_info=error)
    return answer({"type": "ServiceUnavailable", "title": "O livro da rede está fora do ar."}, 503)
