"""What `lastro dev` puts into an empty bank: two tenants, one account with money that really came over the network."""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from build import API, SIMULATOR, Tenant, World, a_cnpj, a_cpf
from lastro import demo
from lastro.errors import Unauthorized
from lastro.wiring import build

TRANSFER = "550e8400-e29b-41d4-a716-446655440300"


@pytest.fixture
def tenant_demo(world: World) -> Tenant:
    return Tenant(world, demo.TENANT, demo.PROVIDER, demo.TOKEN)


@pytest.fixture
def tenant_outra(world: World) -> Tenant:
    return Tenant(world, demo.OTHER_TENANT, demo.OTHER_PROVIDER, demo.OTHER_TOKEN)


async def rows(world: World, query: str, **parameters: Any) -> list[Any]:
    async with world.bank.db.transaction() as tx:
        return list((await tx.execute(text(query), parameters)).all())


async def received(world: World) -> list[Any]:
    """What the demo account got before any test sent it something: transfer, amount and what the ledger says."""
    return await rows(
        world,
        """
        SELECT t.id, t.e2e_id, t.amount_centavos, m.amount_centavos, m.seq, m.reason, m.available_after_centavos
          FROM pix_transfers t JOIN movements m ON m.account_id = t.account_id AND m.reference = t.id
         WHERE t.account_id = :account ORDER BY m.seq LIMIT 2
        """,
        account=demo.ACCOUNT,
    )


async def test_both_tokens_open_the_door(tenant_demo: Tenant, tenant_outra: Tenant) -> None:
    assert (demo.TOKEN, demo.OTHER_TOKEN) == ("SEU_TOKEN", "OUTRO_TOKEN")
    assert (await tenant_demo.get("/accounts")).status == 200
    assert (await tenant_outra.get("/accounts")).status == 200


async def test_only_lastro_dev_accepts_the_literal_tokens(world: World) -> None:
    production = build(world.settings)
    try:
        for token in (demo.TOKEN, demo.OTHER_TOKEN):
            with pytest.raises(Unauthorized):
                await production.bank.tokens.caller_of([f"Bearer {token}"])
    finally:
        await production.close()


async def test_the_other_tenant_sees_nothing_of_the_demo(tenant_demo: Tenant, tenant_outra: Tenant) -> None:
    paid = await tenant_demo.get("/pix/payments?page[size]=1")
    payments = [f"/pix/payments/{data['id']}" for data in paid.data]

    for path in (f"/accounts/{demo.ACCOUNT}", f"/pix/transfers/{TRANSFER}", *payments):
        assert (await tenant_demo.get(path)).status == 200
        assert (await tenant_outra.get(path)).status == 404
    seen = [account["id"] for account in (await tenant_outra.get("/accounts?page[size]=100")).data]
    assert str(demo.ACCOUNT) not in seen
    for path in ("/pix/transfers", "/pix/payments"):
        assert (await tenant_outra.get(f"{path}?filter[accountId]={demo.ACCOUNT}")).body["meta"]["totalItems"] == 0


async def test_the_other_tenant_can_use_its_own_provider_only(tenant_outra: Tenant) -> None:
    own = await tenant_outra.post("/accounts", "accounts", tenant_outra.application())
    foreign = await tenant_outra.post(
        "/accounts", "accounts", tenant_outra.application(providerId=str(demo.PROVIDER), holderDocument=a_cnpj())
    )

    assert own.status == 201
    assert foreign.status == 404


async def test_a_tenant_is_not_its_own_customer(world: World) -> None:
    found = await rows(
        world,
        "SELECT t.tax_id, a.holder_document FROM tenants t JOIN accounts a ON a.tenant_id = t.id WHERE a.id = :account",
        account=demo.ACCOUNT,
    )

    assert [tuple(row) for row in found] == [("11222333000181", "73592014000115")]


