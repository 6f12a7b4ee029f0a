"""Totals: exact after every transaction, whoever writes, however far the folding is, and while it is under way."""

import asyncio
import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncSession

from build import Account, Tenant, World, until
from conftest import Urls
from lastro.embedded.server import Postgres
from lastro.pix.payments.models import PixPayment
from lastro.tally import totals
from lastro.tally.totals import RECOUNT, Counted
from lastro.values.time_ordered_id import new_id
from lastro.wiring import Assembly

FIRST = date(2026, 3, 1)
STATUSES = {
    "pix_payments": ["PROCESSING", "COMPLETED", "FAILED", "REVERSED"],
    "pix_transfers": ["COMPLETED"],
    "pix_refunds": ["PROCESSING", "COMPLETED", "FAILED"],
    "internal_transfers": ["COMPLETED"],
}
_PIX = "provider_id, e2e_id, version, updated_at"
COLUMNS = {
    "pix_payments": f"{_PIX}, status, recipient_key_type, recipient_key_value, payer, payee, initiation, completed_at,"
    " failure_reason, returned_centavos",
    "pix_transfers": f"{_PIX}, status, payer",
    "pix_refunds": f"{_PIX}, status, transfer_id, original_e2e_id, completed_at, failure_reason",
    "internal_transfers": "status, recipient_account_id, completed_at",
}
_OF_PIX = ":tenant_id, id::text, 1, at"
_ENDED = "CASE WHEN {s} IN ('COMPLETED', 'REVERSED') THEN at END"
_WHY = "CASE WHEN {s} = 'FAILED' THEN 'no' END"
_BACK = "CASE WHEN {s} = 'REVERSED' THEN 100 ELSE 0 END"
VALUES = {
    "pix_payments": f"{_OF_PIX}, s, 'EVP', 'k', '{{}}', '{{}}', 'KEY', {_ENDED}, {_WHY}, {_BACK}".replace("{s}", "s"),
    "pix_transfers": f"{_OF_PIX}, s, '{{}}'",
    "pix_refunds": f"{_OF_PIX}, s, id, 'D', {_ENDED}, {_WHY}".replace("{s}", "s"),
    "internal_transfers": "s, id, at",
}
SETTLED = {
    "pix_payments": f"failure_reason = {_WHY}, completed_at = {_ENDED}, returned_centavos = {_BACK}",
    "pix_refunds": f"failure_reason = {_WHY}, completed_at = {_ENDED}",
}


@dataclass
class Shelf:
    """One tenant's rows, written without any service: the tally must not depend on who writes."""

    assembly: Assembly
    tenant_id: UUID = field(default_factory=uuid4)
    accounts: Sequence[UUID] = field(default_factory=lambda: [uuid4() for _ in range(3)])

    async def add(self, tx: AsyncSession, kind: str, rows: Sequence[tuple[UUID, str, datetime]]) -> None:
        statement = f"""
            INSERT INTO {kind} (account_id, id, tenant_id, amount_centavos, created_at, {COLUMNS[kind]})
            SELECT account_id, id, :tenant_id, 100, at, {VALUES[kind]}
              FROM unnest(CAST(:accounts AS uuid[]), CAST(:ids AS uuid[]), CAST(:statuses AS text[]),
                          CAST(:moments AS timestamptz[])) AS u(account_id, id, s, at)
        """
        accounts, statuses, moments = zip(*rows, strict=True)
        facts = {"accounts": list(accounts), "statuses": list(statuses), "moments": list(moments)}
        ids = [new_id(each) for each in moments]
        await tx.execute(text(statement), {"tenant_id": self.tenant_id, "ids": ids, **facts})

    async def change(self, tx: AsyncSession, kind: str, status: str, *, share: float) -> None:
        """Some rows go on to another status, all in one statement."""
        settled = SETTLED[kind].replace("{s}", f"'{status}'").replace("at END", "created_at END")
        statement = f"UPDATE {kind} SET status = '{status}', {settled} WHERE tenant_id = :tenant AND random() < :share"
        await tx.execute(text(statement), {"tenant": self.tenant_id, "share": share})

    async def one(self, kind: str = "pix_payments", status: str = "PROCESSING") -> None:
        async with self.assembly.bank.db.transaction() as tx:
            await self.add(tx, kind, [(self.accounts[0], status, datetime(2026, 3, 1, 12, tzinfo=UTC))])

    def every_question(self, kind: str) -> list[Counted]:
        days = [None, FIRST, FIRST + timedelta(days=1)]
        some = frozenset(self.accounts[1:]) | {uuid4()}
        bindings = [frozenset(), frozenset(self.accounts[:1]), some, frozenset({uuid4()})]
        return [
            Counted(kind, self.tenant_id, *each)
            for each in itertools.product([None, *self.accounts], [None, *STATUSES[kind]], days, days)
        ] + [
            Counted(kind, self.tenant_id, account_id, label, within=within)
            for account_id in [None, *self.accounts]
            for label in [None, *STATUSES[kind]]
            for within in bindings
        ]

    async def total(self, kind: str = "pix_payments", account_id: UUID | None = None) -> int:
        async with self.assembly.bank.db.transaction() as tx:
            return await totals.total(tx, Counted(kind, self.tenant_id, account_id))


