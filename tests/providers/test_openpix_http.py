"""Whatever OpenPix says or does not: no payment goes out twice, and none is called failed that may yet go out."""

import asyncio
import base64
import json
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from starlette.types import Receive, Scope, Send

from lastro.errors import BankError, ProviderUnavailable, RateLimited, Unauthorized, Unprocessable, Validation
from lastro.providers import openpix_http
from lastro.providers.openpix_http import OpenPixHttp
from lastro.providers.openpix_wire import reason_in
from lastro.providers.protocol import (
    Holder,
    InFlight,
    Instruction,
    NoNews,
    PaymentStatus,
    PixReceived,
    Provider,
    Rejected,
    ReturnInstruction,
    Settled,
    WantedCode,
)
from lastro.values.bank_account import AccountType
from lastro.values.end_to_end_id import EndToEndId
from lastro.values.money import Money
from lastro.values.pix_key import KeyType, PixKey
from lastro.values.tax_id import TaxId
from lastro.values.text import Invalid
from providers.conftest import OpenPix, access
from providers.openpix_double import APP_ID, ISPB, Accounts, Double, Fault, Somebody
from providers.sides import AT_OPENPIX, OpenPixSide
from providers.test_network_http import Network
from simulator.world import COMPANY, served

KEY = PixKey.parse(KeyType.EMAIL, "joao.segredo@exemplo.com.br")
OURS = TaxId.parse(COMPANY)
CHARGE = WantedCode(uuid4(), "Loja", Money(100), None, timedelta(hours=1))
STATIC = WantedCode(uuid4(), "Loja", Money(100), None, None)


def an_id(*, of_return: bool = False) -> EndToEndId:
    now = datetime.now(UTC)
    return EndToEndId.new_return(ISPB, now) if of_return else EndToEndId.new(ISPB, now)


def a_return(original: str | None = None, centavos: int = 1) -> ReturnInstruction:
    now = datetime.now(UTC)
    received = EndToEndId(original or an_id())
    return ReturnInstruction(an_id(of_return=True), received, AT_OPENPIX, Money(centavos), "MD06", now)


class Answering(Network):
    """Something that answers whatever a test wants, and what `account` says when it is asked for our account."""

    account: str | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.account is None or "/account/" not in scope["path"]:
            await super().__call__(scope, receive, send)
            return
        own = {"taxId": COMPANY, "branch": "0001", "account": self.account}
        said = json.dumps({"accounts": [{"accountId": "a", "isDefault": True}], "account": own}).encode()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": said})


@pytest.fixture
def side(openpix: OpenPix) -> OpenPixSide:
    return OpenPixSide(openpix.double, openpix.provider)


@pytest.fixture
def network() -> Answering:
    return Answering()


@pytest.fixture
async def adapter(network: Answering, client: httpx.AsyncClient) -> AsyncIterator[OpenPixHttp]:
    """The adapter before something that answers whatever a test wants."""
    async with served(network) as address:
        yield OpenPixHttp(client, base_url=address, access=access(Double(COMPANY)))


async def test_an_app_id_that_acts_on_another_account_pays_nothing(side: OpenPixSide) -> None:
    order, account = await side.order(), side.double.account
    side.double.account = "00000000000000999999"
    with pytest.raises(ProviderUnavailable):
        await side.provider.settle([order])
    assert await side.left(order) == []

    side.double.account = account
    await side.provider.settle([order])
    assert len(await side.left(order)) == 1


async def test_an_app_id_that_acts_on_another_account_gives_nothing_back_and_says_nothing(side: OpenPixSide) -> None:
    back, account = a_return(await side.pays_us(1000), 400), side.double.account
    await side.provider.settle([await side.order("0.01")])  # after which payments are sure of it for a minute
    side.double.left.clear()
    side.double.account = "00000000000000999999"
    with pytest.raises(ProviderUnavailable):
        await side.provider.give_back(back)
    with pytest.raises(ProviderUnavailable):
        await side.provider.outcome_of(back.return_id, account=AT_OPENPIX)
    assert side.double.left == []

    side.double.account = account
    await side.provider.give_back(back)
    assert [each["value"] for each in side.double.left] == [400]


@pytest.fixture
def other() -> Double:
    """Another account at OpenPix, under an AppID of its own."""
    return Double(COMPANY, app_id="another", account="00000000000000999999")


