"""A batch equals its orders one by one: same verdicts, same money, also with one key twice, also when tried again."""

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, text, update

from build import a_cnpj
from lastro import idempotency
from lastro.accounts import service as accounts
from lastro.accounts.models import Account
from lastro.accounts.order import Application
from lastro.accounts.states import AccountStatus
from lastro.attempt import Answer, Attempt, Overtaken, fingerprint
from lastro.auth.caps import Caps
from lastro.errors import BankError, Conflict, Forbidden, InsufficientBalance, NotFound, Unprocessable
from lastro.ledger import book
from lastro.ledger.movements import receive
from lastro.pix.payments import acceptance, resources
from lastro.pix.payments.acceptance import Verdict
from lastro.pix.payments.models import PixPayment
from lastro.pix.payments.order import ReadyOrder
from lastro.tenants import service as tenants
from lastro.values.bank_account import AccountType
from lastro.values.money import Money
from lastro.values.pix_key import KeyType, PixKey
from lastro.values.tax_id import TaxId
from lastro.wiring import Assembly
from pix.payments.orders import ready


class Shop:
    """A tenant with accounts, on the quiet bank."""

    def __init__(self, assembly: Assembly, tenant_id: UUID, provider_id: UUID) -> None:
        self.assembly = assembly
        self.tenant_id = tenant_id
        self.provider_id = provider_id

    @classmethod
    async def open(cls, assembly: Assembly) -> "Shop":
        tenant_id = await tenants.create_tenant(assembly.bank, "shop", "11222333000181")
        provider_id = await tenants.add_provider(
            assembly.bank,
            tenant_id=tenant_id,
            name="bank",
            code="001",
            ispb="00000000",
            account_types=list(AccountType),
            strict_documents=True,
        )
        return cls(assembly, tenant_id, provider_id)

    async def account(self, centavos: int) -> UUID:
        account_id = uuid4()
        now = self.assembly.bank.now()
        application = Application(self.provider_id, "Loja", TaxId.parse(a_cnpj()), AccountType.CHECKING, None)
        async with self.assembly.bank.db.transaction() as tx:
            await accounts.add(tx, account_id, self.tenant_id, application, now=now)
            await tx.execute(
                update(Account)
                .where(Account.id == account_id)
                .values(status=AccountStatus.ACTIVE, branch="0001", account_number=f"{account_id.int % 10**12}-0")
            )
            if centavos:
                await book.post(tx, [receive(account_id, Money(centavos), uuid4())], posted_at=now)
        return account_id

    def order(self, account_id: UUID, centavos: int, key: str | None = None, *, caps: Caps | None = None) -> ReadyOrder:
        attempt = None
        if key is not None:
            attempt = Attempt(self.tenant_id, "POST /pix/payments", key, fingerprint("", [str(account_id), centavos]))
        return ready(account_id, self.tenant_id, centavos, self.provider_id, attempt, caps=caps)

    async def accept(self, *orders: ReadyOrder, again: bool = False) -> list[Verdict]:
        return await acceptance.accept(self.assembly.bank.db, orders, again=again)

    async def available(self, account_id: UUID) -> int:
        async with self.assembly.bank.db.transaction() as tx:
            return (await book.holdings(tx, [account_id]))[account_id].available.centavos

    async def spent(self, spender: str) -> dict[date, int]:
        """What is counted of a spender, by day."""
        async with self.assembly.bank.db.transaction() as tx:
            query = text("SELECT day, centavos FROM token_spending WHERE spender = :spender")
            return {row.day: row.centavos for row in await tx.execute(query, {"spender": spender})}

    async def count(self, table: str, account_id: UUID) -> int:
        async with self.assembly.bank.db.transaction() as tx:
            query = text(f"SELECT count(*) FROM {table} WHERE account_id = :id")
            return int((await tx.execute(query, {"id": account_id})).scalar_one())


@pytest.fixture
async def shop(quiet: Assembly) -> Shop:
    return await Shop.open(quiet)


