"""A fintech all the way, over HTTP alone: its banks, its programs, its customers' accounts, the news and the papers."""

import base64
import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from uuid import uuid4

from standardwebhooks import Webhook

from build import Account, Tenant, reais, until
from statements import readers

PROGRAM = ["BAAS_ACCOUNTS_READ", "BAAS_PIX_SEND", "BAAS_PIX_READ", "BAAS_TRANSFERS_CREATE", "BAAS_STATEMENT_READ"]


async def test_a_fintech_all_the_way(tenant: Tenant) -> None:
    secret, shop = await wants_to_be_told(tenant)
    await has_a_bank_that_answers(tenant)
    company, customer = await tenant.account(available="1000.00"), await tenant.account()
    called = await tenant.patch("/tenant", "tenants", {"mainAccountId": company.id})
    assert called.attributes["mainAccountId"] == company.id
    token = await gives_the_customers_program_a_token(tenant, customer)

    moved = await tenant.post(
        "/transfers/internal",
        "internal-transfers",
        {"accountId": company.id, "recipientAccountId": customer.id, "amount": 300.00, "correlationId": "repasse"},
    )
    assert (moved.status, moved.attributes["status"]) == (201, "COMPLETED")
    await the_program_pays_within_its_caps(customer, token, out_of_reach=company)
    (received,) = (await tenant.get(f"/pix/transfers?filter[accountId]={company.id}")).data
    back = await tenant.post(f"/pix/transfers/{received['id']}/refund", "pix-refunds", {"amount": 0.99})
    assert back.status == 201

    await the_push_equals_the_feed(tenant, secret, shop, await everything_has_happened(tenant, back.id))
    await the_papers_agree(customer, lines=["TRANSFER_RECEIVED", "PIX_SENT"], closing="250.00")
    await the_papers_agree(company, lines=["PIX_RECEIVED", "TRANSFER_SENT", "PIX_REFUND_SENT"], closing="699.01")
    await has_receipts(tenant, received["id"])


async def has_a_bank_that_answers(tenant: Tenant) -> None:
    """Its provider is tested, and becomes the one where accounts open."""
    tested = await tenant.call("POST", f"/providers/{tenant.provider_id}/test")
    assert tested.attributes["status"] == "OK"
    assert {probe["name"] for probe in tested.attributes["probes"]} == {"AUTH", "DICT", "SPI"}
    chosen = await tenant.call("POST", f"/providers/{tenant.provider_id}/set-default")
    assert chosen.attributes["isDefault"] is True
    application = tenant.application()
    del application["providerId"]
    opened = await tenant.post("/accounts", "accounts", application)
    assert opened.attributes["providerId"] == str(tenant.provider_id)
    assert (await tenant.call("POST", f"/accounts/{opened.id}/close")).status == 200


async def wants_to_be_told(tenant: Tenant) -> tuple[str, str]:
    """A subscription to everything; its secret, and where the shop shows what came."""
    shop, address = f"/hooks/{uuid4().hex}", str(tenant.world.http.base_url).rstrip("/")
    made = await tenant.post(
        "/webhook-subscriptions",
        "webhook-subscriptions",
        {"name": "loja", "endpointUrl": f"{address}/simulator{shop}", "eventFilters": ["*"]},
    )
    tried = await tenant.call("POST", f"/webhook-subscriptions/{made.id}/test")
    assert tried.attributes["delivered"] is True
    secret: str = made.attributes["secret"]
    return secret, shop


async def gives_the_customers_program_a_token(tenant: Tenant, customer: Account) -> str:
    """Of a client that reaches one account, from this machine, and sends R$ 50 a day."""
    bounds = {"accountIds": [customer.id], "networks": ["127.0.0.0/8"], "maxAmountPerDay": 50.00}
    client = await tenant.post("/clients", "clients", {"name": "app", "permissions": PROGRAM, **bounds})
    basic = base64.b64encode(f"{client.id}:{client.attributes['clientSecret']}".encode()).decode()
    granted = await tenant.world.http.post(
        "/oauth/token", data={"grant_type": "client_credentials"}, headers={"authorization": f"Basic {basic}"}
    )
    assert granted.status_code == 200, granted.text
    token: str = granted.json()["access_token"]
    return token


