"""The gate before the application: sizes, deadlines, ids, headers, the log line. Pure ASGI, no task of its own.

It reads the whole body before the application runs, so a client that trickles holds no connection to the database,
and a client that leaves interrupts nothing.
"""

import asyncio
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from os import urandom

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lastro import logs, metrics
from lastro.errors import (
    AT_ITS_LIMIT,
    BankError,
    Internal,
    PayloadTooLarge,
    RequestTimeout,
    Unauthorized,
    Unavailable,
    UnsupportedMediaType,
)
from lastro.jsonapi.errors import JSON, JSON_API, OAUTH, STATUS, body_of, headers_of, wants_json_api
from lastro.logs import logger
from lastro.values.text import Text

LARGEST_BODY = 65_536
LARGEST_OAUTH_BODY = 8_192
LARGEST_KYC_BODY = 24 * 1024 * 1024
MOST_LARGE_BODIES = 8
LARGEST_HEADERS = 16_384
MOST_AT_ONCE = 2_000  # requests of a process that are being answered: a second's work or two
WAITING_SECONDS = 1.0
BODY_SECONDS = 10.0
ANSWER_SECONDS = 30.0
KYC_SECONDS = 60.0

_LOG = logger("http")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_LENGTH = re.compile(rb"[0-9]{1,20}")
_KYC = re.compile(r"/baas/api/v1/accounts/[0-9A-Fa-f-]{36}/kyc")
_WORK = ("/baas/", "/network/", OAUTH)  # each has its own places: no client keeps out what the network brings
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"strict-transport-security", b"max-age=63072000; includeSubDomains"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_VARY = (b"vary", b"Accept")
_JSON, _JSON_API = JSON.encode(), JSON_API.encode()

_TOO_LARGE = Text("Corpo ou cabeçalhos grandes demais.", "Body or headers too large.")
_TOO_SLOW = Text("A requisição não chegou a tempo.", "The request did not arrive in time.")
_NOBODY = Text("Falta o token de acesso.", "The access token is missing.")
_TOO_MANY = Text(
    "Muitos envios de documentos ao mesmo tempo. Tente de novo em instantes.",
    "Too many documents are being sent at once. Try again in a moment.",
)
_COMPRESSED = Text("Corpos comprimidos não são aceitos.", "Compressed bodies are not accepted.")
_NO_ANSWER = Text(
    "O processamento passou do prazo; o resultado é desconhecido. Repita com a mesma Idempotency-Key.",
    "Processing took too long; the outcome is unknown. Repeat with the same Idempotency-Key.",
)
INTERNAL = Text("Erro interno. Informe o requestId ao suporte.", "Internal error. Give the requestId to support.")


@dataclass(frozen=True, slots=True)
class Allowance:
    """How much a request may bring, and how long it may take."""

    largest_body: int
    body_seconds: float
    answer_seconds: float


def allowance_of(scope: Scope) -> Allowance:
    """Documents are pictures, and come to one place; everything else is small, and a client's credentials smaller."""
    if scope["path"].startswith(OAUTH):
        return Allowance(LARGEST_OAUTH_BODY, BODY_SECONDS, ANSWER_SECONDS)
    if scope["method"] == "POST" and _KYC.fullmatch(scope["path"]):
        return Allowance(LARGEST_KYC_BODY, KYC_SECONDS, KYC_SECONDS)
    return Allowance(LARGEST_BODY, BODY_SECONDS, ANSWER_SECONDS)


