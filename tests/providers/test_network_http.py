"""Whatever a network does wrong, the adapter says that nothing is known, and says nothing that it should keep."""

import asyncio
import hashlib
import hmac
import json
import logging
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from lastro.errors import BankError, KeyNotFound, ProviderUnavailable, RateLimited, Unauthorized, Validation
from lastro.providers.network_http import NetworkHttp
from lastro.providers.protocol import Holder, Instruction, Party, Provider, Rejected, ReturnInstruction
from lastro.values.bank_account import AccountType, BankAccount
from lastro.values.end_to_end_id import EndToEndId
from lastro.values.money import Money
from lastro.values.pix_key import KeyType, PixKey
from lastro.values.tax_id import TaxId
from simulator.world import COMPANY, OUR_ISPB, SECRET, World, new_id, served

KEY = PixKey.parse(KeyType.EMAIL, "joao.segredo@exemplo.com.br")
HOLDER = TaxId.parse(COMPANY)
OWNER = Holder("Empresa ABC Ltda", HOLDER)
ACCOUNT = BankAccount.parse(OUR_ISPB, "0001", "12345-6", AccountType.CHECKING)


def order() -> Instruction:
    party = Party("Empresa ABC Ltda", HOLDER, ACCOUNT)
    now = datetime.now(UTC)
    return Instruction(EndToEndId(new_id()), Money(1000), party, party, KEY, "ção", now)


class Network:
    """A network that answers whatever a test wants, and remembers what it was sent."""

    def __init__(self) -> None:
        self.status, self.body, self.headers = 200, b"{}", list[tuple[bytes, bytes]]()
        self.sent: list[tuple[str, bytes]] = []
        self.seconds = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more:
            event = await receive()
            body, more = body + event.get("body", b""), event.get("more_body", False)
        self.sent.append((scope["raw_path"].decode(), body))
        await asyncio.sleep(self.seconds)
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": self.body})

    def answers(self, body: object, status: int = 200) -> None:
        self.status, self.body = status, json.dumps(body).encode()


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture
async def adapter(network: Network, client: httpx.AsyncClient) -> AsyncIterator[NetworkHttp]:
    async with served(network) as address:
        yield NetworkHttp(client, base_url=address + "/gateway/", secret=SECRET)


def status(end_to_end_id: str, **changes: Any) -> dict[str, Any]:
    return {
        "endToEndId": end_to_end_id,
        "status": "ACSC",
        "reason": None,
        "settledAt": "2024-01-15T10:30:00.000Z",
        "externalRef": "x",
    } | changes


CALLS: dict[str, Callable[[Provider], Any]] = {
    "find_key": lambda it: it.find_key(KEY, ispb=OUR_ISPB, payer_tax_id=HOLDER, end_to_end_id=EndToEndId(new_id())),
    "register_key": lambda it: it.register_key(KEY, kind=KEY.kind, owner=OWNER, account=ACCOUNT, request_id=uuid4()),
    "open_account": lambda it: it.open_account(
        OWNER, AccountType.CHECKING, ispb=OUR_ISPB, provider_id=uuid4(), request_id=uuid4()
    ),
    "remove_key": lambda it: it.remove_key(KEY, ispb=OUR_ISPB, request_id=uuid4()),
    "send_code": lambda it: it.send_code(
        KEY.kind, KEY.value, code="271828", key_id=uuid4(), expires_at=datetime.now(UTC)
    ),
    "settle": lambda it: it.settle([order()]),
    "outcome_of": lambda it: it.outcome_of(EndToEndId(new_id()), account=ACCOUNT),
    "give_back": lambda it: it.give_back(
        ReturnInstruction(EndToEndId(new_id()), EndToEndId(new_id()), ACCOUNT, Money(1), "MD06", datetime.now(UTC))
    ),
}
NONSENSE = [
    (200, b""),
    (200, b"<html>"),
    (200, b'{"key": NaN}'),
    (200, b"\xff"),
    (200, b"[" * 100_000),
    (204, b""),
    (301, b""),
    (401, b'{"type": "Unauthorized"}'),
    (400, b"<html>"),
    (403, b""),
    (409, b"{}"),
    (429, b""),
    (404, b"<html>"),
    (404, b'{"type": "NoSuchPath"}'),
    (404, b"{}"),
    (413, b"{}"),
    (500, b'{"type": "NotFound"}'),
    (503, b""),
    (504, b""),
]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(("code", "body"), NONSENSE)
async def test_an_answer_that_is_none_means_that_nothing_is_known(
    network: Network, adapter: NetworkHttp, call: str, code: int, body: bytes
) -> None:
    network.status, network.body = code, body
    with pytest.raises(ProviderUnavailable):
        await CALLS[call](adapter)


