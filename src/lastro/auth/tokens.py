"""Opaque bearer tokens: their format, their storage as an HMAC, and who stands behind one.

    lastro_{live|test}_{id: 10}_{secret: 43 characters of base64url = 256 bits}{CRC-32: 6}
    lastro_{live|test}_client_{secret}{CRC-32}     what a client proves itself with

The prefix and the checksum let scanners find a leaked token and let us refuse a typo without asking the database.
"""

import asyncio
import hashlib
import hmac
import re
import secrets
import string
import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select

from lastro.auth.binding import Rights
from lastro.auth.caller import Caller
from lastro.auth.models import ApiClient, ApiToken
from lastro.auth.origin import Proxies
from lastro.auth.permissions import EVERYTHING
from lastro.database import Database
from lastro.errors import Unauthorized
from lastro.values.network import Network, lies_in
from lastro.values.text import Text

MEMORY_SECONDS = 0.8  # a revocation is effective within a second
MOST_REMEMBERED = 10_000

_FORMAT = re.compile(r"(lastro_(?:live|test)_([0-9A-Za-z]{10})_[0-9A-Za-z_-]{43})([0-9A-Za-z]{6})")
_CLIENT_SECRET = re.compile(r"(lastro_(?:live|test)_client_[0-9A-Za-z_-]{43})([0-9A-Za-z]{6})")
_LITERAL = re.compile(r"[A-Z_]{1,40}")
_ALPHABET = string.digits + string.ascii_letters
NOBODY = b"\x00" * 32

_REFUSED = Text("Token ausente, inválido, expirado ou revogado.", "Token missing, invalid, expired or revoked.")


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token as it is shown once, and what is kept of it."""

    text: str
    id: str
    secret_hmac: bytes


def issue(environment: str, pepper: bytes) -> NewToken:
    """Make a token out of 256 random bits."""
    token_id = "".join(secrets.choice(_ALPHABET) for _ in range(10))
    secret = secrets.token_urlsafe(32)
    body = f"lastro_{environment}_{token_id}_{secret}"
    return NewToken(text=body + _checksum(body), id=token_id, secret_hmac=seal(body, pepper))


def seal(body: str, pepper: bytes) -> bytes:
    """What is stored: a random secret needs no slow hash, and without the pepper the result is useless.

    It covers the environment and the id too: a test token does not become a live one by its first word.
    """
    return hmac.digest(pepper, body.encode(), hashlib.sha256)


def kept_of(secret_hmac: bytes, *, is_bound: bool) -> bytes:
    """What is stored of a token. Of one that is bound it is something else: a server of a version that knows no bounds
    refuses it, instead of taking it for the whole company's, and so is a row refused that lost its bounds.
    """
    return hashlib.sha256(b"bound|" + secret_hmac).digest() if is_bound else secret_hmac


def _checksum(body: str) -> str:
    number, characters = zlib.crc32(body.encode()), ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        characters = _ALPHABET[digit] + characters
    return characters


@dataclass(frozen=True, slots=True)
class NewSecret:
    """A client's secret as it is shown once, and what is kept of it."""

    text: str
    hmac: bytes


@dataclass(frozen=True, slots=True)
class Mint:
    """Makes tokens and secrets of clients, and knows a client's secret again.

    `literal` words (such as SEU_SEGREDO) exist only in `lastro dev`, which alone turns them on, in code.
    """

    environment: str
    pepper: bytes = field(repr=False)
    literal: bool = False

    def token(self) -> NewToken:
        """A token that nobody has."""
        return issue(self.environment, self.pepper)

    def client_secret(self, client_id: UUID) -> NewSecret:
        """A secret for this client alone."""
        body = f"lastro_{self.environment}_client_{secrets.token_urlsafe(32)}"
        return NewSecret(body + _checksum(body), seal_secret(client_id, body, self.pepper))

    def sealed(self, client_id: UUID, secret: str) -> bytes | None:
        """What is kept of a client that has this secret; None for a text that is no secret at all."""
        match = _CLIENT_SECRET.fullmatch(secret)
        if match is not None and hmac.compare_digest(_checksum(match[1]), match[2]):
            return seal_secret(client_id, match[1], self.pepper)
        if self.literal and _LITERAL.fullmatch(secret):
            return seal_secret(client_id, secret, self.pepper)
        return None

    def is_token(self, text: str, row: ApiToken) -> bool:
        """Whether this text is the token of this row."""
        match = _FORMAT.fullmatch(text)
        return match is not None and _is_of(row, seal(match[1], self.pepper))


def _is_of(row: ApiToken, secret_hmac: bytes) -> bool:
    return hmac.compare_digest(row.secret_hmac, kept_of(secret_hmac, is_bound=row.is_bound))


def seal_secret(client_id: UUID, body: str, pepper: bytes) -> bytes:
    """What is stored of a client's secret: it is no other client's, and no token."""
    return seal(f"{client_id}|{body}", pepper)


def id_of(text: str) -> str | None:
    """The part of a token that finds it; None when it is no token at all."""
    match = _FORMAT.fullmatch(text)
    return match[2] if match is not None else None


@dataclass(frozen=True, slots=True)
class _Known:
    """Who stands behind a token, from where it is heard (None: from anywhere), and until when."""

    caller: Caller
    networks: tuple[Network, ...] | None
    expires_at: datetime | None


