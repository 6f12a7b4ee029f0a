"""GET /accounts/:id/statement: every line that changed the balance, in order, with who stood on the other side."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest

from build import JOAO, Account, Tenant, reais, until
from lastro.errors import NotFound
from lastro.ledger import book
from lastro.ledger.movements import receive
from lastro.statements import service
from lastro.statements.lines import Direction, Wanted
from lastro.statements.origins import LineType
from lastro.values.money import Money
from lastro.wiring import Assembly
from pix.payments.test_inside import evp_of
from statements.ledger_book import NOON, LedgerBook, party


async def lines_of(account: Account, query: str = "") -> list[Any]:
    found = await account.tenant.get(f"/accounts/{account.id}/statement{query}")
    assert found.status == 200, found.body
    return list(found.data)


def facts(line: Any) -> tuple[str, str, Decimal, Decimal]:
    shown = line["attributes"]
    return shown["type"], shown["direction"], reais(shown["amount"]), reais(shown["balanceAfter"])


@dataclass
class Story:
    """An account to which everything happened that can, another of the tenant's, and one of a stranger at the bank."""

    account: Account
    sibling: Account
    neighbour: Account
    ids: dict[str, str]

    @classmethod
    async def told(cls, tenant: Tenant, stranger: Tenant) -> "Story":
        account, sibling, neighbour = await tenant.account(), await tenant.account(), await stranger.account()
        ids: dict[str, str] = {}
        await account.receives("100.00", description="Pedido 42")
        ids["received"] = (await tenant.get(f"/pix/transfers?filter[accountId]={account.id}")).data[0]["id"]
        paid = await account.pays(30.00, extra={"description": "Almoço", "correlationId": "ref-1"})
        ids["paid"] = paid.id
        done = await account.payment_becomes(paid.id, "COMPLETED")
        await tenant.world.simulate("POST", "/returns", {"endToEndId": done["e2eId"], "amount": 10.00})
        back = await tenant.post(
            f"/pix/transfers/{ids['received']}/refund", "pix-refunds", {"amount": 5.00, "reason": "Troco"}
        )
        ids["given back"] = back.id
        await until(lambda: is_refunded(tenant, back.id))
        inside = await account.pays(20.00, await evp_of(neighbour), "EVP")
        ids["inside"] = inside.id
        await account.payment_becomes(inside.id, "COMPLETED")
        (theirs,) = (await stranger.get("/pix/transfers")).data
        ids["theirs"] = theirs["id"]
        again = await stranger.post(f"/pix/transfers/{theirs['id']}/refund", "pix-refunds", {"amount": 8.00})
        await until(lambda: is_refunded(stranger, again.id))
        moved = await tenant.post(
            "/transfers/internal",
            "internal-transfers",
            {"accountId": account.id, "recipientAccountId": sibling.id, "amount": 1.50, "correlationId": "caixa-7"},
        )
        assert moved.status == 201, moved.body
        ids["moved"] = moved.id
        failed = await account.pays(1.00, "ac03@rejeita.example", "EMAIL")
        await account.payment_becomes(failed.id, "FAILED")
        return cls(account, sibling, neighbour, ids)


async def is_refunded(tenant: Tenant, refund_id: str) -> bool:
    return bool((await tenant.get(f"/pix/refunds/{refund_id}")).attributes["status"] == "COMPLETED")


@pytest.fixture(scope="module")
async def story(world: Any) -> Story:
    return await Story.told(await world.tenant("story"), await world.tenant("neighbour"))


