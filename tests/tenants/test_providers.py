"""A tenant adds its banks, changes them, makes one the default; secrets go in and never come out."""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from typing import Any, cast
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from build import Answered, Tenant, World
from lastro.auth.caller import Caller
from lastro.auth.permissions import Permission
from lastro.errors import Forbidden
from lastro.keyring import KeyRing
from lastro.providers import credentials
from lastro.providers.directory import Access, Adapter
from lastro.providers.features import Feature
from lastro.providers.models import ProviderRow
from lastro.providers.protocol import Provider
from lastro.tenants.providers import examination, service
from lastro.tenants.providers.order import NewProvider, Terms
from lastro.tenants.providers.resources import ProviderQuery
from lastro.values.bank_account import AccountType
from lastro.values.text import Invalid, Text

SECRET = "segredo-que-ninguem-ve"


class Vault:
    """An adapter with a key: it wants one, and knows a bad one when it sees it."""

    def __init__(self) -> None:
        self.asked: list[Access] = []

    def connect(self, access: Access) -> Any:
        self.asked.append(access)
        if access.credentials["apiKey"] == "ruim":
            raise Invalid(Text("Chave ruim.", "Bad key."))
        return object()


@pytest.fixture
def vault(world: World, monkeypatch: pytest.MonkeyPatch) -> Vault:
    made = Vault()
    adapter = Adapter(
        features=frozenset({Feature.PIX_SEND, Feature.PIX_RECEIVE}),
        account_types=frozenset({AccountType.PAYMENT}),
        connect=made.connect,
        needs=frozenset({"apiKey"}),
        takes=frozenset({"apiKey", "environment", "certificate"}),
        settings=frozenset({"wallet"}),
    )
    monkeypatch.setitem(world.bank.providers.adapters, "vault", adapter)
    return made


def wanted(**changes: Any) -> dict[str, Any]:
    return {"name": "Banco Novo", "code": uuid4().hex[:8], "ispb": "60701190"} | changes


def guarded(**changes: Any) -> dict[str, Any]:
    return wanted(adapter="vault", credentials={"apiKey": SECRET, "environment": "sandbox"}) | changes


async def add(tenant: Tenant, **changes: Any) -> Answered:
    return await tenant.post("/providers", "providers", wanted(**changes))


async def row_of(world: World, provider_id: str) -> ProviderRow:
    async with world.bank.db.transaction() as tx:
        return await tx.get_one(ProviderRow, UUID(provider_id))


async def test_a_provider_is_added_and_read_again(tenant: Tenant) -> None:
    made = await add(tenant, code="341", metadata={"nota": 1})

    assert made.status == 201
    assert made.data["type"] == "providers"
    assert made.attributes == {
        "name": "Banco Novo",
        "code": "341",
        "type": "FULL",
        "status": "ACTIVE",
        "ispb": "60701190",
        "adapter": "network",
        "isDefault": False,
        "supportedFeatures": [each for each in Feature if each is not Feature.PIX_QRCODE],
        "accountTypes": ["CHECKING", "SAVINGS", "PAYMENT"],
        "settings": {"strictDocuments": True, "hidesAccounts": False},
        "metadata": {"nota": 1},
        "createdAt": made.attributes["createdAt"],
        "updatedAt": made.attributes["createdAt"],
    }
    assert (await tenant.get(f"/providers/{made.id}")).body == made.body


async def test_providers_are_listed_and_filtered(tenant: Tenant) -> None:
    pix = await add(tenant, type="PIX", code="pix")
    asleep = await add(tenant, status="INACTIVE")

    async def ids(query: str) -> list[str]:
        return [each["id"] for each in (await tenant.get(f"/providers?{query}")).data]

    assert await ids("") == [asleep.id, pix.id, str(tenant.provider_id)]
    assert await ids("filter[type]=PIX") == [pix.id]
    assert await ids("filter[status]=INACTIVE") == [asleep.id]
    assert await ids("filter[code]=pix") == [pix.id]
    assert len(await ids("filter[adapter]=network")) == 3
    assert await ids("filter[adapter]=openpix") == []
    assert await ids(f"page[after]={pix.id}") == [str(tenant.provider_id)]
    assert (await tenant.get("/providers?filter[name]=x")).status == 400


