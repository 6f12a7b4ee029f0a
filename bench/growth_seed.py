"""Fills a copy of the seeded bank with settled payments: millions in minutes, and the books balance.

Payment number i of n has everything by arithmetic, so that its rows in all tables can be written independently, side by
side, and without a sort: who paid (one of twenty is the hot account's), which of that account's payments it is, when
(over ninety days that ended an hour ago), its ids, the balances after it.
"""

import asyncio
import json
import re
import runpy
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from bench.machine import ROOT
from bench.place import Place
from bench.seed import ACCOUNTS, AT, FUNDS, ISPB, PAYEE, PAYMENT, PROVIDER, RECIPIENT, SENDER, TENANT, account_id
from lastro.pix.parties import packed
from lastro.pix.payments import resources
from lastro.pix.payments.models import PixPayment
from lastro.pix.payments.order import Order, ReadyOrder
from lastro.pix.payments.states import PaymentStatus
from lastro.providers.protocol import Party
from lastro.values.bank_account import AccountType, BankAccount
from lastro.values.end_to_end_id import EndToEndId
from lastro.values.money import Money
from lastro.values.tax_id import TaxId
from lastro.webhooks.announce import EventBody

HOT_EVERY = 20
DAYS = 90
_LANES = 3
_SESSION = (
    "SET synchronous_commit = off",
    "SET wal_compression = off",
    "SET maintenance_work_mem = '512MB'",
    "SET work_mem = '256MB'",
    "SET jit = off",
)
_FIRST = str(account_id(0))
_PAYER = Party(
    "Cliente 00000", TaxId.parse("39053344705"), BankAccount.parse(ISPB, "0001", "100000-0", AccountType.CHECKING)
)

# Facts of payment i: its account, its place k among that account's payments, its moment, its ids.
_OTHERS = f"(i / {HOT_EVERY} * {HOT_EVERY - 1} + i % {HOT_EVERY} - 1)"
_ACCOUNT = f"'{_FIRST[:-12]}' || lpad(to_hex({int(_FIRST[-12:], 16)} + number), 12, '0')"
_TIME = """'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'"""
_FACTS = f"""
  FROM generate_series(0::bigint, {{count}} - 1) AS i
 CROSS JOIN LATERAL (SELECT CASE i % {HOT_EVERY} WHEN 0 THEN 0 ELSE 1 + {_OTHERS} % {ACCOUNTS - 1} END AS number,
                            CASE i % {HOT_EVERY} WHEN 0 THEN i / {HOT_EVERY} ELSE {_OTHERS} / {ACCOUNTS - 1} END AS k,
                            {{start}} + i * {DAYS * 86_400_000} / {{count}} AS millisecond) AS place
 CROSS JOIN LATERAL (SELECT ({_ACCOUNT})::uuid AS account,
                            (lpad(to_hex(millisecond), 12, '0') || '70008' || lpad(to_hex(i), 15, '0'))::uuid AS id,
                            to_timestamp(millisecond / 1000.0) AS moment,
                            lpad(to_hex(i), 11, '0') AS name,
                            to_char(to_timestamp(millisecond / 1000.0), 'YYYYMMDDHH24MI') AS minute,
                            to_char(to_timestamp(millisecond / 1000.0), {_TIME}) AS shown
                    OFFSET 0) AS facts  -- so that each fact is computed once, however often it is written
"""
_E2E = f"'E{ISPB}' || minute || name"
_SHOWN = "shown"
_REFERENCE = "'SPI' || lpad(name, 32, '0')"


@dataclass(frozen=True, slots=True)
class _Filling:
    """One table: the columns, what to select, and what multiplies the payments."""

    table: str
    columns: str
    select: str
    more: str = ""

    def statement(self, count: int, start: int) -> str:
        return (
            f"INSERT INTO {self.table} ({self.columns}) SELECT {self.select}"
            f"{_FACTS.format(count=count, start=start)}{self.more}"
        )