class Gate:
    """Wraps the application; everything that leaves the server under its paths has passed here."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.large_bodies = 0
        self.at_once = dict.fromkeys(_WORK, 0)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        passage = _Passage(scope, send)
        mark = logs.REQUEST_ID.set(passage.logged_id)
        try:
            await self._pass(passage, receive)
        finally:
            passage.report()
            logs.REQUEST_ID.reset(mark)

    async def _pass(self, passage: "_Passage", receive: Receive) -> None:
        allowance, slot = allowance_of(passage.scope), _Slot(self)
        try:
            _check(passage.scope["headers"])
            deadline = asyncio.timeout(allowance.body_seconds)
            try:
                async with deadline:
                    passage.scope["state"]["body"] = body = await _read(passage.headers, receive, allowance, slot)
                    passage.is_read = True
                    passage.begin_answering(deadline, allowance.answer_seconds)
                    await self._answer(passage, _replay(body, receive))
            except TimeoutError:
                if not deadline.expired():  # the application's own: a bug like any other
                    raise
                if passage.is_read:
                    raise Unavailable(_NO_ANSWER, retry_after=1) from None
                raise RequestTimeout(_TOO_SLOW) from None
        except BankError as error:
            await passage.refuse(error)
        except _ClientLeft:
            passage.status = 499
        except Exception:  # noqa: BLE001 - a bug: logged whole, shown not at all
            _LOG.exception("unhandled")
            await passage.refuse(Internal(INTERNAL))
        finally:
            slot.give_back()

    async def _answer(self, passage: "_Passage", receive: Receive) -> None:
        """Let the application answer; what comes on top of enough waits outside for a second, where it costs nothing.

        Then there is room, or it is sent away. To send it away at once would only make it come back sooner: a refusal
        costs a third of a payment.
        """
        path = passage.scope["path"]
        work = next((start for start in _WORK if path.startswith(start)), None)
        if work is None:
            await self._app(passage.scope, receive, passage.send)
            return
        if self.at_once[work] >= MOST_AT_ONCE:
            await asyncio.sleep(WAITING_SECONDS)
            if self.at_once[work] >= MOST_AT_ONCE:
                raise Unavailable(AT_ITS_LIMIT, retry_after=1)
        self.at_once[work] += 1
        try:
            await self._app(passage.scope, receive, passage.send)
        finally:
            self.at_once[work] -= 1


class _ClientLeft(Exception):
    """The connection ended before the body did."""


class _Passage:
    """One request on its way through: who it is, what was answered. The application finds its `request_id` in state."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self.headers = dict(reversed(scope["headers"]))  # of a repeated header, the first, as everywhere
        given = self.headers.get(b"x-request-id", b"").decode("latin-1")
        # The client's own may be a document's number: it gets it back, the log does not.
        is_good = given != "" and _REQUEST_ID.fullmatch(given) is not None
        self.request_id = given if is_good else urandom(16).hex()
        self.logged_id = logs.masked(given) if is_good else self.request_id
        self.scope = scope
        self.status = 500
        self.is_read = False
        self._send = send
        self._started_at = time.perf_counter()
        self._answered = False
        self._deadline: asyncio.Timeout | None = None
        self._seconds = 0.0
        scope.setdefault("state", {})["request_id"] = self.request_id

    def said(self, header: bytes) -> str:
        """What the client says in a header, or nothing."""
        value: bytes = self.headers.get(header, b"")
        return value.decode("latin-1")

    def begin_answering(self, deadline: asyncio.Timeout, seconds: float) -> None:
        """From now on it is the answer that has a deadline; each of its parts, when it has many."""
        self._deadline, self._seconds = deadline, seconds
        self._extend()

    def _extend(self) -> None:
        if self._deadline is not None:
            self._deadline.reschedule(asyncio.get_running_loop().time() + self._seconds)

    async def send(self, message: Message) -> None:
        """Pass an answer on, with the headers that every answer carries. Who takes a part in time may have the next."""
        if message["type"] == "http.response.start":
            self._answered = True
            self.status = message["status"]
            message = {**message, "headers": self._with_ours(message["headers"])}
        await self._send(message)
        if message.get("more_body", False):
            self._extend()

    def _with_ours(self, headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        theirs = dict(headers)
        all_headers = [(name, value) for name, value in headers if name != b"content-type"]
        media_type = theirs.get(b"content-type")
        if media_type == _JSON and not self.scope["path"].startswith(OAUTH):
            media_type = _JSON_API if wants_json_api(self.said(b"accept")) else _JSON
            all_headers.append(_VARY)
        if media_type is not None:
            all_headers.append((b"content-type", media_type))
        all_headers.extend(pair for pair in _SECURITY_HEADERS if pair[0] not in theirs)
        all_headers.append((b"x-request-id", self.request_id.encode()))
        return all_headers

    async def refuse(self, error: BankError) -> None:
        """Answer with an error, unless an answer is under way."""
        if self._answered:
            return
        path = self.scope["path"]
        body = body_of(
            error,
            path=path,
            accept=self.said(b"accept"),
            accept_language=self.said(b"accept-language"),
            request_id=self.request_id,
        )
        headers = {"content-type": JSON, "content-length": str(len(body)), **headers_of(error, path=path)}
        if not self.is_read and not isinstance(error, UnsupportedMediaType):  # the rest of the body may never come
            headers["connection"] = "close"
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        await self.send({"type": "http.response.start", "status": STATUS[error.code], "headers": raw})
        await self.send({"type": "http.response.body", "body": body})

    def report(self) -> None:
        """One line in the log, one observation in the metrics. The path is the route's: it holds no id, no key."""
        route = getattr(self.scope.get("route"), "path", "unmatched")
        seconds = time.perf_counter() - self._started_at
        method = self.scope["method"] if self.scope["method"] in _METHODS else "other"
        metrics.answered(method, route, self.status, seconds)
        logs.answered(method, route, self.status, seconds)


async def _read(headers: Mapping[bytes, bytes], receive: Receive, allowance: Allowance, slot: "_Slot") -> bytes:
    """The whole body. Raises PayloadTooLarge, UnsupportedMediaType, Unauthorized, Unavailable."""
    if _declared(headers, allowance) > LARGEST_BODY:
        slot.take(headers)
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _ClientLeft
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > allowance.largest_body:
            raise PayloadTooLarge(_TOO_LARGE)
        if size > LARGEST_BODY:
            slot.take(headers)
        if not message.get("more_body", False):
            return b"".join(chunks)


def _check(headers: Sequence[tuple[bytes, bytes]]) -> None:
    if any(name == b"content-encoding" and value.lower() != b"identity" for name, value in headers):
        raise UnsupportedMediaType(_COMPRESSED)
    if sum([len(name) + len(value) for name, value in headers]) > LARGEST_HEADERS:
        raise PayloadTooLarge(_TOO_LARGE)


def _declared(headers: Mapping[bytes, bytes], allowance: Allowance) -> int:
    """What the headers say about the size of the body; 0 when they say nothing."""
    declared = headers.get(b"content-length", b"0")
    if not _LENGTH.fullmatch(declared) or int(declared) > allowance.largest_body:
        raise PayloadTooLarge(_TOO_LARGE)
    return int(declared)


class _Slot:
    """A large body's place in memory, from its first byte to its answer; few are given out at once."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._taken = False

    def take(self, headers: Mapping[bytes, bytes]) -> None:
        """Once for a request. Raises Unauthorized for who does not even claim to be somebody, Unavailable when full."""
        if self._taken:
            return
        if b"authorization" not in headers:
            raise Unauthorized(_NOBODY)
        if self._gate.large_bodies >= MOST_LARGE_BODIES:
            raise Unavailable(_TOO_MANY, retry_after=5)
        self._gate.large_bodies += 1
        self._taken = True

    def give_back(self) -> None:
        """The request is over."""
        if self._taken:
            self._gate.large_bodies -= 1
            self._taken = False


def _replay(body: bytes, receive: Receive) -> Receive:
    """Hand the body over once; afterwards, only the news that the client left."""
    handed_over = False

    async def replay() -> Message:
        nonlocal handed_over
        if handed_over:
            return await receive()
        handed_over = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
