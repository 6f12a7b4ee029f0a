"""Received Pix: credited once however often they are told, refused in SPI's own words, found again by their owner."""

import asyncio
import hashlib
import hmac
import json
import time
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import text

from build import Account, Tenant, World
from lastro.accounts.states import AccountStatus
from lastro.jsonapi.fields import BUSINESS_TIME
from lastro.pix.transfers import rules
from lastro.pix.transfers.rules import ReceivingAccount
from lastro.values.bank_account import AccountType
from lastro.values.end_to_end_id import EndToEndId
from lastro.values.money import MAX_CENTAVOS, Money
from meeting import THE_BALANCE, all_wait, held, process

ITAU = "60701190"


def new_end_to_end_id(world: World) -> str:
    return EndToEndId.new(ITAU, world.bank.now())


async def notice(account: Account, amount: str = "1.00", **changes: Any) -> dict[str, Any]:
    """The network's notification of a Pix to this account, as docs/network.md writes it."""
    attributes = await account.attributes()
    payee = {
        "taxId": attributes["holderDocument"].translate(str.maketrans("", "", "./-")),
        "account": {
            "ispb": "00000000",
            "branch": attributes["branch"],
            "number": attributes["accountNumber"].replace("-", ""),
            "type": "CACC",
        },
        "key": None,
    }
    payment = {
        "endToEndId": new_end_to_end_id(account.tenant.world),
        "amount": amount,
        "payer": {
            "name": "Maria Souza",
            "taxId": "39053344705",
            "account": {"ispb": ITAU, "branch": "0001", "number": "543210", "type": "CACC"},
        },
        "payee": payee,
        "txid": None,
        "remittanceInformation": None,
        "createdAt": "2026-01-31T12:00:00.000Z",
    }
    return {"id": str(uuid4()), "type": "payment.received", "payment": payment | changes}


