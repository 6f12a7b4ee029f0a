"""Same key, same answer, one effect; same key, other question: refused; refused: the key is as good as new."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import uuid4

import httpx
import pytest

from build import API, JOAO, Account, Answered, Tenant, World, a_cnpj
from lastro.attempt import fingerprint
from lastro.jsonapi import strict_json
from meeting import THE_BALANCE, all_wait, held, process

REPLAYED = "idempotency-replayed"


def keyed(key: str | None = None) -> dict[str, str]:
    return {"idempotency-key": key or f"key-{uuid4()}"}


async def repeat(ask: Callable[[], Awaitable[Answered]]) -> tuple[Answered, Answered]:
    return await ask(), await ask()


def assert_replayed(first: Answered, again: Answered) -> None:
    assert first.status in {200, 201}, first.body
    assert REPLAYED not in first.response.headers
    assert again.response.headers[REPLAYED] == "true"
    assert again.status == first.status
    assert again.response.content == first.response.content
    assert again.response.headers["content-type"] == first.response.headers["content-type"]


def assert_reused(refused: Answered) -> None:
    assert refused.status == 422, refused.body
    assert refused.code == "UNPROCESSABLE"
    assert refused.pointers == ["Idempotency-Key"]


def payment(account: Account, amount: Any = 1.00, key: str = JOAO) -> dict[str, Any]:
    return {"accountId": account.id, "amount": amount, "recipientKeyType": "CPF", "recipientKeyValue": key}


# Repetitions


async def test_an_account_opens_once(tenant: Tenant) -> None:
    headers, application = keyed(), tenant.application(metadata={"a": 1})

    first, again = await repeat(lambda: tenant.post("/accounts", "accounts", application, headers=headers))

    assert_replayed(first, again)
    assert (await tenant.get("/accounts")).body["meta"]["totalItems"] == 1


async def test_a_payment_is_sent_once(tenant: Tenant) -> None:
    account, headers = await tenant.account(available="10.00"), keyed()

    first, again = await repeat(lambda: account.pays(4.00, headers=headers))

    assert_replayed(first, again)
    assert await account.available() == Decimal("6.00")
    assert (await tenant.get("/pix/payments")).body["meta"]["totalItems"] == 1


@pytest.mark.parametrize("steps", [["close"], ["block"], ["block", "unblock"]])
async def test_a_step_of_an_account_is_taken_once(tenant: Tenant, steps: list[str]) -> None:
    account, headers = await tenant.account(), keyed()
    *before, step = steps
    for each in before:
        await tenant.post(f"/accounts/{account.id}/{each}")

    first, again = await repeat(lambda: tenant.post(f"/accounts/{account.id}/{step}", headers=headers))

    assert_replayed(first, again)
    assert (await tenant.post(f"/accounts/{account.id}/{step}")).status == 409


async def test_without_a_key_every_request_is_another(tenant: Tenant) -> None:
    account = await tenant.account(available="10.00")

    first, again = await repeat(lambda: account.pays(4.00))

    assert first.id != again.id
    assert await account.available() == Decimal("2.00")


async def test_a_replay_shows_what_was_answered_although_time_went_on(tenant: Tenant) -> None:
    account, headers = await tenant.account(available="10.00"), keyed()
    first = await account.pays(4.00, headers=headers)
    await account.payment_becomes(first.id, "COMPLETED")

    again = await account.pays(4.00, headers=headers)

    assert_replayed(first, again)
    assert again.attributes["status"] == "PROCESSING"


async def test_a_replay_needs_neither_money_nor_an_open_account_nor_the_directory(tenant: Tenant) -> None:
    account, headers = await tenant.account(available="10.00"), keyed()
    first = await account.pays(10.00, headers=headers)
    await account.payment_becomes(first.id, "COMPLETED")
    assert (await tenant.post(f"/accounts/{account.id}/close")).status == 200

    assert_replayed(first, await account.pays(10.00, headers=headers))


async def test_an_accounts_replay_shows_it_pending_although_it_was_closed(tenant: Tenant) -> None:
    headers, application = keyed(), tenant.application()
    first = await tenant.post("/accounts", "accounts", application, headers=headers)
    account = Account(tenant, first.id)
    await account.is_approved()
    while not await account.has_status("ACTIVE"):
        await asyncio.sleep(0.02)
    await tenant.post(f"/accounts/{account.id}/close")

    assert_replayed(first, await tenant.post("/accounts", "accounts", application, headers=headers))
    assert (await tenant.get("/accounts")).body["meta"]["totalItems"] == 1


async def test_the_same_question_may_be_spelled_otherwise(tenant: Tenant) -> None:
    account, headers = await tenant.account(available="50.00"), keyed()
    attributes = {"accountId": account.id, "recipientKeyType": "CPF", "recipientKeyValue": JOAO}

    def spelled(amount: str) -> bytes:
        body = json.dumps({"data": {"type": "pix-payments", "attributes": attributes | {"amount": "?"}}})
        return body.replace('"?"', amount).encode()

    first = await tenant.call("POST", "/pix/payments", content=spelled("10"), headers=headers)
    shuffled = {"data": {"attributes": {"amount": 10.0, **attributes}, "type": "pix-payments"}}

    for again in ("10.0", "10.00"):
        assert_replayed(first, await tenant.call("POST", "/pix/payments", content=spelled(again), headers=headers))
    assert_replayed(first, await tenant.call("POST", "/pix/payments", shuffled, headers=headers))
    assert await account.available() == Decimal("40.00")


@pytest.mark.parametrize("spelling", [b"10", b"10.0", b"10.00"])
def test_a_number_has_one_fingerprint(spelling: bytes) -> None:
    assert fingerprint("/path", strict_json.parse(b'{"n":%b}' % spelling)) == fingerprint("/path", {"n": Decimal(10)})


@pytest.mark.parametrize(
    "other", [b'{"n":11}', b'{"n":"10"}', b'{"n":["number","10"]}', b'{"n":[10]}', b'{"m":10}', b"[10]", b'{"n":1.0}']
)
def test_another_question_has_another(other: bytes) -> None:
    assert fingerprint("/path", strict_json.parse(other)) != fingerprint("/path", {"n": Decimal(10)})


# One key, another question


@pytest.mark.parametrize(
    "change", [{"amount": 1.01}, {"recipientKeyValue": "98765432100"}, {"description": "outra"}], ids=str
)
async def test_a_key_serves_one_payment_only(tenant: Tenant, change: dict[str, Any]) -> None:
    account, headers = await tenant.account(available="10.00"), keyed()
    await tenant.post("/pix/payments", "pix-payments", payment(account), headers=headers)

    refused = await tenant.post("/pix/payments", "pix-payments", payment(account) | change, headers=headers)

    assert_reused(refused)
    assert await account.available() == Decimal("9.00")


async def test_a_key_serves_one_application_only(tenant: Tenant) -> None:
    headers = keyed()
    await tenant.post("/accounts", "accounts", tenant.application(), headers=headers)

    assert_reused(await tenant.post("/accounts", "accounts", tenant.application(), headers=headers))
    assert (await tenant.get("/accounts")).body["meta"]["totalItems"] == 1


@pytest.mark.parametrize("step", ["close", "block"])
async def test_a_key_serves_a_step_of_one_account_only(tenant: Tenant, step: str) -> None:
    (one, other), headers = await asyncio.gather(tenant.account(), tenant.account()), keyed()
    await tenant.post(f"/accounts/{one.id}/{step}", headers=headers)

    assert_reused(await tenant.post(f"/accounts/{other.id}/{step}", headers=headers))
    assert (await other.attributes())["status"] == "ACTIVE"


async def test_operations_do_not_share_their_keys(tenant: Tenant) -> None:
    headers = keyed()
    made = await tenant.post("/accounts", "accounts", tenant.application(), headers=headers)
    account = await tenant.account(available="1.00")

    for ask in (
        account.pays(1.00, headers=headers),
        tenant.post(f"/accounts/{account.id}/block", headers=headers),
        tenant.post(f"/accounts/{account.id}/unblock", headers=headers),
    ):
        answered = await ask
        assert answered.status in {200, 201}, answered.body
        assert REPLAYED not in answered.response.headers
        assert answered.id != made.id


async def test_tenants_do_not_share_their_keys(tenant: Tenant, stranger: Tenant) -> None:
    headers, document = keyed(), a_cnpj()

    mine = await tenant.post("/accounts", "accounts", tenant.application(holderDocument=document), headers=headers)
    theirs = await stranger.post(
        "/accounts", "accounts", stranger.application(holderDocument=document), headers=headers
    )

    assert (mine.status, theirs.status) == (201, 201)
    assert REPLAYED not in theirs.response.headers
    assert mine.id != theirs.id


async def test_a_key_does_not_show_a_stranger_what_was_answered(tenant: Tenant, stranger: Tenant) -> None:
    account, headers = await tenant.account(available="1.00"), keyed()
    await account.pays(1.00, headers=headers)

    refused = await stranger.post("/pix/payments", "pix-payments", payment(account), headers=headers)

    assert refused.status == 404


async def test_the_tokens_of_one_tenant_share_their_keys(tenant: Tenant) -> None:
    from lastro.auth.permissions import Permission

    headers, application = keyed(), tenant.application()
    first = await tenant.post("/accounts", "accounts", application, headers=headers)
    other_token = await tenant.new_token(Permission.ACCOUNTS_CREATE)

    again = await tenant.post("/accounts", "accounts", application, headers=headers, token=other_token)

    assert_replayed(first, again)


async def test_a_replay_asks_for_the_permission_again(tenant: Tenant) -> None:
    headers, application = keyed(), tenant.application()
    await tenant.post("/accounts", "accounts", application, headers=headers)
    powerless = await tenant.new_token()

    assert (await tenant.post("/accounts", "accounts", application, headers=headers, token=powerless)).status == 403


# Refusals


async def test_a_refusal_does_not_use_up_the_key(tenant: Tenant) -> None:
    account, blocked = await asyncio.gather(tenant.account(available="5.00"), tenant.account())
    await tenant.post(f"/accounts/{blocked.id}/block")
    headers = keyed()

    async def send(attributes: dict[str, Any]) -> Answered:
        return await tenant.post("/pix/payments", "pix-payments", attributes, headers=headers)

    refusals = [
        await send(payment(account, amount=0)),
        await send(payment(account, amount=5.01)),
        await send(payment(account) | {"accountId": str(uuid4())}),
        await send(payment(blocked)),
        await send(payment(account, key="98765432100")),
        await tenant.call("POST", "/pix/payments", content=b"{", headers=headers),
    ]
    taken = await send(payment(account, amount=5.00))

    assert [(each.status, each.code) for each in refusals] == [
        (400, "VALIDATION"),
        (400, "INSUFFICIENT_BALANCE"),
        (404, "NOT_FOUND"),
        (409, "CONFLICT"),
        (422, "UNPROCESSABLE"),
        (400, "VALIDATION"),
    ]
    assert taken.status == 201
    assert REPLAYED not in taken.response.headers


async def test_a_refused_application_does_not_use_up_the_key(tenant: Tenant) -> None:
    known, headers = tenant.application(), keyed()
    await tenant.post("/accounts", "accounts", known)

    async def apply(**changes: Any) -> Answered:
        return await tenant.post("/accounts", "accounts", tenant.application(**changes), headers=headers)

    refusals = [
        await apply(holderName=""),
        await apply(providerId=str(uuid4())),
        await apply(holderDocument=known["holderDocument"]),
        await apply(type="SAVINGS"),
    ]

    assert [each.status for each in refusals] == [400, 404, 409, 422]
    assert (await apply()).status == 201


async def test_what_was_refused_for_want_of_money_goes_through_once_there_is_some(tenant: Tenant) -> None:
    account, headers = await tenant.account(), keyed()

    refused = await account.pays(3.00, headers=headers)
    await account.receives("3.00")
    taken = await account.pays(3.00, headers=headers)

    assert (refused.status, taken.status) == (400, 201)


async def test_a_step_that_was_refused_may_be_tried_again_under_its_key(tenant: Tenant) -> None:
    account, headers = await tenant.account(available="1.00"), keyed()
    refused = await tenant.post(f"/accounts/{account.id}/close", headers=headers)
    paid = await account.pays(1.00)
    await account.payment_becomes(paid.id, "COMPLETED")

    assert refused.status == 409
    assert (await tenant.post(f"/accounts/{account.id}/close", headers=headers)).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        [("Idempotency-Key", "")],
        [("Idempotency-Key", "k" * 256)],
        [("Idempotency-Key", "com espaço".encode())],
        [("Idempotency-Key", "chave-ç".encode())],
        [("Idempotency-Key", "two words")],
        [("Idempotency-Key", "one"), ("Idempotency-Key", "one")],
        [("Idempotency-Key", "one"), ("idempotency-key", "two")],
    ],
    ids=["empty", "256", "space", "not ASCII", "two words", "twice", "two"],
)
async def test_a_malformed_key_is_refused(tenant: Tenant, headers: list[tuple[str, Any]]) -> None:
    application = {"data": {"type": "accounts", "attributes": tenant.application()}}
    sent = [("authorization", f"Bearer {tenant.token}"), *headers]

    answered = Answered(await tenant.world.http.post(f"{API}/accounts", json=application, headers=sent))

    assert answered.status == 400, answered.body
    assert answered.pointers == ["Idempotency-Key"]
    assert (await tenant.get("/accounts")).body["meta"]["totalItems"] == 0


@pytest.mark.parametrize("key", ["k", "k" * 255, "!~", '"550e8400-e29b-41d4-a716-446655440100"'])
async def test_the_bounds_themselves_are_allowed(tenant: Tenant, key: str) -> None:
    application = tenant.application()

    first, again = await repeat(lambda: tenant.post("/accounts", "accounts", application, headers=keyed(key)))

    assert_replayed(first, again)


# Twins at the same time


def assert_one_effect(answers: list[Answered]) -> Answered:
    """All of them got the one answer; the first of them is returned."""
    assert Counter(answer.status for answer in answers) == {answers[0].status: len(answers)}, answers
    assert answers[0].status in {200, 201}, answers[0].body
    assert len({answer.response.content for answer in answers}) == 1
    assert sum(REPLAYED not in answer.response.headers for answer in answers) == 1
    return answers[0]


async def test_thirty_two_twins_pay_once(tenant: Tenant) -> None:
    account, headers = await tenant.account(available="1.00"), keyed()

    answers = await asyncio.gather(*(account.pays(1.00, headers=headers) for _ in range(32)))

    one = assert_one_effect(answers)
    assert await account.available() == 0
    await account.payment_becomes(one.id, "COMPLETED")


async def test_thirty_two_twins_open_one_account(tenant: Tenant) -> None:
    headers, application = keyed(), tenant.application()

    answers = await asyncio.gather(
        *(tenant.post("/accounts", "accounts", application, headers=headers) for _ in range(32))
    )

    assert_one_effect(answers)
    assert (await tenant.get("/accounts")).body["meta"]["totalItems"] == 1


@pytest.mark.parametrize("step", ["close", "block"])
async def test_thirty_two_twins_take_one_step(tenant: Tenant, step: str) -> None:
    account, headers = await tenant.account(), keyed()

    answers = await asyncio.gather(*(tenant.post(f"/accounts/{account.id}/{step}", headers=headers) for _ in range(32)))

    assert_one_effect(answers)


# Twins in two processes


@dataclass
class Process:
    """Another process of the bank."""

    http: httpx.AsyncClient

    async def post(self, tenant: Tenant, path: str, kind: str | None, attributes: Any, key: dict[str, str]) -> Answered:
        body = None if kind is None else {"data": {"type": kind, "attributes": attributes}}
        headers = {"authorization": f"Bearer {tenant.token}", **key}
        return Answered(await self.http.post(f"{API}{path}", json=body, headers=headers))


@pytest.fixture
async def processes(world: World) -> AsyncIterator[list[Process]]:
    async with process(world) as one, process(world) as other:
        yield [Process(one), Process(other)]


async def meeting(world: World, lock: str, asks: list[Coroutine[Any, Any, Answered]], **facts: Any) -> list[Answered]:
    """Let all run into one lock, so that each has looked for the key before any writes it; then let go."""
    async with asyncio.TaskGroup() as group, held(world, lock, **facts):
        tasks = [group.create_task(ask) for ask in asks]
        await all_wait(world, len(asks), *tasks)
    return [task.result() for task in tasks]


THE_KEY = (
    "INSERT INTO idempotency (tenant_id, operation, key, fingerprint, status, body, created_at)"
    " VALUES (:tenant, :operation, :key, '', 200, '', now())"
)
THE_DOCUMENT = (
    "INSERT INTO open_accounts (provider_id, holder_document, account_id) VALUES (:provider, :document, :account)"
)


async def test_a_key_works_in_every_process(tenant: Tenant, processes: list[Process]) -> None:
    account, key = await tenant.account(available="10.00"), keyed()

    first = await account.pays(1.00, headers=key)
    again = [await each.post(tenant, "/pix/payments", "pix-payments", payment(account), key) for each in processes]

    for each in again:
        assert_replayed(first, each)


@pytest.mark.parametrize("available", ["10.00", "1.00"], ids=["with money for both", "with money for one"])
async def test_twins_in_two_processes_pay_once(tenant: Tenant, processes: list[Process], available: str) -> None:
    account, key = await tenant.account(available=available), keyed()

    answers = await meeting(
        tenant.world,
        THE_BALANCE,
        [each.post(tenant, "/pix/payments", "pix-payments", payment(account), key) for each in processes],
        account=account.id,
    )

    one = assert_one_effect(answers)
    await account.payment_becomes(one.id, "COMPLETED")
    assert await account.balance() == Decimal(available) - 1
    assert (await tenant.get("/pix/payments")).body["meta"]["totalItems"] == 1


async def test_twins_of_two_accounts_in_two_processes_pay_once(tenant: Tenant, processes: list[Process]) -> None:
    one, other = await asyncio.gather(tenant.account(available="1.00"), tenant.account(available="1.00"))
    key = keyed()

    answers = await meeting(
        tenant.world,
        THE_KEY,
        [
            each.post(tenant, "/pix/payments", "pix-payments", payment(account), key)
            for each, account in zip(processes, (one, other), strict=True)
        ],
        tenant=tenant.id,
        operation=f"POST {API}/pix/payments",
        key=key["idempotency-key"],
    )

    taken, refused = sorted(answers, key=lambda answer: answer.status)
    assert taken.status == 201
    assert_reused(refused)
    assert await one.available() + await other.available() == 1
    await Account(tenant, taken.attributes["accountId"]).payment_becomes(taken.id, "COMPLETED")


async def test_twins_in_two_processes_open_one_account(tenant: Tenant, processes: list[Process]) -> None:
    key, application = keyed(), tenant.application()

    answers = await meeting(
        tenant.world,
        THE_DOCUMENT,
        [each.post(tenant, "/accounts", "accounts", application, key) for each in processes],
        provider=tenant.provider_id,
        document=application["holderDocument"],
        account=uuid4(),
    )

    assert_one_effect(answers)
    assert (await tenant.get("/accounts")).body["meta"]["totalItems"] == 1


async def test_two_processes_with_one_key_and_two_questions_answer_one(
    tenant: Tenant, processes: list[Process]
) -> None:
    key = keyed()

    answers = await meeting(
        tenant.world,
        THE_KEY,
        [each.post(tenant, "/accounts", "accounts", tenant.application(), key) for each in processes],
        tenant=tenant.id,
        operation=f"POST {API}/accounts",
        key=key["idempotency-key"],
    )

    taken, refused = sorted(answers, key=lambda answer: answer.status)
    assert taken.status == 201
    assert_reused(refused)
    assert (await tenant.get("/accounts")).body["meta"]["totalItems"] == 1


@pytest.mark.parametrize("step", ["close", "block"])
async def test_twins_in_two_processes_take_one_step(tenant: Tenant, processes: list[Process], step: str) -> None:
    account, key = await tenant.account(), keyed()

    answers = await meeting(
        tenant.world,
        THE_BALANCE,
        [each.post(tenant, f"/accounts/{account.id}/{step}", None, None, key) for each in processes],
        account=account.id,
    )

    assert_one_effect(answers)
