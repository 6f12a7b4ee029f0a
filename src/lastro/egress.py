"""The way out to what a Pix code names: a published charge, and the keys that signed it.

A code can name any address, also one inside of our own walls. So a host is asked only if the operator has listed it,
at an address that all the world can reach and that is looked up once, with no second chance for anybody to lead us
elsewhere: no redirect, no proxy, little time, few bytes.
"""

import asyncio
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import httpx

from lastro.errors import InvalidQrCode, ProviderUnavailable, SetupError
from lastro.values.network import is_public
from lastro.values.text import Text

MOST_BYTES = 64 * 1024
SECONDS = 3.0
_RETRY_AFTER_SECONDS = 2

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_ENTRY = re.compile(rf"(?:(?P<scheme>https?)://)?(?P<host>{_LABEL}(?:\.{_LABEL})*)(?::(?P<port>[1-9][0-9]{{0,4}}))?")
_PATH = re.compile(r"/[A-Za-z0-9._~/=+:?&%-]*")
_PORTS = {"https": 443, "http": 80}
_GONE = {httpx.codes.NOT_FOUND, httpx.codes.GONE}

_NOT_LISTED = Text(
    "O QR Code aponta para um servidor que não é de um participante conhecido.",
    "The QR code points to a server that is not a known participant's.",
)
_NO_CHARGE = Text(
    "O endereço do QR Code não publica uma cobrança.", "What the QR code's address publishes is no charge."
)
_NOT_PUBLISHED = Text(
    "A cobrança deste QR Code não está mais disponível.", "The charge of this QR code is no longer available."
)
SILENT = Text(
    "A instituição que emitiu o QR Code não respondeu. Tente de novo.",
    "The institution that issued the QR code did not answer. Try again.",
)

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


@dataclass(frozen=True, slots=True)
class _Host:
    """A listed host; over plain http it is the demo's, and may be on this very machine."""

    scheme: str
    name: str
    port: int


async def _ask_the_resolver(name: str, port: int) -> Sequence[str]:
    found = await asyncio.get_running_loop().getaddrinfo(name, port, type=socket.SOCK_STREAM)
    return [str(address[4][0]) for address in found]


class Egress:
    """Fetches what listed hosts publish. A host is `pix.example.com`, `name:port`, or `http://name:port` for a demo."""

    def __init__(
        self, hosts: Sequence[str], *, resolve: Resolve = _ask_the_resolver, tls: ssl.SSLContext | None = None
    ) -> None:
        """Raises `SetupError` for an entry that is no host. Trusts the usual authorities, unless `tls` says whom."""
        self._hosts = {}
        for entry in hosts:
            host = _host(entry)
            self._hosts[host.name, host.port] = host
        self._resolve = resolve
        self._tls = tls or httpx.create_ssl_context(trust_env=False)

    def scheme(self, location: str) -> str:
        """How this location (host and path) is to be asked: https, or http for a demo. Raises `InvalidQrCode`."""
        return self._listed(location).scheme

    async def get(self, location: str, *, accept: str) -> bytes:
        """What is published at a location: host and path, as a BR Code has it.

        Raises `InvalidQrCode` for a host that is not listed, which is not even looked up, and for a charge that its
        issuer no longer shows; `ProviderUnavailable` for all that may be otherwise next time.
        """
        host = self._listed(location)
        path = location[location.index("/") :]
        try:
            async with asyncio.timeout(SECONDS):
                address = await self._address(host)
                status, body = await self._fetch(host, address, path, accept)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError):
            # Nothing of httpx leaves here: its errors hold the address.
            raise ProviderUnavailable(SILENT, retry_after=_RETRY_AFTER_SECONDS) from None
        if status in _GONE:
            raise InvalidQrCode(_NOT_PUBLISHED)
        if status == httpx.codes.OK and body is None:
            raise InvalidQrCode(_NO_CHARGE)
        if status != httpx.codes.OK or body is None:
            raise ProviderUnavailable(SILENT, retry_after=_RETRY_AFTER_SECONDS)
        return body

    def _listed(self, location: str) -> _Host:
        authority, slash, path = location.partition("/")
        match = _ENTRY.fullmatch(authority.lower())
        if match is None or not _PATH.fullmatch(slash + path):
            raise InvalidQrCode(_NOT_LISTED)
        for scheme, port in _PORTS.items():
            host = self._hosts.get((match["host"], int(match["port"] or port)))
            if host is not None and host.scheme == scheme:
                return host
        raise InvalidQrCode(_NOT_LISTED)

    async def _address(self, host: _Host) -> str:
        """The address to connect to. One that is not public among several is reason enough to ask none of them."""
        addresses = await self._resolve(host.name, host.port)
        if not addresses or (host.scheme == "https" and not all(map(is_public, addresses))):
            raise ConnectionError
        return addresses[0]

    async def _fetch(self, host: _Host, address: str, path: str, accept: str) -> tuple[int, bytes | None]:
        """Status and body; no body if it is too long or packed. The name goes into Host and TLS, not to a resolver."""
        authority = host.name if host.port == _PORTS[host.scheme] else f"{host.name}:{host.port}"
        # A client for each request: a kept connection would be one to the address, whatever name it was made for.
        async with (
            httpx.AsyncClient(verify=self._tls, trust_env=False, follow_redirects=False, timeout=SECONDS) as client,
            client.stream(
                "GET",
                httpx.URL(scheme=host.scheme, host=address, port=host.port, raw_path=path.encode()),
                headers={"Host": authority, "Accept": accept, "Accept-Encoding": "identity", "User-Agent": "lastro"},
                extensions={"sni_hostname": host.name},
            ) as response,
        ):
            if response.status_code != httpx.codes.OK or "content-encoding" in response.headers:
                return response.status_code, None
            body = bytearray()
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > MOST_BYTES:
                    return response.status_code, None
            return response.status_code, bytes(body)


def _host(entry: str) -> _Host:
    match = _ENTRY.fullmatch(entry.strip().lower())
    if match is None:
        raise SetupError(f"LASTRO_PIX_HOSTS: {entry!r} is not a host such as pix.example.com or pix.example.com:8443")
    scheme = match["scheme"] or "https"
    return _Host(scheme, match["host"], int(match["port"] or _PORTS[scheme]))
