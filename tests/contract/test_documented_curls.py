"""The documentation's requests, replayed against the demo: its status, every key it prints, each with its JSON type.

`curls.sh` holds the commands as printed, one JSON file each holds the request and the answer. Where the documentation
prints no answer (`"printed": false`), the answer is the one it prints of the same resource elsewhere.
"""

import asyncio
import json
import shlex
import shutil
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from build import TINY_PICTURE, Account, Answered, Tenant, World, a_cnpj, until
from lastro import demo

HERE = Path(__file__).parent
HOST = "https://baas.stg.catalisa.app"
NAMES = (
    "create_account",
    "list_accounts",
    "get_account",
    "change_account",
    "close_account",
    "send_payment",
    "list_payments",
    "look_up_key",
    "register_key",
    "list_keys",
    "delete_key",
    "make_qrcode",
    "decode_qrcode",
    "send_kyc",
    "get_kyc",
    "refund",
)
# What an answer may hold beside what the documentation prints.
EXTRAS = {
    "data.attributes.availableBalance",
    "data.attributes.returnedAmount",
    "data.attributes.correlationId",
    "data.attributes.metadata",
    "data.attributes.e2eId",
    "data.attributes.txid",
    "data.attributes.status",
    "data.attributes.automaticPix",
    "data.attributes.recipient.verified",
    "data.attributes.reviewNote",
    "data.attributes.accountId",
    "data.attributes.completedAt",
    "data.attributes.failureReason",
    "data.attributes.documents.reviewedAt",
    "meta.hasNextPage",
    "meta.hasPreviousPage",
    "links.first",
    "links.prev",
    "links.next",
    "links.last",
}


@dataclass(frozen=True)
class Sample:
    """One documented request and its documented answer."""

    method: str
    path: str
    body: Any
    status: int
    answer: Any


def sample(name: str) -> Sample:
    text = json.loads((HERE / f"{name}.json").read_text("utf-8"))
    return Sample(**text["request"], status=text["status"], answer=text["answer"])


def printed_commands() -> Mapping[str, list[str]]:
    """Each command of curls.sh as the words that a shell would make of it."""
    blocks = (HERE / "curls.sh").read_text("utf-8").split("\n# ")[1:]
    named = (block.split("\n", 1) for block in blocks)
    return {name.strip(): shlex.split(command.replace("\\\n", " ")) for name, command in named}


def shape(answer: Any, path: str = "") -> dict[str, str]:
    """Where which JSON type stands; all items of a list together."""
    match answer:
        case dict():
            inner = [shape(child, f"{path}.{name}".lstrip(".")) for name, child in answer.items()]
            return {where: kind for each in inner for where, kind in each.items()} | ({path: "object"} if path else {})
        case list():
            return {path: "array"} | {where: kind for each in answer for where, kind in shape(each, path).items()}
        case bool():
            return {path: "boolean"}
        case int() | float():
            return {path: "number"}
        case str():
            return {path: "string"}
    return {path: "null"}


def assert_as_documented(answered: httpx.Response, wanted: Sample, *, status: int | None = None) -> None:
    assert answered.status_code == (status or wanted.status), answered.text
    assert answered.headers["content-type"] == "application/json"
    documented, found = shape(wanted.answer), shape(answered.json())
    assert {where: found.get(where) for where in documented} == documented
    assert {where for where in set(found) - set(documented) if not where.startswith("data.attributes.metadata.")} <= (
        EXTRAS
    )


@pytest.fixture
def tenant_demo(world: World) -> Tenant:
    return Tenant(world, demo.TENANT, demo.PROVIDER, demo.TOKEN)


@pytest.fixture
async def no_account_of_the_sample(tenant_demo: Tenant) -> AsyncIterator[None]:
    """Whatever a test opened for the documented holder is closed after it, so that each starts like a new demo."""
    yield
    listed = await tenant_demo.get("/accounts?page[size]=100")
    for data in listed.data:
        open_one = data["attributes"]["status"] != "CLOSED"
        if open_one and data["attributes"]["holderDocument"] == "12.345.678/0001-90":
            account = Account(tenant_demo, data["id"])
            await account.is_approved()
            await until(lambda account=account: account.has_status("ACTIVE"))  # type: ignore[misc]
            assert (await tenant_demo.post(f"/accounts/{data['id']}/close")).status == 200


