"""Readable builders: `account = await tenant.account(available="100.00")`. Everything goes through the real doors."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx

from lastro.access import tokens
from lastro.auth.binding import UNBOUND, Binding, Rights
from lastro.auth.permissions import Permission
from lastro.bank import Bank
from lastro.providers.directory import Adapter
from lastro.providers.features import Feature
from lastro.settings import Settings
from lastro.tenants import service as tenants
from lastro.values.bank_account import AccountType
from lastro.worker import Worker

API = "/baas/api/v1"
SIMULATOR = "/simulator"
TINY_PICTURE = (
    "iVBORw0KGgoAAAANSUhEUgAAACAAAAAgCAAAAABWESUoAAAAGUlEQVR4nGNsYMAPmAjIjyoYVTCqYNgqAACXvgDAMsm0fAAAAABJRU5ErkJggg=="
)
"""32×32 and grey."""
ALL_PAPERS = ("RG", "SELFIE", "PROOF_OF_ADDRESS", "ARTICLES_OF_INCORPORATION")
JOAO = "12345678901"
"""A CPF key that the simulator's directory holds: João Silva at another bank."""


@dataclass
class Answered:
    """An HTTP answer, with the parts that tests look at."""

    response: httpx.Response

    @property
    def status(self) -> int:
        return self.response.status_code

    @property
    def body(self) -> Any:
        return self.response.json()

    @property
    def data(self) -> Any:
        return self.body["data"]

    @property
    def attributes(self) -> Any:
        return self.data["attributes"]

    @property
    def id(self) -> str:
        return str(self.data["id"])

    @property
    def code(self) -> str:
        return str(self.body["code"])

    @property
    def pointers(self) -> list[str | None]:
        """Where each flaw is: pointer, parameter or header."""
        return [next(iter(error.get("source", {}).values()), None) for error in self.body["errors"]]


@dataclass
class World:
    """The running bank and its front doors."""

    bank: Bank
    settings: Settings
    http: httpx.AsyncClient
    worker: Worker

    async def tenant(
        self, name: str, *, tax_id: str = "11222333000181", strict: bool = False, hides: bool = False
    ) -> "Tenant":
        """A new tenant with a provider of its own and a token that may do everything."""
        tenant_id = await tenants.create_tenant(self.bank, name, tax_id)
        provider_id = await tenants.add_provider(
            self.bank,
            tenant_id=tenant_id,
            name="Banco de Teste",
            code="001",
            ispb="00000000",
            account_types=[AccountType.CHECKING, AccountType.PAYMENT],
            strict_documents=strict,
            hides_accounts=hides,
        )
        tenant = Tenant(self, tenant_id, provider_id)
        tenant.token = await tenant.new_token(*Permission)
        return tenant

    async def simulate(self, method: str, path: str, body: Any = None) -> Any:
        """Steer the simulator; the answer's body."""
        response = await self.http.request(method, f"{SIMULATOR}{path}", json=body)
        assert response.status_code < 300, response.text
        return response.json() if response.content else None

    async def rule(self, **rule: Any) -> str:
        """Make the network misbehave."""
        made = await self.simulate("POST", "/rules", rule)
        return str(made["id"])


@dataclass
class Tenant:
    """One tenant, seen from its HTTP client."""

    world: World
    id: UUID
    provider_id: UUID
    token: str = field(default="", repr=False)

    async def new_token(self, *permissions: Permission, days: int = 1, binding: Binding = UNBOUND) -> str:
        """A token with exactly these permissions, within this binding."""
        rights = Rights(frozenset(map(str, permissions)), binding)
        expires_at = datetime.now(UTC) + timedelta(days=days)
        return await tokens.issue(self.world.bank, self.id, "test", rights, expires_at=expires_at)

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        headers: dict[str, str] | None = None,
        content: bytes | None = None,
    ) -> Answered:
        """One request with the tenant's token (or another)."""
        sent = {"authorization": f"Bearer {token or self.token}", **(headers or {})}
        if content is not None:
            sent.setdefault("content-type", "application/json")
        response = await self.world.http.request(method, f"{API}{path}", json=body, content=content, headers=sent)
        return Answered(response)

    async def get(self, path: str, **more: Any) -> Answered:
        return await self.call("GET", path, **more)

    async def post(self, path: str, kind: str | None = None, attributes: Any = None, **more: Any) -> Answered:
        body = None if kind is None else {"data": {"type": kind, "attributes": attributes}}
        return await self.call("POST", path, body, **more)

    async def patch(self, path: str, kind: str, attributes: Any, **more: Any) -> Answered:
        return await self.call("PATCH", path, {"data": {"type": kind, "attributes": attributes}}, **more)

    def application(self, **changes: Any) -> dict[str, Any]:
        """What opens an account, for a company that no other test knows."""
        return {
            "providerId": str(self.provider_id),
            "holderName": "Loja de Teste Ltda",
            "holderDocument": a_cnpj(),
            "holderDocumentType": "CNPJ",
        } | changes

    async def account(self, *, available: str = "0.00", **changes: Any) -> "Account":
        """An active account that holds this much, received by Pix."""
        made = await self.post("/accounts", "accounts", self.application(**changes))
        assert made.status == 201, made.body
        account = Account(self, made.id)
        await account.is_approved()
        await until(lambda: account.has_status("ACTIVE"))
        if Decimal(available):
            await account.receives(available)
        return account


