"""A client turns its secret into a token of an hour, and may give it back before."""

import hmac
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.access.bucket import RETRY_AFTER, take_one
from lastro.auth import service as auth
from lastro.auth.binding import UNBOUND, Rights
from lastro.auth.models import ApiClient, ApiToken
from lastro.auth.permissions import EVERYTHING, Permission
from lastro.auth.tokens import NOBODY, Mint, id_of
from lastro.bank import Bank
from lastro.errors import RateLimited, Unauthorized, Validation
from lastro.values.network import Address, lies_in
from lastro.values.text import Text

LIVES = timedelta(hours=1)
FORGOTTEN_AT_ONCE = 1_000

_REFUSED = Text("Cliente desconhecido, revogado, ou segredo errado.", "Unknown client, revoked, or wrong secret.")
_SCOPE = Text(
    "O escopo tem permissões que não existem ou que o cliente não tem.",
    "The scope names permissions that do not exist or that the client does not hold.",
)
_TOO_OFTEN = Text(
    "Este cliente pede tokens demais: cada um vale uma hora.",
    "This client asks for too many tokens: each is good for an hour.",
)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client proves itself with, and from where."""

    client_id: str
    secret: str = field(repr=False)
    address: Address | None


@dataclass(frozen=True, slots=True)
class Granted:
    """A token as it is shown once."""

    text: str = field(repr=False)
    permissions: frozenset[str]


async def grant(bank: Bank, credentials: Credentials, scope: str | None) -> Granted:
    """Make a token with this scope, by default all that the client may. Raises Unauthorized, Validation, RateLimited.

    The token is bound as its client is, at each moment: it has nothing of its own but its permissions.
    """
    now, token = bank.now(), bank.mint.token()
    async with bank.db.transaction() as tx:
        client = await _proven(tx, bank.mint, credentials)
        permissions = _granted(frozenset(client.permissions), scope)
        done = await tx.execute(take_one(client, now))
        if _touched(done) != 1:
            raise RateLimited(_TOO_OFTEN, retry_after=RETRY_AFTER)
        await auth.keep(
            tx,
            token,
            tenant_id=client.tenant_id,
            name=client.name,
            rights=Rights(permissions, UNBOUND),
            expires_at=now + LIVES,
            now=now,
            client_id=client.id,
            created_by=str(client.id),
        )
    return Granted(token.text, permissions)


async def give_back(bank: Bank, credentials: Credentials, text: str) -> None:
    """End a token of the client's own; of any other text nothing is said. Raises Unauthorized."""
    async with bank.db.transaction() as tx:
        client = await _proven(tx, bank.mint, credentials)
        query = select(ApiToken).where(ApiToken.id == id_of(text), ApiToken.client_id == client.id)
        row = (await tx.execute(query)).scalar_one_or_none()
        if row is not None and bank.mint.is_token(text, row):
            await tx.execute(
                update(ApiToken)
                .where(ApiToken.id == row.id, ApiToken.revoked_at.is_(None))
                .values(revoked_at=bank.now())
                .execution_options(synchronize_session=False)
            )


async def forget_spent(tx: AsyncSession) -> int:
    """Delete tokens of clients that expired more than a day ago, some at a time; how many they were."""
    return int((await tx.execute(select(func.forget_spent_tokens(FORGOTTEN_AT_ONCE)))).scalar_one())


async def _proven(tx: AsyncSession, mint: Mint, credentials: Credentials) -> ApiClient:
    """The client, if it is one. Whatever is wrong, the answer is the same.

    What does not even look like an id or a secret is refused without a question; of the rest, an unknown client takes
    the same work as a wrong secret.
    """
    try:
        client_id = UUID(credentials.client_id)
    except ValueError as error:
        raise Unauthorized(_REFUSED) from error
    sealed = mint.sealed(client_id, credentials.secret)
    if sealed is None:
        raise Unauthorized(_REFUSED)
    row = (await tx.execute(select(ApiClient).where(ApiClient.id == client_id))).scalar_one_or_none()
    proves = hmac.compare_digest(sealed, NOBODY if row is None else row.secret_hmac)
    if row is None or not proves or row.revoked_at is not None or not _is_heard(row, credentials.address):
        raise Unauthorized(_REFUSED)
    return row


def _is_heard(client: ApiClient, address: Address | None) -> bool:
    networks = client.rights.binding.networks
    return networks is None or (address is not None and lies_in(address, networks))


def _granted(held: frozenset[str], scope: str | None) -> frozenset[str]:
    if EVERYTHING in held:
        held = frozenset(map(str, Permission))
    if scope is None:
        return held
    asked = frozenset(scope.split(" "))
    if not asked <= held:
        raise Validation(_SCOPE, reason="invalid_scope")
    return asked


def _touched(done: Any) -> int:
    assert isinstance(done, CursorResult)  # noqa: S101 - of an UPDATE
    return done.rowcount
