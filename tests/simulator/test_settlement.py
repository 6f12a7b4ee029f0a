"""SPI settles each end-to-end id once, a hundred in a call, and says why when it does not."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text

from lastro.simulator.reject_codes import REJECT_CODES
from simulator.world import OUR_ISPB, World, account_of, message, new_id, running


async def test_a_payment_settles_and_stands_in_the_book(world: World) -> None:
    payer, payee = await world.open_account(), await world.somebody()
    order = message(payer, payee, "1500.00", remittanceInformation="Aluguel")
    (status,) = await world.settle(order)
    assert status == {
        "endToEndId": order["endToEndId"],
        "status": "ACSC",
        "reason": None,
        "settledAt": status["settledAt"],
        "externalRef": status["externalRef"],
    }
    assert status["settledAt"].endswith("Z")
    assert status["externalRef"]
    in_book = await world.in_book(order["endToEndId"])
    assert (in_book["kind"], in_book["status"], in_book["amount"]) == ("SENT", "ACSC", 1500)
    assert (in_book["accountId"], in_book["description"]) == (payer["requestId"], "Aluguel")
    assert (await world.network.get(f"/spi/payments/{order['endToEndId']}")).json() == status


async def test_a_hundred_settle_in_one_call_each_answered_in_its_place(world: World) -> None:
    payer, payee = await world.open_account(), await world.somebody()
    batch = [message(payer, payee, f"{n}.00") for n in range(100)]
    statuses = await world.settle(*batch)
    assert [status["endToEndId"] for status in statuses] == [order["endToEndId"] for order in batch]
    assert [status["reason"] for status in statuses] == ["AM01"] + [None] * 99
    totals = (await world.book(accountId=payer["requestId"]))["totals"]
    assert totals["sentSettled"] == sum(range(100))


async def test_the_same_message_again_moves_nothing_and_gets_the_same_answer(world: World) -> None:
    payer, payee = await world.open_account(), await world.somebody()
    order = message(payer, payee)
    answers = await asyncio.gather(*(world.settle(order, message(payer, payee), order) for _ in range(6)))
    assert len({str(status) for first, _, third in answers for status in (first, third)}) == 1
    assert (await world.book(accountId=payer["requestId"]))["totals"]["sentSettled"] == 10 + 6 * 10


async def test_two_batches_with_the_same_ids_in_opposite_order_both_get_through(world: World) -> None:
    payer, payee = await world.open_account(), await world.somebody()
    batch = [message(payer, payee) for _ in range(50)]
    answers = await asyncio.gather(*(world.settle(*order) for order in (batch, batch[::-1]) * 3))
    assert len({str(sorted(map(str, statuses))) for statuses in answers}) == 1


async def test_rows_are_written_in_one_order_whatever_that_of_the_batch(database_url: str) -> None:
    """Or two batches could wait for each other; the overlap is too short to be provoked, the order is not."""
    async with running(database_url) as world:
        payer, payee = await world.open_account(), await world.somebody()
        batch = sorted((message(payer, payee) for _ in range(20)), key=lambda order: str(order["endToEndId"]))
        await world.settle(*reversed(batch))
        async with world.simulator.book.transaction() as tx:
            written = (await tx.execute(text("SELECT end_to_end_id FROM payment ORDER BY ctid"))).scalars().all()
        assert written == [order["endToEndId"] for order in batch]


async def test_other_bytes_under_a_known_id_are_rejected_and_the_first_stays(world: World) -> None:
    payer, payee = await world.open_account(), await world.somebody()
    order = message(payer, payee)
    (first,) = await world.settle(order)
    for change in (
        {"amount": "11.00"},
        {"remittanceInformation": "x"},
        {"acceptedAt": "2024-01-15T10:30:00.001Z"},
    ):
        (status,) = await world.settle(order | change)
        assert (status["status"], status["reason"]) == ("RJCT", "FF08")
    assert await world.settle(order) == [first]
    assert (await world.in_book(order["endToEndId"]))["amount"] == 10


async def test_other_bytes_in_the_same_batch_are_rejected_too(world: World) -> None:
    payer, payee = await world.open_account(), await world.somebody()
    order = message(payer, payee)
    first, second = await world.settle(order, order | {"amount": "11.00"})
    assert (first["status"], second["reason"]) == ("ACSC", "FF08")


@pytest.mark.parametrize(
    "flaw", ["E1", "E" * 32, "D00000000202401151030abcdefghijk", "E00000000202413151030abcdefghijk", ""]
)
async def test_a_malformed_id_is_rejected_and_leaves_no_trace(world: World, flaw: str) -> None:
    payer, payee = await world.open_account(), await world.somebody()
    bad, good = await world.settle(message(payer, payee, endToEndId=flaw), message(payer, payee))
    assert (bad["status"], bad["reason"], good["status"]) == ("RJCT", "FF08", "ACSC")
    assert (await world.network.get("/spi/payments/" + (flaw or "x"))).status_code == 404


@pytest.mark.parametrize(
    "flaw",
    [{"amount": 10.0}, {"amount": "10"}, {"amount": "-1.00"}, {"initiation": "MANU"}, {"payer": None}, {"more": 1}]
    + [{"remittanceInformation": text} for text in ("", "x" * 141, "a\0b", "\ud800")],
)
async def test_a_message_with_wrong_content_is_rejected_alone(world: World, flaw: dict[str, Any]) -> None:
    payer, payee = await world.open_account(), await world.somebody()
    bad, good = await world.settle(message(payer, payee) | flaw, message(payer, payee))
    assert (bad["reason"], good["status"]) == ("CH16", "ACSC")


async def test_both_sides_at_one_bank_are_no_business_of_spi(world: World) -> None:
    payer, payee = await world.open_account(), await world.open_account()
    (status,) = await world.settle(message(payer, payee))
    assert status["reason"] == "AG12"


async def test_an_account_that_nobody_knows_does_not_exist(world: World) -> None:
    payer, payee = await world.open_account(), await world.somebody()
    order = message(payer, payee)
    order["payee"]["account"] = account_of(payee) | {"number": "1"}
    (status,) = await world.settle(order)
    assert status["reason"] == "AC03"


async def test_an_account_of_somebody_else_is_not_the_payees(world: World) -> None:
    payer, payee = await world.open_account(), await world.somebody()
    order = message(payer, payee)
    order["payee"]["taxId"] = "39053344705"
    (status,) = await world.settle(order)
    assert status["reason"] == "BE01"


@pytest.mark.parametrize("code", REJECT_CODES)
async def test_a_key_that_exists_to_be_rejected_is_rejected_with_its_code(world: World, code: str) -> None:
    payer, key = await world.open_account(), f"{code.lower()}@rejeita.example"
    entry = (await world.find(key)).json()
    payee = {"holder": entry["owner"], "key": key, **entry["account"]}
    (status,) = await world.settle(message(payer, payee))
    assert (status["status"], status["reason"], status["settledAt"]) == ("RJCT", code, None)
    assert (await world.in_book(status["endToEndId"]))["status"] == "RJCT"


async def test_a_payment_that_it_never_saw_is_not_found(world: World) -> None:
    answer = await world.network.get(f"/spi/payments/{new_id()}")
    assert (answer.status_code, answer.json()["type"]) == (404, "NotFound")


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        None,
        {"messages": []},
        {"messages": [1]},
        {"messages": [{}]},
        {"messages": {}},
        {"messages": [], "x": 1},
        {"messages": [{"endToEndId": "x"}] * 101},
    ],
)
async def test_a_batch_that_is_none_is_refused_whole(world: World, body: object) -> None:
    answer = await world.network.put("/spi/payments", json=body)
    assert (answer.status_code, answer.json()["type"]) == (400, "BadRequest")


async def test_a_body_beyond_a_megabyte_is_not_read(world: World) -> None:
    answer = await world.network.put("/spi/payments", content=b"[" + b" " * 1_100_000)
    assert answer.status_code == 413


async def test_two_networks_can_be_created_on_one_database_at_once(database_url: str) -> None:
    async with running(database_url) as one, running(database_url) as other:
        payer, payee = await one.open_account(ispb=OUR_ISPB), await other.somebody()
        order = message(payer, payee)
        assert await one.settle(order) == await other.settle(order)
