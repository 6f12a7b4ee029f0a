"""The checker finds a right bank clean, and each hand-made corruption of it: one that can not fail proves nothing."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from checker.clean_world import Connection, clean_world, id_of
from lastro.checker import network
from lastro.checker.invariants import Invariant
from lastro.checker.run import EVERY, MOST_EXAMPLES, Report, ask, check_books, compare
from lastro.embedded import Server, data_directory, postgres
from lastro.migrations import upgrade
from lastro.simulator.book import Book

_UNIQUE_MOVEMENT = (
    "ALTER TABLE movements DROP CONSTRAINT ck_movements_amount_positive, DROP CONSTRAINT ck_movements_two_pots,"
    " DROP CONSTRAINT uq_movements_account_id_reason_reference, DROP CONSTRAINT pk_movements"
)
_ANY_PAYMENT = (
    "ALTER TABLE pix_payments DROP CONSTRAINT ck_pix_payments_completed_at_with_completed,"
    " DROP CONSTRAINT ck_pix_payments_reason_with_failed, DROP CONSTRAINT ck_pix_payments_returned_within_amount"
)
_ANY_ACCOUNT = (
    "ALTER TABLE accounts DROP CONSTRAINT ck_accounts_closed_at_with_closed,"
    " DROP CONSTRAINT ck_accounts_numbered_once_open"
)


@dataclass(frozen=True)
class Corruption:
    """What is done to a clean bank, and which invariant must notice."""

    id: str
    bank: Sequence[str] = ()
    network: Sequence[str] = ()
    at_rest: bool = field(kw_only=True, default=False)


def named(name: str) -> str:
    """An id as SQL."""
    return f"'{id_of(name)}'"


def broken(invariant: str, *bank: str) -> Corruption:
    """A corruption of the bank's own database."""
    return Corruption(invariant, bank)


def apart(*network_rows: str) -> Corruption:
    """A corruption of the network's book."""
    return Corruption(network.ID, network=network_rows, at_rest=True)


_PAID, _PAYER, _CLOSED = named("paid"), named("payer"), named("closed")

