"""The buckets: what a question costs, how they fill, who may use the reserve, and that no race finds a spare token."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text

from build import a_cnpj, a_cpf
from lastro.errors import RateLimited
from lastro.pix.lookups.budgets import (
    COMPANY,
    PARTICIPANTS,
    PERSON,
    TENANT,
    Address,
    Asker,
    Bucket,
    Entry,
    Purpose,
    Size,
    apply,
    carry_out,
)
from lastro.pix.lookups.metering import Question, after, reward
from lastro.settings import Settings
from lastro.values.pix_key import KeyType, PixKey
from lastro.values.tax_id import TaxId
from lastro.wiring import Assembly, build

NOON = datetime(2026, 8, 1, 12, tzinfo=UTC)
PARTICIPANT = PARTICIPANTS["B"]
LOOKUP, PAYMENT = Purpose.LOOKUP, Purpose.PAYMENT


def an_asker(document: str | None = None) -> Asker:
    """At a participant of its own, too: nobody else drinks from its buckets."""
    return Asker(TaxId.parse(document or a_cpf()), uuid4(), uuid4().hex[:8].upper())


def buckets_of(asker: Asker, **levels: int) -> dict[Address, Bucket]:
    """Full ones, but for those that are named, in tokens."""
    sizes = dict(zip(asker.addresses, (asker.size, TENANT, PARTICIPANT), strict=True))
    return {
        address: Bucket(size, levels.get(address[0].lower(), size.tokens) * 1000) for address, size in sizes.items()
    }


async def enter(assembly: Assembly, *entries: Entry, participant: Size = PARTICIPANT) -> list[RateLimited | None]:
    async with assembly.bank.db.transaction() as tx:
        return await apply(tx, entries, participant=participant)


async def tokens(assembly: Assembly, asker: Asker) -> list[float | None]:
    """Of the payer, the tenant and the participant, as they were written; None: no row."""
    async with assembly.bank.db.transaction() as tx:
        rows = await tx.execute(
            text("SELECT level, millitokens FROM lookup_budgets WHERE holder = ANY(:holders)"),
            {"holders": [holder for _, holder in asker.addresses]},
        )
        found = {row.level: row.millitokens / 1000 for row in rows}
    return [found.get(level.value) for level, _ in asker.addresses]


async def let_pass(assembly: Assembly, asker: Asker, seconds: float) -> None:
    """Move the moment of the last refill into the past."""
    async with assembly.bank.db.transaction() as tx:
        await tx.execute(
            text(
                "UPDATE lookup_budgets SET refilled_at = refilled_at - make_interval(secs => :seconds)"
                " WHERE holder = ANY(:holders)"
            ),
            {"seconds": seconds, "holders": [holder for _, holder in asker.addresses]},
        )


def test_ours_are_stricter_than_the_directorys() -> None:
    assert PERSON.tokens < 100
    assert PERSON.milli_a_minute < 2_000
    assert COMPANY.tokens < 1_000
    assert COMPANY.milli_a_minute < 20_000


@pytest.mark.parametrize("size", [PERSON, COMPANY, TENANT, *PARTICIPANTS.values()])
def test_every_bucket_has_room_for_a_lookup_above_its_reserve(size: Size) -> None:
    assert size.full - 20_000 >= size.reserve


def test_a_bucket_fills_as_time_goes_by_and_no_further_than_full() -> None:
    bucket = Bucket(PERSON, 0, NOON)

    bucket.refill(NOON + timedelta(minutes=1))
    assert (bucket.level, bucket.refilled_at) == (1_600, NOON + timedelta(minutes=1))
    bucket.refill(NOON + timedelta(days=1))
    assert (bucket.level, bucket.refilled_at) == (80_000, NOON + timedelta(days=1))


def test_a_clock_that_goes_back_takes_and_gives_nothing() -> None:
    bucket = Bucket(PERSON, 5_000, NOON)

    bucket.refill(NOON - timedelta(hours=1))

    assert (bucket.level, bucket.refilled_at) == (5_000, NOON)


def test_whoever_looks_every_millisecond_gets_as_much_as_whoever_waits() -> None:
    impatient, patient = Bucket(PERSON, 0, NOON), Bucket(PERSON, 0, NOON)

    for millisecond in range(60_001):
        impatient.refill(NOON + timedelta(milliseconds=millisecond))
    patient.refill(NOON + timedelta(minutes=1))

    assert patient.level - 1 <= impatient.level <= patient.level == 1_600


def test_a_lookup_stops_at_the_reserve_and_a_payment_at_nothing() -> None:
    asker = an_asker()
    buckets = buckets_of(asker, payer=43)

    assert carry_out(Entry(asker, 20, LOOKUP), buckets) is not None
    assert [carry_out(Entry(asker, 1, PAYMENT), buckets) for _ in range(44)].count(None) == 43


@pytest.mark.parametrize(("level", "size"), [("payer", PERSON), ("tenant", TENANT), ("platform", PARTICIPANT)])
def test_one_empty_level_refuses_and_no_level_is_charged(level: str, size: Size) -> None:
    asker = an_asker()
    reserve = size.tokens * 3 // 10
    short, enough = buckets_of(asker, **{level: reserve + 19}), buckets_of(asker, **{level: reserve + 20})
    before = {address: bucket.level for address, bucket in short.items()}

    refusal = carry_out(Entry(asker, 20, LOOKUP), short)

    assert refusal is not None
    assert refusal.retry_after == -(-60_000 // size.milli_a_minute)
    assert {address: bucket.level for address, bucket in short.items()} == before
    assert carry_out(Entry(asker, 20, LOOKUP), enough) is None


def test_who_is_refused_is_told_when_the_slowest_level_has_enough() -> None:
    asker = an_asker()
    buckets = buckets_of(asker, payer=0, tenant=0)

    refusal = carry_out(Entry(asker, 20, LOOKUP), buckets)

    assert refusal is not None
    assert refusal.retry_after == 44 / 1.6 * 60  # the tenant's would have 1,220 in 610 seconds
    for bucket in buckets.values():
        bucket.refilled_at = NOON
        bucket.refill(NOON + timedelta(seconds=refusal.retry_after))
    assert carry_out(Entry(asker, 20, LOOKUP), buckets) is None


def test_what_is_settled_afterwards_stops_at_empty_and_at_full() -> None:
    asker = an_asker()
    buckets = buckets_of(asker, payer=5)

    assert carry_out(Entry(asker, 20), buckets) is None
    assert [bucket.level for bucket in buckets.values()] == [0, 3_980_000, 39_980_000]
    assert carry_out(Entry(asker, -50_000), buckets) is None
    assert [bucket.level for bucket in buckets.values()] == [80_000, 4_000_000, 40_000_000]


@pytest.mark.parametrize("level", ["payer", "tenant", "platform"])
@pytest.mark.parametrize("purpose", Purpose)
def test_what_payments_under_way_may_need_is_nobody_elses(level: str, purpose: Purpose) -> None:
    asker = an_asker()
    place = ["payer", "tenant", "platform"].index(level)
    address, size = asker.addresses[place], [PERSON, TENANT, PARTICIPANT][place]
    spare = 0 if purpose is PAYMENT else size.tokens * 3 // 10
    short, enough = buckets_of(asker, **{level: spare + 49}), buckets_of(asker, **{level: spare + 50})

    refusal = carry_out(Entry(asker, 20, purpose), short, {address: 30})

    assert refusal is not None
    assert refusal.retry_after == -(-60_000 // size.milli_a_minute)
    assert carry_out(Entry(asker, 20, purpose), enough, {address: 30}) is None
    assert enough[address].level == (spare + 30) * 1000


def test_a_payment_gives_back_what_a_lookup_costs_whoever_pays() -> None:
    person, company = an_asker(), an_asker(a_cnpj())

    assert [reward(person).tokens, reward(company).tokens] == [-1, -1]


async def test_levels_last_and_fill_by_the_databases_clock(quiet: Assembly) -> None:
    asker = an_asker()

    assert await enter(quiet, Entry(asker, 20, LOOKUP)) == [None]
    assert await tokens(quiet, asker) == [60, 3_980, 39_980]
    await let_pass(quiet, asker, 60)
    assert await enter(quiet, Entry(asker, 1, PAYMENT)) == [None]

    payer, tenant, participant = await tokens(quiet, asker)
    assert payer == pytest.approx(60.6, abs=0.2)
    assert (tenant, participant) == (3_999, 39_999)


async def test_a_refusal_writes_nothing(quiet: Assembly) -> None:
    asker = an_asker()

    assert await enter(quiet, Entry(asker, 4_000, LOOKUP)) != [None]

    assert await tokens(quiet, asker) == [None, None, None]


async def test_a_batch_is_carried_out_in_its_order(quiet: Assembly) -> None:
    asker = an_asker()

    verdicts = await enter(quiet, *[Entry(asker, 20, LOOKUP)] * 3, Entry(asker, -20), Entry(asker, 20, LOOKUP))

    assert [verdict is None for verdict in verdicts] == [True, True, False, True, True]
    assert await tokens(quiet, asker) == [40, 3_960, 39_960]


async def test_a_smaller_category_takes_effect_at_once(quiet: Assembly) -> None:
    asker = an_asker()
    await enter(quiet, Entry(asker, 20, LOOKUP))

    assert await enter(quiet, Entry(asker, 20, LOOKUP), participant=PARTICIPANTS["H"]) == [None]

    assert (await tokens(quiet, asker))[2] == 30


@pytest.fixture
async def two_processes(quiet: Assembly, settings_of_quiet: Settings) -> AsyncIterator[tuple[Assembly, Assembly]]:
    other = build(settings_of_quiet)
    await other.open()
    yield quiet, other
    await other.close()


async def test_who_comes_second_sees_what_the_first_left(quiet: Assembly) -> None:
    asker = an_asker()
    await enter(quiet, Entry(asker, 20, LOOKUP))

    async with quiet.bank.db.transaction() as first:
        await apply(first, [Entry(asker, 20, PAYMENT)], participant=PARTICIPANT)
        second = asyncio.create_task(enter(quiet, Entry(asker, 30, PAYMENT), Entry(asker, 30, PAYMENT)))
        await asyncio.sleep(0.2)
        assert not second.done()

    verdicts = await second
    assert [verdict is None for verdict in verdicts] == [True, False]
    assert (await tokens(quiet, asker))[0] == pytest.approx(10, abs=0.2)


@pytest.mark.parametrize("written_before", [False, True])
async def test_of_many_questions_at_the_edge_exactly_as_many_pass_as_there_are_tokens(
    two_processes: tuple[Assembly, Assembly], *, written_before: bool
) -> None:
    asker = an_asker(a_cnpj())
    if written_before:
        await enter(two_processes[0], Entry(asker, 1, PAYMENT), Entry(asker, -1))
    key = PixKey(KeyType.EVP, str(uuid4()))

    verdicts = await asyncio.gather(
        *(two_processes[each % 2].bank.metering.submit(Question(asker, key, asker.ispb)) for each in range(50))
    )

    assert verdicts.count(None) == 17  # 500 - 17 * 20 = 160, and 150 are the reserve
    assert (await tokens(two_processes[0], asker))[0] == pytest.approx(160, abs=1)


async def test_no_bucket_leaves_its_bounds_whatever_comes_at_once(two_processes: tuple[Assembly, Assembly]) -> None:
    asker = an_asker()
    key = PixKey(KeyType.EVP, str(uuid4()))
    orders = [
        order
        for _ in range(60)
        for order in (
            Question(asker, key, asker.ispb),
            Entry(asker, 1, PAYMENT),
            Entry(asker, 20),
            reward(asker),
            Entry(asker, -27),
        )
    ]
    seen: list[float | None] = []

    async def watch() -> None:
        while True:
            seen.append((await tokens(two_processes[0], asker))[0])
            await asyncio.sleep(0)

    watching = asyncio.create_task(watch())
    await asyncio.gather(*(two_processes[place % 2].bank.metering.submit(order) for place, order in enumerate(orders)))
    watching.cancel()

    written = [each for each in seen if each is not None]
    assert written
    assert all(0 <= each <= 80 for each in written)


async def test_what_nobody_waits_for_is_done_when_the_bank_closes(settings_of_quiet: Settings, quiet: Assembly) -> None:
    asker = an_asker()
    await enter(quiet, Entry(asker, 20, LOOKUP))
    assembly = build(settings_of_quiet)
    await assembly.open()

    assembly.bank.metering.leave(after(asker, 1))
    await assembly.close()

    assert (await tokens(quiet, asker))[0] == pytest.approx(79, abs=0.2)
