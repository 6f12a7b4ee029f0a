"""Accounts from their opening to their end, through the API."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import delete, text

from build import Account, Answered, Tenant, World, a_cnpj, a_cpf, until
from lastro.accounts import service
from lastro.accounts.opening import open_accounts
from lastro.accounts.order import Application
from lastro.outbox.queue import Claimed
from lastro.simulator.book import Book, CustomerAccount
from lastro.tenants import service as tenants
from lastro.values.bank_account import AccountType
from lastro.values.tax_id import TaxId
from lastro.values.time_ordered_id import new_id
from meeting import THE_ACCOUNT, all_wait, held


@pytest.fixture(scope="module")
async def applicant(world: World) -> Tenant:
    """A tenant that never gets an account: what it asks for is refused."""
    return await world.tenant("applicant")


@pytest.fixture(scope="module")
async def customer(world: World) -> Account:
    """An account that many tests ask about and none changes."""
    return await (await world.tenant("customer")).account()


# Opening


async def test_a_new_account_shows_what_was_asked_and_what_is_not_there_yet(tenant: Tenant) -> None:
    application = tenant.application(type="PAYMENT", metadata={"costCenter": "CC-001"})

    made = await tenant.post("/accounts", "accounts", application)

    assert made.status == 201
    document = application.pop("holderDocument")
    attributes = dict(made.attributes)
    created, updated = attributes.pop("createdAt"), attributes.pop("updatedAt")
    assert attributes.pop("holderDocument").translate(str.maketrans("", "", "./-")) == document
    assert attributes == application | {
        "status": "PENDING",
        "branch": None,
        "accountNumber": None,
        "balance": 0,
        "availableBalance": 0,
        "currency": "BRL",
    }
    assert created == updated
    assert created.endswith("Z")
    assert made.body["data"]["type"] == "accounts"
    link = {"self": f"/baas/api/v1/accounts/{made.id}"}
    assert (made.data["links"], made.body["links"]) == (link, link)


async def test_it_becomes_active_by_itself_with_branch_and_number(tenant: Tenant) -> None:
    account = await tenant.account()

    attributes = await account.attributes()

    assert attributes["branch"] == "0001"
    number, _, digit = attributes["accountNumber"].partition("-")
    assert number.isdigit()
    assert digit.isdigit()


async def test_no_two_accounts_share_a_number(tenant: Tenant) -> None:
    accounts = await asyncio.gather(*(tenant.account() for _ in range(4)))

    numbers = {(await account.attributes())["accountNumber"] for account in accounts}

    assert len(numbers) == 4


async def test_it_is_a_checking_account_unless_something_else_is_said(tenant: Tenant) -> None:
    made = await tenant.post("/accounts", "accounts", tenant.application())

    assert made.attributes["type"] == "CHECKING"


async def test_metadata_is_absent_where_there_is_none(tenant: Tenant) -> None:
    made = await tenant.post("/accounts", "accounts", tenant.application())

    assert "metadata" not in made.attributes


@pytest.mark.parametrize(
    ("sent", "kind", "shown"),
    [
        ("12.345.678/0001-90", "CNPJ", "12.345.678/0001-90"),
        ("12345678000190", "CNPJ", "12.345.678/0001-90"),
        ("12.ABC.345/01DE-35", "CNPJ", "12.ABC.345/01DE-35"),
        ("12ABC34501DE35", "CNPJ", "12.ABC.345/01DE-35"),
        ("12abc34501de35", "CNPJ", "12.ABC.345/01DE-35"),
        ("123.456.789-01", "CPF", "123.456.789-01"),
        ("12345678901", "CPF", "123.456.789-01"),
    ],
)
async def test_a_document_is_shown_with_punctuation_however_it_came(
    tenant: Tenant, sent: str, kind: str, shown: str
) -> None:
    made = await tenant.post("/accounts", "accounts", tenant.application(holderDocument=sent, holderDocumentType=kind))

    assert made.status == 201, made.body
    assert made.attributes["holderDocument"] == shown
    assert made.attributes["holderDocumentType"] == kind


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("  Loja da Esquina  ", "Loja da Esquina"),
        ("Joa\u0303o", "João"),
        ("D'Ávila & Filhos <b>Ltda</b>", "D'Ávila & Filhos <b>Ltda</b>"),
        ("株式会社 🏦", "株式会社 🏦"),
    ],
)
async def test_a_name_is_kept_as_it_is_written_trimmed_and_composed(customer: Account, sent: str, shown: str) -> None:
    made = await customer.tenant.post("/accounts", "accounts", customer.tenant.application(holderName=sent))

    assert made.status == 201, made.body
    assert made.attributes["holderName"] == shown


async def test_the_longest_name_opens_and_pays(tenant: Tenant) -> None:
    account = await tenant.account(holderName="N" * 140, available="1.00")

    paid = await account.pays(1.00)

    await account.payment_becomes(paid.id, "COMPLETED")


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"providerId": "not-a-uuid"}, "/data/attributes/providerId"),
        ({"providerId": 7}, "/data/attributes/providerId"),
        ({"providerId": None}, "/data/attributes/providerId"),
        ({"holderName": ""}, "/data/attributes/holderName"),
        ({"holderName": "   "}, "/data/attributes/holderName"),
        ({"holderName": None}, "/data/attributes/holderName"),
        ({"holderName": 12}, "/data/attributes/holderName"),
        ({"holderName": "N" * 141}, "/data/attributes/holderName"),
        ({"holderName": "Loja\nde Teste"}, "/data/attributes/holderName"),
        ({"holderName": "Loja\tde Teste"}, "/data/attributes/holderName"),
        ({"holderName": "Loja\x1bde Teste"}, "/data/attributes/holderName"),
        ({"holderName": "Loja\u202ede Teste"}, "/data/attributes/holderName"),
        ({"holderName": "Loja\u2028de Teste"}, "/data/attributes/holderName"),
        ({"holderDocument": "123"}, "/data/attributes/holderDocument"),
        ({"holderDocument": ""}, "/data/attributes/holderDocument"),
        ({"holderDocument": 12345678000190}, "/data/attributes/holderDocument"),
        ({"holderDocument": "12345678901"}, "/data/attributes/holderDocument"),
        ({"holderDocument": "12.345.678/0001-9O"}, "/data/attributes/holderDocument"),
        ({"holderDocument": "１２３４５６７８０００１９０"}, "/data/attributes/holderDocument"),
        ({"holderDocument": "12345678000190", "holderDocumentType": "CPF"}, "/data/attributes/holderDocument"),
        ({"holderDocument": "1234567890A", "holderDocumentType": "CPF"}, "/data/attributes/holderDocument"),
        ({"holderDocumentType": "RG"}, "/data/attributes/holderDocumentType"),
        ({"holderDocumentType": "cnpj"}, "/data/attributes/holderDocumentType"),
        ({"holderDocumentType": None}, "/data/attributes/holderDocumentType"),
        ({"type": "SALARY"}, "/data/attributes/type"),
        ({"type": None}, "/data/attributes/type"),
        ({"metadata": []}, "/data/attributes/metadata"),
        ({"metadata": "costCenter"}, "/data/attributes/metadata"),
        ({"balance": 100}, "/data/attributes/balance"),
        ({"status": "ACTIVE"}, "/data/attributes/status"),
        ({"tenantId": str(uuid4())}, "/data/attributes/tenantId"),
        ({"holder_name": "Loja"}, "/data/attributes/holder_name"),
    ],
    ids=lambda case: json.dumps(case)[:50] if isinstance(case, dict) else "",
)
async def test_what_makes_no_sense_is_refused_where_it_stands(
    applicant: Tenant, changes: dict[str, Any], pointer: str
) -> None:
    refused = await applicant.post("/accounts", "accounts", applicant.application(**changes))

    assert refused.status == 400, refused.body
    assert refused.code == "VALIDATION"
    assert refused.pointers == [pointer]
    assert (await applicant.get("/accounts")).body["meta"]["totalItems"] == 0


async def test_everything_that_is_missing_is_named_at_once(applicant: Tenant) -> None:
    refused = await applicant.post("/accounts", "accounts", {})

    assert refused.status == 400
    names = ("holderName", "holderDocument", "holderDocumentType")
    assert set(refused.pointers) == {f"/data/attributes/{name}" for name in names}
    assert set(names) <= set(refused.body["details"])


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/data"),
        ([], ""),
        ({"data": []}, "/data"),
        ({"data": {"type": "accounts"}}, "/data/attributes"),
        ({"data": {"type": "accounts", "attributes": "x"}}, "/data/attributes"),
        ({"data": {"type": "account", "attributes": {}}}, "/data/type"),
    ],
    ids=json.dumps,
)
async def test_the_envelope_is_read_strictly(applicant: Tenant, body: Any, pointer: str) -> None:
    refused = await applicant.call("POST", "/accounts", body)

    assert refused.status == 400, refused.body
    assert pointer in refused.pointers


async def test_ids_are_not_the_clients_to_give(applicant: Tenant) -> None:
    body = {"data": {"type": "accounts", "id": str(uuid4()), "attributes": applicant.application()}}

    refused = await applicant.call("POST", "/accounts", body)

    assert refused.status == 400
    assert refused.pointers == ["/data/id"]


def nested(depth: int) -> dict[str, Any]:
    """An object that holds an object … `depth` of them in all."""
    return {"in": nested(depth - 1)} if depth > 1 else {"deepest": True}


def of_size(size: int) -> dict[str, Any]:
    """An object that is so many bytes of compact JSON."""
    return {"text": "x" * (size - len('{"text":""}'))}


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        nested(4),
        {f"key{number}": number for number in range(50)},
        {"outer": {f"key{number}": number for number in range(49)}},
        of_size(16_383),
        {"text": "a\nb\u202e🏦", "list": [1, 2.5, None, True, {"x": []}], "": "no name", "big": 9007199254740992},
    ],
    ids=["empty", "four deep", "fifty keys", "fifty keys in all", "16 kB", "all kinds"],
)
async def test_metadata_within_its_bounds_comes_back_as_it_was_sent(
    customer: Account, metadata: dict[str, Any]
) -> None:
    made = await customer.tenant.post("/accounts", "accounts", customer.tenant.application(metadata=metadata))

    assert made.status == 201, made.body
    assert made.attributes["metadata"] == metadata
    assert (await customer.tenant.get(f"/accounts/{made.id}")).attributes["metadata"] == metadata


@pytest.mark.parametrize(
    "metadata",
    [
        nested(5),
        {"list": [[[["too deep"]]]]},
        {f"key{number}": number for number in range(51)},
        {"outer": {f"key{number}": number for number in range(50)}},
        of_size(16_385),
        {"text": "é" * 8_192},
    ],
    ids=["five deep", "lists count", "51 keys", "51 keys in all", "16 kB and one", "bytes, not characters"],
)
async def test_metadata_beyond_its_bounds_is_refused(applicant: Tenant, metadata: dict[str, Any]) -> None:
    refused = await applicant.post("/accounts", "accounts", applicant.application(metadata=metadata))

    assert refused.status == 400, refused.body
    assert refused.pointers == ["/data/attributes/metadata"]


async def test_a_number_that_would_not_come_back_the_same_is_refused(applicant: Tenant) -> None:
    application = json.dumps({"data": {"type": "accounts", "attributes": applicant.application(metadata={"n": 7.25})}})

    refused = await applicant.call(
        "POST", "/accounts", content=application.replace("7.25", "0.100000000000000005").encode()
    )

    assert refused.status == 400, refused.body
    assert refused.pointers == ["/data/attributes/metadata"]


def without_request_id(answered: Answered) -> Any:
    body = answered.body
    del body["details"]["requestId"]
    for error in body["errors"]:
        del error["meta"]["requestId"]
    return body


async def test_another_tenants_provider_is_as_unknown_as_any(tenant: Tenant, stranger: Tenant) -> None:
    nobodys = await tenant.post("/accounts", "accounts", tenant.application(providerId=str(uuid4())))
    foreign = await tenant.post("/accounts", "accounts", tenant.application(providerId=str(stranger.provider_id)))

    assert nobodys.status == foreign.status == 404
    assert nobodys.code == "NOT_FOUND"
    assert without_request_id(nobodys) == without_request_id(foreign)


async def test_a_type_that_the_provider_lacks_leaves_nothing_behind(applicant: Tenant) -> None:
    refused = await applicant.post("/accounts", "accounts", applicant.application(type="SAVINGS"))

    assert refused.status == 422
    assert refused.code == "UNPROCESSABLE"
    assert refused.pointers == ["/data/attributes/type"]
    assert (await applicant.get("/accounts")).body["meta"]["totalItems"] == 0


async def test_a_strict_provider_counts_the_check_digits(world: World) -> None:
    strict = await world.tenant("strict", strict=True)

    wrong = await strict.post("/accounts", "accounts", strict.application(holderDocument="12.345.678/0001-90"))
    right = await strict.post("/accounts", "accounts", strict.application(holderDocument="12.ABC.345/01DE-35"))
    person = strict.application(holderDocument=a_cpf(), holderDocumentType="CPF")

    assert wrong.status == 400
    assert wrong.pointers == ["/data/attributes/holderDocument"]
    assert right.status == 201, right.body
    assert (await strict.post("/accounts", "accounts", person)).status == 201


async def test_a_document_has_one_open_account_at_a_provider(tenant: Tenant) -> None:
    application = tenant.application(holderDocument="12.ABC.345/01DE-35")
    await tenant.post("/accounts", "accounts", application)

    again = await tenant.post("/accounts", "accounts", application)
    other_spelling = await tenant.post("/accounts", "accounts", application | {"holderDocument": "12abc34501de35"})
    other_type = await tenant.post("/accounts", "accounts", application | {"type": "PAYMENT"})

    assert [each.status for each in (again, other_spelling, other_type)] == [409, 409, 409]
    assert again.code == "CONFLICT"


async def test_and_one_at_each_provider_of_the_tenant(world: World, tenant: Tenant) -> None:
    second = await tenants.add_provider(
        world.bank,
        tenant_id=tenant.id,
        name="Banco Segundo",
        code="002",
        ispb="00000000",
        account_types=[AccountType.CHECKING],
        strict_documents=True,
    )
    application = tenant.application()

    here = await tenant.post("/accounts", "accounts", application)
    there = await tenant.post("/accounts", "accounts", application | {"providerId": str(second)})

    assert (here.status, there.status) == (201, 201)
    listed = await tenant.get(f"/accounts?filter[providerId]={second}")
    assert [data["id"] for data in listed.data] == [there.id]


async def test_a_document_may_open_again_after_closing(tenant: Tenant) -> None:
    application = tenant.application()
    account = await tenant.account(**application)
    await tenant.post(f"/accounts/{account.id}/close")

    again = await tenant.account(**application)

    assert again.id != account.id
    assert (await account.attributes())["status"] == "CLOSED"


async def test_sixteen_who_open_for_one_document_at_once_get_one_account(tenant: Tenant) -> None:
    application = tenant.application()

    answers = await asyncio.gather(*(tenant.post("/accounts", "accounts", application) for _ in range(16)))

    assert Counter(answer.status for answer in answers) == {201: 1, 409: 15}
    assert (await tenant.get("/accounts")).body["meta"]["totalItems"] == 1


# Listing


@pytest.fixture
async def five(tenant: Tenant) -> list[str]:
    """Five accounts of the tenant, newest first."""
    made = [await tenant.post("/accounts", "accounts", tenant.application()) for _ in range(5)]
    return [each.id for each in reversed(made)]


def ids(listed: Answered) -> list[str]:
    assert listed.status == 200, listed.body
    return [data["id"] for data in listed.data]


async def test_a_list_shows_each_account_as_get_does(tenant: Tenant) -> None:
    account = await tenant.account(available="1.00", metadata={"a": 1})

    (data,) = (await tenant.get("/accounts")).data

    assert data == (await tenant.get(f"/accounts/{account.id}")).data


async def test_an_empty_list_is_a_list(applicant: Tenant) -> None:
    listed = await applicant.get("/accounts")

    assert listed.data == []
    assert listed.body["meta"] == {
        "totalItems": 0,
        "totalPages": 0,
        "currentPage": 1,
        "itemsPerPage": 20,
        "hasNextPage": False,
        "hasPreviousPage": False,
    }


async def test_pages_by_number_hold_everything_once_newest_first(tenant: Tenant, five: list[str]) -> None:
    pages = [await tenant.get(f"/accounts?page[number]={number}&page[size]=2") for number in (1, 2, 3)]

    assert [ids(page) for page in pages] == [five[:2], five[2:4], five[4:]]
    assert [page.body["meta"]["currentPage"] for page in pages] == [1, 2, 3]
    assert {(page.body["meta"]["totalItems"], page.body["meta"]["totalPages"]) for page in pages} == {(5, 3)}
    assert [page.body["meta"]["hasNextPage"] for page in pages] == [True, True, False]
    assert [page.body["meta"]["hasPreviousPage"] for page in pages] == [False, True, True]


async def test_the_links_lead_through_the_list_and_keep_the_filters(tenant: Tenant, five: list[str]) -> None:
    first = await tenant.get("/accounts?filter[type]=CHECKING&page[size]=2")
    links = first.body["links"]
    seen = ids(first)

    async def follow(link: str) -> Answered:
        assert "filter[type]=CHECKING" in link
        return await tenant.get(link.removeprefix("/baas/api/v1"))

    while links["next"]:
        page = await follow(links["next"])
        seen += ids(page)
        links = page.body["links"]

    assert seen == five
    assert ids(await follow(links["prev"])) == five[2:4]
    assert ids(await follow(links["first"])) == five[:2]
    assert ids(await follow(links["last"])) == five[4:]
    assert ids(await follow(links["self"])) == five[4:]


async def test_pages_by_cursor_hold_everything_once_newest_first(tenant: Tenant, five: list[str]) -> None:
    page = await tenant.get(f"/accounts?page[after]={five[0]}&page[size]=2")
    assert ids(page) == five[1:3]
    assert page.body["meta"]["totalItems"] == 5

    page = await tenant.get(page.body["links"]["next"].removeprefix("/baas/api/v1"))

    assert ids(page) == five[3:]
    assert page.body["links"]["next"] is None
    assert ids(await tenant.get(f"/accounts?page[after]={five[-1]}")) == []


async def test_a_new_account_does_not_move_what_follows_a_cursor(tenant: Tenant, five: list[str]) -> None:
    await tenant.post("/accounts", "accounts", tenant.application())

    assert ids(await tenant.get(f"/accounts?page[after]={five[1]}&page[size]=2")) == five[2:4]


async def test_the_order_is_the_same_every_time_even_when_accounts_change(tenant: Tenant, five: list[str]) -> None:
    await tenant.patch(f"/accounts/{five[3]}", "accounts", {"holderName": "Outro Nome"})

    assert ids(await tenant.get("/accounts")) == ids(await tenant.get("/accounts")) == five


async def test_a_page_beyond_the_end_is_empty_and_says_how_many_there_are(tenant: Tenant, five: list[str]) -> None:
    listed = await tenant.get("/accounts?page[number]=9&page[size]=2")

    assert ids(listed) == []
    assert listed.body["meta"]["totalItems"] == len(five)
    assert listed.body["meta"]["totalPages"] == 3
    assert listed.body["meta"]["hasNextPage"] is False
    assert listed.body["links"]["next"] is None


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("page[size]=0", "page[size]"),
        ("page[size]=101", "page[size]"),
        ("page[size]=-1", "page[size]"),
        ("page[size]=ten", "page[size]"),
        ("page[size]=", "page[size]"),
        ("page[size]=1&page[size]=2", "page[size]"),
        ("page[number]=0", "page[number]"),
        ("page[number]=99999999999999999999", "page[number]"),
        ("page[number]=502", "page[number]"),
        ("page[after]=x", "page[after]"),
        ("page[offset]=1", "page[offset]"),
        ("filter[status]=OPEN", "filter[status]"),
        ("filter[status]=active", "filter[status]"),
        ("filter[type]=SALARY", "filter[type]"),
        ("filter[providerId]=1", "filter[providerId]"),
        ("filter[holderName]=Loja", "filter[holderName]"),
        ("sort=createdAt", "sort"),
        ("filter%5Bstatus%5D=%00", "filter[status]"),
    ],
)
async def test_a_list_refuses_what_it_does_not_know_by_name(applicant: Tenant, query: str, parameter: str) -> None:
    refused = await applicant.get(f"/accounts?{query}")

    assert refused.status == 400, refused.body
    assert refused.code == "VALIDATION"
    assert refused.pointers == [parameter]
    assert parameter in refused.body["details"]


@pytest.mark.parametrize("query", ["page[size]=1", "page[size]=100", "page[number]=501", "filter%5Btype%5D=CHECKING"])
async def test_the_bounds_themselves_are_allowed(applicant: Tenant, query: str) -> None:
    assert (await applicant.get(f"/accounts?{query}")).status == 200


async def test_a_foreign_cursor_is_as_unknown_as_any(tenant: Tenant, stranger: Tenant) -> None:
    foreign = (await stranger.post("/accounts", "accounts", stranger.application())).id

    theirs = await tenant.get(f"/accounts?page[after]={foreign}")
    nobodys = await tenant.get(f"/accounts?page[after]={uuid4()}")

    assert theirs.status == nobodys.status == 400
    assert theirs.pointers == ["page[after]"]
    assert without_request_id(theirs) == without_request_id(nobodys)


async def test_the_filters_choose_and_the_total_counts_what_they_chose(tenant: Tenant) -> None:
    active, blocked, wallet = [
        account.id
        for account in await asyncio.gather(tenant.account(), tenant.account(), tenant.account(type="PAYMENT"))
    ]
    await tenant.post(f"/accounts/{blocked}/block")

    async def found(query: str) -> set[str]:
        listed = await tenant.get(f"/accounts?{query}")
        assert listed.body["meta"]["totalItems"] == len(listed.data)
        return set(ids(listed))

    assert await found("filter[status]=ACTIVE") == {active, wallet}
    assert await found("filter[status]=BLOCKED") == {blocked}
    assert await found("filter[status]=CLOSED") == set()
    assert await found("filter[type]=PAYMENT") == {wallet}
    assert await found("filter[type]=CHECKING&filter[status]=ACTIVE") == {active}
    assert await found(f"filter[providerId]={tenant.provider_id}") == {active, blocked, wallet}
    assert await found(f"filter[providerId]={uuid4()}") == set()


async def test_nobody_sees_a_strangers_accounts(tenant: Tenant, stranger: Tenant) -> None:
    await stranger.post("/accounts", "accounts", stranger.application())

    assert ids(await tenant.get("/accounts")) == []
    assert ids(await tenant.get(f"/accounts?filter[providerId]={stranger.provider_id}")) == []


# Reading


@pytest.mark.parametrize("path", ["", "/close", "/block", "/unblock"])
async def test_a_strangers_account_is_as_unknown_as_any(tenant: Tenant, stranger: Tenant, path: str) -> None:
    account = await tenant.account()
    method = "POST" if path else "GET"

    foreign = await stranger.call(method, f"/accounts/{account.id}{path}")
    nobodys = await stranger.call(method, f"/accounts/{uuid4()}{path}")

    assert foreign.status == nobodys.status == 404
    assert foreign.code == "NOT_FOUND"
    assert without_request_id(foreign) == without_request_id(nobodys)
    assert (await account.attributes())["status"] == "ACTIVE"


async def test_an_id_that_is_none_is_refused(applicant: Tenant) -> None:
    refused = await applicant.get("/accounts/550e8400")

    assert refused.status == 400
    assert refused.code == "VALIDATION"


# Changing


async def test_a_name_changes_and_the_rest_stays(tenant: Tenant) -> None:
    account = await tenant.account(metadata={"a": 1})
    before = await account.attributes()

    changed = await tenant.patch(f"/accounts/{account.id}", "accounts", {"holderName": "  Novo Nome  "})

    assert changed.status == 200
    assert changed.attributes == await account.attributes()
    assert changed.attributes | {"updatedAt": None} == before | {"holderName": "Novo Nome", "updatedAt": None}
    assert changed.attributes["updatedAt"] >= before["updatedAt"]


async def test_metadata_is_replaced_not_merged(tenant: Tenant) -> None:
    account = await tenant.account(metadata={"a": 1, "b": {"c": 2}})

    changed = await tenant.patch(f"/accounts/{account.id}", "accounts", {"metadata": {"b": {"d": 3}}})

    assert changed.attributes["metadata"] == {"b": {"d": 3}}
    assert changed.attributes["holderName"] == "Loja de Teste Ltda"


async def test_null_takes_the_metadata_away(tenant: Tenant) -> None:
    account = await tenant.account(metadata={"a": 1})

    changed = await tenant.patch(f"/accounts/{account.id}", "accounts", {"metadata": None})

    assert changed.status == 200
    assert "metadata" not in changed.attributes
    assert "metadata" not in await account.attributes()


@pytest.mark.parametrize(
    ("attributes", "pointer"),
    [
        ({}, "/data/attributes"),
        ({"holderName": None}, "/data/attributes/holderName"),
        ({"holderName": ""}, "/data/attributes/holderName"),
        ({"holderName": "a\nb"}, "/data/attributes/holderName"),
        ({"holderName": "N" * 141}, "/data/attributes/holderName"),
        ({"metadata": []}, "/data/attributes/metadata"),
        ({"metadata": nested(5)}, "/data/attributes/metadata"),
        ({"holderName": "Loja", "balance": 10}, "/data/attributes/balance"),
        ({"holderName": "Loja", "availableBalance": 10}, "/data/attributes/availableBalance"),
        ({"holderName": "Loja", "status": "CLOSED"}, "/data/attributes/status"),
        ({"holderName": "Loja", "tenantId": str(uuid4())}, "/data/attributes/tenantId"),
        ({"holderName": "Loja", "holderDocument": "12345678901"}, "/data/attributes/holderDocument"),
        ({"holderName": "Loja", "providerId": str(uuid4())}, "/data/attributes/providerId"),
    ],
    ids=lambda case: json.dumps(case)[:60] if isinstance(case, dict) else "",
)
async def test_only_name_and_metadata_can_change(customer: Account, attributes: dict[str, Any], pointer: str) -> None:
    before = await customer.attributes()

    refused = await customer.tenant.patch(f"/accounts/{customer.id}", "accounts", attributes)

    assert refused.status == 400, refused.body
    assert refused.pointers == [pointer]
    assert await customer.attributes() == before


async def test_the_body_may_repeat_the_id_of_the_path_and_no_other(tenant: Tenant) -> None:
    made = await tenant.post("/accounts", "accounts", tenant.application())

    def body(account_id: str) -> Any:
        return {"data": {"type": "accounts", "id": account_id, "attributes": {"holderName": "Novo"}}}

    right = await tenant.call("PATCH", f"/accounts/{made.id}", body(made.id))
    wrong = await tenant.call("PATCH", f"/accounts/{made.id}", body(str(uuid4())))

    assert right.status == 200
    assert wrong.status == 400
    assert wrong.pointers == ["/data/id"]


async def test_a_strangers_account_can_not_be_changed(tenant: Tenant, stranger: Tenant) -> None:
    made = await tenant.post("/accounts", "accounts", tenant.application())

    foreign = await stranger.patch(f"/accounts/{made.id}", "accounts", {"holderName": "Meu"})
    nobodys = await stranger.patch(f"/accounts/{uuid4()}", "accounts", {"holderName": "Meu"})

    assert foreign.status == nobodys.status == 404
    assert without_request_id(foreign) == without_request_id(nobodys)


async def change(account: Account, name: str, if_match: str | None = None) -> Answered:
    headers = {} if if_match is None else {"if-match": if_match}
    return await account.tenant.patch(f"/accounts/{account.id}", "accounts", {"holderName": name}, headers=headers)


async def etag(account: Account) -> str:
    return str((await account.tenant.get(f"/accounts/{account.id}")).response.headers["etag"])


async def test_who_has_seen_the_latest_version_may_change_it(tenant: Tenant) -> None:
    account = await tenant.account()

    first = await change(account, "Um", await etag(account))
    second = await change(account, "Dois", first.response.headers["etag"])

    assert (first.status, second.status) == (200, 200)
    assert second.response.headers["etag"] == await etag(account)


async def test_who_has_seen_an_older_one_may_not(tenant: Tenant) -> None:
    account = await tenant.account()
    seen = await etag(account)
    await change(account, "Um")

    stale = await change(account, "Dois", seen)

    assert stale.status == 412
    assert stale.code == "PRECONDITION_FAILED"
    assert (await account.attributes())["holderName"] == "Um"


async def test_one_of_several_tags_is_enough(tenant: Tenant) -> None:
    account = await tenant.account()
    seen = await etag(account)
    await change(account, "Um")

    assert (await change(account, "Dois", f"{seen}, {await etag(account)}")).status == 200


async def test_a_star_matches_whatever_is_there(tenant: Tenant) -> None:
    account = await tenant.account()

    assert (await change(account, "Um", "*")).status == 200


async def test_money_that_came_meanwhile_is_no_change_of_the_account(tenant: Tenant) -> None:
    account = await tenant.account()
    seen = await etag(account)
    await account.receives("5.00")

    assert await etag(account) != seen
    assert (await change(account, "Um", seen)).status == 200


@pytest.mark.parametrize(
    "if_match", ["", "1", '"1"', '"x.y"', 'W/"1.0"', '"1.0" "2.0"', "*, *", '"99999999999.0"', '"1.0",']
)
async def test_a_tag_that_we_never_gave_is_refused(customer: Account, if_match: str) -> None:
    refused = await change(customer, "Um", if_match)

    assert refused.status == 400, refused.body
    assert refused.pointers == ["If-Match"]


async def test_of_eight_who_saw_the_same_version_one_changes_it(tenant: Tenant) -> None:
    account = await tenant.account()
    seen = await etag(account)

    answers = await asyncio.gather(*(change(account, f"Nome {number}", seen) for number in range(8)))

    assert Counter(answer.status for answer in answers) == {200: 1, 412: 7}
    (winner,) = [answer for answer in answers if answer.status == 200]
    assert (await account.attributes())["holderName"] == winner.attributes["holderName"]


async def test_who_waited_for_another_change_sees_it(tenant: Tenant) -> None:
    account = await tenant.account()
    seen = await etag(account)

    async with asyncio.TaskGroup() as group, held(tenant.world, THE_ACCOUNT, account=UUID(account.id)):
        changes = [group.create_task(change(account, name, seen)) for name in ("Um", "Dois")]
        await all_wait(tenant.world, 2, *changes)

    assert Counter(each.result().status for each in changes) == {200: 1, 412: 1}


async def test_a_closed_account_is_history(tenant: Tenant) -> None:
    account = await tenant.account()
    await tenant.post(f"/accounts/{account.id}/close")

    refused = await change(account, "Novo")

    assert refused.status == 409
    assert refused.code == "CONFLICT"


# Closing


async def test_an_empty_account_closes_for_good(tenant: Tenant) -> None:
    account = await tenant.account()

    closed = await tenant.post(f"/accounts/{account.id}/close")

    assert closed.status == 200
    assert closed.body == {
        "data": {
            "type": "accounts",
            "id": account.id,
            "attributes": {"status": "CLOSED", "balance": 0, "updatedAt": closed.attributes["updatedAt"]},
        }
    }
    attributes = await account.attributes()
    assert attributes["status"] == "CLOSED"
    assert attributes["updatedAt"] == closed.attributes["updatedAt"]
    assert attributes["accountNumber"]


async def test_an_account_with_money_stays_open(tenant: Tenant) -> None:
    account = await tenant.account(available="0.01")

    refused = await tenant.post(f"/accounts/{account.id}/close")

    assert refused.status == 409
    assert refused.code == "CONFLICT"
    assert (await account.attributes())["status"] == "ACTIVE"


async def test_an_account_whose_last_money_is_on_its_way_stays_open(tenant: Tenant) -> None:
    account = await tenant.account(available="31.07")
    await tenant.world.rule(amount=31.07, delaySeconds=0.5, times=1)
    paid = await account.pays(31.07)
    assert await account.available() == 0

    too_early = await tenant.post(f"/accounts/{account.id}/close")
    await account.payment_becomes(paid.id, "COMPLETED")
    in_time = await tenant.post(f"/accounts/{account.id}/close")

    assert too_early.status == 409
    assert in_time.status == 200


async def test_a_blocked_account_does_not_close(tenant: Tenant) -> None:
    account = await tenant.account()
    await tenant.post(f"/accounts/{account.id}/block")

    assert (await tenant.post(f"/accounts/{account.id}/close")).status == 409


async def test_an_account_closes_once(tenant: Tenant) -> None:
    account = await tenant.account()
    await tenant.post(f"/accounts/{account.id}/close")

    assert (await tenant.post(f"/accounts/{account.id}/close")).status == 409


async def test_of_eight_who_close_at_once_one_does(tenant: Tenant) -> None:
    account = await tenant.account()

    answers = await asyncio.gather(*(tenant.post(f"/accounts/{account.id}/close") for _ in range(8)))

    assert Counter(answer.status for answer in answers) == {200: 1, 409: 7}
    assert [type_ for type_, _ in await news_of(account)] == ["account.activated", "account.closed"]


async def test_closing_takes_no_body(tenant: Tenant) -> None:
    account = await tenant.account()

    refused = await tenant.call("POST", f"/accounts/{account.id}/close", {"data": {}})
    taken = await tenant.call("POST", f"/accounts/{account.id}/close", {})

    assert refused.status == 400
    assert taken.status == 200


async def test_an_account_is_never_both_closed_and_credited(tenant: Tenant) -> None:
    async def race(account: Account) -> tuple[Answered, Any]:
        return await asyncio.gather(tenant.post(f"/accounts/{account.id}/close"), account.receives("1.00"))

    for _ in range(5):
        accounts = await asyncio.gather(*(tenant.account() for _ in range(4)))
        for account, (closed, pix) in zip(accounts, await asyncio.gather(*map(race, accounts)), strict=True):
            attributes = await account.attributes()
            if closed.status == 200:
                assert (pix["status"], pix["reason"]) == ("RJCT", "AC07")
                assert (attributes["status"], attributes["balance"]) == ("CLOSED", 0)
            else:
                assert closed.status == 409
                assert pix["status"] == "ACSC"
                assert (attributes["status"], attributes["balance"]) == ("ACTIVE", 1)


async def test_an_account_is_never_both_closed_and_paid_from(tenant: Tenant) -> None:
    accounts = await asyncio.gather(*(tenant.account(available="1.00") for _ in range(5)))

    async def race(account: Account) -> tuple[Answered, Answered]:
        return await asyncio.gather(account.pays(1.00), tenant.post(f"/accounts/{account.id}/close"))

    for account, (paid, closed) in zip(accounts, await asyncio.gather(*map(race, accounts)), strict=True):
        assert paid.status == 201
        assert closed.status == 409, closed.body
        await account.payment_becomes(paid.id, "COMPLETED")


async def test_a_pix_that_comes_while_an_account_closes_waits_and_is_refused(tenant: Tenant) -> None:
    account = await tenant.account()

    async with asyncio.TaskGroup() as group, held(tenant.world, THE_ACCOUNT, account=UUID(account.id)):
        closed = group.create_task(tenant.post(f"/accounts/{account.id}/close"))
        await all_wait(tenant.world, 1, closed)
        pix = group.create_task(account.receives("1.00"))
        await all_wait(tenant.world, 2, pix)

    assert closed.result().status == 200
    assert pix.result()["reason"] == "AC07"
    assert await account.balance() == 0


# Waiting for the provider


@asynccontextmanager
async def the_office_is_slow(world: World) -> AsyncIterator[None]:
    """The network's account office opens nothing meanwhile, because nobody can write into its table."""
    assert world.settings.simulator_database_url is not None
    book = Book(world.settings.simulator_database_url)
    try:
        async with book.transaction() as tx:
            await tx.execute(text("LOCK TABLE account IN SHARE MODE"))
            yield
    finally:
        await book.close()


