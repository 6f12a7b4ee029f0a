"""What a client learns of a key, what it costs, and what a payment may make of it later."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select

from build import JOAO, Answered, Tenant, World, a_cnpj, a_cpf
from lastro.auth.permissions import Permission
from lastro.errors import BankError, KeyNotFound, ProviderUnavailable, RateLimited, Unprocessable
from lastro.pix.lookups import resources, service
from lastro.pix.lookups.models import PixLookup
from lastro.pix.lookups.service import Found, Wanted
from lastro.pix.payments import preparation
from lastro.providers.protocol import KeyOwner
from lastro.tenants import service as tenants
from lastro.values.bank_account import AccountType
from lastro.values.end_to_end_id import EndToEndId
from lastro.values.tax_id import TaxId
from lastro.values.text import Text
from lastro.wiring import Assembly
from pix.lookups.branches import ITAU, NOBODYS, Branch, Directory, somebody, written_tokens

# Through the front door


@pytest.fixture
async def asking(world: World) -> Tenant:
    """A tenant whose tax id nobody shares: the payer of its lookups."""
    return await world.tenant("asking", tax_id=a_cnpj())


async def ask(tenant: Tenant, kind: str = "CPF", value: str = JOAO, **more: str | None) -> Answered:
    return await tenant.post("/pix/keys/lookup", "pix-key-lookup", {"keyType": kind, "keyValue": value, **more})


async def payers_tokens(assembly: Assembly | World, holder: str) -> float:
    found = await written_tokens(assembly, holder)
    assert found is not None, "nothing was charged"
    return found


async def test_a_key_of_another_bank_is_answered_like_the_sample(asking: Tenant) -> None:
    answered = await ask(asking)

    assert answered.status == 200
    assert answered.body == {
        "data": {
            "type": "pix-key-lookup",
            "attributes": {
                "keyType": "CPF",
                "keyValue": JOAO,
                "owner": {"name": "João Silva", "document": "***456789**", "documentType": "CPF"},
                "account": {
                    "bankCode": "260",
                    "bankName": "Nu Pagamentos",
                    "branch": "0001",
                    "accountNumber": "98765-4",
                    "accountType": "CHECKING",
                },
                "createdAt": "2023-06-15T10:30:00Z",
                "e2eId": None,
            },
        }
    }


async def test_a_key_that_nobody_has_is_not_found(asking: Tenant) -> None:
    answered = await ask(asking, "EMAIL", f"{uuid4().hex}@empresa.example")

    assert (answered.status, answered.code) == (404, "KEY_NOT_FOUND")


@pytest.mark.parametrize(
    ("attributes", "pointer"),
    [
        ({"keyType": "CPF", "keyValue": "123"}, "/data/attributes/keyValue"),
        ({"keyType": "EVP", "keyValue": JOAO}, "/data/attributes/keyValue"),
        ({"keyType": "NAME", "keyValue": JOAO}, "/data/attributes/keyType"),
        ({"keyType": "CPF"}, "/data/attributes/keyValue"),
        ({"keyType": "CPF", "keyValue": int(JOAO)}, "/data/attributes/keyValue"),
        ({"keyType": "CPF", "keyValue": JOAO, "accountId": "mine"}, "/data/attributes/accountId"),
        ({"keyType": "CPF", "keyValue": JOAO, "payer": "me"}, "/data/attributes/payer"),
    ],
)
async def test_a_malformed_question_is_told_where(asking: Tenant, attributes: object, pointer: str) -> None:
    answered = await asking.post("/pix/keys/lookup", "pix-key-lookup", attributes)

    assert (answered.status, answered.code) == (400, "VALIDATION")
    assert pointer in answered.pointers


async def test_an_idempotency_key_is_let_pass_and_each_question_is_asked(asking: Tenant) -> None:
    headers = {"idempotency-key": "again"}
    attributes = {"keyType": "CPF", "keyValue": JOAO}

    statuses = [
        (await asking.post("/pix/keys/lookup", "pix-key-lookup", attributes, headers=headers)).status for _ in range(2)
    ]

    assert statuses == [200, 200]


async def test_a_key_found_costs_one_and_a_key_that_is_not_there_twenty(world: World) -> None:
    document = a_cnpj()
    asking = await world.tenant("priced", tax_id=document)

    await ask(asking)
    assert await payers_tokens(world, document) == pytest.approx(499, abs=0.9)
    await ask(asking, "EMAIL", f"{uuid4().hex}@empresa.example")
    assert await payers_tokens(world, document) == pytest.approx(479, abs=0.9)


async def test_a_lookup_for_an_account_is_charged_to_its_holder(world: World, asking: Tenant) -> None:
    document = a_cpf()
    account = await asking.account(holderDocument=document, holderDocumentType="CPF", holderName="Ana Lima")

    answered = await ask(asking, accountId=account.id)

    assert answered.status == 200
    assert EndToEndId.parse(answered.attributes["e2eId"]).startswith("E00000000")
    assert await payers_tokens(world, document) == pytest.approx(79, abs=0.1)


async def test_whoever_guesses_keys_is_stopped_before_the_twenty_fifth_miss(asking: Tenant) -> None:
    answers = [await ask(asking, "CPF", a_cpf()) for _ in range(25)]

    statuses = [answered.status for answered in answers]
    assert statuses[:17] == [404] * 17
    assert statuses[17:] == [429] * 8
    refused = answers[-1]
    assert refused.code == "RATE_LIMITED"
    assert 1 <= int(refused.response.headers["retry-after"]) <= 75  # twenty tokens at sixteen a minute
    # Known keys are refused too, or the reserve would be an oracle.
    assert (await ask(asking)).status == 429


async def test_a_payment_still_passes_when_lookups_do_not(asking: Tenant) -> None:
    account = await asking.account(available="10.00")
    while (await ask(asking, "CPF", a_cpf(), accountId=account.id)).status == 404:
        pass

    assert (await ask(asking, accountId=account.id)).status == 429
    paid = await account.pays(1.00)

    assert paid.status == 201
    await account.payment_becomes(paid.id, "COMPLETED")


async def test_another_tenants_account_is_nobodys(asking: Tenant, stranger: Tenant) -> None:
    account = await stranger.account()

    theirs, nobodys = await ask(asking, accountId=account.id), await ask(asking, accountId=str(uuid4()))

    assert (theirs.status, theirs.code, theirs.pointers) == (404, "NOT_FOUND", ["/data/attributes/accountId"])
    assert (nobodys.status, nobodys.code, nobodys.pointers) == (404, "NOT_FOUND", ["/data/attributes/accountId"])


async def test_a_blocked_account_asks_nothing(asking: Tenant) -> None:
    account = await asking.account()
    await asking.post(f"/accounts/{account.id}/block")

    answered = await ask(asking, accountId=account.id)

    assert (answered.status, answered.code) == (409, "CONFLICT")


async def test_a_strict_provider_knows_without_asking_that_a_wrong_cpf_is_nobodys(world: World) -> None:
    document = a_cnpj()
    strict = await world.tenant("strict", tax_id=document, strict=True)

    assert (await ask(strict)).code == "KEY_NOT_FOUND"

    with pytest.raises(AssertionError, match="nothing was charged"):
        await payers_tokens(world, document)


async def test_a_tenant_without_a_provider_is_told_so(world: World) -> None:
    asking = Tenant(world, await tenants.create_tenant(world.bank, "bankless", a_cnpj()), uuid4())
    asking.token = await asking.new_token(Permission.PIX_KEYS_READ)

    answered = await ask(asking)

    assert (answered.status, answered.code) == (422, "UNPROCESSABLE")
    assert "provedor" in answered.body["message"]


# What is asked of the services, with directories that misbehave


@pytest.fixture
async def branch(quiet: Assembly) -> Branch:
    return await Branch.open(quiet)


_SENTENCE = Text("não", "no")


@pytest.mark.parametrize(
    ("answer", "price"),
    [
        (somebody(), 1),
        (KeyNotFound(_SENTENCE), 20),
        (ProviderUnavailable(_SENTENCE), 0),
        (RateLimited(_SENTENCE, retry_after=7), 0),
        (Unprocessable(_SENTENCE), 1),
    ],
)
async def test_a_question_costs_what_the_directory_charges(
    branch: Branch, answer: KeyOwner | BankError, price: int
) -> None:
    payer, directory = a_cpf(), Directory(answer)

    if isinstance(answer, BankError):
        with pytest.raises(type(answer)) as raised:
            await branch.ask(directory, payer)
        assert raised.value.retry_after == answer.retry_after
    else:
        assert await branch.ask(directory, payer) == Found(answer, None)

    assert await payers_tokens(branch.assembly, payer) == pytest.approx(80 - price, abs=0.05)
    assert directory.payers == [payer]


async def test_a_directory_that_is_away_is_said_to_be_away(branch: Branch) -> None:
    with pytest.raises(ProviderUnavailable):
        await service.lookup(branch.assembly.bank, branch.caller, Wanted(NOBODYS, await branch.account()))


async def test_the_directory_hears_no_more_lookups_than_were_paid_for(branch: Branch) -> None:
    payer, directory = a_cnpj(), Directory(KeyNotFound(_SENTENCE))

    verdicts = await asyncio.gather(*(branch.ask(directory, payer) for _ in range(50)), return_exceptions=True)

    assert [type(verdict) for verdict in verdicts].count(KeyNotFound) == directory.asked == 17
    assert [type(verdict) for verdict in verdicts].count(RateLimited) == 33


async def test_whoever_waits_no_longer_pays_nothing(branch: Branch) -> None:
    payer, directory = a_cpf(), Directory(somebody())
    await branch.ask(directory, payer)
    directory.hangs = True

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await branch.ask(directory, payer)

    assert directory.asked == 2
    assert await payers_tokens(branch.assembly, payer) == pytest.approx(79, abs=0.1)


async def test_an_answer_is_remembered_from_the_moment_of_its_id(branch: Branch) -> None:
    """A payment goes out under that id for fifteen minutes of the id's own time, however slow the directory was."""
    account_id, directory = await branch.account(), Directory(somebody())
    directory.takes = 0.3
    before = branch.assembly.bank.now()

    answer = await service.lookup(branch.asking(directory), branch.caller, Wanted(NOBODYS, account_id))

    async with branch.assembly.bank.db.transaction() as tx:
        query = select(PixLookup.created_at).where(PixLookup.e2e_id == answer.end_to_end_id)
        assert (await tx.execute(query)).scalar_one() - before < timedelta(seconds=0.25)