def _fillings() -> list[_Filling]:
    """The largest first."""
    amount, funds = PAYMENT.centavos, FUNDS.centavos
    available = f"{funds} - (k + 1) * {amount}"
    payer, payee = (_text(json.dumps(packed(party), ensure_ascii=False)) for party in (_PAYER, PAYEE))
    return [
        _Filling(
            "pix_payments",
            "account_id, id, tenant_id, provider_id, amount_centavos, status, recipient_key_type, recipient_key_value,"
            " description, e2e_id, external_ref, payer, payee, version, completed_at, created_at, updated_at",
            f"account, id, '{TENANT}', '{PROVIDER}', {amount}, 'COMPLETED', '{RECIPIENT.kind.value}',"
            f" '{RECIPIENT.value}', 'Pedido 1042', {_E2E}, {_REFERENCE}, {payer}::jsonb, {payee}::jsonb, 2,"
            " moment, moment, moment",
        ),
        _Filling(
            "movements",
            "account_id, seq, source, target, amount_centavos, reason, reference, available_after_centavos,"
            " in_transit_after_centavos, posted_at",
            f"account, 2 + 2 * k + step, source, target, {amount}, reason, id, {available}, in_transit, moment",
            f" CROSS JOIN (VALUES (0, 'AVAILABLE', 'IN_TRANSIT', 'HOLD', {amount}),"
            " (1, 'IN_TRANSIT', 'SPI', 'SETTLE', 0)) AS steps(step, source, target, reason, in_transit)",
        ),
        _Filling(
            "events",
            "account_id, id, tenant_id, type, resource_id, resource_version, body, created_at",
            f"account, id, '{TENANT}', 'pix.payment.completed', id, 2, convert_to({_news()}, 'UTF8'), moment",
        ),
        _Filling(
            "event_feed",
            "tenant_id, event_id, account_id, type, created_at",
            f"'{TENANT}', id, account, 'pix.payment.completed', moment",
        ),
        _Filling(
            "idempotency",
            "tenant_id, operation, key, fingerprint, status, body, created_at",
            f"'{TENANT}', 'POST /baas/api/v1/pix/payments', md5(name), sha256(uuid_send(id)), 201,"
            f" convert_to({_answer()}, 'UTF8'), moment",
        ),
    ]


def _text(value: str) -> str:
    """A literal of SQL."""
    return "'" + value.replace("'", "''") + "'"


_ID, _E2E_EXAMPLE, _REFERENCE_EXAMPLE = UUID(int=account_id(0).int + 1), EndToEndId.new(ISPB, AT), "SPI-REFERENCE"
_MOMENT = AT + timedelta(milliseconds=123)


def _template(body: str) -> str:
    """A real body as an expression of SQL that puts in what differs; `format()` would cost twice as much."""
    moment = _MOMENT.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    facts = {
        str(_ID): "id",
        str(account_id(0)): "account",
        _E2E_EXAMPLE: _E2E,
        _REFERENCE_EXAMPLE: _REFERENCE,
        moment: _SHOWN,
    }
    pieces = re.split(f"({'|'.join(map(re.escape, facts))})", body)
    return " || ".join(facts.get(piece) or _text(piece) for piece in pieces)


def _news() -> str:
    payment = PixPayment(
        account_id=account_id(0),
        id=_ID,
        amount=PAYMENT,
        status=PaymentStatus.COMPLETED,
        recipient_key_type=RECIPIENT.kind,
        recipient_key_value=RECIPIENT.value,
        description="Pedido 1042",
        e2e_id=_E2E_EXAMPLE,
        external_ref=_REFERENCE_EXAMPLE,
        returned=Money(0),
        version=2,
        completed_at=_MOMENT,
        created_at=_MOMENT,
        updated_at=_MOMENT,
    )
    body = EventBody(
        type="pix.payment.completed", timestamp=_MOMENT, version=payment.version, data=resources.resource(payment)
    )
    return _template(body.model_dump_json(by_alias=True))


