"""`lastro tokens` and `lastro clients`: who may use the API, said by an operator, who may give anything."""

from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from lastro.access.states import AccessStatus, status_of
from lastro.auth.binding import Binding, Rights
from lastro.auth.permissions import Permission
from lastro.console import in_the_bank
from lastro.values.money import Money
from lastro.values.network import Network, parse_network
from lastro.values.text import Invalid

if TYPE_CHECKING:  # each command imports what it needs, so that `lastro --help` answers at once
    from lastro.auth.models import ApiClient, ApiToken
    from lastro.wiring import Assembly

tokens = typer.Typer(no_args_is_help=True, help="Bearer tokens of the API.")
clients = typer.Typer(no_args_is_help=True, help="Clients that make themselves tokens of an hour (OAuth).")


def _network(text: str) -> Network:
    try:
        return parse_network(text)
    except Invalid as error:
        raise typer.BadParameter(str(error), param_hint="--network") from error


def _reais(text: str) -> Money:
    try:
        amount = Money.from_reais(Decimal(text))
    except (Invalid, InvalidOperation) as error:
        raise typer.BadParameter("an amount of reais, such as 1500.00") from error
    if amount.centavos <= 0:
        raise typer.BadParameter("must be above zero")
    return amount


Tenant = Annotated[UUID, typer.Option(help="Whose it is.")]
Permissions = Annotated[list[Permission] | None, typer.Option("--permission", help="Repeat; none means none.")]
All = Annotated[bool, typer.Option("--all", help="Every permission of this version.")]
Accounts = Annotated[list[UUID] | None, typer.Option("--account", help="Repeat: it reaches these accounts alone.")]
Networks = Annotated[
    list[str] | None,
    typer.Option("--network", metavar="CIDR", help="Repeat: it is good from these networks alone."),
]
MostEach = Annotated[str | None, typer.Option(metavar="REAIS", help="At most this much in one order.")]
MostADay = Annotated[str | None, typer.Option(metavar="REAIS", help="At most this much in a day.")]


def _rights(
    permissions: list[Permission] | None,
    accounts: list[UUID] | None,
    networks: list[str] | None,
    most_each: str | None,
    most_a_day: str | None,
) -> Rights:
    """The options in our words. Raises BadParameter."""
    binding = Binding(
        accounts=frozenset(accounts) if accounts else None,
        networks=tuple(map(_network, networks)) if networks else None,
        most_each=None if most_each is None else _reais(most_each),
        most_a_day=None if most_a_day is None else _reais(most_a_day),
    )
    return Rights(frozenset(map(str, permissions or [])), binding)


@tokens.command("create")
def create_token(  # noqa: PLR0917 - options
    name: str,
    tenant: Tenant,
    permission: Permissions = None,
    account: Accounts = None,
    network: Networks = None,
    most_each: MostEach = None,
    most_a_day: MostADay = None,
    *,
    all_permissions: All = False,
    days: Annotated[int, typer.Option(min=1, max=3650, help="Days until it expires.")] = 90,
    never_expires: Annotated[bool, typer.Option(help="No expiry: revoke it yourself.")] = False,
) -> None:
    """Make a token; its text is shown this once."""
    from lastro.access import tokens as service

    rights = _rights(list(Permission) if all_permissions else permission, account, network, most_each, most_a_day)

    async def make(assembly: "Assembly") -> str:
        expires_at = None if never_expires else assembly.bank.now() + timedelta(days=days)
        return await service.issue(assembly.bank, tenant, name, rights, expires_at=expires_at)

    typer.echo(in_the_bank(make))


@tokens.command("list")
def list_tokens(tenant: UUID) -> None:
    """A tenant's tokens, without their secrets, and without those that clients make themselves."""
    from lastro.auth import service

    async def read(assembly: "Assembly") -> str:
        async with assembly.bank.db.transaction() as tx:
            rows = await service.search(tx, tenant)
        now = assembly.bank.now()
        lines = [
            f"{row.id}  {row.name}  expires {row.expires_at or 'never'}  {told(row, now, row.expires_at)}"
            for row in rows
        ]
        return "\n".join(lines) or "No tokens."

    typer.echo(in_the_bank(read))


@tokens.command("revoke")
def revoke_token(token_id: str) -> None:
    """End a token, everywhere, within a second."""
    from lastro.auth import service

    async def end(assembly: "Assembly") -> str:
        async with assembly.bank.db.transaction() as tx:
            await service.revoke(tx, token_id, now=assembly.bank.now())
        return "Revoked."

    typer.echo(in_the_bank(end))


@clients.command("create")
def create_client(  # noqa: PLR0917 - options
    name: str,
    tenant: Tenant,
    permission: Permissions = None,
    account: Accounts = None,
    network: Networks = None,
    most_each: MostEach = None,
    most_a_day: MostADay = None,
    *,
    all_permissions: All = False,
) -> None:
    """Make a client; prints its id and, this once, its secret."""
    from lastro.access import clients as service
    from lastro.access.order import Wish

    rights = _rights(list(Permission) if all_permissions else permission, account, network, most_each, most_a_day)
    client_id, secret = in_the_bank(lambda assembly: service.introduce(assembly.bank, tenant, Wish(name, rights)))
    typer.echo(f"{client_id}\n{secret}")


@clients.command("list")
def list_clients(tenant: UUID) -> None:
    """A tenant's clients, without their secrets."""
    from lastro.auth import service

    async def read(assembly: "Assembly") -> str:
        async with assembly.bank.db.transaction() as tx:
            rows = await service.search_clients(tx, tenant)
        now = assembly.bank.now()
        return "\n".join(f"{row.id}  {row.name}  {told(row, now)}" for row in rows) or "No clients."

    typer.echo(in_the_bank(read))


@clients.command("revoke")
def revoke_client(client_id: UUID) -> None:
    """End a client and all of its tokens, everywhere, within a second."""
    from lastro.auth import service

    async def end(assembly: "Assembly") -> str:
        async with assembly.bank.db.transaction() as tx:
            await service.revoke_client(tx, client_id, now=assembly.bank.now())
        return "Revoked."

    typer.echo(in_the_bank(end))


def told(row: "ApiToken | ApiClient", now: datetime, expires_at: datetime | None = None) -> str:
    """Whether it still opens anything, and what: the permissions, then the bounds that there are."""
    bounds = {
        "accounts": row.account_ids and " ".join(map(str, row.account_ids)),
        "networks": row.networks and " ".join(row.networks),
        "most each": row.most_each,
        "most a day": row.most_a_day,
    }
    status = {
        AccessStatus.ACTIVE: "good",
        AccessStatus.EXPIRED: "expired",
        AccessStatus.REVOKED: f"revoked {row.revoked_at}",
    }[status_of(row.revoked_at, expires_at, now)]
    words = [status, " ".join(row.permissions)]
    return "  ".join([*words, *(f"{name} {value}" for name, value in bounds.items() if value is not None)])
