"""What Lastro asks of a provider, asked of the adapter before a real network over real HTTP."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

import httpx
import pytest

from lastro.errors import Conflict, KeyNotFound, ProviderUnavailable, RateLimited, Unprocessable
from lastro.providers.network_http import NetworkHttp
from lastro.providers.protocol import (
    Holder,
    InFlight,
    Instruction,
    KeyOwner,
    KycPaper,
    KycReviewed,
    KycSide,
    Party,
    PaymentStatus,
    PixReceived,
    Provider,
    Rejected,
    ReturnInstruction,
    ReturnReceived,
    Settled,
)
from lastro.values.bank_account import AccountType, BankAccount
from lastro.values.end_to_end_id import EndToEndId
from lastro.values.money import Money
from lastro.values.pix_key import KeyType, PixKey
from lastro.values.tax_id import TaxId
from simulator.world import COMPANY, OUR_ISPB, THEIR_ISPB, Json, World, new_id

COMPANY_HOLDER = Holder("Empresa ABC Ltda", TaxId.parse(COMPANY))
ANA = Holder("Ana Conceição d'Ávila", TaxId.parse("39053344705"))


async def open_account(provider: Provider, holder: Holder = COMPANY_HOLDER, ispb: str = OUR_ISPB) -> BankAccount:
    kind = AccountType.PAYMENT
    opened = await provider.open_account(holder, kind, ispb=ispb, provider_id=uuid4(), request_id=uuid4())
    return BankAccount.parse(ispb, opened.branch, opened.number, kind)


async def register(provider: Provider, holder: Holder, account: BankAccount, address: str = "") -> PixKey:
    key = PixKey.parse(KeyType.EMAIL, address or f"{uuid4().hex}@exemplo.com.br")
    return await provider.register_key(key, kind=key.kind, owner=holder, account=account, request_id=uuid4())


async def find(provider: Provider, key: PixKey, payer: TaxId = COMPANY_HOLDER.tax_id, ispb: str = OUR_ISPB) -> KeyOwner:
    return await provider.find_key(key, ispb=ispb, payer_tax_id=payer, end_to_end_id=EndToEndId(new_id()))


async def instruction(provider: Provider, amount: str = "1500.00") -> Instruction:
    """A payment from a company of ours to Ana at another bank."""
    payer, payee = await open_account(provider), await open_account(provider, ANA, THEIR_ISPB)
    return Instruction(
        end_to_end_id=EndToEndId(new_id()),
        amount=Money.parse(amount),
        payer=Party(COMPANY_HOLDER.name, COMPANY_HOLDER.tax_id, payer),
        payee=Party(ANA.name, ANA.tax_id, payee),
        key=await register(provider, ANA, payee),
        description="Aluguel de março – nº 3",
        accepted_at=datetime(2024, 1, 15, 10, 30, 0, 123456, tzinfo=UTC),
    )


def another(order: Instruction) -> Instruction:
    return replace(order, end_to_end_id=EndToEndId(new_id()))


async def test_an_account_is_opened_once_and_its_number_has_a_hyphen(provider: Provider) -> None:
    asked = {"ispb": OUR_ISPB, "provider_id": uuid4(), "request_id": uuid4()}
    first = await provider.open_account(COMPANY_HOLDER, AccountType.SAVINGS, **asked)  # type: ignore[arg-type]
    again = await provider.open_account(COMPANY_HOLDER, AccountType.SAVINGS, **asked)  # type: ignore[arg-type]
    assert first == again
    assert first.branch == "0001"
    assert first.number[-2] == "-"


async def test_an_account_that_the_office_refuses_is_unprocessable(provider: Provider) -> None:
    with pytest.raises(Unprocessable):
        await open_account(provider, Holder("x" * 200, ANA.tax_id))


async def test_a_registered_key_is_found_with_its_owner(provider: Provider) -> None:
    account = await open_account(provider, ANA, THEIR_ISPB)
    key = await register(provider, ANA, account, f"a/b?c#d+{uuid4().hex[:8]}@exemplo.com.br")
    found = await find(provider, key)
    assert (found.key, found.party) == (key, Party(ANA.name, ANA.tax_id, account))
    assert found.created_at.tzinfo is not None


async def test_a_phone_with_its_plus_is_found(provider: Provider) -> None:
    account = await open_account(provider, ANA, THEIR_ISPB)
    phone = PixKey.parse(KeyType.PHONE, f"+55119{uuid4().int % 10**8:08}")
    await provider.register_key(phone, kind=KeyType.PHONE, owner=ANA, account=account, request_id=uuid4())
    assert (await find(provider, phone)).key == phone


async def test_the_directory_makes_random_keys_and_the_same_one_for_the_same_request(provider: Provider) -> None:
    account, request_id = await open_account(provider), uuid4()
    made = [
        await provider.register_key(
            None, kind=KeyType.EVP, owner=COMPANY_HOLDER, account=account, request_id=request_id
        )
        for _ in range(2)
    ]
    assert made[0] == made[1]
    assert made[0].kind is KeyType.EVP


async def test_a_key_that_nobody_has_is_not_found(provider: Provider) -> None:
    with pytest.raises(KeyNotFound) as raised:
        await find(provider, PixKey.parse(KeyType.EMAIL, "nobody@example.com"))
    assert "nobody" not in str(raised.value)


async def test_a_key_of_the_bank_itself_is_not_to_be_asked_for(provider: Provider) -> None:
    key = await register(provider, COMPANY_HOLDER, await open_account(provider))
    with pytest.raises(Unprocessable) as raised:
        await find(provider, key)
    assert raised.value.reason == "EntryCannotBeQueriedForBookTransfer"


async def test_too_many_searches_say_when_to_come_back(provider: Provider) -> None:
    async def search_until_refused() -> None:
        for n in range(7):
            key = PixKey.parse(KeyType.EMAIL, f"{n}@example.com")
            with pytest.raises(KeyNotFound):
                await find(provider, key, TaxId.parse("11144477735"))

    with pytest.raises(RateLimited) as raised:
        await search_until_refused()
    assert raised.value.retry_after is not None
    assert 0 < raised.value.retry_after <= 30


@pytest.mark.parametrize(
    ("holder", "ispb", "reason"),
    [
        (COMPANY_HOLDER, OUR_ISPB, "EntryAlreadyExists"),
        (COMPANY_HOLDER, THEIR_ISPB, "EntryKeyInCustodyOfDifferentParticipant"),
        (ANA, OUR_ISPB, "EntryKeyOwnedByDifferentPerson"),
    ],
)
async def test_a_key_that_is_taken_is_a_conflict(provider: Provider, holder: Holder, ispb: str, reason: str) -> None:
    key = await register(provider, COMPANY_HOLDER, await open_account(provider))
    account = await open_account(provider, holder, ispb)
    with pytest.raises(Conflict) as raised:
        await register(provider, holder, account, key.value)
    assert raised.value.reason == reason
    assert raised.value.text.pt


async def test_the_sixth_key_of_a_person_is_a_conflict(provider: Provider) -> None:
    account = await open_account(provider, ANA)
    for _ in range(5):
        await register(provider, ANA, account)
    with pytest.raises(Conflict) as raised:
        await register(provider, ANA, account)
    assert raised.value.reason == "EntryLimitExceeded"


async def test_a_document_of_somebody_else_can_not_be_registered(provider: Provider) -> None:
    account = await open_account(provider)
    key = PixKey.parse(KeyType.CPF, ANA.tax_id.value)
    with pytest.raises(Unprocessable):
        await provider.register_key(key, kind=key.kind, owner=COMPANY_HOLDER, account=account, request_id=uuid4())


async def test_a_removed_key_is_gone_and_may_be_removed_again(provider: Provider) -> None:
    key = await register(provider, COMPANY_HOLDER, await open_account(provider))
    await provider.remove_key(key, ispb=OUR_ISPB, request_id=uuid4())
    await provider.remove_key(key, ispb=OUR_ISPB, request_id=uuid4())
    with pytest.raises(KeyNotFound):
        await find(provider, key, ispb=THEIR_ISPB)


@pytest.mark.parametrize(
    ("kind", "address"), [(KeyType.EMAIL, "ana@exemplo.com.br"), (KeyType.PHONE, "+5511912345678")]
)
async def test_a_code_reaches_its_address_once(world: World, provider: Provider, kind: KeyType, address: str) -> None:
    key_id = uuid4()
    for _ in range(2):
        await provider.send_code(kind, address, code="012345", key_id=key_id, expires_at=datetime.now(UTC))
    mail = (await world.steering.get("/mailbox", params={"to": address})).json()["messages"]
    assert [(each["keyId"], each["code"]) for each in mail] == [(str(key_id), "012345")]


async def test_a_payment_settles_and_its_outcome_can_be_asked_for(provider: Provider) -> None:
    order = await instruction(provider)
    (outcome,) = await provider.settle([order])
    assert isinstance(outcome, Settled)
    assert outcome.at.tzinfo is not None
    assert outcome.external_ref
    assert await provider.outcome_of(order.end_to_end_id) == outcome
    assert await provider.settle([order]) == [outcome]


async def test_a_hundred_payments_are_answered_in_order(provider: Provider) -> None:
    order = await instruction(provider)
    batch = [another(order) for _ in range(99)]
    batch.insert(50, replace(another(order), amount=Money(0)))
    outcomes = await provider.settle(batch)
    assert [isinstance(outcome, Settled) for outcome in outcomes] == [each.amount != Money(0) for each in batch]
    assert outcomes[50] == Rejected("AM01")
    assert await provider.settle([]) == []


async def test_a_known_id_with_other_facts_is_rejected(provider: Provider) -> None:
    order = await instruction(provider)
    await provider.settle([order])
    assert await provider.settle([replace(order, amount=Money(1))]) == [Rejected("FF08")]


async def test_a_rejection_is_an_outcome(provider: Provider) -> None:
    order = await instruction(provider)
    owner = await find(provider, PixKey.parse(KeyType.EMAIL, "ac07@rejeita.example"))
    assert await provider.settle([replace(order, key=owner.key, payee=owner.party)]) == [Rejected("AC07")]


async def test_a_delayed_payment_is_in_flight(provider: Provider, world: World) -> None:
    order = await instruction(provider)
    await world.rule(key=order.key.value, delaySeconds=60)
    assert await provider.settle([order]) == [InFlight()]
    assert await provider.outcome_of(order.end_to_end_id) == InFlight()


async def test_a_lost_answer_means_that_nothing_is_known_and_repeating_is_safe(
    provider: Provider, world: World
) -> None:
    order = await instruction(provider)
    await world.rule(key=order.key.value, dropAnswer=True, times=1)
    with pytest.raises(ProviderUnavailable):
        await provider.settle([order])
    (outcome,) = await provider.settle([order])
    assert isinstance(outcome, Settled)
    assert (await world.in_book(order.end_to_end_id))["amount"] == 1500


async def test_a_payment_that_the_rail_never_saw_has_no_outcome(provider: Provider) -> None:
    assert await provider.outcome_of(EndToEndId(new_id())) is None


async def received(provider: Provider, world: World) -> tuple[Json, UUID]:
    """A Pix of ten reais to a customer of ours: what the network answered, and the account's id."""
    request_id = uuid4()
    kind = AccountType.CHECKING
    await provider.open_account(COMPANY_HOLDER, kind, ispb=OUR_ISPB, provider_id=uuid4(), request_id=request_id)
    return await world.pay({"requestId": str(request_id)}, txid="abc", description="Oi"), request_id


