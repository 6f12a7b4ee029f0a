"""Keys through the front door: what may be registered, how it is answered, found again and deleted."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from build import Account, Tenant, World, a_cnpj, a_cpf
from lastro import demo
from lastro.errors import Unavailable
from lastro.pix.keys import service
from lastro.values.text import Text
from pix.keys.customers import (
    a_phone,
    an_address,
    becomes,
    code_of,
    delete,
    in_the_directory,
    key,
    news,
    proven,
    register,
    type_code,
)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for a code that only the test types."""
    monkeypatch.setattr(service, "WAIT_SECONDS", 0.2)


async def document_of(account: Account) -> str:
    return str((await account.attributes())["holderDocument"])


async def test_an_evp_is_made_by_the_directory_while_one_waits(tenant: Tenant) -> None:
    account = await tenant.account()

    made = await register(account, "EVP")

    assert made.status == 201, made.body
    assert set(made.body) == {"data"}
    assert made.data["links"] == {"self": f"/baas/api/v1/pix/keys/{made.id}"}
    assert list(made.attributes) == ["accountId", "keyType", "keyValue", "status", "createdAt"]
    assert (made.attributes["keyType"], made.attributes["status"]) == ("EVP", "ACTIVE")
    assert str(UUID(made.attributes["keyValue"])) == made.attributes["keyValue"]
    assert await in_the_directory(tenant, made.attributes["keyValue"])
    assert (await tenant.get(f"/pix/keys/{made.id}")).body == made.body
    assert await news(tenant, made.id) == ["pix.key.registered"]


@pytest.mark.parametrize(("kind", "document"), [("CNPJ", a_cnpj), ("CPF", a_cpf), ("CNPJ", lambda: "12ABC34501DE35")])
async def test_the_holders_document_is_a_key_at_once(tenant: Tenant, kind: str, document: Any) -> None:
    account = await tenant.account(holderDocument=document(), holderDocumentType=kind)
    spelt = await document_of(account)

    made = await register(account, kind, spelt.lower())

    assert (made.status, made.attributes["status"]) == (201, "ACTIVE"), made.body
    assert made.attributes["keyValue"] == spelt.translate(str.maketrans("", "", ".-/"))
    assert await delete(tenant, made.id) == 204


async def test_somebody_elses_document_is_impossible(tenant: Tenant) -> None:
    account = await tenant.account()
    for kind, value in (("CNPJ", a_cnpj()), ("CPF", a_cpf())):
        refused = await register(account, kind, value)
        assert (refused.status, refused.code) == (422, "UNPROCESSABLE")
        assert refused.pointers == ["/data/attributes/keyValue"]


async def test_a_lax_provider_takes_a_wrong_check_digit_of_its_own_holder(tenant: Tenant) -> None:
    account = await tenant.account(holderDocument=f"9{uuid4().int % 10**10:010}", holderDocumentType="CPF")
    assert (await register(account, "CPF", await document_of(account))).status == 201


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("EMAIL", "ｆｉｎ@empresa.example"),  # full width
        ("EMAIL", "finаnceiro@empresa.example"),  # a Cyrillic a
        ("EMAIL", "fin@empresa.example\u200b"),
        ("EMAIL", "fin@\u202eelpmaxe.aserpme"),
        ("EMAIL", "fin@empresa.example\r\nbcc: x@y.z"),
        ("EMAIL", "a%b@empresa.example"),
        ("EMAIL", f"{'a' * 70}@empresa.example"),
        ("EMAIL", "no address"),
        ("EMAIL", "\u212aelvin@empresa.example"),  # the Kelvin sign, which lower() turns into a k
        ("PHONE", "+55１１987654321"),
        ("PHONE", "11987654321"),
        ("PHONE", "+0511987654321"),
        ("CPF", "١٢٣٤٥٦٧٨٩٠١"),
        ("CPF", "1234567890"),
        ("CNPJ", "12ABC34501DEXY"),
        ("CNPJ", "73592014000115\n"),
        ("EMAIL", 7),
        ("EMAIL", ""),
        ("EMAIL", None),
        ("CPF", None),
        ("EVP", "123e4567-e12b-12d1-a456-426655440000"),
        ("EVP", ""),
    ],
)
async def test_what_has_not_the_shape_of_its_type_is_malformed(own: Account, kind: str, value: Any) -> None:
    refused = await register(own, kind, value)

    assert (refused.status, refused.code) == (400, "VALIDATION")
    assert refused.pointers == ["/data/attributes/keyValue"]
    assert not isinstance(value, str) or not value or value not in refused.response.text


@pytest.fixture
async def own(tenant: Tenant) -> Account:
    return await tenant.account()


