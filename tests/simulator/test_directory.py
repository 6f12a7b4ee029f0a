"""The directory finds keys, registers ours, and makes lookups in vain expensive."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx
import pytest

from lastro.simulator.reject_codes import REJECT_CODES
from lastro.values.tax_id import TaxId
from simulator.world import COMPANY, OUR_ISPB, THEIR_ISPB, World, message, new_id, registration, running


def kind_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"]


def removal(ispb: str = OUR_ISPB, **changes: Any) -> dict[str, Any]:
    return {"requestId": str(uuid4()), "ispb": ispb, "reason": "USER_REQUESTED"} | changes


async def test_a_registered_key_is_found_by_another_participant(world: World) -> None:
    account = await world.open_account()
    key = await world.register(account, "EMAIL", f"{uuid4().hex}+a/b?c@exemplo.com.br")
    entry = (await world.find(key, ispb=THEIR_ISPB)).json()
    assert (entry["key"], entry["keyType"]) == (key, "EMAIL")
    assert entry["owner"] == {"type": "LEGAL_PERSON", "taxId": COMPANY, "name": "Empresa ABC Ltda"}
    assert {name: entry["account"][name] for name in ("ispb", "branch", "number", "type")} == {
        name: account[name] for name in ("ispb", "branch", "number", "type")
    }
    assert entry["createdAt"].endswith("Z")


async def test_a_key_of_the_asking_participant_can_not_be_queried(world: World) -> None:
    key = await world.register(await world.open_account())
    assert kind_of(await world.find(key)) == (400, "EntryCannotBeQueriedForBookTransfer")


@pytest.mark.parametrize("key", ["nobody@example.com", "x" * 78, "a\0b", "%", "a/delete"])
async def test_a_key_that_nobody_registered_is_not_found(world: World, key: str) -> None:
    assert kind_of(await world.find(key)) == (404, "NotFound")


@pytest.mark.parametrize("missing", ["PI-RequestingParticipant", "PI-PayerId", "PI-EndToEndId"])
async def test_all_three_headers_are_mandatory(world: World, missing: str) -> None:
    headers = {"PI-RequestingParticipant": OUR_ISPB, "PI-PayerId": COMPANY, "PI-EndToEndId": new_id()}
    headers.pop(missing)
    answer = await world.network.get("/dict/entries/nobody@example.com", headers=headers)
    assert kind_of(answer) == (400, "BadRequest")


@pytest.mark.parametrize("code", REJECT_CODES)
async def test_a_key_that_exists_to_be_rejected_is_found_at_another_bank(world: World, code: str) -> None:
    entry = (await world.find(f"{code.lower()}@rejeita.example")).json()
    assert entry["account"]["ispb"] != OUR_ISPB
    assert TaxId.parse(entry["owner"]["taxId"]).has_valid_check_digits


@pytest.mark.parametrize("key", ["xx99@rejeita.example", "AC03@rejeita.example", "ac03@rejeita.example.com"])
async def test_a_key_with_a_code_that_does_not_exist_is_not_found(world: World, key: str) -> None:
    assert kind_of(await world.find(key)) == (404, "NotFound")


async def test_a_key_that_exists_to_be_rejected_can_not_be_registered(world: World) -> None:
    answer = await world.try_register(await world.open_account(), "EMAIL", "ac03@rejeita.example")
    assert kind_of(answer) == (409, "EntryKeyOwnedByDifferentPerson")


async def test_a_registration_asked_for_twice_gives_one_key(world: World) -> None:
    body = registration(await world.open_account())
    first, second = await asyncio.gather(*(world.network.post("/dict/entries", json=body) for _ in range(2)))
    assert first.status_code == second.status_code == 201
    assert first.json() == second.json()


async def test_a_request_id_serves_one_registration(world: World) -> None:
    account = await world.open_account()
    body = registration(account)
    await world.network.post("/dict/entries", json=body)
    other = body | {"keyType": "EMAIL", "key": f"{uuid4().hex}@exemplo.com.br"}
    assert kind_of(await world.network.post("/dict/entries", json=other)) == (409, "RequestIdAlreadyUsed")


async def test_who_holds_a_key_decides_why_it_can_not_be_registered_again(world: World) -> None:
    ours, elsewhere = await world.open_account(), await world.open_account(ispb=THEIR_ISPB)
    stranger = await world.open_account(holder={"name": "João Silva", "taxId": "12345678909"})
    key = f"{uuid4().hex}@exemplo.com.br"
    await world.register(ours, "EMAIL", key)
    for account, why in (
        (ours, "EntryAlreadyExists"),
        (elsewhere, "EntryKeyInCustodyOfDifferentParticipant"),
        (stranger, "EntryKeyOwnedByDifferentPerson"),
    ):
        assert kind_of(await world.try_register(account, "EMAIL", key)) == (409, why)


@pytest.mark.parametrize(("tax_id", "most"), [("12345678909", 5), (COMPANY, 20)])
async def test_an_account_has_so_many_keys_and_no_more_even_at_once(world: World, tax_id: str, most: int) -> None:
    account = await world.open_account(holder={"name": "João Silva", "taxId": tax_id})
    answers = await asyncio.gather(*(world.try_register(account) for _ in range(most + 2)))
    assert sorted(answer.status_code for answer in answers) == [201] * most + [409, 409]
    assert {answer.json()["type"] for answer in answers if answer.status_code == 409} == {"EntryLimitExceeded"}


async def test_a_removed_key_is_gone_and_makes_room(world: World) -> None:
    account = await world.open_account(holder={"name": "João Silva", "taxId": "12345678909"})
    keys = [await world.register(account) for _ in range(5)]
    removed = await world.network.post(f"/dict/entries/{keys[0]}/delete", json=removal())
    assert removed.status_code == 200
    assert kind_of(await world.find(keys[0], ispb=THEIR_ISPB)) == (404, "NotFound")
    assert (await world.try_register(account)).status_code == 201


async def test_a_removal_that_arrives_twice_does_not_remove_the_next_registration(world: World) -> None:
    account = await world.open_account()
    key = await world.register(account, "EMAIL", f"{uuid4().hex}@exemplo.com.br")
    request = removal()
    await world.network.post(f"/dict/entries/{key}/delete", json=request)
    await world.register(account, "EMAIL", key)
    again = await world.network.post(f"/dict/entries/{key}/delete", json=request)
    assert again.status_code == 200
    assert (await world.find(key, ispb=THEIR_ISPB)).status_code == 200


async def test_a_registration_that_arrives_late_does_not_bring_a_removed_key_back(world: World) -> None:
    body = registration(await world.open_account())
    key = (await world.network.post("/dict/entries", json=body)).json()["key"]
    await world.network.post(f"/dict/entries/{key}/delete", json=removal())
    await world.network.post("/dict/entries", json=body)
    assert kind_of(await world.find(key, ispb=THEIR_ISPB)) == (404, "NotFound")


async def test_a_participant_removes_only_its_own_keys(world: World) -> None:
    key = await world.register(await world.open_account())
    answer = await world.network.post(f"/dict/entries/{key}/delete", json=removal(THEIR_ISPB))
    assert kind_of(answer) == (404, "NotFound")
    assert (await world.find(key, ispb=THEIR_ISPB)).status_code == 200


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("EVP", str(uuid4())),
        ("EMAIL", None),
        ("EMAIL", "UPPER@EXEMPLO.COM"),
        ("PHONE", "11987654321"),
        ("CPF", "12345678909"),
    ],
)
async def test_a_key_that_does_not_fit_its_type_or_owner_is_refused(world: World, kind: str, key: str | None) -> None:
    answer = await world.try_register(await world.open_account(), kind, key)
    assert answer.status_code == 400


async def test_nobody_enters_without_the_secret(world: World) -> None:
    for shown in (b"", b"Bearer wrong", "Bearer é".encode("latin-1")):
        for path in ("/dict/entries/x", "/spi/payments/x"):
            answer = await world.steering.get(f"{world.base}/network{path}", headers=[(b"Authorization", shown)])
            assert kind_of(answer) == (401, "Unauthorized")


async def test_searching_in_vain_empties_the_bucket_of_a_person(database_url: str) -> None:
    async with running(database_url, limit_lookups=True) as world:
        payer = "12345678909"
        answers = [await world.find(f"{n}@example.com", payer=payer) for n in range(6)]
        assert [answer.status_code for answer in answers] == [404] * 5 + [429]
        assert 0 < int(answers[-1].headers["Retry-After"]) <= 30
        assert (await world.find("1@example.com", payer="39053344705")).status_code == 404  # another payer's is full
        assert (await world.find("1@example.com")).status_code == 404  # and so is a company's


async def test_a_key_found_costs_one_and_the_payment_gives_it_back(database_url: str) -> None:
    async with running(database_url, limit_lookups=True) as world:
        payer, payee = await world.open_account(holder={"name": "Ana", "taxId": "12345678909"}), await world.somebody()
        for n in range(4):
            await world.find(f"{n}@example.com", payer="12345678909")  # 20 are left, and a little
        for _ in range(25):  # more than there were
            order = message(payer, payee)
            found = await world.find(payee["key"], payer="12345678909", e2e=order["endToEndId"])
            assert found.status_code == 200
            await world.settle(order)
            await world.settle(order)  # gives back nothing more
        assert (await world.find("x@example.com", payer="12345678909")).status_code == 404  # all 20 are there again
        assert (await world.find(payee["key"], payer="12345678909")).status_code == 429
