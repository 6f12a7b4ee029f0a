"""The way out: to public addresses alone, at the address that was judged, in little time, reading little."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from lastro.values.text import Invalid
from lastro.webhooks import outlet
from lastro.webhooks.outlet import Outlet, Resolve, Unreachable
from servers import listening
from webhooks.receiver import Behaviour, endless_headers, hanging, late, receiving, resetting, saying

NAME = "hooks.example.com"


@asynccontextmanager
async def an_outlet(
    *, loopback: bool = True, own: Sequence[str] = (), resolve: Resolve | None = None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Outlet]:
    out = Outlet(loopback=loopback, own=own, resolve=resolve, tls=tls)
    try:
        yield out
    finally:
        await out.close()


async def why(out: Outlet, url: str, *, timeout_seconds: float = 2, headers: dict[str, str] | None = None) -> str:
    """For which reason nothing comes back; the error says nothing else."""
    with pytest.raises(Unreachable) as error:
        await out.post(url, headers or {}, b"{}", timeout_seconds=timeout_seconds)
    assert str(error.value) == error.value.reason
    assert error.value.__cause__ is None
    return error.value.reason


def leading_to(*turns: Sequence[str]) -> tuple[Resolve, list[str]]:
    """A resolver that says something else each time, and what it was asked."""
    asked: list[str] = []

    async def resolve(name: str, _port: int) -> Sequence[str]:
        asked.append(name)
        return turns[min(len(asked), len(turns)) - 1]

    return resolve, asked


async def test_a_post_arrives_as_it_was_given() -> None:
    async with receiving(saying(202, b"thanks", retry_after="7")) as receiver, an_outlet() as out:
        answer = await out.post(receiver.url, {"X-A": "1"}, b'{"a":1}', timeout_seconds=2)
    assert (answer.status, answer.retry_after) == (202, "7")
    assert 0 <= answer.milliseconds < 2000
    (post,) = receiver.received
    assert post.body == b'{"a":1}'
    assert (post.headers["x-a"], post.headers["accept-encoding"]) == ("1", "identity")
    assert "cookie" not in post.headers


async def test_connections_are_kept_and_used_again() -> None:
    ports = set()

    async def remembering(writer: asyncio.StreamWriter, post: object) -> None:
        ports.add(writer.get_extra_info("peername")[1])
        await saying(200, b"ok")(writer, post)  # type: ignore[arg-type]

    async with receiving(remembering) as receiver, an_outlet() as out:
        for _ in range(5):
            await out.post(receiver.url, {}, b"{}", timeout_seconds=2)
    assert len(ports) == 1


# Where nothing is sent


@pytest.mark.parametrize(
    "addresses",
    [
        *(["127.0.0.1"], ["::1"], ["0.0.0.0"], ["::"], ["10.1.2.3"], ["172.20.0.1"], ["192.168.0.1"], ["100.64.0.1"]),
        *(["169.254.169.254"], ["fd00:ec2::254"], ["fe80::1"], ["224.0.0.1"], ["255.255.255.255"], ["198.18.0.1"]),
        *(["::ffff:127.0.0.1"], ["::ffff:10.0.0.1"], ["64:ff9b::7f00:1"], ["2002:7f00:1::"], ["2001::1"]),
        *(["93.184.216.34", "10.0.0.1"], ["10.0.0.1", "93.184.216.34"], ["not an address"]),
    ],
)
async def test_a_name_that_leads_inside_is_not_asked(addresses: list[str]) -> None:
    resolve, asked = leading_to(addresses)
    async with an_outlet(loopback=False, resolve=resolve) as out:
        assert await why(out, f"https://{NAME}/x") == "REFUSED_ADDRESS"
    assert asked == [NAME]


@pytest.mark.parametrize(
    "url",
    [
        *(
            "https://127.0.0.1/x",
            "https://2130706433/x",
            "https://0x7f000001/x",
            "https://0177.0.0.1/x",
            "https://127.1/x",
        ),
        *(
            "https://[::1]/x",
            "https://[::ffff:127.0.0.1]/x",
            "https://localhost/x",
            "https://0.0.0.0/x",
            "https://[::]/x",
        ),
        *("https://user@127.0.0.1/x", "http://127.0.0.1/x", "http://93.184.216.34/x"),
    ],
)
async def test_what_should_never_have_been_registered_is_not_asked_either(url: str) -> None:
    async with an_outlet(loopback=False) as out:
        assert await why(out, url) in {"REFUSED_ADDRESS", "DNS", "REQUEST"}


@pytest.mark.parametrize("address", ["10.0.0.1", "169.254.169.254", "93.184.216.34"])
async def test_loopback_for_demos_is_loopback_and_nothing_else(address: str) -> None:
    resolve, _ = leading_to([address])
    async with an_outlet(resolve=resolve) as out:
        assert await why(out, "http://demo/x") == "REFUSED_ADDRESS"


async def test_what_is_ours_is_not_even_looked_up() -> None:
    resolve, asked = leading_to(["93.184.216.34"])
    async with an_outlet(own=[NAME], resolve=resolve) as out:
        assert await why(out, f"https://{NAME}/x") == "REFUSED_ADDRESS"
        with pytest.raises(Invalid):
            out.judge(f"https://{NAME}/x")
    assert asked == []


async def test_a_name_that_leads_elsewhere_the_second_time_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: what was looked up is what is connected to, and a kept connection helps nobody."""
    monkeypatch.setattr(outlet, "_FRESH_SECONDS", 0.0)
    resolve, asked = leading_to(["127.0.0.1"], ["127.0.0.1"], ["169.254.169.254"])
    async with receiving(saying(200)) as receiver, an_outlet(resolve=resolve) as out:
        url = f"http://rebinding:{receiver.port}/x"
        for _ in range(2):
            assert (await out.post(url, {}, b"{}", timeout_seconds=2)).status == 200
        assert await why(out, url) == "REFUSED_ADDRESS"
    assert len(receiver.received) == 2
    assert asked == ["rebinding"] * 3, "once for each post, never a second time to connect"
    assert receiver.received[0].headers["host"] == f"rebinding:{receiver.port}"


