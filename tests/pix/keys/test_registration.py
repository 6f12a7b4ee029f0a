"""What the worker does with keys when the directory misbehaves: never a guess, never a key in two states."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, text, update

from build import reached
from conftest import Urls, settings_for
from lastro import worker
from lastro.accounts.models import Account
from lastro.auth.caller import Caller
from lastro.bank import Bank
from lastro.errors import Conflict, ProviderUnavailable, RateLimited, Unprocessable
from lastro.outbox import errands, queue
from lastro.outbox.queue import Claimed, Waiting
from lastro.pix.keys import crossing, registration, service
from lastro.pix.keys.models import KeyHolder, PixKeyRow
from lastro.pix.keys.order import Registration
from lastro.pix.keys.possession import code_of
from lastro.pix.keys.states import KeyStage
from lastro.pix.payments.acceptance import SETTLE
from lastro.providers.protocol import Holder, Notification
from lastro.values.bank_account import BankAccount
from lastro.values.pix_key import KeyType, PixKey
from lastro.values.text import Text
from lastro.wiring import Assembly, build
from lastro.worker import Worker
from pix.payments.test_acceptance import Shop

NOTHING = Text("", "")


class Directory:
    """A directory that remembers its requests, and fails as a test tells it."""

    def __init__(self) -> None:
        self.registered: dict[UUID, tuple[PixKey, Holder, BankAccount]] = {}
        self.removed: list[tuple[str, UUID]] = []
        self.asked: list[UUID] = []
        self.sent: list[tuple[KeyType, str, str, UUID]] = []
        self.before: Exception | None = None
        self.after: Exception | None = None
        self.meanwhile: Callable[[], Awaitable[None]] | None = None

    async def _trouble(self) -> None:
        if self.meanwhile is not None:
            await self.meanwhile()
        if self.before is not None:
            raise self.before

    async def register_key(
        self, key: PixKey | None, *, kind: KeyType, owner: Holder, account: BankAccount, request_id: UUID
    ) -> PixKey:
        self.asked.append(request_id)
        await self._trouble()
        if request_id not in self.registered:
            self.registered[request_id] = (key or PixKey(kind, str(uuid4())), owner, account)
        known, known_owner, _ = self.registered[request_id]
        if (known_owner, key or known) != (owner, known):
            raise Conflict(NOTHING, reason="RequestIdAlreadyUsed")
        if self.after is not None:
            raise self.after
        return known

    async def remove_key(self, key: PixKey, *, ispb: str, request_id: UUID) -> None:
        assert ispb == "00000000"
        await self._trouble()
        self.removed.append((key.value, request_id))
        if self.after is not None:
            raise self.after

    async def send_code(self, kind: KeyType, address: str, *, code: str, key_id: UUID, expires_at: datetime) -> None:
        assert expires_at.tzinfo is not None
        await self._trouble()
        self.sent.append((kind, address, code, key_id))

    def read(self, headers: Mapping[str, str], body: bytes) -> Notification:
        raise AssertionError((headers, body))

    async def find_key(self, *_: Any, **__: Any) -> Any:
        raise AssertionError

    settle = outcome_of = give_back = open_account = submit_kyc = find_key


@pytest.fixture
def directory() -> Directory:
    return Directory()


@pytest.fixture
async def shop(urls: Urls, directory: Directory, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Shop]:
    monkeypatch.setattr(service, "WAIT_SECONDS", 0.0)
    settings = settings_for(Urls(urls.quiet, urls.simulator, urls.quiet), port=9)
    assembly: Assembly = build(settings, adapters={"network": reached(directory)})
    await assembly.open()
    async with assembly.bank.db.transaction() as tx:
        await tx.execute(text("DELETE FROM outbox"))
    yield await Shop.open(assembly)
    await assembly.close()


def caller(shop: Shop) -> Caller:
    return Caller(shop.tenant_id, "token", frozenset())


async def ask(shop: Shop, account_id: UUID, kind: KeyType = KeyType.EVP, value: str | None = None) -> UUID:
    """Register; the key's id."""
    wanted = Registration(account_id, kind, PixKey.parse(kind, value) if value else None)
    await service.register(shop.assembly.bank, caller(shop), wanted, None)
    async with shop.assembly.bank.db.transaction() as tx:
        query = select(PixKeyRow.id).where(PixKeyRow.account_id == account_id).order_by(PixKeyRow.created_at.desc())
        return (await tx.execute(query.limit(1))).scalar_one()


