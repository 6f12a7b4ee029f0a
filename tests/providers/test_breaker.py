"""A provider that fails in a row is left alone for a while, is tried by one, and troubles nobody else."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from lastro import metrics
from lastro.errors import KeyNotFound, ProviderUnavailable, RateLimited
from lastro.providers import breaker
from lastro.providers.breaker import FAILURES, LONGEST_PAUSE_SECONDS, Circuit, Circuits, CircuitState
from lastro.providers.guarded import Guarded
from lastro.providers.network_http import NetworkHttp
from lastro.providers.protocol import KeyOwner
from lastro.values.bank_account import AccountType, BankAccount
from lastro.values.end_to_end_id import EndToEndId
from lastro.values.pix_key import KeyType, PixKey
from lastro.values.tax_id import TaxId
from lastro.values.text import Text
from simulator.world import COMPANY, OUR_ISPB, SECRET, new_id, served

NOTHING = Text("", "")
KEY = PixKey.parse(KeyType.EMAIL, "joao@exemplo.com.br")


@dataclass
class Hands:
    """A clock that a test moves."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def circuit(hands: Hands) -> Circuit:
    return Circuit("test", clock=hands)


async def silence() -> None:
    raise ProviderUnavailable(NOTHING)


async def refusal() -> None:
    raise KeyNotFound(NOTHING)


async def word() -> str:
    return "yes"


async def fail(circuit: Circuit, times: int = FAILURES) -> None:
    for _ in range(times):
        with pytest.raises(ProviderUnavailable):
            await circuit.through(silence)


async def test_it_opens_after_a_row_of_failures_and_then_asks_nobody(circuit: Circuit) -> None:
    before = metrics.BREAKER_OPENED.labels("test")._value.get()
    await fail(circuit, FAILURES - 1)
    assert circuit.state() is CircuitState.CLOSED
    await fail(circuit, 1)
    assert circuit.state() is CircuitState.OPEN

    asked = []

    async def ask() -> None:
        asked.append(1)

    with pytest.raises(ProviderUnavailable) as refused:
        await circuit.through(ask)

    assert asked == []
    assert refused.value.retry_after == 1
    assert metrics.BREAKER_OPENED.labels("test")._value.get() == before + 1


async def test_an_answer_between_failures_begins_the_row_anew(circuit: Circuit) -> None:
    for _ in range(3):
        await fail(circuit, FAILURES - 1)
        assert await circuit.through(word) == "yes"

    assert circuit.state() is CircuitState.CLOSED


async def test_a_refusal_in_the_providers_own_words_is_an_answer(circuit: Circuit) -> None:
    await fail(circuit, FAILURES - 1)
    for error in (KeyNotFound, RateLimited):

        async def refuse(error: type[KeyNotFound | RateLimited] = error) -> None:
            raise error(NOTHING)

        for _ in range(2 * FAILURES):
            with pytest.raises(error):
                await circuit.through(refuse)
        await fail(circuit, FAILURES - 1)

    assert circuit.state() is CircuitState.CLOSED


async def test_failures_that_lie_far_apart_are_no_row(circuit: Circuit, hands: Hands) -> None:
    await fail(circuit, FAILURES - 1)
    hands.now += breaker.WITHIN_SECONDS + 1
    await fail(circuit, FAILURES - 1)
    assert circuit.state() is CircuitState.CLOSED
    await fail(circuit, 1)
    assert circuit.state() is CircuitState.OPEN


async def test_after_the_pause_one_tries_while_the_others_wait(circuit: Circuit, hands: Hands) -> None:
    await fail(circuit)
    hands.now += breaker.FIRST_PAUSE_SECONDS
    answer = asyncio.Event()

    async def slow() -> str:
        await answer.wait()
        return "yes"

    trial = asyncio.create_task(circuit.through(slow))
    await asyncio.sleep(0)
    assert circuit.state() is CircuitState.HALF_OPEN
    with pytest.raises(ProviderUnavailable):
        await circuit.through(word)
    answer.set()

    assert await trial == "yes"
    assert circuit.state() is CircuitState.CLOSED
    await fail(circuit, FAILURES - 1)
    assert circuit.state() is CircuitState.CLOSED, "the row began anew"


async def test_each_vain_try_doubles_the_pause_up_to_a_bound(circuit: Circuit, hands: Hands) -> None:
    await fail(circuit)
    pauses = []
    pause = breaker.FIRST_PAUSE_SECONDS
    for _ in range(8):
        hands.now += pause - 0.01
        with pytest.raises(ProviderUnavailable) as early:
            await circuit.through(word)
        assert early.value.retry_after == 1
        hands.now += 0.01
        await fail(circuit, 1)
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
        with pytest.raises(ProviderUnavailable) as told:
            await circuit.through(word)
        pauses.append(told.value.retry_after)

    assert pauses == [2, 4, 8, 16, 30, 30, 30, 30]
    hands.now += LONGEST_PAUSE_SECONDS
    assert await circuit.through(word) == "yes"
    await fail(circuit)
    with pytest.raises(ProviderUnavailable) as again:
        await circuit.through(word)
    assert again.value.retry_after == 1, "an answer brings the first pause back"


async def test_a_try_that_nobody_waited_for_lets_the_next_one_try(circuit: Circuit, hands: Hands) -> None:
    await fail(circuit)
    hands.now += breaker.FIRST_PAUSE_SECONDS
    trial = asyncio.create_task(circuit.through(asyncio.Event().wait))
    await asyncio.sleep(0)
    trial.cancel()
    with pytest.raises(asyncio.CancelledError):
        await trial

    assert circuit.state() is CircuitState.OPEN
    assert await circuit.through(word) == "yes"


