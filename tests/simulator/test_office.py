"""The office opens accounts at once, each with a number of its own, and the same one however often it is asked."""

import asyncio
from uuid import uuid4

import pytest

from lastro.simulator.office import check_digit
from simulator.world import COMPANY, OUR_ISPB, World


def opening(**changes: object) -> dict[str, object]:
    return {
        "requestId": str(uuid4()),
        "providerId": str(uuid4()),
        "ispb": OUR_ISPB,
        "holder": {"name": "Empresa ABC Ltda", "taxId": COMPANY},
        "type": "TRAN",
    } | changes


async def test_an_account_has_a_branch_and_a_number_with_its_check_digit(world: World) -> None:
    account = await world.open_account()
    assert account["branch"] == "0001"
    number, digit = account["number"][:-1], account["number"][-1]
    assert int(number) >= 100_001
    assert digit == check_digit(number)


async def test_two_accounts_have_two_numbers(world: World) -> None:
    assert (await world.open_account())["number"] != (await world.open_account())["number"]


async def test_asked_twice_even_at_once_it_opens_one_account(world: World) -> None:
    request = opening()
    answers = await asyncio.gather(*(world.network.post("/office/accounts", json=request) for _ in range(8)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1


async def test_the_same_request_id_for_another_holder_is_refused(world: World) -> None:
    request = opening()
    await world.network.post("/office/accounts", json=request)
    other = await world.network.post("/office/accounts", json=request | {"type": "SVGS"})
    assert (other.status_code, other.json()["type"]) == (409, "RequestIdAlreadyUsed")


@pytest.mark.parametrize(
    "flaw", [{"ispb": "123"}, {"type": "SLRY"}, {"requestId": "x"}, {"colour": "blue"}, {"holder": 1}]
)
async def test_a_request_that_makes_no_sense_is_refused(world: World, flaw: dict[str, object]) -> None:
    answer = await world.network.post("/office/accounts", json=opening(**flaw))
    assert (answer.status_code, answer.json()["type"]) == (400, "BadRequest")


@pytest.mark.parametrize(("number", "digit"), [("100001", "2"), ("100002", "0"), ("12345", "5"), ("261533", "9")])
def test_the_check_digit_is_modulo_eleven(number: str, digit: str) -> None:
    assert check_digit(number) == digit
