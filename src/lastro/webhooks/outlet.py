"""The way out to the endpoints of tenants: any public address, and nothing inside of our own walls.

A tenant names the host, so it may lead anywhere, and elsewhere tomorrow. Each delivery looks it up anew, asks none of
its addresses unless all are public, and connects to the one that was looked at. Nobody gets a second chance to lead us
elsewhere: no redirect, no proxy. Nobody costs much: one deadline for all of it, and little of an answer is read.
"""

import asyncio
import contextlib
import functools
import socket
import ssl
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import httpx

from lastro.values.network import is_loopback, is_public
from lastro.webhooks import endpoint

MOST_BYTES = 64 * 1024
MOST_SECONDS = 30.0

_LAST_MOMENT_SECONDS = 0.05  # so that a status that came in time is not lost with the rest
_BODY_SECONDS = 1.0  # the status counts; what follows is read so that the connection can be used again
_CONNECT_SECONDS = 5.0  # then the next address, where there are several
# For TCP and again for TLS, so that both give up before the deadline does: httpcore leaves a socket open when a
# handshake is cancelled, and closes it when the handshake runs out of its own time.
_SHARE_TO_CONNECT = 0.45
_ADDRESSES_TRIED = 3
_FRESH_SECONDS = 10.0  # how long an answer of the resolver is good: it is connected to as it was judged
_NAMES_KEPT = 2_000
_RESOLVERS = 64  # threads: a name server that hangs holds one for each name that is its own
_POOLS, _SECONDS_IDLE = 256, 4.0  # given up before a server hangs up at five
_PORTS = {"https": 443, "http": 80}

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


