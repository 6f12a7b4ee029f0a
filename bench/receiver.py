"""An endpoint that takes webhooks as fast as it can: it reads each request and answers 204."""

import asyncio
import socket
import sys

_ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"
_END_OF_HEADERS = b"\r\n\r\n"
_LENGTH = b"content-length:"


class _Receiver(asyncio.Protocol):
    """One connection. It trusts its sender, which is ours: a body has a length, and requests come one by one."""

    def __init__(self) -> None:
        self._seen = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._seen += data
        while (end := self._seen.find(_END_OF_HEADERS)) >= 0:
            head = self._seen[:end].lower()
            length = int(head.split(_LENGTH, 1)[1].split(b"\r\n", 1)[0]) if _LENGTH in head else 0
            whole = end + len(_END_OF_HEADERS) + length
            if len(self._seen) < whole:
                return
            self._seen = self._seen[whole:]
            assert self._transport is not None
            self._transport.write(_ANSWER)


async def _serve(port: int) -> None:
    listener = socket.socket(proto=socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    server = await asyncio.get_running_loop().create_server(_Receiver, sock=listener)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