@pytest.mark.parametrize("body", [{"keyType": "RG"}, {"keyType": None}, {"accountId": "x"}, {"status": "ACTIVE"}])
async def test_what_nobody_agreed_on_is_malformed(own: Account, body: dict[str, Any]) -> None:
    attributes = {"accountId": own.id, "keyType": "EVP"} | body
    assert (await own.tenant.post("/pix/keys", "pix-keys", attributes)).status == 400


async def test_nobody_registers_for_an_account_that_is_not_his(own: Account, stranger: Tenant) -> None:
    answers = [
        await stranger.post("/pix/keys", "pix-keys", {"accountId": each, "keyType": "EVP"})
        for each in (own.id, str(uuid4()))
    ]
    assert {each.status for each in answers} == {404}
    assert {tuple(each.pointers) for each in answers} == {("/data/attributes/accountId",)}
    assert (await own.tenant.get("/pix/keys")).data == []


@pytest.mark.parametrize("step", ["block", "close"])
async def test_an_account_that_is_not_active_gets_no_key(own: Account, step: str) -> None:
    await own.tenant.post(f"/accounts/{own.id}/{step}")
    refused = await register(own, "EVP")
    assert (refused.status, refused.code) == (409, "CONFLICT")
    assert refused.body["message"] == "A conta não está ativa."


@pytest.mark.usefixtures("impatient")
async def test_a_key_is_one_accounts_at_a_time(own: Account, stranger: Tenant) -> None:
    address = an_address()
    done = await proven(own, "EMAIL", address)
    await becomes(own.tenant, done.id, "ACTIVE")
    theirs = await stranger.account()

    asked = await register(theirs, "EMAIL", f" {address.upper()} ")
    refused = await type_code(stranger, asked.id, await code_of(stranger, asked.id, address))
    again = await register(own, "EMAIL", address)

    # Who has not proven that the address is his learns nothing about other tenants' customers.
    assert (asked.status, asked.attributes["status"]) == (201, "PENDING")
    assert (refused.status, refused.code) == (409, "CONFLICT")
    assert refused.body["message"] == "Chave Pix já registrada em outra conta."
    assert (await key(stranger, asked.id))["status"] == "INACTIVE"
    assert (again.status, again.body["message"]) == (409, "Chave Pix já registrada nesta conta.")

    assert await delete(own.tenant, done.id) == 204
    await becomes_free(own.tenant, address)
    moved = await proven(theirs, "EMAIL", address)
    assert moved.status == 200
    await becomes(stranger, moved.id, "ACTIVE")


async def becomes_free(tenant: Tenant, value: str) -> None:
    async with asyncio.timeout(5):
        while True:
            async with tenant.world.bank.db.transaction() as tx:
                query = text("SELECT count(*) FROM key_holders WHERE key_value = :value")
                if not (await tx.execute(query, {"value": value})).scalar_one():
                    return
            await asyncio.sleep(0.02)


async def test_what_the_directory_refuses_is_a_conflict_with_its_reason(own: Account) -> None:
    # A key that exists at another bank, under the holder's own document.
    document = (await document_of(own)).translate(str.maketrans("", "", ".-/"))
    await at_another_bank(own.tenant, document, document)

    refused = await register(own, "CNPJ", document, headers={"idempotency-key": "k"})
    again = await register(own, "CNPJ", document, headers={"idempotency-key": "k"})

    assert (refused.status, refused.code) == (409, "CONFLICT")
    assert refused.body["details"]["reason"] == "EntryKeyInCustodyOfDifferentParticipant"
    assert "portabilidade" in refused.body["message"]
    assert (again.status, again.body["message"]) == (409, refused.body["message"])
    assert (await own.tenant.get("/pix/keys")).data == []
    (left,) = (await own.tenant.get("/pix/keys?filter[status]=INACTIVE")).data
    assert left["attributes"]["failureReason"].startswith("EntryKeyInCustodyOfDifferentParticipant: A chave Pix está")
    assert list(left["attributes"])[-1] == "failureReason"
    assert await news(own.tenant, left["id"]) == ["pix.key.refused"]
    assert await delete(own.tenant, left["id"]) == 404


async def at_another_bank(tenant: Tenant, value: str, document: str) -> None:
    """Somebody registers a CNPJ key at a bank that is not ours."""
    body = {
        "requestId": str(uuid4()),
        "keyType": "CNPJ",
        "key": value,
        "account": {"ispb": "60701190", "branch": "0001", "number": "123", "type": "CACC"},
        "owner": {"type": "LEGAL_PERSON", "taxId": document, "name": "Loja"},
    }
    secret = tenant.world.settings.network_secret.get_secret_value()
    response = await tenant.world.http.post(
        "/simulator/network/dict/entries", json=body, headers={"authorization": f"Bearer {secret}"}
    )
    assert response.status_code == 201, response.text