async def test_a_received_pix_is_given_back_once_and_not_beyond_its_amount(provider: Provider, world: World) -> None:
    paid, _ = await received(provider, world)
    now = datetime.now(UTC)
    back = ReturnInstruction(
        EndToEndId.new_return(OUR_ISPB, now), EndToEndId(paid["endToEndId"]), Money(1000), "MD06", now
    )
    outcome = await provider.give_back(back)
    assert isinstance(outcome, Settled)
    assert await provider.give_back(back) == outcome
    assert await provider.outcome_of(back.return_id) == outcome
    more = replace(back, return_id=EndToEndId.new_return(OUR_ISPB, now), amount=Money(1))
    assert await provider.give_back(more) == Rejected("AM09")


async def test_the_news_of_the_network_is_understood(provider: Provider, world: World) -> None:
    """Each kind of notification, as the network really sends it, read by the adapter."""
    paid, _ = await received(provider, world)
    order = await instruction(provider, "20.00")
    await world.rule(key=order.key.value, duplicate=True)
    await provider.settle([order])
    await world.steering.post("/returns", json={"endToEndId": order.end_to_end_id, "amount": 7})
    news = [provider.read(*signed) for signed in world.lastro.letters]
    (pix,) = [each for each in news if isinstance(each, PixReceived) and each.end_to_end_id == paid["endToEndId"]]
    assert (pix.amount, pix.txid, pix.description, pix.payee_tax_id.value) == (Money(1000), "abc", "Oi", COMPANY)
    assert (pix.payer.name, pix.payer.account.number, pix.key) == ("Maria Souza", "54321-0", None)
    (back,) = [each for each in news if isinstance(each, ReturnReceived)]
    assert (back.amount, back.original_end_to_end_id, back.reason) == (Money(700), order.end_to_end_id, "MD06")
    told = [each for each in news if isinstance(each, PaymentStatus)]
    assert all(each.end_to_end_id == order.end_to_end_id and isinstance(each.outcome, Settled) for each in told)


