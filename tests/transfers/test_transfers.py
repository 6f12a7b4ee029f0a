"""Transfers between own accounts as a client meets them: at once, both sides, once; and whatever may be wrong."""

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from build import Account, Answered, Tenant, World, a_cpf
from lastro.attempt import Attempt
from lastro.auth.caller import Caller
from lastro.auth.permissions import Permission
from lastro.errors import NotFound
from lastro.paging import Found
from lastro.tenants import service as tenants
from lastro.transfers import service
from lastro.transfers.models import InternalTransfer
from lastro.transfers.order import TransferOrder
from lastro.transfers.resources import TransferQuery
from lastro.values.bank_account import AccountType
from lastro.values.money import MAX_CENTAVOS, Money
from transfers.moving import KIND, PATH, move


@pytest.fixture
async def giver(tenant: Tenant) -> Account:
    return await tenant.account(available="100.00")


@pytest.fixture
async def taker(tenant: Tenant) -> Account:
    return await tenant.account()


async def events(world: World, resource_id: str) -> list[Any]:
    async with world.bank.db.transaction() as tx:
        query = text("SELECT type, account_id, body FROM events WHERE resource_id = :id")
        return list((await tx.execute(query, {"id": UUID(resource_id)})).all())


async def ids(tenant: Tenant, query: str = "") -> list[str]:
    found = await tenant.get(f"{PATH}?{query}")
    assert found.status == 200, found.body
    assert found.body["meta"]["totalItems"] == len(found.data)
    return [each["id"] for each in found.data]


async def test_the_money_is_there_when_the_answer_is(giver: Account, taker: Account) -> None:
    made = await move(giver, taker, 30.01, extra={"description": "Reserva", "correlationId": "pedido-1"})

    assert made.status == 201
    assert made.data["type"] == KIND
    assert made.data["links"]["self"].endswith(f"{PATH}/{made.id}")
    shown = made.attributes
    assert shown == {
        "accountId": giver.id,
        "recipientAccountId": taker.id,
        "amount": 30.01,
        "status": "COMPLETED",
        "description": "Reserva",
        "correlationId": "pedido-1",
        "completedAt": shown["createdAt"],
        "createdAt": shown["createdAt"],
    }
    assert await giver.available() == await giver.balance() == Decimal("69.99")
    assert await taker.available() == await taker.balance() == Decimal("30.01")
    assert (await giver.tenant.get(f"{PATH}/{made.id}")).body == made.body


async def test_what_was_not_said_is_null(giver: Account, taker: Account) -> None:
    shown = (await move(giver, taker, 1)).attributes

    assert (shown["description"], shown["correlationId"]) == (None, None)


async def test_its_news_is_what_reading_it_says(world: World, giver: Account, taker: Account) -> None:
    made = await move(giver, taker, 1)

    ((kind, account_id, body),) = await events(world, made.id)
    assert (kind, str(account_id)) == ("transfer.internal.completed", giver.id)
    assert json.loads(body)["data"] == made.data


async def test_a_repetition_gets_the_same_bytes_and_moves_nothing(giver: Account, taker: Account) -> None:
    key = {"idempotency-key": "transfer-1"}

    first, again = [await move(giver, taker, 10, headers=key) for _ in range(2)]
    other = await move(giver, taker, 11, headers=key)

    assert again.response.content == first.response.content
    assert again.response.headers["idempotency-replayed"] == "true"
    assert other.code == "UNPROCESSABLE"
    assert await giver.available() == Decimal("90.00")
    assert await taker.available() == Decimal("10.00")


async def test_the_last_centavo_may_go_and_no_more(giver: Account, taker: Account) -> None:
    short = await move(giver, taker, 100.01)
    assert (short.status, short.code, short.pointers) == (400, "INSUFFICIENT_BALANCE", ["/data/attributes/amount"])

    assert (await move(giver, taker, 100.00)).status == 201
    assert await giver.available() == 0
    assert (await move(giver, taker, 0.01)).code == "INSUFFICIENT_BALANCE"


async def test_an_account_can_not_give_to_itself(giver: Account) -> None:
    refused = await move(giver, giver, 1)

    assert (refused.status, refused.pointers) == (422, ["/data/attributes/recipientAccountId"])


async def test_nobodys_and_a_strangers_accounts_are_not_found_on_either_side(
    giver: Account, taker: Account, stranger: Tenant
) -> None:
    theirs = await stranger.account(available="5.00")
    for absent in (theirs.id, str(uuid4())):
        to_it = await move(giver, absent, 1)
        assert (to_it.status, to_it.code, to_it.pointers) == (404, "NOT_FOUND", ["/data/attributes/recipientAccountId"])
        from_it = await move(Account(giver.tenant, absent), taker, 1)
        assert (from_it.status, from_it.code, from_it.pointers) == (404, "NOT_FOUND", ["/data/attributes/accountId"])
    assert await theirs.available() == Decimal("5.00")
    assert await giver.available() == Decimal("100.00")


