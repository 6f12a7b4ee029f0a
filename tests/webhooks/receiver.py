"""An endpoint of a tenant's, over real HTTP on this machine, that answers or misbehaves as a test wants it to."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from servers import listening


@dataclass(frozen=True)
class Received:
    """One post, as it arrived."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


Behaviour = Callable[[asyncio.StreamWriter, Received], Awaitable[None]]


@dataclass
class Receiver:
    """What it got, and how it behaves; when there is a queue of behaviours, each post takes the next one."""

    behaviour: Behaviour
    received: list[Received] = field(default_factory=list)
    next: list[Behaviour] = field(default_factory=list)
    port: int = 0
    scheme: str = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/hooks?from=lastro"

    @property
    def ids(self) -> list[str]:
        """Of what was received, in that order."""
        return [each.id for each in self.received]

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            request, *lines = head.strip().split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            body = await reader.readexactly(int(headers["content-length"]))
            post = Received(request.split(" ")[1], headers, body)
            self.received.append(post)
            await (self.next.pop(0) if self.next else self.behaviour)(writer, post)
            await writer.drain()


@asynccontextmanager
async def receiving(behaviour: Behaviour, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    """A receiver at work; no connection outlives it."""
    receiver = Receiver(behaviour, scheme="https" if tls else "http")
    async with listening(receiver, tls) as receiver.port:
        yield receiver


def saying(status: int, body: bytes = b"", **headers: str) -> Behaviour:
    """Answer, and keep the connection."""
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    head = "\r\n".join([f"HTTP/1.1 {status} Whatever", f"content-length: {len(body)}", *lines])

    async def answer(writer: asyncio.StreamWriter, _post: Received) -> None:
        writer.write(head.encode() + b"\r\n\r\n" + body)

    return answer


def late(seconds: float, behaviour: Behaviour) -> Behaviour:
    """Think first."""

    async def answer(writer: asyncio.StreamWriter, post: Received) -> None:
        await asyncio.sleep(seconds)
        await behaviour(writer, post)

    return answer


async def hanging(_writer: asyncio.StreamWriter, _post: Received) -> None:
    """Take the post and say nothing."""
    await asyncio.sleep(3600)


async def resetting(writer: asyncio.StreamWriter, _post: Received) -> None:
    """Hang up without a word."""
    writer.transport.abort()


async def answering_then_resetting(writer: asyncio.StreamWriter, _post: Received) -> None:
    """Say 200, promise a body, and hang up."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nhalf of")
    await writer.drain()
    writer.transport.abort()


async def dripping(writer: asyncio.StreamWriter, _post: Received) -> None:
    """Say the status one byte at a time."""
    for byte in b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n":
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(1)


async def dripping_the_body(writer: asyncio.StreamWriter, _post: Received) -> None:
    """Say 200, and then one byte a second for ever."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(1)


async def endless(writer: asyncio.StreamWriter, _post: Received) -> None:
    """Say 200, and then as much as anybody takes."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10000000000\r\n\r\n")
    while True:
        writer.write(b"x" * 65536)
        await writer.drain()


async def endless_headers(writer: asyncio.StreamWriter, _post: Received) -> None:
    """Never come to the end of the headers."""
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"x: " + b"y" * 1000 + b"\r\n")
        await writer.drain()


async def talking_nonsense(writer: asyncio.StreamWriter, _post: Received) -> None:
    """Not HTTP."""
    writer.write(b"220 mail.example.com ESMTP\r\n\r\n")
