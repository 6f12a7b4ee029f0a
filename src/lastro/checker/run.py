"""Asks all invariants of one snapshot of the bank's database, and says what was found."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import NullPool, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from lastro.checker import (
    access,
    bank,
    directory,
    keys,
    kyc,
    money,
    network,
    news,
    pix,
    qrcodes,
    refunds,
    totals,
    transfers,
)
from lastro.checker.invariants import Invariant

EVERY: tuple[Invariant, ...] = (
    *money.INVARIANTS,
    *pix.INVARIANTS,
    *refunds.INVARIANTS,
    *transfers.INVARIANTS,
    *keys.INVARIANTS,
    *qrcodes.INVARIANTS,
    *bank.INVARIANTS,
    *access.INVARIANTS,
    *news.INVARIANTS,
    *kyc.INVARIANTS,
    *totals.INVARIANTS,
)
"""Those that are asked of the bank's database alone; X1 and X2 (`TWO_BOOKS`) need the simulator's too."""

TWO_BOOKS = (network, directory)

MOST_EXAMPLES = 10

_APPLICATION_ROLE = "lastro_app"
# The questions scan whole tables: let hashes and sorts of a million rows stay in memory, and none run for ever.
_SETTINGS = ("work_mem = '64MB'", "jit = off", "statement_timeout = '10min'", "search_path = public")


@dataclass(frozen=True, slots=True)
class Answer:
    """What one invariant was found to be: how many break it, and up to ten of them."""

    id: str
    statement: str
    offenders: int
    examples: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing breaks it."""
        return self.offenders == 0


@dataclass(frozen=True, slots=True)
class Report:
    """What was asked, and `skipped`: the ids of what was not, with the reason."""

    answers: tuple[Answer, ...]
    skipped: Mapping[str, str]

    @property
    def clean(self) -> bool:
        """Whether every invariant that was asked holds."""
        return all(answer.holds for answer in self.answers)

    @property
    def violated(self) -> frozenset[str]:
        """The ids of those that do not hold."""
        return frozenset(answer.id for answer in self.answers if not answer.holds)

    def text(self) -> str:
        """For a human: each broken sentence with offenders, then how many hold, and what was not asked."""
        lines: list[str] = []
        for answer in self.answers:
            if not answer.holds:
                lines.append(f"{answer.id} is broken, {answer.offenders} times: {answer.statement}")
                lines += [f"    {example}" for example in answer.examples]
                if answer.offenders > len(answer.examples):
                    lines.append(f"    and {answer.offenders - len(answer.examples)} more")
        held = sum(answer.holds for answer in self.answers)
        lines.append(f"{held} of {len(self.answers)} invariants hold.")
        lines += [f"Not asked: {name} ({why})." for name, why in self.skipped.items()]
        return "\n".join(lines)


async def check_books(database_url: str, *, simulator_url: str | None = None, quiesced: bool = False) -> Report:
    """Ask every invariant of one snapshot; nothing is written, no row is locked.

    Both URLs are postgresql+asyncpg://…; the login serves as the application does. `quiesced` says that nothing is
    under way, so that nothing may be owed and the simulator's book, if there is one, must agree. Raises what the
    driver raises when a database is away or has another schema.
    """
    answers: list[Answer] = []
    skipped: dict[str, str] = {}
    async with _snapshot(database_url) as connection:
        await _serve_as_application(connection)
        for invariant in EVERY:
            if invariant.at_rest and not quiesced:
                skipped[invariant.id] = "only at rest"
            else:
                answers.append(await ask(connection, invariant))
        if not quiesced:
            skipped |= {each.ID: "only at rest" for each in TWO_BOOKS}
        elif simulator_url is None:
            skipped |= {each.ID: "there is no simulator" for each in TWO_BOOKS}
        else:
            async with _snapshot(simulator_url) as book:
                answers += [await compare(each, connection, book) for each in TWO_BOOKS]
    return Report(tuple(answers), skipped)


async def ask(connection: AsyncConnection, invariant: Invariant) -> Answer:
    """Ask one invariant of a connection to the bank's database, as it sees it."""
    # Counted over all offenders, although only some are told.
    question = f"SELECT offender, count(*) OVER () FROM ({invariant.sql}) AS found(offender) LIMIT {MOST_EXAMPLES}"  # noqa: S608 - constants of this package
    found = (await connection.execute(text(question))).all()
    return Answer(
        invariant.id,
        invariant.statement,
        offenders=found[0][1] if found else 0,
        examples=tuple(str(row[0]) for row in found),
    )


class Comparison(Protocol):
    """A module that compares the bank's database with the simulator's."""

    ID: str
    STATEMENT: str

    def differences(self, bank: AsyncConnection, network: AsyncConnection) -> AsyncIterator[str]:
        """Each way in which they disagree."""
        ...


async def compare(comparison: Comparison, connection: AsyncConnection, book: AsyncConnection) -> Answer:
    """Ask X1 or X2 of connections to the bank's database and to the simulator's."""
    offenders, examples = 0, list[str]()
    async for difference in comparison.differences(connection, book):
        offenders += 1
        if len(examples) < MOST_EXAMPLES:
            examples.append(difference)
    return Answer(comparison.ID, comparison.STATEMENT, offenders, tuple(examples))


@asynccontextmanager
async def _snapshot(url: str) -> AsyncIterator[AsyncConnection]:
    """One moment of a database."""
    engine = create_async_engine(url, poolclass=NullPool, hide_parameters=True, connect_args={"timeout": 5})
    try:
        async with engine.connect() as connection:
            await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            for setting in _SETTINGS:
                await connection.execute(text(f"SET LOCAL {setting}"))
            yield connection
    finally:
        await engine.dispose()


async def _serve_as_application(connection: AsyncConnection) -> None:
    """A checker that sees with the application's rights can not be right where the application would be wrong."""
    try:
        async with connection.begin_nested():
            await connection.execute(text(f"SET LOCAL ROLE {_APPLICATION_ROLE}"))
    except DBAPIError:  # it reads as what it is; L2 and `lastro doctor` speak of roles
        return
