"""An answer in parts, as they are made: nothing of it lies in memory, and nothing is made for who has left."""

import asyncio
from collections.abc import AsyncIterator, Mapping

from fastapi import Response
from starlette.types import Receive, Scope, Send

from lastro.places import Place


class Streamed(Response):
    """What `parts` yields, each part sent before the next is made. Gives the place back at the end, however it ends."""

    def __init__(self, parts: AsyncIterator[bytes], place: Place, headers: Mapping[str, str]) -> None:
        """Begin nothing yet."""
        super().__init__(headers=dict(headers))
        del self.headers["content-length"]  # nobody knows it
        self._parts, self._place = parts, place

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Send the parts until they end, or until the client leaves: whoever reads slowly is waited for by the gate."""
        left = asyncio.ensure_future(_departure(receive))
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            async for part in self._parts:
                await send({"type": "http.response.body", "body": part, "more_body": True})
                if left.done():
                    return
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            left.cancel()
            self._place.give_back()


async def _departure(receive: Receive) -> None:
    """Returns when the client has left; until then the server has nothing to say but the body, once."""
    while (await receive())["type"] != "http.disconnect":
        pass