async def test_a_key_of_our_own_customer_costs_a_lookup_as_much_as_any_other(branch: Branch) -> None:
    payer, directory = a_cpf(), Directory(KeyNotFound(_SENTENCE))
    account_id = await branch.account()
    key = await branch.key(account_id)

    found = await branch.ask(directory, payer, key)

    assert (found.owner.key, found.owner.party.name, found.payee_account_id) == (key, "Loja Nossa", account_id)
    assert directory.asked == 0
    assert await payers_tokens(branch.assembly, payer) == pytest.approx(79, abs=0.05)
    while await payers_tokens(branch.assembly, payer) >= 44:
        await branch.ask(directory, payer, key)
    with pytest.raises(RateLimited):
        await branch.ask(directory, payer, key)


async def test_at_another_participant_our_customer_is_a_stranger(branch: Branch) -> None:
    directory = Directory(somebody())
    key = await branch.key(await branch.account())

    found = await branch.ask(directory, a_cpf(), key, ispb=ITAU)

    assert (found.payee_account_id, directory.asked) == (None, 1)


async def test_our_own_customer_is_masked_like_a_stranger(branch: Branch) -> None:
    document = a_cnpj()
    key = await branch.key(await branch.account(document))

    shown = resources.document(await service.lookup(branch.assembly.bank, branch.caller, Wanted(key, None)))

    assert shown.data.attributes.owner.document == f"**{document[2:8]}******"
    assert shown.data.attributes.e2e_id is None


