"""What can be wrong with a bank, done by hand to the clean one: at least once for each invariant."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from checker.clean_world import id_of
from lastro.checker import directory, network

_UNIQUE_MOVEMENT = (
    "ALTER TABLE movements DROP CONSTRAINT ck_movements_amount_positive, DROP CONSTRAINT ck_movements_two_pots,"
    " DROP CONSTRAINT uq_movements_account_id_reason_reference, DROP CONSTRAINT pk_movements"
)
_ANY_PAYMENT = (
    "ALTER TABLE pix_payments DROP CONSTRAINT ck_pix_payments_completed_at_with_completed,"
    " DROP CONSTRAINT ck_pix_payments_reason_with_failed, DROP CONSTRAINT ck_pix_payments_returned_within_amount"
)
_ANY_REFUND = (
    "ALTER TABLE pix_refunds DROP CONSTRAINT ck_pix_refunds_completed_at_with_completed,"
    " DROP CONSTRAINT ck_pix_refunds_reason_with_failed"
)
_ANY_KEY = (
    "ALTER TABLE pix_keys DROP CONSTRAINT ck_pix_keys_activated_at_with_active,"
    " DROP CONSTRAINT ck_pix_keys_named_once_made, DROP CONSTRAINT ck_pix_keys_reason_with_inactive"
)
_ANY_ACCOUNT = (
    "ALTER TABLE accounts DROP CONSTRAINT ck_accounts_closed_at_with_closed,"
    " DROP CONSTRAINT ck_accounts_numbered_once_open"
)

_ANY_TOKEN = (
    "ALTER TABLE api_tokens DROP CONSTRAINT ck_api_tokens_bound_as_its_client,"
    " DROP CONSTRAINT fk_api_tokens_tenant_id_client_id"
)
_UNCOUNTED = "ALTER TABLE pix_refunds DISABLE TRIGGER USER, DROP CONSTRAINT ck_pix_refunds_completed_at_with_completed"


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


def gone_apart(*network_rows: str) -> Corruption:
    """A corruption of the network's directory."""
    return Corruption(directory.ID, network=network_rows, at_rest=True)


PAID, PAYER, _CLOSED, INSIDE = named("paid"), named("payer"), named("closed"), named("next door")
_NEW, _FILE = named("newcomer"), named("file of payer")
_OWN = named("between our own")
_ANY_SPENDING = "ALTER TABLE token_spending DROP CONSTRAINT ck_token_spending_centavos_not_negative"
_EVENT = named(f"pix.payment.completed {id_of('paid')} 2")
_OF_EVENT = f"FROM events WHERE id = {_EVENT}"
_SHOP, _DEAD = named("shop"), named("dead")
_OF_SHOP = f"delivery_id IN (SELECT id FROM webhook_deliveries WHERE subscription_id = {_SHOP})"
_UNTRIED = "DELETE FROM webhook_attempts"
_ANY_IMAGE = "ALTER TABLE kyc_images DROP CONSTRAINT ck_kyc_images_sealed_size"

# Nobody has this subscription, and its secret is there for all to see.
_TOLD_OF_A_SUBSCRIPTION = (
    "INSERT INTO idempotency SELECT tenant_id, 'POST /baas/api/v1/webhook-subscriptions', 'k', '', 201,"
    """ convert_to('{"data":{"type":"webhook-subscriptions","id":"none","secret":"whsec_x"}}', 'UTF8'), now()"""
    " FROM idempotency LIMIT 1"
)

