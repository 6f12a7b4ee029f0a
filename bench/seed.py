"""A bank with one tenant and ten thousand funded accounts, copied in; the shapes of its rows are made by the product.

Every account received one Pix, so that its balance follows from its movements, as the books demand.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from lastro.accounts import resources as accounts
from lastro.accounts.models import Account
from lastro.accounts.states import AccountStatus
from lastro.auth.permissions import Permission
from lastro.auth.tokens import NewToken, issue
from lastro.kyc import resources as kyc
from lastro.kyc.models import KycFile
from lastro.kyc.resources import file_id
from lastro.kyc.states import KycStatus
from lastro.ledger.book import Holdings
from lastro.pix.keys import resources as keys
from lastro.pix.keys.models import PixKeyRow
from lastro.pix.keys.states import KeyStage
from lastro.pix.parties import packed
from lastro.pix.transfers import resources as transfers
from lastro.pix.transfers.models import PixTransfer, TransferStatus
from lastro.providers.directory import NETWORK
from lastro.providers.protocol import Party
from lastro.simulator.book import Book
from lastro.values.bank_account import AccountType, BankAccount
from lastro.values.end_to_end_id import EndToEndId
from lastro.values.money import Money
from lastro.values.pix_key import KeyType, PixKey
from lastro.values.tax_id import TaxId
from lastro.values.time_ordered_id import first_id_at
from lastro.webhooks.announce import EventBody

ACCOUNTS = 10_000
ISPB = "00000000"
AT = datetime(2026, 1, 2, 12, tzinfo=UTC)
TENANT = UUID("550e8400-e29b-41d4-a716-446655440010")
PROVIDER = UUID("550e8400-e29b-41d4-a716-446655440001")
FUNDS = Money(10_000_000_00)  # of each account: the hot one must outlast the run
PAYMENT = Money(1_00)

SENDER = Party(
    "Maria Souza", TaxId.parse("39053344705"), BankAccount.parse("60701190", "0001", "54321-0", AccountType.CHECKING)
)
RECIPIENT = PixKey.parse(KeyType.CPF, "12345678909")
PAYEE = Party(
    "João Silva", TaxId.parse("12345678909"), BankAccount.parse("18236120", "0001", "98765-4", AccountType.CHECKING)
)
ACCOUNT_TYPE = "CACC"  # CHECKING, as the network says it
RECIPIENT_SINCE = datetime(2023, 6, 15, 10, 30, tzinfo=UTC)

_TOLD_ALREADY = """
    INSERT INTO event_feed (tenant_id, event_id, account_id, type, created_at)
    SELECT tenant_id, id, account_id, type, created_at FROM events ORDER BY id;
    DELETE FROM untold_events;
"""


@dataclass(frozen=True, slots=True)
class _Funded:
    """One account, its key, and the Pix that funded it."""

    account: Account
    key: PixKeyRow
    transfer: PixTransfer


def account_id(number: int) -> UUID:
    """The id of an account, from 0 to ACCOUNTS - 1; `bench.ceiling` computes the same in SQL."""
    return UUID(int=first_id_at(AT).int + number)


def account_number(number: int) -> tuple[str, str]:
    """Branch and number of an account, from 0 to ACCOUNTS - 1."""
    return "0001", f"{100_000 + number}-{number % 10}"


def document(number: int) -> str:
    """The tax id of an account's holder. The hot account is a company's: DICT lets those ask more at once."""
    return "11444777000161" if number == 0 else _cpf(100_000_000 + number)


async def seed_bank(url: str, pepper: bytes) -> str:
    """Fill a migrated, empty database; give the text of a token that may do everything."""
    token = issue("test", pepper)
    funded = [_funded(number) for number in range(ACCOUNTS)]
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            await _write_tenant(connection, token)
            for table, columns, records in _tables(funded):
                await connection.copy_records_to_table(table, columns=columns.split(), records=records)
            await connection.execute(_TOLD_ALREADY)
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()
    return token.text


async def seed_network(url: str) -> None:
    """The simulator's book: the one key that everybody pays."""
    book = Book(url)
    await book.create()
    await book.close()
    row = {
        "request_id": UUID(int=1),
        "key": RECIPIENT.value,
        "key_type": RECIPIENT.kind,
        "ispb": PAYEE.account.ispb,
        "branch": PAYEE.account.branch,
        "number": PAYEE.account.number.replace("-", ""),
        "type": "CACC",
        "opened_at": RECIPIENT_SINCE,
        "owner_name": PAYEE.name,
        "owner_tax_id": PAYEE.tax_id.value,
        "created_at": RECIPIENT_SINCE,
    }
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        await connection.copy_records_to_table("entry", columns=list(row), records=[tuple(row.values())])
    finally:
        await connection.close()