async def test_a_pending_account_can_do_nothing_but_change(tenant: Tenant) -> None:
    async with the_office_is_slow(tenant.world):
        made = await tenant.post("/accounts", "accounts", tenant.application())
        account = Account(tenant, made.id)
        await account.is_approved()

        closed = await tenant.post(f"/accounts/{account.id}/close")
        blocked = await tenant.post(f"/accounts/{account.id}/block")
        unblocked = await tenant.post(f"/accounts/{account.id}/unblock")
        paid = await account.pays(1.00)
        credited = await account.receives("1.00")
        changed = await change(account, "Novo Nome")
        again = await tenant.post(
            "/accounts", "accounts", tenant.application(holderDocument=made.attributes["holderDocument"])
        )

        assert [each.status for each in (closed, blocked, unblocked, paid, again)] == [409] * 5
        assert (credited["status"], credited["reason"]) == ("RJCT", "AC03")
        assert changed.status == 200
        assert changed.attributes["status"] == "PENDING"
    await until(lambda: account.has_status("ACTIVE"))
    assert (await account.attributes())["holderName"] == "Novo Nome"


async def test_an_account_that_its_provider_refuses_does_not_hold_up_the_others(tenant: Tenant) -> None:
    bank, provider_id = tenant.world.bank, tenant.provider_id
    claimed = [Claimed(-1, service.OPEN, each, each, 1) for each in (new_id(bank.now()), new_id(bank.now()))]
    async with bank.db.transaction() as tx:
        for each in claimed:
            application = Application(provider_id, "Loja", TaxId.parse(a_cnpj()), AccountType.CHECKING, None)
            await service.add(tx, each.reference, tenant.id, application, now=bank.now())
    refused, other = (Account(tenant, str(each.reference)) for each in claimed)

    async with somebody_elses_request(tenant.world, claimed[0].reference):
        waiting = await open_accounts(bank, claimed)

        assert [each.claimed for each in waiting] == claimed[:1]
        assert await other.has_status("ACTIVE")
        assert await refused.has_status("PENDING")

    assert not await open_accounts(bank, claimed)
    assert await refused.has_status("ACTIVE")
    await asyncio.gather(refused.is_approved(), other.is_approved())  # as the books demand of whoever was opened