async def test_a_bug_of_ours_says_nothing_of_the_provider(circuit: Circuit, hands: Hands) -> None:
    async def bug() -> None:
        raise TypeError

    for _ in range(2 * FAILURES):
        with pytest.raises(TypeError):
            await circuit.through(bug)
    assert circuit.state() is CircuitState.CLOSED
    await fail(circuit)
    hands.now += breaker.FIRST_PAUSE_SECONDS
    with pytest.raises(TypeError):
        await circuit.through(bug)
    assert await circuit.through(word) == "yes"


async def test_giving_up_on_a_silent_provider_counts_and_giving_up_at_once_does_not(
    circuit: Circuit, hands: Hands
) -> None:
    async def give_up(after: float) -> None:
        task = asyncio.create_task(circuit.through(asyncio.Event().wait))
        await asyncio.sleep(0)
        hands.now += after
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    for _ in range(2 * FAILURES):
        await give_up(0.1)
    assert circuit.state() is CircuitState.CLOSED
    for _ in range(FAILURES):
        await give_up(breaker.SILENCE_SECONDS)
    assert circuit.state() is CircuitState.OPEN


async def test_an_answer_to_an_old_question_does_not_close_it(circuit: Circuit) -> None:
    answer = asyncio.Event()

    async def slow() -> None:
        await answer.wait()

    old = asyncio.create_task(circuit.through(slow))
    await asyncio.sleep(0)
    await fail(circuit)
    answer.set()
    await old

    assert circuit.state() is CircuitState.OPEN


# Over HTTP


class Flapping:
    """A gateway that breaks down and comes back as a test says, and counts who comes."""

    def __init__(self) -> None:
        self.well = True
        self.asked = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked += 1
        await receive()
        settled = scope["path"].startswith("/spi")
        body: Any = {"type": "NotFound", "title": ""}
        if settled:
            now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            end_to_end_id = scope["path"].rsplit("/", 1)[-1]
            body = {"endToEndId": end_to_end_id, "status": "ACSC", "reason": None, "settledAt": now, "externalRef": "x"}
        status = 503 if not self.well else 200 if settled else 404
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": json.dumps(body).encode()})


@dataclass
class Line:
    gateway: Flapping
    circuits: Circuits
    provider: Guarded
    hands: Hands

    async def find(self) -> KeyOwner:
        payer, end_to_end_id = TaxId.parse(COMPANY), EndToEndId(new_id())
        return await self.provider.find_key(KEY, ispb=OUR_ISPB, payer_tax_id=payer, end_to_end_id=end_to_end_id)


@pytest.fixture
async def lines(client: httpx.AsyncClient) -> AsyncIterator[tuple[Line, Line]]:
    """Two providers, each with a gateway of its own."""

    def line(gateway: Flapping, address: str) -> Line:
        hands = Hands()
        circuits = Circuits(*(Circuit(name, clock=hands) for name in Circuits().states()))
        provider = Guarded(NetworkHttp(client, base_url=address, secret=SECRET), circuits)
        return Line(gateway, circuits, provider, hands)

    ill, well = Flapping(), Flapping()
    async with served(ill) as here, served(well) as there:
        yield line(ill, here), line(well, there)


async def test_a_flapping_gateway_is_left_alone_and_found_again(lines: tuple[Line, Line]) -> None:
    line, _ = lines
    line.gateway.well = False
    for _ in range(20):
        with pytest.raises(ProviderUnavailable):
            await line.find()
    assert line.gateway.asked == FAILURES, "fifteen of twenty never left the house"

    line.hands.now += breaker.FIRST_PAUSE_SECONDS
    with pytest.raises(ProviderUnavailable):
        await line.find()
    assert line.gateway.asked == FAILURES + 1

    line.gateway.well = True
    line.hands.now += 2 * breaker.FIRST_PAUSE_SECONDS
    for _ in range(3):
        with pytest.raises(KeyNotFound):  # which is an answer
            await line.find()
    assert line.gateway.asked == FAILURES + 4
    assert line.circuits.directory.state() is CircuitState.CLOSED


async def test_one_that_is_ill_keeps_nobody_from_another(lines: tuple[Line, Line]) -> None:
    ill, well = lines
    ill.gateway.well = False
    for _ in range(FAILURES + 1):
        with pytest.raises(ProviderUnavailable):
            await ill.find()

    with pytest.raises(KeyNotFound):
        await well.find()
    assert set(well.circuits.states().values()) == {CircuitState.CLOSED}


async def test_a_directory_that_is_down_keeps_no_payment_from_settling(lines: tuple[Line, Line]) -> None:
    line, _ = lines
    line.gateway.well = False
    for _ in range(FAILURES):
        with pytest.raises(ProviderUnavailable):
            await line.find()
    line.gateway.well = True

    account = BankAccount.from_bare(OUR_ISPB, "0001", "123456", AccountType.PAYMENT)
    assert await line.provider.outcome_of(EndToEndId(new_id()), account=account) is not None
    assert line.circuits.states() == {
        "directory": "OPEN",
        "settlement": "CLOSED",
        "office": "CLOSED",
        "messages": "CLOSED",
    }


async def test_an_examination_goes_past_the_breakers(lines: tuple[Line, Line]) -> None:
    line, _ = lines
    line.gateway.well = False
    for _ in range(FAILURES):
        with pytest.raises(ProviderUnavailable):
            await line.find()
    asked = line.gateway.asked

    probes = await line.provider.examine(ispb=OUR_ISPB)

    assert {probe.name: probe.problem for probe in probes} == dict.fromkeys(("AUTH", "DICT"), "503 NotFound") | {
        "SPI": "503"
    }
    assert line.gateway.asked == asked + 3
    assert line.circuits.directory.state() is CircuitState.OPEN