class Unreachable(Exception):
    """No answer. Why, in a word: TIMEOUT, DNS, REFUSED_ADDRESS, CONNECT, TLS, RESET, REQUEST; never the address."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Response:
    """What an endpoint answered: its status, its Retry-After if there is one, and how long the exchange took."""

    status: int
    retry_after: str | None
    milliseconds: int


@dataclass(frozen=True, slots=True)
class _Target:
    scheme: str
    name: str
    port: int
    path: bytes

    @property
    def authority(self) -> str:
        name = f"[{self.name}]" if ":" in self.name else self.name
        return name if self.port == _PORTS[self.scheme] else f"{name}:{self.port}"


@dataclass(slots=True)
class _Pool:
    """Connections to one address, made for one name: each in a pool of its own, for httpx looks through all of one."""

    idle: list[httpx.AsyncHTTPTransport] = field(default_factory=list)
    in_use: int = 0
    used_at: float = field(default_factory=time.monotonic)

    async def close(self) -> None:
        """Those that are idle."""
        while self.idle:
            await self.idle.pop().aclose()


class Outlet:
    """Posts to endpoints. Shared by all: it keeps connections, and knows who was looked up a moment ago."""

    def __init__(
        self,
        *,
        loopback: bool = False,
        own: Collection[str] = (),
        resolve: Resolve | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`loopback`: this very machine may be asked too (`lastro dev`). `own`: hosts of ours, which are never asked.

        Trusts the usual authorities, unless `tls` says whom.
        """
        self._loopback = loopback
        self._own = frozenset(own)
        self._resolvers = ThreadPoolExecutor(_RESOLVERS, thread_name_prefix="resolver")
        self._resolve = resolve or self._ask_the_resolver
        self._tls = tls or httpx.create_ssl_context(trust_env=False)
        self._known: OrderedDict[tuple[str, int], tuple[float, Sequence[str]]] = OrderedDict()
        self._asking: dict[tuple[str, int], asyncio.Task[Sequence[str]]] = {}
        self._pools: OrderedDict[tuple[str, str, int, str], _Pool] = OrderedDict()

    def judge(self, url: str) -> str:
        """The URL of an endpoint as it is kept. Raises Invalid for one that will never be asked."""
        return endpoint.parse(url, loopback=self._loopback, own=self._own)

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, *, timeout_seconds: float) -> Response:
        """Post once, within the time (30 seconds at most). Any status is an answer. Raises Unreachable."""
        began = time.monotonic()
        deadline = asyncio.get_running_loop().time() + min(timeout_seconds, MOST_SECONDS)
        try:
            target = _target(url)
            async with asyncio.timeout_at(deadline):
                addresses = await self._addresses(target)
                status, retry_after = await self._to_one_of(addresses, target, headers, body, deadline)
        except TimeoutError:
            raise Unreachable("TIMEOUT") from None
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, ValueError) as error:
            # Nothing of httpx leaves here: its errors hold the address.
            raise Unreachable(_reason(error)) from None
        return Response(status, retry_after, round((time.monotonic() - began) * 1000))

    async def close(self) -> None:
        """Give every connection back."""
        for asking in list(self._asking.values()):
            asking.cancel()
        self._resolvers.shutdown(wait=False, cancel_futures=True)
        while self._pools:
            _, pool = self._pools.popitem()
            await pool.close()

    # Where to

    async def _addresses(self, target: _Target) -> Sequence[str]:
        if target.name in self._own:
            raise Unreachable("REFUSED_ADDRESS")
        addresses = await self._look_up(target.name, target.port)
        if not addresses:
            raise Unreachable("DNS")
        # One that is not public among several is reason enough to ask none of them.
        if not all(self._may_be_asked(each, target.scheme) for each in addresses):
            raise Unreachable("REFUSED_ADDRESS")
        return addresses[:_ADDRESSES_TRIED]

    def _may_be_asked(self, address: str, scheme: str) -> bool:
        if self._loopback and is_loopback(address):
            return True
        return scheme == "https" and is_public(address)

    async def _look_up(self, name: str, port: int) -> Sequence[str]:
        """Once for all who ask at the same time: a name that hangs holds one thread, however many wait for it."""
        key, now = (name, port), time.monotonic()
        known = self._known.get(key)
        if known is not None and known[0] > now:
            return known[1]
        asking = self._asking.get(key)
        if asking is None:
            asking = self._asking[key] = asyncio.create_task(self._ask(key))
            asking.add_done_callback(functools.partial(self._asked, key))
        return await asyncio.shield(asking)

    async def _ask(self, key: tuple[str, int]) -> Sequence[str]:
        try:
            found = list(dict.fromkeys(await self._resolve(*key)))
        except (OSError, UnicodeError):
            raise Unreachable("DNS") from None
        self._known[key] = (time.monotonic() + _FRESH_SECONDS, found)
        self._known.move_to_end(key)
        while len(self._known) > _NAMES_KEPT:
            self._known.popitem(last=False)
        return found

    def _asked(self, key: tuple[str, int], asking: asyncio.Task[Sequence[str]]) -> None:
        self._asking.pop(key, None)
        if not asking.cancelled():
            asking.exception()  # looked at, even if nobody waits any longer

    async def _ask_the_resolver(self, name: str, port: int) -> Sequence[str]:
        """In threads of our own: those of the loop are few, and everybody's."""
        ask = functools.partial(socket.getaddrinfo, name, port, type=socket.SOCK_STREAM)
        found = await asyncio.get_running_loop().run_in_executor(self._resolvers, ask)
        return [str(address[4][0]) for address in found]

    # And there

    async def _to_one_of(
        self, addresses: Sequence[str], target: _Target, headers: Mapping[str, str], body: bytes, deadline: float
    ) -> tuple[int, str | None]:
        for last, address in ((number == len(addresses), each) for number, each in enumerate(addresses, 1)):
            try:
                return await self._exchange(address, target, headers, body, deadline)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:  # nothing was said yet
                if last or _reason(error) == "TLS":
                    raise
        raise AssertionError

    async def _exchange(
        self, address: str, target: _Target, headers: Mapping[str, str], body: bytes, deadline: float
    ) -> tuple[int, str | None]:
        """Status and Retry-After. The name goes into Host and TLS, and to no resolver again."""
        loop = asyncio.get_running_loop()
        left = max(0.001, deadline - loop.time())
        request = httpx.Request(
            "POST",
            httpx.URL(scheme=target.scheme, host=address, port=target.port, raw_path=target.path),
            headers={"Host": target.authority, "Accept-Encoding": "identity", **headers},
            content=body,
            extensions={
                "sni_hostname": target.name,
                "timeout": {
                    "connect": min(left * _SHARE_TO_CONNECT, _CONNECT_SECONDS),
                    "read": left,
                    "write": left,
                    "pool": left,
                },
            },
        )
        async with self._connection(target, address) as connection:
            response = await connection.handle_async_request(request)
            try:
                with contextlib.suppress(TimeoutError, httpx.HTTPError, httpx.StreamError):
                    async with asyncio.timeout_at(min(deadline - _LAST_MOMENT_SECONDS, loop.time() + _BODY_SECONDS)):
                        await _read_a_little(response)
            finally:
                await response.aclose()
            return response.status_code, response.headers.get("retry-after")

    @contextlib.asynccontextmanager
    async def _connection(self, target: _Target, address: str) -> AsyncIterator[httpx.AsyncHTTPTransport]:
        """One to this address under this name; those that nobody used for long are given up."""
        key = (target.scheme, target.name, target.port, address)
        pool = self._pools.setdefault(key, _Pool())
        self._pools.move_to_end(key)
        pool.in_use += 1
        connection = pool.idle.pop() if pool.idle else self._new_connection()
        try:
            await self._prune()
            yield connection
        finally:
            pool.in_use -= 1
            pool.used_at = time.monotonic()
            pool.idle.append(connection)

    def _new_connection(self) -> httpx.AsyncHTTPTransport:
        limits = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=_SECONDS_IDLE)
        return httpx.AsyncHTTPTransport(verify=self._tls, trust_env=False, limits=limits)

    async def _prune(self) -> None:
        while self._pools:
            key, oldest = next(iter(self._pools.items()))
            idle = time.monotonic() - oldest.used_at > _SECONDS_IDLE
            if oldest.in_use or not (idle or len(self._pools) > _POOLS):
                return
            del self._pools[key]
            await oldest.close()


async def _read_a_little(response: httpx.Response) -> None:
    read = 0
    async for chunk in response.aiter_raw():
        read += len(chunk)
        if read > MOST_BYTES:
            return


@functools.lru_cache(maxsize=4096)
def _target(url: str) -> _Target:
    parsed = httpx.URL(url)
    if parsed.scheme not in _PORTS or not parsed.host:
        raise ValueError("not the URL of an endpoint")
    return _Target(parsed.scheme, parsed.host, parsed.port or _PORTS[parsed.scheme], parsed.raw_path)


def _reason(error: Exception) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "TIMEOUT"
    causes: list[BaseException] = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) is not None and cause not in causes:
        causes.append(cause)
    if any(isinstance(each, ssl.SSLError | ssl.CertificateError) for each in causes):
        return "TLS"
    if isinstance(error, httpx.ConnectError | OSError):
        return "CONNECT"
    if isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError):
        return "RESET"
    return "REQUEST"