async def test_an_order_leaves_a_payment_a_hold_and_a_promise(shop: Shop) -> None:
    account_id = await shop.account(100)

    (verdict,) = await shop.accept(shop.order(account_id, 30))

    assert isinstance(verdict, Answer)
    assert verdict.status == 201
    assert await shop.available(account_id) == 70
    assert await shop.count("pix_payments", account_id) == 1
    assert await shop.count("outbox", account_id) == 1
    assert await shop.count("movements", account_id) == 2


@pytest.mark.parametrize(
    "description", [None, "Pedido 42", 'aspas " e \\ barra', "São João, R$ 1,00 – ção", "\u00a0\u2028?"]
)
async def test_the_answer_is_what_reading_the_payment_says(shop: Shop, description: str | None) -> None:
    account_id = await shop.account(10_000_000_000_000)
    for kind, value, centavos in (
        (KeyType.EMAIL, "a'b@example.com", 1),
        (KeyType.CPF, "12345678901", 9_999_999_999_99),
    ):
        order = shop.order(account_id, centavos)
        reference = None if description is None else '"\\/~' * 16
        wish = replace(order.order, key=PixKey(kind, value), description=description, correlation_id=reference)

        (verdict,) = await shop.accept(replace(order, order=wish))

        async with shop.assembly.bank.db.reading() as tx:
            payment = (await tx.execute(select(PixPayment).where(PixPayment.id == order.id))).scalar_one()
        assert isinstance(verdict, Answer)
        assert verdict.body == resources.document(payment).model_dump_json(by_alias=True).encode()


async def test_a_refusal_leaves_nothing(shop: Shop) -> None:
    account_id = await shop.account(100)

    verdicts = await shop.accept(shop.order(account_id, 101, key="k"), shop.order(uuid4(), 1))

    assert isinstance(verdicts[0], InsufficientBalance)
    assert isinstance(verdicts[1], NotFound)
    assert await shop.count("pix_payments", account_id) == 0
    (again,) = await shop.accept(shop.order(account_id, 100, key="k"))
    assert isinstance(again, Answer), "a refusal does not use the key up"


async def test_a_large_order_that_is_refused_does_not_stop_a_small_one_behind_it(shop: Shop) -> None:
    account_id = await shop.account(100)

    verdicts = await shop.accept(*(shop.order(account_id, centavos) for centavos in (60, 60, 40)))

    assert [word(verdict) for verdict in verdicts] == ["accepted", "short", "accepted"]
    assert await shop.available(account_id) == 0


async def test_an_absent_account_and_another_tenants_are_refused_alike(shop: Shop) -> None:
    account_id = await shop.account(100)
    other = replace(shop.order(account_id, 1), tenant_id=uuid4())

    absent, foreign = await shop.accept(shop.order(uuid4(), 1), other)

    assert isinstance(absent, NotFound)
    assert isinstance(foreign, NotFound)
    assert (absent.text, absent.flaws) == (foreign.text, foreign.flaws)
    assert await shop.available(account_id) == 100


@pytest.mark.parametrize("status", sorted(set(AccountStatus) - {AccountStatus.ACTIVE}))
async def test_only_an_active_account_pays(shop: Shop, status: AccountStatus) -> None:
    account_id = await shop.account(100)
    async with shop.assembly.bank.db.transaction() as tx:
        closed_at = shop.assembly.bank.now() if status is AccountStatus.CLOSED else None
        number = None if status is AccountStatus.PENDING else Account.account_number
        await tx.execute(
            update(Account)
            .where(Account.id == account_id)
            .values(status=status, closed_at=closed_at, account_number=number)
        )

    (verdict,) = await shop.accept(shop.order(account_id, 1))

    assert isinstance(verdict, Conflict)
    assert await shop.available(account_id) == 100


async def test_one_poor_key_undoes_nothing_of_its_neighbours(shop: Shop) -> None:
    """A batch of every kind of order at once: each gets its own verdict, and only what was accepted is written."""
    rich, poor = await shop.account(1_000), await shop.account(5)
    first = shop.order(rich, 10, key="mixed")
    await shop.accept(first)
    again = shop.order(rich, 10, key="mixed")
    other = shop.order(rich, 11, key="mixed")

    verdicts = await shop.accept(again, shop.order(poor, 6), shop.order(rich, 20, key="new"), shop.order(poor, 5))
    (reused,) = await shop.accept(other)

    assert [word(verdict) for verdict in [*verdicts, reused]] == ["replay", "short", "accepted", "accepted", "reused"]
    assert await shop.available(rich) == 970
    assert await shop.available(poor) == 0
    assert await shop.count("outbox", rich) == 2