async def count(tx: AsyncSession, counted: Counted) -> int:
    """The long way."""
    zone = ZoneInfo("America/Sao_Paulo")
    conditions = {
        "tenant_id = :tenant": counted.tenant_id,
        "account_id = :account": counted.account_id,
        "account_id = ANY(:within)": counted.within if counted.within is None else list(counted.within),
        "status = :label": counted.label,
        "created_at >= :first": counted.first_day and datetime.combine(counted.first_day, datetime.min.time(), zone),
        "created_at < :after": counted.last_day
        and datetime.combine(counted.last_day + timedelta(days=1), datetime.min.time(), zone),
    }
    given = {words: value for words, value in conditions.items() if value is not None}
    statement = text(f"SELECT count(*) FROM {counted.kind} WHERE {' AND '.join(given)}")
    names = {words.partition(":")[2].rstrip(")"): value for words, value in given.items()}
    return int((await tx.execute(statement, names)).scalar_one())


async def one_snapshot(tx: AsyncSession) -> None:
    await tx.connection(execution_options={"isolation_level": "REPEATABLE READ"})


async def fold(assembly: Assembly) -> bool:
    async with assembly.bank.db.transaction() as tx:
        return await totals.fold(tx)


async def fold_all(assembly: Assembly) -> None:
    for _ in range(1_000):
        await fold(assembly)
        if not await pending(assembly):
            return
    pytest.fail("changes are left")


async def pending(assembly: Assembly) -> int:
    async with assembly.bank.db.transaction() as tx:
        return await totals.pending(tx)


@pytest.fixture
def shelf(quiet: Assembly) -> Shelf:
    return Shelf(quiet)


def rows_of(chance: random.Random, shelf: Shelf, kind: str) -> list[tuple[UUID, str, datetime]]:
    """Some rows around two midnights of São Paulo, several of them of one account."""
    midnight = datetime(2026, 3, 2, 3, tzinfo=UTC)
    return [
        (
            chance.choice(shelf.accounts),
            chance.choice(STATUSES[kind]),
            midnight + timedelta(hours=chance.randint(-9, 9)),
        )
        for _ in range(chance.randint(1, 12))
    ]


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_happens_a_total_is_the_number_of_rows(shelf: Shelf, seed: int) -> None:
    chance = random.Random(seed)
    neighbour = Shelf(shelf.assembly, accounts=shelf.accounts)
    for _ in range(12):
        async with shelf.assembly.bank.db.transaction() as tx:
            for _ in range(chance.randint(1, 3)):
                kind = chance.choice(list(STATUSES))
                if kind in SETTLED and chance.random() < 0.5:
                    await shelf.change(tx, kind, chance.choice(STATUSES[kind]), share=0.4)
                else:
                    await shelf.add(tx, kind, rows_of(chance, shelf, kind))
                    await neighbour.add(tx, kind, rows_of(chance, shelf, kind))
            if chance.random() < 0.2:
                await tx.rollback()
        if chance.random() < 0.5:
            await fold(shelf.assembly)
    for folded in (False, True):
        if folded:
            await fold_all(shelf.assembly)
        async with shelf.assembly.bank.db.transaction() as tx:
            for kind in STATUSES:
                for question in shelf.every_question(kind):
                    assert await totals.total(tx, question) == await count(tx, question), question