async def key(shop: Shop, key_id: UUID) -> PixKeyRow:
    async with shop.assembly.bank.db.transaction() as tx:
        return (await tx.execute(select(PixKeyRow).where(PixKeyRow.id == key_id))).scalar_one()


async def held(shop: Shop, key_id: UUID) -> list[str]:
    async with shop.assembly.bank.db.transaction() as tx:
        return list((await tx.execute(select(KeyHolder.key_value).where(KeyHolder.key_id == key_id))).scalars())


async def owed(shop: Shop, key_id: UUID) -> list[str]:
    async with shop.assembly.bank.db.transaction() as tx:
        rows = await tx.execute(text("SELECT topic FROM outbox WHERE reference = :id ORDER BY id"), {"id": key_id})
        return [row.topic for row in rows]


async def told(shop: Shop, key_id: UUID) -> list[str]:
    async with shop.assembly.bank.db.transaction() as tx:
        query = text("SELECT type FROM events WHERE resource_id = :id ORDER BY resource_version")
        return [row.type for row in await tx.execute(query, {"id": key_id})]


async def claim(shop: Shop) -> list[Claimed]:
    async with shop.assembly.bank.db.transaction() as tx:
        await tx.execute(text("UPDATE outbox SET due_at = clock_timestamp()"))
    return await queue.claim(shop.assembly.bank.db, worker=1, low_water=0)


HANDLERS: Mapping[str, Callable[[Bank, Sequence[Claimed]], Awaitable[Sequence[Waiting]]]] = {
    crossing.PROVE: registration.prove,
    crossing.REGISTER: registration.register,
    crossing.REMOVE: registration.remove,
}


async def work(shop: Shop) -> list[Waiting]:
    """One round of the worker."""
    waiting: list[Waiting] = []
    for each in await claim(shop):
        waiting += await HANDLERS[each.topic](shop.assembly.bank, [each])
    return waiting


async def test_while_the_directory_is_silent_the_key_stays_pending_and_is_asked_for_again(
    shop: Shop, directory: Directory
) -> None:
    account_id = await shop.account(0)
    key_id = await ask(shop, account_id)
    for trouble in (ProviderUnavailable(NOTHING), RateLimited(NOTHING), RuntimeError("a bug")):
        directory.before = trouble
        (waiting,) = await work(shop)
        assert type(trouble).__name__ in waiting.why
        assert (await key(shop, key_id)).stage is KeyStage.REGISTERING
        assert await owed(shop, key_id) == [crossing.REGISTER]
    directory.before = None

    assert await work(shop) == []

    assert (await key(shop, key_id)).stage is KeyStage.ACTIVE
    assert len(set(directory.asked)) == 1
    assert await told(shop, key_id) == ["pix.key.registered"]
    assert await owed(shop, key_id) == []


async def test_a_lost_answer_leads_to_one_entry_although_the_holder_was_renamed(
    shop: Shop, directory: Directory
) -> None:
    account_id = await shop.account(0)
    key_id = await ask(shop, account_id)
    directory.after = ProviderUnavailable(NOTHING)
    assert len(await work(shop)) == 1
    async with shop.assembly.bank.db.transaction() as tx:
        await tx.execute(update(Account).where(Account.id == account_id).values(holder_name="Outro Nome"))
    directory.after = None

    assert await work(shop) == []

    ((made, owner, _),) = directory.registered.values()
    assert owner.name == "Loja"
    done = await key(shop, key_id)
    assert (done.stage, done.value) == (KeyStage.ACTIVE, made.value)
    assert await held(shop, key_id) == [made.value]