@pytest.mark.parametrize("knows_the_pix", [True, False])
async def test_an_app_id_that_takes_the_place_of_another_repeats_and_judges_no_refund(
    openpix: OpenPix, client: httpx.AsyncClient, other: Double, knows_the_pix: bool
) -> None:
    """Given back, and the answer lost. The other account would give it back again, or say that there is nothing."""
    double, received = openpix.double, openpix.double.is_paid(1000)
    back = a_return(received, 400)
    if knows_the_pix:
        other.received[received] = 1000
    async with served(Accounts([double, other])) as address:
        adapter = openpix_http.adapter(client, base_url=address)
        double.faults.append(Fault("POST /refund", dropped=True))
        first = adapter.connect(access(double))
        with pytest.raises(ProviderUnavailable):
            await first.give_back(back)
        second = adapter.connect(access(other, app_id=other.app_id))
        with pytest.raises(ProviderUnavailable):
            await second.give_back(back)
        with pytest.raises(ProviderUnavailable):
            await second.outcome_of(back.return_id, account=AT_OPENPIX)
        assert other.left == []
        assert isinstance(await first.give_back(back), Settled)
    assert [each["value"] for each in double.left] == [400]


async def test_a_refusal_is_believed_only_of_the_account_that_was_meant(side: OpenPixSide) -> None:
    """In its panel the account under the AppID becomes another one, just between our question and the refusal."""
    nobody = PixKey.parse(KeyType.EMAIL, "ninguem@exemplo.com.br")
    order, account = replace(await side.order(), key=nobody), side.double.account
    for call, ask in (
        ("POST /refund", partial(side.provider.give_back, a_return())),
        ("POST /payment", partial(side.provider.settle, [order])),
    ):
        side.double.account = account
        side.double.faults.append(Fault(call, seconds=0.2))
        answer = asyncio.ensure_future(ask())
        while call not in side.double.calls:
            await asyncio.sleep(0.01)
        side.double.account = "00000000000000999999"
        with pytest.raises(ProviderUnavailable):
            await answer


async def test_refunds_at_once_share_the_questions_for_the_account(side: OpenPixSide) -> None:
    received = await side.pays_us(1000)
    await asyncio.gather(*(side.provider.give_back(a_return(received, 10)) for _ in range(20)))
    assert [each["value"] for each in side.double.left] == [10] * 20
    assert side.double.calls.count("GET /account/") <= 3


A_KEY_OF_512_BITS = (
    "MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBALVntoNb1QwZe9VJB8UKT3lUIwOBsVJs4BVOoZj3q8/q7m7qFX2BR4r2H7GlH1GnxTeocZt1Yk2qIX8t"
    "RSot3P0CAwEAAQ=="
)
"""Anybody finds its factors within hours."""


async def look_up(provider: Provider, key: PixKey = KEY) -> Any:
    return await provider.find_key(key, ispb=ISPB, payer_tax_id=OURS, end_to_end_id=an_id())


CALLS: dict[str, Callable[[Provider, Instruction], Any]] = {
    "find_key": lambda it, _: look_up(it),
    "settle": lambda it, order: it.settle([order]),
    "outcome_of": lambda it, order: it.outcome_of(order.end_to_end_id, account=AT_OPENPIX),
    "outcome_of_a_return": lambda it, _: it.outcome_of(an_id(of_return=True), account=AT_OPENPIX),
    "give_back": lambda it, _: it.give_back(a_return()),
    "open_account": lambda it, _: it.open_account(
        Holder("Empresa ABC Ltda", OURS), AccountType.PAYMENT, ispb=ISPB, provider_id=uuid4(), request_id=uuid4()
    ),
    "charge": lambda it, _: it.make_code(CHARGE),
    "static": lambda it, _: it.make_code(STATIC),
}
NONSENSE = [
    (200, b""),
    (200, b"<html>"),
    (200, b"{}"),
    (200, b"[]"),
    (200, b"null"),
    (200, b'{"payment": NaN}'),
    (200, b"[" * 100_000),
    (204, b""),
    (301, b'{"error": "moved"}'),
    (400, b"<html>"),
    (400, b"{}"),
    (400, b'{"error": ""}'),
    (400, b'{"error": [{"message": "?"}]}'),
    (401, b'{"error": "appID"}'),
    (402, b'{"error": "?"}'),
    (403, b'{"error": "?"}'),
    (404, b"<html>"),
    (409, b'{"error": "?"}'),
    (422, b'{"error": "?"}'),
    (500, b'{"error": "Pagamento n\xc3\xa3o encontrado"}'),
    (502, b""),
    (504, b""),
]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("answer", NONSENSE)
async def test_an_answer_that_is_none_means_that_nothing_is_known(
    network: Answering, adapter: OpenPixHttp, side: OpenPixSide, call: str, answer: tuple[int, bytes]
) -> None:
    network.status, network.body = answer
    for account in (None, side.double.account):  # what is no answer to the question for our account, or behind it
        network.account = account
        if account is None or call != "open_account":
            with pytest.raises(ProviderUnavailable):
                await CALLS[call](adapter, await side.order())