async def test_orders_that_may_have_been_committed_are_not_carried_out_twice(shop: Shop) -> None:
    account_id = await shop.account(100)
    first, second = shop.order(account_id, 30), shop.order(account_id, 50)
    (answer,) = await shop.accept(first)

    retried = await shop.accept(first, second, again=True)

    assert retried[0] == answer
    assert isinstance(retried[1], Answer)
    assert await shop.available(account_id) == 20
    assert await shop.count("pix_payments", account_id) == 2


async def test_a_key_that_another_process_records_first_is_found_when_looked_for_again(shop: Shop) -> None:
    """Two tills of two processes hold one key: whoever comes second to record it writes nothing at all."""
    account_id, other = await shop.account(100), await shop.account(100)
    twin = shop.order(account_id, 30, key="race")
    late = Attempt(shop.tenant_id, "POST /pix/payments", "race", fingerprint("", [str(account_id), 30]))
    async with shop.assembly.bank.db.transaction() as slow:
        await slow.execute(text("SELECT 1"))
        stale = await idempotency.find(slow, [late])
        assert not stale
        (answer,) = await shop.accept(twin)
        with pytest.raises(Overtaken):
            await idempotency.record(slow, [(late, Answer(201, b"never"))], now=shop.assembly.bank.now())
        await slow.rollback()
    (replay,) = await shop.accept(shop.order(account_id, 30, key="race"), again=True)
    assert isinstance(replay, Answer)
    assert isinstance(answer, Answer)
    assert replay.replayed
    assert replay.body == answer.body
    assert await shop.available(account_id) == 70
    assert await shop.available(other) == 100


class Model:
    """What a bank without batches would do, order by order."""

    def __init__(self, balances: dict[UUID, int]) -> None:
        self.left = dict(balances)
        self.spent: dict[tuple[str, date], int] = defaultdict(int)
        self.keys: dict[str, tuple[tuple[UUID, int], UUID]] = {}

    def verdict(self, order: ReadyOrder) -> str:
        question = (order.order.account_id, order.order.amount.centavos)
        if order.attempt is not None and order.attempt.key in self.keys:
            return "replay" if self.keys[order.attempt.key][0] == question else "reused"
        if question[0] not in self.left:
            return "absent"
        if question[1] > self.left[question[0]]:
            return "short"
        caps = order.caps
        if caps is not None and caps.most_each is not None and order.order.amount > caps.most_each:
            return "AMOUNT_PER_PAYMENT"
        if caps is not None and caps.most_a_day is not None:
            if self.spent[caps.spender, caps.day] + question[1] > caps.most_a_day.centavos:
                return "AMOUNT_PER_DAY"
            self.spent[caps.spender, caps.day] += question[1]
        self.left[question[0]] -= question[1]
        if order.attempt is not None:
            self.keys[order.attempt.key] = (question, order.id)
        return "accepted"


def word(verdict: Verdict) -> str:
    match verdict:
        case Answer(replayed=True):
            return "replay"
        case Answer():
            return "accepted"
        case InsufficientBalance():
            return "short"
        case NotFound():
            return "absent"
        case Unprocessable():
            return "reused"
        case Forbidden(reason=str(reason)):
            return reason
    raise AssertionError(verdict)


