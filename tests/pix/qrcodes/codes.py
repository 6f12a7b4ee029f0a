"""What the tests of codes share: an account with a key, codes made and read over HTTP, a PNG read by a scanner."""

import base64
import io
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import zxingcpp
from PIL import Image

from build import Account, Answered, Tenant
from lastro.pix.keys.models import KeyHolder, PixKeyRow
from lastro.pix.keys.states import KeyStage
from lastro.values.pix_key import KeyType

KIND = "pix-qrcode"


async def a_key(account: Account, kind: str = "EVP", value: str | None = None, *, at: datetime | None = None) -> str:
    """Give the account an active key, in our books and in the directory."""
    world = account.tenant.world
    facts = await account.attributes()
    provider = await world.bank.providers.get(account.tenant.provider_id)
    holder = facts["holderDocument"].translate(str.maketrans("", "", ".-/"))
    request_id = uuid4()
    entry = {
        "requestId": str(request_id),
        "keyType": kind,
        "account": {
            "ispb": provider.ispb,
            "branch": facts["branch"],
            "number": facts["accountNumber"].replace("-", ""),
            "type": {"CHECKING": "CACC", "SAVINGS": "SVGS", "PAYMENT": "TRAN"}[facts["type"]],
        },
        "owner": {
            "type": "LEGAL_PERSON" if len(holder) == 14 else "NATURAL_PERSON",
            "taxId": holder,
            "name": facts["holderName"],
        },
    } | ({} if value is None else {"key": value})
    secret = world.settings.network_secret.get_secret_value()
    made = await world.http.post(
        "/simulator/network/dict/entries", json=entry, headers={"authorization": f"Bearer {secret}"}
    )
    assert made.status_code == 201, made.text
    key: str = made.json()["key"]
    now = at or world.bank.now()
    row = PixKeyRow(
        account_id=UUID(account.id),
        id=uuid4(),
        tenant_id=account.tenant.id,
        provider_id=account.tenant.provider_id,
        type=KeyType(kind),
        value=key,
        stage=KeyStage.ACTIVE,
        registration_id=request_id,
        version=1,
        created_at=now,
        updated_at=now,
    )
    async with world.bank.db.transaction() as tx:
        tx.add(row)
        tx.add(KeyHolder(key_value=key, account_id=row.account_id, key_id=row.id))
    return key


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
