"""The checker finds a right bank clean, and each hand-made corruption of it: one that can not fail proves nothing."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from checker.clean_world import Connection, clean_world
from checker.corruptions import CORRUPTIONS, PAID, PAYER, Corruption, named
from lastro.checker.invariants import Invariant
from lastro.checker.run import EVERY, MOST_EXAMPLES, TWO_BOOKS, Report, ask, check_books, compare
from lastro.embedded.home import data_directory
from lastro.embedded.server import Server, postgres
from lastro.migrations import upgrade
from lastro.simulator.book import Book


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
    assert set(report.skipped) == {"E4", "V1", "V2", "X1", "X2"}
    assert len(report.answers) + len(report.skipped) == len(EVERY) + len(TWO_BOOKS)


async def test_a_bank_at_rest_agrees_with_the_network(books: Books) -> None:
    report = await check_books(books.url("at_rest"), simulator_url=books.url("network"), quiesced=True)
    assert report.clean, report.text()
    assert not report.skipped
    assert report.text() == f"{len(EVERY) + 2} of {len(EVERY) + 2} invariants hold."
    report = await check_books(books.url("at_rest"), quiesced=True)
    assert report.clean
    assert "Not asked: X1 (there is no simulator)." in report.text()


async def test_a_bank_that_is_not_at_rest_is_told_so(books: Books) -> None:
    report = await check_books(books.url("under_way"), simulator_url=books.url("network"), quiesced=True)
    assert not report.clean
    assert report.violated >= {"V1", "V2"}
    statement = "At rest, nothing waits for us: no payment, account, key, document or charge."
    assert report.text().startswith(f"V1 is broken, 8 times: {statement}\n    ")


def test_each_invariant_has_a_corruption() -> None:
    ids = [invariant.id for invariant in EVERY] + [each.ID for each in TWO_BOOKS]
    assert len(ids) == len(set(ids))
    assert {corruption.id for corruption in CORRUPTIONS} == set(ids)


@pytest.mark.parametrize("corruption", CORRUPTIONS, ids=lambda each: each.id)
async def test_a_corruption_is_noticed(books: Books, corruption: Corruption) -> None:
    of_bank = books.at_rest if corruption.at_rest else books.under_way
    async with of_bank.connect() as bank, books.network.connect() as book:
        await corrupt(bank, corruption.bank)
        await corrupt(book, corruption.network)
        two_books = next((each for each in TWO_BOOKS if corruption.id == each.ID), None)
        answer = await (compare(two_books, bank, book) if two_books else ask(bank, by_id(corruption.id)))
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
        f" VALUES ('given_up:pix.payment.settle', {PAYER}, {named('under way')}, 'the network is silent')"
    )
    async with books.under_way.connect() as bank:
        await corrupt(bank, [old, alert])
        assert (await ask(bank, by_id("P9"))).holds


async def test_a_promise_may_outlive_its_payment_until_all_is_at_rest(books: Books) -> None:
    owed = f"INSERT INTO outbox (topic, account_id, reference) VALUES ('pix.payment.settle', {PAYER}, {PAID})"
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
