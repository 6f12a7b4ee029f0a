"""The limit: pgbench writes the rows of a payment, or of a credit, one transaction each, in the same tables.

It does nothing else: no HTTP, no token, no JSON, no look at the account. The one lock that payments share, the
balance's, is taken as late as possible.
"""

import json
from datetime import timedelta
from uuid import UUID

from bench.seed import (
    ACCOUNTS,
    AT,
    ISPB,
    PAYEE,
    PAYMENT,
    PROVIDER,
    RECIPIENT,
    SENDER,
    TENANT,
    account_id,
)
from lastro.pix.parties import packed
from lastro.pix.payments import resources
from lastro.pix.payments.order import Order, ReadyOrder
from lastro.pix.transfers import resources as transfers
from lastro.pix.transfers.models import PixTransfer, TransferStatus
from lastro.providers.protocol import Party
from lastro.values.bank_account import AccountType, BankAccount
from lastro.values.end_to_end_id import EndToEndId
from lastro.values.money import Money
from lastro.values.tax_id import TaxId
from lastro.webhooks.announce import EventBody

SPREAD = f"\\set number random(0, {ACCOUNTS - 1})\nSELECT pay_one(:number);\n"
HOT = "SELECT pay_one(0);\n"
CREDIT_HOT = "SELECT credit_one(0);\n"
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
           seq = seq + 1, moved_at = greatest(moved_at, moment)
     WHERE account_id = payer RETURNING * INTO STRICT held;
    INSERT INTO movements (account_id, seq, source, target, amount_centavos, reason, reference,
                           available_after_centavos, in_transit_after_centavos, posted_at)
    VALUES (payer, held.seq, 'AVAILABLE', 'IN_TRANSIT', {amount}, 'HOLD', payment, held.available_centavos,
            held.in_transit_centavos, held.moved_at);
END $body$
"""

_CREDIT_ONE = """
CREATE FUNCTION credit_one(number integer) RETURNS void LANGUAGE plpgsql AS $body$
DECLARE
    payee CONSTANT uuid := ('{prefix}' || lpad(to_hex({first} + number), 12, '0'))::uuid;
    transfer CONSTANT uuid := uuidv7();
    moment CONSTANT timestamptz := clock_timestamp();
    end_to_end CONSTANT text := 'E{ispb}' || to_char(moment, 'YYYYMMDDHH24MI') || left(md5(transfer::text), 11);
    held balances;
BEGIN
    INSERT INTO inbox (end_to_end_id, kind, provider_id, account_id, reference, amount_centavos, created_at)
    VALUES (end_to_end, 'PAYMENT', '{provider}', payee, transfer, {amount}, moment);
    INSERT INTO pix_transfers (account_id, id, tenant_id, provider_id, amount_centavos, status, e2e_id, payer, version,
                               created_at, updated_at)
    VALUES (payee, transfer, '{tenant}', '{provider}', {amount}, 'COMPLETED', end_to_end, '{payer}'::jsonb, 1, moment,
            moment);
    INSERT INTO events (account_id, id, tenant_id, type, resource_id, resource_version, body, created_at)
    VALUES (payee, uuidv7(), '{tenant}', 'pix.transfer.received', transfer, 1,
            convert_to(replace('{news}', '{placeholder}', transfer::text), 'UTF8'), moment);
    UPDATE balances SET available_centavos = available_centavos + {amount}, seq = seq + 1,
                        moved_at = greatest(moved_at, moment)
     WHERE account_id = payee RETURNING * INTO STRICT held;
    INSERT INTO movements (account_id, seq, source, target, amount_centavos, reason, reference,
                           available_after_centavos, in_transit_after_centavos, posted_at)
    VALUES (payee, held.seq, 'SPI', 'AVAILABLE', {amount}, 'RECEIVE', transfer, held.available_centavos,
            held.in_transit_centavos, held.moved_at);
END $body$
"""


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


def credit_one() -> str:
    """The function; the news that it writes is real."""
    transfer = PixTransfer(
        account_id=account_id(0),
        id=UUID(int=account_id(0).int + 1),
        tenant_id=TENANT,
        provider_id=PROVIDER,
        amount=PAYMENT,
        refunded=Money(0),
        status=TransferStatus.COMPLETED,
        e2e_id=EndToEndId.new(SENDER.account.ispb, AT),
        payer=SENDER,
        version=1,
        created_at=AT,
        updated_at=AT,
    )
    news = EventBody(
        type="pix.transfer.received", timestamp=AT, version=transfer.version, data=transfers.resource(transfer)
    )
    return _CREDIT_ONE.format(
        prefix=_FIRST_PREFIX,
        first=int(str(account_id(0))[-12:], 16),
        tenant=TENANT,
        provider=PROVIDER,
        amount=PAYMENT.centavos,
        ispb=SENDER.account.ispb,
        payer=json.dumps(packed(SENDER), ensure_ascii=False),
        news=news.model_dump_json(by_alias=True),
        placeholder=transfer.id,
    )
