"""Opaque bearer tokens: their format, their storage as an HMAC, and who stands behind one.

    lastro_{live|test}_{id: 10}_{secret: 43 characters of base64url = 256 bits}{CRC-32: 6}

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
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select

from lastro.auth.caller import Caller
from lastro.auth.models import ApiToken
from lastro.database import Database
from lastro.errors import Unauthorized
from lastro.values.text import Text

MEMORY_SECONDS = 0.8  # a revocation is effective within a second
MOST_REMEMBERED = 10_000

_FORMAT = re.compile(r"(lastro_(?:live|test)_([0-9A-Za-z]{10})_[0-9A-Za-z_-]{43})([0-9A-Za-z]{6})")
_LITERAL = re.compile(r"[A-Z_]{1,40}")
_ALPHABET = string.digits + string.ascii_letters
_NOBODY = b"\x00" * 32

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


def _checksum(body: str) -> str:
    number, characters = zlib.crc32(body.encode()), ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        characters = _ALPHABET[digit] + characters
    return characters


class TokenBook:
    """Says who stands behind an `Authorization` header. Remembers an answer for less than a second.

    `literal` tokens (such as SEU_TOKEN) exist only in `lastro dev`, which alone turns them on, in code.
    """

    def __init__(self, db: Database, pepper: bytes, *, literal: bool = False) -> None:
        self._db = db
        self._pepper = pepper
        self._literal = literal
        self._remembered: dict[str, tuple[Caller, float]] = {}
        self._asking: dict[str, tuple[asyncio.Task[Caller], float]] = {}

    async def caller_of(self, authorization: Sequence[str]) -> Caller:
        """The caller behind the request's `Authorization` headers. Raises Unauthorized."""
        token = _bearer(authorization)
        remembered = self._remembered.get(token)
        if remembered is not None and remembered[1] > time.monotonic():
            return remembered[0]
        token_id, body = self._parse(token)
        # Who asks for the same token at the same time shares the question, and its failure: with a line of askers, a
        # database that hangs would answer the tenth after ten timeouts. An old question is not joined: see _remember.
        asking, since = self._asking.get(token, (None, 0.0))
        if asking is None or since + MEMORY_SECONDS < time.monotonic():
            asking = asyncio.create_task(self._remember(token, token_id, body))
            self._asking[token] = (asking, time.monotonic())
            asking.add_done_callback(lambda done: self._forget(token, done))
        return await asyncio.shield(asking)

    def _forget(self, token: str, done: asyncio.Task[Caller]) -> None:
        if self._asking.get(token, (None,))[0] is done:
            del self._asking[token]

    async def _remember(self, token: str, token_id: str, body: str) -> Caller:
        """Ask, and keep the answer no longer than `MEMORY_SECONDS` from before the question."""
        asked_at = time.monotonic()
        caller, expires_at = await self._ask(token_id, body)
        if len(self._remembered) >= MOST_REMEMBERED:
            self._remembered.clear()
        left = MEMORY_SECONDS if expires_at is None else (expires_at - datetime.now(UTC)).total_seconds()
        self._remembered[token] = (caller, asked_at + min(MEMORY_SECONDS, left))
        return caller

    async def _ask(self, token_id: str, body: str) -> tuple[Caller, datetime | None]:
        async with self._db.transaction() as tx:
            row = (await tx.execute(select(ApiToken).where(ApiToken.id == token_id))).scalar_one_or_none()
        known = _NOBODY if row is None else row.secret_hmac
        matches = hmac.compare_digest(known, seal(body, self._pepper))
        if row is None or not matches or row.revoked_at is not None:
            raise Unauthorized(_REFUSED)
        if row.expires_at is not None and row.expires_at <= datetime.now(UTC):
            raise Unauthorized(_REFUSED)
        return Caller(row.tenant_id, row.id, frozenset(row.permissions)), row.expires_at

    def _parse(self, token: str) -> tuple[str, str]:
        match = _FORMAT.fullmatch(token)
        if match is not None and hmac.compare_digest(_checksum(match[1]), match[3]):
            return match[2], match[1]
        if self._literal and _LITERAL.fullmatch(token):
            return token, token
        raise Unauthorized(_REFUSED)


def _bearer(authorization: Sequence[str]) -> str:
    if len(authorization) != 1 or len(authorization[0]) > 256:  # noqa: PLR2004
        raise Unauthorized(_REFUSED)
    scheme, _, token = authorization[0].partition(" ")
    if scheme.lower() != "bearer" or not token.isascii():
        raise Unauthorized(_REFUSED)
    return token
