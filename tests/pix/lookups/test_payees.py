"""What the question of a payment costs, whom it may ask, and that nothing stays reserved, however it ends."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from build import a_cpf
from lastro import metrics
from lastro.attempt import Answer, Attempt, fingerprint
from lastro.errors import (
    BankError,
    Conflict,
    InsufficientBalance,
    KeyNotFound,
    NotFound,
    ProviderUnavailable,
    RateLimited,
    Unprocessable,
)
from lastro.pix.lookups.budgets import Purpose
from lastro.pix.lookups.models import BudgetLevel
from lastro.pix.lookups.service import Wanted, lookup
from lastro.providers.protocol import KeyOwner
from lastro.values import brcode
from lastro.values.pix_key import KeyType, PixKey
from lastro.values.text import Text
from lastro.wiring import Assembly
from pix.lookups.branches import ITAU, NOBODYS, Branch, Directory, somebody, written_tokens

_SENTENCE = Text("não", "no")
MISSING = KeyNotFound(_SENTENCE)
CODE = brcode.write(brcode.StaticCode(NOBODYS, None, "Maria", "Brasilia", None, None))


@pytest.fixture
async def branch(quiet: Assembly) -> Branch:
    return await Branch.open(quiet)


@pytest.fixture
def payer() -> str:
    """A person: 80 tokens, and 1.6 more a minute."""
    return a_cpf()


async def leave(assembly: Assembly, payer: str, tokens: float) -> None:
    """Let this payer have so many tokens from now on."""
    await assembly.bank.metering.drain()
    async with assembly.bank.db.transaction() as tx:
        await tx.execute(
            text(
                "INSERT INTO lookup_budgets VALUES ('PAYER', :payer, :tokens, clock_timestamp()) ON CONFLICT"
                " (level, holder) DO UPDATE SET millitokens = :tokens, refilled_at = clock_timestamp()"
            ),
            {"payer": payer, "tokens": int(tokens * 1000)},
        )


def about(tokens: float | None) -> Any:
    """So many, and what has flowed in since."""
    return None if tokens is None else pytest.approx(tokens, abs=0.3)


async def many(times: int, what: Callable[[], Awaitable[Answer]]) -> list[type]:
    """What became of so many at once."""
    return [type(each) for each in await asyncio.gather(*(what() for _ in range(times)), return_exceptions=True)]


@pytest.mark.parametrize(
    ("answer", "left"),
    [
        (MISSING, 60),
        (ProviderUnavailable(_SENTENCE), None),
        (RateLimited(_SENTENCE, retry_after=7), None),
        (Unprocessable(_SENTENCE), 79),
    ],
)
@pytest.mark.parametrize("recipient", [NOBODYS, CODE], ids=["key", "code"])
async def test_a_question_without_a_payee_costs_what_the_directory_charges(
    branch: Branch, payer: str, recipient: PixKey | str, answer: BankError, left: float | None
) -> None:
    account_id, directory = await branch.account(payer, centavos=100), Directory(answer)

    with pytest.raises(BankError) as raised:
        await branch.pay(directory, account_id, recipient)

    told = Unprocessable if answer is MISSING else type(answer)
    assert (type(raised.value), raised.value.retry_after) == (told, answer.retry_after)
    assert directory.payers == [payer]
    assert await written_tokens(branch.assembly, payer) == about(left)
    await leave(branch.assembly, payer, 1)
    assert (await branch.pay(Directory(somebody()), account_id, recipient)).status == 201, "a token is still reserved"


@pytest.mark.parametrize("recipient", [NOBODYS, CODE], ids=["key", "code"])
async def test_a_question_that_ends_in_a_payment_writes_nothing(
    branch: Branch, payer: str, recipient: PixKey | str
) -> None:
    account_id, directory = await branch.account(payer, centavos=100), Directory(somebody())

    for _ in range(2):
        assert (await branch.pay(directory, account_id, recipient)).status == 201

    assert directory.asked == 2
    assert await written_tokens(branch.assembly, payer) is None
    await leave(branch.assembly, payer, 1)
    for _ in range(3):
        assert (await branch.pay(directory, account_id, recipient)).status == 201


async def test_under_one_ispb_two_houses_pay_each_other_through_the_network(branch: Branch, payer: str) -> None:
    account_id, other = await branch.account(payer, centavos=100), await Branch.open(branch.assembly)
    key = await other.key(await other.account())
    directory = Directory(replace(somebody(), key=key))
    assert (await branch.pay(directory, account_id, key)).status == 201
    assert directory.asked == 0, "one house: nobody is asked"

    async with branch.assembly.bank.db.transaction() as tx:
        await tx.execute(text("UPDATE providers SET house = 'apart' WHERE id = :id"), {"id": other.provider.id})

    assert (await branch.pay(directory, account_id, key)).status == 201
    assert directory.asked == 1
    found = await branch.ask(directory, payer, key)
    assert (found.payee_account_id, directory.asked) == (None, 2)


async def test_a_payment_that_is_refused_has_asked_all_the_same(branch: Branch, payer: str) -> None:
    account_id = await branch.account(payer)

    with pytest.raises(InsufficientBalance):
        await branch.pay(Directory(somebody()), account_id)

    assert await written_tokens(branch.assembly, payer) == about(79)
    await leave(branch.assembly, payer, 1)
    with pytest.raises(InsufficientBalance):
        await branch.pay(Directory(somebody()), account_id)
    await branch.assembly.bank.metering.drain()
    with pytest.raises(RateLimited):
        await branch.pay(Directory(somebody()), account_id)


async def test_a_twin_that_is_told_the_others_answer_has_asked_all_the_same(branch: Branch, payer: str) -> None:
    account_id, directory = await branch.account(payer, centavos=100), Directory(somebody(), takes=0.2)
    attempt = Attempt(branch.tenant_id, "POST /pix/payments", payer, fingerprint("", [payer]))

    async def pay() -> Answer:
        return await branch.pay(directory, account_id, attempt=attempt)

    first = asyncio.create_task(pay())
    second = asyncio.create_task(pay())
    answers = [await first, await second]

    assert directory.asked == 2
    assert sorted(each.replayed for each in answers) == [False, True]
    assert await written_tokens(branch.assembly, payer) == about(79)


async def test_whoever_waits_no_longer_for_the_directory_pays_nothing(branch: Branch, payer: str) -> None:
    account_id, directory = await branch.account(payer, centavos=100), Directory(somebody(), hangs=True)
    await leave(branch.assembly, payer, 1)

    for turn in range(2):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await branch.pay(directory, account_id)
        assert directory.asked == turn + 1

    assert (await branch.pay(Directory(somebody()), account_id)).status == 201
    assert await written_tokens(branch.assembly, payer) == about(1)


async def test_whoever_leaves_while_the_buckets_are_read_reserves_nothing(
    branch: Branch, payer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    account_id, bank = await branch.account(payer, centavos=100), branch.assembly.bank
    await leave(branch.assembly, payer, 1)
    read = bank.db.call

    async def slowly(*arguments: Any) -> Any:
        await asyncio.sleep(0.3)
        return await read(*arguments)

    with monkeypatch.context() as slow:
        slow.setattr(bank.db, "call", slowly)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await branch.pay(Directory(somebody()), account_id)
        await bank.preparing.drain()

    assert (await branch.pay(Directory(somebody()), account_id)).status == 201


async def test_whoever_leaves_when_the_payee_is_found_has_asked(
    branch: Branch, payer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    account_id, directory = await branch.account(payer, centavos=100), Directory(somebody())
    await leave(branch.assembly, payer, 2)

    async def never(_order: object) -> None:
        await asyncio.sleep(60)

    with monkeypatch.context() as slow:
        slow.setattr(branch.assembly.bank.sending, "submit", never)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await branch.pay(directory, account_id)

    assert directory.asked == 1
    assert await written_tokens(branch.assembly, payer) == about(1)
    assert (await branch.pay(directory, account_id)).status == 201


async def test_as_many_payments_at_once_may_ask_as_there_are_tokens(branch: Branch, payer: str) -> None:
    account_id, directory = await branch.account(payer, centavos=100), Directory(somebody(), takes=0.5)
    await leave(branch.assembly, payer, 10)

    became = await many(50, lambda: branch.pay(directory, account_id))

    assert (became.count(Answer), became.count(RateLimited), directory.asked) == (10, 40, 10)
    assert await written_tokens(branch.assembly, payer) == about(10)
    assert (await many(10, lambda: branch.pay(directory, account_id))).count(Answer) == 10


async def test_a_scan_by_payments_ends_after_as_many_misses_as_are_paid_for(branch: Branch, payer: str) -> None:
    account_id, directory = await branch.account(payer, centavos=100), Directory(MISSING)

    passed = 0
    with pytest.raises(RateLimited) as refused:
        while True:
            with pytest.raises(Unprocessable):
                await branch.pay(directory, account_id)
            passed += 1

    assert passed == directory.asked == 4
    assert refused.value.retry_after == pytest.approx(38, abs=2)  # one token at 1.6 a minute
    left = await written_tokens(branch.assembly, payer)
    assert left is not None
    assert 0 <= left < 0.1


@pytest.mark.parametrize("takes", [0, 0.01])
async def test_a_scan_by_many_payments_at_once_never_passes_the_tokens(
    branch: Branch, payer: str, takes: float
) -> None:
    account_id, directory = await branch.account(payer, centavos=100), Directory(MISSING, takes=takes)
    await leave(branch.assembly, payer, 30)

    for _ in range(4):
        became = await many(50, lambda: branch.pay(directory, account_id))
        assert became.count(Unprocessable) + became.count(RateLimited) == 50

    assert directory.asked <= 30 + 1
    assert await written_tokens(branch.assembly, payer) == about(0)


async def test_a_lookup_leaves_what_payments_under_way_may_need(branch: Branch, payer: str) -> None:
    account_id, directory = await branch.account(payer, centavos=100), Directory(somebody(), hangs=True)
    key = await branch.key(await branch.account())
    await leave(branch.assembly, payer, 44.3)  # 24 are the reserve, and a lookup needs 20
    paying = asyncio.create_task(branch.pay(directory, account_id))
    while not directory.asked:
        await asyncio.sleep(0.01)

    with pytest.raises(RateLimited):
        await lookup(branch.assembly.bank, branch.caller, Wanted(key, account_id))
    paying.cancel()
    await asyncio.wait([paying])
    assert (await lookup(branch.assembly.bank, branch.caller, Wanted(key, account_id))).owner.key == key


async def test_a_payment_to_our_own_customer_is_no_question_to_the_directory(branch: Branch, payer: str) -> None:
    account_id, directory = await branch.account(payer, centavos=100), Directory(MISSING)
    key = await branch.key(await branch.account())
    await leave(branch.assembly, payer, 0)

    assert (await branch.pay(directory, account_id, key)).status == 201

    assert directory.asked == 0
    assert await written_tokens(branch.assembly, payer) == about(0)


async def test_a_key_that_is_not_active_yet_is_asked_for_like_a_strangers(branch: Branch, payer: str) -> None:
    account_id, directory = await branch.account(payer, centavos=100), Directory(somebody())
    key = await branch.key(await branch.account())
    async with branch.assembly.bank.db.transaction() as tx:
        state = "SET stage = 'REGISTERING', activated_at = NULL"
        await tx.execute(text(f"UPDATE pix_keys {state} WHERE key_value = :key"), {"key": key.value})

    assert (await branch.pay(directory, account_id, key)).status == 201

    assert directory.asked == 1


async def test_at_another_participant_our_customer_is_a_stranger(branch: Branch, payer: str, quiet: Assembly) -> None:
    neighbour, directory = await Branch.open(quiet, ispb=ITAU), Directory(somebody())
    key = await branch.key(await branch.account())

    taken = await neighbour.pay(directory, await neighbour.account(payer, centavos=100), key)

    assert (taken.status, directory.asked) == (201, 1)


async def test_a_key_that_arithmetic_refutes_costs_nothing_even_those_who_have_nothing(
    payer: str, quiet: Assembly
) -> None:
    strict, directory = await Branch.open(quiet, strict=True), Directory(MISSING)
    account_id = await strict.account(payer, centavos=100)
    await leave(quiet, payer, 0)

    with pytest.raises(Unprocessable):
        await strict.pay(directory, account_id, PixKey(KeyType.CPF, "12345678901"))

    assert directory.asked == 0
    assert await written_tokens(quiet, payer) == about(0)


async def test_a_payment_after_a_lookup_asks_nobody_and_gives_its_price_back(branch: Branch, payer: str) -> None:
    account_id, payee, directory = await branch.account(payer, centavos=100), await branch.account(), Directory(MISSING)
    key = await branch.key(payee)
    told = await lookup(branch.assembly.bank, branch.caller, Wanted(key, account_id))
    assert await written_tokens(branch.assembly, payer) == about(79)
    await leave(branch.assembly, payer, 0)

    assert (await branch.pay(directory, account_id, key, lookup=told.end_to_end_id)).status == 201

    assert directory.asked == 0
    assert await written_tokens(branch.assembly, payer) == about(1)


async def test_a_stranger_neither_spends_nor_reserves_for_anothers_account(branch: Branch, payer: str) -> None:
    stranger, directory = await Branch.open(branch.assembly), Directory(somebody(), takes=0.05)
    account_id: UUID = await branch.account(payer, centavos=1_000)
    await leave(branch.assembly, payer, 1)

    async def both() -> list[type]:
        theirs = [stranger.pay(directory, account_id) for _ in range(20)]
        answers = await asyncio.gather(*theirs, branch.pay(directory, account_id), return_exceptions=True)
        return [type(each) for each in answers]

    for _ in range(5):
        assert await both() == [NotFound] * 20 + [Answer]


async def test_a_blocked_account_asks_nothing(branch: Branch, payer: str) -> None:
    account_id, directory = await branch.account(payer, centavos=100), Directory(somebody())
    async with branch.assembly.bank.db.transaction() as tx:
        await tx.execute(text("UPDATE accounts SET status = 'BLOCKED' WHERE id = :id"), {"id": account_id})
    await leave(branch.assembly, payer, 0)
    refusals = metrics.LOOKUPS_REFUSED.labels(BudgetLevel.PAYER, Purpose.PAYMENT)
    before = refusals._value.get()

    with pytest.raises(Conflict):
        await branch.pay(directory, account_id)

    assert (directory.asked, refusals._value.get()) == (0, before)


@pytest.mark.parametrize(
    ("answer", "outcome"), [(somebody(), "found"), (MISSING, "missing"), (ProviderUnavailable(_SENTENCE), "unanswered")]
)
async def test_what_became_of_a_question_is_counted(
    branch: Branch, payer: str, answer: KeyOwner | BankError, outcome: str
) -> None:
    account_id, counter = await branch.account(payer, centavos=100), metrics.LOOKUPS.labels(Purpose.PAYMENT, outcome)
    before = counter._value.get()

    await many(1, lambda: branch.pay(Directory(answer), account_id))

    assert counter._value.get() == before + 1


async def test_payees_of_ours_and_refusals_are_counted(branch: Branch, payer: str) -> None:
    account_id, key = await branch.account(payer, centavos=100), await branch.key(await branch.account())
    await leave(branch.assembly, payer, 0)
    ours, refused = (metrics.LOOKUPS.labels(Purpose.PAYMENT, outcome) for outcome in ("ours", "refused"))
    before = ours._value.get(), refused._value.get()

    await branch.pay(Directory(MISSING), account_id, key)
    await many(1, lambda: branch.pay(Directory(MISSING), account_id))

    assert (ours._value.get(), refused._value.get()) == (before[0] + 1, before[1] + 1)
