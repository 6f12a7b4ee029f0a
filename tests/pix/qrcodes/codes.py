"""What the tests of codes share: an account with a key, codes made and read over HTTP, a PNG read by a scanner."""

import base64
import io
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import zxingcpp
from PIL import Image

from build import Account, Answered, Tenant, until

KIND = "pix-qrcode"


async def a_key(account: Account, kind: str = "EVP", value: str | None = None) -> str:
    """Give the account an active key, proven where it must be."""
    tenant = account.tenant
    attributes = {"accountId": account.id, "keyType": kind} | ({} if value is None else {"keyValue": value})
    asked = await tenant.post("/pix/keys", "pix-keys", attributes)
    assert asked.status == 201, asked.body
    if kind in {"EMAIL", "PHONE"}:
        await _type_the_code(tenant, asked.id, asked.attributes["keyValue"])

    async def is_active() -> bool:
        return bool((await tenant.get(f"/pix/keys/{asked.id}")).attributes["status"] == "ACTIVE")

    await until(is_active)
    return str((await tenant.get(f"/pix/keys/{asked.id}")).attributes["keyValue"])


async def _type_the_code(tenant: Tenant, key_id: str, address: str) -> None:
    path = f"/mailbox?to={quote(address, safe='')}"

    async def came() -> bool:
        return bool((await tenant.world.simulate("GET", path))["messages"])

    await until(came)
    code = (await tenant.world.simulate("GET", path))["messages"][0]["code"]
    assert (await tenant.post(f"/pix/keys/{key_id}/confirm", "pix-keys", {"code": code})).status == 200


async def a_receiver(tenant: Tenant, **changes: Any) -> "Receiver":
    """An account with a random key."""
    account = await tenant.account(**changes)
    return Receiver(account, await a_key(account))


@dataclass
class Receiver:
    """An account that can be paid by code."""

    account: Account
    key: str

    @property
    def tenant(self) -> Tenant:
        return self.account.tenant

    async def makes(self, kind: str = "STATIC", **attributes: Any) -> Answered:
        """Ask for a code."""
        headers = attributes.pop("headers", None)
        wanted = {"accountId": self.account.id, "type": kind} | attributes
        return await self.tenant.post("/pix/qrcode", KIND, wanted, headers=headers)

    async def code(self, kind: str = "STATIC", **attributes: Any) -> Answered:
        """A code that was made."""
        made = await self.makes(kind, **({"amount": 25.00} if kind == "DYNAMIC" else {}) | attributes)
        assert made.status == 201, made.body
        return made


async def decode(tenant: Tenant, text: str) -> Answered:
    """Have a code read."""
    return await tenant.post("/pix/qr-codes/decode", "pix-qrcode-decode", {"qrCodeText": text})


def scanned(png: str) -> str:
    """What a scanner reads from a base64 PNG."""
    found = zxingcpp.read_barcode(Image.open(io.BytesIO(base64.b64decode(png, validate=True))).convert("L"))
    assert found is not None
    return str(found.text)
