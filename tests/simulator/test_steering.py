"""The clock, the book, and bodies that make no sense: steering never falls over."""

import json
from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from lastro.simulator.book import Payment
from lastro.simulator.seed import DEMO_ACCOUNT_ID, seed_demo
from lastro.values.money import MAX_CENTAVOS, Money
from simulator.world import COMPANY, OUR_ISPB, World, message, new_id, running


async def test_the_clock_moves_forward_and_stays_moved_in_the_next_process(database_url: str) -> None:
    async with running(database_url) as world:
        before = world.clock.now()
        await world.steering.post("/clock", json={"advanceSeconds": 60})
        answer = (await world.steering.post("/clock", json={"advanceSeconds": 3600})).json()
        assert answer["offsetSeconds"] == world.clock.offset.total_seconds() == 3660
        assert 3660 <= (datetime.fromisoformat(answer["now"]) - before).total_seconds() < 3690
    async with running(database_url) as world:
        assert world.clock.offset.total_seconds() == 3660


@pytest.mark.parametrize("seconds", [0, -1, 1.5, "60", True, None, 10 * 366 * 86_400 + 1, 10**30])
async def test_the_clock_moves_only_forward_and_only_so_far(world: World, seconds: object) -> None:
    offset = world.clock.offset
    answer = await world.steering.post("/clock", json={"advanceSeconds": seconds})
    assert answer.status_code == 400
    assert world.clock.offset == offset


async def test_the_clock_ends_a_century_ahead(database_url: str) -> None:
    async with running(database_url) as world:
        answers = [await world.steering.post("/clock", json={"advanceSeconds": 10 * 366 * 86_400}) for _ in range(11)]
        assert [answer.status_code for answer in answers] == [200] * 10 + [400]
        assert world.clock.offset.days == 36_600
        assert (await world.pay(await world.open_account()))["status"] == "ACSC"


async def test_the_book_has_totals_and_the_newest_first(database_url: str) -> None:
    async with running(database_url) as world:
        payer, payee = await world.open_account(), await world.somebody()
        sent = message(payer, payee, "7.25")
        await world.settle(sent)
        received = await world.pay(payer, 2.5)
        await world.settle(message(payer, payer))  # rejected: it counts for nothing
        await world.steering.post("/returns", json={"endToEndId": sent["endToEndId"], "amount": 0.25})
        answer = await world.steering.get("/book")
        assert '"sentSettled":7.25,' in answer.text
        assert '"returnedByUs":0.00' in answer.text, "two decimals, always"
        book = answer.json()
        assert book["totals"] == {"sentSettled": 7.25, "receivedSettled": 2.5, "returnedToUs": 0.25, "returnedByUs": 0}
        assert [each["kind"] for each in book["payments"]] == ["RETURNED_TO_US", "SENT", "RECEIVED", "SENT"]
        one = await world.book(endToEndId=received["endToEndId"])
        assert one["totals"]["receivedSettled"] == 2.5
        assert one["totals"]["sentSettled"] == 0


async def test_the_book_shows_at_most_five_hundred(database_url: str) -> None:
    async with running(database_url) as world:
        payer, payee = await world.open_account(), await world.somebody()
        for _ in range(6):
            await world.settle(*(message(payer, payee) for _ in range(100)))
        book = await world.book()
        assert len(book["payments"]) == 500
        assert book["totals"]["sentSettled"] == 6000


async def test_totals_may_exceed_what_one_payment_can(database_url: str) -> None:
    async with running(database_url) as world:
        payer, payee = await world.open_account(), await world.somebody()
        await world.settle(*(message(payer, payee) for _ in range(3)))
        async with world.simulator.book.transaction() as tx:
            await tx.execute(update(Payment).values(amount=Money(MAX_CENTAVOS)))
        assert (await world.book())["totals"]["sentSettled"] == 300_000_000_000


@pytest.mark.parametrize("query", [{"endToEndId": "x"}, {"accountId": "x"}, {"page": "1"}, {"endToEndId": "a\0"}])
async def test_a_question_to_the_book_that_makes_no_sense_is_refused(world: World, query: dict[str, str]) -> None:
    assert (await world.steering.get("/book", params=query)).status_code == 400


@pytest.mark.parametrize(
    "amount",
    [
        "0",
        "-1",
        "-0.0",
        "0.001",
        "1.005",
        "1e400",
        "1e-400",
        "1E+999999999999999999",
        "NaN",
        "Infinity",
        "-Infinity",
        "9" * 30,
        "9" * 5000,
        "100000000000.01",
        "true",
        "null",
        '"10.00"',
        "[]",
        "{}",
        "1e",
        "01",
    ],
)
async def test_an_amount_that_is_none_is_refused(world: World, amount: str) -> None:
    account = await world.open_account()
    body = f'{{"amount": {amount}, "accountId": "{account["requestId"]}"}}'
    answer = await world.steering.post("/pix", content=body)
    assert (answer.status_code, answer.json()["type"]) == (400, "BadRequest")