async def test_a_directory_that_hangs_is_not_waited_for(
    shop: Shop, directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(errands, "PATIENCE_SECONDS", 0.3)
    keys = [await ask(shop, await shop.account(0)) for _ in range(3)]

    async def hang() -> None:
        await asyncio.sleep(30)

    directory.meanwhile = hang
    async with asyncio.timeout(2):
        waiting = await registration.register(shop.assembly.bank, await claim(shop))

    assert len(waiting) == 3
    assert {(await key(shop, each)).stage for each in keys} == {KeyStage.REGISTERING}


async def test_one_key_in_trouble_keeps_no_other_waiting(shop: Shop, directory: Directory) -> None:
    good, bad = await ask(shop, await shop.account(0)), await ask(shop, await shop.account(0))
    directory.registered[(await key(shop, bad)).registration_id] = (
        PixKey(KeyType.EVP, str(uuid4())),
        Holder("somebody else", (await owner_of(shop, bad))),
        BankAccount("00000000", "0001", "1-0", (await account_of(shop, bad)).type),
    )

    (waiting,) = await registration.register(shop.assembly.bank, await claim(shop))

    assert waiting.claimed.reference == bad
    assert (await key(shop, good)).stage is KeyStage.ACTIVE
    # That we contradict ourselves says nothing about what the directory holds.
    assert (await key(shop, bad)).stage is KeyStage.REGISTERING


async def account_of(shop: Shop, key_id: UUID) -> Account:
    async with shop.assembly.bank.db.transaction() as tx:
        account_id = (await key(shop, key_id)).account_id
        return (await tx.execute(select(Account).where(Account.id == account_id))).scalar_one()


async def owner_of(shop: Shop, key_id: UUID) -> Any:
    from lastro.values.tax_id import TaxId

    account = await account_of(shop, key_id)
    return TaxId(account.holder_document, account.holder_document_type)


@pytest.mark.parametrize(
    ("refusal", "code"),
    [
        (Conflict(NOTHING, reason="EntryKeyOwnedByDifferentPerson"), "EntryKeyOwnedByDifferentPerson"),
        (Conflict(NOTHING, reason="EntryLimitExceeded"), "EntryLimitExceeded"),
        (Unprocessable(NOTHING, reason="EntryInvalid"), "EntryInvalid"),
    ],
)
async def test_a_refused_key_is_over_and_anybody_may_have_it(
    shop: Shop, directory: Directory, refusal: Exception, code: str
) -> None:
    account_id = await shop.account(0)
    document = await document_of(shop, account_id)
    key_id = await ask(shop, account_id, KeyType.CNPJ, document)
    assert await held(shop, key_id) == [document]
    directory.before = refusal

    assert await work(shop) == []

    done = await key(shop, key_id)
    assert (done.stage, done.failure_reason) == (KeyStage.INACTIVE, code)
    assert await held(shop, key_id) == []
    assert await told(shop, key_id) == ["pix.key.refused"]
    assert await owed(shop, key_id) == []


async def document_of(shop: Shop, account_id: UUID) -> str:
    async with shop.assembly.bank.db.transaction() as tx:
        return (await tx.execute(select(Account.holder_document).where(Account.id == account_id))).scalar_one()


async def test_two_workers_at_once_register_once(shop: Shop, directory: Directory) -> None:
    key_id = await ask(shop, await shop.account(0))
    claimed = await claim(shop)

    done = await asyncio.gather(*(registration.register(shop.assembly.bank, claimed) for _ in range(4)))

    assert done == [[]] * 4
    assert len(directory.registered) == 1
    assert (await key(shop, key_id)).version == 2
    assert await told(shop, key_id) == ["pix.key.registered"]


@pytest.mark.parametrize("way", ["delete", "close"])
async def test_what_is_taken_away_while_it_is_registered_is_taken_out_afterwards(
    shop: Shop, directory: Directory, way: str
) -> None:
    account_id = await shop.account(0)
    key_id = await ask(shop, account_id)

    async def take_away() -> None:
        directory.meanwhile = None
        if way == "delete":
            await service.remove(shop.assembly.bank, caller(shop), key_id)
        else:
            async with shop.assembly.bank.db.transaction() as tx:
                await crossing.close_account(tx, account_id, shop.assembly.bank.now())

    directory.meanwhile = take_away
    assert await work(shop) == []

    doomed = await key(shop, key_id)
    assert (doomed.stage, doomed.value is None) == (KeyStage.REMOVING, False)
    assert await held(shop, key_id) == [doomed.value]
    assert await owed(shop, key_id) == [crossing.REMOVE]
    assert await work(shop) == []
    assert (await key(shop, key_id)).stage is KeyStage.INACTIVE
    assert [value for value, _ in directory.removed] == [doomed.value]
    assert await held(shop, key_id) == []
    assert await told(shop, key_id) == []


async def test_what_was_deleted_before_it_was_asked_for_is_still_brought_to_its_end(
    shop: Shop, directory: Directory
) -> None:
    """An earlier request may be on its way: only its answer says whether there is something to take out."""
    key_id = await ask(shop, await shop.account(0))
    directory.after = ProviderUnavailable(NOTHING)
    await work(shop)
    await service.remove(shop.assembly.bank, caller(shop), key_id)
    assert await owed(shop, key_id) == [crossing.REGISTER]
    directory.after = None

    await work(shop)
    await work(shop)

    assert (await key(shop, key_id)).stage is KeyStage.INACTIVE
    assert len(directory.registered) == len(directory.removed) == 1


async def test_a_deleted_key_that_the_directory_refuses_is_simply_gone(shop: Shop, directory: Directory) -> None:
    key_id = await ask(shop, await shop.account(0))
    await service.remove(shop.assembly.bank, caller(shop), key_id)
    directory.before = Conflict(NOTHING, reason="EntryLimitExceeded")

    assert await work(shop) == []

    done = await key(shop, key_id)
    assert (done.stage, done.failure_reason) == (KeyStage.INACTIVE, None)
    assert directory.removed == []
    assert await told(shop, key_id) == []
    assert await owed(shop, key_id) == []


async def test_a_removal_is_repeated_under_one_id_and_meanwhile_the_key_is_nobody_elses(
    shop: Shop, directory: Directory
) -> None:
    account_id, other = await shop.account(0), await shop.account(0)
    async with shop.assembly.bank.db.transaction() as tx:
        document = await document_of(shop, account_id)
        await tx.execute(update(Account).where(Account.id == other).values(holder_document=document))
    key_id = await ask(shop, account_id, KeyType.CNPJ, document)
    await work(shop)
    await service.remove(shop.assembly.bank, caller(shop), key_id)
    for directory.after in (ProviderUnavailable(NOTHING), None):
        if directory.after:
            assert len(await work(shop)) == 1
            assert (await key(shop, key_id)).stage is KeyStage.REMOVING
            with pytest.raises(Conflict):
                await ask(shop, other, KeyType.CNPJ, document)
        else:
            assert await work(shop) == []

    assert len(set(directory.removed)) == 1
    assert len(directory.removed) == 2
    assert (await key(shop, key_id)).stage is KeyStage.INACTIVE
    await ask(shop, other, KeyType.CNPJ, document)


async def test_a_code_is_sent_while_somebody_may_type_it(shop: Shop, directory: Directory) -> None:
    account_id = await shop.account(0)
    key_id = await ask(shop, account_id, KeyType.PHONE, "+5511912345678")
    directory.before = ProviderUnavailable(NOTHING)
    (waiting,) = await work(shop)
    code = code_of(key_id, shop.assembly.bank.code_secret)
    assert code not in waiting.why
    directory.before = None

    assert await work(shop) == []

    assert directory.sent == [(KeyType.PHONE, "+5511912345678", code, key_id)]
    assert await owed(shop, key_id) == []


@pytest.mark.parametrize("over", ["deleted", "expired"])
async def test_no_code_is_sent_that_nobody_may_type(shop: Shop, directory: Directory, over: str) -> None:
    key_id = await ask(shop, await shop.account(0), KeyType.EMAIL, f"{uuid4().hex}@b.c")
    if over == "deleted":
        await service.remove(shop.assembly.bank, caller(shop), key_id)
    else:
        late = shop.assembly.bank.now() - timedelta(seconds=1)
        async with shop.assembly.bank.db.transaction() as tx:
            await tx.execute(update(PixKeyRow).where(PixKeyRow.id == key_id).values(code_expires_at=late))

    assert await work(shop) == []

    assert directory.sent == []
    assert await owed(shop, key_id) == []


async def test_expired_registrations_make_room_and_are_swept(shop: Shop) -> None:
    account_id = await shop.account(0)
    old = await ask(shop, account_id, KeyType.EMAIL, f"{uuid4().hex}@b.c")
    async with shop.assembly.bank.db.transaction() as tx:
        await tx.execute(update(PixKeyRow).where(PixKeyRow.id == old).values(code_expires_at=shop.assembly.bank.now()))
    await ask(shop, account_id)
    assert (await key(shop, old)).stage is KeyStage.INACTIVE


async def test_of_two_accounts_that_want_one_key_exactly_one_gets_it_fifty_times(
    shop: Shop, directory: Directory
) -> None:
    first, second = await shop.account(0), await shop.account(0)
    document = await document_of(shop, first)
    async with shop.assembly.bank.db.transaction() as tx:
        await tx.execute(update(Account).where(Account.id == second).values(holder_document=document))

    for _ in range(50):
        wanted = [Registration(each, KeyType.CNPJ, PixKey(KeyType.CNPJ, document)) for each in (first, second)]
        answers = await asyncio.gather(
            *(service.register(shop.assembly.bank, caller(shop), each, None) for each in wanted), return_exceptions=True
        )

        assert sorted(type(each).__name__ for each in answers) == ["Answer", "Conflict"]
        (winner,) = await holders_of(shop, document)
        assert await work(shop) == []
        await service.remove(shop.assembly.bank, caller(shop), winner)
        assert await work(shop) == []
        assert await holders_of(shop, document) == []

    assert len(directory.registered) == len(directory.removed) == 50


async def holders_of(shop: Shop, value: str) -> list[UUID]:
    async with shop.assembly.bank.db.transaction() as tx:
        return list((await tx.execute(select(KeyHolder.key_id).where(KeyHolder.key_value == value))).scalars())


async def test_a_slow_directory_keeps_no_payment_waiting_that_was_claimed_with_its_keys(
    shop: Shop, directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    account_id = await shop.account(100)
    await shop.accept(shop.order(account_id, 10))
    key_id = await ask(shop, account_id)
    settled = asyncio.Event()

    async def settle(_bank: Bank, claimed: Sequence[Claimed]) -> Sequence[Waiting]:
        settled.set()
        return [Waiting(each, "not now") for each in claimed]

    async def wait_for_the_payment() -> None:
        async with asyncio.timeout(2):
            await settled.wait()

    monkeypatch.setattr(worker, "HANDLERS", {**worker.HANDLERS, SETTLE: settle})
    directory.meanwhile = wait_for_the_payment
    async with shop.assembly.bank.db.transaction() as tx:
        await tx.execute(text("UPDATE outbox SET due_at = clock_timestamp()"))

    assert await Worker(shop.assembly.bank, "").tick(1) == 2

    assert (await key(shop, key_id)).stage is KeyStage.ACTIVE