async def test_the_money_came_as_two_pix(world: World, tenant_demo: Tenant) -> None:
    first, second = await received(world)

    assert (first[2], second[2]) == (48_500_00, 1_500_00)
    assert [tuple(row[3:]) for row in (first, second)] == [
        (48_500_00, 1, "RECEIVE", 48_500_00),
        (1_500_00, 2, "RECEIVE", 50_000_00),
    ]
    transfer = await tenant_demo.get(f"/pix/transfers/{TRANSFER}")
    assert second[0] == UUID(TRANSFER) == UUID(transfer.id)
    assert transfer.attributes["amount"] == 1500.00
    assert transfer.attributes["accountId"] == str(demo.ACCOUNT)
    assert transfer.attributes["payer"]["name"] == "Maria Souza"


async def test_the_networks_book_holds_both(world: World) -> None:
    for transfer in await received(world):
        book = await world.simulate("GET", f"/book?endToEndId={transfer[1]}")

        (pix,) = book["payments"]
        assert (pix["kind"], pix["status"]) == ("RECEIVED", "ACSC")
        assert pix["accountId"] == str(demo.ACCOUNT)
        assert round(pix["amount"] * 100) == transfer[2]


async def test_seeding_again_changes_nothing(world: World) -> None:
    tables = ("tenants", "providers", "api_tokens", "accounts", "account_numbers", "pix_transfers", "inbox", "events")

    async def everything() -> tuple[list[Any], list[Any], Any]:
        counts = [(await rows(world, f"SELECT count(*) FROM {table}"))[0][0] for table in tables]
        query = "SELECT * FROM movements WHERE account_id = :account AND reason = 'RECEIVE' ORDER BY seq"
        book = await world.simulate("GET", f"/book?accountId={demo.ACCOUNT}")
        return counts, await rows(world, query, account=demo.ACCOUNT), book["totals"]["receivedSettled"]

    before = await everything()
    pepper = world.settings.token_pepper.get_secret_value().encode()
    await demo.seed(world.bank, pepper, f"{str(world.http.base_url).rstrip('/')}{SIMULATOR}")

    assert await everything() == before


def wrong(document: str) -> str:
    """The document with another last digit."""
    return f"{document[:-1]}{(int(document[-1]) + 1) % 10}"


@pytest.mark.parametrize(
    ("document", "kind"), [(wrong(a_cnpj()), "CNPJ"), (wrong(a_cpf()), "CPF"), (f"ABC{a_cnpj()[3:12]}99", "CNPJ")]
)
async def test_the_provider_is_lenient_about_check_digits(tenant_demo: Tenant, document: str, kind: str) -> None:
    application = tenant_demo.application(holderDocument=document, holderDocumentType=kind)

    made = await tenant_demo.post("/accounts", "accounts", application)

    assert made.status == 201, made.body


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        ("12.345.678/0001-9", "CNPJ"),
        ("12.345.678/0001-901", "CNPJ"),
        ("12.345.678/0001-9A", "CNPJ"),
        ("123.456.789-0A", "CPF"),
        ("ABCDEFGHIJK", "CPF"),
        ("1234567890", "CPF"),
        ("123456789012", "CPF"),
        ("12345678901", "CNPJ"),
        ("12345678000190", "CPF"),
        ("123 456 789 01", "CPF"),
        ("", "CPF"),
    ],
)
async def test_and_about_nothing_else(tenant_demo: Tenant, document: str, kind: str) -> None:
    application = tenant_demo.application(holderDocument=document, holderDocumentType=kind)

    refused = await tenant_demo.post("/accounts", "accounts", application)

    assert refused.status == 400, refused.body
    assert refused.code == "VALIDATION"
    assert refused.pointers == ["/data/attributes/holderDocument"]


@pytest.mark.parametrize("token", ["seu_token", "SEU_TOKEN2", "SEU", "OUTRO TOKEN"])
async def test_no_other_word_is_a_token(world: World, token: str) -> None:
    answered = await world.http.get(f"{API}/accounts", headers={"authorization": f"Bearer {token}"})

    assert answered.status_code == 401