@pytest.mark.parametrize("side", ["accountId", "recipientAccountId"])
async def test_both_accounts_must_be_active(giver: Account, taker: Account, side: str) -> None:
    blocked = giver if side == "accountId" else taker
    await giver.tenant.post(f"/accounts/{blocked.id}/block")

    refused = await move(giver, taker, 1)

    assert (refused.status, refused.code, refused.pointers) == (409, "CONFLICT", [f"/data/attributes/{side}"])
    assert await giver.balance() == Decimal("100.00")


async def test_an_account_that_is_not_open_yet_takes_nothing(giver: Account) -> None:
    pending = await giver.tenant.post("/accounts", "accounts", giver.tenant.application())

    assert (await move(giver, pending.id, 1)).code == "CONFLICT"


async def test_between_two_institutions_it_is_a_pix(world: World, giver: Account) -> None:
    provider_id = await tenants.add_provider(
        world.bank,
        tenant_id=giver.tenant.id,
        name="Outro",
        code=None,
        ispb="60701190",
        account_types=[AccountType.CHECKING],
        strict_documents=False,
    )
    other = await giver.tenant.post("/accounts", "accounts", giver.tenant.application(providerId=str(provider_id)))

    refused = await move(giver, other.id, 1)

    assert (refused.status, refused.pointers) == (422, ["/data/attributes/recipientAccountId"])


async def test_a_person_and_a_company_of_one_tenant_may_move_money(giver: Account) -> None:
    person = await giver.tenant.account(holderDocument=a_cpf(), holderDocumentType="CPF", holderName="Ana Lima")

    assert (await move(giver, person, 1)).status == 201


async def test_no_account_holds_more_than_money_can_say(giver: Account, taker: Account) -> None:
    await taker.receives(str(Decimal(MAX_CENTAVOS - 100) / 100))

    refused = await move(giver, taker, 1.01)

    assert (refused.status, refused.pointers) == (422, ["/data/attributes/amount"])
    assert (await move(giver, taker, 1.00)).status == 201
    assert (await move(taker, giver, 99_999_999_000)).status == 201


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"amount": 0}, "amount"),
        ({"amount": -1}, "amount"),
        ({"amount": "1.00"}, "amount"),
        ({"amount": 1.001}, "amount"),
        ({"accountId": "1"}, "accountId"),
        ({"recipientAccountId": None}, "recipientAccountId"),
        ({"description": "a\nb"}, "description"),
        ({"description": "x" * 141}, "description"),
        ({"correlationId": ""}, "correlationId"),
        ({"correlationId": "x" * 65}, "correlationId"),
        ({"correlationId": "com espaço"}, "correlationId"),
        ({"correlationId": "é"}, "correlationId"),
        ({"correlationId": "a\n"}, "correlationId"),
        ({"correlationId": 7}, "correlationId"),
        ({"status": "COMPLETED"}, "status"),
    ],
)
async def test_a_malformed_wish_says_where(
    giver: Account, taker: Account, changes: dict[str, Any], pointer: str
) -> None:
    refused = await move(giver, taker, 1, extra=changes)

    assert (refused.status, refused.code, refused.pointers) == (400, "VALIDATION", [f"/data/attributes/{pointer}"])


@pytest.mark.parametrize("reference", ["!", "~" * 64, '"\\</script>', "=1+1"])
async def test_a_reference_is_kept_as_it_is_and_finds_what_bears_it(
    giver: Account, taker: Account, reference: str
) -> None:
    made = [await move(giver, taker, 1, extra={"correlationId": reference}) for _ in range(2)]
    await move(giver, taker, 1, extra={"correlationId": "other"})
    await move(giver, taker, 1)

    found = await giver.tenant.world.http.get(
        f"/baas/api/v1{PATH}",
        params={"filter[correlationId]": reference},
        headers={"authorization": f"Bearer {giver.tenant.token}"},
    )

    assert [each["id"] for each in found.json()["data"]] == [each.id for each in reversed(made)]
    assert {each["attributes"]["correlationId"] for each in found.json()["data"]} == {reference}
    assert found.json()["meta"]["totalItems"] == 2