@pytest.mark.parametrize("call", sorted(set(CALLS) - {"remove_key", "send_code"}))  # they only say that it was done
@pytest.mark.parametrize("body", [[], {}, {"statuses": []}, None, "x"])
async def test_an_answer_about_something_else_means_that_nothing_is_known(
    network: Network, adapter: NetworkHttp, call: str, body: object
) -> None:
    network.answers(body)
    with pytest.raises(ProviderUnavailable):
        await CALLS[call](adapter)


@pytest.mark.parametrize("call", CALLS)
async def test_nobody_at_the_other_end_means_that_nothing_is_known(client: httpx.AsyncClient, call: str) -> None:
    with pytest.raises(ProviderUnavailable):
        await CALLS[call](NetworkHttp(client, base_url="http://127.0.0.1:1", secret=SECRET))


@pytest.mark.parametrize("call", ["settle", "give_back"])
@pytest.mark.parametrize("code", [400, 404, 409, 422, 429])
async def test_a_refusal_of_a_payment_that_is_no_status_means_that_nothing_is_known(
    network: Network, adapter: NetworkHttp, call: str, code: int
) -> None:
    network.answers({"type": "NotFound"}, code)
    with pytest.raises(ProviderUnavailable):
        await CALLS[call](adapter)


@pytest.mark.parametrize(
    "twist",
    [
        lambda statuses: statuses[:1],
        lambda statuses: [*statuses, statuses[0]],
        lambda statuses: statuses[::-1],
        lambda statuses: [statuses[0], status(new_id())],
        lambda statuses: [statuses[0], statuses[1] | {"settledAt": None}],
        lambda statuses: [statuses[0], statuses[1] | {"settledAt": "2024-01-15T10:30:00"}],
        lambda statuses: [statuses[0], statuses[1] | {"status": "RJCT"}],
        lambda statuses: [statuses[0], statuses[1] | {"status": "DONE"}],
    ],
)
async def test_answers_that_do_not_fit_the_payments_mean_that_nothing_is_known_of_any(
    network: Network, adapter: NetworkHttp, twist: Callable[[list[Any]], list[Any]]
) -> None:
    batch = [order(), order()]
    network.answers({"statuses": twist([status(each.end_to_end_id) for each in batch])})
    with pytest.raises(ProviderUnavailable):
        await adapter.settle(batch)


async def test_an_outcome_of_another_payment_is_none(network: Network, adapter: NetworkHttp) -> None:
    network.answers(status(new_id()))
    for call in ("outcome_of", "give_back"):
        with pytest.raises(ProviderUnavailable):
            await CALLS[call](adapter)


