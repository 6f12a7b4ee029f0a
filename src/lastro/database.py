"""The only place that begins, commits and rolls back; how Money and enums become columns."""

import asyncio
import enum
import json
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

import asyncpg
from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    DateTime,
    Dialect,
    Enum,
    MetaData,
    Text,
    TypeDecorator,
    Uuid,
    any_,
    bindparam,
    func,
    select,
)
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute

from lastro.attempt import Overtaken
from lastro.errors import Unavailable
from lastro.values.money import Money
from lastro.values.text import Text as Sentence

APPLICATION_ROLE = "lastro_app"

# SQLSTATEs that mean "not now": nothing is known to be wrong with the question.
_NOT_NOW = {
    "40001",  # serialization_failure
    "40P01",  # deadlock_detected
    "53100",  # disk_full
    "53200",  # out_of_memory
    "53300",  # too_many_connections
    "55P03",  # lock_not_available
    "57014",  # query_canceled, by statement_timeout
    "57P01",  # admin_shutdown
    "57P02",  # crash_shutdown
    "57P03",  # cannot_connect_now
    "25P03",  # idle_in_transaction_session_timeout
}

CONNECTIONS_FOR_SETS = 4
_WAIT_SECONDS, _CONNECT_SECONDS, _COMMAND_SECONDS = 3, 5, 15
_SERVER_SETTINGS = {
    "role": APPLICATION_ROLE,
    "application_name": "lastro",
    "timezone": "UTC",
    "lock_timeout": "2s",
    "statement_timeout": "5s",
    "idle_in_transaction_session_timeout": "10s",
    "jit": "off",
}

OVERTAKEN = "LA001"
"""Our own SQLSTATE, raised by functions: another transaction was faster, and nothing is written."""


class CentavosColumn(TypeDecorator[Money]):
    """Money as a BIGINT of centavos."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Money | None, _dialect: Dialect) -> int | None:
        return None if value is None else value.centavos

    def process_result_value(self, value: int | None, _dialect: Dialect) -> Money | None:
        return None if value is None else Money(value)


class Base(DeclarativeBase):
    """Every table of the bank. Names of constraints are spelled out so that migrations and services can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: Text(),
        UUID: Uuid(),
        datetime: DateTime(timezone=True),
        Money: CentavosColumn(),
        enum.Enum: Enum(enum.Enum, native_enum=False, create_constraint=True, length=32),
    }


class Database:
    """The pools of one process. Every connection serves under the application's role, with a limit on every wait.

    Work that comes in sets has connections of its own, so that nobody's long list stands in a payment's way.
    """

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        self.engine = create_async_engine(
            url,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=_WAIT_SECONDS,
            pool_use_lifo=True,
            hide_parameters=True,  # they are people's documents and keys; errors are logged
            json_serializer=_to_json,
            connect_args={
                "timeout": _CONNECT_SECONDS,
                "command_timeout": _COMMAND_SECONDS,
                "server_settings": _SERVER_SETTINGS,
            },
        )
        self._turns = asyncio.Semaphore(pool_size)
        self._sets, self._looks = _Sets(url), _Sets(url)
        # The same connections, without BEGIN and COMMIT: what is one statement costs one trip.
        self._alone = self.engine.execution_options(isolation_level="AUTOCOMMIT")

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """One unit of work: commits at the end of the block, rolls back on any exception.

        Raises Unavailable when the database is away, full or too slow. After that the outcome of a commit is unknown.
        """
        async with self._session(self.engine) as session:
            yield session
            await session.commit()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """For reads: each statement stands alone and sees what is committed when it starts. Raises Unavailable."""
        async with self._session(self._alone) as session:
            yield session

    @asynccontextmanager
    async def _session(self, engine: AsyncEngine) -> AsyncIterator[AsyncSession]:
        with _told():
            await _turn(self._turns)
            session = AsyncSession(engine, expire_on_commit=False, autoflush=False)
            try:
                yield session
            except BaseException:
                await _abandon(session)
                raise
            finally:
                try:
                    await _release(session)
                finally:
                    self._turns.release()

    async def call(self, statement: str, *arguments: Any) -> Sequence[asyncpg.Record]:
        """One statement with places $1, $2…, straight through the driver: one trip, one transaction, half the time.

        For work that comes in sets; when its rows are here, it is committed. Raises Unavailable like `transaction`, and
        Overtaken when a function of ours says so.
        """
        with _told():
            return await self._sets.fetch(statement, *arguments)

    async def look(self, statement: str, *arguments: Any) -> Sequence[asyncpg.Record]:
        """Like `call`, for reads, however many: on connections of their own, where no payment waits behind them."""
        with _told():
            return await self._looks.fetch(statement, *arguments)

    async def now(self) -> datetime:
        """The database's clock."""
        async with self.transaction() as tx:
            moment: datetime = (await tx.execute(select(func.clock_timestamp()))).scalar_one()
            return moment

    async def close(self) -> None:
        """Give every connection back."""
        await self.engine.dispose()
        await self._sets.close()
        await self._looks.close()