async def test_lists_run_newest_first_under_every_filter(giver: Account, taker: Account) -> None:
    tenant = giver.tenant
    third = await tenant.account()
    first = (await move(giver, taker, 3, extra={"correlationId": "a"})).id
    second = (await move(taker, third, 2, extra={"correlationId": "a"})).id
    last = (await move(third, giver, 1, extra={"correlationId": "b"})).id
    now = tenant.world.bank.now().astimezone(ZoneInfo("America/Sao_Paulo"))
    before, after = (now - timedelta(days=2)).date(), (now + timedelta(days=1)).date()  # midnight may come between

    assert await ids(tenant) == [last, second, first]
    assert await ids(tenant, f"filter[accountId]={giver.id}") == [last, first]
    assert await ids(tenant, f"filter[accountId]={taker.id}") == [second, first]
    assert await ids(tenant, f"filter[accountId]={uuid4()}") == []
    assert await ids(tenant, "filter[correlationId]=a") == [second, first]
    assert await ids(tenant, f"filter[correlationId]=a&filter[accountId]={third.id}") == [second]
    assert await ids(tenant, f"filter[dateFrom]={before}&filter[dateTo]={after}") == [last, second, first]
    assert await ids(tenant, f"filter[dateTo]={before}") == []
    assert await ids(tenant, f"filter[accountId]={giver.id}&filter[dateTo]={before}") == []
    assert await ids(tenant, f"filter[accountId]={giver.id}&filter[dateFrom]={before}") == [last, first]


async def test_one_pages_through_both_sides_of_an_account(giver: Account, taker: Account) -> None:
    tenant = giver.tenant
    made = [(await move(*pair, 1)).id for _ in range(3) for pair in ((giver, taker), (taker, giver))]
    mine = f"filter[accountId]={taker.id}&page[size]=2"

    by_number = [
        each["id"] for page in (1, 2, 3) for each in (await tenant.get(f"{PATH}?{mine}&page[number]={page}")).data
    ]
    by_cursor, following = [], (await tenant.get(f"{PATH}?{mine}"))
    while True:
        by_cursor += [each["id"] for each in following.data]
        if not following.body["meta"]["hasNextPage"]:
            break
        following = await tenant.get(f"{PATH}?{mine}&page[after]={by_cursor[-1]}")

    assert by_number == by_cursor == made[::-1]


@pytest.mark.parametrize("query", ["filter[status]=COMPLETED", "filter[correlationId]=", "filter[correlationId]=a%20b"])
async def test_a_filter_that_is_none_is_refused(tenant: Tenant, query: str) -> None:
    assert (await tenant.get(f"{PATH}?{query}")).status == 400


class Bound:
    """A token that reaches some accounts only."""

    def __init__(self, tenant: Tenant, *accounts: Account) -> None:
        self.world = tenant.world
        reach = frozenset(UUID(account.id) for account in accounts)
        self.caller = Caller(tenant.id, "bound", frozenset(Permission), accounts=reach)

    async def moves(self, giver: Account, taker: Account, attempt: Attempt | None = None) -> None:
        order = TransferOrder(UUID(giver.id), UUID(taker.id), Money(100), None, None)
        await service.create(self.world.bank, self.caller, order, attempt)

    async def lists(self, **query: Any) -> Found[InternalTransfer]:
        async with self.world.bank.db.reading() as tx:
            return await service.search(tx, self.caller, TransferQuery.model_validate(query))

    async def reads(self, made: Answered) -> InternalTransfer:
        async with self.world.bank.db.reading() as tx:
            return await service.get(tx, self.caller, UUID(made.id))


async def test_a_bound_token_moves_money_between_its_own_accounts_only(giver: Account, taker: Account) -> None:
    third = await giver.tenant.account()
    bound = Bound(giver.tenant, giver, taker)

    await bound.moves(giver, taker)

    for pair in ((giver, third), (third, giver)):
        with pytest.raises(NotFound):
            await bound.moves(*pair)
    assert await giver.available() == Decimal("99.00")


async def test_a_bound_token_is_not_told_what_another_one_was_answered(giver: Account, taker: Account) -> None:
    attempt = Attempt(giver.tenant.id, f"POST {PATH}", "key", b"")
    await Bound(giver.tenant, giver, taker).moves(giver, taker, attempt)

    with pytest.raises(NotFound):
        await Bound(giver.tenant, giver).moves(giver, taker, attempt)


async def test_a_bound_token_sees_what_its_accounts_gave_or_took(giver: Account, taker: Account) -> None:
    third = await giver.tenant.account()
    to_taker, to_third = await move(giver, taker, 2), await move(giver, third, 1)
    bound = Bound(giver.tenant, taker)

    found = await bound.lists()
    assert ([str(row.id) for row in found.rows], found.total) == ([to_taker.id], 1)
    assert (await bound.lists(**{"filter[accountId]": taker.id})).total == 1
    for beyond in (giver.id, third.id):
        assert (await bound.lists(**{"filter[accountId]": beyond})).total == 0
    assert str((await bound.reads(to_taker)).id) == to_taker.id
    with pytest.raises(NotFound):
        await bound.reads(to_third)