async def test_it_tells_all_that_changed_the_balance_and_nothing_else(story: Story) -> None:
    assert [facts(line) for line in await lines_of(story.account)] == [
        ("PIX_RECEIVED", "CREDIT", Decimal("100.00"), Decimal("100.00")),
        ("PIX_SENT", "DEBIT", Decimal("30.00"), Decimal("70.00")),
        ("PIX_REFUND_RECEIVED", "CREDIT", Decimal("10.00"), Decimal("80.00")),
        ("PIX_REFUND_SENT", "DEBIT", Decimal("5.00"), Decimal("75.00")),
        ("PIX_SENT", "DEBIT", Decimal("20.00"), Decimal("55.00")),
        ("PIX_REFUND_RECEIVED", "CREDIT", Decimal("8.00"), Decimal("63.00")),
        ("TRANSFER_SENT", "DEBIT", Decimal("1.50"), Decimal("61.50")),
    ]
    assert await story.account.balance() == Decimal("61.50")


async def test_the_other_sides_see_theirs(story: Story) -> None:
    assert [facts(line) for line in await lines_of(story.sibling)] == [
        ("TRANSFER_RECEIVED", "CREDIT", Decimal("1.50"), Decimal("1.50"))
    ]
    assert [facts(line) for line in await lines_of(story.neighbour)] == [
        ("PIX_RECEIVED", "CREDIT", Decimal("20.00"), Decimal("20.00")),
        ("PIX_REFUND_SENT", "DEBIT", Decimal("8.00"), Decimal("12.00")),
    ]


async def test_each_line_leads_to_what_it_was(story: Story) -> None:
    found = [line["attributes"]["resource"] for line in await lines_of(story.account)]
    ids = story.ids
    assert found == [
        {"type": "pix-transfers", "id": ids["received"]},
        {"type": "pix-payments", "id": ids["paid"]},
        {"type": "pix-payments", "id": ids["paid"]},
        {"type": "pix-refunds", "id": ids["given back"]},
        {"type": "pix-payments", "id": ids["inside"]},
        {"type": "pix-payments", "id": ids["inside"]},
        {"type": "internal-transfers", "id": ids["moved"]},
    ]
    for each in found:
        path = each["type"].replace("pix-", "pix/").replace("internal-transfers", "transfers/internal")
        assert (await story.account.tenant.get(f"/{path}/{each['id']}")).status == 200


async def test_it_says_who_stood_on_the_other_side(story: Story) -> None:
    received, paid, returned, refunded, inside, back, moved = [
        line["attributes"] for line in await lines_of(story.account)
    ]
    transfer = (await story.account.tenant.get(f"/pix/transfers/{story.ids['received']}")).attributes
    for each in (received, refunded):  # who pays tells his document whole
        assert each["counterparty"]["document"] == transfer["payer"]["document"]
        assert each["counterparty"]["name"] == transfer["payer"]["name"]
    for each in (paid, returned):  # of who is paid, the directory shows a masked one
        assert each["counterparty"]["name"] == "João Silva"
        assert each["counterparty"]["document"] == f"***{JOAO[3:9]}**"
    assert inside["counterparty"] == back["counterparty"]
    assert inside["counterparty"]["name"] == "Loja de Teste Ltda"
    assert inside["counterparty"]["bankName"] == moved["counterparty"]["bankName"] == "Banco do Brasil"
    sibling = await story.sibling.attributes()
    assert moved["counterparty"]["document"] == sibling["holderDocument"]
    assert (received["description"], paid["description"], refunded["description"]) == ("Pedido 42", "Almoço", "Troco")
    assert (paid["correlationId"], moved["correlationId"], inside["correlationId"]) == ("ref-1", "caixa-7", None)
    assert received["e2eId"] == transfer["e2eId"]
    assert [each["e2eId"][0] for each in (paid, returned, refunded, inside, back)] == ["E", "D", "D", "E", "D"]
    assert moved["e2eId"] is None