async def test_an_answer_of_the_resolver_is_good_for_a_moment() -> None:
    resolve, asked = leading_to(["127.0.0.1"], ["10.0.0.1"])
    async with receiving(saying(200)) as receiver, an_outlet(resolve=resolve) as out:
        for _ in range(3):
            await out.post(f"http://name:{receiver.port}/x", {}, b"{}", timeout_seconds=2)
    assert asked == ["name"]


async def test_where_one_address_does_not_answer_the_next_is_asked() -> None:
    resolve, _ = leading_to(["::1", "127.0.0.1"])
    async with receiving(saying(200)) as receiver, an_outlet(resolve=resolve) as out:
        answer = await out.post(f"http://name:{receiver.port}/x", {}, b"{}", timeout_seconds=2)
    assert answer.status == 200


async def test_no_more_than_three_addresses_of_a_name_are_tried() -> None:
    resolve, _ = leading_to(["127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.1"])
    async with receiving(saying(200)) as receiver, an_outlet(resolve=resolve) as out:
        assert await why(out, f"http://name:{receiver.port}/x") == "CONNECT"
    assert receiver.received == []


async def test_after_a_word_was_said_no_other_address_hears_it_too() -> None:
    resolve, _ = leading_to(["127.0.0.1", "127.0.0.2"])
    async with receiving(resetting) as receiver, an_outlet(resolve=resolve) as out:
        assert await why(out, f"http://name:{receiver.port}/x") == "RESET"
    assert len(receiver.received) == 1


async def test_a_resolver_that_hangs_is_given_up_and_asked_once_for_all() -> None:
    asked = []

    async def resolve(name: str, _port: int) -> Sequence[str]:
        asked.append(name)
        await asyncio.sleep(3600)
        raise AssertionError

    async with an_outlet(resolve=resolve) as out:
        began = time.monotonic()
        words = await asyncio.gather(*(why(out, f"https://{NAME}/x", timeout_seconds=0.3) for _ in range(5)))
    assert set(words) == {"TIMEOUT"}
    assert time.monotonic() - began < 3
    assert asked == [NAME]