@pytest.mark.parametrize("seed", range(4))
async def test_a_batch_equals_its_orders_one_by_one(shop: Shop, seed: int) -> None:
    """Random batches over poor accounts, absent ones, keys that repeat with the same and with another question.

    Submitted through a till, so one key twice in one batch meets the rule that twins wait for the next flush.
    """
    chance = random.Random(seed)
    balances = {await shop.account(start): start for start in (0, 50, 120, 300, 1_000, 5_000)}
    model = Model(balances)
    absent = uuid4()
    keys = [f"{seed}-{number}" for number in range(40)]
    for _ in range(25):
        orders = [
            shop.order(
                chance.choice([*balances, absent]),
                chance.randrange(1, 90),
                chance.choice([None, *keys]) if chance.random() < 0.6 else None,
            )
            for _ in range(chance.randrange(1, 41))
        ]
        verdicts = await carried_out(shop, orders)
        expected = in_flush_order(model, orders)
        assert [word(each) for each in verdicts] == expected
    for account_id, left in model.left.items():
        assert await shop.available(account_id) == left


def caps_of_two_spenders(name: str, today: date) -> list[Caps]:
    """Tokens of two spenders, on two days; some have one cap, some both, some can send nothing."""
    return [
        Caps(f"{name} {spender}", today - timedelta(days=ago), each, a_day)
        for spender, ago in ((0, 0), (1, 0), (1, 1))
        for each, a_day in (
            (None, Money(300)),
            (Money(60), Money(300)),
            (None, Money(150)),
            (Money(60), None),
            (Money(0), Money(300)),
            (None, Money(0)),
        )
    ]


@pytest.mark.parametrize("seed", range(4))
async def test_a_batch_equals_its_orders_one_by_one_with_caps_too(shop: Shop, seed: int) -> None:
    """Tokens that share a day's sum or have another one's, from several accounts, beside tokens that have no cap.

    Spenders change with every second batch, so that the last room of a day is contended for again and again.
    """
    chance = random.Random(seed)
    balances = {await shop.account(start): start for start in (0, 120, 5_000, 20_000, 20_000)}
    model, today, said = Model(balances), shop.assembly.bank.now().date(), set[str]()
    keys = [f"caps {seed}-{number}" for number in range(40)]
    for batch in range(16):
        caps = caps_of_two_spenders(f"{shop.tenant_id} {batch // 2}", today)
        orders = [
            shop.order(
                chance.choice([*balances]),
                chance.randrange(1, 90),
                chance.choice([None, *keys]) if chance.random() < 0.2 else None,
                caps=chance.choice(caps) if chance.random() < 0.8 else None,
            )
            for _ in range(chance.randrange(1, 41))
        ]
        verdicts = await carried_out(shop, orders)
        assert [word(each) for each in verdicts] == in_flush_order(model, orders)
        said |= {word(each) for each in verdicts}
    assert said >= {"accepted", "short", "reused", "AMOUNT_PER_PAYMENT", "AMOUNT_PER_DAY"}
    for account_id, left in model.left.items():
        assert await shop.available(account_id) == left
    for (spender, day), centavos in model.spent.items():
        assert (await shop.spent(spender))[day] == centavos


async def carried_out(shop: Shop, orders: Sequence[ReadyOrder]) -> list[Verdict]:
    """As the till would: one key a flush, the others wait for the next."""
    verdicts: dict[UUID, Verdict] = {}
    for flush in flushes(orders):
        for order, verdict in zip(flush, await shop.accept(*flush), strict=True):
            verdicts[order.id] = verdict
    return [verdicts[order.id] for order in orders]


def in_flush_order(model: Model, orders: Sequence[ReadyOrder]) -> list[str]:
    words = {order.id: model.verdict(order) for flush in flushes(orders) for order in flush}
    return [words[order.id] for order in orders]


def flushes(orders: Sequence[ReadyOrder]) -> list[list[ReadyOrder]]:
    waiting, result = list(orders), []
    while waiting:
        seen: set[str] = set()
        flush: list[ReadyOrder] = []
        later: list[ReadyOrder] = []
        for order in waiting:
            key = order.attempt.key if order.attempt else None
            (later if key in seen else flush).append(order)
            if key is not None:
                seen.add(key)
        result.append(flush)
        waiting = later
    return result


async def test_every_refusal_is_an_error_that_a_client_can_be_told(shop: Shop) -> None:
    verdicts = await shop.accept(shop.order(uuid4(), 1))
    assert all(isinstance(verdict, BankError) for verdict in verdicts)