@pytest.mark.parametrize("call", CALLS)
async def test_nobody_at_the_other_end_means_that_nothing_is_known(
    client: httpx.AsyncClient, side: OpenPixSide, call: str
) -> None:
    nowhere = OpenPixHttp(client, base_url="http://127.0.0.1:1", access=access(side.double))
    with pytest.raises(ProviderUnavailable):
        await CALLS[call](nowhere, await side.order())


@pytest.mark.parametrize("app_id", ["", "é", "a b", "a\r\nX: y"])
def test_an_app_id_that_is_none_is_said_at_once(client: httpx.AsyncClient, app_id: str) -> None:
    with pytest.raises(Invalid):
        openpix_http.adapter(client, base_url="http://nowhere").connect(access(Double(COMPANY), app_id=app_id))


async def test_a_wrong_app_id_means_that_nothing_is_known(openpix: OpenPix, client: httpx.AsyncClient) -> None:
    """And the right one travels as it is: the double takes nothing else."""
    stranger = OpenPixHttp(client, base_url=openpix.address, access=access(openpix.double, app_id="another"))
    with pytest.raises(ProviderUnavailable):
        await look_up(stranger)
    assert APP_ID not in repr(access(openpix.double))


# Keys


async def test_of_a_person_only_parts_are_shown_and_a_payment_goes_out_under_the_id_of_the_lookup(
    side: OpenPixSide,
) -> None:
    order = await side.order()
    assert (order.payee.tax_id.value, order.payee.tax_id.is_covered) == ("390******05", True)
    assert order.payee.tax_id.masked == "390******05"
    assert not order.payee.tax_id.has_valid_check_digits
    assert not order.payee.account.is_disclosed
    await side.provider.settle([order])
    (sent,) = side.double.payments.values()
    assert sent.order["correlationID"] == sent.order["pixKeyEndToEndId"] == order.end_to_end_id
    assert sent.order["destinationAliasType"] == "EMAIL"


async def test_a_company_and_a_random_key_are_shown_whole(side: OpenPixSide) -> None:
    key = PixKey.parse(KeyType.EVP, str(uuid4()))
    side.double.directory[key.value] = Somebody("Empresa", "11222333000181", "RANDOM")
    owner = await look_up(side.provider, key)
    assert (owner.key, owner.party.tax_id) == (key, TaxId.parse("11222333000181"))


async def test_a_key_under_suspicion_is_not_to_be_asked_for(side: OpenPixSide) -> None:
    side.double.directory[KEY.value] = Somebody("Fraude", "39053344705", "EMAIL")
    with pytest.raises(Unprocessable) as raised:
        await look_up(side.provider)
    assert "segredo" not in str(raised.value)


async def test_an_empty_bucket_says_when_it_is_filled_again(side: OpenPixSide) -> None:
    side.double.tokens = 19
    with pytest.raises(RateLimited) as raised:
        await look_up(side.provider)
    assert raised.value.retry_after == 60


async def test_an_answer_about_another_key_is_none(network: Answering, adapter: OpenPixHttp) -> None:
    owner = {"name": "Ana", "taxID": "390.***.***-05", "psp": "18236120", "branch": "*", "account": "*"}
    said: dict[str, Any] = {"pixKey": KEY.value, "type": "EMAIL", "pixKeyEndToEndId": an_id(), "owner": owner}
    network.answers(said)
    assert (await look_up(adapter)).end_to_end_id == said["pixKeyEndToEndId"]
    wrongs: list[dict[str, Any]] = [
        {"pixKey": "ana@exemplo.com.br"},
        {"type": "IBAN"},
        {"pixKeyEndToEndId": "E123"},
        {"pixKeyEndToEndId": an_id(of_return=True)},
        {"owner": owner | {"psp": "Banco"}},
        {"owner": owner | {"taxID": "***"}},
        {"owner": owner | {"name": "a\0b"}},
    ]
    for wrong in wrongs:
        network.answers(said | wrong)
        with pytest.raises(ProviderUnavailable):
            await look_up(adapter)