@asynccontextmanager
async def somebody_elses_request(world: World, request_id: UUID) -> AsyncIterator[None]:
    """The office has opened another account under this id, and refuses to open ours."""
    assert world.settings.simulator_database_url is not None
    book = Book(world.settings.simulator_database_url)
    facts = {"branch": "0009", "number": "1", "holder_name": "Outra", "holder_tax_id": a_cnpj(), "type": "CACC"}
    try:
        async with book.transaction() as tx:
            place = {"request_id": request_id, "provider_id": uuid4(), "ispb": "60701190"}
            tx.add(CustomerAccount(**place, **facts, opened_at=world.bank.now()))
        yield
        async with book.transaction() as tx:
            await tx.execute(delete(CustomerAccount).where(CustomerAccount.request_id == request_id))
    finally:
        await book.close()


# Blocking


async def test_a_blocked_account_neither_pays_nor_receives(tenant: Tenant) -> None:
    account = await tenant.account(available="10.00")

    blocked = await tenant.post(f"/accounts/{account.id}/block")

    assert blocked.status == 200
    assert blocked.attributes["status"] == "BLOCKED"
    assert blocked.attributes == await account.attributes()
    refused = await account.pays(1.00)
    assert (refused.status, refused.code) == (409, "CONFLICT")
    pix = await account.receives("1.00")
    assert (pix["status"], pix["reason"]) == ("RJCT", "AC06")
    assert await account.available() == await account.balance() == Decimal("10.00")


