"""The `lastro` command: run it, migrate it, let tenants in, check the books, ask what is wrong."""

import asyncio
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from lastro import logs, runtime
from lastro.cli_access import clients, tokens
from lastro.console import in_the_bank, the_settings
from lastro.errors import BankError, SetupError
from lastro.settings import Settings
from lastro.values.bank_account import AccountType

if TYPE_CHECKING:  # each command imports what it needs, so that `lastro --help` answers at once
    from lastro.wiring import Assembly

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
tenants = typer.Typer(no_args_is_help=True, help="Who rents the bank.")
providers = typer.Typer(no_args_is_help=True, help="The banks behind the accounts.")
app.add_typer(tenants, name="tenants")
app.add_typer(providers, name="providers")
alerts = typer.Typer(no_args_is_help=True, help="What waits for a human.")
app.add_typer(tokens, name="tokens")
app.add_typer(clients, name="clients")
app.add_typer(alerts, name="alerts")

CHECKOUT = Path(__file__).resolve().parents[2]


def main() -> None:
    """Run a command; what an operator can mend is said in one sentence, without a traceback."""
    try:
        app()
    except (BankError, SetupError) as error:
        sys.exit(f"lastro: {error}")


@app.command()
def dev(
    port: Annotated[int, typer.Option(help="Port of API and simulator.")] = 8000,
    data_dir: Annotated[Path | None, typer.Option(help="Where everything is kept; by default .lastro here.")] = None,
    *,
    fresh: Annotated[bool, typer.Option(help="Forget all data first.")] = False,
) -> None:
    """Everything on this machine, from nothing: Postgres, API, worker, simulator and a demo."""
    from lastro.dev import run
    from lastro.embedded.home import data_directory

    run(port, data_dir or data_directory(CHECKOUT), fresh=fresh)


@app.command()
def serve(processes: Annotated[int, typer.Option(min=1, max=64, help="Server processes.")] = 1) -> None:
    """The API."""
    import os
    import tempfile

    import uvicorn

    from lastro.serving import OPTIONS

    settings = the_settings()
    logs.configure(settings.log_level)
    if processes > 1:
        os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", tempfile.mkdtemp(prefix="lastro-metrics-"))
    uvicorn.run(
        "lastro.app:from_environment",
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=processes,
        **OPTIONS,
    )


@app.command()
def worker() -> None:
    """Keeps promises: settles payments and refunds, opens accounts, registers keys. Run as many as you like."""
    from prometheus_client import start_http_server

    settings = the_settings()
    logs.configure(settings.log_level)
    if settings.metrics_port is not None:
        start_http_server(settings.metrics_port, settings.host)
    runtime.run(_work(settings))


async def _work(settings: Settings) -> None:
    from lastro.wiring import build
    from lastro.worker import Worker

    assembly = build(settings)
    working = Worker(assembly.bank, settings.database_url)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, working.stop)
    runtime.freeze()
    try:
        await working.run()
    finally:
        await assembly.close()


@app.command()
def simulator() -> None:
    """A Pix network to play with: DICT, SPI and other banks. Never in production."""
    import uvicorn

    from lastro.clock import Clock
    from lastro.serving import OPTIONS
    from lastro.simulator.app import standalone
    from lastro.simulator.network import SimulatorSettings, authority_of

    settings = the_settings()
    logs.configure(settings.log_level)
    if settings.simulator_database_url is None or settings.simulator_deliver_to is None:
        sys.exit("lastro: set LASTRO_SIMULATOR_DATABASE_URL and LASTRO_SIMULATOR_DELIVER_TO")
    network = SimulatorSettings(
        database_url=settings.simulator_database_url,
        secret=settings.network_secret.get_secret_value(),
        deliver_to=settings.simulator_deliver_to,
        authority=authority_of(settings.network_url),
    )
    uvicorn.run(standalone(network, Clock()), host=settings.host, port=settings.port, **OPTIONS)


@app.command()
def migrate() -> None:
    """Bring the database to this version's schema, with LASTRO_MIGRATION_DATABASE_URL if that is set."""
    from lastro.migrations import upgrade

    settings = the_settings()
    upgrade(settings.migration_database_url or settings.database_url)
    typer.echo("The schema is current.")


@tenants.command("create")
def create_tenant(name: str, tax_id: Annotated[str, typer.Option(help="The tenant's own CNPJ or CPF.")]) -> None:
    """Let a company in; prints its id."""
    from lastro.tenants import service

    typer.echo(in_the_bank(lambda assembly: service.create_tenant(assembly.bank, name, tax_id)))