@pytest.mark.parametrize("case", [(200, ProviderUnavailable), (400, Unprocessable), (503, ProviderUnavailable)])
async def test_keys_and_what_openpix_says_stay_out_of_logs_and_errors(
    network: Answering,
    adapter: OpenPixHttp,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    case: tuple[int, type[BankError]],
) -> None:
    code, error = case
    caplog.set_level(logging.INFO)
    network.answers({"error": f"Chave inválida: {KEY.value}", "pixKey": KEY.value}, code)
    with pytest.raises(error) as raised:
        await look_up(adapter)
    out, err = capfd.readouterr()
    chain = f"{raised.value!r} {raised.value.text} {raised.value.reason} {raised.value.__cause__!r}"
    for text in (chain, caplog.text, out, err):
        assert "segredo" not in text


# Payments


@pytest.mark.parametrize("call", ["POST /payment", "POST /payment/approve"])
@pytest.mark.parametrize("way", [{"lost": True}, {"dropped": True}, {"status": 500}, {"status": 504, "dropped": True}])
async def test_whatever_answer_is_lost_a_payment_goes_out_once(
    side: OpenPixSide, call: str, way: dict[str, Any]
) -> None:
    order = await side.order()
    side.double.faults.append(Fault(call, **way))
    with pytest.raises(ProviderUnavailable):
        await side.provider.settle([order])
    await side.provider.settle([order])
    assert await side.provider.settle([order]) == [
        await side.provider.outcome_of(order.end_to_end_id, account=AT_OPENPIX)
    ]
    assert await side.left(order) == [150_000]


async def test_only_what_waits_is_approved(side: OpenPixSide) -> None:
    order = await side.order()
    await side.takes_its_time(order)
    for _ in range(3):
        assert await side.provider.settle([order]) == [InFlight()]
    side.double.conclude(order.end_to_end_id)
    await side.provider.settle([order])
    assert side.double.calls.count("POST /payment/approve") == 1


async def test_what_one_payment_meets_is_not_the_others_fault(side: OpenPixSide) -> None:
    orders = [await side.order("1.00") for _ in range(3)]
    side.double.faults.append(Fault("POST /payment/approve", dropped=True))
    outcomes = await side.provider.settle(orders)
    assert outcomes.count(None) == 1
    await side.provider.settle(orders)
    again = await side.provider.settle(orders)
    assert [isinstance(each, Settled) for each in again] == [True] * 3
    assert [await side.left(each) for each in orders] == [[100]] * 3


async def test_a_request_that_is_refused_is_rejected_only_if_there_is_none(side: OpenPixSide) -> None:
    order = replace(await side.order(), key=PixKey.parse(KeyType.EMAIL, "ninguem@exemplo.com.br"))
    assert await side.provider.settle([order]) == [Rejected("ED05")]
    side.double.faults.append(Fault("GET /payment", status=503))
    with pytest.raises(ProviderUnavailable):
        await side.provider.settle([order])


@pytest.mark.parametrize("sentence", ["Conta não encontrada", "Bank account not found", "Não foi possível consultar"])
async def test_another_thing_that_is_not_found_says_nothing_of_a_payment(
    network: Answering, adapter: OpenPixHttp, side: OpenPixSide, sentence: str
) -> None:
    network.answers({"error": sentence}, 400)
    network.account = side.double.account
    for call in ("settle", "outcome_of", "give_back", "outcome_of_a_return"):
        with pytest.raises(ProviderUnavailable):
            await CALLS[call](adapter, await side.order())


async def test_a_payment_that_lacks_balance_waits_for_it(side: OpenPixSide) -> None:
    """It stays requested there, where anybody may approve it: to call it failed would be to pay it twice one day."""
    order = await side.order()
    side.double.balance = 0
    assert await side.provider.settle([order]) == [InFlight()]
    assert await side.provider.outcome_of(order.end_to_end_id, account=AT_OPENPIX) == InFlight()
    side.double.balance = 150_000
    await side.provider.settle([order])
    assert isinstance(await side.provider.outcome_of(order.end_to_end_id, account=AT_OPENPIX), Settled)
    assert await side.left(order) == [150_000]


