"""What Lastro asks of a provider, asked of every adapter before something real over HTTP.

What only some adapters offer is asked of those, by their features; of the others, that they refuse it.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from lastro.errors import Conflict, KeyNotFound, ProviderUnavailable, RateLimited, Unauthorized, Unprocessable
from lastro.providers.features import Feature
from lastro.providers.network_http import NetworkHttp
from lastro.providers.protocol import (
    Holder,
    InFlight,
    Instruction,
    KeyOwner,
    KycPaper,
    KycReviewed,
    KycSide,
    Outcome,
    Party,
    PaymentStatus,
    PixReceived,
    Provider,
    Rejected,
    ReturnInstruction,
    ReturnReceived,
    Settled,
    WantedCode,
)
from lastro.values import brcode
from lastro.values.bank_account import AccountType, BankAccount
from lastro.values.brcode import DynamicCode, StaticCode
from lastro.values.end_to_end_id import EndToEndId
from lastro.values.money import Money
from lastro.values.pix_key import KeyType, PixKey
from lastro.values.tax_id import TaxId
from providers.sides import ANA, COMPANY_HOLDER, FEATURES, NetworkSide, Side, an_address
from simulator.world import COMPANY, OUR_ISPB, THEIR_ISPB, Json, World, new_id


def offering(feature: Feature) -> pytest.MarkDecorator:
    """For the adapters that have this feature; `test_what_is_not_offered_is_refused` sees to the others."""
    return pytest.mark.parametrize(
        "side", sorted(name for name in FEATURES if feature in FEATURES[name]), indirect=True
    )


async def open_account(provider: Provider, holder: Holder = COMPANY_HOLDER, ispb: str = OUR_ISPB) -> BankAccount:
    return await NetworkSide(None, provider).account(holder, ispb)  # type: ignore[arg-type]


async def register(provider: Provider, holder: Holder, account: BankAccount, address: str = "") -> PixKey:
    key = PixKey.parse(KeyType.EMAIL, address) if address else an_address()
    return await provider.register_key(key, kind=key.kind, owner=holder, account=account, request_id=uuid4())


async def find(provider: Provider, key: PixKey, payer: TaxId = COMPANY_HOLDER.tax_id, ispb: str = OUR_ISPB) -> KeyOwner:
    return await provider.find_key(key, ispb=ispb, payer_tax_id=payer, end_to_end_id=EndToEndId(new_id(ispb)))


async def last_word(provider: Provider, order: Instruction) -> Outcome:
    """What becomes of a payment: some rails say it at once, some are asked until they know."""
    (outcome,) = await provider.settle([order])
    for _ in range(50):
        if not isinstance(outcome, InFlight):
            break
        outcome = await provider.outcome_of(order.end_to_end_id, account=order.payer.account)
    assert outcome is not None
    return outcome


def calls(provider: Provider) -> dict[Feature, list[Callable[[], Awaitable[Any]]]]:
    """What belongs to the features that an adapter may lack."""
    ours = BankAccount.from_bare(OUR_ISPB, "0001", "123456", AccountType.PAYMENT)
    who: Json = {"ispb": OUR_ISPB, "provider_id": uuid4(), "request_id": uuid4()}
    key, now = an_address(), datetime.now(UTC)
    return {
        Feature.KYC: [lambda: provider.submit_kyc(uuid4(), ANA, papers(), **who)],
        Feature.PIX_KEYS: [
            lambda: provider.register_key(key, kind=key.kind, owner=ANA, account=ours, request_id=uuid4()),
            lambda: provider.remove_key(key, ispb=OUR_ISPB, request_id=uuid4()),
        ],
        Feature.PIX_QRCODE: [lambda: provider.make_code(WantedCode(uuid4(), "Loja", Money(1), None, None))],
        Feature.MESSAGES: [
            lambda: provider.send_code(KeyType.EMAIL, key.value, code="1", key_id=uuid4(), expires_at=now),
        ],
    }


async def test_what_is_not_offered_is_refused(side: Side) -> None:
    missing = frozenset(Feature) - side.features
    assert missing <= set(calls(side.provider))
    for feature in missing:
        for call in calls(side.provider)[feature]:
            with pytest.raises(Unprocessable):
                await call()


@offering(Feature.ACCOUNTS)
async def test_an_account_is_opened_once_and_its_number_has_a_hyphen(side: Side) -> None:
    asked: Json = {"ispb": side.ispb, "provider_id": uuid4(), "request_id": uuid4()}
    first = await side.provider.open_account(COMPANY_HOLDER, side.kind, **asked)
    again = await side.provider.open_account(COMPANY_HOLDER, side.kind, **asked)
    assert first == again
    assert first.branch == "0001"
    assert first.number[-2] == "-"


@offering(Feature.ACCOUNTS)
async def test_an_account_that_the_office_refuses_is_unprocessable(side: Side) -> None:
    with pytest.raises(Unprocessable):
        await side.provider.open_account(
            side.unwelcome, side.kind, ispb=side.ispb, provider_id=uuid4(), request_id=uuid4()
        )


@offering(Feature.PIX_LOOKUP)
async def test_a_key_is_found_with_its_owner_as_far_as_the_provider_shows(side: Side) -> None:
    key = PixKey.parse(KeyType.EMAIL, f"a/b?c#d+{uuid4().hex[:8]}@exemplo.com.br")
    await side.introduce(ANA, key)
    found = await find(side.provider, key, ispb=side.ispb)
    assert (found.key, found.party.name, found.party.account.ispb) == (key, ANA.name, THEIR_ISPB)
    shown, whole = found.party.tax_id.value, ANA.tax_id.value
    assert found.party.tax_id.kind is ANA.tax_id.kind
    assert [a for a, b in zip(shown, whole, strict=True) if a not in {b, "*"}] == []
    assert found.created_at is None or found.created_at.tzinfo is not None
    assert found.end_to_end_id is None or not found.end_to_end_id.is_return


@offering(Feature.PIX_LOOKUP)
async def test_a_phone_with_its_plus_is_found(side: Side) -> None:
    phone = PixKey.parse(KeyType.PHONE, f"+55119{uuid4().int % 10**8:08}")
    await side.introduce(ANA, phone)
    assert (await find(side.provider, phone, ispb=side.ispb)).key == phone


@offering(Feature.PIX_KEYS)
async def test_a_registered_key_is_found_with_its_account(side: Side) -> None:
    account = await open_account(side.provider, ANA, THEIR_ISPB)
    key = await register(side.provider, ANA, account)
    assert (await find(side.provider, key)).party == Party(ANA.name, ANA.tax_id, account)


@offering(Feature.PIX_KEYS)
async def test_the_directory_makes_random_keys_and_the_same_one_for_the_same_request(side: Side) -> None:
    account, request_id = await open_account(side.provider), uuid4()
    made = [
        await side.provider.register_key(
            None, kind=KeyType.EVP, owner=COMPANY_HOLDER, account=account, request_id=request_id
        )
        for _ in range(2)
    ]
    assert made[0] == made[1]
    assert made[0].kind is KeyType.EVP


@offering(Feature.PIX_LOOKUP)
async def test_a_key_that_nobody_has_is_not_found(side: Side) -> None:
    with pytest.raises(KeyNotFound) as raised:
        await find(side.provider, PixKey.parse(KeyType.EMAIL, "nobody@example.com"), ispb=side.ispb)
    assert "nobody" not in str(raised.value)


@offering(Feature.PIX_LOOKUP)
async def test_too_many_searches_say_when_to_come_back(side: Side) -> None:
    async def search_until_refused() -> None:
        for n in range(40):
            key = PixKey.parse(KeyType.EMAIL, f"{n}@example.com")
            with pytest.raises(KeyNotFound):
                await find(side.provider, key, TaxId.parse("11144477735"), ispb=side.ispb)

    with pytest.raises(RateLimited) as raised:
        await search_until_refused()
    assert raised.value.retry_after is not None
    assert 0 < raised.value.retry_after <= 60


@offering(Feature.PIX_KEYS)
async def test_a_key_of_the_bank_itself_is_not_to_be_asked_for(side: Side) -> None:
    key = await register(side.provider, COMPANY_HOLDER, await open_account(side.provider))
    with pytest.raises(Unprocessable) as raised:
        await find(side.provider, key)
    assert raised.value.reason == "EntryCannotBeQueriedForBookTransfer"


@offering(Feature.PIX_KEYS)
@pytest.mark.parametrize(
    ("holder", "ispb", "reason"),
    [
        (COMPANY_HOLDER, OUR_ISPB, "EntryAlreadyExists"),
        (COMPANY_HOLDER, THEIR_ISPB, "EntryKeyInCustodyOfDifferentParticipant"),
        (ANA, OUR_ISPB, "EntryKeyOwnedByDifferentPerson"),
    ],
)
async def test_a_key_that_is_taken_is_a_conflict(side: Side, holder: Holder, ispb: str, reason: str) -> None:
    key = await register(side.provider, COMPANY_HOLDER, await open_account(side.provider))
    account = await open_account(side.provider, holder, ispb)
    with pytest.raises(Conflict) as raised:
        await register(side.provider, holder, account, key.value)
    assert raised.value.reason == reason
    assert raised.value.text.pt


@offering(Feature.PIX_KEYS)
async def test_the_sixth_key_of_a_person_is_a_conflict(side: Side) -> None:
    account = await open_account(side.provider, ANA)
    for _ in range(5):
        await register(side.provider, ANA, account)
    with pytest.raises(Conflict) as raised:
        await register(side.provider, ANA, account)
    assert raised.value.reason == "EntryLimitExceeded"


@offering(Feature.PIX_KEYS)
async def test_a_document_of_somebody_else_can_not_be_registered(side: Side) -> None:
    account = await open_account(side.provider)
    key = PixKey.parse(KeyType.CPF, ANA.tax_id.value)
    with pytest.raises(Unprocessable):
        await side.provider.register_key(key, kind=key.kind, owner=COMPANY_HOLDER, account=account, request_id=uuid4())


@offering(Feature.PIX_KEYS)
async def test_a_removed_key_is_gone_and_may_be_removed_again(side: Side) -> None:
    key = await register(side.provider, COMPANY_HOLDER, await open_account(side.provider))
    await side.provider.remove_key(key, ispb=OUR_ISPB, request_id=uuid4())
    await side.provider.remove_key(key, ispb=OUR_ISPB, request_id=uuid4())
    with pytest.raises(KeyNotFound):
        await find(side.provider, key, ispb=THEIR_ISPB)


@offering(Feature.MESSAGES)
@pytest.mark.parametrize(
    ("kind", "address"), [(KeyType.EMAIL, "ana@exemplo.com.br"), (KeyType.PHONE, "+5511912345678")]
)
async def test_a_code_reaches_its_address_once(world: World, side: Side, kind: KeyType, address: str) -> None:
    key_id = uuid4()
    for _ in range(2):
        await side.provider.send_code(kind, address, code="012345", key_id=key_id, expires_at=datetime.now(UTC))
    mail = (await world.steering.get("/mailbox", params={"to": address})).json()["messages"]
    assert [(each["keyId"], each["code"]) for each in mail] == [(str(key_id), "012345")]


@offering(Feature.PIX_SEND)
async def test_a_payment_settles_once_and_its_outcome_can_be_asked_for(side: Side) -> None:
    order = await side.order()
    outcome = await last_word(side.provider, order)
    assert isinstance(outcome, Settled)
    assert outcome.at.tzinfo is not None
    assert outcome.external_ref
    assert await side.provider.outcome_of(order.end_to_end_id, account=order.payer.account) == outcome
    assert await side.provider.settle([order]) == [outcome]
    assert await side.left(order) == [150_000]


@offering(Feature.PIX_SEND)
async def test_a_hundred_payments_are_answered_in_order(side: Side) -> None:
    orders = [await side.order("0.01")] + [await side.order("0.02") for _ in range(2)]
    doomed, code = await side.doomed()
    batch = [replace(orders[1], end_to_end_id=EndToEndId(new_id(side.ispb))) for _ in range(96)]
    batch = [*batch[:50], doomed, orders[0], *batch[50:], *orders[1:]]
    assert len(batch) == 100
    await side.provider.settle(batch)
    outcomes = await side.provider.settle(batch)
    assert [isinstance(each, Settled) for each in outcomes] == [each is not doomed for each in batch]
    assert outcomes[50] == Rejected(code)
    assert [await side.left(each) for each in orders] == [[1], [2], [2]]
    assert await side.provider.settle([]) == []


@offering(Feature.PIX_SEND)
async def test_a_known_id_with_other_facts_pays_nothing_more(side: Side) -> None:
    """Some rails refuse it. One that does not say so is not believed to have settled it."""
    order = await side.order()
    await last_word(side.provider, order)
    try:
        outcomes = await side.provider.settle([replace(order, amount=Money(1))])
    except ProviderUnavailable:
        outcomes = []
    assert outcomes in ([], [Rejected("FF08")])
    assert await side.left(order) == [150_000]


@offering(Feature.PIX_SEND)
async def test_a_rejection_is_an_outcome(side: Side) -> None:
    order, code = await side.doomed()
    assert await last_word(side.provider, order) == Rejected(code)
    assert await side.provider.settle([order]) == [Rejected(code)]


@offering(Feature.PIX_SEND)
async def test_a_delayed_payment_is_in_flight(side: Side) -> None:
    order = await side.order()
    await side.takes_its_time(order)
    for _ in range(2):
        assert await side.provider.settle([order]) == [InFlight()]
        assert await side.provider.outcome_of(order.end_to_end_id, account=order.payer.account) == InFlight()


@offering(Feature.PIX_SEND)
async def test_a_lost_answer_means_that_nothing_is_known_and_repeating_is_safe(side: Side) -> None:
    order = await side.order()
    await side.loses_its_answer(order)
    with pytest.raises(ProviderUnavailable):
        await side.provider.settle([order])
    assert isinstance(await last_word(side.provider, order), Settled)
    assert await side.left(order) == [150_000]


@offering(Feature.PIX_SEND)
async def test_a_payment_that_the_rail_never_saw_has_no_outcome(side: Side) -> None:
    account = (await side.order()).payer.account
    assert await side.provider.outcome_of(EndToEndId(new_id(side.ispb)), account=account) is None


@offering(Feature.PIX_REFUND)
async def test_a_received_pix_is_given_back_once_and_not_beyond_its_amount(side: Side) -> None:
    paid = await side.pays_us(1000)
    account, now = (await side.order()).payer.account, datetime.now(UTC)
    back = ReturnInstruction(EndToEndId.new_return(side.ispb, now), paid, account, Money(1000), "MD06", now)
    outcome = await side.provider.give_back(back)
    if isinstance(outcome, InFlight):
        outcome = await side.provider.give_back(back)
    assert isinstance(outcome, Settled)
    assert await side.provider.give_back(back) == outcome
    assert await side.provider.outcome_of(back.return_id, account=account) == outcome
    more = replace(back, return_id=EndToEndId.new_return(side.ispb, now), amount=Money(1))
    assert isinstance(await side.provider.give_back(more), Rejected)
    assert await side.provider.outcome_of(EndToEndId.new_return(side.ispb, now), account=account) is None


@offering(Feature.PIX_RECEIVE)
async def test_the_news_is_understood(side: Side) -> None:
    """What arrived, what came back and what became of a payment, as it is really told, read by the adapter."""
    paid = await side.pays_us(1000)
    order = await side.order("20.00")
    assert isinstance(await last_word(side.provider, order), Settled)
    await side.returns(order, 700)
    news = [side.provider.read(*letter) for letter in side.letters()]
    (pix,) = [each for each in news if isinstance(each, PixReceived) and each.end_to_end_id == paid]
    assert (pix.amount, pix.description, pix.payee_tax_id.value) == (Money(1000), "Oi", COMPANY)
    assert (pix.payer.name, pix.payer.account.number) == ("Maria Souza", "54321-0")
    backs = [each for each in news if isinstance(each, ReturnReceived)]
    (back,) = [each for each in backs if each.original_end_to_end_id == order.end_to_end_id]
    assert (back.amount, back.return_id.is_return, back.reason) == (Money(700), True, "MD06")
    told = [each for each in news if isinstance(each, PaymentStatus) and each.end_to_end_id == order.end_to_end_id]
    assert all(isinstance(each.outcome, Settled) for each in told)


@offering(Feature.PIX_RECEIVE)
async def test_what_nobody_signed_is_not_read(side: Side) -> None:
    await side.pays_us(1000)
    headers, body = side.letters()[-1]
    side.provider.read(headers, body)
    for forged in [(headers, body + b" "), ({}, body), (dict.fromkeys(headers, "AAAA"), body)]:
        with pytest.raises(Unauthorized):
            side.provider.read(*forged)


@offering(Feature.PIX_QRCODE)
@pytest.mark.parametrize("amount", [None, Money(12_345)])
async def test_a_static_code_says_what_was_wanted_and_is_made_once(side: Side, amount: Money | None) -> None:
    wanted = WantedCode(uuid4(), "Loja", amount, "Pedido 7", None)
    made = await side.provider.make_code(wanted)
    said = brcode.read(made.text)
    assert isinstance(said, StaticCode)
    assert (said.amount, said.txid, said.key) == (amount, made.txid, made.key)
    assert made.expires_at is None
    assert await side.provider.make_code(wanted) == made


@offering(Feature.PIX_QRCODE)
async def test_a_charge_has_its_own_txid_and_an_end_and_is_made_once(side: Side) -> None:
    wanted = WantedCode(uuid4(), "Loja", Money(12_345), None, timedelta(hours=2))
    made = await side.provider.make_code(wanted)
    assert isinstance(brcode.read(made.text), DynamicCode)
    assert made.expires_at is not None
    assert abs(made.expires_at - datetime.now(UTC) - timedelta(hours=2)) < timedelta(minutes=1)
    assert await side.provider.make_code(wanted) == made
    other = await side.provider.make_code(replace(wanted, id=uuid4()))
    assert other.txid != made.txid


async def test_the_network_shows_txid_and_key_of_what_arrives(world: World, provider: NetworkHttp) -> None:
    account = await world.open_account()
    paid = await world.pay(account, txid="abc", description="Oi")
    news = [provider.read(*letter) for letter in world.lastro.letters]
    (pix,) = [each for each in news if isinstance(each, PixReceived) and each.end_to_end_id == paid["endToEndId"]]
    assert (pix.txid, pix.key, pix.credited_at) == ("abc", None, None)


def papers(content: bytes = b"a face", *kinds: str) -> list[KycPaper]:
    side = KycSide("image/png", content)
    return [KycPaper(kind, side, side if kind == "RG" else None) for kind in kinds or ("RG", "SELFIE")]


@offering(Feature.KYC)
async def test_documents_are_brought_once_and_others_under_the_same_id_are_refused(side: Side, world: World) -> None:
    account_id, request_id = uuid4(), uuid4()
    who: Json = {"ispb": OUR_ISPB, "provider_id": uuid4(), "request_id": request_id}

    for _ in range(2):
        await side.provider.submit_kyc(account_id, ANA, papers(), **who)

    with pytest.raises(Unprocessable) as raised:
        await side.provider.submit_kyc(account_id, ANA, papers(b"another"), **who)
    assert raised.value.reason == "RequestIdAlreadyUsed"
    await world.steering.post(f"/kyc/{account_id}", json={"status": "REJECTED", "reviewNote": "Ilegível."})
    ((headers, body),) = [letter for letter in world.lastro.letters if str(request_id).encode() in letter[1]]
    assert side.provider.read(headers, body) == KycReviewed(account_id, request_id, "REJECTED", "Ilegível.", {})


@offering(Feature.KYC)
async def test_a_submission_of_megabytes_arrives(side: Side) -> None:
    large = papers(bytes(4_000_000), "RG", "SELFIE", "PROOF_OF_ADDRESS")
    await side.provider.submit_kyc(uuid4(), ANA, large, ispb=OUR_ISPB, provider_id=uuid4(), request_id=uuid4())


async def test_a_desk_that_is_away_is_unavailable(client: httpx.AsyncClient) -> None:
    nowhere = NetworkHttp(client, base_url="http://127.0.0.1:9", secret="x")
    with pytest.raises(ProviderUnavailable):
        await nowhere.submit_kyc(uuid4(), ANA, papers(), ispb=OUR_ISPB, provider_id=uuid4(), request_id=uuid4())


async def test_a_provider_that_is_well_is_found_well(provider: Provider) -> None:
    probes = await provider.examine(ispb=OUR_ISPB)

    assert probes
    assert {probe.problem for probe in probes} == {None}
    assert all(0 <= probe.milliseconds < 5_000 for probe in probes)