@providers.command("add")
def add_provider(
    name: str,
    tenant: Annotated[UUID, typer.Option(help="Whose provider it is.")],
    ispb: Annotated[str, typer.Option(help="Eight characters.")],
    code: Annotated[str | None, typer.Option(help="COMPE code, three digits.")] = None,
    account_type: Annotated[list[AccountType] | None, typer.Option(help="Repeat; by default all.")] = None,
    *,
    strict_documents: Annotated[bool, typer.Option(help="Judge the check digits of CPF and CNPJ.")] = True,
    hide_accounts: Annotated[
        bool, typer.Option("--hide-accounts", help="A lookup shows neither branch nor account number, and CNPJs whole.")
    ] = False,
) -> None:
    """Give a tenant a bank, reached through the network of LASTRO_NETWORK_URL; prints its id."""
    from lastro.tenants import service

    typer.echo(
        in_the_bank(
            lambda assembly: service.add_provider(
                assembly.bank,
                tenant_id=tenant,
                name=name,
                code=code,
                ispb=ispb,
                account_types=account_type or list(AccountType),
                strict_documents=strict_documents,
                hides_accounts=hide_accounts,
            )
        )
    )


@tenants.command("list")
def list_tenants() -> None:
    """Everybody who rents the bank, with their providers."""
    from lastro.tenants import service

    async def read(assembly: "Assembly") -> str:
        found = await service.everybody(assembly.bank)
        lines = [
            line
            for tenant, banks in found
            for line in (
                f"{tenant.id}  {tenant.name}",
                *(f"    provider {bank.id}  {bank.name}  ISPB {bank.ispb}" for bank in banks),
            )
        ]
        return "\n".join(lines) or "No tenants."

    typer.echo(in_the_bank(read))


@alerts.command("list")
def list_alerts() -> None:
    """What waits for a human."""
    from lastro.outbox import alerts as service

    async def read(assembly: "Assembly") -> str:
        async with assembly.bank.db.transaction() as tx:
            rows = await service.unresolved(tx)
        lines = [
            f"{row.id}  {row.created_at:%Y-%m-%d %H:%M}  {row.kind}  {row.reference}  {row.detail}" for row in rows
        ]
        return "\n".join(lines) or "No alerts."

    typer.echo(in_the_bank(read))


@alerts.command("resolve")
def resolve_alert(alert_id: int) -> None:
    """A human has seen to it."""
    from lastro.outbox import alerts as service

    async def end(assembly: "Assembly") -> str:
        async with assembly.bank.db.transaction() as tx:
            await service.resolve(tx, alert_id)
        return "Resolved."

    typer.echo(in_the_bank(end))


@app.command()
def check(
    *, quiesced: Annotated[bool, typer.Option(help="Nothing is under way: demand that nothing is owed.")] = False
) -> None:
    """Recompute the books from history with the independent checker; exit 1 on any discrepancy."""
    from sqlalchemy.exc import SQLAlchemyError

    from lastro.checker.run import check_books

    settings = the_settings()
    try:
        report = asyncio.run(
            check_books(settings.database_url, simulator_url=settings.simulator_database_url, quiesced=quiesced)
        )
    except (OSError, SQLAlchemyError) as error:
        raise SetupError("the books can not be read; `lastro doctor` says why") from error
    typer.echo(report.text())
    if not report.clean:
        raise typer.Exit(1)


@app.command()
def reseal() -> None:
    """Put under the newest of LASTRO_ENCRYPTION_KEYS whatever an older one sealed."""
    from lastro.kyc import resealing as kyc
    from lastro.tenants.providers import resealing as providers
    from lastro.webhooks import resealing as webhooks

    async def work(assembly: "Assembly") -> dict[str, int]:
        return {
            "images": await kyc.reseal(assembly.bank),
            "credentials of providers": await providers.reseal(assembly.bank),
            "secrets of webhooks": await webhooks.reseal(assembly.bank),
        }

    resealed = [f"{count} {what}" for what, count in in_the_bank(work).items() if count]
    typer.echo(f"Resealed {', '.join(resealed)}." if resealed else "Nothing was sealed under an older key.")


@app.command()
def doctor() -> None:
    """Say what is wrong with a setup, and what would mend it."""
    from lastro.doctor import examine

    findings = asyncio.run(examine(the_settings()))
    for finding in findings:
        typer.echo(finding.line())
    if any(not finding.good for finding in findings):
        raise typer.Exit(1)