async def test_a_payment_that_needs_its_txid_is_refused_without_a_call(side: OpenPixSide) -> None:
    order = replace(await side.order(), txid="abc")
    assert await side.provider.settle([order]) == [Rejected("AG03")]
    assert side.double.payments == {}


@pytest.mark.parametrize(
    "twist",
    [
        {"correlationID": "another"},
        {"value": 1},
        {"value": 150_000.0},
        {"destinationAlias": "somebody@else.com"},
        {"status": "DONE"},
        {"status": "CONFIRMED"},  # and no transaction that says when
    ],
)
async def test_another_payment_than_was_ordered_is_not_believed(
    network: Answering, adapter: OpenPixHttp, side: OpenPixSide, twist: dict[str, Any]
) -> None:
    order = await side.order()
    said = {
        "type": "PIX_KEY",
        "value": 150_000,
        "status": "APPROVED",
        "destinationAlias": order.key.value,
        "correlationID": order.end_to_end_id,
    }
    network.account = side.double.account
    network.answers({"payment": said})
    assert await adapter.settle([order]) == [InFlight()]
    network.answers({"payment": said | twist})
    with pytest.raises(ProviderUnavailable):
        await adapter.settle([order])


async def test_more_than_a_hundred_payments_are_a_bug_of_ours(side: OpenPixSide) -> None:
    with pytest.raises(AssertionError):
        await side.provider.settle([await side.order()] * 101)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("AC03 - Número da conta inválido", "AC03"),
        ("FRAD", "FRAD"),
        ("PIX_KEY_INFO_NOT_FOUND", "AC03"),
        ("NOT_ENOUGH_BALANCE", "AM04"),
        ("Você não possui saldo", "ED05"),
        ("", "ED05"),
        (None, "ED05"),
    ],
)
def test_a_reason_is_one_of_the_rails(said: str | None, code: str) -> None:
    assert reason_in(said) == code


# Refunds


@pytest.mark.parametrize("way", [{"lost": True}, {"dropped": True}, {"status": 500}])
async def test_whatever_answer_is_lost_a_refund_goes_out_once(side: OpenPixSide, way: dict[str, Any]) -> None:
    back = a_return(await side.pays_us(1000), 400)
    side.double.faults.append(Fault("POST /refund", **way))
    with pytest.raises(ProviderUnavailable):
        await side.provider.give_back(back)
    await side.provider.give_back(back)
    assert isinstance(await side.provider.give_back(back), Settled)
    assert [each["value"] for each in side.double.left] == [400]


async def test_a_refund_of_what_never_came_is_rejected(side: OpenPixSide) -> None:
    assert await side.provider.give_back(a_return()) == Rejected("ED05")


# Codes


async def test_a_charge_of_less_than_five_minutes_is_refused_without_a_call(side: OpenPixSide) -> None:
    with pytest.raises(Unprocessable) as raised:
        await side.provider.make_code(replace(CHARGE, lifetime=timedelta(minutes=4)))
    assert [flaw.pointer for flaw in raised.value.flaws] == ["/data/attributes/expiresInMinutes"]
    assert side.double.charges == {}


@pytest.mark.parametrize("wanted", [CHARGE, STATIC])
async def test_a_code_that_openpix_will_not_make_is_unprocessable(side: OpenPixSide, wanted: WantedCode) -> None:
    with pytest.raises(Unprocessable):
        await side.provider.make_code(replace(wanted, amount=Money(0)))


@pytest.mark.parametrize("wanted", [CHARGE, STATIC])
async def test_whatever_answer_is_lost_a_code_is_made_once(side: OpenPixSide, wanted: WantedCode) -> None:
    side.double.faults.append(Fault("POST /", dropped=True))
    with pytest.raises(ProviderUnavailable):
        await side.provider.make_code(wanted)
    await side.provider.make_code(wanted)
    assert len(side.double.charges) + len(side.double.statics) == 1