async def _write_tenant(connection: Any, token: NewToken) -> None:
    await connection.execute("INSERT INTO tenants VALUES ($1, 'bench', '11222333000181', $2)", TENANT, AT)
    await connection.execute(
        "INSERT INTO providers (id, tenant_id, name, code, ispb, house, adapter, account_types, strict_documents,"
        " created_at, updated_at) VALUES ($1, $2, 'Banco Principal', '001', $3, $3, $4, $5, true, $6, $6)",
        *(PROVIDER, TENANT, ISPB, NETWORK, [kind.value for kind in AccountType], AT),
    )
    await connection.execute(
        "INSERT INTO api_tokens (id, tenant_id, name, secret_hmac, permissions, created_at)"
        " VALUES ($1, $2, 'bench', $3, $4, $5)",
        *(token.id, TENANT, token.secret_hmac, [permission.value for permission in Permission], AT),
    )


def _funded(number: int) -> _Funded:
    account = Account(
        id=account_id(number),
        tenant_id=TENANT,
        provider_id=PROVIDER,
        holder_name=f"Cliente {number:05}",
        holder_document=document(number),
        holder_document_type=TaxId.parse(document(number)).kind,
        type=AccountType.CHECKING,
        status=AccountStatus.ACTIVE,
        branch=account_number(number)[0],
        account_number=account_number(number)[1],
        currency="BRL",
        extra=None,
        version=2,
        created_at=AT,
        updated_at=AT,
        closed_at=None,
    )
    key = PixKeyRow(
        account_id=account.id,
        id=UUID(int=first_id_at(AT + timedelta(seconds=5)).int + number),
        tenant_id=TENANT,
        provider_id=PROVIDER,
        type=KeyType.EVP,
        value=str(UUID(int=number, version=4)),
        holder_name=account.holder_name,
        stage=KeyStage.ACTIVE,
        registration_id=UUID(int=first_id_at(AT + timedelta(seconds=6)).int + number),
        failure_reason=None,
        activated_at=AT,
        version=2,
        created_at=AT,
        updated_at=AT,
    )
    transfer = PixTransfer(
        account_id=account.id,
        id=UUID(int=first_id_at(AT + timedelta(seconds=1)).int + number),
        tenant_id=TENANT,
        provider_id=PROVIDER,
        amount=FUNDS,
        refunded=Money(0),
        status=TransferStatus.COMPLETED,
        e2e_id=EndToEndId.new(SENDER.account.ispb, AT),
        txid=None,
        key=None,
        description=None,
        payer=SENDER,
        version=1,
        created_at=AT,
        updated_at=AT,
    )
    return _Funded(account, key, transfer)


def _tables(funded: Sequence[_Funded]) -> Iterator[tuple[str, str, list[tuple[Any, ...]]]]:
    """Table, columns, rows."""
    columns = "id tenant_id provider_id holder_name holder_document holder_document_type type status branch"
    columns += " account_number currency version created_at updated_at"
    yield "accounts", columns, [tuple(getattr(each.account, name) for name in columns.split()) for each in funded]
    yield from _approvals(funded)
    yield from _keys(funded)
    columns = "provider_id holder_document account_id"
    yield "open_accounts", columns, [(PROVIDER, each.account.holder_document, each.account.id) for each in funded]
    columns = "provider_id branch account_number account_id"
    numbers = [(PROVIDER, each.account.branch, each.account.account_number, each.account.id) for each in funded]
    yield "account_numbers", columns, numbers
    columns = "account_id available_centavos in_transit_centavos seq moved_at"
    yield "balances", columns, [(each.account.id, FUNDS.centavos, 0, 1, AT) for each in funded]
    yield from _history(funded)