CORRUPTIONS: tuple[Corruption, ...] = (
    broken("L1", _UNIQUE_MOVEMENT, f"UPDATE movements SET amount_centavos = 0 WHERE reference = {PAID}"),
    broken("L1", f"UPDATE movements SET target = 'SPI' WHERE reference = {PAID} AND reason = 'HOLD'"),
    broken("L1", _UNIQUE_MOVEMENT, f"UPDATE movements SET source = target WHERE reference = {PAID}"),
    broken("L2", "GRANT UPDATE ON movements TO lastro_app"),
    broken("L2", "GRANT UPDATE (body) ON events TO lastro_app"),
    broken("L2", "GRANT DELETE ON inbox TO lastro_app"),
    broken("L2", "ALTER TABLE idempotency OWNER TO lastro_app"),
    broken("L3", f"UPDATE balances SET available_centavos = available_centavos + 1 WHERE account_id = {PAYER}"),
    broken("L3", f"UPDATE balances SET in_transit_centavos = in_transit_centavos + 1 WHERE account_id = {PAYER}"),
    broken("L3", f"DELETE FROM balances WHERE account_id = {named('applicant')}"),
    broken("L3", "INSERT INTO balances VALUES (gen_random_uuid(), 0, 0, 0)"),
    broken("L4", f"UPDATE movements SET seq = seq + 1000 WHERE reference = {PAID}"),
    broken("L4", f"UPDATE movements SET available_after_centavos = 1 WHERE reference = {PAID} AND reason = 'HOLD'"),
    broken("L4", f"UPDATE movements SET in_transit_after_centavos = 7 WHERE reference = {PAID} AND reason = 'SETTLE'"),
    broken("L4", f"UPDATE balances SET seq = seq + 1 WHERE account_id = {PAYER}"),
    broken("L4", f"DELETE FROM movements WHERE reference = {named('under way')}"),
    broken(
        "L5",
        "ALTER TABLE movements DROP CONSTRAINT ck_movements_available_not_negative",
        f"UPDATE movements SET available_after_centavos = -1 WHERE reference = {PAID} AND reason = 'HOLD'",
        "ALTER TABLE movements ADD CONSTRAINT late CHECK (available_after_centavos >= 0) NOT VALID",
    ),
    broken(
        "L5",
        "ALTER TABLE balances DROP CONSTRAINT ck_balances_available_not_negative",
        f"UPDATE balances SET available_centavos = -1 WHERE account_id = {PAYER}",
    ),
    broken("L5", "ALTER TABLE balances DROP CONSTRAINT ck_balances_in_transit_not_negative"),
    broken("L6", f"UPDATE balances SET available_centavos = available_centavos + 1 WHERE account_id = {PAYER}"),
    broken("L6", f"UPDATE movements SET amount_centavos = 1 WHERE reference = {PAID} AND reason = 'SETTLE'"),
    broken("L7", f"UPDATE balances SET in_transit_centavos = in_transit_centavos + 1 WHERE account_id = {PAYER}"),
    broken("L7", f"UPDATE pix_payments SET amount_centavos = 1 WHERE id = {named('under way')}"),
    broken("L9", "ALTER TABLE movements DROP CONSTRAINT uq_movements_account_id_reason_reference"),
    broken("L9", _UNIQUE_MOVEMENT, f"INSERT INTO movements SELECT * FROM movements WHERE reference = {PAID}"),
    broken("L11", f"UPDATE accounts SET closed_at = closed_at - interval '1 minute' WHERE id = {_CLOSED}"),
    broken(
        "L12",
        f"UPDATE movements SET posted_at = posted_at - interval '1 h' WHERE reference = {PAID} AND reason = 'SETTLE'",
    ),
    broken("L12", f"UPDATE balances SET moved_at = moved_at + interval '1 us' WHERE account_id = {PAYER}"),
    broken("L12", f"UPDATE balances SET moved_at = NULL WHERE account_id = {PAYER}"),
    broken("P2", f"UPDATE pix_payments SET created_at = created_at - interval '1 minute' WHERE id = {PAID}"),
    broken("P2", "UPDATE providers SET ispb = '00000000'"),
    broken("P2", f"UPDATE pix_payments SET e2e_id = overlay(e2e_id placing '-' from 32) WHERE id = {PAID}"),
    broken("P2", f"UPDATE pix_payments SET e2e_id = 'D' || substr(e2e_id, 2) WHERE id = {PAID}"),
    broken(
        "P2",
        f"UPDATE pix_payments SET e2e_id = (SELECT e2e_id FROM pix_payments WHERE id = {PAID})"
        f" WHERE id = {named('returned')}",
    ),
    broken("P3", f"DELETE FROM movements WHERE reference = {PAID} AND reason = 'SETTLE'"),
    broken("P3", f"DELETE FROM movements WHERE reference = {named('under way')}"),
    broken("P3", f"UPDATE movements SET reason = 'RELEASE' WHERE reference = {PAID} AND reason = 'SETTLE'"),
    broken("P3", f"DELETE FROM movements WHERE reference = {named('rejected')} AND reason = 'RELEASE'"),
    broken("P3", f"UPDATE movements SET reference = {named('pending')} WHERE reference = {PAID}"),
    broken("P3", f"DELETE FROM pix_payments WHERE id = {PAID}"),
    broken("P6", f"UPDATE pix_payments SET amount_centavos = amount_centavos + 1 WHERE id = {PAID}"),
    broken("P7", _ANY_PAYMENT, f"UPDATE pix_payments SET completed_at = NULL WHERE id = {PAID}"),
    broken("P7", _ANY_PAYMENT, f"UPDATE pix_payments SET completed_at = now() WHERE id = {named('under way')}"),
    broken("P7", f"UPDATE pix_payments SET completed_at = created_at - interval '1 ms' WHERE id = {PAID}"),
    broken("P7", f"UPDATE pix_payments SET updated_at = completed_at - interval '1 ms' WHERE id = {PAID}"),
    broken("P7", f"UPDATE pix_payments SET updated_at = created_at - interval '1 ms' WHERE id = {named('pending')}"),
    broken("P9", f"UPDATE pix_payments SET created_at = now() - interval '25 hours' WHERE id = {named('under way')}"),
    broken("P9", f"UPDATE pix_refunds SET created_at = now() - interval '25 hours' WHERE id = {named('going back')}"),
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
    broken("N1", f"UPDATE pix_transfers SET amount_centavos = 9900 WHERE id = {named('first of payer')}"),
    broken("N1", f"UPDATE inbox SET account_id = {named('foreign')} WHERE reference = {named('first of payer')}"),
    broken("N1", f"DELETE FROM movements WHERE reference = {named('first of payer')}"),
    broken("N1", f"UPDATE movements SET amount_centavos = 1 WHERE reference = {named('first of payer')}"),
    broken("N1", f"UPDATE inbox SET rejected_with = 'AC06' WHERE reference = {named('first of payer')}"),
    broken(
        "N1",
        f"UPDATE movements SET reason = 'RECEIVE', source = 'SPI', target = 'AVAILABLE' WHERE reference = {PAID}"
        " AND reason = 'SETTLE'",
    ),
    broken(
        "N1",
        "UPDATE pix_transfers SET e2e_id = (SELECT end_to_end_id FROM inbox WHERE rejected_with IS NOT NULL)"
        f" WHERE id = {named('first of payer')}",
    ),
    broken("L6", f"UPDATE movements SET target = 'SPI' WHERE reference = {INSIDE} AND reason = 'PAY'"),
    broken("L7", f"UPDATE pix_refunds SET amount_centavos = 1 WHERE id = {named('going back')}"),
    broken("P3", f"UPDATE movements SET reason = 'SETTLE' WHERE reference = {INSIDE} AND reason = 'PAY'"),
    broken("P3", f"DELETE FROM movements WHERE reference = {named('not taken')} AND reason = 'RELEASE'"),
    broken("P6", f"UPDATE pix_refunds SET amount_centavos = 1 WHERE id = {named('given back')}"),
    broken("R4", f"UPDATE pix_payments SET returned_centavos = 0 WHERE id = {INSIDE}"),
    broken("N3", f"DELETE FROM pix_transfers WHERE payment_id = {INSIDE}"),
    broken("N3", f"UPDATE pix_transfers SET amount_centavos = 1900 WHERE payment_id = {INSIDE}"),
    broken("N3", f"UPDATE pix_payments SET payee_account_id = {_CLOSED} WHERE id = {INSIDE}"),
    broken("N3", f"DELETE FROM movements WHERE reference = {named('next door, received')}"),
    broken("N3", f"DELETE FROM movements WHERE reference = {named('back next door')} AND reason = 'COLLECT'"),
    broken("N3", f"UPDATE movements SET reference = {PAID} WHERE reference = {named('next door, received')}"),
    broken(
        "N3",
        "INSERT INTO pix_transfers SELECT (jsonb_populate_record(transfer, jsonb_build_object('id',"
        f" gen_random_uuid(), 'e2e_id', 'other'))).* FROM pix_transfers transfer WHERE payment_id = {INSIDE}",
    ),
    broken("L1", f"UPDATE movements SET source = 'IN_TRANSIT' WHERE reference = {_OWN} AND reason = 'TRANSFER'"),
    broken("L2", "GRANT UPDATE (amount_centavos) ON internal_transfers TO lastro_app"),
    broken("L6", f"DELETE FROM movements WHERE reference = {_OWN} AND reason = 'COLLECT'"),
    broken("N3", f"DELETE FROM internal_transfers WHERE id = {_OWN}"),
    broken("B1", f"DELETE FROM internal_transfers WHERE id = {_OWN}"),
    broken("B1", f"UPDATE internal_transfers SET amount_centavos = amount_centavos + 1 WHERE id = {_OWN}"),
    broken("B1", f"UPDATE internal_transfers SET recipient_account_id = {named('blocked')} WHERE id = {_OWN}"),
    broken("B1", f"DELETE FROM movements WHERE reference = {_OWN} AND reason = 'TRANSFER'"),
    broken("B1", f"DELETE FROM movements WHERE reference = {_OWN} AND reason = 'COLLECT'"),
    broken("B1", f"UPDATE movements SET amount_centavos = 1 WHERE reference = {_OWN} AND reason = 'COLLECT'"),
    broken("B1", _UNIQUE_MOVEMENT, f"INSERT INTO movements SELECT * FROM movements WHERE reference = {_OWN}"),
    broken("B1", f"UPDATE movements SET reason = 'TRANSFER' WHERE reference = {PAID} AND reason = 'SETTLE'"),
    broken("B2", f"UPDATE accounts SET currency = 'USD' WHERE id = {PAYER}"),
    broken("B2", f"UPDATE internal_transfers SET recipient_account_id = {named('foreign')} WHERE id = {_OWN}"),
    broken("B2", f"UPDATE internal_transfers SET completed_at = created_at - interval '1 ms' WHERE id = {_OWN}"),
    broken("B3", "UPDATE token_spending SET centavos = 10000000"),
    broken("B3", "UPDATE token_spending SET day = day - 7"),
    broken("B3", _ANY_SPENDING, "UPDATE token_spending SET centavos = -1"),
    broken("I5", f"UPDATE internal_transfers SET id = gen_random_uuid() WHERE id = {_OWN}"),
    broken("E1", f"DELETE FROM events WHERE resource_id = {_OWN}"),
    broken("E1", f"UPDATE events SET type = 'pix.payment.completed' WHERE resource_id = {_OWN}"),
    broken("T4", f"UPDATE internal_transfers SET tenant_id = {named('two')} WHERE id = {_OWN}"),
    broken("T4", f"UPDATE internal_transfers SET recipient_account_id = {named('foreign')} WHERE id = {_OWN}"),
    broken("C1", "DELETE FROM tally_changes WHERE kind = 'internal_transfers'"),
    broken("R1", f"UPDATE pix_transfers SET refunded_centavos = 1 WHERE id = {named('first of payer')}"),
    broken("R1", f"DELETE FROM pix_refunds WHERE id = {named('given back')}"),
    broken("R2", f"UPDATE pix_refunds SET transfer_id = {PAID} WHERE id = {named('given back')}"),
    broken("R2", f"UPDATE pix_refunds SET tenant_id = {named('two')} WHERE id = {named('given back')}"),
    broken("R2", f"UPDATE pix_refunds SET original_e2e_id = 'other' WHERE id = {named('given back')}"),
    broken(
        "R2", f"UPDATE pix_refunds SET created_at = created_at + interval '91 days' WHERE id = {named('given back')}"
    ),
    broken("R3", f"UPDATE pix_refunds SET e2e_id = 'E' || substr(e2e_id, 2) WHERE id = {named('given back')}"),
    broken("R3", f"UPDATE pix_refunds SET created_at = created_at + interval '1 min' WHERE id = {named('given back')}"),
    broken("R3", "UPDATE providers SET ispb = '00000000'"),
    broken(
        "R3",
        "ALTER TABLE pix_refunds DROP CONSTRAINT uq_pix_refunds_account_id_e2e_id",
        f"UPDATE pix_refunds SET e2e_id = (SELECT e2e_id FROM pix_refunds WHERE id = {named('given back')})"
        f" WHERE id = {named('not taken')}",
    ),
    broken("R3", _ANY_REFUND, f"UPDATE pix_refunds SET completed_at = NULL WHERE id = {named('given back')}"),
    broken("R3", _ANY_REFUND, f"UPDATE pix_refunds SET failure_reason = NULL WHERE id = {named('not taken')}"),
    broken("I5", f"DELETE FROM pix_refunds WHERE id = {named('given back')}"),
    broken("E1", f"DELETE FROM events WHERE resource_id = {named('given back')}"),
    broken("T4", f"UPDATE pix_refunds SET provider_id = gen_random_uuid() WHERE id = {named('given back')}"),
    broken("O1", f"DELETE FROM outbox WHERE reference = {named('going back')}"),
    broken("N2", f"UPDATE accounts SET closed_at = created_at WHERE id = {_CLOSED}"),
    broken(
        "N2",
        f"UPDATE inbox SET created_at = now(), account_id = {_CLOSED} WHERE reference = {named('first of payer')}",
    ),
    broken("K1", f"DELETE FROM key_holders WHERE key_id = {named('document')}"),
    broken("K1", "INSERT INTO key_holders VALUES ('a@b.c', gen_random_uuid(), gen_random_uuid())"),
    broken("K1", f"UPDATE key_holders SET account_id = {named('foreign')} WHERE key_id = {named('document')}"),
    broken("K1", f"UPDATE key_holders SET key_id = gen_random_uuid() WHERE key_id = {named('document')}"),
    broken("K1", f"UPDATE pix_keys SET stage = 'INACTIVE' WHERE id = {named('document')}"),
    broken(
        "K1",
        f"UPDATE pix_keys SET stage = 'REGISTERING', account_id = {named('foreign')},"
        f" key_value = '+5511987654321', key_type = 'PHONE' WHERE id = {named('mail')}",
    ),
    broken(
        "K1",
        f"UPDATE accounts SET holder_document = '1' WHERE id = {PAYER}",
    ),
    broken(
        "K1",
        f"UPDATE pix_keys SET key_value = 'Someone@example.com' WHERE id = {named('awaiting')}",
    ),
    broken("K1", f"UPDATE pix_keys SET key_value = '11987654321' WHERE id = {named('registering')}"),
    broken(
        "K1",
        "INSERT INTO pix_keys SELECT (jsonb_populate_record(key, jsonb_build_object('id', gen_random_uuid()))).*"
        f" FROM pix_keys key, generate_series(1, 5) WHERE id = {named('awaiting')}",
    ),
    broken("K2", f"UPDATE pix_keys SET stage = 'ACTIVE' WHERE id = {named('left')}"),
    broken("Q1", f"UPDATE pix_qrcodes SET text = 'x' || text WHERE id = {named('printed')}"),
    broken("Q1", f"UPDATE pix_qrcodes SET text = text || repeat('0', 512) || '6304ABCD' WHERE id = {named('printed')}"),
    broken("Q1", f"UPDATE pix_qrcodes SET key_value = '52998224725' WHERE id = {named('printed')}"),
    broken("Q1", f"UPDATE pix_qrcodes SET txid = reverse(txid) WHERE id = {named('open')}"),
    broken("Q1", f"UPDATE pix_qrcodes SET txid = 'A' || txid WHERE id = {named('open')}"),
    broken("Q1", f"UPDATE pix_qrcodes SET txid = substr(txid, 1, 25) WHERE id = {named('unpaid')}"),
    broken("Q1", f"UPDATE pix_qrcodes SET amount_centavos = 551 WHERE id = {named('printed')}"),
    broken("Q1", f"UPDATE pix_qrcodes SET amount_centavos = NULL WHERE id = {named('printed')}"),
    broken("Q1", f"UPDATE pix_qrcodes SET amount_centavos = 100 WHERE id = {named('open')}"),
    broken("Q1", f"UPDATE pix_qrcodes SET location_token = reverse(location_token) WHERE id = {named('unpaid')}"),
    broken("Q3", "DELETE FROM qrcode_locations"),
    broken("Q3", f"UPDATE qrcode_locations SET qrcode_id = {named('charged')}"),
    broken("Q3", "INSERT INTO qrcode_locations VALUES ('nowhere', gen_random_uuid(), gen_random_uuid())"),
    broken("Q4", f"UPDATE pix_qrcodes SET transfer_id = gen_random_uuid() WHERE id = {named('charged')}"),
    broken("Q4", f"UPDATE pix_qrcodes SET transfer_id = NULL, paid_at = NULL WHERE id = {named('charged')}"),
    broken("Q4", f"UPDATE pix_qrcodes SET amount_centavos = 801 WHERE id = {named('charged')}"),
    broken("Q4", f"UPDATE pix_qrcodes SET expires_at = created_at WHERE id = {named('charged')}"),
    broken("Q4", f"UPDATE pix_qrcodes SET paid_at = created_at - interval '1 ms' WHERE id = {named('charged')}"),
    broken("Q4", f"UPDATE pix_transfers SET txid = NULL WHERE id = {named('for the charge')}"),
    broken(
        "Q4",
        f"UPDATE pix_transfers SET txid = '{id_of('charged').hex}' WHERE id = {named('for the print')}",
    ),
    broken("Q5", f"UPDATE pix_qrcodes SET key_type = 'EVP' WHERE id = {named('open')}"),
    broken("Q5", f"DELETE FROM pix_keys WHERE id = {named('document')}"),
    broken("E1", f"UPDATE events SET type = 'pix.key.removed' WHERE resource_id = {named('charged')}"),
    broken("E1", f"DELETE FROM events WHERE resource_id = {named('charged')}"),
    broken("E1", f"UPDATE pix_qrcodes SET transfer_id = NULL, paid_at = NULL WHERE id = {named('charged')}"),
    broken("T4", f"UPDATE pix_qrcodes SET tenant_id = {named('two')} WHERE id = {named('unpaid')}"),
    broken("I5", f"UPDATE pix_qrcodes SET id = gen_random_uuid() WHERE id = {named('open')}"),
    broken("I5", f"UPDATE pix_keys SET id = gen_random_uuid() WHERE id = {named('mail')}"),
    broken("I5", "UPDATE idempotency SET body = '{}' WHERE key = 'paid'"),
    broken("I5", "UPDATE idempotency SET body = '\\xff00' WHERE key = 'payer'"),
    broken("I5", f"DELETE FROM pix_payments WHERE id = {PAID}"),
    broken("I5", f"UPDATE idempotency SET tenant_id = {named('two')} WHERE key = 'paid'"),
    broken("I5", "UPDATE idempotency SET operation = 'POST /baas/api/v1/accounts' WHERE key = 'paid'"),
    broken(
        "I5",
        "INSERT INTO idempotency SELECT tenant_id, operation, 'another', fingerprint, status, body, created_at"
        " FROM idempotency WHERE key = 'paid'",
    ),
    broken("I5", _TOLD_OF_A_SUBSCRIPTION),
    broken("S3", _TOLD_OF_A_SUBSCRIPTION),
    broken("E1", f"DELETE FROM events WHERE resource_id = {named('expired')}"),
    broken("E1", f"UPDATE pix_qrcodes SET expired_at = NULL WHERE id = {named('expired')}"),
    broken("E1", f"UPDATE pix_qrcodes SET expired_at = expires_at WHERE id = {named('unpaid')}"),
    broken("E1", f"DELETE FROM events WHERE resource_id = {named('first part')}"),
    broken("E1", f"DELETE FROM events WHERE resource_id = {named('all of it')}"),
    broken("E1", f"DELETE FROM events WHERE resource_id = {named('back next door')} AND type LIKE '%received'"),
    broken("E1", f"DELETE FROM events WHERE resource_id = {named('back next door')} AND type LIKE '%completed'"),
    broken("E1", f"UPDATE events SET type = 'pix.payment.reversed' WHERE resource_id = {named('second part')}"),
    broken("E1", f"DELETE FROM events WHERE resource_id = {PAID}"),
    broken("E1", f"DELETE FROM events WHERE resource_id = {named('first of payer')}"),
    broken("E1", f"DELETE FROM events WHERE resource_id = {named('document')}"),
    broken("E1", "DELETE FROM events WHERE type = 'pix.key.removed'"),
    broken("E1", "DELETE FROM events WHERE type = 'pix.key.refused'"),
    broken("E1", f"UPDATE events SET type = 'pix.key.refused' WHERE resource_id = {named('document')}"),
    broken("E1", f"UPDATE events SET resource_id = {named('mail')} WHERE resource_id = {named('document')}"),
    broken("E1", "DELETE FROM events WHERE type = 'account.blocked'"),
    broken("E1", "DELETE FROM events WHERE type = 'account.closed'"),
    broken("E1", "DELETE FROM events WHERE type = 'pix.payment.reversed'"),
    broken("E1", f"UPDATE events SET type = 'pix.payment.failed' WHERE resource_id = {PAID}"),
    broken("E1", f"UPDATE events SET resource_id = {named('under way')} WHERE resource_id = {PAID}"),
    broken("E1", f"UPDATE events SET resource_id = gen_random_uuid() WHERE resource_id = {PAID}"),
    broken("E1", f"UPDATE events SET tenant_id = {named('two')} WHERE resource_id = {PAID}"),
    broken(
        "E1",
        "INSERT INTO events SELECT account_id, gen_random_uuid(), tenant_id, type, resource_id, 99, body, created_at"
        f" FROM events WHERE resource_id = {PAID}",
    ),
    broken("A1", f"UPDATE accounts SET branch = '0001' WHERE id = {named('applicant')}"),
    broken("A1", f"UPDATE accounts SET branch = NULL WHERE id = {PAYER}"),
    broken("A1", f"UPDATE accounts SET branch = NULL WHERE id = {_CLOSED}"),
    broken("E1", f"DELETE FROM events WHERE account_id = {named('withdrawn')}"),
    broken("A1", _ANY_ACCOUNT, f"UPDATE accounts SET closed_at = now() WHERE id = {PAYER}"),
    broken("A1", f"UPDATE accounts SET closed_at = created_at - interval '1 s' WHERE id = {_CLOSED}"),
    broken("A1", f"UPDATE accounts SET status = 'CLOSED', closed_at = now() WHERE id = {PAYER}"),
    broken("A1", f"UPDATE kyc_files SET approved_at = NULL, status = 'PENDING' WHERE account_id = {PAYER}"),
    broken("A1", f"DELETE FROM kyc_submissions WHERE account_id = {PAYER}"),
    broken("A1", f"DELETE FROM kyc_files WHERE account_id = {PAYER}"),
    broken("A2", f"DELETE FROM open_accounts WHERE account_id = {PAYER}"),
    broken("A2", f"UPDATE accounts SET holder_document = '1' WHERE id = {PAYER}"),
    broken("A2", f"INSERT INTO open_accounts VALUES ({named('one')}, '1', {_CLOSED})"),
    broken("A2", f"INSERT INTO open_accounts SELECT provider_id, '1', id FROM accounts WHERE id = {PAYER}"),
    broken("A2", f"DELETE FROM account_numbers WHERE account_id = {_CLOSED}"),
    broken("A2", f"INSERT INTO account_numbers VALUES ({named('one')}, '0001', '1', gen_random_uuid())"),
    broken("T4", f"UPDATE pix_payments SET tenant_id = {named('two')} WHERE id = {PAID}"),
    broken("T4", f"UPDATE pix_transfers SET provider_id = gen_random_uuid() WHERE id = {named('first of payer')}"),
    broken("T4", f"UPDATE pix_keys SET provider_id = gen_random_uuid() WHERE id = {named('document')}"),
    broken("T4", f"UPDATE events SET account_id = gen_random_uuid() WHERE resource_id = {PAID}"),
    broken("T4", f"UPDATE kyc_files SET tenant_id = {named('two')} WHERE account_id = {PAYER}"),
    broken("T4", f"UPDATE kyc_submissions SET tenant_id = {named('two')} WHERE account_id = {PAYER}"),
    broken("T4", f"UPDATE kyc_documents SET tenant_id = {named('two')} WHERE account_id = {PAYER}"),
    broken("T4", f"UPDATE kyc_images SET tenant_id = {named('two')} WHERE account_id = {PAYER}"),
    broken("T4", f"UPDATE providers SET tenant_id = {named('two')}"),
    broken(
        "T4",
        "UPDATE tenants SET default_provider_id = (SELECT id FROM providers WHERE tenant_id <> tenants.id LIMIT 1)",
    ),
    broken("T4", "UPDATE inbox SET provider_id = gen_random_uuid() WHERE kind = 'RETURN'"),
    broken("T4", "UPDATE pix_lookups SET account_id = gen_random_uuid() WHERE payee_account_id IS NULL"),
    broken("T4", f"UPDATE pix_lookups SET account_id = {named('foreign')} WHERE payee_account_id IS NULL"),
    broken("T4", f"UPDATE pix_lookups SET payee_account_id = {named('foreign')} WHERE payee_account_id IS NOT NULL"),
    broken("T4", """UPDATE pix_lookups SET owner = '{"ispb": "60701190"}' WHERE payee_account_id IS NOT NULL"""),
    broken("T5", f"UPDATE api_clients SET account_ids = array_append(account_ids, {named('foreign')})"),
    broken("T5", "UPDATE api_clients SET account_ids = ARRAY[gen_random_uuid()]"),
    broken("T5", f"UPDATE api_tokens SET account_ids = ARRAY[{named('foreign')}::uuid] WHERE client_id IS NULL"),
    broken("T5", f"UPDATE tenants SET main_account_id = {named('foreign')} WHERE id = {named('one')}"),
    broken("T5", f"UPDATE tenants SET main_account_id = {PAYER} WHERE id = {named('two')}"),
    broken(
        "T5", f"UPDATE tenants SET default_provider_id = (SELECT id FROM providers WHERE tenant_id = {named('two')})"
    ),
    broken("T5", _ANY_TOKEN, f"UPDATE api_tokens SET tenant_id = {named('two')} WHERE client_id IS NOT NULL"),
    broken("T5", _ANY_TOKEN, "UPDATE api_tokens SET expires_at = NULL"),
    broken("T5", _ANY_TOKEN, "UPDATE api_tokens SET networks = ARRAY['10.0.0.0/8']"),
    broken("T6", "GRANT DELETE ON api_tokens TO lastro_app"),
    broken("T6", "GRANT UPDATE (permissions) ON api_tokens TO lastro_app"),
    broken("T6", "GRANT UPDATE (tenant_id) ON api_clients TO lastro_app"),
    broken("T6", "ALTER TABLE api_clients OWNER TO lastro_app"),
    broken("K3", "UPDATE lookup_budgets SET millitokens = -1 WHERE level = 'PLATFORM'"),
    broken("K3", "UPDATE lookup_budgets SET millitokens = 80001 WHERE holder = '39053344705'"),
    broken("K3", "UPDATE lookup_budgets SET millitokens = 500001 WHERE holder = '11222333000181'"),
    broken("K3", "UPDATE lookup_budgets SET millitokens = 4000001 WHERE level = 'TENANT'"),
    broken("K3", "UPDATE lookup_budgets SET millitokens = 50000001 WHERE level = 'PLATFORM'"),
    broken("K3", "UPDATE lookup_budgets SET refilled_at = now() + interval '1 hour' WHERE level = 'TENANT'"),
    broken("K3", "UPDATE lookup_budgets SET holder = 'nobody' WHERE holder = '39053344705'"),
    broken("K3", "UPDATE lookup_budgets SET holder = gen_random_uuid()::text WHERE level = 'TENANT'"),
    broken("K3", "UPDATE lookup_budgets SET holder = '00000000' WHERE level = 'PLATFORM'"),
    broken("O1", f"DELETE FROM outbox WHERE reference = {named('under way')}"),
    broken("O1", f"DELETE FROM outbox WHERE reference = {named('applicant')}"),
    broken("O1", f"DELETE FROM outbox WHERE reference = {named('registering')}"),
    broken("O1", f"DELETE FROM outbox WHERE reference = {named('never made')}"),
    broken("O1", f"UPDATE outbox SET topic = 'pix.key.register' WHERE reference = {named('removing')}"),
    broken("O1", f"UPDATE outbox SET topic = 'pix.key.remove' WHERE reference = {named('registering')}"),
    broken(
        "O1", f"INSERT INTO outbox (topic, account_id, reference) VALUES ('pix.key.prove', {PAYER}, {named('refused')})"
    ),
    broken("O1", "DELETE FROM outbox WHERE topic = 'kyc.submit'"),
    broken("O1", f"INSERT INTO outbox (topic, account_id, reference) VALUES ('account.open', {_NEW}, {_NEW})"),
    broken("O1", f"INSERT INTO outbox (topic, account_id, reference) VALUES ('kyc.submit', {PAYER}, {PAYER})"),
    broken("O1", "INSERT INTO outbox (topic, account_id, reference) SELECT topic, account_id, reference FROM outbox"),
    broken("O1", "UPDATE outbox SET reference = gen_random_uuid()"),
    broken("O1", "UPDATE outbox SET topic = 'something.else'"),
    broken("O1", f"INSERT INTO outbox (topic, account_id, reference) VALUES ('account.open', {PAYER}, {PAYER})"),
    broken("I5", f"UPDATE idempotency SET tenant_id = {named('two')} WHERE operation LIKE '%/kyc'"),
    broken("E1", f"DELETE FROM events WHERE resource_id = {_FILE}"),
    broken("E1", f"UPDATE events SET type = 'account.kyc.rejected' WHERE resource_id = {_FILE}"),
    broken("E1", f"UPDATE events SET type = 'account.closed' WHERE resource_id = {_FILE}"),
    broken("E1", f"UPDATE events SET resource_version = 1 WHERE resource_id = {_FILE}"),
    broken("E1", f"UPDATE kyc_files SET version = version + 1 WHERE id = {_FILE}"),
    broken("E1", f"UPDATE events SET tenant_id = {named('two')} WHERE resource_id = {_FILE}"),
    broken("E1", f"DELETE FROM events WHERE resource_id = {named('file of turned down')} AND type LIKE '%rejected'"),
    broken("A5", f"UPDATE kyc_files SET status = 'REJECTED' WHERE id = {_FILE}"),
    broken("A5", f"UPDATE kyc_files SET submission = 2 WHERE id = {_FILE}"),
    broken("A5", f"UPDATE kyc_files SET approved_at = approved_at + interval '1 s' WHERE id = {_FILE}"),
    broken("A5", f"UPDATE kyc_submissions SET verdict = 'REJECTED' WHERE account_id = {PAYER}"),
    broken("A5", f"DELETE FROM kyc_submissions WHERE account_id = {named('turned down')} AND number = 1"),
    broken("A5", f"DELETE FROM kyc_files WHERE account_id = {named('turned down')}"),
    broken("A5", f"UPDATE kyc_files SET status = 'IN_PROGRESS' WHERE id = {_FILE}"),
    broken("A6", "GRANT UPDATE (sha256) ON kyc_images TO lastro_app"),
    broken("A6", "GRANT DELETE ON kyc_documents TO lastro_app"),
    broken("A6", "GRANT UPDATE ON kyc_submissions TO lastro_app"),
    broken("A3", f"DELETE FROM kyc_images WHERE account_id = {PAYER}"),
    broken("A3", f"DELETE FROM kyc_documents WHERE account_id = {PAYER}"),
    broken("A3", f"UPDATE kyc_images SET side = 'BACK' WHERE account_id = {PAYER}"),
    broken("A3", f"UPDATE kyc_images SET key_id = '' WHERE account_id = {PAYER}"),
    broken("A3", f"UPDATE kyc_images SET media_type = 'image/gif' WHERE account_id = {PAYER}"),
    broken("A3", f"UPDATE kyc_images SET width = 31 WHERE account_id = {PAYER}"),
    broken("A3", f"UPDATE kyc_images SET width = 5001, height = 5001 WHERE account_id = {PAYER}"),
    broken("A3", f"UPDATE kyc_images SET width = NULL, height = NULL WHERE account_id = {PAYER}"),
    broken(
        "A3",
        f"UPDATE kyc_images SET media_type = 'application/pdf', width = NULL, height = NULL WHERE account_id = {PAYER}",
    ),
    broken("A3", _ANY_IMAGE, f"UPDATE kyc_images SET sealed = '' WHERE account_id = {PAYER}"),
    broken(
        "A3",
        _ANY_IMAGE,
        f"UPDATE kyc_images SET size = 5242881 WHERE account_id = {PAYER}",
    ),
    broken("A3", f"DELETE FROM kyc_files WHERE account_id = {named('turned down')}"),
    broken("A4", f"UPDATE accounts SET holder_name = 'Another' WHERE id = {PAYER}"),
    broken("A4", f"UPDATE accounts SET holder_name = 'Another' WHERE id = {named('sender')}"),
    broken("C1", "DELETE FROM tally_changes WHERE kind = 'pix_payments'"),
    broken("C1", "DELETE FROM tally_changes WHERE kind = 'pix_transfers'"),
    broken("C1", "DELETE FROM tally_changes WHERE kind = 'pix_refunds'"),
    broken("C1", "UPDATE tally_changes SET n = n + 1"),
    broken("C1", "UPDATE tally_changes SET counts[1] = counts[1] + 1"),
    broken("C1", "UPDATE tally_changes SET day = day - 1"),
    broken("C1", f"UPDATE tally_changes SET tenant_id = {PAYER}"),
    broken("C1", f"INSERT INTO tally VALUES ({named('one')}, {PAYER}, 'pix_payments', 'FAILED', '2026-01-02', 1)"),
    broken("C1", _UNCOUNTED, "UPDATE pix_refunds SET status = 'PROCESSING' WHERE status = 'COMPLETED'"),
    broken("C2", f"INSERT INTO tally VALUES ({named('one')}, {PAYER}, 'pix_payments', 'FAILED', '2026-01-02', 0)"),
    broken("L2", "GRANT UPDATE ON event_feed TO lastro_app"),
    broken("L2", "GRANT DELETE ON webhook_attempts TO lastro_app"),
    Corruption("E2", [f"DELETE FROM event_feed WHERE event_id = {_EVENT}"], at_rest=True),
    broken("E2", "DELETE FROM untold_events"),
    broken("E2", "UPDATE event_feed SET type = 'pix.other' WHERE type = 'pix.payment.failed'"),
    broken("E2", f"UPDATE event_feed SET account_id = gen_random_uuid() WHERE event_id = {_EVENT}"),
    broken("E2", "UPDATE event_feed SET created_at = now() WHERE type = 'pix.payment.failed'"),
    broken(
        "E2",
        "INSERT INTO event_feed (tenant_id, event_id, account_id, type, created_at)"
        f" SELECT {named('two')}, event_id, account_id, type, created_at FROM event_feed WHERE event_id = {_EVENT}",
    ),
    broken("E2", _UNTRIED, f"DELETE FROM webhook_deliveries WHERE subscription_id = {_SHOP} AND event_id = {_EVENT}"),
    broken("E2", f"UPDATE webhook_subscriptions SET event_filters = '{{*}}' WHERE id = {named('deaf')}"),
    broken("E2", f"UPDATE webhook_subscriptions SET event_filters = '{{pix.*}}' WHERE id = {named('deaf')}"),
    broken("E2", f"UPDATE webhook_subscriptions SET event_filters = '{{account.closed}}' WHERE id = {_DEAD}"),
    broken("E2", "DELETE FROM alerts WHERE kind = 'webhook_deliveries_dead'"),
    broken("E2", f"UPDATE webhook_subscriptions SET status = 'ACTIVE' WHERE id = {named('gone')}"),
    broken("E3", f"UPDATE webhook_attempts SET response_status = 500 WHERE response_status = 204 AND {_OF_SHOP}"),
    broken("E3", f"DELETE FROM webhook_attempts WHERE {_OF_SHOP}"),
    broken("E3", f"DELETE FROM webhook_attempts WHERE number = 2 AND {_OF_SHOP}"),
    broken("E3", f"UPDATE webhook_attempts SET number = number + 1 WHERE number = 3 AND {_OF_SHOP}"),
    broken("E3", f"UPDATE webhook_attempts SET number = number - 1 WHERE number = 1 AND {_OF_SHOP}"),
    broken("E3", f"UPDATE webhook_deliveries SET attempts = 4 WHERE subscription_id = {_SHOP}"),
    broken("E3", f"UPDATE webhook_deliveries SET attempts_before = 4 WHERE subscription_id = {_SHOP}"),
    broken("E3", f"UPDATE webhook_deliveries SET delivered_at = NULL WHERE subscription_id = {_SHOP}"),
    broken("E3", f"UPDATE webhook_attempts SET body_sha256 = sha256('x') WHERE number = 2 AND {_OF_SHOP}"),
    broken("E3", f"UPDATE webhook_attempts SET error = 'RESET' WHERE number = 3 AND {_OF_SHOP}"),
    broken("E3", f"UPDATE events SET body = 'changed' WHERE id = {_EVENT}"),
    broken("E3", f"UPDATE webhook_deliveries SET status = 'DELIVERED' WHERE subscription_id = {named('paused')}"),
    Corruption(
        "E4",
        [f"INSERT INTO untold_events (account_ids, event_ids) SELECT ARRAY[account_id], ARRAY[id] {_OF_EVENT}"],
        at_rest=True,
    ),
    broken("E5", f"UPDATE webhook_deliveries SET tenant_id = {named('two')} WHERE subscription_id = {_SHOP}"),
    broken("E5", f"UPDATE webhook_subscriptions SET tenant_id = {named('two')} WHERE id = {_SHOP}"),
    broken("E5", f"UPDATE events SET tenant_id = {named('two')} WHERE id = {_EVENT}"),
    broken("E5", f"UPDATE webhook_deliveries SET event_type = 'pix.other' WHERE event_id = {_EVENT}"),
    broken("E5", f"UPDATE webhook_deliveries SET position = 0 WHERE event_id = {_EVENT}"),
    broken("E5", f"UPDATE webhook_deliveries SET event_id = gen_random_uuid() WHERE subscription_id = {_DEAD}"),
    Corruption(
        "V1",
        [_ANY_PAYMENT, f"UPDATE pix_payments SET status = 'PENDING' WHERE id = {named('never sent')}"],
        at_rest=True,
    ),
    Corruption("V1", [_ANY_ACCOUNT, f"UPDATE accounts SET status = 'PENDING' WHERE id = {PAYER}"], at_rest=True),
    Corruption("V1", [_ANY_KEY, f"UPDATE pix_keys SET stage = 'REMOVING' WHERE id = {named('left')}"], at_rest=True),
    Corruption(
        "V1",
        [f"UPDATE pix_qrcodes SET expires_at = now() - interval '1 hour' WHERE id = {named('unpaid')}"],
        at_rest=True,
    ),
    Corruption("V1", [f"UPDATE kyc_files SET status = 'PENDING' WHERE account_id = {PAYER}"], at_rest=True),
    Corruption(
        "V2",
        [f"INSERT INTO outbox (topic, account_id, reference) VALUES ('pix.payment.settle', {PAYER}, {PAID})"],
        at_rest=True,
    ),
    apart("DELETE FROM payment WHERE kind = 'SENT'"),
    apart("UPDATE payment SET amount = amount + 1 WHERE kind = 'RECEIVED'"),
    apart("UPDATE payment SET status = 'ACSC' WHERE status = 'RJCT'"),
    apart("UPDATE payment SET status = 'RJCT' WHERE kind = 'RETURNED_TO_US'"),
    apart("UPDATE payment SET kind = 'RECEIVED' WHERE kind = 'SENT'"),
    apart("DELETE FROM payment WHERE kind = 'RETURNED_BY_US'"),
    apart("UPDATE payment SET original_end_to_end_id = 'another' WHERE kind = 'RETURNED_TO_US'"),
    gone_apart("DELETE FROM entry"),
    gone_apart("UPDATE entry SET removed_at = now()"),
    gone_apart("UPDATE entry SET owner_tax_id = '52998224725'"),
    gone_apart("UPDATE entry SET number = '1'"),
    gone_apart(
        "INSERT INTO entry SELECT (jsonb_populate_record(e, jsonb_build_object('request_id', gen_random_uuid(),"
        " 'key', 'a@b.c', 'key_type', 'EMAIL'))).* FROM entry e"
    ),
)
