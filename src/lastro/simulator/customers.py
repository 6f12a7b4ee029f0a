"""Simulated customers who, when a code reaches them, type it into Lastro."""

import asyncio
from dataclasses import dataclass
from uuid import UUID

import httpx
import structlog
from sqlalchemy import DateTime, func, select, update

from lastro.simulator.book import Book, Message

_TIMEOUT_SECONDS = 5.0
_AT_ONCE = 20
_NOT_MINE = frozenset({httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN, httpx.codes.NOT_FOUND})

_log = structlog.get_logger(part="simulator")


@dataclass(frozen=True, slots=True)
class _Note:
    """A message in the hands of a customer."""

    key_id: UUID
    code: str


class Customers:
    """Customers who, when a code reaches them, type it into Lastro, each with a token of their own.

    Who has no token here reads the mailbox instead. `open` it before use and `close` it after.
    """

    def __init__(self, book: Book, *, deliver_to: str, tokens: tuple[str, ...]) -> None:
        self._book, self._deliver_to, self._tokens = book, deliver_to.rstrip("/"), tokens
        self._mail = asyncio.Event()
        self._client: httpx.AsyncClient | None = None

    async def open(self) -> None:
        """Nothing is typed yet."""
        self._client = httpx.AsyncClient(timeout=_TIMEOUT_SECONDS, trust_env=False)

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()

    def wake(self) -> None:
        """There is mail."""
        self._mail.set()

    async def rest(self, seconds: float) -> None:
        """Sleep, at most until there is mail."""
        try:
            await asyncio.wait_for(self._mail.wait(), seconds)
        except TimeoutError:
            return
        self._mail.clear()

    async def read_mail(self) -> None:
        """One round: type the codes of what nobody has read yet, side by side."""
        if not self._tokens:
            return
        unread = select(Message).where(Message.read_at.is_(None)).order_by(Message.sent_at).limit(_AT_ONCE)
        async with self._book.transaction() as tx:
            notes = [_Note(each.request_id, each.code) for each in (await tx.execute(unread)).scalars()]
        await asyncio.gather(*map(self._take, notes))

    async def _take(self, note: _Note) -> None:
        """No transaction is open while Lastro is spoken to. When nobody answers, the next round tries again."""
        try:
            await self._type(note)
        except (httpx.HTTPError, OSError) as error:
            _log.info("nobody_took_the_code", key=str(note.key_id), why=type(error).__name__)
            return
        seen = update(Message).where(Message.request_id == note.key_id)
        async with self._book.transaction() as tx:
            await tx.execute(seen.values(read_at=func.clock_timestamp(type_=DateTime(timezone=True))))

    async def _type(self, note: _Note) -> None:
        assert self._client is not None, "open() comes first"  # noqa: S101
        body = {"data": {"type": "pix-keys", "attributes": {"code": note.code}}}
        for token in self._tokens:
            response = await self._client.post(
                f"{self._deliver_to}/baas/api/v1/pix/keys/{note.key_id}/confirm",
                json=body,
                headers={"Authorization": f"Bearer {token}"},
            )
            if response.is_server_error:
                response.raise_for_status()
            if response.status_code not in _NOT_MINE:
                return