async def test_a_provider_that_hides_accounts_shows_a_company_whole_and_no_account(quiet: Assembly) -> None:
    branch, document = await Branch.open(quiet, hides=True), a_cnpj()
    key = await branch.key(await branch.account(document))
    person = await branch.key(await branch.account("39053344705"))

    company_shown = resources.document(await service.lookup(quiet.bank, branch.caller, Wanted(key, None)))
    person_shown = resources.document(await service.lookup(quiet.bank, branch.caller, Wanted(person, None)))

    assert company_shown.data.attributes.owner.document == TaxId.parse(document).punctuated
    assert person_shown.data.attributes.owner.document == "***533447**"
    account = company_shown.data.attributes.account
    assert (account.branch, account.account_number) == (None, None)
    assert (account.bank_code, account.bank_name) == ("001", "Banco do Brasil")


def test_a_bank_that_is_not_on_the_list_has_no_name() -> None:
    owner = somebody()
    unknown = replace(owner, party=replace(owner.party, account=replace(owner.party.account, ispb="ZZZZZZZZ")))

    account = resources.document(service.LookedUp(unknown, None, hides_account=False)).data.attributes.account

    assert (account.bank_code, account.bank_name, account.branch) == (None, None, "0001")


async def test_the_tenants_oldest_provider_asks_when_no_account_does(branch: Branch) -> None:
    for ispb in (ITAU, "18236120"):
        await tenants.add_provider(
            branch.assembly.bank,
            tenant_id=branch.tenant_id,
            name="younger",
            code=None,
            ispb=ispb,
            account_types=list(AccountType),
            strict_documents=False,
        )
    key = await branch.key(await branch.account())

    found = await service.lookup(branch.assembly.bank, branch.caller, Wanted(key, None))

    assert found.owner.key == key  # the younger ones would have asked a directory that is nowhere