async def test_unblocking_lets_money_move_again(tenant: Tenant) -> None:
    account = await tenant.account(available="10.00")
    await tenant.post(f"/accounts/{account.id}/block")

    unblocked = await tenant.post(f"/accounts/{account.id}/unblock")

    assert unblocked.status == 200
    assert unblocked.attributes["status"] == "ACTIVE"
    paid = await account.pays(4.00)
    await account.payment_becomes(paid.id, "COMPLETED")
    assert (await account.receives("1.00"))["status"] == "ACSC"
    assert await account.available() == Decimal("7.00")


async def test_what_is_under_way_settles_although_the_account_was_blocked(tenant: Tenant) -> None:
    account = await tenant.account(available="32.09")
    await tenant.world.rule(amount=32.09, delaySeconds=0.5, times=1)
    paid = await account.pays(32.09)

    blocked = await tenant.post(f"/accounts/{account.id}/block")

    assert blocked.status == 200
    await account.payment_becomes(paid.id, "COMPLETED")
    assert await account.balance() == 0


async def test_a_rejected_payment_gives_the_money_back_to_a_blocked_account(tenant: Tenant) -> None:
    account = await tenant.account(available="33.11")
    await tenant.world.rule(amount=33.11, delaySeconds=0.5, reject="AC03", times=1)
    paid = await account.pays(33.11)

    await tenant.post(f"/accounts/{account.id}/block")

    await account.payment_becomes(paid.id, "FAILED")
    assert await account.available() == Decimal("33.11")


