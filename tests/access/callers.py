"""A client, seen from whoever knows its secret."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx

from build import Tenant

READ = "BAAS_ACCOUNTS_READ"
SEND = "BAAS_PIX_SEND"


@dataclass
class Client:
    """A client, seen from whoever knows its secret."""

    tenant: Tenant
    id: str
    secret: str

    async def asks(self, path: str = "/oauth/token", **more: Any) -> httpx.Response:
        """A request as the body says it; by default its credentials in JSON, for all that it may."""
        body = {"grant_type": "client_credentials", "client_id": self.id, "client_secret": self.secret}
        more.setdefault("json", body | more.pop("extra", {}))
        return await self.tenant.world.http.post(path, **more)

    async def token(self, scope: str | None = None) -> str:
        """A token of its own."""
        answered = await self.asks(extra={} if scope is None else {"scope": scope})
        assert answered.status_code == 200, answered.text
        return str(answered.json()["access_token"])

    async def opens(self, token: str, path: str = "/accounts") -> int:
        """How the API answers to the token."""
        return (await self.tenant.get(path, token=token)).status


async def soon(condition: Callable[[], Awaitable[bool]]) -> bool:
    """Whether it is so within two seconds: a change is heard everywhere within one."""
    for _ in range(40):
        if await condition():
            return True
        await asyncio.sleep(0.05)
    return False