class TokenBook:
    """Says who stands behind an `Authorization` header. Remembers an answer for less than a second.

    `literal` tokens (such as SEU_TOKEN) exist only in `lastro dev`, which alone turns them on, in code.
    """

    def __init__(self, db: Database, pepper: bytes, *, literal: bool = False, proxies: Proxies = Proxies()) -> None:  # noqa: B008 - frozen
        self._db = db
        self._pepper = pepper
        self._literal = literal
        self.proxies = proxies
        self._remembered: dict[str, tuple[_Known, float]] = {}
        self._asking: dict[str, tuple[asyncio.Task[_Known], float]] = {}

    async def caller_of(self, authorization: Sequence[str], scope: Mapping[str, Any] | None = None) -> Caller:
        """The caller behind the request's `Authorization` headers; `scope` (ASGI's) tells where it comes from.

        Raises Unauthorized, also for a good token that is bound to networks and is heard from outside of them.
        """
        token = _bearer(authorization)
        remembered = self._remembered.get(token)
        if remembered is not None and remembered[1] > time.monotonic():
            known = remembered[0]
        else:
            known = await self._known(token)
        if known.networks is not None:
            address = self.proxies.client_of(scope or {})
            if address is None or not lies_in(address, known.networks):
                raise Unauthorized(_REFUSED)
        return known.caller

    async def _known(self, token: str) -> _Known:
        token_id, body = self._parse(token)
        # Who asks for the same token at the same time shares the question, and its failure: with a line of askers, a
        # database that hangs would answer the tenth after ten timeouts. An old question is not joined: see _remember.
        asking, since = self._asking.get(token, (None, 0.0))
        if asking is None or since + MEMORY_SECONDS < time.monotonic():
            asking = asyncio.create_task(self._remember(token, token_id, body))
            self._asking[token] = (asking, time.monotonic())
            asking.add_done_callback(lambda done: self._forget(token, done))
        return await asyncio.shield(asking)

    def _forget(self, token: str, done: asyncio.Task[_Known]) -> None:
        if self._asking.get(token, (None,))[0] is done:
            del self._asking[token]

    async def _remember(self, token: str, token_id: str, body: str) -> _Known:
        """Ask, and keep the answer no longer than `MEMORY_SECONDS` from before the question."""
        asked_at = time.monotonic()
        known = await self._ask(token_id, body)
        if len(self._remembered) >= MOST_REMEMBERED:
            self._remembered.clear()
        left = MEMORY_SECONDS
        if known.expires_at is not None:
            left = min(left, (known.expires_at - datetime.now(UTC)).total_seconds())
        self._remembered[token] = (known, asked_at + left)
        return known

    async def _ask(self, token_id: str, body: str) -> _Known:
        query = (
            select(ApiToken, ApiClient)
            .outerjoin(ApiClient, ApiClient.id == ApiToken.client_id)
            .where(ApiToken.id == token_id)
        )
        async with self._db.transaction() as tx:
            found = (await tx.execute(query)).one_or_none()
        row, client = (None, None) if found is None else found
        said = seal(body, self._pepper)
        matches = hmac.compare_digest(NOBODY, said) if row is None else _is_of(row, said)
        if row is None or not matches or row.revoked_at is not None:
            raise Unauthorized(_REFUSED)
        if row.expires_at is not None and row.expires_at <= datetime.now(UTC):
            raise Unauthorized(_REFUSED)
        if client is not None and client.revoked_at is not None:
            raise Unauthorized(_REFUSED)
        return _stands_behind(row, client)

    def _parse(self, token: str) -> tuple[str, str]:
        match = _FORMAT.fullmatch(token)
        if match is not None and hmac.compare_digest(_checksum(match[1]), match[3]):
            return match[2], match[1]
        if self._literal and _LITERAL.fullmatch(token):
            return token, token
        raise Unauthorized(_REFUSED)


def rights_of(token: ApiToken, client: ApiClient | None) -> Rights:
    """What a token may: a client's no more than its client may at this moment."""
    if client is None:
        return token.rights
    theirs, own = client.rights, token.rights
    permissions = own.permissions if EVERYTHING in theirs.permissions else own.permissions & theirs.permissions
    return Rights(permissions, theirs.binding)


def _stands_behind(token: ApiToken, client: ApiClient | None) -> _Known:
    rights = rights_of(token, client)
    binding = rights.binding
    spender = str(token.id if client is None else client.id)
    caller = Caller(
        token.tenant_id,
        token.id,
        rights.permissions,
        accounts=binding.accounts,
        most_each=binding.most_each,
        most_a_day=binding.most_a_day,
        spender=spender if binding.most_a_day is not None else "",
        realm=_realm(binding.accounts, client),
    )
    return _Known(caller, binding.networks, token.expires_at)


def _realm(accounts: frozenset[UUID] | None, client: ApiClient | None) -> str:
    """Where the Idempotency-Keys of a token lie, if not with the tenant's: apart from those of another binding.

    A client has its own for ever, bound or not: somebody may bind it, or set it free, between a payment and its
    repetition, which must be known again or it pays twice. The binding of any other token never changes, and a token
    that takes its place finds the same keys.
    """
    if client is not None:
        return f"client:{client.id}"
    if accounts is None:
        return ""
    return f"accounts:{hashlib.sha256(b''.join(sorted(each.bytes for each in accounts))).hexdigest()[:32]}"


def _bearer(authorization: Sequence[str]) -> str:
    if len(authorization) != 1 or len(authorization[0]) > 256:  # noqa: PLR2004
        raise Unauthorized(_REFUSED)
    scheme, _, token = authorization[0].partition(" ")
    if scheme.lower() != "bearer" or not token.isascii():
        raise Unauthorized(_REFUSED)
    return token
