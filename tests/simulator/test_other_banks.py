"""Somebody at another bank pays our customers; the network asks until it is answered, and both books agree."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import func, update

from lastro.simulator.book import Notice
from simulator.world import COMPANY, Json, Receiver, World, account_of, eventually, new_id, running

ACCEPTED = (200, {"status": "ACSP", "reason": None})


async def test_a_pix_that_lastro_accepts_is_settled(world: World) -> None:
    account = await world.open_account()
    paid = await world.pay(account, 10.5, txid="abc123", description="Almoço")
    assert (paid["status"], paid["reason"]) == ("ACSC", None)
    (news,) = world.lastro.about(paid["endToEndId"])
    assert news["type"] == "payment.received"
    assert world.lastro.paths[-1] == f"/network/{account['providerId']}/notifications"
    payment = news["payment"]
    assert payment["amount"] == "10.50"
    assert payment["payee"] == {"taxId": COMPANY, "account": account_of(account), "key": None}
    assert (payment["payer"]["name"], payment["payer"]["taxId"]) == ("Maria Souza", "39053344705")
    assert (payment["txid"], payment["remittanceInformation"]) == ("abc123", "Almoço")
    assert paid["endToEndId"][1:9] == payment["payer"]["account"]["ispb"] != account["ispb"]
    in_book = await world.in_book(paid["endToEndId"])
    assert (in_book["kind"], in_book["amount"], in_book["accountId"]) == ("RECEIVED", 10.5, account["requestId"])


async def test_a_pix_to_a_key_reaches_the_account_behind_it(world: World) -> None:
    account = await world.open_account()
    key = await world.register(account)
    paid = (await world.steering.post("/pix", json={"amount": 1, "keyValue": key})).json()
    assert world.lastro.about(paid["endToEndId"])[0]["payment"]["payee"]["key"] == key
    assert (await world.in_book(paid["endToEndId"]))["accountId"] == account["requestId"]


async def test_the_payer_is_somebody_else_when_told(world: World) -> None:
    payer = {"name": "José da Silva", "document": "123.456.789-09"}
    paid = await world.pay(await world.open_account(), payer=payer)
    said = world.lastro.about(paid["endToEndId"])[0]["payment"]["payer"]
    assert (said["name"], said["taxId"]) == ("José da Silva", "12345678909")


async def test_the_payer_is_at_another_bank_even_if_ours_is_the_usual_one(world: World) -> None:
    paid = await world.pay(await world.open_account(ispb="60701190"))
    assert paid["endToEndId"][1:9] != "60701190"


async def test_a_pix_that_lastro_rejects_is_rejected_with_its_reason(world: World) -> None:
    world.lastro.respond = lambda _: (200, {"status": "RJCT", "reason": "AC06"})
    account = await world.open_account()
    paid = await world.pay(account)
    assert (paid["status"], paid["reason"]) == ("RJCT", "AC06")
    assert (await world.book(accountId=account["requestId"]))["totals"]["receivedSettled"] == 0


async def test_a_pix_to_nobody_is_rejected_without_asking_and_stands_in_the_book(world: World) -> None:
    for to in ({"accountId": str(uuid4())}, {"keyValue": "nobody@example.com"}):
        paid = (await world.steering.post("/pix", json={"amount": 1, **to})).json()
        assert (paid["status"], paid["reason"]) == ("RJCT", "AC03")
        assert world.lastro.about(paid["endToEndId"]) == []
        assert (await world.in_book(paid["endToEndId"]))["status"] == "RJCT"


async def test_a_pix_to_a_key_of_another_bank_is_not_for_our_customers(world: World) -> None:
    paid = (await world.steering.post("/pix", json={"amount": 1, "keyValue": "ac03@rejeita.example"})).json()
    assert paid["reason"] == "AC03"


@pytest.mark.parametrize(
    "no_answer",
    [
        (503, None),
        (401, None),
        (204, None),
        (200, None),
        (200, {"status": "ACSC"}),
        (200, {"status": "RJCT", "reason": "x"}),
    ],
)
async def test_without_a_usable_answer_it_asks_again_until_there_is_one(
    world: World, no_answer: tuple[int, Any]
) -> None:
    world.lastro.respond = lambda _: no_answer
    paid = await world.pay(await world.open_account())
    assert paid["status"] == "ACSP"
    await eventually(lambda: len(world.lastro.about(paid["endToEndId"])) >= 2)
    world.lastro.respond = lambda _: ACCEPTED

    async def settled() -> bool:
        return bool((await world.in_book(paid["endToEndId"]))["status"] == "ACSC")

    await eventually(settled)
    heard = world.lastro.about(paid["endToEndId"])
    assert all(news == heard[0] for news in heard)


async def test_what_was_heard_is_never_told_again(world: World) -> None:
    paid = await world.pay(await world.open_account())
    async with world.simulator.book.transaction() as tx:
        await tx.execute(update(Notice).values(due_at=func.now()))
    await asyncio.sleep(0.8)
    assert len(world.lastro.about(paid["endToEndId"])) == 1


async def test_the_same_id_again_is_the_same_pix_delivered_again(world: World) -> None:
    account = await world.open_account()
    end_to_end_id = new_id("60701190")
    first = await world.pay(account, endToEndId=end_to_end_id)
    again = await asyncio.gather(*(world.pay(account, endToEndId=end_to_end_id) for _ in range(3)))
    assert again == [first] * 3
    assert len(world.lastro.about(end_to_end_id)) == 4
    assert (await world.book(accountId=account["requestId"]))["totals"]["receivedSettled"] == 10


async def test_the_same_new_id_twice_at_once_is_one_pix(world: World) -> None:
    account, end_to_end_id = await world.open_account(), new_id("60701190")
    paid = await asyncio.gather(*(world.pay(account, endToEndId=end_to_end_id) for _ in range(5)))
    assert {answer["endToEndId"] for answer in paid} == {end_to_end_id}
    assert len((await world.book(accountId=account["requestId"]))["payments"]) == 1


async def test_the_first_answer_stands_even_if_lastro_changes_its_mind(world: World) -> None:
    account, end_to_end_id = await world.open_account(), new_id("60701190")
    await world.pay(account, endToEndId=end_to_end_id)
    world.lastro.respond = lambda _: (200, {"status": "RJCT", "reason": "AC03"})
    assert (await world.pay(account, endToEndId=end_to_end_id))["status"] == "ACSC"


async def test_the_same_id_for_another_pix_is_a_conflict(world: World) -> None:
    account, other, end_to_end_id = await world.open_account(), await world.open_account(), new_id("60701190")
    await world.pay(account, endToEndId=end_to_end_id)
    bodies: list[Json] = [
        {"amount": 11, "accountId": account["requestId"]},
        {"amount": 10, "accountId": other["requestId"]},
        {"amount": 10, "keyValue": "nobody@example.com"},
    ]
    for body in bodies:
        answer = await world.steering.post("/pix", json=body | {"endToEndId": end_to_end_id})
        assert (answer.status_code, answer.json()["type"]) == (409, "ResourceConflict")


async def test_lastro_may_ask_the_network_before_it_answers(world: World) -> None:
    """A Lastro that looks something up while it is told would wait for ever if a transaction were open meanwhile."""
    account = await world.open_account()
    inner: list[Json] = []
    ended = asyncio.Event()

    async def ask_about(end_to_end_id: str) -> None:
        inner.append(await world.in_book(end_to_end_id))
        ended.set()

    tasks = []

    def respond(news: Json) -> tuple[int, Json]:
        tasks.append(asyncio.ensure_future(ask_about(news["payment"]["endToEndId"])))
        return ACCEPTED

    world.lastro.respond = respond
    await world.pay(account)
    await ended.wait()
    assert inner[0]["endToEndId"]


async def test_what_was_not_heard_is_told_by_the_next_process(database_url: str) -> None:
    async with running(database_url, deliver_to="http://127.0.0.1:1") as world:
        account = await world.open_account()
        paid = await world.pay(account)
        assert paid["status"] == "ACSP"
        async with world.simulator.book.transaction() as tx:  # as if it had died while it was telling
            await tx.execute(update(Notice).values(due_at=func.now() + timedelta(hours=1)))
    lastro = Receiver()
    async with running(database_url, lastro=lastro) as world:
        await eventually(lambda: lastro.about(paid["endToEndId"]), 3)

        async def settled() -> bool:
            return bool((await world.in_book(paid["endToEndId"]))["status"] == "ACSC")

        await eventually(settled)
