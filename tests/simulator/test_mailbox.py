"""Messages arrive once, can be read, and simulated customers type the codes that come to them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI, Request, Response

from simulator.world import Json, World, eventually, running, served


def message(**changes: Any) -> Json:
    return {
        "requestId": str(uuid4()),
        "channel": "EMAIL",
        "to": f"{uuid4().hex}@empresa.example",
        "code": "123456",
        "expiresAt": "2030-01-15T10:30:00.000Z",
    } | changes


async def mail(world: World, to: str) -> list[Json]:
    answer = await world.steering.get("/mailbox", params={"to": to})
    assert answer.status_code == 200, answer.text
    messages: list[Json] = answer.json()["messages"]
    return messages


async def test_a_message_arrives_once_however_often_it_is_sent(world: World) -> None:
    sent = message()
    for _ in range(2):
        answer = await world.network.post("/office/messages", json=sent)
        assert (answer.status_code, answer.json()) == (202, {})

    (read,) = await mail(world, sent["to"])

    assert read.pop("sentAt")
    assert read == {
        "keyId": sent["requestId"],
        "channel": "EMAIL",
        "to": sent["to"],
        "code": "123456",
        "expiresAt": "2030-01-15T10:30:00.000Z",
    }


async def test_the_newest_message_comes_first_and_nobody_reads_anothers(world: World) -> None:
    phone = f"+55119{uuid4().int % 10**8:08}"
    for code in ("111111", "222222"):
        await world.network.post("/office/messages", json=message(channel="SMS", to=phone, code=code))
    await world.network.post("/office/messages", json=message())

    assert [each["code"] for each in await mail(world, phone)] == ["222222", "111111"]
    assert (await world.steering.get("/mailbox")).status_code == 400


@pytest.mark.parametrize(
    "flaw", [{"code": "12345"}, {"channel": "PIGEON"}, {"expiresAt": "soon"}, {"to": ""}, {"requestId": 1}, {"a": 1}]
)
async def test_a_message_that_makes_no_sense_is_refused(world: World, flaw: Json) -> None:
    answer = await world.network.post("/office/messages", json=message(**flaw))
    assert (answer.status_code, answer.json()["type"]) == (400, "BadRequest")


async def test_only_the_bank_sends_messages(world: World) -> None:
    answer = await world.steering.post("/network/office/messages", json=message())
    assert answer.status_code == 401


class Confirmer:
    """Stands where Lastro stands: answers each token as told, and remembers what was typed."""

    def __init__(self) -> None:
        self.typed: list[tuple[str, str, Any]] = []
        self.answers: dict[str, list[int]] = {}

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        app = FastAPI()

        @app.post("/baas/api/v1/pix/keys/{key_id}/confirm")
        async def confirm(key_id: str, request: Request) -> Response:
            token = request.headers["authorization"].removeprefix("Bearer ")
            self.typed.append((token, key_id, await request.json()))
            told = self.answers[token]
            return Response(status_code=told.pop(0) if len(told) > 1 else told[0])

        async with served(app) as address:
            yield address


@pytest.mark.parametrize("not_mine", [401, 403, 404])
async def test_a_customer_types_the_code_with_the_token_that_knows_the_key(database_url: str, not_mine: int) -> None:
    lastro = Confirmer()
    lastro.answers = {"FIRST": [not_mine], "SECOND": [200], "THIRD": [200]}
    tokens = ("FIRST", "SECOND", "THIRD")
    async with (
        lastro.serving() as address,
        running(database_url, deliver_to=address, customer_tokens=tokens) as world,
    ):
        sent = message()
        await world.network.post("/office/messages", json=sent)
        await eventually(lambda: len(lastro.typed) == 2)
        await world.network.post("/office/messages", json=message())
        await eventually(lambda: len(lastro.typed) == 4)

    body = {"data": {"type": "pix-keys", "attributes": {"code": "123456"}}}
    assert lastro.typed[:2] == [(token, sent["requestId"], body) for token in tokens[:2]]
    assert all(key_id != sent["requestId"] for _, key_id, _ in lastro.typed[2:])


async def test_a_code_that_nobody_could_take_is_typed_again(database_url: str) -> None:
    lastro = Confirmer()
    lastro.answers = {"TOKEN": [503, 500, 409]}
    async with (
        lastro.serving() as address,
        running(database_url, deliver_to=address, customer_tokens=("TOKEN",)) as world,
    ):
        await world.network.post("/office/messages", json=message())
        await eventually(lambda: len(lastro.typed) == 3)
        await world.network.post("/office/messages", json=message())
        await eventually(lambda: len(lastro.typed) == 4)


async def test_what_came_while_lastro_was_away_is_typed_when_it_is_back(database_url: str) -> None:
    sent = message()
    async with running(database_url, deliver_to="http://127.0.0.1:9", customer_tokens=("TOKEN",)) as world:
        answer = await world.network.post("/office/messages", json=sent)
        assert answer.status_code == httpx.codes.ACCEPTED
    lastro = Confirmer()
    lastro.answers = {"TOKEN": [200]}
    async with lastro.serving() as address, running(database_url, deliver_to=address, customer_tokens=("TOKEN",)):
        await eventually(lambda: len(lastro.typed) == 1)
    assert lastro.typed[0][1] == sent["requestId"]