async def test_meta_tells_the_balances_and_the_last_thirty_days(story: Story) -> None:
    bank = story.account.tenant.world.bank  # whose clock other tests have moved

    def today() -> date:
        return bank.now().astimezone(ZoneInfo("America/Sao_Paulo")).date()

    before = today()
    found = await story.account.tenant.get(f"/accounts/{story.account.id}/statement")
    if today() != before:  # midnight came between
        before, found = today(), await story.account.tenant.get(f"/accounts/{story.account.id}/statement")
    assert found.body["meta"] == {
        "accountId": story.account.id,
        "dateFrom": str(before - timedelta(days=29)),
        "dateTo": str(before),
        "openingBalance": 0.0,
        "closingBalance": 61.5,
        "itemsPerPage": 20,
        "hasNextPage": False,
    }


async def test_pages_hold_each_line_once_and_the_links_lead_through(story: Story) -> None:
    whole = [line["id"] for line in await lines_of(story.account)]
    path: str | None = f"/accounts/{story.account.id}/statement?page[size]=3"
    seen: list[str] = []
    while path is not None:
        found = await story.account.tenant.get(path)
        seen += [line["id"] for line in found.data]
        path = found.body["links"]["next"]
        assert found.body["meta"]["hasNextPage"] is (path is not None)
        assert found.body["meta"]["closingBalance"] == 61.5
        path = path and path.removeprefix("/baas/api/v1")
    assert seen == whole
    assert len(set(whole)) == 7


@pytest.mark.parametrize(
    ("query", "places"),
    [
        ("filter[direction]=CREDIT", [0, 2, 5]),
        ("filter[direction]=DEBIT", [1, 3, 4, 6]),
        ("filter[type]=PIX_SENT", [1, 4]),
        ("filter[type]=PIX_RECEIVED", [0]),
        ("filter[type]=PIX_REFUND_SENT", [3]),
        ("filter[type]=PIX_REFUND_RECEIVED", [2, 5]),
        ("filter[type]=TRANSFER_SENT", [6]),
        ("filter[type]=TRANSFER_RECEIVED", []),
        ("filter[type]=PIX_SENT&filter[direction]=CREDIT", []),
        ("filter[direction]=CREDIT&page[size]=1", [0]),
    ],
)
async def test_filters_leave_out_lines_and_change_no_balance(story: Story, query: str, places: list[int]) -> None:
    whole = await lines_of(story.account)
    assert await lines_of(story.account, f"?{query}") == [whole[place] for place in places]


async def test_a_transfer_received_can_be_filtered_for(story: Story) -> None:
    assert await lines_of(story.sibling, "?filter[type]=TRANSFER_RECEIVED") == await lines_of(story.sibling)
    assert await lines_of(story.sibling, "?filter[type]=PIX_REFUND_RECEIVED") == []


@pytest.mark.parametrize(
    ("query", "places"),
    [
        ("filter[dateFrom]=2026-02-30", ["filter[dateFrom]"]),
        ("filter[dateFrom]=ontem", ["filter[dateFrom]"]),
        ("filter[dateTo]=", ["filter[dateTo]"]),
        ("filter[dateFrom]=2026-03-02&filter[dateTo]=2026-03-01", ["filter[dateFrom]"]),
        ("filter[dateFrom]=2024-01-01&filter[dateTo]=2025-01-01", ["filter[dateFrom]"]),
        ("filter[dateFrom]=9000-01-01", ["filter[dateFrom]"]),
        ("filter[type]=PIX", ["filter[type]"]),
        ("filter[direction]=UP", ["filter[direction]"]),
        ("page[size]=0", ["page[size]"]),
        ("page[size]=101", ["page[size]"]),
        ("page[number]=2", ["page[number]"]),
        ("page[after]=1", ["page[after]"]),
        (f"page[after]={uuid4()}", ["page[after]"]),
        ("format=xml", ["format"]),
        ("format=CSV", ["format"]),
        ("format=csv&page[size]=10", ["page[size]"]),
        ("format=ofx&filter[type]=PIX_SENT&filter[direction]=DEBIT", ["filter[direction]", "filter[type]"]),
        ("nonsense=1", ["nonsense"]),
        ("format=csv&format=pdf", ["format"]),
    ],
)
async def test_what_makes_no_sense_is_told_where(story: Story, query: str, places: list[str]) -> None:
    found = await story.account.tenant.get(f"/accounts/{story.account.id}/statement?{query}")
    assert (found.status, found.code, found.pointers) == (400, "VALIDATION", places)