@pytest.mark.parametrize(
    ("flaw", "pointer"),
    [
        ({"ispb": "99999999"}, "ispb"),
        ({"ispb": "6070119"}, "ispb"),
        ({"ispb": 60701190}, "ispb"),
        ({"adapter": "openpix2"}, "adapter"),
        ({"adapter": ""}, "adapter"),
        ({"name": " "}, "name"),
        ({"name": "x" * 141}, "name"),
        ({"code": "não"}, "code"),
        ({"code": None}, "code"),
        ({"type": "BANK"}, "type"),
        ({"status": "active"}, "status"),
        ({"accountTypes": []}, "accountTypes"),
        ({"accountTypes": ["CHECKING", "CHECKING"]}, "accountTypes"),
        ({"supportedFeatures": ["PIX"]}, "supportedFeatures/0"),
        ({"settings": {"strictDocuments": "yes"}}, "settings/strictDocuments"),
        ({"settings": {"baseUrl": "http://169.254.169.254/"}}, "settings/baseUrl"),
        ({"settings": {"other": 1}}, "settings/other"),
        ({"credentials": {"apiKey": "x"}}, "credentials/apiKey"),  # the network has the operator's
        ({"credentials": {"password": "x"}}, "credentials/password"),
        ({"credentials": {"certificate": "não é"}}, "credentials/certificate"),
        ({"credentials": {"environment": "prod"}}, "credentials/environment"),
        ({"isDefault": True}, "isDefault"),
        ({"house": "x"}, "house"),
        ({"metadata": []}, "metadata"),
    ],
)
async def test_what_makes_no_sense_is_told_with_its_place(tenant: Tenant, flaw: Any, pointer: str) -> None:
    refused = await add(tenant, **flaw)

    assert (refused.status, refused.pointers) == (400, [f"/data/attributes/{pointer}"])


@pytest.mark.parametrize(
    ("flaw", "pointer"),
    [({"supportedFeatures": ["PIX_SEND", "PIX_QRCODE"]}, "supportedFeatures/1")],
)
async def test_more_than_the_adapter_offers_is_unprocessable(tenant: Tenant, flaw: Any, pointer: str) -> None:
    refused = await add(tenant, **flaw)

    assert (refused.status, refused.pointers) == (422, [f"/data/attributes/{pointer}"])


async def test_a_code_is_one_providers_within_a_tenant(tenant: Tenant, stranger: Tenant) -> None:
    first = await add(tenant, code="237")
    twin = await add(tenant, code="237")
    assert (twin.status, twin.code, twin.pointers) == (409, "CONFLICT", ["/data/attributes/code"])
    assert (await add(stranger, code="237")).status == 201

    other = await add(tenant, code="238")
    renamed = await tenant.patch(f"/providers/{other.id}", "providers", {"code": "237"})
    assert (renamed.status, renamed.pointers) == (409, ["/data/attributes/code"])
    assert (await tenant.patch(f"/providers/{first.id}", "providers", {"code": "237"})).status == 200


async def test_a_repetition_gets_the_same_answer_and_adds_nothing(tenant: Tenant) -> None:
    body, headers = wanted(), {"idempotency-key": str(uuid4())}

    answers = await asyncio.gather(*(tenant.post("/providers", "providers", body, headers=headers) for _ in range(4)))

    assert {answer.status for answer in answers} == {201}
    assert len({answer.response.text for answer in answers}) == 1
    assert len((await tenant.get("/providers")).data) == 2


async def test_what_is_mentioned_changes_and_the_rest_stays(tenant: Tenant) -> None:
    made = await add(tenant, metadata={"a": 1}, supportedFeatures=["PIX_SEND", "KYC"], accountTypes=["PAYMENT"])
    path = f"/providers/{made.id}"

    changed = await tenant.patch(path, "providers", {"name": "Outro", "settings": {"hidesAccounts": True}})

    assert changed.status == 200
    assert changed.attributes == made.attributes | {
        "name": "Outro",
        "settings": {"strictDocuments": True, "hidesAccounts": True},
        "updatedAt": changed.attributes["updatedAt"],
    }
    assert changed.attributes["supportedFeatures"] == ["KYC", "PIX_SEND"]
    again = await tenant.patch(path, "providers", {"supportedFeatures": None, "accountTypes": None, "metadata": None})
    assert len(again.attributes["supportedFeatures"]) == len(Feature) - 1
    assert len(again.attributes["accountTypes"]) == 3
    assert again.attributes["metadata"] is None
    assert (await tenant.get(path)).body == again.body


