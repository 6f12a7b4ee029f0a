"""Returns go both ways: ours of what we received, theirs of what we sent; never more than there was."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from lastro.values.end_to_end_id import EndToEndId
from simulator.world import OUR_ISPB, Json, World, eventually, message, new_id, running


def giving_back(end_to_end_id: str, amount: str = "10.00", **changes: Any) -> Json:
    return {
        "returnId": EndToEndId.new_return(OUR_ISPB, datetime.now(UTC)),
        "originalEndToEndId": end_to_end_id,
        "amount": amount,
        "reason": "MD06",
        "createdAt": "2024-01-15T10:30:00.000Z",
    } | changes


async def give_back(world: World, order: Json) -> Json:
    answer = await world.network.post("/spi/returns", json=order)
    assert answer.status_code == 200, answer.text
    status: Json = answer.json()
    return status


async def test_a_return_of_ours_settles_once(world: World) -> None:
    paid = await world.pay(await world.open_account())
    order = giving_back(paid["endToEndId"], "4.00")
    answers = await asyncio.gather(*(give_back(world, order) for _ in range(4)))
    assert {str(answer) for answer in answers} == {str(answers[0])}
    assert (answers[0]["endToEndId"], answers[0]["status"]) == (order["returnId"], "ACSC")
    assert (await world.network.get(f"/spi/payments/{order['returnId']}")).json() == answers[0]
    assert (await give_back(world, order | {"amount": "5.00"}))["reason"] == "FF08"
    in_book = await world.in_book(order["returnId"])
    assert (in_book["kind"], in_book["originalEndToEndId"]) == ("RETURNED_BY_US", paid["endToEndId"])


async def test_returns_together_never_exceed_the_original_even_at_once(world: World) -> None:
    account = await world.open_account()
    paid = await world.pay(account)
    answers = await asyncio.gather(*(give_back(world, giving_back(paid["endToEndId"], "3.00")) for _ in range(6)))
    assert sorted(answer["reason"] or "" for answer in answers) == ["", "", "", "AM09", "AM09", "AM09"]
    assert (await world.book(accountId=account["requestId"]))["totals"]["returnedByUs"] == 9


async def test_a_return_on_its_way_counts_as_returned(world: World) -> None:
    paid = await world.pay(await world.open_account())
    await world.rule(endToEndId=paid["endToEndId"], delaySeconds=60, times=1)
    assert (await give_back(world, giving_back(paid["endToEndId"], "6.00")))["status"] == "ACSP"
    assert (await give_back(world, giving_back(paid["endToEndId"], "6.00")))["reason"] == "AM09"


async def test_why_a_return_is_rejected(world: World) -> None:
    payer = await world.open_account()
    paid = await world.pay(payer)
    sent = message(payer, await world.somebody())
    await world.settle(sent)
    settled = await give_back(world, giving_back(paid["endToEndId"], "1.00"))
    for order, reason in (
        (giving_back(paid["endToEndId"], "0.00"), "AM01"),
        (giving_back(new_id()), "FF08"),
        (giving_back(sent["endToEndId"]), "FF08"),
        (giving_back(settled["endToEndId"], "1.00"), "AG13"),
        (giving_back(paid["endToEndId"], returnId="D1"), "FF08"),
        (giving_back(paid["endToEndId"], returnId=new_id()), "FF08"),
        (giving_back(paid["endToEndId"], reason="no reason"), "CH16"),
        (giving_back(paid["endToEndId"], amount="1"), "CH16"),
    ):
        answer = await give_back(world, order)
        assert (answer["status"], answer["reason"]) == ("RJCT", reason), order


async def test_a_return_after_ninety_days_is_too_late(database_url: str) -> None:
    async with running(database_url) as world:
        paid = await world.pay(await world.open_account())
        await world.steering.post("/clock", json={"advanceSeconds": 90 * 86_400 - 60})
        assert (await give_back(world, giving_back(paid["endToEndId"], "1.00")))["status"] == "ACSC"
        await world.steering.post("/clock", json={"advanceSeconds": 120})
        assert (await give_back(world, giving_back(paid["endToEndId"], "1.00")))["reason"] == "DT05"


async def test_a_return_waits_while_our_answer_to_the_original_is_lost(world: World) -> None:
    world.lastro.respond = lambda _: (503, None)
    paid = await world.pay(await world.open_account())
    assert paid["status"] == "ACSP"
    order = giving_back(paid["endToEndId"])
    answer = await world.network.post("/spi/returns", json=order)
    assert (answer.status_code, answer.json()["type"]) == (503, "ServiceUnavailable")
    world.lastro.respond = lambda _: (200, {"status": "ACSP", "reason": None})

    async def settled() -> bool:
        return bool((await world.in_book(paid["endToEndId"]))["status"] == "ACSC")

    await eventually(settled)
    assert (await give_back(world, order))["status"] == "ACSC"


async def test_a_rule_for_the_original_applies_to_its_returns(world: World) -> None:
    paid = await world.pay(await world.open_account())
    await world.rule(endToEndId=paid["endToEndId"], dropAnswer=True, delaySeconds=0.05, times=1)
    order = giving_back(paid["endToEndId"])
    assert (await world.network.post("/spi/returns", json=order)).status_code == 504
    assert (await give_back(world, order))["status"] in {"ACSP", "ACSC"}
    await eventually(lambda: world.lastro.about(order["returnId"]))
    assert world.lastro.about(order["returnId"])[0]["status"]["status"] == "ACSC"


async def test_what_we_sent_comes_back_in_parts_and_then_nothing_is_left(world: World) -> None:
    payer = await world.open_account()
    sent = message(payer, await world.somebody())
    await world.settle(sent)
    part = await world.steering.post("/returns", json={"endToEndId": sent["endToEndId"], "amount": 2.5})
    assert part.status_code == 201
    assert part.json()["status"] == "ACSC"
    (news,) = world.lastro.about(part.json()["returnId"])
    assert news["type"] == "return.received"
    assert (news["return"]["amount"], news["return"]["originalEndToEndId"]) == ("2.50", sent["endToEndId"])
    rest = (await world.steering.post("/returns", json={"endToEndId": sent["endToEndId"]})).json()
    assert (await world.in_book(rest["returnId"]))["amount"] == 7.5
    none = await world.steering.post("/returns", json={"endToEndId": sent["endToEndId"]})
    assert (none.status_code, none.json()["type"]) == (409, "ResourceConflict")
    assert (await world.book(accountId=payer["requestId"]))["totals"]["returnedToUs"] == 10


async def test_a_return_that_lastro_rejects_did_not_happen(world: World) -> None:
    payer = await world.open_account()
    sent = message(payer, await world.somebody())
    await world.settle(sent)
    world.lastro.respond = lambda _: (200, {"status": "RJCT", "reason": "AM09"})
    too_much = await world.steering.post("/returns", json={"endToEndId": sent["endToEndId"], "amount": 11})
    assert (too_much.json()["status"], too_much.json()["reason"]) == ("RJCT", "AM09")
    assert (await world.book(accountId=payer["requestId"]))["totals"]["returnedToUs"] == 0


async def test_only_what_we_sent_and_what_settled_comes_back(world: World) -> None:
    payer = await world.open_account()
    received = await world.pay(payer)
    rejected = message(payer, await world.open_account())
    await world.settle(rejected)
    for end_to_end_id, status in ((new_id(), 404), (received["endToEndId"], 404), (rejected["endToEndId"], 409)):
        assert (await world.steering.post("/returns", json={"endToEndId": end_to_end_id})).status_code == status


@pytest.mark.parametrize("body", [{}, [], {"returnId": 1}])
async def test_a_return_without_an_id_is_refused(world: World, body: object) -> None:
    assert (await world.network.post("/spi/returns", json=body)).status_code == 400
