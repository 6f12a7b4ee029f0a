"""The limit: pgbench writes the rows of a payment, one transaction each, in the same Postgres and the same tables.

It does nothing else: no HTTP, no token, no JSON, no look at the account. The one lock that payments share, the
balance's, is taken as late as possible.
"""

import json
import math
import os
import subprocess
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from bench import cpu
from bench.load import Figures
from bench.place import Place
from bench.seed import ACCOUNTS, AT, ISPB, PAYEE, PAYMENT, PROVIDER, RECIPIENT, TENANT, account_id
from lastro.embedded import postgres_programs
from lastro.pix.parties import packed
from lastro.pix.payments import resources
from lastro.pix.payments.order import Order, ReadyOrder
from lastro.providers.protocol import Party
from lastro.values.bank_account import AccountType, BankAccount
from lastro.values.end_to_end_id import EndToEndId
from lastro.values.tax_id import TaxId

CLIENTS = 32
_HOT = 0
_PAYER = Party(
    "Cliente 00000", TaxId.parse("39053344705"), BankAccount.parse(ISPB, "0001", "100000-0", AccountType.CHECKING)
)
_FIRST_PREFIX = str(account_id(0))[:-12]

_PAY_ONE = """
CREATE FUNCTION pay_one(number integer) RETURNS void LANGUAGE plpgsql AS $body$
DECLARE
    payer CONSTANT uuid := ('{prefix}' || lpad(to_hex({first} + number), 12, '0'))::uuid;
    payment CONSTANT uuid := uuidv7();
    moment CONSTANT timestamptz := clock_timestamp();
    held balances;
BEGIN
    INSERT INTO idempotency (tenant_id, operation, key, fingerprint, status, body, created_at)
    VALUES ('{tenant}', 'POST /baas/api/v1/pix/payments', gen_random_uuid()::text, sha256(uuid_send(payment)), 201,
            convert_to(replace('{answer}', '{placeholder}', payment::text), 'UTF8'), moment);
    INSERT INTO pix_payments (account_id, id, tenant_id, provider_id, amount_centavos, status, recipient_key_type,
                              recipient_key_value, description, e2e_id, payer, payee, version, created_at, updated_at)
    VALUES (payer, payment, '{tenant}', '{provider}', {amount}, 'PROCESSING', '{key_type}', '{key}', 'Pedido 1042',
            'E{ispb}' || to_char(moment, 'YYYYMMDDHH24MI') || left(md5(payment::text), 11),
            '{payer}'::jsonb, '{payee}'::jsonb, 1, moment, moment);
    INSERT INTO outbox (topic, account_id, reference) VALUES ('pix.payment.settle', payer, payment);
    UPDATE balances
       SET available_centavos = available_centavos - {amount}, in_transit_centavos = in_transit_centavos + {amount},
           seq = seq + 1
     WHERE account_id = payer RETURNING * INTO STRICT held;
    INSERT INTO movements (account_id, seq, source, target, amount_centavos, reason, reference,
                           available_after_centavos, in_transit_after_centavos, posted_at)
    VALUES (payer, held.seq, 'AVAILABLE', 'IN_TRANSIT', {amount}, 'HOLD', payment, held.available_centavos,
            held.in_transit_centavos, moment);
END $body$
"""


class CeilingError(RuntimeError):
    """pgbench failed; the message ends with what it said."""


def pay_one() -> str:
    """The function; the answer that it stores is a real one, which names the payment."""
    ready = ReadyOrder(
        id=UUID(int=account_id(0).int + 1),
        order=Order(account_id(0), PAYMENT, RECIPIENT, "Pedido 1042"),
        tenant_id=TENANT,
        provider_id=PROVIDER,
        end_to_end_id=EndToEndId.new(ISPB, AT),
        payer=_PAYER,
        payee=PAYEE,
        created_at=AT + timedelta(microseconds=123_456),
        attempt=None,
    )
    return _PAY_ONE.format(
        prefix=_FIRST_PREFIX,
        first=int(str(account_id(0))[-12:], 16),
        tenant=TENANT,
        provider=PROVIDER,
        amount=PAYMENT.centavos,
        key_type=RECIPIENT.kind.value,
        key=RECIPIENT.value,
        ispb=ISPB,
        answer=resources.accepted(ready),
        placeholder=ready.id,
        payer=json.dumps(packed(_PAYER), ensure_ascii=False),
        payee=json.dumps(packed(PAYEE), ensure_ascii=False),
    )


def pgbench(
    place: Place, database: str, *, hot: bool, warm_seconds: float, seconds: float
) -> tuple[Figures, cpu.Usage]:
    """Pay from 32 clients for a while, from random accounts or all from one. The database must have `pay_one`."""
    # pgbench counts in whole seconds.
    warm = _run(place, database, math.ceil(warm_seconds), hot=hot)[0].expected_in_all if warm_seconds else 0
    figures, usage = _run(place, database, math.ceil(seconds), hot=hot)
    figures.expected_in_all += warm
    return figures, usage


def _run(place: Place, database: str, seconds: int, *, hot: bool) -> tuple[Figures, cpu.Usage]:
    script, prefix = place.scratch / "pay.sql", place.scratch / "pgbench-log"
    last = _HOT if hot else ACCOUNTS - 1
    script.write_text(f"\\set number random(0, {last})\nSELECT pay_one(:number);\n")
    for leftover in place.scratch.glob("pgbench-log*"):
        leftover.unlink()
    server = place.server
    process = subprocess.Popen(
        (
            *(str(postgres_programs() / "pgbench"), "--no-vacuum", "--protocol=prepared", f"--file={script}"),
            *(f"--client={CLIENTS}", "--jobs=2", f"--time={seconds}", "--log", f"--log-prefix={prefix}"),
            *(f"--host={server.host}", f"--port={server.port}", f"--username={server.user}", database),
        ),
        env=_without_postgres_variables(os.environ) | {"PGPASSWORD": server.password},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    parties = {"postgres": server.pid, "load": cpu.FINISHED_CHILDREN}
    before = cpu.read(parties)
    output, _ = process.communicate()
    usage = cpu.between(before, cpu.read(parties))
    said = output.decode(errors="replace")
    if process.returncode or "aborted" in said:
        raise CeilingError(f"pgbench failed: {said[-2000:]}")
    return _figures(said, prefix), usage


def _figures(said: str, prefix: Path) -> Figures:
    """Its rate without the time of connecting, and percentiles from its log (the third column, microseconds)."""
    rate = next(float(line.split()[2]) for line in said.splitlines() if line.startswith("tps = "))
    latencies = sorted(
        int(line.split(maxsplit=3)[2]) / 1000
        for part in prefix.parent.glob(f"{prefix.name}*")
        for line in part.read_text().splitlines()
    )
    count = len(latencies)
    p50, p95, p99 = (latencies[min(count - 1, int(count * share))] for share in (0.50, 0.95, 0.99))
    return Figures(count / rate, count, count, count, 0, p50, p95, p99)


def _without_postgres_variables(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if not name.startswith("PG")}