async def _turn(turns: asyncio.Semaphore) -> None:
    """In the order of asking: a pool itself lets newcomers overtake, and some would wait for ever."""
    if turns.locked():
        async with asyncio.timeout(_WAIT_SECONDS):
            await turns.acquire()
    else:
        await turns.acquire()


@contextmanager
def _told() -> Iterator[None]:
    """What the driver says of a database that is away, full or too slow becomes Unavailable."""
    try:
        yield
    except (SQLAlchemyError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        if means_not_now(error):
            raise _unavailable() from error
        if getattr(getattr(error, "orig", error), "sqlstate", None) == OVERTAKEN:
            raise Overtaken from error
        raise


class _Sets:
    """The connections for `call`: few, and the driver's own, for any pool's way to one costs as much as the trip.

    Each member of a set is looked up by an index, whatever the size of set and table. So one plan does for all:
    planning anew, which Postgres prefers for arrays, costs more than carrying out. And no other plan will do: one that
    reads a whole table is the best while the table is empty, and stays when it has grown.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._idle: list[asyncpg.Connection[asyncpg.Record]] = []
        self._turns = asyncio.Semaphore(CONNECTIONS_FOR_SETS)

    async def fetch(self, statement: str, *arguments: Any) -> Sequence[asyncpg.Record]:
        """Carry out one statement. Raises what the driver raises."""
        await _turn(self._turns)
        try:
            connection = await self._connection()
            try:
                rows = await connection.fetch(statement, *arguments)
            except asyncpg.PostgresError:  # an answer, if a bad one: nothing of it stays with the connection
                self._idle.append(connection)
                raise
            except BaseException:
                connection.terminate()
                raise
            self._idle.append(connection)
            return rows
        finally:
            self._turns.release()

    async def _connection(self) -> "asyncpg.Connection[asyncpg.Record]":
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():  # it may have broken while it lay there
                return connection
        indexes_alone = {f"enable_{way}": "off" for way in ("seqscan", "hashjoin", "mergejoin", "material")}
        connection = await asyncpg.connect(
            plain(self._url),
            timeout=_CONNECT_SECONDS,
            command_timeout=_COMMAND_SECONDS,
            server_settings={**_SERVER_SETTINGS, "plan_cache_mode": "force_generic_plan", **indexes_alone},
        )
        try:
            await connection.set_type_codec("jsonb", encoder=_to_json, decoder=json.loads, schema="pg_catalog")
        except BaseException:
            connection.terminate()
            raise
        return connection

    async def close(self) -> None:
        """Give the connections back."""
        while self._idle:
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await self._idle.pop().close(timeout=2)


def plain(url: str) -> str:
    """A URL of SQLAlchemy's as the driver reads it."""
    return url.replace("postgresql+asyncpg://", "postgresql://", 1).replace("ssl=", "sslmode=")


def _to_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


async def _abandon(session: AsyncSession) -> None:
    try:
        await session.rollback()
    except (SQLAlchemyError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        await session.invalidate()


async def _release(session: AsyncSession) -> None:
    try:
        await session.close()
    except (SQLAlchemyError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        await session.invalidate()


def means_not_now(error: BaseException) -> bool:
    """Whether an error of the driver says that the database is away or busy, and nothing about the question."""
    if isinstance(error, asyncpg.InterfaceError):
        return not isinstance(error, ValueError)  # which says that an argument can not be sent at all
    if isinstance(error, PoolTimeoutError | OSError):
        return True
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or _sqlstate(error) in _NOT_NOW or isinstance(error.orig, OSError)
    if isinstance(error, asyncpg.PostgresError):
        return error.sqlstate in _NOT_NOW or isinstance(error, asyncpg.PostgresConnectionError)
    return False


def _sqlstate(error: DBAPIError) -> str | None:
    return getattr(error.orig, "sqlstate", None)


def constraint_of(error: DBAPIError) -> str | None:
    """The name of the constraint that refused, for errors that have one."""
    cause = getattr(error.orig, "__cause__", None)
    name = getattr(cause, "constraint_name", None)
    return name if isinstance(name, str) else None


def _unavailable() -> Unavailable:
    return Unavailable(
        Sentence(
            "O serviço está temporariamente indisponível. Repita a requisição com a mesma Idempotency-Key.",
            "The service is temporarily unavailable. Repeat the request with the same Idempotency-Key.",
        ),
        retry_after=1,
    )


def among(column: InstrumentedAttribute[Any], values: Collection[Any]) -> ColumnElement[bool]:
    """`column = ANY(array)`: one statement whatever their number, where IN is another one to prepare for each."""
    return column == any_(bindparam(None, list(values), type_=ARRAY(column.type), unique=True))