async def test_a_code_that_is_not_what_was_wanted_is_not_believed(
    network: Answering, adapter: OpenPixHttp, side: OpenPixSide
) -> None:
    await side.provider.make_code(CHARGE)
    await side.provider.make_code(STATIC)
    (charge,), (static,) = side.double.charges.values(), side.double.statics.values()
    network.answers({"charge": charge})
    assert (await adapter.make_code(CHARGE)).text == charge["brCode"]
    network.answers({"pixQrCode": static})
    assert (await adapter.make_code(STATIC)).text == static["brCode"]
    for twist in [
        {"brCode": static["brCode"]},
        {"brCode": charge["brCode"][:-1] + "?"},
        {"value": 101},
        {"correlationID": str(uuid4())},
        {"expiresDate": "amanhã"},
        {"pixKey": "?"},
        {"paymentMethods": None, "transactionID": "short"},
    ]:
        network.answers({"charge": charge | twist})
        with pytest.raises(ProviderUnavailable):
            await adapter.make_code(CHARGE)
    for wrong in [{"brCode": charge["brCode"]}, {"correlationID": str(uuid4())}]:
        network.answers({"pixQrCode": static | wrong})
        with pytest.raises(ProviderUnavailable):
            await adapter.make_code(STATIC)
    network.answers({"pixQrCode": static})
    with pytest.raises(ProviderUnavailable):
        await adapter.make_code(replace(STATIC, amount=Money(101)))


# Examining


async def test_an_examination_tells_what_works_and_what_does_not(side: OpenPixSide, client: httpx.AsyncClient) -> None:
    good = await side.provider.examine(ispb=ISPB)
    assert [(each.name, each.problem) for each in good] == [("AUTH", None), ("DICT", None)]
    assert all(0 <= each.milliseconds < 20_000 for each in good)
    side.double.tokens = 19
    assert [each.problem is None for each in await side.provider.examine(ispb=ISPB)] == [True, False]
    side.double.faults.append(Fault("GET /", times=2, dropped=True))
    assert all(each.problem for each in await side.provider.examine(ispb=ISPB))
    nowhere = OpenPixHttp(client, base_url="http://127.0.0.1:1", access=access(side.double))
    assert [each.problem for each in await nowhere.examine(ispb=ISPB)] == ["ConnectError"] * 2


# News


def sees(double: Double, event: dict[str, Any], client: httpx.AsyncClient, **more: Any) -> Any:
    reader = openpix_http.adapter(client, base_url="http://nowhere").connect(access(double, **more))
    return reader.read(*double.signed(event))


async def test_while_a_key_takes_the_place_of_another_both_are_believed(
    side: OpenPixSide, client: httpx.AsyncClient
) -> None:
    old, event = Double(COMPANY), {"event": "OPENPIX:CHARGE_EXPIRED"}
    both = f"{side.double.public_key},{old.public_key}"
    for signer in (side.double, old):
        assert sees(signer, event, client, keys=both) == NoNews("OPENPIX:CHARGE_EXPIRED")
    with pytest.raises(Unauthorized):
        sees(side.double, event, client, keys=old.public_key)
    without = openpix_http.adapter(client, base_url="http://nowhere").connect(replace(access(old), settings={}))
    with pytest.raises(Unauthorized):
        without.read(*old.signed(event))


async def test_a_public_key_is_taken_as_it_comes(side: OpenPixSide, client: httpx.AsyncClient) -> None:
    pem, event = side.double.public_key, {"event": "OPENPIX:CHARGE_EXPIRED"}
    inside = "".join(pem.splitlines()[1:-1])
    for key in (pem, pem.replace("\n", " "), inside, base64.b64encode(pem.encode()).decode()):
        assert sees(side.double, event, client, keys=key) == NoNews("OPENPIX:CHARGE_EXPIRED")
    elliptic = ec.generate_private_key(ec.SECP256R1()).public_key()
    elliptic_pem = elliptic.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    for nonsense_of_keys in ("no key", elliptic_pem, A_KEY_OF_512_BITS, 7, [pem], "", f"{pem},", f"{pem}," * 5 + pem):
        with pytest.raises(Invalid):
            sees(side.double, event, client, keys=nonsense_of_keys)


