"""What `lastro dev` puts into an empty bank, so that every documented cURL runs as printed."""

from base64 import b64decode
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import httpx
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from lastro.access import clients
from lastro.access.order import Wish
from lastro.accounts import service as accounts
from lastro.accounts.models import Account, AccountNumber
from lastro.accounts.order import Application
from lastro.accounts.states import AccountStatus
from lastro.auth.binding import UNBOUND, Rights
from lastro.auth.models import ApiClient, ApiToken
from lastro.auth.permissions import EVERYTHING
from lastro.auth.tokens import seal, seal_secret
from lastro.bank import Bank
from lastro.errors import ProviderUnavailable
from lastro.keyring import KeyRing
from lastro.kyc import dossier as desk
from lastro.kyc import rules, safe
from lastro.kyc.images import MediaType, Side
from lastro.kyc.models import KycFile, KycImage
from lastro.kyc.order import Upload
from lastro.kyc.safe import Filed
from lastro.kyc.states import DocumentKind, KycStatus
from lastro.ledger import book
from lastro.pix.keys import crossing as keys
from lastro.pix.keys.models import PixKeyRow
from lastro.pix.keys.states import KeyStage
from lastro.pix.transfers import service as transfers
from lastro.pix.transfers.models import PixTransfer
from lastro.providers.directory import NETWORK
from lastro.providers.models import ProviderRow
from lastro.providers.protocol import Party, PixReceived
from lastro.tenants.models import Tenant
from lastro.values.bank_account import AccountType, BankAccount
from lastro.values.end_to_end_id import EndToEndId
from lastro.values.money import Money
from lastro.values.pix_key import KeyType
from lastro.values.tax_id import TaxId
from lastro.values.text import Text
from lastro.values.time_ordered_id import new_id

TENANT = UUID("550e8400-e29b-41d4-a716-446655440010")
OTHER_TENANT = UUID("550e8400-e29b-41d4-a716-446655440020")
PROVIDER = UUID("550e8400-e29b-41d4-a716-446655440001")
OTHER_PROVIDER = UUID("550e8400-e29b-41d4-a716-446655440002")
ACCOUNT = UUID("550e8400-e29b-41d4-a716-446655440100")
TOKEN = "SEU_TOKEN"  # noqa: S105 - a public word, accepted by `lastro dev` alone
OTHER_TOKEN = "OUTRO_TOKEN"  # noqa: S105
CLIENT = UUID("550e8400-e29b-41d4-a716-446655440400")
CLIENT_SECRET = "SEU_SEGREDO"  # noqa: S105 - like the tokens
ISPB = "00000000"
HOLDER = "Empresa ABC Ltda"
HOLDER_DOCUMENT = TaxId.parse("73.592.014/0001-15")

KYC_FILE = UUID("550e8400-e29b-41d4-a716-446655440150")
_OLD_PAPERS = (
    DocumentKind.RG,
    DocumentKind.SELFIE,
    DocumentKind.PROOF_OF_ADDRESS,
    DocumentKind.ARTICLES_OF_INCORPORATION,
)
_GREY_PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAACAAAAAgCAAAAABWESUoAAAAGUlEQVR4nGNsYMAPmAjIjyoYVTCqYNgqAACXvgDAMsm0fAAAAABJRU5ErkJggg=="
)

_PAYER = Party(
    "Maria Souza", TaxId.parse("39053344705"), BankAccount("60701190", "0001", "54321-0", AccountType.CHECKING)
)
_PAYEE = BankAccount(ISPB, "0001", "12345-6", AccountType.CHECKING)

# The two Pix that the demo account received: transfer id and amount.
_RECEIVED = (
    (UUID("550e8400-e29b-41d4-a716-446655440299"), Money(48_500_00)),
    (UUID("550e8400-e29b-41d4-a716-446655440300"), Money(1_500_00)),
)

# Id, id of the registration, type and value. The documentation deletes the first one.
_KEYS = (
    (
        UUID("550e8400-e29b-41d4-a716-446655440310"),
        UUID("550e8400-e29b-41d4-a716-446655440901"),
        KeyType.PHONE,
        "+5511987654321",
    ),
    (
        UUID("550e8400-e29b-41d4-a716-446655440311"),
        UUID("550e8400-e29b-41d4-a716-446655440902"),
        KeyType.CNPJ,
        HOLDER_DOCUMENT.value,
    ),
)


async def seed(bank: Bank, pepper: bytes, simulator_url: str) -> None:
    """Make the demo whole, whatever an earlier start left behind. The API must be serving: the money comes over it."""
    now = bank.now()
    papers = [_old_paper(bank.key_ring, kind, now) for kind in _OLD_PAPERS]
    async with bank.db.transaction() as tx:
        if await tx.get(Tenant, TENANT) is None:
            await _write_rows(tx, pepper, now)
        if await tx.get(ApiClient, CLIENT) is None:
            wish = Wish("demo", Rights(frozenset({EVERYTHING}), UNBOUND))
            secret = seal_secret(CLIENT, CLIENT_SECRET, pepper)
            await clients.keep(tx, CLIENT, TENANT, wish, secret, created_by=None, now=now)
        await _write_keys(tx, now)
        if await tx.get(KycFile, ACCOUNT) is None:
            await _write_kyc(tx, papers, now)
    async with httpx.AsyncClient(trust_env=False, timeout=10) as network:
        for transfer_id, amount in _RECEIVED:
            await _receive(bank, network, simulator_url, transfer_id, amount)