CORRUPTIONS: tuple[Corruption, ...] = (
    broken("L1", _UNIQUE_MOVEMENT, f"UPDATE movements SET amount_centavos = 0 WHERE reference = {_PAID}"),
    broken("L1", f"UPDATE movements SET target = 'SPI' WHERE reference = {_PAID} AND reason = 'HOLD'"),
    broken("L1", _UNIQUE_MOVEMENT, f"UPDATE movements SET source = target WHERE reference = {_PAID}"),
    broken("L2", "GRANT UPDATE ON movements TO lastro_app"),
    broken("L2", "GRANT UPDATE (body) ON events TO lastro_app"),
    broken("L2", "GRANT DELETE ON inbox TO lastro_app"),
    broken("L2", "ALTER TABLE idempotency OWNER TO lastro_app"),
    broken("L3", f"UPDATE balances SET available_centavos = available_centavos + 1 WHERE account_id = {_PAYER}"),
    broken("L3", f"UPDATE balances SET in_transit_centavos = in_transit_centavos + 1 WHERE account_id = {_PAYER}"),
    broken("L3", f"DELETE FROM balances WHERE account_id = {named('applicant')}"),
    broken("L3", "INSERT INTO balances VALUES (gen_random_uuid(), 0, 0, 0)"),
    broken("L4", f"UPDATE movements SET seq = seq + 1000 WHERE reference = {_PAID}"),
    broken("L4", f"UPDATE movements SET available_after_centavos = 1 WHERE reference = {_PAID} AND reason = 'HOLD'"),
    broken("L4", f"UPDATE movements SET in_transit_after_centavos = 7 WHERE reference = {_PAID} AND reason = 'SETTLE'"),
    broken("L4", f"UPDATE balances SET seq = seq + 1 WHERE account_id = {_PAYER}"),
    broken("L4", f"DELETE FROM movements WHERE reference = {named('under way')}"),
    broken(
        "L5",
        "ALTER TABLE movements DROP CONSTRAINT ck_movements_available_not_negative",
        f"UPDATE movements SET available_after_centavos = -1 WHERE reference = {_PAID} AND reason = 'HOLD'",
        "ALTER TABLE movements ADD CONSTRAINT late CHECK (available_after_centavos >= 0) NOT VALID",
    ),
    broken(
        "L5",
        "ALTER TABLE balances DROP CONSTRAINT ck_balances_available_not_negative",
        f"UPDATE balances SET available_centavos = -1 WHERE account_id = {_PAYER}",
    ),
    broken("L5", "ALTER TABLE balances DROP CONSTRAINT ck_balances_in_transit_not_negative"),
    broken("L6", f"UPDATE balances SET available_centavos = available_centavos + 1 WHERE account_id = {_PAYER}"),
    broken("L6", f"UPDATE movements SET amount_centavos = 1 WHERE reference = {_PAID} AND reason = 'SETTLE'"),
    broken("L7", f"UPDATE balances SET in_transit_centavos = in_transit_centavos + 1 WHERE account_id = {_PAYER}"),
    broken("L7", f"UPDATE pix_payments SET amount_centavos = 1 WHERE id = {named('under way')}"),
    broken("L9", "ALTER TABLE movements DROP CONSTRAINT uq_movements_account_id_reason_reference"),
    broken("L9", _UNIQUE_MOVEMENT, f"INSERT INTO movements SELECT * FROM movements WHERE reference = {_PAID}"),
    broken("L11", f"UPDATE accounts SET closed_at = closed_at - interval '1 minute' WHERE id = {_CLOSED}"),
    broken("P2", f"UPDATE pix_payments SET created_at = created_at - interval '1 minute' WHERE id = {_PAID}"),
    broken("P2", "UPDATE providers SET ispb = '00000000'"),
    broken("P2", f"UPDATE pix_payments SET e2e_id = overlay(e2e_id placing '-' from 32) WHERE id = {_PAID}"),
    broken("P2", f"UPDATE pix_payments SET e2e_id = 'D' || substr(e2e_id, 2) WHERE id = {_PAID}"),
    broken(
        "P2",
        f"UPDATE pix_payments SET e2e_id = (SELECT e2e_id FROM pix_payments WHERE id = {_PAID})"
        f" WHERE id = {named('returned')}",
    ),
    broken("P3", f"DELETE FROM movements WHERE reference = {_PAID} AND reason = 'SETTLE'"),
    broken("P3", f"DELETE FROM movements WHERE reference = {named('under way')}"),
    broken("P3", f"UPDATE movements SET reason = 'RELEASE' WHERE reference = {_PAID} AND reason = 'SETTLE'"),
    broken("P3", f"DELETE FROM movements WHERE reference = {named('rejected')} AND reason = 'RELEASE'"),
    broken("P3", f"UPDATE movements SET reference = {named('pending')} WHERE reference = {_PAID}"),
    broken("P3", f"DELETE FROM pix_payments WHERE id = {_PAID}"),
    broken("P6", f"UPDATE pix_payments SET amount_centavos = amount_centavos + 1 WHERE id = {_PAID}"),
    broken("P7", _ANY_PAYMENT, f"UPDATE pix_payments SET completed_at = NULL WHERE id = {_PAID}"),
    broken("P7", _ANY_PAYMENT, f"UPDATE pix_payments SET completed_at = now() WHERE id = {named('under way')}"),
    broken("P7", f"UPDATE pix_payments SET completed_at = created_at - interval '1 ms' WHERE id = {_PAID}"),
    broken("P7", f"UPDATE pix_payments SET updated_at = completed_at - interval '1 ms' WHERE id = {_PAID}"),
    broken("P7", f"UPDATE pix_payments SET updated_at = created_at - interval '1 ms' WHERE id = {named('pending')}"),
    broken("P9", f"UPDATE pix_payments SET created_at = now() - interval '25 hours' WHERE id = {named('under way')}"),
    broken("R4", f"UPDATE pix_payments SET returned_centavos = 4 WHERE id = {named('partly returned')}"),
    broken("R4", f"UPDATE pix_payments SET status = 'COMPLETED' WHERE id = {named('returned')}"),
    broken("R4", f"UPDATE pix_payments SET status = 'REVERSED' WHERE id = {named('partly returned')}"),
    broken("R4", f"UPDATE pix_payments SET returned_centavos = 1 WHERE id = {named('rejected')}"),
    broken("R4", "DELETE FROM inbox WHERE kind = 'RETURN'"),
    broken("R4", "UPDATE inbox SET rejected_with = 'AM09' WHERE kind = 'RETURN'"),
    broken("R4", f"DELETE FROM movements WHERE reference = {named('all of it')}"),
    broken("R4", f"UPDATE movements SET amount_centavos = 1 WHERE reference = {named('all of it')}"),
    broken("N1", f"DELETE FROM pix_transfers WHERE id = {named('first of payer')}"),
    broken("N1", f"DELETE FROM inbox WHERE reference = {named('first of payer')}"),
    broken("N1", f"UPDATE pix_transfers SET amount_centavos = 1 WHERE id = {named('first of payer')}"),
    broken("N1", f"UPDATE inbox SET account_id = {named('foreign')} WHERE reference = {named('first of payer')}"),
    broken("N1", f"DELETE FROM movements WHERE reference = {named('first of payer')}"),
    broken("N1", f"UPDATE movements SET amount_centavos = 1 WHERE reference = {named('first of payer')}"),
    broken("N1", f"UPDATE inbox SET rejected_with = 'AC06' WHERE reference = {named('first of payer')}"),
    broken(
        "N1",
        f"UPDATE movements SET reason = 'RECEIVE', source = 'SPI', target = 'AVAILABLE' WHERE reference = {_PAID}"
        " AND reason = 'SETTLE'",
    ),
    broken(
        "N1",
        "UPDATE pix_transfers SET e2e_id = (SELECT end_to_end_id FROM inbox WHERE rejected_with IS NOT NULL)"
        f" WHERE id = {named('first of payer')}",
    ),
    broken("N2", f"UPDATE accounts SET closed_at = created_at WHERE id = {_CLOSED}"),
    broken(
        "N2",
        "UPDATE inbox SET created_at = now(), account_id = (SELECT id FROM accounts WHERE status = 'CLOSED')"
        f" WHERE reference = {named('first of payer')}",
    ),
    broken("I5", "UPDATE idempotency SET body = '{}' WHERE key = 'paid'"),
    broken("I5", "UPDATE idempotency SET body = '\\xff00' WHERE key = 'payer'"),
    broken("I5", f"DELETE FROM pix_payments WHERE id = {_PAID}"),
    broken("I5", f"UPDATE idempotency SET tenant_id = {named('two')} WHERE key = 'paid'"),
    broken("I5", "UPDATE idempotency SET operation = 'POST /baas/api/v1/accounts' WHERE key = 'paid'"),
    broken(
        "I5",
        "INSERT INTO idempotency SELECT tenant_id, operation, 'another', fingerprint, status, body, created_at"
        " FROM idempotency WHERE key = 'paid'",
    ),
    broken("E1", f"DELETE FROM events WHERE resource_id = {_PAID}"),
    broken("E1", f"DELETE FROM events WHERE resource_id = {named('first of payer')}"),
    broken("E1", "DELETE FROM events WHERE type = 'account.blocked'"),
    broken("E1", "DELETE FROM events WHERE type = 'account.closed'"),
    broken("E1", "DELETE FROM events WHERE type = 'pix.payment.reversed'"),
    broken("E1", f"UPDATE events SET type = 'pix.payment.failed' WHERE resource_id = {_PAID}"),
    broken("E1", f"UPDATE events SET resource_id = {named('under way')} WHERE resource_id = {_PAID}"),
    broken("E1", f"UPDATE events SET resource_id = gen_random_uuid() WHERE resource_id = {_PAID}"),
    broken("E1", f"UPDATE events SET tenant_id = {named('two')} WHERE resource_id = {_PAID}"),
    broken(
        "E1",
        "INSERT INTO events SELECT account_id, gen_random_uuid(), tenant_id, type, resource_id, 99, body, created_at"
        f" FROM events WHERE resource_id = {_PAID}",
    ),
    broken("A1", f"UPDATE accounts SET branch = '0001' WHERE id = {named('applicant')}"),
    broken("A1", f"UPDATE accounts SET branch = NULL WHERE id = {_PAYER}"),
    broken("A1", _ANY_ACCOUNT, f"UPDATE accounts SET closed_at = now() WHERE id = {_PAYER}"),
    broken("A1", f"UPDATE accounts SET closed_at = created_at - interval '1 s' WHERE id = {_CLOSED}"),
    broken("A1", f"UPDATE accounts SET status = 'CLOSED', closed_at = now() WHERE id = {_PAYER}"),
    broken("A2", f"DELETE FROM open_accounts WHERE account_id = {_PAYER}"),
    broken("A2", f"UPDATE accounts SET holder_document = '1' WHERE id = {_PAYER}"),
    broken("A2", f"INSERT INTO open_accounts VALUES ({named('one')}, '1', {_CLOSED})"),
    broken("A2", f"INSERT INTO open_accounts SELECT provider_id, '1', id FROM accounts WHERE id = {_PAYER}"),
    broken("A2", f"DELETE FROM account_numbers WHERE account_id = {_CLOSED}"),
    broken("A2", f"INSERT INTO account_numbers VALUES ({named('one')}, '0001', '1', gen_random_uuid())"),
    broken("T4", f"UPDATE pix_payments SET tenant_id = {named('two')} WHERE id = {_PAID}"),
    broken("T4", f"UPDATE pix_transfers SET provider_id = gen_random_uuid() WHERE id = {named('first of payer')}"),
    broken("T4", f"UPDATE events SET account_id = gen_random_uuid() WHERE resource_id = {_PAID}"),
    broken("T4", f"UPDATE providers SET tenant_id = {named('two')}"),
    broken("T4", "UPDATE inbox SET provider_id = gen_random_uuid() WHERE kind = 'RETURN'"),
    broken("O1", f"DELETE FROM outbox WHERE reference = {named('under way')}"),
    broken("O1", f"DELETE FROM outbox WHERE reference = {named('applicant')}"),
    broken("O1", "INSERT INTO outbox (topic, account_id, reference) SELECT topic, account_id, reference FROM outbox"),
    broken("O1", "UPDATE outbox SET reference = gen_random_uuid()"),
    broken("O1", "UPDATE outbox SET topic = 'something.else'"),
    broken("O1", f"INSERT INTO outbox (topic, account_id, reference) VALUES ('account.open', {_PAYER}, {_PAYER})"),
    Corruption(
        "V1",
        [_ANY_PAYMENT, f"UPDATE pix_payments SET status = 'PENDING' WHERE id = {named('never sent')}"],
        at_rest=True,
    ),
    Corruption("V1", [_ANY_ACCOUNT, f"UPDATE accounts SET status = 'PENDING' WHERE id = {_PAYER}"], at_rest=True),
    Corruption(
        "V2",
        [f"INSERT INTO outbox (topic, account_id, reference) VALUES ('pix.payment.settle', {_PAYER}, {_PAID})"],
        at_rest=True,
    ),
    apart("DELETE FROM payment WHERE kind = 'SENT'"),
    apart("UPDATE payment SET amount = amount + 1 WHERE kind = 'RECEIVED'"),
    apart("UPDATE payment SET status = 'ACSC' WHERE status = 'RJCT'"),
    apart("UPDATE payment SET status = 'RJCT' WHERE kind = 'RETURNED_TO_US'"),
    apart("UPDATE payment SET kind = 'RECEIVED' WHERE kind = 'SENT'"),
    apart("UPDATE payment SET original_end_to_end_id = 'another' WHERE kind = 'RETURNED_TO_US'"),
)