@pytest.mark.parametrize(
    "event",
    [
        {"event": "OPENPIX:CHARGE_COMPLETED", "data_criacao": "2024-01-23T20:32:14.429Z"},
        {"event": "OPENPIX:TRANSACTION_RECEIVED"},
        {"event": "OPENPIX:MOVEMENT_CONFIRMED"},
        {"event": "PIX_TRANSACTION_REFUND_RECEIVED_CONFIRMED"},
        {"event": "OPENPIX:MOVEMENT_REMOVED", "payment": {"correlationID": an_id()}},
        {"event": "OPENPIX:DISPUTE_CREATED", "dispute": {"valor": 1.5}},
        {"event": "x" * 10_000},
    ],
)
async def test_what_asks_nothing_of_us_is_no_news(
    side: OpenPixSide, client: httpx.AsyncClient, event: dict[str, Any]
) -> None:
    assert sees(side.double, event, client) == NoNews(event["event"][:100])


async def test_what_others_do_on_the_same_account_is_no_news(side: OpenPixSide, client: httpx.AsyncClient) -> None:
    moved = {
        "event": "OPENPIX:MOVEMENT_FAILED",
        "payment": {"value": 30, "status": "FAILED", "correlationID": str(uuid4())},
        "error": {"code": "PAY_PIX_KEY_ERROR", "description": "Falha"},
    }
    assert sees(side.double, moved, client) == NoNews("OPENPIX:MOVEMENT_FAILED")
    ours = an_id()
    moved["payment"] = {"correlationID": ours}
    assert sees(side.double, moved, client) == PaymentStatus(ours, Rejected("ED05"))


async def test_a_refund_is_known_again_if_openpix_names_it(side: OpenPixSide, client: httpx.AsyncClient) -> None:
    ours, theirs, time = an_id(of_return=True), an_id(of_return=True), "2026-11-27T12:00:00.000Z"
    told = {
        "event": "PIX_TRANSACTION_REFUND_SENT_CONFIRMED",
        "refundTransaction": {"value": 1, "time": time, "endToEndId": theirs},
        "originalTransaction": {"endToEndId": an_id()},
    }
    assert isinstance(sees(side.double, told, client), NoNews)
    told["refundTransaction"] |= {"correlationID": ours}  # type: ignore[operator]
    assert sees(side.double, told, client) == PaymentStatus(ours, Settled(datetime.fromisoformat(time), theirs))
    told |= {"event": "PIX_TRANSACTION_REFUND_SENT_REJECTED", "error": "AM09 - acima do valor"}
    assert sees(side.double, told, client) == PaymentStatus(ours, Rejected("AM09"))


async def test_what_arrives_is_credited_already_and_finds_the_account_that_was_taken_over(side: OpenPixSide) -> None:
    opened = await CALLS["open_account"](side.provider, await side.order())
    await side.pays_us(1000)
    pix = side.provider.read(*side.double.letters[-1])
    assert isinstance(pix, PixReceived)
    assert (pix.payee_account.branch, pix.payee_account.number) == (opened.branch, opened.number) == ("0001", "12345-6")
    assert pix.payee_account.kind is AccountType.PAYMENT
    assert pix.credited_at == pix.created_at


def nonsense(pix: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        pix | {"value": 10.5},
        pix | {"value": -1},
        pix | {"value": True},
        pix | {"endToEndId": "E1"},
        pix | {"endToEndId": an_id(of_return=True)},
        pix | {"time": "2025-09-23T18:10:56-03:00"},
        pix | {"creditParty": None},
        pix | {"creditParty": pix["creditParty"] | {"account": {"branch": "1", "account": "7", "accountType": "?"}}},
        pix | {"debitParty": pix["debitParty"] | {"holder": {"name": "Ana"}}},
        pix | {"debitParty": pix["debitParty"] | {"holder": {"taxID": {"taxID": COMPANY, "type": "BR:CNPJ"}}}},
        pix | {"infoPagador": "a\0b"},
    ]


async def test_a_signed_letter_that_makes_no_sense_is_invalid(side: OpenPixSide, client: httpx.AsyncClient) -> None:
    await side.pays_us(1000)
    told = json.loads(side.double.letters[-1][1])
    assert isinstance(sees(side.double, told, client), PixReceived)
    for wrong in nonsense(told["pix"]):
        with pytest.raises(Validation):
            sees(side.double, told | {"pix": wrong}, client)
    letters: list[Any] = [[], {}, {"event": 7}, "x", {"pix": told["pix"]}]
    for letter in letters:
        with pytest.raises(Validation):
            sees(side.double, letter, client)
