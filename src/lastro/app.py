"""Puts the routes together behind the gate, and installs the error map."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import cache
from importlib.resources import files
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route
from starlette.types import ASGIApp

from lastro import logs, metrics, runtime
from lastro.access.oauth import router as oauth
from lastro.access.router import clients, tokens
from lastro.accounts.router import router as accounts
from lastro.bank import Bank
from lastro.description import TEXT, describe
from lastro.errors import BankError, Internal, MethodNotAllowed, NotFound, Unavailable, Validation
from lastro.gate import INTERNAL, Gate
from lastro.http import refuse
from lastro.inbound.router import router as inbound
from lastro.jsonapi.errors import validation
from lastro.kyc.router import router as kyc
from lastro.pix.keys.router import router as keys
from lastro.pix.lookups.router import router as lookups
from lastro.pix.payments.router import router as payments
from lastro.pix.qrcodes.locations import router as locations
from lastro.pix.qrcodes.router import router as qrcodes
from lastro.pix.refunds.router import router as refunds
from lastro.pix.transfers.router import router as transfers
from lastro.providers.directory import Adapter
from lastro.settings import Settings
from lastro.statements.receipt_router import router as receipts
from lastro.statements.router import router as statements
from lastro.subscribers.deliveries.router import router as deliveries
from lastro.subscribers.feed.router import router as feed
from lastro.subscribers.subscriptions.router import router as subscriptions
from lastro.switchboard import Switchboard
from lastro.tenants.providers.router import router as providers
from lastro.tenants.router import router as tenant
from lastro.transfers.router import router as internal_transfers
from lastro.values.text import Text
from lastro.wiring import Assembly, build

ROUTERS = (
    accounts,
    statements,
    kyc,
    keys,
    lookups,
    payments,
    transfers,
    refunds,
    receipts,
    qrcodes,
    internal_transfers,
    subscriptions,
    deliveries,
    feed,
    tenant,
    clients,
    tokens,
    providers,
)
"""In the order of the description."""

Checks = Callable[[], Awaitable[Mapping[str, bool]]]

_NO_PATH = Text("Recurso não encontrado.", "Resource not found.")
_NO_METHOD = Text("Método não permitido.", "Method not allowed.")
_BAD_REQUEST = Text("Requisição inválida.", "Invalid request.")


def create_app(bank: Bank, *, docs: bool = False, checks: Checks | None = None) -> FastAPI:
    """The application without its gate: `Gate(create_app(bank))` is what a server serves."""
    app = FastAPI(
        title="Lastro",
        version="1",
        description=TEXT,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json" if docs else None,
        redirect_slashes=False,  # it would lead a payment to whatever the Host header says
        separate_input_output_schemas=True,
        telemetry=None,
    )
    app.state.bank = bank
    for router in (*ROUTERS, oauth, inbound, locations):
        # Not `include_router`, which would put a second resolution of routes around each of ours.
        app.router.routes.extend(router.routes)
    _add_health(app, bank, checks)
    if docs:
        _add_docs(app)
    _add_error_map(app)
    app.openapi = cache(lambda: describe(app))  # type: ignore[method-assign]
    return app


def serving(app: FastAPI) -> ASGIApp:
    """The application behind its gate."""
    return Gate(Switchboard(app))


def from_environment(adapters: Mapping[str, Adapter] | None = None) -> ASGIApp:
    """What `lastro serve` runs in each of its processes; `adapters` are put beside the one to the network."""
    settings = Settings()
    logs.configure(settings.log_level)
    assembly = build(settings, adapters=adapters)
    app = create_app(assembly.bank, docs=settings.docs)
    app.router.lifespan_context = _lifespan(assembly)
    return serving(app)


def _lifespan(assembly: Assembly) -> Callable[[Any], Any]:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await assembly.open()
        runtime.freeze()
        try:
            yield
        finally:
            await assembly.close()

    return lifespan


def _add_health(app: FastAPI, bank: Bank, checks: Checks | None) -> None:
    @app.get("/health/live", include_in_schema=False)
    async def live() -> dict[str, str]:
        return {"status": "live"}

    @app.get("/health/ready", include_in_schema=False)
    async def ready() -> JSONResponse:
        found = {"database": await _database_answers(bank), **(await checks() if checks else {})}
        good = all(found.values())
        return JSONResponse(
            {"status": "ready" if good else "not ready", "checks": found}, status_code=200 if good else 503
        )

    @app.get("/metrics", include_in_schema=False)
    async def figures() -> PlainTextResponse:
        return PlainTextResponse(metrics.page(), media_type="text/plain; version=0.0.4; charset=utf-8")


async def _database_answers(bank: Bank) -> bool:
    try:
        async with bank.db.transaction() as tx:
            await tx.execute(text("SELECT 1 FROM alembic_version"))
    except (Unavailable, SQLAlchemyError):  # away, or never migrated
        return False
    return True


def _add_docs(app: FastAPI) -> None:
    """Swagger UI from a wheel: works without the internet, and its policy lets nothing else in."""
    assets = files("fastapi_swagger") / "resources"
    policy = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"
    page = (
        '<!doctype html><html lang="pt-BR"><meta charset="utf-8"><title>Lastro</title>'
        '<link rel="stylesheet" href="/docs/ui.css"><body><div id="ui"></div>'
        '<script src="/docs/ui.js"></script><script src="/docs/start.js"></script></body></html>'
    )
    start = "SwaggerUIBundle({url: '/openapi.json', dom_id: '#ui', deepLinking: true, persistAuthorization: true});"
    contents: Mapping[str, tuple[str, str]] = {
        "ui.css": (assets.joinpath("swagger-ui.css").read_text("utf-8"), "text/css"),
        "ui.js": (assets.joinpath("swagger-ui-bundle.js").read_text("utf-8"), "text/javascript"),
        "start.js": (start, "text/javascript"),
    }

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(page, headers={"content-security-policy": policy})

    @app.get("/docs/{name}", include_in_schema=False)
    async def asset(name: str) -> Response:
        if name not in contents:
            raise NotFound(_NO_PATH)
        content, media_type = contents[name]
        return Response(content, media_type=media_type)


def _add_error_map(app: FastAPI) -> None:
    async def known(request: Request, error: Exception) -> Response:
        assert isinstance(error, BankError)  # noqa: S101 - registered for it
        return refuse(request, error)

    async def malformed(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for it
        return refuse(request, validation(error.errors()))

    async def refused(request: Request, error: Exception) -> Response:
        """What Starlette itself refuses: unknown paths and methods."""
        assert isinstance(error, HTTPException)  # noqa: S101 - registered for it
        match error.status_code:
            case 404:
                return refuse(request, NotFound(_NO_PATH))
            case 405:
                response = refuse(request, MethodNotAllowed(_NO_METHOD))
                response.headers["allow"] = ", ".join(_methods(app, request))
                return response
            case _:
                return refuse(request, Validation(_BAD_REQUEST))

    async def unforeseen(request: Request, _error: Exception) -> Response:
        return refuse(request, Internal(INTERNAL))

    app.add_exception_handler(BankError, known)
    app.add_exception_handler(RequestValidationError, malformed)
    app.add_exception_handler(HTTPException, refused)
    app.add_exception_handler(Exception, unforeseen)


def _methods(app: FastAPI, request: Request) -> list[str]:
    """Every verb that this path knows, whichever route knows it."""
    routes = [
        route for route in app.routes if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE
    ]
    return sorted({method for route in routes for method in route.methods or ()})