@dataclass(frozen=True)
class Books:
    """Two clean banks, one with payments under way and one at rest, and the network's book of the latter."""

    server: Server
    under_way: AsyncEngine
    at_rest: AsyncEngine
    network: AsyncEngine

    def url(self, database: str, login: str | None = None) -> str:
        """As the superuser, or as a login whose password is its name."""
        url = make_url(self.server.url(database))
        return (url.set(username=login, password=login) if login else url).render_as_string(hide_password=False)


@pytest.fixture(scope="module")
def books_server() -> Iterator[Server]:
    """Below a directory that Postgres may enter: pytest's own are closed to the account that root runs it as."""
    parent = Path(tempfile.mkdtemp(prefix="lastro-books-"))
    home = data_directory(parent)
    with postgres(home, durable=False) as running:
        yield running.server
    shutil.rmtree(home)
    shutil.rmtree(parent, ignore_errors=True)


@pytest.fixture(scope="module")
async def books(books_server: Server) -> AsyncIterator[Books]:
    """Written once; whatever a test does to them it takes back."""
    async with connected(books_server.url("postgres")) as connection:
        for name in ("under_way", "network"):
            await connection.execute(f"CREATE DATABASE {name}")
        await asyncio.to_thread(upgrade, books_server.url("under_way"))
        await connection.execute("CREATE DATABASE at_rest TEMPLATE under_way")
        for role, reads_as in (("member", "lastro_app"), ("outsider", "pg_read_all_data")):
            await connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{role}' IN ROLE {reads_as}")
    book = Book(books_server.url("network"))
    await book.create()
    await book.close()
    resting = clean_world(at_rest=True)
    for name, write in (
        ("under_way", clean_world(at_rest=False).write),
        ("at_rest", resting.write),
        ("network", resting.write_network),
    ):
        async with connected(books_server.url(name)) as connection:
            await write(connection)
    engines = [engine_of(books_server, name) for name in ("under_way", "at_rest", "network")]
    yield Books(books_server, *engines)
    for engine in engines:
        await engine.dispose()


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        yield connection
    finally:
        await connection.close()