async def test_what_an_account_was_told_is_remembered_for_fifteen_minutes(branch: Branch) -> None:
    bank = branch.assembly.bank
    account_id, payee = await branch.account(), await branch.account()
    key = await branch.key(payee)

    told = await service.lookup(bank, branch.caller, Wanted(key, account_id))

    assert told.end_to_end_id is not None
    found = [
        await bank.preparing.submit(preparation.Question(whose, branch.caller.tenant_id, None, lookup))
        for whose, lookup in (
            (account_id, told.end_to_end_id),
            (payee, told.end_to_end_id),
            (account_id, EndToEndId.new("00000000", bank.now())),
        )
    ]
    assert [each.remembered is None for each in found] == [False, True, True]
    kept = found[0].remembered
    assert (kept.key, kept.payee, kept.payee_account_id) == (key, told.owner.party, payee)
    assert not kept.has_expired(kept.created_at + timedelta(minutes=15))
    assert kept.has_expired(kept.created_at + timedelta(minutes=15, seconds=1))


async def test_an_expired_answer_goes_when_the_account_asks_again(branch: Branch) -> None:
    bank = branch.assembly.bank
    account_id = await branch.account()
    key = await branch.key(await branch.account())
    recent = await service.lookup(bank, branch.caller, Wanted(key, account_id))
    async with bank.db.transaction() as tx:
        facts = {"account_id": account_id, "key_type": key.kind, "key_value": key.value, "owner": recent.owner.party}
        for minutes in (14, 16):
            then = bank.now() - timedelta(minutes=minutes)
            tx.add(PixLookup(**facts, e2e_id=f"{minutes} minutes ago", created_at=then))

    latest = await service.lookup(bank, branch.caller, Wanted(key, account_id))

    async with bank.db.transaction() as tx:
        query = select(PixLookup.e2e_id).where(PixLookup.account_id == account_id)
        left = set((await tx.execute(query)).scalars())
    assert left == {"14 minutes ago", recent.end_to_end_id, latest.end_to_end_id}


async def test_a_question_without_an_account_leaves_nothing(branch: Branch) -> None:
    payee = await branch.account()
    key = await branch.key(payee)

    await service.lookup(branch.assembly.bank, branch.caller, Wanted(key, None))

    async with branch.assembly.bank.db.transaction() as tx:
        kept = (await tx.execute(select(PixLookup).where(PixLookup.key_value == key.value))).scalars().all()
    assert kept == []