def _approvals(funded: Sequence[_Funded]) -> Iterator[tuple[str, str, list[tuple[Any, ...]]]]:
    """Who holds the accounts was approved; the documents themselves are nobody's concern here."""
    columns = "account_id id tenant_id status submission approved_at version created_at updated_at"
    files = [(each.account.id, file_id(each.account.id), TENANT, "APPROVED", 1, AT, 3, AT, AT) for each in funded]
    yield "kyc_files", columns, files
    columns = "account_id number id tenant_id holder_name verdict decided_at created_at"
    submissions = [
        (each.account.id, 1, each.transfer.id, TENANT, each.account.holder_name, "APPROVED", AT, AT) for each in funded
    ]
    yield "kyc_submissions", columns, submissions


def _keys(funded: Sequence[_Funded]) -> Iterator[tuple[str, str, list[tuple[Any, ...]]]]:
    """Each account has a key to be paid under, as codes need one."""
    columns = "account_id id tenant_id provider_id holder_name stage registration_id activated_at version"
    columns += " created_at updated_at"
    rows = [(*(getattr(each.key, name) for name in columns.split()), each.key.type, each.key.value) for each in funded]
    yield "pix_keys", f"{columns} key_type key_value", rows
    yield (
        "key_holders",
        "key_value account_id key_id",
        [(each.key.value, each.account.id, each.key.id) for each in funded],
    )


def _history(funded: Sequence[_Funded]) -> Iterator[tuple[str, str, list[tuple[Any, ...]]]]:
    """How the money came: message, transfer, movement, news."""
    columns = "end_to_end_id kind provider_id account_id reference amount_centavos created_at"
    inbox = [
        (each.transfer.e2e_id, "PAYMENT", PROVIDER, each.account.id, each.transfer.id, FUNDS.centavos, AT)
        for each in funded
    ]
    yield "inbox", columns, inbox
    columns = "account_id id tenant_id provider_id amount_centavos status e2e_id payer version created_at updated_at"
    sender = json.dumps(packed(SENDER), ensure_ascii=False)
    same = (sender, 1, AT, AT)
    received = [
        (each.account.id, each.transfer.id, TENANT, PROVIDER, FUNDS.centavos, "COMPLETED", each.transfer.e2e_id, *same)
        for each in funded
    ]
    yield "pix_transfers", columns, received
    columns = "account_id seq source target amount_centavos reason reference available_after_centavos"
    columns += " in_transit_after_centavos posted_at"
    moved = [
        (each.account.id, 1, "SPI", "AVAILABLE", FUNDS.centavos, "RECEIVE", each.transfer.id, FUNDS.centavos, 0, AT)
        for each in funded
    ]
    yield "movements", columns, moved
    columns = "account_id id tenant_id type resource_id resource_version body created_at"
    yield "events", columns, [event for each in funded for event in _events(each)]


def _events(each: _Funded) -> Iterator[tuple[Any, ...]]:
    empty = Holdings(available=Money(0), in_transit=Money(0), seq=0)
    account, transfer = each.account, each.transfer
    file = KycFile(id=file_id(account.id), status=KycStatus.APPROVED, created_at=AT, updated_at=AT)
    told = (
        ("account.kyc.approved", file.id, 3, kyc.resource(account, file, [])),
        ("account.activated", account.id, 2, accounts.resource(account, empty)),
        ("pix.key.registered", each.key.id, 2, keys.resource(each.key, now=AT)),
        ("pix.transfer.received", transfer.id, 1, transfers.resource(transfer)),
    )
    for place, (kind, resource_id, resource_version, resource) in enumerate(told):
        body = EventBody(type=kind, timestamp=AT, version=resource_version, data=resource)
        event_id = UUID(int=first_id_at(AT + timedelta(seconds=2 + place)).int + account.id.int % 2**32)
        text = body.model_dump_json(by_alias=True).encode()
        yield account.id, event_id, TENANT, kind, resource_id, resource_version, text, AT


def _cpf(root: int) -> str:
    """A CPF whose check digits are right, from its first nine digits."""
    digits = [int(digit) for digit in f"{root:09}"]
    for _ in range(2):
        weights = range(len(digits) + 1, 1, -1)
        rest = sum(digit * weight for digit, weight in zip(digits, weights, strict=True)) % 11
        digits.append(0 if rest < 2 else 11 - rest)
    return "".join(map(str, digits))