def engine_of(server: Server, database: str) -> AsyncEngine:
    """As the superuser, without the memory of statements that corruptions of the schema would confuse."""
    return create_async_engine(f"{server.url(database)}?prepared_statement_cache_size=0")


@pytest.mark.parametrize("login", [None, "member", "outsider"])
async def test_a_bank_with_payments_under_way_is_clean(books: Books, login: str | None) -> None:
    report = await check_books(books.url("under_way", login))
    assert report.clean, report.text()
    assert set(report.skipped) == {"V1", "V2", "X1"}
    assert len(report.answers) + len(report.skipped) == len(EVERY) + 1


async def test_a_bank_at_rest_agrees_with_the_network(books: Books) -> None:
    report = await check_books(books.url("at_rest"), simulator_url=books.url("network"), quiesced=True)
    assert report.clean, report.text()
    assert not report.skipped
    assert report.text() == f"{len(EVERY) + 1} of {len(EVERY) + 1} invariants hold."
    report = await check_books(books.url("at_rest"), quiesced=True)
    assert report.clean
    assert "Not asked: X1 (there is no simulator)." in report.text()


async def test_a_bank_that_is_not_at_rest_is_told_so(books: Books) -> None:
    report = await check_books(books.url("under_way"), simulator_url=books.url("network"), quiesced=True)
    assert not report.clean
    assert report.violated >= {"V1", "V2"}
    assert report.text().startswith("V1 is broken, 3 times: At rest, no payment and no account is under way.\n    ")