@pytest.mark.parametrize("fixed", [{"ispb": "00000000"}, {"adapter": "network"}, {"isDefault": True}, {"id": "x"}])
async def test_what_never_changes_is_refused(tenant: Tenant, fixed: Any) -> None:
    refused = await tenant.patch(f"/providers/{tenant.provider_id}", "providers", fixed)

    assert (refused.status, refused.pointers) == (400, [f"/data/attributes/{next(iter(fixed))}"])


@pytest.mark.parametrize(
    "changes", [{}, {"name": None}, {"status": None}, {"code": None}, {"type": None}, {"accountTypes": []}]
)
async def test_a_change_that_makes_no_sense_changes_nothing(tenant: Tenant, changes: Any) -> None:
    path = f"/providers/{tenant.provider_id}"
    before = (await tenant.get(path)).body

    assert (await tenant.patch(path, "providers", changes)).status == 400
    assert (await tenant.get(path)).body == before


async def test_the_id_in_the_body_must_be_that_of_the_path(tenant: Tenant) -> None:
    body = {"data": {"type": "providers", "id": str(uuid4()), "attributes": {"name": "x"}}}

    refused = await tenant.call("PATCH", f"/providers/{tenant.provider_id}", body)

    assert (refused.status, refused.pointers) == (400, ["/data/id"])


# Credentials