async def test_who_pays_while_an_account_is_blocked_waits_and_is_refused(tenant: Tenant) -> None:
    account = await tenant.account(available="1.00")

    async with asyncio.TaskGroup() as group, held(tenant.world, THE_ACCOUNT, account=UUID(account.id)):
        blocked = group.create_task(tenant.post(f"/accounts/{account.id}/block"))
        await all_wait(tenant.world, 1, blocked)
        paid = group.create_task(account.pays(1.00))
        await all_wait(tenant.world, 2, paid)

    assert blocked.result().status == 200
    assert paid.result().status == 409
    assert await account.available() == 1


async def test_each_step_starts_from_its_own_status(tenant: Tenant) -> None:
    account = await tenant.account()

    async def step(name: str) -> int:
        return (await tenant.post(f"/accounts/{account.id}/{name}")).status

    walked = [
        await step(name) for name in ("unblock", "block", "block", "unblock", "unblock", "close", "block", "unblock")
    ]

    assert walked == [409, 200, 409, 200, 409, 200, 409, 409]


# Incoming Pix that find nobody


async def test_a_pix_to_a_closed_account_is_answered_ac07(tenant: Tenant) -> None:
    account = await tenant.account()
    await tenant.post(f"/accounts/{account.id}/close")

    pix = await account.receives("1.00")

    assert (pix["status"], pix["reason"]) == ("RJCT", "AC07")


