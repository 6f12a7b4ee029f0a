"""A tester's rules delay, reject, lose, repeat and contradict, for the payments that match and exactly so often."""

import asyncio
from typing import Any

import pytest

from simulator.world import Json, World, eventually, message, new_id


def pair_of(status: Json) -> tuple[str, str | None]:
    return status["status"], status["reason"]


async def test_a_delayed_payment_is_on_its_way_and_then_settles_and_is_told(world: World) -> None:
    payer, payee = await world.open_account(), await world.somebody()
    await world.rule(key=payee["key"], delaySeconds=0.2)
    order = message(payer, payee)
    (status,) = await world.settle(order)
    assert pair_of(status) == ("ACSP", None)
    assert await world.settle(order) == [status]
    assert (await world.network.get(f"/spi/payments/{order['endToEndId']}")).json() == status
    await eventually(lambda: world.lastro.about(order["endToEndId"]))
    (news,) = world.lastro.about(order["endToEndId"])
    assert news["type"] == "payment.status"
    assert pair_of(news["status"]) == ("ACSC", None)
    assert world.lastro.paths[-1] == f"/network/{payer['providerId']}/notifications"
    assert (await world.network.get(f"/spi/payments/{order['endToEndId']}")).json() == news["status"]
    assert await world.settle(order) == [news["status"]]


async def test_a_delay_passes_when_the_clock_is_moved(world: World) -> None:
    payer, payee = await world.open_account(), await world.somebody()
    await world.rule(key=payee["key"], delaySeconds=3600)
    order = message(payer, payee)
    await world.settle(order)
    await world.steering.post("/clock", json={"advanceSeconds": 3600})
    await eventually(lambda: world.lastro.about(order["endToEndId"]))


async def test_a_rule_rejects_with_its_code(world: World) -> None:
    payer, payee = await world.open_account(), await world.somebody()
    await world.rule(key=payee["key"], reject="DS04")
    (status,) = await world.settle(message(payer, payee))
    assert pair_of(status) == ("RJCT", "DS04")
    assert (await world.book(accountId=payer["requestId"]))["totals"]["sentSettled"] == 0


async def test_a_rejection_may_come_late(world: World) -> None:
    payer, payee = await world.open_account(), await world.somebody()
    await world.rule(key=payee["key"], reject="AB09", delaySeconds=0.05)
    order = message(payer, payee)
    assert pair_of((await world.settle(order))[0]) == ("ACSP", None)
    await eventually(lambda: world.lastro.about(order["endToEndId"]))
    assert pair_of(world.lastro.about(order["endToEndId"])[0]["status"]) == ("RJCT", "AB09")


async def test_a_lost_answer_loses_the_whole_call_so_often_as_told_and_settles_all_the_same(world: World) -> None:
    payer, payee = await world.open_account(), await world.somebody()
    await world.rule(key=payee["key"], dropAnswer=True, times=2)
    batch = [message(payer, payee), message(payer, await world.somebody())]
    for _ in range(2):
        answer = await world.network.put("/spi/payments", json={"messages": batch})
        assert (answer.status_code, answer.content) == (504, b"")
    assert [pair_of(status) for status in await world.settle(*batch)] == [("ACSC", None)] * 2
    assert (await world.book(accountId=payer["requestId"]))["totals"]["sentSettled"] == 20


async def test_a_duplicate_is_told_twice(world: World) -> None:
    payer, payee = await world.open_account(), await world.somebody()
    await world.rule(key=payee["key"], duplicate=True)
    (status,) = await world.settle(message(payer, payee))
    await eventually(lambda: len(world.lastro.about(status["endToEndId"])) == 2)
    assert [news["status"] for news in world.lastro.about(status["endToEndId"])] == [status, status]


async def test_a_contradiction_says_rejected_of_what_settled(world: World) -> None:
    payer, payee = await world.open_account(), await world.somebody()
    await world.rule(key=payee["key"], contradict=True)
    (status,) = await world.settle(message(payer, payee))
    assert status["status"] == "ACSC"
    await eventually(lambda: world.lastro.about(status["endToEndId"]))
    (news,) = world.lastro.about(status["endToEndId"])
    assert pair_of(news["status"]) == ("RJCT", "AB03")
    assert (await world.in_book(status["endToEndId"]))["status"] == "ACSC"


async def test_a_contradiction_says_settled_of_what_was_rejected(world: World) -> None:
    payer, payee = await world.open_account(), await world.somebody()
    await world.rule(key=payee["key"], contradict=True, reject="AC06")
    (status,) = await world.settle(message(payer, payee))
    await eventually(lambda: world.lastro.about(status["endToEndId"]))
    assert pair_of(world.lastro.about(status["endToEndId"])[0]["status"]) == ("ACSC", None)
    assert (await world.in_book(status["endToEndId"]))["reason"] == "AC06"