async def _write_rows(tx: AsyncSession, pepper: bytes, now: datetime) -> None:
    tx.add(Tenant(id=TENANT, name="demo", tax_id="11222333000181", created_at=now))
    tx.add(Tenant(id=OTHER_TENANT, name="outra", tax_id="11222333000262", created_at=now))
    await tx.flush()
    for token, tenant_id in ((TOKEN, TENANT), (OTHER_TOKEN, OTHER_TENANT)):
        tx.add(
            ApiToken(
                id=token,
                tenant_id=tenant_id,
                name="demo",
                secret_hmac=seal(token, pepper),
                permissions=[EVERYTHING],
                created_at=now,
            )
        )
    for provider_id, tenant_id, name in (
        (PROVIDER, TENANT, "Banco Principal"),
        (OTHER_PROVIDER, OTHER_TENANT, "Banco Secundário"),
    ):
        tx.add(
            ProviderRow(
                id=provider_id,
                tenant_id=tenant_id,
                name=name,
                code="001",
                ispb=ISPB,
                adapter=NETWORK,
                house=ISPB,
                account_types=list(AccountType),
                strict_documents=False,
                created_at=now,
                updated_at=now,
            )
        )
    await tx.flush()
    application = Application(PROVIDER, HOLDER, HOLDER_DOCUMENT, AccountType.CHECKING, None)
    account = await accounts.add(tx, ACCOUNT, TENANT, application, now=now)
    await _open(tx, account, now)


def _old_paper(keys: KeyRing, kind: DocumentKind, now: datetime) -> Filed:
    side = Side(b64decode(_GREY_PNG), MediaType.PNG, 32, 32)
    upload, document_id = Upload(kind, side, None), new_id(now)
    return safe.filed(keys, upload, account_id=ACCOUNT, tenant_id=TENANT, document_id=document_id, now=now)


async def _write_kyc(tx: AsyncSession, papers: Sequence[Filed], now: datetime) -> None:
    """A file that was approved, and is due for its yearly renewal: the documented request completes it again."""
    account = await tx.get_one(Account, ACCOUNT)
    await tx.execute(insert(KycImage), [row for each in papers for row in each.rows])
    dossier = desk.begun(tx, account, file_id=KYC_FILE, now=now)
    await desk.file_uploads(tx, dossier, [(each.document_id, each.upload) for each in papers], now=now)
    submission = await desk.enter(tx, dossier, now=now)
    submission.verdict, submission.decided_at, dossier.file.approved_at = KycStatus.APPROVED, now, now
    for each in dossier.documents:
        each.status, each.reviewed_at = KycStatus.APPROVED, now
    await desk.cross(tx, dossier, KycStatus.APPROVED, note=None, now=now)
    for each in dossier.documents:
        if each.type is not DocumentKind.ARTICLES_OF_INCORPORATION:
            each.status = KycStatus.REQUIRES_UPDATE
    note = rules.note(rules.lacking(account.holder_document_type, dossier.states), dossier.states)
    await desk.cross(tx, dossier, KycStatus.REQUIRES_UPDATE, note=f"Atualização cadastral anual. {note}", now=now)


async def _open(tx: AsyncSession, account: Account, now: datetime) -> None:
    account.branch, account.account_number = _PAYEE.branch, _PAYEE.number
    tx.add(
        AccountNumber(provider_id=PROVIDER, branch=_PAYEE.branch, account_number=_PAYEE.number, account_id=account.id)
    )
    money = await book.holdings(tx, [account.id])
    await accounts.cross(tx, account, AccountStatus.ACTIVE, money[account.id], now=now)


async def _write_keys(tx: AsyncSession, now: datetime) -> None:
    """Two keys that the directory of the simulator holds from its beginning (`simulator/seed.py`)."""
    account = (await tx.execute(select(Account).where(Account.id == ACCOUNT))).scalar_one()
    for key_id, registration_id, kind, value in _KEYS:
        key = PixKeyRow(
            account_id=ACCOUNT,
            id=key_id,
            tenant_id=account.tenant_id,
            provider_id=account.provider_id,
            type=kind,
            value=value,
            holder_name=account.holder_name,
            stage=KeyStage.REGISTERING,
            registration_id=registration_id,
            version=1,
            created_at=now,
            updated_at=now,
        )
        if await tx.get(PixKeyRow, (ACCOUNT, key_id)) is None and await keys.claim(tx, key) is None:
            tx.add(key)
            await keys.cross(tx, key, KeyStage.ACTIVE, now=now)


async def _receive(
    bank: Bank, network: httpx.AsyncClient, simulator_url: str, transfer_id: UUID, amount: Money
) -> None:
    """Credit under the documented id first; when the network then delivers the same Pix, it gets the same answer."""
    async with bank.db.transaction() as tx:
        query = select(PixTransfer.e2e_id).where(PixTransfer.account_id == ACCOUNT, PixTransfer.id == transfer_id)
        known = (await tx.execute(query)).scalar_one_or_none()
    now = bank.now()
    end_to_end_id = EndToEndId(known) if known else EndToEndId.new(_PAYER.account.ispb, now)
    if known is None:
        pix = PixReceived(
            end_to_end_id, amount, _PAYER, HOLDER_DOCUMENT, _PAYEE, None, None, "Saldo inicial da demonstração", now
        )
        assert await transfers.receive(bank, PROVIDER, pix, transfer_id=transfer_id) is None  # noqa: S101
    order = {
        "amount": amount.centavos / 100,
        "accountId": str(ACCOUNT),
        "payer": {"name": _PAYER.name, "document": _PAYER.tax_id.value},
        "endToEndId": end_to_end_id,
        "description": "Saldo inicial da demonstração",
    }
    response = await network.post(f"{simulator_url}/pix", json=order)
    if response.status_code != 201:  # noqa: PLR2004
        raise ProviderUnavailable(Text("O simulador recusou a demonstração.", "The simulator refused the demo."))