async def test_a_deleted_key_is_gone_at_once_and_cannot_be_deleted_twice(own: Account) -> None:
    made = await register(own, "EVP")

    gone = await own.tenant.call("DELETE", f"/pix/keys/{made.id}")

    assert (gone.status, gone.response.content) == (204, b"")
    assert "content-type" not in gone.response.headers
    assert (await key(own.tenant, made.id))["status"] == "INACTIVE"
    assert not await in_the_directory(own.tenant, made.attributes["keyValue"])
    assert (await own.tenant.get("/pix/keys")).data == []
    assert await delete(own.tenant, made.id) == 404
    assert await news(own.tenant, made.id) == ["pix.key.registered", "pix.key.removed"]


@pytest.mark.usefixtures("impatient")
async def test_a_key_that_waits_for_its_code_is_deleted_without_the_directory(own: Account) -> None:
    asked = await register(own, "PHONE", a_phone())
    assert await delete(own.tenant, asked.id) == 204
    assert (await key(own.tenant, asked.id))["status"] == "INACTIVE"
    assert await news(own.tenant, asked.id) == []


async def test_a_strangers_key_is_nobodys(own: Account, stranger: Tenant) -> None:
    made = await register(own, "EVP")
    assert (await stranger.get(f"/pix/keys/{made.id}")).status == 404
    assert await delete(stranger, made.id) == 404
    assert (await stranger.get(f"/pix/keys?filter[accountId]={own.id}")).data == []
    assert (await key(own.tenant, made.id))["status"] == "ACTIVE"


@pytest.mark.usefixtures("impatient")
async def test_keys_are_listed_newest_first_under_filters(own: Account) -> None:
    tenant = own.tenant
    evp = await register(own, "EVP")
    await becomes(tenant, evp.id, "ACTIVE")
    pending = await register(own, "EMAIL", an_address())
    other = await register(await tenant.account(), "EVP")
    gone = await register(own, "EVP")
    assert await delete(tenant, gone.id) == 204

    async def listed(query: str = "") -> list[str]:
        return [each["id"] for each in (await tenant.get(f"/pix/keys{query}")).data]

    assert await listed() == [other.id, pending.id, evp.id]
    assert await listed(f"?filter[accountId]={own.id}") == [pending.id, evp.id]
    assert await listed("?filter[keyType]=EVP") == [other.id, evp.id]
    assert await listed("?filter[status]=PENDING") == [pending.id]
    assert await listed("?filter[status]=INACTIVE") == [gone.id]
    page = await tenant.get("/pix/keys?page[size]=2&filter[keyType]=EVP")
    assert page.body["meta"]["totalItems"] == 2
    first = await tenant.get("/pix/keys?page[size]=1")
    assert first.body["links"]["next"].endswith("page[number]=2&page[size]=1")
    assert await listed(f"?page[size]=1&page[after]={other.id}") == [pending.id]
    assert (await tenant.get("/pix/keys?filter[status]=REMOVING")).status == 400
    assert (await tenant.get("/pix/keys?filter[keyValue]=x")).status == 400


async def test_a_repetition_gets_the_same_answer_and_no_second_key(own: Account) -> None:
    headers = {"idempotency-key": "once"}

    first, again = [await register(own, "EVP", headers=headers) for _ in range(2)]

    assert first.status == again.status == 201
    assert first.response.content == again.response.content
    assert again.response.headers["idempotency-replayed"] == "true"
    assert len((await own.tenant.get("/pix/keys")).data) == 1
    other = await register(own, "CNPJ", await document_of(own), headers=headers)
    assert (other.status, other.pointers) == (422, ["Idempotency-Key"])


async def test_twins_get_one_key(own: Account) -> None:
    headers = {"idempotency-key": "twins"}

    answers = await asyncio.gather(*(register(own, "EVP", headers=headers) for _ in range(8)))

    assert {each.status for each in answers} == {201}
    assert len({each.response.content for each in answers}) == 1
    assert len((await own.tenant.get("/pix/keys")).data) == 1


async def test_a_repetition_finds_what_was_never_answered(own: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    headers = {"idempotency-key": "crashed"}

    async def crash(*_: object) -> None:
        raise Unavailable(Text("", ""))

    with monkeypatch.context() as crashing:
        crashing.setattr(service, "_outcome", crash)
        assert (await register(own, "EVP", headers=headers)).status == 503

    again = await register(own, "EVP", headers=headers)

    assert (again.status, again.attributes["status"]) == (201, "ACTIVE")
    assert [each["id"] for each in (await own.tenant.get("/pix/keys")).data] == [again.id]


async def test_the_demo_account_has_the_documented_keys(world: World) -> None:
    household = Tenant(world, demo.TENANT, demo.PROVIDER, demo.TOKEN)
    ids = ("550e8400-e29b-41d4-a716-446655440310", "550e8400-e29b-41d4-a716-446655440311")
    held = [await key(household, each) for each in ids]
    assert [each["keyValue"] for each in held] == ["+5511987654321", "73592014000115"]
    assert held[1]["status"] == "ACTIVE"
