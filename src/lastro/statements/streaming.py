"""An answer in parts, as they are made: nothing of it lies in memory, and nothing is made for who has left."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from uuid import UUID

from fastapi import Response
from starlette.types import Receive, Scope, Send

from lastro.errors import RateLimited
from lastro.values.text import Text

MOST_AT_ONCE, MOST_OF_ONE_TENANT = 16, 2

_TOO_MANY = Text(
    "Muitos arquivos ao mesmo tempo. Espere terminar um deles.", "Too many files at once. Wait until one is complete."
)


class Places:
    """How many files this process makes at once, and how many of them for one tenant: each may take minutes."""

    def __init__(self, most: int = MOST_AT_ONCE, most_of_one: int = MOST_OF_ONE_TENANT) -> None:
        """All free."""
        self._most, self._most_of_one = most, most_of_one
        self._taken: Counter[UUID] = Counter()

    def take(self, tenant_id: UUID) -> "Place":
        """One of them. Raises RateLimited when there is none."""
        if self._taken[tenant_id] >= self._most_of_one or self._taken.total() >= self._most:
            raise RateLimited(_TOO_MANY, retry_after=5)
        self._taken[tenant_id] += 1
        return Place(self, tenant_id)

    def give_back(self, tenant_id: UUID) -> None:
        """A file is complete, or nobody wants it any more."""
        self._taken[tenant_id] -= 1
        if not self._taken[tenant_id]:
            del self._taken[tenant_id]


class Place:
    """A place that is taken until it is given back; twice is once."""

    def __init__(self, places: Places, tenant_id: UUID) -> None:
        """Made by `Places.take`."""
        self._places: Places | None = places
        self._tenant_id = tenant_id

    def give_back(self) -> None:
        """Let somebody else have it."""
        if self._places is not None:
            self._places.give_back(self._tenant_id)
            self._places = None


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