@dataclass
class Account:
    """One account of a tenant."""

    tenant: Tenant
    id: str

    async def attributes(self) -> Any:
        return (await self.tenant.get(f"/accounts/{self.id}")).attributes

    async def sends(self, *types: str, **more: Any) -> Answered:
        """Send documents, by default all that anybody may need; each shows the smallest picture that is taken."""
        documents = [{"type": each, "front": TINY_PICTURE} for each in types or ALL_PAPERS]
        return await self.tenant.post(f"/accounts/{self.id}/kyc", "kyc", {"documents": documents}, **more)

    async def kyc(self) -> Any:
        """The KYC file's attributes."""
        return (await self.tenant.get(f"/accounts/{self.id}/kyc")).attributes

    async def is_decided(self, status: str, **more: Any) -> None:
        """The provider's desk decides about what was sent, as soon as it has it."""

        async def is_there() -> bool:
            return bool((await self.kyc())["status"] != "PENDING")

        await until(is_there)
        await self.tenant.world.simulate("POST", f"/kyc/{self.id}", {"status": status, **more})

    async def is_approved(self) -> None:
        """Send all documents and have them approved, by hand: nobody waits for the desk to think."""
        sent = await self.sends()
        assert sent.status == 200, sent.body
        await self.is_decided("APPROVED")

    async def has_status(self, status: str) -> bool:
        return bool((await self.attributes())["status"] == status)

    async def available(self) -> Decimal:
        return reais((await self.attributes())["availableBalance"])

    async def balance(self) -> Decimal:
        return reais((await self.attributes())["balance"])

    async def receives(self, amount: str, **changes: Any) -> Any:
        """Somebody at another bank pays; what the network says about it."""
        order = {"amount": float(amount), "accountId": self.id} | changes
        return await self.tenant.world.simulate("POST", "/pix", order)

    async def pays(self, amount: Any, key: str = JOAO, kind: str = "CPF", **more: Any) -> Answered:
        """Send a Pix."""
        attributes = {"accountId": self.id, "amount": amount, "recipientKeyType": kind, "recipientKeyValue": key}
        return await self.tenant.post("/pix/payments", "pix-payments", attributes | more.pop("extra", {}), **more)

    async def payment(self, payment_id: str) -> Any:
        return (await self.tenant.get(f"/pix/payments/{payment_id}")).attributes

    async def payment_becomes(self, payment_id: str, status: str, *, seconds: float = 10) -> Any:
        """Wait until the payment has this status; its attributes."""

        async def is_there() -> bool:
            return bool((await self.payment(payment_id))["status"] == status)

        await until(is_there, seconds=seconds)
        return await self.payment(payment_id)


def reached(provider: Any) -> Adapter:
    """An adapter that leads to this provider, whatever the row says."""
    return Adapter(frozenset(Feature), frozenset(AccountType), lambda _access: provider, one_book=True)


def reais(number: float) -> Decimal:
    """A JSON number as an exact amount."""
    return Decimal(str(number)).quantize(Decimal("0.01"))


async def until(condition: Callable[[], Awaitable[bool]], *, seconds: float = 10) -> None:
    """Wait for something that the worker or the network does in its own time."""
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.02)


def a_cnpj() -> str:
    """A random CNPJ with right check digits, bare."""
    base = [random.randrange(10) for _ in range(8)] + [0, 0, 0, 1]
    for weights in ((5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2), (6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)):
        rest = sum(digit * weight for digit, weight in zip(base, weights, strict=True)) % 11
        base.append(0 if rest < 2 else 11 - rest)
    return "".join(map(str, base))


def a_cpf() -> str:
    """A random CPF with right check digits, bare."""
    base = [random.randrange(10) for _ in range(9)]
    for length in (10, 11):
        rest = sum(digit * weight for digit, weight in zip(base, range(length, 1, -1), strict=True)) % 11
        base.append(0 if rest < 2 else 11 - rest)
    return "".join(map(str, base))
