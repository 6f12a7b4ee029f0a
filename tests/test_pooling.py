"""Calls go by turns through small pools, whose connections are used again, and all are closed in the end."""

import asyncio

import httpx

from lastro.pooling import CONNECTIONS_EACH, POOLS, SmallPools
from servers import listening


async def test_connections_are_few_used_again_and_closed() -> None:
    opened, most = 0, 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal opened, most
        opened += 1
        most = max(most, opened)
        while await reader.readline():
            while (await reader.readline()).strip():
                pass
            await asyncio.sleep(0.01)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            await writer.drain()
        opened -= 1

    async with listening(answer) as port:
        async with httpx.AsyncClient(transport=SmallPools()) as client:
            for _ in range(3):
                answers = await asyncio.gather(*(client.get(f"http://127.0.0.1:{port}/") for _ in range(200)))
                assert {each.text for each in answers} == {"ok"}
            assert 1 < opened <= POOLS * CONNECTIONS_EACH
        for _ in range(100):
            if not opened:
                break
            await asyncio.sleep(0.02)

    assert most <= POOLS * CONNECTIONS_EACH
    assert opened == 0