def _answer() -> str:
    ready = ReadyOrder(
        id=_ID,
        order=Order(account_id(0), PAYMENT, RECIPIENT, "Pedido 1042"),
        tenant_id=TENANT,
        provider_id=PROVIDER,
        end_to_end_id=_E2E_EXAMPLE,
        payer=SENDER,
        payee=PAYEE,
        created_at=_MOMENT,
        attempt=None,
    )
    return _template(resources.accepted(ready))


_BALANCES = f"""
UPDATE balances
   SET available_centavos = available_centavos - {PAYMENT.centavos} * paid.times, seq = seq + 2 * paid.times,
       moved_at = greatest(moved_at, paid.last)
  FROM (SELECT account_id, count(*) AS times, max(completed_at) AS last FROM pix_payments GROUP BY account_id) AS paid
 WHERE balances.account_id = paid.account_id
"""


async def fill(place: Place, database: str, count: int, now: datetime) -> None:
    """Write so many payments with all that belongs to them into a fresh copy of the seeded bank."""
    url = place.owners_url(database)
    start = int((now - timedelta(days=DAYS, hours=1)).timestamp() * 1000)
    waiting: asyncio.Queue[_Filling] = asyncio.Queue()
    for each in _fillings():
        waiting.put_nowait(each)

    async def lane() -> None:
        connection = await _session(url)
        try:
            while not waiting.empty():
                await _fill(connection, waiting.get_nowait(), count, start)
        finally:
            await connection.close()

    await asyncio.gather(*(lane() for _ in range(_LANES)))
    connection = await _session(url)
    try:
        await connection.execute(_BALANCES)
        for statement in await _totals(connection):
            await connection.execute(statement)
        await connection.execute("VACUUM ANALYZE pix_payments, balances")
        await connection.execute("ANALYZE")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


async def _session(url: str) -> "asyncpg.Connection[asyncpg.Record]":
    connection = await asyncpg.connect(url)
    for setting in _SESSION:
        await connection.execute(setting)
    return connection


async def _fill(connection: "asyncpg.Connection[asyncpg.Record]", each: _Filling, count: int, start: int) -> None:
    """Without indexes and triggers; both are as before afterwards."""
    indexes = [*await connection.fetch(_CONSTRAINTS, each.table), *await connection.fetch(_INDEXES, each.table)]
    for index in indexes:
        await connection.execute(index["removal"])
    await connection.execute(f"ALTER TABLE {each.table} DISABLE TRIGGER USER")
    await connection.execute(f"ALTER TABLE {each.table} SET (autovacuum_enabled = off)")
    await connection.execute(each.statement(count, start))
    await connection.execute(f"ALTER TABLE {each.table} RESET (autovacuum_enabled)")
    await connection.execute(f"ALTER TABLE {each.table} ENABLE TRIGGER USER")
    for index in indexes:
        await connection.execute(index["creation"])


_CONSTRAINTS = """
SELECT format('ALTER TABLE %I DROP CONSTRAINT %I', relname, conname) AS removal,
       format('ALTER TABLE %I ADD CONSTRAINT %I %s', relname, conname, pg_get_constraintdef(c.oid)) AS creation
  FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid
 WHERE relname = $1 AND contype IN ('p', 'u') ORDER BY contype, conname
"""
_INDEXES = """
SELECT format('DROP INDEX %s', indexrelid::regclass) AS removal, pg_get_indexdef(indexrelid) AS creation
  FROM pg_index WHERE indrelid = $1::regclass
   AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid AND contype IN ('p', 'u'))
"""


async def _totals(connection: "asyncpg.Connection[asyncpg.Record]") -> Sequence[str]:
    """The exact totals are kept by triggers, which did not run: they begin as their migration lets them begin."""
    if await connection.fetchval("SELECT to_regclass('tally')") is None:
        return ()
    (migration,) = (ROOT / "migrations" / "versions").glob("*_tally.py")
    return (runpy.run_path(str(migration))["BACKFILL"].format(table="pix_payments"),)