async def test_times_are_counted_exactly_even_at_once(world: World) -> None:
    payer, payee = await world.open_account(), await world.somebody()
    await world.rule(key=payee["key"], reject="AC06", times=7)
    batches = [[message(payer, payee) for _ in range(4)] for _ in range(5)]
    answers = await asyncio.gather(*(world.settle(*batch) for batch in batches))
    reasons = [status["reason"] for statuses in answers for status in statuses]
    assert reasons.count("AC06") == 7
    (rule,) = (await world.steering.get("/rules")).json()["rules"]
    assert (rule["times"], rule["remaining"]) == (7, 0)


async def test_a_payment_that_is_sent_again_uses_a_rule_once(world: World) -> None:
    payer, payee = await world.open_account(), await world.somebody()
    await world.rule(key=payee["key"], reject="AC06", times=2)
    order = message(payer, payee)
    assert [await world.settle(order) for _ in range(3)] == [await world.settle(order)] * 3
    assert (await world.steering.get("/rules")).json()["rules"][0]["remaining"] == 1


async def test_an_amount_matches_exactly(world: World) -> None:
    payer, payee = await world.open_account(), await world.somebody()
    await world.rule(amount=123.45, reject="AC06")
    statuses = await world.settle(*(message(payer, payee, amount) for amount in ("123.45", "123.44", "123.46")))
    assert [status["reason"] for status in statuses] == ["AC06", None, None]


async def test_an_end_to_end_id_matches_one_payment(world: World) -> None:
    payer, payee = await world.open_account(), await world.somebody()
    one, other = message(payer, payee), message(payer, payee)
    await world.rule(endToEndId=one["endToEndId"], reject="AC06")
    assert [status["reason"] for status in await world.settle(one, other)] == ["AC06", None]


async def test_the_oldest_rule_that_matches_applies_until_it_is_used_up(world: World) -> None:
    payer, payee = await world.open_account(), await world.somebody()
    await world.rule(key=payee["key"], reject="AC06", times=1)
    await world.rule(key=payee["key"], reject="AC07")
    statuses = await world.settle(*(message(payer, payee) for _ in range(3)))
    assert [status["reason"] for status in statuses] == ["AC06", "AC07", "AC07"]


async def test_rules_are_listed_and_forgotten(world: World) -> None:
    one, other = await world.rule(key="a@b.c", duplicate=True), await world.rule(amount=10, delaySeconds=2, times=3)
    listed = (await world.steering.get("/rules")).json()["rules"]
    assert listed == [
        {"id": one, "key": "a@b.c", "duplicate": True},
        {"id": other, "amount": 10, "delaySeconds": 2, "times": 3, "remaining": 3},
    ]
    assert (await world.steering.delete(f"/rules/{one}")).status_code == 204
    for unknown in (str(one), "x", "9" * 30, "-1", "²"):
        assert (await world.steering.delete(f"/rules/{unknown}")).status_code == 404
    assert (await world.steering.delete("/rules")).status_code == 204
    assert (await world.steering.get("/rules")).json() == {"rules": []}


@pytest.mark.parametrize(
    "body",
    [
        {"reject": "AC03"},
        {"key": "a@b.c"},
        {"key": "a@b.c", "amount": 1, "reject": "AC03"},
        {"key": "a@b.c", "reject": "XX99"},
        {"key": "a@b.c", "reject": "ac03"},
        {"key": "a@b.c", "delaySeconds": 0},
        {"key": "a@b.c", "delaySeconds": 86401},
        {"key": "a@b.c", "delaySeconds": True},
        {"key": "a@b.c", "dropAnswer": "yes"},
        {"key": "a@b.c", "dropAnswer": True, "times": 0},
        {"amount": "10.00", "dropAnswer": True},
        {"endToEndId": "E1", "dropAnswer": True},
        {"key": "a@b.c", "reject": "AC03", "colour": "blue"},
    ],
)
async def test_a_rule_that_makes_no_sense_is_refused(world: World, body: dict[str, Any]) -> None:
    answer = await world.steering.post("/rules", json=body)
    assert (answer.status_code, answer.json()["type"]) == (400, "BadRequest")


async def test_news_of_a_payer_that_the_office_does_not_know_goes_to_nobody(world: World) -> None:
    stranger = {
        "ispb": "99999A03",
        "branch": "1",
        "number": "1",
        "type": "CACC",
        "holder": {"name": "X", "taxId": "1" * 11},
    }
    payee = await world.somebody()
    await world.rule(key=payee["key"], duplicate=True)
    order = message(stranger, payee, endToEndId=new_id("99999A03"))
    assert pair_of((await world.settle(order))[0]) == ("ACSC", None)
