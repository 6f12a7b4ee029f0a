"""The code that proves possession: six digits that only the bank and the owner of the address know."""

import asyncio
import logging
from collections import Counter
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from build import Tenant, World
from lastro.errors import Unavailable
from lastro.pix.keys import service
from lastro.pix.keys.possession import code_of as code_for
from lastro.pix.keys.possession import proves
from lastro.values.text import Text
from pix.keys.customers import (
    a_phone,
    an_address,
    becomes,
    code_of,
    delete,
    in_the_directory,
    key,
    messages,
    news,
    proven,
    register,
    type_code,
)

SECRET = b"a secret of the bank"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for a code that only the test types."""
    monkeypatch.setattr(service, "WAIT_SECONDS", 0.3)


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06}"


async def expire(world: World, key_id: str) -> None:
    async with world.bank.db.transaction() as tx:
        await tx.execute(
            text("UPDATE pix_keys SET code_expires_at = :now WHERE id = :id"), {"now": world.bank.now(), "id": key_id}
        )


def test_a_code_follows_from_the_key_and_the_secret() -> None:
    key_id = UUID("0190a0a0-0000-7000-8000-000000000000")
    assert code_for(key_id, SECRET) == code_for(key_id, SECRET)
    assert proves(code_for(key_id, SECRET), key_id, SECRET)
    assert not proves(wrong(code_for(key_id, SECRET)), key_id, SECRET)
    assert len({code_for(key_id, secret) for secret in (SECRET, b"x", b"y", b"z")}) == 4


def test_codes_have_six_digits_and_favour_none() -> None:
    codes = [code_for(uuid4(), SECRET) for _ in range(3000)]
    assert all(len(code) == 6 and code.isascii() and code.isdecimal() for code in codes)
    first = Counter(code[0] for code in codes)
    assert len(first) == 10
    assert max(first.values()) < 2 * min(first.values())


@pytest.mark.parametrize(("kind", "channel"), [("EMAIL", "EMAIL"), ("PHONE", "SMS")])
async def test_a_code_makes_a_pending_key_active(tenant: Tenant, kind: str, channel: str) -> None:
    account = await tenant.account()
    value = an_address() if kind == "EMAIL" else a_phone()
    asked = await register(account, kind, value)
    assert (asked.status, asked.attributes["status"]) == (201, "PENDING")
    code = await code_of(tenant, asked.id, value)
    (message,) = await messages(tenant, value)
    assert (message["channel"], message["to"]) == (channel, value)
    assert not await in_the_directory(tenant, value)

    confirmed = await type_code(tenant, asked.id, code)

    assert confirmed.status == 200, confirmed.body
    assert confirmed.attributes == asked.attributes | {"status": confirmed.attributes["status"]}
    await becomes(tenant, asked.id, "ACTIVE")
    assert await in_the_directory(tenant, value)
    assert await news(tenant, asked.id) == ["pix.key.registered"]


async def test_the_code_is_told_to_its_owner_alone(
    tenant: Tenant, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    account, address = await tenant.account(), an_address()
    asked = await register(account, "EMAIL", address)
    code = await code_of(tenant, asked.id, address)
    refused = await type_code(tenant, asked.id, wrong(code))
    confirmed = await type_code(tenant, asked.id, code)
    await becomes(tenant, asked.id, "ACTIVE")
    async with tenant.world.bank.db.transaction() as tx:
        rows = await tx.execute(
            text(
                "SELECT coalesce(string_agg(row::text, ''), '') FROM (SELECT to_jsonb(k) AS row FROM pix_keys k"
                " WHERE id = :id UNION ALL SELECT to_jsonb(encode(body, 'escape')) FROM events WHERE resource_id = :id"
                " UNION ALL SELECT to_jsonb(o) FROM outbox o WHERE reference = :id) AS found"
            ),
            {"id": asked.id},
        )
        stored = rows.scalar_one()

    written = capsys.readouterr()
    for answer in (asked, refused, confirmed):
        assert f'"{code}"' not in answer.response.text
    assert code not in written.out.replace(asked.id, "") + written.err + caplog.text
    assert f'"{code}"' not in stored


async def test_five_wrong_codes_end_the_registration(tenant: Tenant) -> None:
    account, address = await tenant.account(), an_address()
    asked = await register(account, "EMAIL", address)
    code = await code_of(tenant, asked.id, address)

    refused = [await type_code(tenant, asked.id, wrong(code)) for _ in range(5)]

    assert [each.status for each in refused] == [422] * 5
    assert refused[0].pointers == ["/data/attributes/code"]
    assert [each.body["message"][-2:-1] for each in refused[:4]] == ["4", "3", "2", "1"]
    late = await type_code(tenant, asked.id, code)
    assert (late.status, late.code) == (409, "CONFLICT")
    assert (await key(tenant, asked.id))["status"] == "INACTIVE"
    assert await news(tenant, asked.id) == []


async def test_guesses_side_by_side_are_counted_each(tenant: Tenant) -> None:
    account, address = await tenant.account(), an_address()
    asked = await register(account, "EMAIL", address)
    code = await code_of(tenant, asked.id, address)

    answers = await asyncio.gather(*(type_code(tenant, asked.id, wrong(code)) for _ in range(20)))

    assert sorted(each.status for each in answers) == [409] * 15 + [422] * 5


async def test_an_expired_code_is_too_late_and_shows(tenant: Tenant) -> None:
    account, address = await tenant.account(), an_address()
    asked = await register(account, "EMAIL", address)
    code = await code_of(tenant, asked.id, address)
    await expire(tenant.world, asked.id)

    late = await type_code(tenant, asked.id, code)

    assert (late.status, late.code) == (409, "CONFLICT")
    assert (await key(tenant, asked.id))["status"] == "INACTIVE"
    assert (await tenant.get("/pix/keys")).data == []
    assert [each["id"] for each in (await tenant.get("/pix/keys?filter[status]=INACTIVE")).data] == [asked.id]
    assert (await tenant.get("/pix/keys?filter[status]=PENDING")).data == []
    assert await delete(tenant, asked.id) == 404


@pytest.mark.parametrize("code", ["12345", "1234567", "12345a", "１２３４５６", "123456\n", " 123456", 123456, None])
async def test_what_is_no_code_is_no_try(tenant: Tenant, code: Any) -> None:
    account, address = await tenant.account(), an_address()
    asked = await register(account, "EMAIL", address)

    answers = [await type_code(tenant, asked.id, code) for _ in range(6)]

    assert {each.status for each in answers} == {400}
    assert answers[0].pointers == ["/data/attributes/code"]
    right = await code_of(tenant, asked.id, address)
    assert (await type_code(tenant, asked.id, right)).status == 200


async def test_a_key_that_waits_for_no_code_takes_none(tenant: Tenant) -> None:
    account = await tenant.account()
    made = await register(account, "EVP")
    assert (await type_code(tenant, made.id, "123456")).status == 409
    done = await proven(account, "EMAIL", an_address())
    again = await type_code(tenant, done.id, code_for(UUID(done.id), tenant.world.bank.code_secret))
    assert again.status == 409


async def test_a_strangers_code_is_typed_into_nothing(tenant: Tenant, stranger: Tenant) -> None:
    account, address = await tenant.account(), an_address()
    asked = await register(account, "EMAIL", address)
    code = await code_of(tenant, asked.id, address)

    assert (await type_code(stranger, asked.id, code)).status == 404
    assert (await key(tenant, asked.id))["status"] == "PENDING"


async def test_asking_again_sends_another_code_and_the_first_is_over(tenant: Tenant) -> None:
    account, address = await tenant.account(), an_address()
    first = await register(account, "EMAIL", address)
    old = await code_of(tenant, first.id, address)
    second = await register(account, "EMAIL", address.upper())
    assert (second.status, second.attributes["keyValue"]) == (201, address)
    assert (await key(tenant, first.id))["status"] == "INACTIVE"
    assert (await type_code(tenant, first.id, old)).status == 409
    assert [each["id"] for each in (await tenant.get("/pix/keys")).data] == [second.id]

    done = await type_code(tenant, second.id, await code_of(tenant, second.id, address))

    assert done.status == 200


async def test_an_account_gets_ten_codes_an_hour(tenant: Tenant) -> None:
    account, address = await tenant.account(), an_address()
    asked = [await register(account, "EMAIL", address) for _ in range(11)]

    assert [each.status for each in asked] == [201] * 10 + [429]
    assert asked[-1].code == "RATE_LIMITED"
    assert 3500 < int(asked[-1].response.headers["retry-after"]) <= 3600
    assert (await register(account, "PHONE", a_phone())).status == 429
    assert (await register(account, "EVP")).status == 201
    assert (await register(await tenant.account(), "EMAIL", an_address())).status == 201


async def test_nobody_squats_on_an_address_that_is_not_his(tenant: Tenant, stranger: Tenant) -> None:
    address = an_address()
    squatter, owner = await stranger.account(), await tenant.account()
    squatting = await register(squatter, "EMAIL", address)
    assert squatting.status == 201

    done = await proven(owner, "EMAIL", address)

    assert done.status == 200, done.body
    await becomes(tenant, done.id, "ACTIVE")
    code = code_for(UUID(squatting.id), tenant.world.bank.code_secret)
    beaten = await type_code(stranger, squatting.id, code)
    assert (beaten.status, beaten.code) == (409, "CONFLICT")
    assert beaten.body["message"] == "Chave Pix já registrada em outra conta."


async def test_a_blocked_account_proves_nothing(tenant: Tenant) -> None:
    account, address = await tenant.account(), an_address()
    asked = await register(account, "EMAIL", address)
    code = await code_of(tenant, asked.id, address)
    await tenant.post(f"/accounts/{account.id}/block")
    assert (await type_code(tenant, asked.id, code)).status == 409
    await tenant.post(f"/accounts/{account.id}/unblock")
    assert (await type_code(tenant, asked.id, code)).status == 200


async def test_a_code_with_an_idempotency_key_is_answered_twice_alike(tenant: Tenant) -> None:
    account, address = await tenant.account(), an_address()
    asked = await register(account, "EMAIL", address)
    code = await code_of(tenant, asked.id, address)
    headers = {"idempotency-key": "typed"}

    first = await type_code(tenant, asked.id, code, headers=headers)
    again = await type_code(tenant, asked.id, code, headers=headers)

    assert (first.status, again.status) == (200, 200)
    assert first.response.content == again.response.content
    assert again.response.headers["idempotency-replayed"] == "true"
    other = await type_code(tenant, asked.id, wrong(code), headers=headers)
    assert other.status == 422
    assert other.pointers == ["Idempotency-Key"]


async def test_a_repetition_of_a_code_finds_what_was_never_answered(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    account, address = await tenant.account(), an_address()
    asked = await register(account, "EMAIL", address)
    code = await code_of(tenant, asked.id, address)
    headers = {"idempotency-key": "crashed"}

    async def crash(*_: object) -> None:
        raise Unavailable(Text("", ""))

    with monkeypatch.context() as crashing:
        crashing.setattr(service, "_outcome", crash)
        assert (await type_code(tenant, asked.id, code, headers=headers)).status == 503

    assert (await type_code(tenant, asked.id, wrong(code), headers=headers)).status == 409
    assert (await type_code(tenant, asked.id, code, headers=headers)).status == 200


async def test_a_simulated_customer_types_the_code_himself(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    from lastro import demo

    monkeypatch.setattr(service, "WAIT_SECONDS", 2.0)
    household = Tenant(tenant.world, demo.TENANT, demo.PROVIDER, demo.TOKEN)
    account = await household.account()

    made = await register(account, "EMAIL", an_address())

    assert (made.status, made.attributes["status"]) == (201, "ACTIVE")