async def test_a_name_that_nobody_has() -> None:
    async def resolve(_name: str, _port: int) -> Sequence[str]:
        raise OSError

    async with an_outlet(resolve=resolve) as out:
        assert await why(out, f"https://{NAME}/x") == "DNS"
    nobody, _ = leading_to([])
    async with an_outlet(resolve=nobody) as out:
        assert await why(out, f"https://{NAME}/x") == "DNS"


async def test_a_name_that_was_not_found_is_looked_up_anew_the_next_time() -> None:
    asked = []

    async def resolve(name: str, _port: int) -> Sequence[str]:
        asked.append(name)
        if len(asked) == 1:
            raise OSError
        return ["127.0.0.1"]

    async with receiving(saying(200)) as receiver, an_outlet(resolve=resolve) as out:
        url = f"http://name:{receiver.port}/x"
        assert await why(out, url) == "DNS"
        assert (await out.post(url, {}, b"{}", timeout_seconds=2)).status == 200


async def test_few_names_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outlet, "_NAMES_KEPT", 3)
    async with receiving(saying(200)) as receiver, an_outlet(resolve=leading_to(["127.0.0.1"])[0]) as out:
        for number in range(10):
            await out.post(f"http://name{number}:{receiver.port}/x", {}, b"{}", timeout_seconds=2)
        assert [name for name, _ in out._known] == ["name7", "name8", "name9"]


# What comes back


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "location", ["http://169.254.169.254/", "https://localhost/", "file:///etc/passwd", "//127.1/"]
)
async def test_nobody_leads_us_elsewhere(status: int, location: str) -> None:
    async with receiving(saying(status, location=location)) as receiver, an_outlet() as out:
        assert (await out.post(receiver.url, {}, b"{}", timeout_seconds=2)).status == status
    assert len(receiver.received) == 1


@pytest.mark.parametrize(
    ("behaviour", "reason"), [(hanging, "TIMEOUT"), (endless_headers, "RESET"), (resetting, "RESET")]
)
async def test_no_answer_has_a_reason(behaviour: Behaviour, reason: str) -> None:
    async with receiving(behaviour) as receiver, an_outlet() as out:
        began = time.monotonic()
        assert await why(out, receiver.url, timeout_seconds=1) == reason
    assert time.monotonic() - began < 4


async def test_nobody_waits_longer_than_the_longest_time_whatever_he_was_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outlet, "MOST_SECONDS", 0.3)
    async with receiving(hanging) as receiver, an_outlet() as out:
        began = time.monotonic()
        assert await why(out, receiver.url, timeout_seconds=20) == "TIMEOUT"
    assert time.monotonic() - began < 5


async def test_of_an_endless_answer_little_is_read() -> None:
    sent = 0

    async def counting(writer: asyncio.StreamWriter, post: object) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10000000000\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()
            sent += 65536

    async with receiving(counting) as receiver, an_outlet() as out:
        answer = await out.post(receiver.url, {}, b"{}", timeout_seconds=5)
        assert answer.status == 200
        assert answer.milliseconds < 3000
        at_once = sent
        await asyncio.sleep(0.2)
    assert sent < 32 * 2**20, f"what fits into the buffers of two sockets; {at_once} when it was over"


async def test_nobody_is_at_home() -> None:
    async with an_outlet() as out:
        assert await why(out, "http://127.0.0.1:1/x") == "CONNECT"
        assert await why(out, "ftp://127.0.0.1/x") == "REQUEST"
        assert await why(out, "not a url") == "REQUEST"


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "ação", "\x00"])
async def test_a_header_that_is_none_reaches_nobody(value: str) -> None:
    async with receiving(saying(200)) as receiver, an_outlet() as out:
        assert await why(out, receiver.url, headers={"X-A": value}) == "REQUEST"
    assert receiver.received == []


async def test_no_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
        monkeypatch.setenv(name.lower(), "http://127.0.0.1:1")
    async with receiving(saying(200)) as receiver, an_outlet() as out:
        assert (await out.post(receiver.url, {}, b"{}", timeout_seconds=2)).status == 200


async def test_pools_that_nobody_uses_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outlet, "_POOLS", 3)
    async with receiving(saying(200)) as receiver, an_outlet(resolve=leading_to(["127.0.0.1"])[0]) as out:
        for number in range(10):
            await out.post(f"http://name{number}:{receiver.port}/x", {}, b"{}", timeout_seconds=2)
        assert len(out._pools) <= 3