async def test_an_accept_that_nobody_can_satisfy_is_told(story: Story) -> None:
    path = f"/accounts/{story.account.id}/statement"
    found = await story.account.tenant.get(path, headers={"accept": "application/vnd.ms-excel"})
    assert (found.status, found.pointers) == (400, ["Accept"])


async def test_a_cursor_of_another_account_is_no_cursor(story: Story) -> None:
    other = (await lines_of(story.sibling))[0]["id"]
    found = await story.account.tenant.get(f"/accounts/{story.account.id}/statement?page[after]={other}")
    assert (found.status, found.pointers) == (400, ["page[after]"])


async def test_a_strangers_account_is_nobodys(story: Story, stranger: Tenant) -> None:
    for path in (story.account.id, str(uuid4())):
        for more in ("", "?format=csv", "?format=pdf"):
            assert (await stranger.get(f"/accounts/{path}/statement{more}")).status == 404


async def test_a_closed_account_can_be_read_for_ever_and_a_blocked_one_too(tenant: Tenant) -> None:
    account = await tenant.account(available="10.00")
    assert (await tenant.post(f"/accounts/{account.id}/block")).status == 200
    assert len(await lines_of(account)) == 1
    await tenant.post(f"/accounts/{account.id}/unblock")
    paid = await account.pays(10.00)
    await account.payment_becomes(paid.id, "COMPLETED")
    assert (await tenant.post(f"/accounts/{account.id}/close")).status == 200
    assert [facts(line)[3] for line in await lines_of(account)] == [Decimal("10.00"), Decimal("0.00")]


async def test_an_account_that_never_opened_has_an_empty_statement(tenant: Tenant) -> None:
    made = await tenant.post("/accounts", "accounts", tenant.application())
    path = f"/accounts/{made.id}/statement"
    assert (await tenant.get(path)).data == []
    assert (await tenant.get(f"{path}?format=csv")).status == 200
    assert (await tenant.get(f"{path}?format=pdf")).status == 200
    for each in ("ofx", "cnab240"):
        assert (await tenant.get(f"{path}?format={each}")).status == 409


# History written by hand


@pytest.fixture
async def ledger(quiet: Assembly) -> LedgerBook:
    return await LedgerBook.open(quiet)


async def page(ledger: LedgerBook, first: str, last: str, **more: Any) -> tuple[list[int], int, int]:
    """The amounts of a period, and its balances, in centavos."""
    of = await ledger.statement(first, last)
    async with ledger.assembly.bank.db.reading() as tx:
        found = await service.page(tx, of, after=None, size=100, wanted=more.get("wanted", Wanted()))
    amounts = [
        line.amount.centavos if line.direction is Direction.CREDIT else -line.amount.centavos for line in found.rows
    ]
    return amounts, of.span.opening.centavos, of.span.closing.centavos


async def test_a_day_begins_and_ends_at_midnight_in_sao_paulo(ledger: LedgerBook) -> None:
    midnight = datetime(2026, 3, 10, 3, tzinfo=UTC)
    microsecond = timedelta(microseconds=1)
    await ledger.receives(1, midnight - microsecond)
    await ledger.receives(2, midnight)
    await ledger.receives(4, midnight + timedelta(days=1) - microsecond)
    await ledger.receives(8, midnight + timedelta(days=1))

    assert await page(ledger, "2026-03-09", "2026-03-09") == ([1], 0, 1)
    assert await page(ledger, "2026-03-10", "2026-03-10") == ([2, 4], 1, 7)
    assert await page(ledger, "2026-03-11", "2026-03-11") == ([8], 7, 15)
    assert await page(ledger, "2026-03-09", "2026-03-11") == ([1, 2, 4, 8], 0, 15)


