"""A client of the test's tenant."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from access.callers import READ, SEND, Client
from build import Tenant


@pytest.fixture
def make_client(tenant: Tenant) -> Callable[..., Awaitable[Client]]:
    """Makes a client through the API: READ and SEND, unless something else is said."""

    async def make(**attributes: Any) -> Client:
        made = await tenant.post("/clients", "clients", {"name": "loja", "permissions": [READ, SEND]} | attributes)
        assert made.status == 201, made.body
        return Client(tenant, made.id, made.attributes["clientSecret"])

    return make


@pytest.fixture
async def client(make_client: Callable[..., Awaitable[Client]]) -> Client:
    """A client that may READ and SEND."""
    return await make_client()