async def test_a_pix_to_an_account_that_nobody_has_is_answered_ac03(tenant: Tenant) -> None:
    pix = await Account(tenant, str(uuid4())).receives("1.00")

    assert (pix["status"], pix["reason"]) == ("RJCT", "AC03")


async def test_an_old_account_does_not_receive_for_the_new_one(tenant: Tenant) -> None:
    application = tenant.application()
    old = await tenant.account(**application)
    await tenant.post(f"/accounts/{old.id}/close")
    new = await tenant.account(**application)

    assert (await old.receives("1.00"))["reason"] == "AC07"
    assert (await new.receives("1.00"))["status"] == "ACSC"
    assert (await old.balance(), await new.balance()) == (Decimal(0), Decimal(1))


# News


async def news_of(account: Account) -> list[tuple[str, Any]]:
    """What was announced of the account itself, in order: the type and the body."""
    query = text("SELECT type, body FROM events WHERE resource_id = :id ORDER BY resource_version")
    async with account.tenant.world.bank.db.transaction() as tx:
        rows = await tx.execute(query, {"id": UUID(account.id)})
    return [(row.type, json.loads(row.body)) for row in rows]


async def test_every_step_is_told_as_get_showed_it_then(tenant: Tenant) -> None:
    account = await tenant.account(metadata={"costCenter": "CC-001"})
    shown = [(await tenant.get(f"/accounts/{account.id}")).data]
    for step in ("block", "unblock", "close"):
        await tenant.post(f"/accounts/{account.id}/{step}")
        shown.append((await tenant.get(f"/accounts/{account.id}")).data)

    news = await news_of(account)

    assert [type_ for type_, _ in news] == [
        "account.activated",
        "account.blocked",
        "account.unblocked",
        "account.closed",
    ]
    assert [body["data"] for _, body in news] == shown
    assert [body["type"] for _, body in news] == [type_ for type_, _ in news]
    assert [body["timestamp"] for _, body in news] == [data["attributes"]["updatedAt"] for data in shown]


async def test_a_step_that_is_refused_is_no_news(tenant: Tenant) -> None:
    account = await tenant.account(available="1.00")

    for step in ("unblock", "close"):
        assert (await tenant.post(f"/accounts/{account.id}/{step}")).status == 409

    assert [type_ for type_, _ in await news_of(account)] == ["account.activated"]


async def test_one_document_may_have_accounts_at_two_tenants(tenant: Tenant, stranger: Tenant) -> None:
    document = a_cnpj()

    first, second = await asyncio.gather(
        tenant.account(holderDocument=document), stranger.account(holderDocument=document)
    )

    assert first.id != second.id
