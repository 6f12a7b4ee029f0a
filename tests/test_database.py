"""The database: who asks first is served first, a call is committed when it answers, errors are told in our words."""

import asyncio

import asyncpg
import pytest
from sqlalchemy import text

from lastro.attempt import Overtaken
from lastro.database import CONNECTIONS_FOR_SETS, Database
from lastro.errors import Unavailable
from lastro.wiring import Assembly


async def test_who_waits_for_a_connection_is_not_overtaken(quiet: Assembly) -> None:
    db = Database(quiet.bank.db.engine.url.render_as_string(hide_password=False), pool_size=1)
    served: list[str] = []

    async def ask(name: str) -> None:
        async with db.reading() as tx:
            await tx.execute(text("SELECT 1"))
            served.append(name)

    try:
        async with db.reading() as tx:
            waiting = [asyncio.create_task(ask(name)) for name in ("first", "second", "third")]
            await tx.execute(text("SELECT pg_sleep(0.05)"))
        await ask("newcomer")
        await asyncio.gather(*waiting)
    finally:
        await db.close()

    assert served == ["first", "second", "third", "newcomer"]


async def test_who_waits_too_long_for_a_connection_hears_so(quiet: Assembly, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lastro.database._WAIT_SECONDS", 0.05)
    db = Database(quiet.bank.db.engine.url.render_as_string(hide_password=False), pool_size=1)
    try:
        async with db.reading():
            with pytest.raises(Unavailable):
                async with db.transaction():
                    pass
        async with db.transaction() as tx:  # and the place is free again
            await tx.execute(text("SELECT 1"))
    finally:
        await db.close()


async def test_a_call_is_committed_when_it_answers(quiet: Assembly) -> None:
    await quiet.bank.db.call(
        "INSERT INTO alerts (kind, account_id, reference, detail) VALUES ($1, $2, $2, $3)", *_ALERT
    )

    async with quiet.bank.db.reading() as tx:
        found = (await tx.execute(text("SELECT detail FROM alerts WHERE kind = 'tested'"))).scalars().all()
    assert found == ["of a call"]


_ALERT = ("tested", "00000000-0000-0000-0000-000000000001", "of a call")


@pytest.mark.parametrize(("sqlstate", "said"), [("LA001", Overtaken), ("55P03", Unavailable)])
async def test_what_a_function_raises_is_told_in_our_words(
    quiet: Assembly, sqlstate: str, said: type[Exception]
) -> None:
    with pytest.raises(said):
        await quiet.bank.db.call(f"DO $$ BEGIN RAISE EXCEPTION 'so' USING ERRCODE = '{sqlstate}'; END $$")


async def test_an_argument_that_can_not_be_sent_is_no_absence_of_the_database(quiet: Assembly) -> None:
    with pytest.raises(asyncpg.DataError):
        await quiet.bank.db.call("SELECT $1::text", "\ud800")
    assert await quiet.bank.db.call("SELECT 1 AS one")


async def test_reads_do_not_stand_in_the_line_of_payments_and_no_line_is_endless(
    quiet: Assembly, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lastro.database._WAIT_SECONDS", 0.1)
    db = quiet.bank.db
    reading = [asyncio.create_task(db.look("SELECT pg_sleep(0.5)")) for _ in range(CONNECTIONS_FOR_SETS)]
    await asyncio.sleep(0.2)

    with pytest.raises(Unavailable):
        await db.look("SELECT 1")
    assert await db.call("SELECT 1 AS one")

    await asyncio.gather(*reading)
    assert await db.look("SELECT 1 AS one")