def signed(world: World, body: bytes, *, seconds_ago: int = 0, secret: str | None = None) -> dict[str, str]:
    """The headers that prove who speaks."""
    timestamp = str(int(time.time()) - seconds_ago)
    key = secret or world.settings.network_secret.get_secret_value()
    signature = hmac.new(key.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {"network-timestamp": timestamp, "network-signature": signature, "content-type": "application/json"}


async def tell(tenant: Tenant, body: Any, *, client: httpx.AsyncClient | None = None, **signing: Any) -> httpx.Response:
    """Post a signed notification to the tenant's provider."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    http = client or tenant.world.http
    return await http.post(
        f"/network/{tenant.provider_id}/notifications",
        content=content,
        headers=signed(tenant.world, content, **signing),
    )


async def verdict(tenant: Tenant, body: Any) -> tuple[str, str | None]:
    heard = await tell(tenant, body)
    assert heard.status_code == 200, heard.text
    return heard.json()["status"], heard.json()["reason"]


async def received(tenant: Tenant, query: str = "") -> list[Any]:
    listed = await tenant.get(f"/pix/transfers?{query}")
    assert listed.status == 200, listed.body
    assert listed.body["meta"]["totalItems"] == len(listed.data)
    return list(listed.data)


async def movements(account: Account) -> int:
    query = text("SELECT count(*) FROM movements WHERE account_id = :account")
    async with account.tenant.world.bank.db.transaction() as tx:
        return int((await tx.execute(query, {"account": UUID(account.id)})).scalar_one())


@pytest.fixture(scope="module")
async def customer(world: World) -> Account:
    """An account that many tests speak of and none credits."""
    return await (await world.tenant("customer")).account()


# What they look like


async def test_a_received_pix_shows_who_paid_what(tenant: Tenant) -> None:
    account = await tenant.account()

    pix = await account.receives(
        "250.07",
        payer={"name": "João da Silva", "document": "12345678901"},
        txid="pedido1234",
        description="Pagamento pedido #1234",
    )

    (data,) = await received(tenant)
    assert data["type"] == "pix-transfers"
    assert data["links"] == {"self": f"/baas/api/v1/pix/transfers/{data['id']}"}
    attributes = dict(data["attributes"])
    created, updated = attributes.pop("createdAt"), attributes.pop("updatedAt")
    assert created == updated
    assert created.endswith("Z")
    payer = attributes.pop("payer")
    assert payer.pop("bankName")
    assert payer == {
        "name": "João da Silva",
        "document": "123.456.789-01",
        "documentType": "CPF",
        "bankCode": "341",
        "ispb": ITAU,
    }
    assert attributes == {
        "accountId": account.id,
        "amount": 250.07,
        "refundedAmount": 0,
        "status": "COMPLETED",
        "e2eId": pix["endToEndId"],
        "txid": "pedido1234",
        "keyValue": None,
        "description": "Pagamento pedido #1234",
    }


async def test_what_was_not_said_is_null(tenant: Tenant) -> None:
    account = await tenant.account(available="1.00")

    ((transfer),) = await received(tenant, f"filter[accountId]={account.id}")

    assert transfer["attributes"]["txid"] is None
    assert transfer["attributes"]["description"] is None


async def test_one_is_read_as_the_list_shows_it(tenant: Tenant) -> None:
    await tenant.account(available="1.00")
    (data,) = await received(tenant)

    read = await tenant.get(f"/pix/transfers/{data['id']}")

    assert read.status == 200
    assert read.body == {"data": data, "links": data["links"]}


async def test_a_strangers_pix_is_as_unknown_as_any(tenant: Tenant, stranger: Tenant) -> None:
    account = await tenant.account(available="1.00")
    (data,) = await received(tenant)

    foreign = await stranger.get(f"/pix/transfers/{data['id']}")
    nobodys = await stranger.get(f"/pix/transfers/{uuid4()}")

    assert foreign.status == nobodys.status == 404
    assert foreign.code == nobodys.code == "NOT_FOUND"
    assert foreign.body["message"] == nobodys.body["message"]
    e2e_id = data["attributes"]["e2eId"]
    for query in ("", f"filter[accountId]={account.id}", f"filter[e2eId]={e2e_id}"):
        assert await received(stranger, query) == []
    assert (await stranger.get(f"/pix/transfers?page[after]={data['id']}")).status == 400


async def test_a_payment_is_no_transfer(tenant: Tenant) -> None:
    account = await tenant.account(available="1.00")
    paid = await account.pays(1.00)

    assert (await tenant.get(f"/pix/transfers/{paid.id}")).status == 404


# Finding them


async def test_the_filters_choose(tenant: Tenant) -> None:
    one, other = await asyncio.gather(tenant.account(), tenant.account())
    first = await one.receives("1.00", txid="a1")
    second = await one.receives("2.00", txid="b2")
    third = await other.receives("3.00", txid="a1")
    today = tenant.world.bank.now().astimezone(BUSINESS_TIME).date()
    yesterday, tomorrow = today - timedelta(days=1), today + timedelta(days=1)

    async def found(query: str) -> list[str]:
        return [data["attributes"]["e2eId"] for data in await received(tenant, query)]

    everything = [third["endToEndId"], second["endToEndId"], first["endToEndId"]]
    assert await found("") == everything
    assert await found(f"filter[accountId]={one.id}") == everything[1:]
    assert await found(f"filter[e2eId]={second['endToEndId']}") == [second["endToEndId"]]
    assert await found("filter[txid]=a1") == [everything[0], everything[2]]
    assert await found(f"filter[txid]=a1&filter[accountId]={other.id}") == everything[:1]
    assert await found("filter[txid]=A1") == []
    assert await found(f"filter[dateFrom]={yesterday}&filter[dateTo]={tomorrow}") == everything
    assert await found(f"filter[dateFrom]={tomorrow}") == []
    assert await found(f"filter[dateTo]={yesterday - timedelta(days=1)}") == []


async def test_a_day_begins_and_ends_in_sao_paulo(tenant: Tenant) -> None:
    await tenant.account(available="1.00")
    ((transfer),) = await received(tenant)
    moments = ("2026-01-01T02:59:59Z", "2026-01-01T03:00:00Z", "2026-01-02T02:59:59Z", "2026-01-02T03:00:00Z")

    async def on_the_first() -> bool:
        return bool(await received(tenant, "filter[dateFrom]=2026-01-01&filter[dateTo]=2026-01-01"))

    shown = []
    for moment in moments:
        async with tenant.world.bank.db.transaction() as tx:
            move = "UPDATE pix_transfers SET created_at = CAST(:moment AS text)::timestamptz WHERE id = :id"
            await tx.execute(text(move), {"moment": moment, "id": UUID(transfer["id"])})
        shown.append(await on_the_first())

    assert shown == [False, True, True, False]


async def test_pages_hold_everything_once_newest_first(tenant: Tenant) -> None:
    account = await tenant.account()
    ids = [(await account.receives("1.00"))["endToEndId"] for _ in range(5)][::-1]

    first = await tenant.get("/pix/transfers?page[size]=2")
    second = await tenant.get(first.body["links"]["next"].removeprefix("/baas/api/v1"))
    after = await tenant.get(f"/pix/transfers?page[size]=2&page[after]={second.data[-1]['id']}")

    pages = [[data["attributes"]["e2eId"] for data in page.data] for page in (first, second, after)]
    assert pages == [ids[:2], ids[2:4], ids[4:]]
    assert first.body["meta"]["totalItems"] == 5


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("filter[accountId]=1", "filter[accountId]"),
        ("filter[dateFrom]=2026-02-30", "filter[dateFrom]"),
        ("filter[dateFrom]=31/01/2026", "filter[dateFrom]"),
        ("filter[dateTo]=2026-1-1", "filter[dateTo]"),
        ("filter[dateFrom]=2026-02-01&filter[dateTo]=2026-01-31", "filter[dateTo]"),
        (f"filter[e2eId]={'E' * 41}", "filter[e2eId]"),
        (f"filter[txid]={'t' * 41}", "filter[txid]"),
        ("filter[status]=COMPLETED", "filter[status]"),
        ("filter[payer]=Maria", "filter[payer]"),
        ("page[size]=101", "page[size]"),
        (f"page[after]={uuid4()}", "page[after]"),
    ],
)
async def test_a_list_refuses_what_makes_no_sense_by_name(customer: Account, query: str, parameter: str) -> None:
    refused = await customer.tenant.get(f"/pix/transfers?{query}")

    assert refused.status == 400, refused.body
    assert refused.pointers == [parameter]


async def test_a_filter_that_matches_nothing_finds_nothing(tenant: Tenant) -> None:
    await tenant.account(available="1.00")

    for name in ("e2eId", "txid"):
        for value in ("%00", "E%00", "%ff", "%F0%9F%8F%A6", "' OR '1'='1", "%25", ""):
            answered = await tenant.get(f"/pix/transfers?filter[{name}]={value}")
            assert answered.status in {200, 400}, answered.body
            assert answered.status == 400 or answered.data == []


# Once


async def test_twenty_deliveries_at_once_credit_once(tenant: Tenant) -> None:
    account, end_to_end_id = await tenant.account(), new_end_to_end_id(tenant.world)

    told = await asyncio.gather(*(account.receives("5.00", endToEndId=end_to_end_id) for _ in range(20)))

    assert {(each["endToEndId"], each["status"]) for each in told} == {(end_to_end_id, "ACSC")}
    assert await account.available() == Decimal("5.00")
    assert len(await received(tenant)) == await movements(account) == 1


async def test_a_redelivery_gets_the_same_answer_for_ever(tenant: Tenant) -> None:
    account = await tenant.account()
    pix = await account.receives("5.00")
    again = await notice(account, "5.00", endToEndId=pix["endToEndId"])
    refused = await notice(account, "6.00")
    await tenant.post(f"/accounts/{account.id}/block")
    assert await verdict(tenant, refused) == ("RJCT", "AC06")
    assert await verdict(tenant, again) == ("ACSP", None)
    await tenant.post(f"/accounts/{account.id}/unblock")

    assert await verdict(tenant, refused) == ("RJCT", "AC06")
    assert await verdict(tenant, again) == ("ACSP", None)
    assert await account.available() == Decimal("5.00")
    assert await movements(account) == 1


async def test_many_pix_to_one_account_at_once_are_all_credited(tenant: Tenant) -> None:
    account = await tenant.account()

    told = await asyncio.gather(*(account.receives("0.01") for _ in range(20)))

    assert {each["status"] for each in told} == {"ACSC"}
    assert await account.available() == Decimal("0.20")
    assert await movements(account) == 20


async def test_what_waited_is_told_in_one_message_and_answered_one_by_one(tenant: Tenant) -> None:
    account = await tenant.account()
    first, wrong, zero = [(await notice(account, amount))["payment"] for amount in ("1.00", "2.00", "0.00")]
    wrong["payee"]["taxId"] = "39053344705"
    together = {"id": str(uuid4()), "type": "payments.received", "payments": [first, wrong, zero, first]}

    for _ in range(2):
        heard = await tell(tenant, together)

        assert heard.status_code == 200, heard.text
        assert heard.json()["verdicts"] == [
            {"status": "ACSP", "reason": None},
            {"status": "RJCT", "reason": "BE01"},
            {"status": "RJCT", "reason": "AM01"},
            {"status": "ACSP", "reason": None},
        ]
    assert await movements(account) == 1
    assert await verdict(tenant, {"id": str(uuid4()), "type": "payment.received", "payment": wrong}) == ("RJCT", "BE01")
    # The network's own book must know this Pix too.
    pix = await account.receives("1.00", endToEndId=first["endToEndId"])
    assert pix["status"] == "ACSC"


@pytest.mark.parametrize("number", [0, 101])
async def test_a_message_tells_of_one_to_a_hundred(customer: Account, number: int) -> None:
    payment = (await notice(customer))["payment"]

    refused = await tell(customer.tenant, {"id": "1", "type": "payments.received", "payments": [payment] * number})

    assert refused.status_code == 400


async def test_two_processes_that_hear_it_at_once_credit_once(tenant: Tenant) -> None:
    world, account = tenant.world, await tenant.account()
    news = await notice(account, "7.00")

    async with process(world) as one, process(world) as other, asyncio.TaskGroup() as group:
        # Both have looked into the inbox before either writes.
        async with held(world, THE_BALANCE, account=UUID(account.id)):
            told = [group.create_task(tell(tenant, news, client=each)) for each in (one, other)]
            await all_wait(world, len(told), *told)
        heard = await asyncio.gather(*told)

    assert [(each.status_code, each.json()) for each in heard] == [(200, {"status": "ACSP", "reason": None})] * 2
    assert await movements(account) == 1
    # The network's own book must know this Pix too.
    pix = await account.receives("7.00", endToEndId=news["payment"]["endToEndId"])
    assert pix["status"] == "ACSC"
    assert await account.available() == Decimal("7.00")


# Refused in SPI's words


async def test_a_pix_for_somebody_else_is_refused(customer: Account) -> None:
    news = await notice(customer)
    news["payment"]["payee"]["taxId"] = "39053344705"

    assert await verdict(customer.tenant, news) == ("RJCT", "BE01")
    assert await movements(customer) == 0


@pytest.mark.parametrize("kind", ["SVGS", "TRAN"])
async def test_a_pix_for_another_type_of_account_is_refused(customer: Account, kind: str) -> None:
    news = await notice(customer)
    news["payment"]["payee"]["account"]["type"] = kind

    assert await verdict(customer.tenant, news) == ("RJCT", "AC14")
    assert await movements(customer) == 0


async def test_a_pix_beyond_what_an_account_can_hold_is_refused(tenant: Tenant) -> None:
    account = await tenant.account(available="0.01")

    assert await verdict(tenant, await notice(account, "100000000000.00")) == ("RJCT", "AM02")
    assert await verdict(tenant, await notice(account, "0.00")) == ("RJCT", "AM01")
    assert await account.available() == Decimal("0.01")


@pytest.mark.parametrize("change", [{"number": "9999999"}, {"branch": "0002"}])
async def test_a_pix_to_an_account_that_is_not_there_is_refused(customer: Account, change: dict[str, str]) -> None:
    news = await notice(customer)
    news["payment"]["payee"]["account"] |= change

    assert await verdict(customer.tenant, news) == ("RJCT", "AC03")


async def test_a_provider_reaches_its_own_accounts_only(tenant: Tenant, stranger: Tenant) -> None:
    account = await tenant.account()

    assert await verdict(stranger, await notice(account)) == ("RJCT", "AC03")
    assert await account.balance() == 0


def an_account(**changes: Any) -> ReceivingAccount:
    facts: dict[str, Any] = {
        "id": UUID(int=1),
        "status": AccountStatus.ACTIVE,
        "holder_document": "11222333000181",
        "type": AccountType.CHECKING,
        "total": Money(0),
    }
    return ReceivingAccount(**facts | changes)


@pytest.mark.parametrize(
    ("account", "centavos", "credited", "code"),
    [
        (an_account(), 1, 0, None),
        (an_account(), 0, 0, "AM01"),
        (None, 1, 0, "AC03"),
        (an_account(status=AccountStatus.PENDING), 1, 0, "AC03"),
        (an_account(status=AccountStatus.BLOCKED), 1, 0, "AC06"),
        (an_account(status=AccountStatus.CLOSED), 1, 0, "AC07"),
        (an_account(holder_document="39053344705"), 1, 0, "BE01"),
        (an_account(type=AccountType.PAYMENT), 1, 0, "AC14"),
        (an_account(), MAX_CENTAVOS, 0, None),
        (an_account(), MAX_CENTAVOS, 1, "AM02"),
        (an_account(total=Money(1)), MAX_CENTAVOS, 0, "AM02"),
        (an_account(total=Money(1)), MAX_CENTAVOS - 2, 1, None),
    ],
)
def test_each_fact_has_its_code(
    account: ReceivingAccount | None, centavos: int, credited: int, code: str | None
) -> None:
    refusal = rules.refusal(account, Money(centavos), "11222333000181", AccountType.CHECKING, credited=Money(credited))

    assert refusal == code


# Who may speak


async def test_a_wrong_signature_is_refused(customer: Account) -> None:
    body = json.dumps(await notice(customer)).encode()
    good = signed(customer.tenant.world, body)
    path = f"/network/{customer.tenant.provider_id}/notifications"

    for headers in (
        signed(customer.tenant.world, body, secret="another secret, just as long as ours"),
        signed(customer.tenant.world, body + b" "),
        good | {"network-timestamp": str(int(good["network-timestamp"]) + 1)},
        good | {"network-signature": ""},
        good | {"network-signature": good["network-signature"].upper()},
        {name: value for name, value in good.items() if name != "network-signature"},
        {name: value for name, value in good.items() if name != "network-timestamp"},
        {"authorization": f"Bearer {customer.tenant.token}"},
    ):
        refused = await customer.tenant.world.http.post(path, content=body, headers=headers)
        assert refused.status_code == 401, headers
        assert refused.json()["code"] == "UNAUTHORIZED"
    assert await customer.balance() == 0


@pytest.mark.parametrize("seconds_ago", [400, -400])
async def test_a_signature_of_another_hour_is_refused(customer: Account, seconds_ago: int) -> None:
    refused = await tell(customer.tenant, await notice(customer), seconds_ago=seconds_ago)

    assert refused.status_code == 401
    assert await customer.balance() == 0


@pytest.mark.parametrize(
    "change",
    [
        {"endToEndId": "E1"},
        {"endToEndId": None},
        {"amount": 1.00},
        {"amount": "1"},
        {"amount": "-1.00"},
        {"amount": "NaN"},
        {"amount": "100000000000.01"},
        {"payer": None},
        {"payee": {}},
        {"txid": "with space"},
        {"txid": "t" * 36},
        {"createdAt": "yesterday"},
        {"remittanceInformation": "a\x00b"},
    ],
    ids=str,
)
async def test_a_notification_that_makes_no_sense_is_refused(customer: Account, change: dict[str, Any]) -> None:
    refused = await tell(customer.tenant, await notice(customer, **change))

    assert refused.status_code == 400, refused.text
    assert refused.json()["code"] == "VALIDATION"
    assert await movements(customer) == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b"{}",
        b'{"type":"payment.lost"}',
        b'{"type":"payment.received"}',
        b"[" * 9_999,
    ],
)
async def test_a_body_that_is_no_notification_is_refused(customer: Account, body: bytes) -> None:
    refused = await tell(customer.tenant, body)

    assert refused.status_code == 400, refused.text


async def test_a_provider_that_nobody_has_is_not_found(customer: Account) -> None:
    body = json.dumps(await notice(customer)).encode()

    for provider, status in ((str(uuid4()), 401), ("x", 400)):
        path = f"/network/{provider}/notifications"
        answered = await customer.tenant.world.http.post(
            path, content=body, headers=signed(customer.tenant.world, body)
        )
        assert answered.status_code == status