def test_each_invariant_has_a_corruption() -> None:
    ids = [invariant.id for invariant in EVERY] + [network.ID]
    assert len(ids) == len(set(ids))
    assert {corruption.id for corruption in CORRUPTIONS} == set(ids)


@pytest.mark.parametrize("corruption", CORRUPTIONS, ids=lambda each: each.id)
async def test_a_corruption_is_noticed(books: Books, corruption: Corruption) -> None:
    of_bank = books.at_rest if corruption.at_rest else books.under_way
    async with of_bank.connect() as bank, books.network.connect() as book:
        await corrupt(bank, corruption.bank)
        await corrupt(book, corruption.network)
        of_two_books = corruption.id == network.ID
        answer = await (compare(bank, book) if of_two_books else ask(bank, by_id(corruption.id)))
    assert not answer.holds
    assert 1 <= len(answer.examples) <= min(answer.offenders, MOST_EXAMPLES)
    assert all(answer.examples)
    assert "None" not in answer.examples


async def corrupt(connection: AsyncConnection, statements: Sequence[str]) -> None:
    """Until the connection is closed. Each statement must do something, or the corruption is none."""
    for statement in statements:
        done = await connection.execute(text(statement))
        assert done.rowcount != 0, statement


async def test_an_alert_is_enough_for_an_old_payment(books: Books) -> None:
    old = f"UPDATE pix_payments SET created_at = now() - interval '25 hours' WHERE id = {named('under way')}"
    alert = (
        "INSERT INTO alerts (kind, account_id, reference, detail)"
        f" VALUES ('given_up:pix.payment.settle', {_PAYER}, {named('under way')}, 'the network is silent')"
    )
    async with books.under_way.connect() as bank:
        await corrupt(bank, [old, alert])
        assert (await ask(bank, by_id("P9"))).holds


async def test_a_promise_may_outlive_its_payment_until_all_is_at_rest(books: Books) -> None:
    owed = f"INSERT INTO outbox (topic, account_id, reference) VALUES ('pix.payment.settle', {_PAYER}, {_PAID})"
    async with books.at_rest.connect() as bank:
        await corrupt(bank, [owed])
        assert (await ask(bank, by_id("O1"))).holds
        assert not (await ask(bank, by_id("V2"))).holds


async def test_ten_offenders_are_named_and_all_are_counted(books: Books) -> None:
    async with books.under_way.connect() as bank:
        await corrupt(bank, ["INSERT INTO balances SELECT gen_random_uuid(), 0, 0, 0 FROM generate_series(1, 25)"])
        answer = await ask(bank, by_id("L3"))
    assert (answer.offenders, len(answer.examples)) == (25, MOST_EXAMPLES)
    lines = Report((answer,), {}).text().splitlines()
    assert lines[0] == f"L3 is broken, 25 times: {answer.statement}"
    assert lines[-2:] == ["    and 15 more", "0 of 1 invariants hold."]


def by_id(name: str) -> Invariant:
    return next(each for each in EVERY if each.id == name)
