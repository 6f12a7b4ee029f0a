"""What somebody else's code points to is fetched from listed, public hosts, in little time and few bytes; or not."""

import asyncio
import ipaddress
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from lastro import egress
from lastro.egress import MOST_BYTES, Egress, is_public
from lastro.errors import InvalidQrCode, ProviderUnavailable, SetupError
from servers import listening

HOST = "127.0.0.1"
NAME = "pix.example.com"

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


class Server:
    """A real one, on this machine; remembers what it was asked."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.asked: list[str] = []
        self.port = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked.append((await reader.readuntil(b"\r\n\r\n")).decode())
        await self._answer(writer)


@asynccontextmanager
async def serving(answer: Answer, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    server = Server(answer)
    async with listening(server, tls) as server.port:
        yield server


def saying(body: bytes, *, status: str = "200 OK", headers: str = "") -> Answer:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body)
        await writer.drain()

    return answer


def demo(server: Server) -> Egress:
    return Egress([f"http://{HOST}:{server.port}"])


async def fetch(server: Server, path: str = "/qr/v2/x") -> bytes:
    return await demo(server).get(f"{HOST}:{server.port}{path}", accept="application/jose")


def looking_up(*addresses: str) -> tuple[egress.Resolve, list[str]]:
    asked: list[str] = []

    async def resolve(name: str, _port: int) -> Sequence[str]:
        asked.append(name)
        return addresses

    return resolve, asked


# What is fetched


async def test_what_a_listed_host_publishes_is_fetched() -> None:
    async with serving(saying(b"a.b.c")) as server:
        assert await fetch(server, "/qr/v2/x?codMun=3550308&DPP=2026-12-24") == b"a.b.c"
    request = server.asked[0].lower()
    assert request.startswith("get /qr/v2/x?codmun=3550308&dpp=2026-12-24 http/1.1\r\n")
    assert f"host: {HOST}:{server.port}\r\n" in request
    assert "accept: application/jose\r\n" in request
    assert "cookie" not in request
    assert "authorization" not in request


async def test_capitals_do_not_make_another_host() -> None:
    async with serving(saying(b"ok")) as server:
        resolve, asked = looking_up(HOST)
        out = Egress([f"http://Pix.Example.com:{server.port}"], resolve=resolve)
        assert await out.get(f"PIX.example.COM:{server.port}/X", accept="*/*") == b"ok"
    assert asked == ["pix.example.com"]
    assert server.asked[0].startswith("GET /X ")


async def test_as_many_bytes_as_allowed_are_read() -> None:
    async with serving(saying(b"x" * MOST_BYTES)) as server:
        assert len(await fetch(server)) == MOST_BYTES


@pytest.mark.parametrize(
    ("entry", "location", "scheme"),
    [
        ("pix.example.com", "pix.example.com/a", "https"),
        ("pix.example.com", "pix.example.com:443/a", "https"),
        ("https://pix.example.com", "pix.example.com/a", "https"),
        ("pix.example.com:443", "pix.example.com/a", "https"),
        (" pix.example.com:8443 ", "pix.example.com:8443/a", "https"),
        ("http://127.0.0.1:8000", "127.0.0.1:8000/a", "http"),
        ("http://localhost", "localhost/a", "http"),
    ],
)
def test_a_demo_is_asked_over_http_and_nobody_else(entry: str, location: str, scheme: str) -> None:
    assert Egress([entry]).scheme(location) == scheme


# Who is not asked


@pytest.mark.parametrize(
    "location",
    [
        "evil.example/a",
        "pix.example.com:8443/a",
        "pix.example.com:80/a",
        "sub.pix.example.com/a",
        "pix.example.com.evil.example/a",
        "pix.example.com.:443/a",
        "pix.example.com@evil.example/a",
        "user:word@pix.example.com/a",
        "https://pix.example.com/a",
        "//pix.example.com/a",
        "pix.example.com",
        "pix.example.com?/a",
        "pix.example.com#/a",
        "pix.example.com\\/a",
        "pix.example.com/a b",
        "pix.example.com/a\r\nHost: evil.example",
        "pix.example.com/é",
        "127.0.0.1/a",
        "2130706433/a",
        "0x7f000001/a",
        "[::1]/a",
        "127.0.0.1:8000/a",
        "127.1:8001/a",
        "",
        "/",
        "\x00",
        "pıx.example.com/a",
    ],
)
async def test_a_host_that_is_not_listed_is_not_even_looked_up(location: str) -> None:
    resolve, asked = looking_up("8.8.8.8")
    out = Egress(["pix.example.com", "http://127.0.0.1:8001"], resolve=resolve)
    with pytest.raises(InvalidQrCode):
        await out.get(location, accept="*/*")
    with pytest.raises(InvalidQrCode):
        out.scheme(location)
    assert asked == []


@pytest.mark.parametrize(("entry", "location"), [("http://h:443", "h/a"), ("https://h:80", "h/a")])
async def test_a_port_without_its_scheme_is_another_place(entry: str, location: str) -> None:
    resolve, asked = looking_up("8.8.8.8")
    with pytest.raises(InvalidQrCode):
        await Egress([entry], resolve=resolve).get(location, accept="*/*")
    assert asked == []


async def test_without_a_list_nobody_is_asked() -> None:
    with pytest.raises(InvalidQrCode):
        await Egress([]).get("pix.example.com/a", accept="*/*")


@pytest.mark.parametrize(
    "address",
    [
        HOST,
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "239.1.1.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "2001::1",
        "2001:db8::1",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fec0::1",
        "3fff::1",
        "192.88.99.1",
        "ff02::1",
        "ff0e::1",
        "no address",
        "127.1",
        "",
    ],
)
async def test_a_listed_name_that_leads_inside_is_not_followed(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_public(address)
    fetched: list[str] = []
    monkeypatch.setattr(Egress, "_fetch", lambda *_: fetched.append("asked"))
    for addresses in ([address], ["8.8.8.8", address], [address, "2606:4700::1111"]):
        resolve, _ = looking_up(*addresses)
        with pytest.raises(ProviderUnavailable):
            await Egress([NAME], resolve=resolve).get(f"{NAME}/a", accept="*/*")
    assert fetched == []


@pytest.mark.parametrize("address", ["8.8.8.8", "200.160.2.3", "2606:4700::1111", "::ffff:8.8.8.8", "2001:4860::8888"])
def test_a_public_address_is_one(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("addresses", [[], ["not an address"]])
async def test_a_name_without_an_address_is_not_there(addresses: list[str]) -> None:
    resolve, _ = looking_up(*addresses)
    with pytest.raises(ProviderUnavailable):
        await Egress([NAME], resolve=resolve).get(f"{NAME}/a", accept="*/*")


async def test_a_resolver_that_fails_or_hangs_is_a_reason_to_try_again() -> None:
    async def fails(_name: str, _port: int) -> Sequence[str]:
        raise OSError("no such host")

    async def hangs(_name: str, _port: int) -> Sequence[str]:
        await asyncio.sleep(60)
        return []

    for resolve in (fails, hangs):
        with pytest.raises(ProviderUnavailable) as refusal:
            await Egress([NAME], resolve=resolve).get(f"{NAME}/a", accept="*/*")
        assert refusal.value.retry_after


async def test_a_name_is_looked_up_once_so_that_a_second_answer_is_never_heard() -> None:
    async with serving(saying(b"ok")) as server:
        answers = [[HOST], ["10.0.0.1"]]

        async def lies(_name: str, _port: int) -> Sequence[str]:
            return answers.pop(0)

        out = Egress([f"http://{NAME}:{server.port}"], resolve=lies)
        assert await out.get(f"{NAME}:{server.port}/a", accept="*/*") == b"ok"
    assert answers == [["10.0.0.1"]]
    assert f"Host: {NAME}:{server.port}\r\n" in server.asked[0]


@pytest.mark.parametrize(
    "entry", ["", "*", "*.example.com", "pix.example.com/a", "ftp://pix.example.com", "a b", "a:0", "[::1]", "http://"]
)
def test_a_list_that_is_none_is_refused_at_the_start(entry: str) -> None:
    with pytest.raises(SetupError, match="LASTRO_PIX_HOSTS"):
        Egress(["pix.example.com", entry])


# Who answers badly


async def test_a_redirect_is_not_followed() -> None:
    async with serving(saying(b"secret")) as inside:
        for there in (f"http://{HOST}:{inside.port}/", "http://169.254.169.254/latest/meta-data/"):
            for status in ("301 Moved", "302 Found", "307 Temporary", "308 Permanent"):
                async with serving(saying(b"", status=status, headers=f"Location: {there}\r\n")) as server:
                    with pytest.raises(ProviderUnavailable):
                        await fetch(server)
    assert inside.asked == []


@pytest.mark.parametrize("status", ["404 Not Found", "410 Gone"])
async def test_a_charge_that_is_no_longer_shown_is_not_to_be_tried_again(status: str) -> None:
    async with serving(saying(b"{}", status=status)) as server:
        with pytest.raises(InvalidQrCode, match="no longer available"):
            await fetch(server)


@pytest.mark.parametrize("status", ["204 No Content", "206 Partial", "400 Bad Request", "403 Forbidden", "500 Oops"])
async def test_any_other_answer_is(status: str) -> None:
    async with serving(saying(b"", status=status)) as server:
        with pytest.raises(ProviderUnavailable) as refusal:
            await fetch(server)
    assert refusal.value.retry_after == 2
    assert HOST not in str(refusal.value)


async def hang(_writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


async def drip(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.1)


async def drip_headers(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X: y\r\n")
        await writer.drain()
        await asyncio.sleep(0.1)


@pytest.mark.parametrize("answer", [hang, drip, drip_headers])
async def test_a_server_that_takes_its_time_is_left_after_three_seconds(answer: Answer) -> None:
    started = time.monotonic()
    async with serving(answer) as server:
        with pytest.raises(ProviderUnavailable):
            await fetch(server)
    assert 2.5 < time.monotonic() - started < 4.5


async def test_a_server_that_talks_without_end_is_cut_short() -> None:
    sent = 0

    async def talk(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n")
        for _ in range(1000):
            writer.write(b"x" * 10_000)
            await writer.drain()
            sent += 10_000

    async with serving(talk) as server:
        with pytest.raises(InvalidQrCode):
            await fetch(server)
    assert sent < 10_000_000


async def test_a_packed_answer_is_not_unpacked() -> None:
    async with serving(saying(b"\x1f\x8b", headers="Content-Encoding: gzip\r\n")) as server:
        with pytest.raises(InvalidQrCode):
            await fetch(server)
    assert "accept-encoding: identity" in server.asked[0].lower()


async def nothing(_writer: asyncio.StreamWriter) -> None:
    return


async def half(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")
    await writer.drain()


async def noise(writer: asyncio.StreamWriter) -> None:
    writer.write(b"\x00\xff" * 1000)
    await writer.drain()


@pytest.mark.parametrize("answer", [nothing, half, noise])
async def test_a_server_that_speaks_no_http_is_not_there(answer: Answer) -> None:
    async with serving(answer) as server:
        with pytest.raises(ProviderUnavailable):
            await fetch(server)


async def test_a_port_where_nobody_listens_is_not_there() -> None:
    async with serving(nothing) as server:
        pass
    with pytest.raises(ProviderUnavailable):
        await fetch(server)


async def test_the_surroundings_name_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(saying(b"the proxy's")) as proxy, serving(saying(b"its own")) as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://{HOST}:{proxy.port}")
        assert await fetch(server) == b"its own"
    assert proxy.asked == []


# TLS, to the name, through the address


def certificate(directory: Path, name: str) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = directory / f"{name}.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.mark.parametrize(
    ("named", "trusted", "comes_through"),
    [(NAME, True, True), ("other.example.com", True, False), (NAME, False, False)],
)
async def test_tls_is_to_the_name_and_the_connection_to_the_address(
    named: str, trusted: bool, comes_through: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(egress, "is_public", lambda address: ipaddress.ip_address(address).is_loopback)
    pem = certificate(tmp_path, named)
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.load_cert_chain(pem)
    spoken_to: list[str | None] = []
    theirs.sni_callback = lambda _socket, name, _context: spoken_to.append(name)
    ours = ssl.create_default_context(cafile=str(pem)) if trusted else None
    resolve, _ = looking_up(HOST)
    async with serving(saying(b"signed"), tls=theirs) as server:
        out = Egress([f"{NAME}:{server.port}"], resolve=resolve, tls=ours)
        fetched = out.get(f"{NAME}:{server.port}/a", accept="*/*")
        if comes_through:
            assert await fetched == b"signed"
            assert f"Host: {NAME}:{server.port}\r\n" in server.asked[0]
        else:
            with pytest.raises(ProviderUnavailable):
                await fetched
            assert server.asked == []
    assert spoken_to == [NAME]