@pytest.mark.parametrize(("amount", "paid"), [("10", 10), ("10.0", 10), ("10.01", 10.01), ("1e2", 100), ("0.01", 0.01)])
async def test_an_amount_is_taken_exactly(world: World, amount: str, paid: float) -> None:
    account = await world.open_account()
    body = f'{{"amount": {amount}, "accountId": "{account["requestId"]}"}}'
    answer = await world.steering.post("/pix", content=body)
    assert (await world.in_book(answer.json()["endToEndId"]))["amount"] == paid


@pytest.mark.parametrize(
    "change",
    [
        {"accountId": None},
        {"accountId": "x"},
        {"keyValue": "a@b.c"},
        {"endToEndId": "E1"},
        {"endToEndId": "D" + new_id()[1:]},
        {"txid": "not a txid"},
        {"txid": "x" * 36},
        {"description": "x" * 141},
        {"description": "a\0b"},
        {"description": "\ud800"},
        {"payer": {"name": "Ana"}},
        {"payer": {"name": "Ana", "document": "1"}},
        {"payer": {"name": "", "document": "12345678909"}},
        {"payer": {"name": "\ud800", "document": "12345678909"}},
        {"colour": "blue"},
        {"\ud800": "blue"},
    ],
)
async def test_a_pix_that_makes_no_sense_is_refused_and_told_why(world: World, change: dict[str, Any]) -> None:
    body: dict[str, Any] = {"amount": 10, "accountId": str(uuid4())} | change
    answer = await world.steering.post("/pix", content=json.dumps(body))
    assert (answer.status_code, answer.json()["type"]) == (400, "BadRequest")
    assert answer.json()["title"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"1",
        b"null",
        b'"x"',
        b"\xff",
        b"[" * 100_000,
        b'{"advanceSeconds":1,"advanceSeconds":1}',
        b"\0",
    ],
)
@pytest.mark.parametrize("path", ["/pix", "/returns", "/rules", "/clock"])
async def test_a_body_that_is_none_is_refused(world: World, path: str, body: bytes) -> None:
    answer = await world.steering.post(path, content=body)
    assert (answer.status_code, answer.json()["type"]) == (400, "BadRequest")


names = st.sampled_from(
    [
        "amount",
        "accountId",
        "keyValue",
        "payer",
        "endToEndId",
        "txid",
        "description",
        "key",
        "times",
        "reject",
        "messages",
        "delaySeconds",
        "dropAnswer",
        "advanceSeconds",
        "requestId",
        "keyType",
        "account",
        "owner",
        "returnId",
        "holder",
    ]
)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=40)
    | st.sampled_from([new_id(), COMPANY]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names | st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
places = [
    "/pix",
    "/returns",
    "/rules",
    "/clock",
    "/network/spi/returns",
    "/network/office/accounts",
    "/network/dict/entries",
    "/network/dict/entries/x/delete",
]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.dictionaries(names, values, max_size=6), place=st.sampled_from(places))
async def test_nothing_that_anybody_sends_makes_it_fall_over(world: World, body: dict[str, Any], place: str) -> None:
    answer = await world.network.post(world.base + place, content=json.dumps(body))
    assert answer.status_code < 500, answer.text
    assert isinstance(answer.json(), dict)


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/nothing", 404, "NoSuchPath"),
        ("GET", "/network/nothing", 404, "NoSuchPath"),
        ("PUT", "/pix", 405, "MethodNotAllowed"),
        ("GET", "/docs", 404, "NoSuchPath"),
        ("GET", "/openapi.json", 404, "NoSuchPath"),
    ],
)
async def test_what_is_not_there_says_so(world: World, method: str, path: str, status: int, kind: str) -> None:
    answer = await world.steering.request(method, path)
    assert (answer.status_code, answer.json()["type"]) == (status, kind)


async def test_the_demo_is_seeded_once(database_url: str) -> None:
    async with running(database_url) as world:
        for _ in range(2):
            await seed_demo(world.simulator.book)
        entry = (await world.find("12345678901")).json()
        assert entry["owner"]["name"] == "João Silva"
        assert entry["account"] | {"openedAt": ""} == {
            "ispb": "18236120",
            "branch": "0001",
            "number": "987654",
            "type": "CACC",
            "openedAt": "",
        }
        assert entry["createdAt"] == "2023-06-15T10:30:00.000Z"
        assert (await world.pay({"requestId": str(DEMO_ACCOUNT_ID)}))["status"] == "ACSC"
        assert world.lastro.heard[-1]["payment"]["payee"]["account"]["number"] == "123456"
        assert (await world.open_account(ispb=OUR_ISPB))["number"] != "123456"


async def test_it_is_ready_between_start_and_stop(database_url: str) -> None:
    async with running(database_url) as world:
        assert world.simulator.ready
    assert not world.simulator.ready
