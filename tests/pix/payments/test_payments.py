"""POST, list and get of payments, as a client meets them."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest

from build import JOAO, Account, Tenant
from lastro.attempt import Attempt
from lastro.auth.caller import Caller
from lastro.errors import NotFound
from lastro.pix.payments import service
from lastro.pix.payments.order import Wish
from lastro.pix.payments.resources import PaymentQuery
from lastro.values.money import Money
from lastro.values.pix_key import KeyType, PixKey
from lastro.wiring import Assembly
from pix.payments.orders import ready
from pix.payments.test_acceptance import Shop


@pytest.fixture
async def account(tenant: Tenant) -> Account:
    return await tenant.account(available="100.00")


async def test_the_answer_is_the_contracts(account: Account) -> None:
    taken = await account.pays(12.34, extra={"description": "Pagamento fornecedor"})

    assert taken.status == 201
    assert taken.data["type"] == "pix-payments"
    assert taken.data["links"]["self"] == taken.body["links"]["self"] == f"/baas/api/v1/pix/payments/{taken.id}"
    shown = taken.attributes
    assert shown["amount"] == 12.34
    assert shown["status"] == "PROCESSING"
    assert shown["recipientKeyType"] == "CPF"
    assert shown["recipientKeyValue"] == JOAO
    assert shown["description"] == "Pagamento fornecedor"
    assert len(shown["e2eId"]) == 32
    assert shown["e2eId"].startswith("E00000000")
    assert shown["externalRef"] is shown["failureReason"] is shown["completedAt"] is None
    assert shown["createdAt"] == shown["updatedAt"]


async def test_what_was_answered_can_be_read_at_once(account: Account) -> None:
    taken = await account.pays(1)
    read = await account.tenant.get(f"/pix/payments/{taken.id}")
    assert read.status == 200
    assert read.attributes["e2eId"] == taken.attributes["e2eId"]


@pytest.mark.parametrize(
    "amount",
    [0, -1, "10.00", True, None, 10.001, 0.001, [10], {"value": 10}, 100000000000.01, 1e15],
)
async def test_an_amount_that_is_none_is_refused(account: Account, amount: Any) -> None:
    answer = await account.pays(amount)
    assert (answer.status, answer.code) == (400, "VALIDATION")
    assert answer.pointers == ["/data/attributes/amount"]
    assert await account.available() == Decimal("100.00")


@pytest.mark.parametrize(
    "literal", ["NaN", "Infinity", "1e2", "1E+2", "10.000", "0.30000000000000004", "90071992547409.935"]
)
async def test_a_number_that_no_bank_writes_is_refused(account: Account, literal: str) -> None:
    attributes = f'"accountId":"{account.id}","amount":{literal},"recipientKeyType":"CPF","recipientKeyValue":"{JOAO}"'
    body = f'{{"data":{{"type":"pix-payments","attributes":{{{attributes}}}}}}}'
    answer = await account.tenant.call("POST", "/pix/payments", content=body.encode())
    assert (answer.status, answer.code) == (400, "VALIDATION")


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("CPF", "1234567890"),
        ("CPF", "123456789012"),
        ("CNPJ", "12345678901"),
        ("EMAIL", "no-at-sign"),
        ("PHONE", "11987654321"),
        ("EVP", "not-a-uuid"),
        ("CPF", "１２３４５６７８９０１"),
        ("EMAIL", "a@b\u0000.com"),
    ],
)
async def test_a_key_of_the_wrong_shape_is_400(account: Account, kind: str, key: str) -> None:
    answer = await account.pays(1, key, kind)
    assert (answer.status, answer.code) == (400, "VALIDATION")


@pytest.mark.parametrize(
    ("kind", "key"),
    [("CPF", "98765432100"), ("EMAIL", "ninguem@example.com"), ("PHONE", "+5511900000000"), ("EVP", str(uuid4()))],
)
async def test_a_key_that_nobody_registered_is_422_and_holds_nothing(account: Account, kind: str, key: str) -> None:
    answer = await account.pays(1, key, kind)
    assert (answer.status, answer.code) == (422, "UNPROCESSABLE")
    assert answer.pointers == ["/data/attributes/recipientKeyValue"]
    assert await account.available() == Decimal("100.00")


async def test_a_key_with_punctuation_is_the_same_key(account: Account) -> None:
    answer = await account.pays(1, "123.456.789-01")
    assert answer.status == 201
    assert answer.attributes["recipientKeyValue"] == JOAO


async def test_a_strict_provider_refuses_wrong_check_digits_before_asking(tenant: Tenant) -> None:
    strict = await tenant.world.tenant("strict", strict=True)
    account = await strict.account(available="10.00")
    answer = await account.pays(1, JOAO)
    assert (answer.status, answer.code) == (422, "UNPROCESSABLE")


async def test_more_than_there_is_is_refused(account: Account) -> None:
    answer = await account.pays(100.01)
    assert (answer.status, answer.code) == (400, "INSUFFICIENT_BALANCE")
    assert answer.pointers == ["/data/attributes/amount"]
    assert (await account.pays(100)).status == 201


async def test_a_blocked_account_does_not_pay(account: Account) -> None:
    assert (await account.tenant.post(f"/accounts/{account.id}/block")).status == 200
    answer = await account.pays(1)
    assert (answer.status, answer.code) == (409, "CONFLICT")


async def test_another_tenants_account_is_as_absent_as_a_random_one(account: Account, stranger: Tenant) -> None:
    foreign = await Account(stranger, account.id).pays(1)
    random = await Account(stranger, str(uuid4())).pays(1)
    assert foreign.status == random.status == 404
    assert foreign.body["message"] == random.body["message"]
    assert foreign.pointers == random.pointers == ["/data/attributes/accountId"]
    assert (await stranger.get(f"/pix/payments/{(await account.pays(1)).id}")).status == 404


@pytest.mark.parametrize(
    "description", ["", " ", "x" * 141, "two\nlines", "tab\there", "\u202eevil", "nul\u0000", 5, ["a"]]
)
async def test_a_description_is_one_line_of_at_most_140(account: Account, description: Any) -> None:
    answer = await account.pays(1, extra={"description": description})
    assert (answer.status, answer.code) == (400, "VALIDATION")


async def test_a_description_with_accents_and_emoji_is_kept(account: Account) -> None:
    words = "Açaí às 8 ☕ " + "x" * 120
    answer = await account.pays(1, extra={"description": words})
    assert answer.attributes["description"] == words
    assert (await account.payment(answer.id))["description"] == words


@pytest.mark.parametrize("field", ["status", "e2eId", "tenantId", "completedAt", "__proto__", "Amount"])
async def test_what_is_not_asked_for_is_refused(account: Account, field: str) -> None:
    answer = await account.pays(1, extra={field: "x"})
    assert (answer.status, answer.code) == (400, "VALIDATION")
    assert answer.pointers == [f"/data/attributes/{field}"]


async def test_each_missing_attribute_is_named(tenant: Tenant) -> None:
    answer = await tenant.post("/pix/payments", "pix-payments", {})
    assert answer.status == 400
    assert set(answer.body["details"]) >= {"accountId", "amount", "recipientKeyType", "recipientKeyValue"}


async def test_another_type_is_refused(account: Account) -> None:
    answer = await account.tenant.post("/pix/payments", "accounts", {})
    assert answer.status == 400
    assert "/data/type" in answer.pointers


async def test_payments_are_listed_newest_first_and_filtered(account: Account) -> None:
    paid = [await account.pays(amount) for amount in (1, 2, 3)]
    rejected = await account.pays(4, "ac03@rejeita.example", "EMAIL")
    for each in paid:
        await account.payment_becomes(each.id, "COMPLETED")
    await account.payment_becomes(rejected.id, "FAILED")
    tenant = account.tenant

    async def ids(query: str) -> list[str]:
        answer = await tenant.get(f"/pix/payments?{query}")
        assert answer.status == 200, answer.body
        assert answer.body["meta"]["totalItems"] >= len(answer.data)
        return [each["id"] for each in answer.data]

    newest_first = [rejected.id, *(each.id for each in reversed(paid))]
    assert await ids("") == newest_first
    assert await ids(f"filter[accountId]={account.id}") == newest_first
    assert await ids(f"filter[accountId]={uuid4()}") == []
    assert await ids("filter[status]=FAILED") == [rejected.id]
    assert await ids(f"filter[e2eId]={paid[0].attributes['e2eId']}") == [paid[0].id]
    reference = (await account.payment(paid[1].id))["externalRef"]
    days = "filter[dateFrom]={}&filter[dateTo]={}".format(*_two_days_around(paid[1].attributes["createdAt"]))
    assert await ids(f"filter[externalRef]={reference}&{days}") == [paid[1].id]
    assert await ids(f"filter[externalRef]={uuid4()}&{days}") == []
    assert await ids("page[size]=2&page[number]=2") == newest_first[2:]
    assert await ids(f"page[after]={newest_first[1]}&page[size]=2") == newest_first[2:]


@pytest.mark.parametrize("reference", ["!", "~" * 64, '"\\</script>', "=1+1"])
async def test_a_reference_of_the_client_is_kept_to_the_end_and_finds_what_bears_it(
    account: Account, reference: str
) -> None:
    paid = [await account.pays(1, extra={"correlationId": reference}) for _ in range(2)]
    await account.pays(1, extra={"correlationId": "other"})
    without = await account.pays(1)
    assert without.attributes["correlationId"] is None
    assert {each.attributes["correlationId"] for each in paid} == {reference}

    for more in ("", f"&filter[accountId]={account.id}", "&filter[status]=COMPLETED"):
        for each in paid:
            assert (await account.payment_becomes(each.id, "COMPLETED"))["correlationId"] == reference
        found = await account.tenant.get(f"/pix/payments?filter[correlationId]={quote(reference)}{more}")
        assert [each["id"] for each in found.data] == [each.id for each in reversed(paid)]
        assert found.body["meta"]["totalItems"] == 2


@pytest.mark.parametrize("reference", ["", "x" * 65, "a b", "é", "a\n", 7, True, {}])
async def test_a_reference_that_is_not_visible_ascii_is_refused(account: Account, reference: Any) -> None:
    answer = await account.pays(1, extra={"correlationId": reference})
    assert (answer.status, answer.pointers) == (400, ["/data/attributes/correlationId"])
    asked = await account.tenant.get(f"/pix/payments?filter[correlationId]={quote('a b')}")
    assert (asked.status, asked.pointers) == (400, ["filter[correlationId]"])


async def test_a_bound_token_pays_from_its_accounts_and_lists_theirs(account: Account) -> None:
    tenant, bank = account.tenant, account.tenant.world.bank
    other = await tenant.account(available="5.00")
    mine, theirs = await account.pays(1), await other.pays(1, headers={"idempotency-key": "k"})
    bound = Caller(tenant.id, "bound", frozenset(), accounts=frozenset({UUID(account.id)}))

    async def listed(**filters: Any) -> tuple[list[str], int]:
        query = PaymentQuery.model_validate({f"filter[{name}]": value for name, value in filters.items()})
        async with bank.db.reading() as tx:
            found = await service.search(tx, bound, query)
        return [str(row.id) for row in found.rows], found.total

    assert await listed() == await listed(accountId=account.id) == ([mine.id], 1)
    assert await listed(accountId=other.id) == ([], 0)
    wish = Wish(UUID(other.id), Money(100), PixKey(KeyType.CPF, JOAO), None)
    spoken = Attempt(tenant.id, "POST /baas/api/v1/pix/payments", "k", b"")
    for attempt in (None, spoken):
        with pytest.raises(NotFound):
            await service.send(bank, bound, wish, attempt)
    async with bank.db.reading() as tx:
        with pytest.raises(NotFound):
            await service.get(tx, bound, UUID(theirs.id))


def _two_days_around(moment: str) -> tuple[date, date]:
    """The day of São Paulo, and the next."""
    day = datetime.fromisoformat(moment).astimezone(ZoneInfo("America/Sao_Paulo")).date()
    return day, day + timedelta(days=1)


@pytest.mark.parametrize(
    "days",
    [
        "",
        "&filter[dateFrom]=2026-03-01",
        "&filter[dateTo]=2026-03-01",
        "&filter[dateFrom]=2026-03-01&filter[dateTo]=2026-03-03",
    ],
)
async def test_a_reference_of_the_provider_is_looked_for_on_two_days_at_most(tenant: Tenant, days: str) -> None:
    answer = await tenant.get(f"/pix/payments?filter[externalRef]=x{days}")
    assert (answer.status, answer.pointers) == (400, ["filter[externalRef]"])


async def test_days_are_sao_paulos_and_both_are_included(quiet: Assembly) -> None:
    """One payment in the last microsecond of a São Paulo day, one in the first of the next."""
    shop = await Shop.open(quiet)
    account_id = await shop.account(100)
    zone = ZoneInfo("America/Sao_Paulo")
    midnight = datetime(2026, 3, 2, tzinfo=zone)
    late, early = (
        ready(account_id, shop.tenant_id, 1, shop.provider_id, None, at=moment.astimezone(UTC))
        for moment in (midnight - timedelta(microseconds=1), midnight)
    )
    await shop.accept(late, early)
    caller = Caller(shop.tenant_id, "test", frozenset())

    async def ids(day_from: str, day_to: str) -> list[UUID]:
        query = PaymentQuery.model_validate({"filter[dateFrom]": day_from, "filter[dateTo]": day_to})
        async with quiet.bank.db.transaction() as tx:
            return [row.id for row in (await service.search(tx, caller, query)).rows]

    assert await ids("2026-03-01", "2026-03-01") == [late.id]
    assert await ids("2026-03-02", "2026-03-02") == [early.id]
    assert await ids("2026-03-01", "2026-03-02") == [early.id, late.id]
    assert await ids("2026-03-03", "2026-03-04") == []


@pytest.mark.parametrize(
    "query",
    [
        "filter[dateFrom]=2026-13-01",
        "filter[dateFrom]=01/02/2026",
        "filter[dateFrom]=1700000000",
        "filter[dateFrom]=2026-02-30",
        "filter[dateFrom]=2026-02-02&filter[dateTo]=2026-02-01",
        "filter[status]=PAID",
        "filter[accountId]=5",
        "filter[amount]=5",
        "page[size]=0",
        "page[size]=101",
        "page[number]=0",
        "page[number]=-1",
        "page[size]=1;--",
        "page[after]=x",
        f"page[after]={uuid4()}",
        "sort=-amount",
        "filter[status]=FAILED&filter[status]=COMPLETED",
        "page[number]=9999999999999999",
    ],
)
async def test_a_question_that_makes_no_sense_is_400(tenant: Tenant, query: str) -> None:
    answer = await tenant.get(f"/pix/payments?{query}")
    assert (answer.status, answer.code) == (400, "VALIDATION")
    assert answer.pointers[0]


async def test_the_end_of_time_is_a_day_like_any_other(tenant: Tenant) -> None:
    answer = await tenant.get("/pix/payments?filter[dateFrom]=1500-01-01&filter[dateTo]=9998-12-31")
    assert answer.status == 200
    assert answer.data == []


async def test_64_senders_never_overdraw_lose_or_double(tenant: Tenant) -> None:
    """Four payments each, of 1.00, from an account with 100.00: exactly a hundred go out."""
    account = await tenant.account(available="100.00")

    async def sender() -> list[int]:
        return [(await account.pays(1)).status for _ in range(4)]

    statuses = [status for each in await asyncio.gather(*(sender() for _ in range(64))) for status in each]

    assert statuses.count(201) == 100
    assert statuses.count(400) == 156
    assert await account.available() == Decimal("0.00")
    listed = await tenant.get("/pix/payments?page[size]=1")
    assert listed.body["meta"]["totalItems"] == 100