async def test_the_same_payment_is_always_the_same_bytes(network: Network, adapter: NetworkHttp) -> None:
    payment = order()
    network.answers({"statuses": [status(payment.end_to_end_id, status="RJCT", reason="AC03")]})
    for _ in range(2):
        assert await adapter.settle([payment]) == [Rejected("AC03")]
    later = replace(payment, accepted_at=payment.accepted_at.astimezone())
    await adapter.settle([later])
    assert len(set(network.sent)) == 1
    path, body = network.sent[0]
    assert path == "/gateway/spi/payments"
    assert body == json.dumps(json.loads(body), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


async def test_more_than_a_hundred_payments_are_a_bug_of_ours(adapter: NetworkHttp) -> None:
    with pytest.raises(AssertionError):
        await adapter.settle([order()] * 101)


@pytest.mark.parametrize(
    ("header", "seconds"), [(b"17", 17), (b"9" * 9, 3600), (b"soon", 1), (b"", 1), (b"9" * 5000, 1)]
)
async def test_too_often_says_when_to_come_back(
    network: Network, adapter: NetworkHttp, header: bytes, seconds: int
) -> None:
    network.answers({"type": "RateLimited"}, 429)
    network.headers = [(b"retry-after", header)]
    with pytest.raises(RateLimited) as raised:
        await CALLS["find_key"](adapter)
    assert raised.value.retry_after == seconds


async def test_an_answer_that_takes_too_long_means_that_nothing_is_known(
    network: Network, adapter: NetworkHttp, monkeypatch: pytest.MonkeyPatch
) -> None:
    network.seconds = 0.5
    real = adapter._call

    async def impatient(method: str, path: str, **facts: Any) -> Any:
        return await real(method, path, **facts | {"seconds": 0.1})

    monkeypatch.setattr(adapter, "_call", impatient)
    with pytest.raises(ProviderUnavailable):
        await CALLS["settle"](adapter)


async def test_a_wrong_secret_means_that_nothing_is_known(world: World, client: httpx.AsyncClient) -> None:
    stranger = NetworkHttp(client, base_url=f"{world.base}/network", secret="another secret altogether")
    with pytest.raises(ProviderUnavailable):
        await CALLS["find_key"](stranger)


@pytest.mark.parametrize("case", [(200, ProviderUnavailable), (404, KeyNotFound), (503, ProviderUnavailable)])
async def test_keys_and_documents_stay_out_of_logs_and_errors(
    network: Network,
    adapter: NetworkHttp,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    case: tuple[int, type[BankError]],
) -> None:
    code, error = case
    caplog.set_level(logging.INFO)
    network.answers({"type": "NotFound", "title": KEY.value, "key": KEY.value}, code)
    with pytest.raises(error) as raised:
        await CALLS["find_key"](adapter)
    out, err = capfd.readouterr()
    chain = f"{raised.value!r} {raised.value.text} {raised.value.__cause__!r}"
    for text in (chain, caplog.text, out, err):
        assert "segredo" not in text
        assert COMPANY not in text


def letter(body: bytes, *, at: float | None = None, secret: str = SECRET) -> tuple[dict[str, str], bytes]:
    timestamp = str(int(time.time() if at is None else at))
    signature = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {"network-timestamp": timestamp, "NETWORK-SIGNATURE": signature}, body


def status_news(**changes: Any) -> bytes:
    return json.dumps({"id": str(uuid4()), "type": "payment.status", "status": status(new_id(), **changes)}).encode()


@pytest.fixture
def reader(client: httpx.AsyncClient) -> NetworkHttp:
    return NetworkHttp(client, base_url="http://nowhere", secret=SECRET)


def test_a_signed_letter_is_read(reader: NetworkHttp) -> None:
    reader.read(*letter(status_news()))
    reader.read(*letter(status_news(), at=time.time() - 290))


def test_a_letter_under_another_secret_or_time_or_with_another_body_is_not_read(reader: NetworkHttp) -> None:
    headers, body = letter(status_news())
    late = {**headers, "network-timestamp": str(int(headers["network-timestamp"]) + 1)}
    forged = [
        letter(body, secret="x" * 40),
        letter(body, at=time.time() - 310),
        letter(body, at=time.time() + 310),
        (late, body),
        (headers, body + b" "),
        ({}, body),
        (headers | {"NETWORK-SIGNATURE": "é"}, body),
        (headers | {"NETWORK-SIGNATURE": headers["NETWORK-SIGNATURE"].upper()}, body),
    ]
    for each in forged:
        with pytest.raises(Unauthorized):
            reader.read(*each)


def signed_nonsense() -> list[bytes]:
    payment = {
        "endToEndId": new_id(),
        "amount": "1.00",
        "payer": {
            "name": "Ana",
            "taxId": COMPANY,
            "account": {"ispb": "18236120", "branch": "1", "number": "1", "type": "CACC"},
        },
        "payee": {
            "taxId": COMPANY,
            "account": {"ispb": OUR_ISPB, "branch": "1", "number": "1", "type": "CACC"},
            "key": None,
        },
        "txid": None,
        "remittanceInformation": None,
        "createdAt": "2024-01-15T10:30:00.000Z",
    }
    flaws: list[dict[str, Any]] = [
        {"amount": 1.0},
        {"endToEndId": "D00000000202611212325HcTC2l72Sx1"},
        {"amount": "-1.00"},
        {"endToEndId": "E1"},
        {"txid": "a b"},
        {"createdAt": "2024-13-15T10:30:00.000Z"},
        {"createdAt": "2024-01-15T10:30:00-03:00"},
        {"remittanceInformation": "a\0b"},
        {"remittanceInformation": "\ud800"},
        {"payer": None},
    ]
    wrong = [json.dumps({"type": "payment.received", "payment": payment | flaw}).encode() for flaw in flaws]
    twice = b'{"type": "payment.status", ' + status_news()[1:]
    return [*wrong, b"", b"{}", b"[]", b"null", b"\xff", b'{"type": "payment.lost"}', twice, status_news(status="RJCT")]


@pytest.mark.parametrize("body", signed_nonsense())
def test_a_signed_letter_that_makes_no_sense_is_invalid(reader: NetworkHttp, body: bytes) -> None:
    with pytest.raises(Validation):
        reader.read(*letter(body))


def test_the_nonsense_is_sense_without_its_flaws(reader: NetworkHttp) -> None:
    """Or the test above would pass for the wrong reason."""
    body = json.loads(signed_nonsense()[0])
    body["payment"]["amount"] = "1.00"
    reader.read(*letter(json.dumps(body).encode()))


# Examination


async def test_each_part_of_the_network_is_asked_and_measured(adapter: NetworkHttp, network: Network) -> None:
    network.answers({"status": "UP"})
    network.seconds = 0.05

    probes = await adapter.examine(ispb=OUR_ISPB)

    assert [(probe.name, probe.problem) for probe in probes] == [("AUTH", None), ("DICT", None), ("SPI", None)]
    assert all(probe.milliseconds >= 50 for probe in probes)
    assert {path for path, _ in network.sent} == {"/gateway/ping", "/gateway/dict/ping", "/gateway/spi/ping"}


async def test_a_wrong_secret_is_found_out(world: World, client: httpx.AsyncClient) -> None:
    stranger = NetworkHttp(client, base_url=f"{world.base}/network", secret="another secret altogether")

    assert {probe.problem for probe in await stranger.examine(ispb=OUR_ISPB)} == {"401 Unauthorized"}


async def test_a_participant_that_is_none_is_found_out(world: World, client: httpx.AsyncClient) -> None:
    adapter = NetworkHttp(client, base_url=f"{world.base}/network", secret=SECRET)

    assert {probe.problem for probe in await adapter.examine(ispb="123")} == {"400 BadRequest"}


async def test_an_answer_that_is_no_pong_is_found_out(adapter: NetworkHttp, network: Network) -> None:
    network.answers({})
    assert {probe.problem for probe in await adapter.examine(ispb=OUR_ISPB)} == {"an answer that makes no sense"}
    network.status, network.body = 200, b"<html>"
    assert all(probe.problem for probe in await adapter.examine(ispb=OUR_ISPB))


async def test_a_network_that_is_silent_or_nowhere_is_found_out_within_seconds(
    adapter: NetworkHttp, network: Network, client: httpx.AsyncClient
) -> None:
    network.answers({"status": "UP"})
    network.seconds = 30
    began = time.monotonic()

    silent = await adapter.examine(ispb=OUR_ISPB)
    nowhere = await NetworkHttp(client, base_url="http://127.0.0.1:9", secret=SECRET).examine(ispb=OUR_ISPB)

    assert time.monotonic() - began < 10
    assert all(probe.problem and "127.0.0.1" not in probe.problem for probe in (*silent, *nowhere))
    assert all(probe.milliseconds >= 1_900 for probe in silent)