async def test_a_pool_in_use_is_not_given_up_and_its_connection_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outlet, "_POOLS", 1)
    async with (
        receiving(saying(200)) as receiver,
        an_outlet(resolve=leading_to(["127.0.0.1"])[0]) as out,
    ):
        receiver.next = [late(0.3, saying(200))]
        slow = asyncio.create_task(out.post(f"http://slow:{receiver.port}/x", {}, b"{}", timeout_seconds=5))
        while not receiver.received:
            await asyncio.sleep(0.01)
        for number in range(3):
            await out.post(f"http://name{number}:{receiver.port}/x", {}, b"{}", timeout_seconds=5)
        assert "slow" in {name for _, name, _, _ in out._pools}
        assert (await slow).status == 200


# TLS


def certificate(directory: Path, name: str, *, expired: bool = False) -> tuple[ssl.SSLContext, Path]:
    """For a server of this name; and the file by which to trust it."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=3))
        .not_valid_after(now + timedelta(days=-1 if expired else 1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = directory / f"{name}.pem"
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.load_cert_chain(pem)
    return theirs, pem


@pytest.mark.parametrize(
    ("name", "expired", "trusted", "outcome"),
    [
        (NAME, False, True, 200),
        (NAME, False, False, "TLS"),
        (NAME, True, True, "TLS"),
        ("other.example.com", False, True, "TLS"),
    ],
)
async def test_tls_is_to_the_name_and_the_connection_to_the_address(
    tmp_path: Path, name: str, *, expired: bool, trusted: bool, outcome: int | str
) -> None:
    theirs, pem = certificate(tmp_path, name, expired=expired)
    ours = ssl.create_default_context(cafile=str(pem)) if trusted else None
    resolve, _ = leading_to(["127.0.0.1"])
    async with receiving(saying(200), tls=theirs) as receiver, an_outlet(resolve=resolve, tls=ours) as out:
        url = f"https://{NAME}:{receiver.port}/x"
        if isinstance(outcome, int):
            assert (await out.post(url, {}, b"{}", timeout_seconds=3)).status == outcome
            assert receiver.received[0].headers["host"] == f"{NAME}:{receiver.port}"
        else:
            assert await why(out, url, timeout_seconds=3) == outcome
            assert receiver.received == []


async def test_a_connection_that_was_made_for_one_name_serves_no_other(tmp_path: Path) -> None:
    """Two names at one address: whoever answers to the first has not shown that he is the second."""
    theirs, pem = certificate(tmp_path, NAME)
    ours = ssl.create_default_context(cafile=str(pem))
    resolve, _ = leading_to(["127.0.0.1"])
    async with receiving(saying(200), tls=theirs) as receiver, an_outlet(resolve=resolve, tls=ours) as out:
        assert (await out.post(f"https://{NAME}:{receiver.port}/x", {}, b"{}", timeout_seconds=3)).status == 200
        assert await why(out, f"https://other.example.com:{receiver.port}/x", timeout_seconds=3) == "TLS"
    assert len(receiver.received) == 1


async def test_who_can_not_show_who_he_is_at_one_address_is_not_asked_at_the_next(tmp_path: Path) -> None:
    theirs, _ = certificate(tmp_path, NAME)
    resolve, _ = leading_to(["127.0.0.1", "127.0.0.2"])
    async with receiving(saying(200), tls=theirs) as receiver, an_outlet(resolve=resolve) as out:
        assert await why(out, f"https://{NAME}:{receiver.port}/x", timeout_seconds=3) == "TLS"
    assert receiver.received == []


async def test_a_handshake_that_hangs_is_given_up_and_leaves_no_socket_open() -> None:
    """A socket that stays open is an error of the run, by the warnings of Python."""
    hung_up = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        while await reader.read(65536):
            pass
        hung_up.set()

    async with listening(silent) as port, an_outlet(resolve=leading_to(["127.0.0.1"])[0]) as out:
        began = time.monotonic()
        assert await why(out, f"https://{NAME}:{port}/x", timeout_seconds=1) == "TIMEOUT"
        assert time.monotonic() - began < 3
        async with asyncio.timeout(5):
            await hung_up.wait()