def papers(content: bytes = b"a face", *kinds: str) -> list[KycPaper]:
    side = KycSide("image/png", content)
    return [KycPaper(kind, side, side if kind == "RG" else None) for kind in kinds or ("RG", "SELFIE")]


async def test_documents_are_brought_once_and_others_under_the_same_id_are_refused(
    provider: Provider, world: World
) -> None:
    account_id, request_id = uuid4(), uuid4()
    who: Json = {"ispb": OUR_ISPB, "provider_id": uuid4(), "request_id": request_id}

    for _ in range(2):
        await provider.submit_kyc(account_id, ANA, papers(), **who)

    with pytest.raises(Unprocessable) as raised:
        await provider.submit_kyc(account_id, ANA, papers(b"another"), **who)
    assert raised.value.reason == "RequestIdAlreadyUsed"
    await world.steering.post(f"/kyc/{account_id}", json={"status": "REJECTED", "reviewNote": "Ilegível."})
    ((headers, body),) = [letter for letter in world.lastro.letters if str(request_id).encode() in letter[1]]
    assert provider.read(headers, body) == KycReviewed(account_id, request_id, "REJECTED", "Ilegível.", {})


async def test_a_submission_of_megabytes_arrives(provider: Provider) -> None:
    large = papers(bytes(4_000_000), "RG", "SELFIE", "PROOF_OF_ADDRESS")
    await provider.submit_kyc(uuid4(), ANA, large, ispb=OUR_ISPB, provider_id=uuid4(), request_id=uuid4())


async def test_a_desk_that_is_away_is_unavailable(client: httpx.AsyncClient) -> None:
    nowhere = NetworkHttp(client, base_url="http://127.0.0.1:9", secret="x")
    with pytest.raises(ProviderUnavailable):
        await nowhere.submit_kyc(uuid4(), ANA, papers(), ispb=OUR_ISPB, provider_id=uuid4(), request_id=uuid4())


async def test_a_provider_that_is_well_is_found_well(provider: Provider) -> None:
    probes = await provider.examine(ispb=OUR_ISPB)

    assert probes
    assert {probe.problem for probe in probes} == {None}
    assert all(0 <= probe.milliseconds < 5_000 for probe in probes)