async def test_credentials_are_sealed_and_never_shown(
    world: World, tenant: Tenant, vault: Vault, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    certificate = base64.b64encode(SECRET.encode()).decode()
    body = guarded(credentials={"apiKey": SECRET, "certificate": certificate}, settings={"wallet": "w-1"})
    headers = {"idempotency-key": str(uuid4())}

    made = await tenant.post("/providers", "providers", body, headers=headers)
    again = await tenant.post("/providers", "providers", body, headers=headers)
    read = await tenant.get(f"/providers/{made.id}")
    listed = await tenant.get("/providers")
    refused = await tenant.post("/providers", "providers", body)  # its code is taken
    unknown = await tenant.post("/providers", "providers", body | {"credentials": {"apiKey": SECRET, "x": SECRET}})

    assert (made.status, again.status, refused.status, unknown.status) == (201, 201, 409, 400)
    assert again.response.text == made.response.text
    out, err = capfd.readouterr()
    shown = [answer.response.text for answer in (made, read, listed, refused, unknown)]
    for told in (*shown, out, err, caplog.text):
        assert SECRET not in told
        assert certificate not in told
        assert "credentials" not in told or "/credentials/x" in told
    row = await row_of(world, made.id)
    assert SECRET.encode() not in (row.credentials or b"")
    assert credentials.opened(world.bank.key_ring, row) == {"apiKey": SECRET, "certificate": certificate}
    assert vault.asked[0] == Access(
        UUID(made.id),
        "60701190",
        {"strictDocuments": True, "hidesAccounts": False, "wallet": "w-1"},
        {"apiKey": SECRET, "certificate": certificate},
    )
    async with world.bank.db.transaction() as tx:
        query = text("SELECT body FROM idempotency WHERE key = :key")
        stored = (await tx.execute(query, {"key": headers["idempotency-key"]})).scalar_one()
    assert SECRET.encode() not in stored


async def test_an_adapter_that_keeps_no_common_book_makes_each_provider_a_house(
    world: World, tenant: Tenant, vault: Vault
) -> None:
    apart = await tenant.post("/providers", "providers", guarded())
    common = await add(tenant)

    assert vault.asked
    assert (await row_of(world, apart.id)).house == apart.id
    assert (await row_of(world, common.id)).house == "60701190"


async def test_an_adapter_says_which_credentials_it_needs_and_knows(tenant: Tenant, vault: Vault) -> None:
    lacking = await tenant.post("/providers", "providers", guarded(credentials=None))
    assert (lacking.status, lacking.pointers) == (400, ["/data/attributes/credentials/apiKey"])
    strange = await tenant.post("/providers", "providers", guarded(credentials={"apiKey": "x", "clientId": "y"}))
    assert (strange.status, strange.pointers) == (400, ["/data/attributes/credentials/clientId"])
    bad = await tenant.post("/providers", "providers", guarded(credentials={"apiKey": "ruim"}))
    assert (bad.status, bad.pointers) == (400, ["/data/attributes/credentials"])
    types = await tenant.post("/providers", "providers", guarded(accountTypes=["PAYMENT", "SAVINGS"]))
    assert (types.status, types.pointers) == (422, ["/data/attributes/accountTypes/1"])
    made = await tenant.post("/providers", "providers", guarded())
    assert made.attributes["accountTypes"] == ["PAYMENT"]
    assert made.attributes["supportedFeatures"] == ["PIX_SEND", "PIX_RECEIVE"]
    assert len(vault.asked) == 2, "what is refused for its shape is tried on no door"


async def test_new_credentials_take_the_place_of_the_old_and_others_stay(
    world: World, tenant: Tenant, vault: Vault
) -> None:
    made = await tenant.post("/providers", "providers", guarded())
    path = f"/providers/{made.id}"

    async def kept() -> Any:
        return credentials.opened(world.bank.key_ring, await row_of(world, made.id))

    await tenant.patch(path, "providers", {"name": "Outro"})
    assert await kept() == {"apiKey": SECRET, "environment": "sandbox"}
    await tenant.patch(path, "providers", {"credentials": {"apiKey": "nova"}})
    assert await kept() == {"apiKey": "nova"}
    nothing: Any
    for nothing in (None, {}):
        refused = await tenant.patch(path, "providers", {"credentials": nothing})
        assert (refused.status, refused.pointers) == (400, ["/data/attributes/credentials/apiKey"])
    refused = await tenant.patch(path, "providers", {"credentials": {"apiKey": "ruim"}})
    assert refused.status == 400
    assert await kept() == {"apiKey": "nova"}


async def test_credentials_that_nobody_needs_can_be_taken_back(
    world: World, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = Adapter(frozenset(Feature), frozenset(AccountType), lambda _access: cast("Provider", object()))
    monkeypatch.setitem(world.bank.providers.adapters, "vault", adapter)
    made = await tenant.post("/providers", "providers", guarded())
    assert (await row_of(world, made.id)).credentials is not None

    await tenant.patch(f"/providers/{made.id}", "providers", {"credentials": None})

    row = await row_of(world, made.id)
    assert (row.credentials, row.credentials_key_id) == (None, None)


async def test_credentials_under_a_lost_key_must_be_sent_again(world: World, tenant: Tenant, vault: Vault) -> None:
    made = await tenant.post("/providers", "providers", guarded())
    lost = KeyRing.parse(f"lost:{base64.b64encode(b'l' * 32).decode()}")
    sealed = credentials.seal(lost, UUID(made.id), {"apiKey": SECRET})
    async with world.bank.db.transaction() as tx:
        row = await tx.get_one(ProviderRow, UUID(made.id))
        row.credentials, row.credentials_key_id = sealed.ciphertext, sealed.key_id
    path = f"/providers/{made.id}"

    assert (await tenant.get(path)).status == 200
    assert (await tenant.patch(path, "providers", {"name": "Outro"})).status == 409
    tested = await tenant.post(f"{path}/test")
    assert (tested.status, tested.attributes["status"]) == (200, "FAILED")
    assert (await tenant.patch(path, "providers", {"credentials": {"apiKey": SECRET}})).status == 200
    assert (await tenant.patch(path, "providers", {"name": "Outro"})).status == 200


# The default, and the end


async def test_an_account_that_names_no_provider_opens_at_the_default_one(tenant: Tenant) -> None:
    nameless = {name: value for name, value in tenant.application().items() if name != "providerId"}
    refused = await tenant.post("/accounts", "accounts", nameless)
    assert (refused.status, refused.pointers) == (400, ["/data/attributes/providerId"])

    second = await add(tenant, settings={"strictDocuments": False})
    for provider_id in (str(tenant.provider_id), second.id):
        made = await tenant.post(f"/providers/{provider_id}/set-default")
        assert (made.status, made.attributes["isDefault"], made.id) == (200, True, provider_id)
        opened = await tenant.post("/accounts", "accounts", nameless)
        assert (opened.status, opened.attributes["providerId"]) == (201, provider_id)

    shown = {each["id"]: each["attributes"]["isDefault"] for each in (await tenant.get("/providers")).data}
    assert shown == {str(tenant.provider_id): False, second.id: True}
    named = await tenant.post("/accounts", "accounts", tenant.application())
    assert named.attributes["providerId"] == str(tenant.provider_id)


async def test_an_account_whose_default_changed_meanwhile_is_answered_what_it_was(tenant: Tenant) -> None:
    await tenant.post(f"/providers/{tenant.provider_id}/set-default")
    nameless = {name: value for name, value in tenant.application().items() if name != "providerId"}
    headers = {"idempotency-key": str(uuid4())}
    first = await tenant.post("/accounts", "accounts", nameless, headers=headers)
    await tenant.post(f"/providers/{(await add(tenant)).id}/set-default")
    await tenant.patch(f"/providers/{tenant.provider_id}", "providers", {"status": "SUSPENDED"})

    again = await tenant.post("/accounts", "accounts", nameless, headers=headers)

    assert (again.status, again.response.text) == (201, first.response.text)


async def test_only_an_active_provider_becomes_the_default(tenant: Tenant) -> None:
    for status in ("INACTIVE", "SUSPENDED"):
        made = await add(tenant, status=status)
        assert (await tenant.post(f"/providers/{made.id}/set-default")).status == 409


async def test_a_provider_without_accounts_goes(tenant: Tenant) -> None:
    made = await add(tenant)

    gone = await tenant.call("DELETE", f"/providers/{made.id}")

    assert (gone.status, gone.response.content) == (204, b"")
    assert (await tenant.get(f"/providers/{made.id}")).status == 404
    assert (await tenant.call("DELETE", f"/providers/{made.id}")).status == 404
    application = tenant.application(providerId=made.id)
    assert (await tenant.post("/accounts", "accounts", application)).status == 404


async def test_the_default_provider_and_one_with_accounts_stay(tenant: Tenant) -> None:
    made = await add(tenant)
    await tenant.post(f"/providers/{made.id}/set-default")
    assert (await tenant.call("DELETE", f"/providers/{made.id}")).status == 409
    account = await tenant.post("/accounts", "accounts", tenant.application())
    await tenant.post(f"/accounts/{account.id}/close")  # it stays in the books

    assert (await tenant.call("DELETE", f"/providers/{tenant.provider_id}")).status == 409
    assert len((await tenant.get("/providers")).data) == 2


async def test_a_provider_that_goes_while_an_account_opens_takes_none_with_it(tenant: Tenant) -> None:
    for _ in range(5):
        made = await add(tenant, settings={"strictDocuments": False})
        application = tenant.application(providerId=made.id)
        opened, gone = await asyncio.gather(
            tenant.post("/accounts", "accounts", application), tenant.call("DELETE", f"/providers/{made.id}")
        )
        assert (opened.status, gone.status) in {(201, 409), (404, 204)}


async def test_a_provider_that_goes_while_it_becomes_the_default_does_one_of_both(tenant: Tenant) -> None:
    for _ in range(5):
        made = await add(tenant)
        default, gone = await asyncio.gather(
            tenant.post(f"/providers/{made.id}/set-default"), tenant.call("DELETE", f"/providers/{made.id}")
        )
        assert (default.status, gone.status) in {(200, 409), (404, 204)}
        await tenant.post(f"/providers/{tenant.provider_id}/set-default")


# Whose they are


async def test_a_token_that_reaches_some_accounts_only_reaches_no_provider(world: World, tenant: Tenant) -> None:
    bank = world.bank
    bound = Caller(tenant.id, "bound", frozenset(Permission), accounts=frozenset({uuid4()}))
    order = NewProvider("60701190", "network", Terms("Banco", "1"))
    calls: list[Callable[[], Awaitable[Any]]] = [
        lambda: service.create(bank, bound, order, None),
        lambda: service.get(bank, bound, tenant.provider_id),
        lambda: service.search(bank, bound, ProviderQuery()),
        lambda: service.change(bank, bound, tenant.provider_id, {"name": "x"}),
        lambda: service.make_default(bank, bound, tenant.provider_id, None),
        lambda: service.remove(bank, bound, tenant.provider_id),
        lambda: examination.examine(bank, bound, tenant.provider_id),
    ]

    for call in calls:
        with pytest.raises(Forbidden):
            await call()


async def test_what_is_shown_is_what_openapi_describes(world: World) -> None:
    described = (await world.http.get("/openapi.json")).json()
    schemas = json.dumps(described["components"]["schemas"]["ProviderAttributes"])

    assert "credentials" not in schemas