async def the_program_pays_within_its_caps(customer: Account, token: str, *, out_of_reach: Account) -> None:
    tenant, reference = customer.tenant, uuid4().hex
    paid = await customer.pays(50.00, extra={"correlationId": reference}, token=token)
    assert paid.status == 201
    over = await customer.pays(0.01, token=token)
    assert (over.status, over.body["details"]["reason"]) == (403, "AMOUNT_PER_DAY")
    assert (await out_of_reach.pays(0.01, token=token)).status == 404
    assert (await tenant.get(f"/accounts/{out_of_reach.id}", token=token)).status == 404
    assert [each["id"] for each in (await tenant.get("/accounts", token=token)).data] == [customer.id]
    found = await tenant.get(f"/pix/payments?filter[correlationId]={reference}", token=token)
    assert [each["id"] for each in found.data] == [paid.id]
    await customer.payment_becomes(paid.id, "COMPLETED")


async def everything_has_happened(tenant: Tenant, refund_id: str) -> Sequence[str]:
    """Wait for the last of it; the ids of all events, in the order of the feed."""

    async def is_told() -> bool:
        told = await tenant.get("/events?filter[type]=pix.refund.completed&page[size]=100")
        return refund_id in {each["attributes"]["data"]["id"] for each in told.data}

    await until(is_told)
    ids: list[str] = []
    path = "/events?page[size]=3"
    while True:
        page = await tenant.get(path)
        ids += [each["id"] for each in page.data]
        if not page.body["meta"]["hasNextPage"]:
            return ids
        path = page.body["links"]["next"].removeprefix("/baas/api/v1")


async def the_push_equals_the_feed(tenant: Tenant, secret: str, shop: str, ids: Sequence[str]) -> None:
    """Event by event: the same ids, the same words, under signatures that somebody else's library believes."""

    async def pushed() -> dict[str, Any]:
        received = (await tenant.world.simulate("GET", shop))["received"]
        return {each["headers"]["webhook-id"]: each for each in received}

    async def all_came() -> bool:
        return set(ids) <= set(await pushed())

    await until(all_came)
    came = await pushed()
    for event_id in ids:
        hook = came[event_id]
        verified = Webhook(secret).verify(hook["body"], hook["headers"])
        event = (await tenant.get(f"/events/{event_id}")).attributes
        assert verified == json.loads(hook["body"]) == event
    others = [json.loads(each["body"])["type"] for event_id, each in came.items() if event_id not in ids]
    assert set(others) <= {"webhook.test"}
    kinds = {json.loads(came[event_id]["body"])["type"] for event_id in ids}
    assert kinds >= {
        "account.activated",
        "pix.transfer.received",
        "transfer.internal.completed",
        "pix.payment.completed",
        "pix.refund.completed",
    }


async def the_papers_agree(account: Account, *, lines: Sequence[str], closing: str) -> None:
    """The statement tells each movement, its sum is the balance, and a program that is not ours reads the same."""
    statement = await account.tenant.get(f"/accounts/{account.id}/statement")
    told = [each["attributes"] for each in statement.data]
    assert [line["type"] for line in told] == lines
    sums = [reais(line["amount"]) * (1 if line["direction"] == "CREDIT" else -1) for line in told]
    meta = statement.body["meta"]
    assert reais(meta["openingBalance"]) + sum(sums) == reais(meta["closingBalance"]) == Decimal(closing)
    assert await account.balance() == Decimal(closing)
    assert [reais(line["balanceAfter"]) for line in told] == [sum(sums[:place]) for place in range(1, len(sums) + 1)]
    file = (await account.tenant.get(f"/accounts/{account.id}/statement?format=ofx")).response.content
    read = readers.ofx(file).statement
    assert [transaction.amount for transaction in read.transactions] == sums
    assert read.balance == Decimal(closing)


async def has_receipts(tenant: Tenant, transfer_id: str) -> None:
    receipt = await tenant.get(f"/pix/transfers/{transfer_id}/receipt")
    assert (receipt.attributes["amount"], receipt.attributes["returnedAmount"]) == (1000.00, 0.99)
    paper = await tenant.get(f"/pix/transfers/{transfer_id}/receipt", headers={"accept": "application/pdf"})
    assert paper.response.content.startswith(b"%PDF-")