@pytest.fixture
async def no_key_of_the_sample(tenant_demo: Tenant) -> AsyncIterator[None]:
    """The documented e-mail is nobody's key, before and after."""
    address = sample("register_key").body["data"]["attributes"]["keyValue"]

    async def forget() -> None:
        for data in (await tenant_demo.get("/pix/keys?filter[keyType]=EMAIL&page[size]=100")).data:
            if data["attributes"]["keyValue"] == address:
                assert (await tenant_demo.call("DELETE", f"/pix/keys/{data['id']}")).status == 204

    await forget()
    yield
    await forget()


async def replay(tenant: Tenant, wanted: Sample) -> httpx.Response:
    return await tenant.world.http.request(
        wanted.method, wanted.path, json=wanted.body, headers={"authorization": f"Bearer {tenant.token}"}
    )


async def run_curl(world: World, words: list[str]) -> tuple[int, Any]:
    """The printed command with another host. `-g` lets its brackets be; the rest only makes the answer readable."""
    local = [word.replace(HOST, str(world.http.base_url).rstrip("/")) for word in words]
    local[1:1] = ["-g", "--silent", "--show-error", "--noproxy", "*", "--write-out", "\n%{http_code}"]
    process = await asyncio.create_subprocess_exec(
        *local, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    stdout, stderr = await process.communicate()
    assert process.returncode == 0, stderr
    body, _, status = stdout.decode().rpartition("\n")
    return int(status), json.loads(body) if body else None


def test_there_is_a_command_and_a_sample_of_each_request() -> None:
    assert set(printed_commands()) == set(NAMES) == {path.stem for path in HERE.glob("*.json")}


@pytest.mark.parametrize("name", NAMES)
def test_the_command_and_the_sample_say_the_same(name: str) -> None:
    words, wanted = printed_commands()[name], sample(name)

    assert words[0] == "curl"
    assert f"{HOST}{wanted.path}" in words
    assert "Authorization: Bearer SEU_TOKEN" in words
    body = json.loads(words[words.index("-d") + 1]) if "-d" in words else None
    assert body == wanted.body
    method = words[words.index("-X") + 1] if "-X" in words else "GET"
    assert method == wanted.method


@pytest.mark.usefixtures("no_account_of_the_sample")
async def test_an_account_opens_once_for_a_document(tenant_demo: Tenant) -> None:
    wanted = sample("create_account")

    first = await replay(tenant_demo, wanted)
    second = await replay(tenant_demo, wanted)

    assert_as_documented(first, wanted)
    sent, attributes = wanted.body["data"]["attributes"], first.json()["data"]["attributes"]
    assert {name: attributes[name] for name in sent} == sent
    assert attributes["status"] == "PENDING"
    assert first.json()["data"]["links"]["self"] == f"/baas/api/v1/accounts/{first.json()['data']['id']}"
    assert second.status_code == 409
    assert second.json()["code"] == "CONFLICT"


async def test_the_active_accounts_are_listed(tenant_demo: Tenant) -> None:
    wanted = sample("list_accounts")

    answered = await replay(tenant_demo, wanted)

    assert_as_documented(answered, wanted)
    assert {data["attributes"]["status"] for data in answered.json()["data"]} == {"ACTIVE"}
    assert answered.json()["meta"]["itemsPerPage"] == 10


async def test_the_account_is_read(tenant_demo: Tenant) -> None:
    wanted = sample("get_account")

    answered = await replay(tenant_demo, wanted)

    assert_as_documented(answered, wanted)
    attributes = answered.json()["data"]["attributes"]
    assert (attributes["branch"], attributes["accountNumber"]) == ("0001", "12345-6")
    assert attributes["holderDocument"] == "73.592.014/0001-15"


async def test_the_account_takes_metadata(tenant_demo: Tenant) -> None:
    wanted = sample("change_account")

    answered = await replay(tenant_demo, wanted)

    assert_as_documented(answered, wanted)
    assert answered.json()["data"]["attributes"]["metadata"] == {"costCenter": "CC-001"}


async def test_an_account_with_money_does_not_close(tenant_demo: Tenant) -> None:
    answered = await replay(tenant_demo, sample("close_account"))

    assert answered.status_code == 409
    assert answered.json()["code"] == "CONFLICT"


async def test_an_empty_account_closes(tenant_demo: Tenant) -> None:
    wanted = sample("close_account")
    account = await tenant_demo.account(holderDocument=a_cnpj())

    closed = await tenant_demo.post(f"/accounts/{account.id}/close")

    assert_as_documented(closed.response, wanted)
    assert set(shape(closed.body)) == set(shape(wanted.answer))
    assert closed.id == account.id
    assert (closed.attributes["status"], closed.attributes["balance"]) == ("CLOSED", 0)


async def test_the_sample_payment_is_taken_and_completes_by_itself(tenant_demo: Tenant) -> None:
    wanted = sample("send_payment")
    account = Account(tenant_demo, str(demo.ACCOUNT))

    taken = Answered(await replay(tenant_demo, wanted))

    assert_as_documented(taken.response, wanted)
    sent = wanted.body["data"]["attributes"]
    assert {name: taken.attributes[name] for name in sent} == sent
    assert taken.attributes["status"] == "PROCESSING"
    done = await account.payment_becomes(taken.id, "COMPLETED", seconds=5)
    assert done["e2eId"] == taken.attributes["e2eId"]
    assert done["externalRef"]
    assert done["completedAt"]


async def test_the_completed_payments_of_an_account_are_listed(tenant_demo: Tenant) -> None:
    account = Account(tenant_demo, str(demo.ACCOUNT))
    paid = await account.pays(0.01)
    await account.payment_becomes(paid.id, "COMPLETED")
    wanted = sample("list_payments")

    answered = await replay(tenant_demo, wanted)

    assert_as_documented(answered, wanted)
    body = answered.json()
    assert {data["attributes"]["status"] for data in body["data"]} == {"COMPLETED"}
    assert {data["attributes"]["accountId"] for data in body["data"]} == {str(demo.ACCOUNT)}
    assert paid.id in [data["id"] for data in body["data"]]


async def test_the_received_pix_of_the_sample_is_given_back(tenant_demo: Tenant) -> None:
    wanted = sample("refund")

    answered = await replay(tenant_demo, wanted)

    assert_as_documented(answered, wanted)
    attributes = answered.json()["data"]["attributes"]
    fixed = ("transferId", "amount", "status", "reason")
    assert {name: attributes[name] for name in fixed} == {
        name: wanted.answer["data"]["attributes"][name] for name in fixed
    }

    async def settled() -> bool:
        shown = await tenant_demo.get(f"/pix/refunds/{answered.json()['data']['id']}")
        return bool(shown.attributes["status"] == "COMPLETED")

    await until(settled)


async def test_the_key_of_the_sample_is_found(tenant_demo: Tenant) -> None:
    wanted = sample("look_up_key")

    answered = await replay(tenant_demo, wanted)

    assert_as_documented(answered, wanted)
    documented = wanted.answer["data"]
    assert answered.json() == {"data": documented | {"attributes": documented["attributes"] | {"e2eId": None}}}


@pytest.mark.usefixtures("no_key_of_the_sample")
async def test_a_key_is_registered_and_its_code_typed_by_its_owner(tenant_demo: Tenant) -> None:
    wanted = sample("register_key")

    first = await replay(tenant_demo, wanted)
    second = await replay(tenant_demo, wanted)

    assert_as_documented(first, wanted)
    assert set(shape(first.json())) == set(shape(wanted.answer))
    attributes = first.json()["data"]["attributes"]
    assert attributes | {"createdAt": ""} == wanted.answer["data"]["attributes"] | {"createdAt": ""}
    assert first.json()["data"]["links"]["self"] == f"/baas/api/v1/pix/keys/{first.json()['data']['id']}"
    assert (second.status_code, second.json()["code"]) == (409, "CONFLICT")


async def test_the_keys_of_an_account_are_listed(tenant_demo: Tenant) -> None:
    wanted = sample("list_keys")

    answered = await replay(tenant_demo, wanted)

    assert_as_documented(answered, wanted)
    assert "73592014000115" in [data["attributes"]["keyValue"] for data in answered.json()["data"]]


async def test_a_key_is_deleted_without_a_word(tenant_demo: Tenant) -> None:
    made = await tenant_demo.post("/pix/keys", "pix-keys", {"accountId": str(demo.ACCOUNT), "keyType": "EVP"})

    gone = await tenant_demo.call("DELETE", f"/pix/keys/{made.id}")

    assert (gone.status, gone.response.content) == (sample("delete_key").status, b"")


async def test_the_qr_code_of_the_sample_is_made_and_read_again(tenant_demo: Tenant) -> None:
    wanted, reading = sample("make_qrcode"), sample("decode_qrcode")

    made = await replay(tenant_demo, wanted)
    text = made.json()["data"]["attributes"]["qrCodeText"]
    read = await tenant_demo.post("/pix/qr-codes/decode", "pix-qrcode-decode", {"qrCodeText": text})

    assert_as_documented(made, wanted)
    assert_as_documented(read.response, reading)
    said, documented = read.attributes, reading.answer["data"]["attributes"]
    assert {name: said[name] for name in ("type", "amount", "description")} == {
        name: documented[name] for name in ("type", "amount", "description")
    }
    assert said["recipient"]["name"] == documented["recipient"]["name"]
    lifetime = datetime.fromisoformat(said["expiresAt"]) - datetime.fromisoformat(said["createdAt"])
    assert lifetime == timedelta(minutes=30)


async def test_the_truncated_qr_code_of_the_documentation_is_refused_as_such(tenant_demo: Tenant) -> None:
    answered = Answered(await replay(tenant_demo, sample("decode_qrcode")))

    assert (answered.status, answered.code) == (422, "INVALID_QRCODE")
    assert answered.pointers == ["/data/attributes/qrCodeText"]


async def test_the_documents_of_the_sample_are_approved(tenant_demo: Tenant) -> None:
    """With pictures in place of the dots: what the documentation prints is no base64."""
    wanted = sample("send_kyc")
    for each in wanted.body["data"]["attributes"]["documents"]:
        each |= {name: TINY_PICTURE for name in ("front", "back") if name in each}
    started = (await tenant_demo.get(f"/accounts/{demo.ACCOUNT}/kyc")).attributes
    assert started["status"] == "REQUIRES_UPDATE"
    for word in ("RG", "SELFIE", "PROOF_OF_ADDRESS"):
        assert word in started["reviewNote"]
    assert "ARTICLES_OF_INCORPORATION" not in started["reviewNote"]

    sent = await replay(tenant_demo, wanted)

    assert_as_documented(sent, wanted)
    assert sent.json()["data"]["id"] == wanted.answer["data"]["id"] == str(demo.KYC_FILE)
    assert sent.json()["data"]["attributes"]["status"] == "PENDING"
    account = Account(tenant_demo, str(demo.ACCOUNT))

    async def approved() -> bool:
        return bool((await account.kyc())["status"] == "APPROVED")

    await until(approved)
    read = await replay(tenant_demo, sample("get_kyc"))
    assert_as_documented(read, sample("get_kyc"))
    assert {each["status"] for each in read.json()["data"]["attributes"]["documents"]} == {"APPROVED"}
    assert (await replay(tenant_demo, wanted)).status_code == 409


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.usefixtures("no_account_of_the_sample", "no_key_of_the_sample")
async def test_every_printed_command_runs(world: World, tenant_demo: Tenant) -> None:
    key = (await tenant_demo.get(sample("delete_key").path.removeprefix("/baas/api/v1"))).attributes
    ran = {name: await run_curl(world, words) for name, words in printed_commands().items()}
    again, _ = await run_curl(world, printed_commands()["create_account"])

    statuses = {name: status for name, (status, _) in ran.items()}
    # Closing runs too: what it answers is that the demo account holds money. The code to read is printed with dots;
    # three dots are no picture, and an approved file wants none. The documented key can be deleted once in a demo.
    assert statuses.pop("send_kyc") in {409, 422}
    otherwise = {"close_account": 409, "decode_qrcode": 422} | (
        {} if key["status"] == "ACTIVE" else {"delete_key": 404}
    )
    assert statuses == {name: sample(name).status for name in set(NAMES) - {"send_kyc"}} | otherwise
    assert again == 409
    assert ran["register_key"][1]["data"]["attributes"]["status"] == "ACTIVE"
    assert ran["delete_key"][1] is None or key["status"] == "INACTIVE"
    payment_id = ran["send_payment"][1]["data"]["id"]
    await Account(tenant_demo, str(demo.ACCOUNT)).payment_becomes(payment_id, "COMPLETED")