async def test_days_without_a_movement_open_and_close_alike(ledger: LedgerBook) -> None:
    await ledger.receives(500, NOON)
    await ledger.pays(200, NOON + timedelta(days=10))

    assert await page(ledger, "2026-03-01", "2026-03-09") == ([], 0, 0)
    assert await page(ledger, "2026-03-12", "2026-03-15") == ([], 500, 500)
    assert await page(ledger, "2026-04-01", "2026-04-02") == ([], 300, 300)


async def test_a_hold_is_no_line_and_changes_no_balance(ledger: LedgerBook) -> None:
    await ledger.receives(500, NOON)
    before = await ledger.statement("2026-03-10", "2026-03-10")
    async with ledger.assembly.bank.db.transaction() as tx:
        from lastro.ledger.movements import hold, release

        reference = uuid4()
        await book.post(tx, [hold(ledger.account_id, Money(100), reference)], posted_at=NOON)
        await book.post(tx, [release(ledger.account_id, Money(100), reference)], posted_at=NOON)

    assert await page(ledger, "2026-03-10", "2026-03-10") == ([500], 0, 500)
    after = await ledger.statement("2026-03-10", "2026-03-10")
    assert (before.span.last, after.span.last) == (1, 3)


async def test_what_arrives_meanwhile_changes_nothing(ledger: LedgerBook) -> None:
    for centavos in (1, 2, 4):
        await ledger.receives(centavos, NOON)
    of = await ledger.statement("2026-03-10", "2026-03-10")
    seen: list[int] = []

    async for piece in service.pieces(ledger.assembly.bank, of, size=2):
        seen += [line.amount.centavos for line in piece]
        await ledger.receives(100, NOON)

    assert seen == [1, 2, 4]
    assert of.span.closing.centavos == 7


async def test_a_token_that_is_bound_to_other_accounts_finds_nothing(ledger: LedgerBook) -> None:
    bound = replace(ledger.caller, accounts=frozenset({uuid4()}))
    reaching = replace(ledger.caller, accounts=frozenset({ledger.account_id}))
    async with ledger.assembly.bank.db.reading() as tx:
        with pytest.raises(NotFound):
            await service.holder(tx, bound, ledger.account_id)
        assert (await service.holder(tx, reaching, ledger.account_id)).account_id == ledger.account_id


async def test_pages_at_any_depth_are_found_by_the_key(ledger: LedgerBook) -> None:
    await ledger.fills(1_000, since=NOON - timedelta(days=1), step=timedelta(seconds=1))
    of = await ledger.statement("2026-03-01", "2026-03-31")
    seen: list[UUID] = []
    async with ledger.assembly.bank.db.reading() as tx:
        while True:
            found = await service.page(tx, of, after=seen[-1] if seen else None, size=100, wanted=Wanted())
            seen += [line.id for line in found.rows]
            if not found.has_next:
                break
    assert len(seen) == len(set(seen)) == 1_000


async def test_names_come_back_as_they_were(ledger: LedgerBook) -> None:
    name = 'Ação; "Irmãos" & Cia 🍞'
    await ledger.receives(1, payer=party(name), description="=1+1")
    of = await ledger.statement("2026-03-10", "2026-03-10")
    async with ledger.assembly.bank.db.reading() as tx:
        (line,) = (await service.page(tx, of, after=None, size=10, wanted=Wanted(type=LineType.PIX_RECEIVED))).rows
    assert line.origin.counterparty.name == name
    assert line.origin.description == "=1+1"


async def test_a_movement_that_nobody_explains_is_a_bug_and_not_a_line(ledger: LedgerBook) -> None:
    async with ledger.assembly.bank.db.transaction() as tx:
        await book.post(tx, [receive(ledger.account_id, Money(1), uuid4())], posted_at=NOON)
    with pytest.raises(KeyError):
        await page(ledger, "2026-03-10", "2026-03-10")