async def test_a_total_is_exact_while_others_write_and_fold(shelf: Shelf) -> None:
    db = shelf.assembly.bank.db
    writing = True

    async def write(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(25):
            async with db.transaction() as tx:
                await shelf.add(tx, "pix_payments", rows_of(chance, shelf, "pix_payments"))

    async def settle() -> None:
        for status in STATUSES["pix_payments"] * 5:
            async with db.transaction() as tx:
                await shelf.change(tx, "pix_payments", status, share=0.3)

    async def keep_folding() -> None:
        while writing:
            await fold(shelf.assembly)
            await asyncio.sleep(0)

    async def look() -> int:
        looks = 0
        while writing:
            async with db.transaction() as tx:
                await one_snapshot(tx)
                for label, account_id in itertools.product([None, "COMPLETED"], [None, shelf.accounts[0]]):
                    question = Counted("pix_payments", shelf.tenant_id, account_id, label)
                    assert await totals.total(tx, question) == await count(tx, question)
            looks += 1
        return looks

    folding = [asyncio.create_task(keep_folding()) for _ in range(2)]
    looking = asyncio.create_task(look())
    await asyncio.gather(*(write(seed) for seed in range(4)), settle())
    writing = False
    await asyncio.gather(*folding)
    assert await looking > 5
    await fold_all(shelf.assembly)
    assert await shelf.total() > 100


async def test_a_fold_that_dies_changes_nothing(shelf: Shelf) -> None:
    await shelf.one()
    before = await pending(shelf.assembly)
    with pytest.raises(ZeroDivisionError):
        async with shelf.assembly.bank.db.transaction() as tx:
            assert await totals.fold(tx)
            raise ZeroDivisionError
    assert await pending(shelf.assembly) == before
    assert await shelf.total() == 1
    await fold_all(shelf.assembly)
    assert await shelf.total() == 1


async def test_only_one_folds_at_a_time_and_nobody_waits(shelf: Shelf) -> None:
    await shelf.one()
    async with shelf.assembly.bank.db.transaction() as tx:
        assert await totals.fold(tx)
        assert not await fold(shelf.assembly)
        assert await shelf.total() == 1
    assert await shelf.total() == 1


_MANY_CHANGES = """
    INSERT INTO tally_changes (kind, tenant_id, label, day, n, account_ids, counts)
    SELECT 'none', :tenant_id, 'NONE', '2026-03-01', sum(step), array_agg(account_id), array_agg(step)
      FROM generate_series(1, CAST(:changes AS int)) AS change,
           (SELECT lpad(number::text, 32, '0')::uuid AS account_id, CAST(:step AS bigint) AS step
              FROM generate_series(1, CAST(:accounts AS int)) AS number) share
     GROUP BY change
"""


@pytest.mark.parametrize(
    ("changes", "accounts", "left"),
    [
        (totals.FOLDED_AT_ONCE + 7, 1, 7),
        (6, totals.CELLS_AT_ONCE // 4, 2),
        (2, totals.CELLS_AT_ONCE + 1, 1),  # one is always taken, or it would lie there for ever
    ],
)
async def test_a_fold_takes_a_bounded_number_of_changes(shelf: Shelf, changes: int, accounts: int, left: int) -> None:
    await fold_all(shelf.assembly)
    facts = {"tenant_id": shelf.tenant_id, "changes": changes, "accounts": accounts}
    for step in (1, -1):
        async with shelf.assembly.bank.db.transaction() as tx:
            await tx.execute(text(_MANY_CHANGES).bindparams(step=step, **facts))
        await fold(shelf.assembly)
        assert await pending(shelf.assembly) == left
        await fold_all(shelf.assembly)
    assert await shelf.total(kind="none") == 0


async def test_a_cell_that_is_empty_is_gone(shelf: Shelf) -> None:
    await shelf.one()
    await fold_all(shelf.assembly)
    async with shelf.assembly.bank.db.transaction() as tx:
        await shelf.change(tx, "pix_payments", "COMPLETED", share=1)
    await fold_all(shelf.assembly)
    async with shelf.assembly.bank.db.transaction() as tx:
        labels = await tx.execute(text("SELECT label, n FROM tally WHERE tenant_id = :id"), {"id": shelf.tenant_id})
        assert labels.all() == [("COMPLETED", 1)] * 2  # the tenant's and the account's


async def test_what_changes_no_total_leaves_no_change(shelf: Shelf) -> None:
    await shelf.one()
    await fold_all(shelf.assembly)
    async with shelf.assembly.bank.db.transaction() as tx:
        await shelf.change(tx, "pix_payments", "PROCESSING", share=1)
        await shelf.change(tx, "pix_refunds", "COMPLETED", share=1)
    assert await pending(shelf.assembly) == 0


async def test_a_batch_of_one_tenant_leaves_one_change(shelf: Shelf) -> None:
    await fold_all(shelf.assembly)
    noon = datetime(2026, 3, 1, 15, tzinfo=UTC)
    async with shelf.assembly.bank.db.transaction() as tx:
        await shelf.add(tx, "pix_payments", [(uuid4(), "PROCESSING", noon) for _ in range(128)])
    assert await pending(shelf.assembly) == 1
    assert await shelf.total() == 128


async def test_a_recount_finds_what_came_in_without_triggers(shelf: Shelf, cluster: Postgres, urls: Urls) -> None:
    await shelf.one()
    owner = await asyncpg.connect(cluster.server.url("lastro_quiet").replace("+asyncpg", ""))
    try:
        async with owner.transaction():
            await owner.execute("SET LOCAL session_replication_role = replica")
            await owner.execute("UPDATE pix_payments SET amount_centavos = 100 WHERE tenant_id = $1", shelf.tenant_id)
            await owner.execute("DELETE FROM pix_payments WHERE tenant_id = $1", shelf.tenant_id)
        assert await shelf.total() == 1
        async with owner.transaction():
            for statement in RECOUNT:
                await owner.execute(statement)
    finally:
        await owner.close()
    assert await shelf.total() == 0
    await shelf.one()
    assert await shelf.total() == 1
    assert await shelf.total(account_id=shelf.accounts[0]) == 1


async def test_the_application_can_not_silence_the_tally(shelf: Shelf) -> None:
    for statement in ("ALTER TABLE pix_payments DISABLE TRIGGER ALL", "TRUNCATE tally"):
        with pytest.raises(ProgrammingError):
            async with shelf.assembly.bank.db.transaction() as tx:
                await tx.execute(text(statement))


def test_no_index_of_payments_is_touched_by_settling() -> None:
    """Or no settlement is a HOT update: each would write to every index."""
    settling = {"status", "external_ref", "completed_at", "version", "updated_at"}
    for index in PixPayment.metadata.tables["pix_payments"].indexes:
        where = str(index.dialect_options["postgresql"]["where"])
        assert not settling & {column.name for column in index.columns}
        assert not [name for name in settling if name in where]


@pytest.fixture
async def account(tenant: Tenant) -> Account:
    return await tenant.account(available="100.00")


async def test_a_list_has_its_total_as_soon_as_a_payment_is_taken(account: Account, stranger: Tenant) -> None:
    async def total_of(query: str = "", path: str = "/pix/payments", tenant: Tenant = account.tenant) -> int:
        answer = await tenant.get(f"{path}?{query}")
        assert answer.status == 200, answer.body
        assert answer.body["meta"]["totalItems"] == len(answer.data)
        return len(answer.data)

    paid = []
    for number in range(1, 4):
        paid.append(await account.pays(number))
        assert await total_of() == await total_of(f"filter[accountId]={account.id}") == number
    failed = await account.pays(4, "ac03@rejeita.example", "EMAIL")
    assert await total_of() == 4
    for each in paid:
        await account.payment_becomes(each.id, "COMPLETED")
    await account.payment_becomes(failed.id, "FAILED")
    for of in ("", f"&filter[accountId]={account.id}"):
        assert await total_of(f"filter[status]=COMPLETED{of}") == 3
        assert await total_of(f"filter[status]=FAILED{of}") == 1
        assert await total_of(f"filter[status]=PROCESSING{of}") == await total_of(f"filter[status]=REVERSED{of}") == 0
        today = paid[0].attributes["createdAt"]
        day = datetime.fromisoformat(today).astimezone(ZoneInfo("America/Sao_Paulo")).date()
        assert await total_of(f"filter[dateFrom]={day}&filter[dateTo]={day + timedelta(days=1)}{of}") == 4
        assert await total_of(f"filter[dateTo]={day - timedelta(days=1)}{of}") == 0
    assert await total_of(path="/pix/transfers") == await total_of(path="/pix/transfers", query=of[1:]) == 1
    assert await total_of(f"filter[accountId]={account.id}", tenant=stranger) == 0
    end_to_end_id = paid[0].attributes["e2eId"]
    for tenant, found in ((account.tenant, 1), (stranger, 0)):
        assert await total_of(f"filter[accountId]={account.id}&filter[e2eId]={end_to_end_id}", tenant=tenant) == found


async def test_what_is_under_way_is_found_by_its_promise(account: Account) -> None:
    await account.tenant.world.rule(amount=23.41, delaySeconds=2, times=1)
    await account.pays(1)
    taken = await account.pays(23.41)

    async def only_it_is_under_way() -> bool:
        listed = await account.tenant.get("/pix/payments?filter[status]=PROCESSING")
        return [each["id"] for each in listed.data] == [taken.id] and listed.body["meta"]["totalItems"] == 1

    await until(only_it_is_under_way)
    await account.payment_becomes(taken.id, "COMPLETED")


async def test_the_worker_folds(world: World, account: Account) -> None:
    await account.pays(1)

    async def is_folded() -> bool:
        async with world.bank.db.transaction() as tx:
            return await totals.pending(tx) == 0

    await until(is_folded)
