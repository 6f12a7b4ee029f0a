"""Short words for what customers do with keys: register, read their mail, type a code, wait."""

from typing import Any
from urllib.parse import quote
from uuid import uuid4

from build import Account, Answered, Tenant, until


def an_address() -> str:
    """An e-mail address that nobody else has."""
    return f"{uuid4().hex}@empresa.example"


def a_phone() -> str:
    """A mobile phone that hardly anybody else has."""
    return f"+55119{uuid4().int % 10**8:08}"


async def register(account: Account, kind: str, value: Any = None, **more: Any) -> Answered:
    """Ask for a key."""
    attributes = {"accountId": account.id, "keyType": kind} | ({} if value is None else {"keyValue": value})
    return await account.tenant.post("/pix/keys", "pix-keys", attributes, **more)


async def messages(tenant: Tenant, address: str) -> Any:
    """What somebody got, newest first."""
    return (await tenant.world.simulate("GET", f"/mailbox?to={quote(address, safe='')}"))["messages"]


async def code_of(tenant: Tenant, key_id: str, address: str) -> str:
    """The code that came for this key."""
    found: list[str] = []

    async def came() -> bool:
        found[:] = [each["code"] for each in await messages(tenant, address) if each["keyId"] == key_id]
        return bool(found)

    await until(came)
    return found[0]


async def type_code(tenant: Tenant, key_id: str, code: str, **more: Any) -> Answered:
    """Type a code."""
    return await tenant.post(f"/pix/keys/{key_id}/confirm", "pix-keys", {"code": code}, **more)


async def proven(account: Account, kind: str, value: str) -> Answered:
    """A key whose possession was proven; the answer to the code."""
    asked = await register(account, kind, value)
    assert asked.status == 201, asked.body
    address = asked.attributes["keyValue"]
    return await type_code(account.tenant, asked.id, await code_of(account.tenant, asked.id, address))


async def delete(tenant: Tenant, key_id: str, **more: Any) -> int:
    """Delete a key; the status."""
    return (await tenant.call("DELETE", f"/pix/keys/{key_id}", **more)).status


async def key(tenant: Tenant, key_id: str) -> Any:
    """The key as it is read."""
    return (await tenant.get(f"/pix/keys/{key_id}")).attributes


async def becomes(tenant: Tenant, key_id: str, status: str) -> Any:
    """Wait until the key has this status; its attributes."""

    async def is_there() -> bool:
        return bool((await key(tenant, key_id))["status"] == status)

    await until(is_there)
    return await key(tenant, key_id)


async def in_the_directory(tenant: Tenant, value: str) -> bool:
    """Whether the network's directory holds the key, as another bank sees it."""
    response = await tenant.world.http.get(
        f"/simulator/network/dict/entries/{quote(value, safe='')}",
        headers={
            "authorization": f"Bearer {tenant.world.settings.network_secret.get_secret_value()}",
            "pi-requestingparticipant": "60701190",
            "pi-payerid": "39053344705",
            "pi-endtoendid": "E6070119020240115103000000000000",
        },
    )
    assert response.status_code in {200, 404}, response.text
    return response.status_code == 200


async def news(tenant: Tenant, key_id: str) -> list[str]:
    """What was announced of the key, in order."""
    from sqlalchemy import text

    async with tenant.world.bank.db.transaction() as tx:
        rows = await tx.execute(
            text("SELECT type FROM events WHERE resource_id = :id ORDER BY resource_version"), {"id": key_id}
        )
        return [row.type for row in rows]
