"""Accounts on the quiet bank whose history is written by hand: any name, any moment, as many lines as wanted."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import text, update

from build import a_cnpj
from lastro.accounts import service as accounts
from lastro.accounts.models import Account
from lastro.accounts.order import Application
from lastro.accounts.states import AccountStatus
from lastro.auth.caller import Caller
from lastro.auth.permissions import Permission
from lastro.ledger import book
from lastro.ledger.movements import hold, receive, settle
from lastro.pix.payments.models import PixPayment
from lastro.pix.payments.states import PaymentStatus
from lastro.pix.refunds.models import PixRefund
from lastro.pix.refunds.states import RefundStatus
from lastro.pix.transfers.models import PixTransfer, TransferStatus
from lastro.providers.protocol import Initiation, Party
from lastro.statements.period import period
from lastro.statements.service import Statement, statement
from lastro.tenants import service as tenants
from lastro.values.bank_account import AccountType, BankAccount
from lastro.values.money import Money
from lastro.values.pix_key import KeyType
from lastro.values.tax_id import TaxId
from lastro.wiring import Assembly

NOON = datetime(2026, 3, 10, 15, tzinfo=UTC)
"""In São Paulo."""


def party(name: str = "João da Silva", document: str = "39053344705", ispb: str = "60701190") -> Party:
    """Somebody at another bank."""
    return Party(name, TaxId.parse(document), BankAccount.parse(ispb, "0001", "123456", AccountType.CHECKING))


class LedgerBook:
    """One account and what happens to it."""

    def __init__(self, assembly: Assembly, tenant_id: UUID, provider_id: UUID, account_id: UUID) -> None:
        self.assembly = assembly
        self.tenant_id = tenant_id
        self.provider_id = provider_id
        self.account_id = account_id
        self.caller = Caller(tenant_id, "token", frozenset(Permission))

    @classmethod
    async def open(
        cls,
        assembly: Assembly,
        *,
        name: str = "Padaria Pão & Cia Ltda",
        document: str | None = None,
        ispb: str = "00000000",
    ) -> "LedgerBook":
        tenant_id = await tenants.create_tenant(assembly.bank, "tenant", "11222333000181")
        provider_id = await tenants.add_provider(
            assembly.bank,
            tenant_id=tenant_id,
            name="bank",
            code="001",
            ispb=ispb,
            account_types=list(AccountType),
            strict_documents=False,
        )
        account_id = uuid4()
        application = Application(provider_id, name, TaxId.parse(document or a_cnpj()), AccountType.CHECKING, None)
        async with assembly.bank.db.transaction() as tx:
            await accounts.add(tx, account_id, tenant_id, application, now=NOON - timedelta(days=400))
            await tx.execute(
                update(Account)
                .where(Account.id == account_id)
                .values(status=AccountStatus.ACTIVE, branch="0001", account_number=f"{account_id.int % 10**7:07}-8")
            )
        return cls(assembly, tenant_id, provider_id, account_id)

    async def receives(
        self, centavos: int, at: datetime = NOON, *, payer: Party | None = None, description: str | None = None
    ) -> UUID:
        """A Pix that arrived at this moment."""
        transfer_id = uuid4()
        async with self.assembly.bank.db.transaction() as tx:
            tx.add(
                PixTransfer(
                    account_id=self.account_id,
                    id=transfer_id,
                    tenant_id=self.tenant_id,
                    provider_id=self.provider_id,
                    amount=Money(centavos),
                    status=TransferStatus.COMPLETED,
                    e2e_id=f"E60701190{transfer_id.hex[:23]}",
                    description=description,
                    payer=payer or party(),
                    version=1,
                    created_at=at,
                    updated_at=at,
                )
            )
            await tx.flush()
            await book.post(tx, [receive(self.account_id, Money(centavos), transfer_id)], posted_at=at)
        return transfer_id

    async def pays(
        self, centavos: int, at: datetime = NOON, *, payee: Party | None = None, description: str | None = None
    ) -> UUID:
        """A Pix that was accepted and settled at this moment."""
        payment_id = uuid4()
        own = BankAccount.parse("00000000", "0001", "1234568", AccountType.CHECKING)
        async with self.assembly.bank.db.transaction() as tx:
            tx.add(
                PixPayment(
                    account_id=self.account_id,
                    id=payment_id,
                    tenant_id=self.tenant_id,
                    provider_id=self.provider_id,
                    amount=Money(centavos),
                    status=PaymentStatus.COMPLETED,
                    recipient_key_type=KeyType.CPF,
                    recipient_key_value="39053344705",
                    description=description,
                    e2e_id=f"E00000000{payment_id.hex[:23]}",
                    payer=Party("Padaria", TaxId.parse("11222333000181"), own),
                    payee=payee or party(),
                    initiation=Initiation.KEY,
                    returned=Money(0),
                    version=2,
                    completed_at=at,
                    created_at=at,
                    updated_at=at,
                )
            )
            await tx.flush()
            said = [sentence(self.account_id, Money(centavos), payment_id) for sentence in (hold, settle)]
            await book.post(tx, said, posted_at=at)
        return payment_id

    def refund(self, transfer_id: UUID, centavos: int, status: RefundStatus) -> PixRefund:
        """A row about giving back; what it moved is not written."""
        refund_id = uuid4()
        return PixRefund(
            account_id=self.account_id,
            id=refund_id,
            tenant_id=self.tenant_id,
            provider_id=self.provider_id,
            transfer_id=transfer_id,
            amount=Money(centavos),
            status=status,
            e2e_id=f"D00000000{refund_id.hex[:23]}",
            original_e2e_id="",
            version=1,
            completed_at=NOON if status is RefundStatus.COMPLETED else None,
            created_at=NOON,
            updated_at=NOON,
        )

    async def fills(self, lines: int, *, since: datetime, step: timedelta) -> None:
        """So many received Pix of one centavo, written as fast as the database can."""
        values = {
            "account": self.account_id,
            "tenant": self.tenant_id,
            "provider": self.provider_id,
            "lines": lines,
            "since": since,
            "step": step,
        }
        async with self.assembly.bank.db.transaction() as tx:
            await tx.execute(text("SET LOCAL statement_timeout = '300s'"))
            await tx.execute(text("CREATE TEMP TABLE filling ON COMMIT DROP AS " + _FACTS), values)
            for statement_ in _FILL:
                await tx.execute(text(statement_), values)

    async def statement(self, date_from: str | None = None, date_to: str | None = None, **more: datetime) -> Statement:
        """Of these days, as the service knows it."""
        days = period(
            date.fromisoformat(date_from) if date_from else None,
            date.fromisoformat(date_to) if date_to else None,
            now=more.get("now", NOON + timedelta(hours=1)),
        )
        async with self.assembly.bank.db.reading() as tx:
            return await statement(tx, self.caller, self.account_id, days)


_FACTS = """
SELECT n, gen_random_uuid() AS id, CAST(:since AS timestamptz) + n * CAST(:step AS interval) AS at,
       'E60701190' || lpad(to_hex(n), 23, '0') AS e2e_id
  FROM generate_series(1, :lines) AS n
"""
_FILL = (
    """INSERT INTO pix_transfers (account_id, id, tenant_id, provider_id, amount_centavos, status, e2e_id, payer,
                                  version, created_at, updated_at)
       SELECT :account, id, :tenant, :provider, 1, 'COMPLETED', e2e_id,
              '{"name": "João da Silva", "document": "39053344705", "documentType": "CPF", "ispb": "60701190",
                "branch": "0001", "number": "12345-6", "type": "CHECKING"}'::jsonb, 1, at, at FROM filling""",
    """INSERT INTO movements (account_id, seq, source, target, amount_centavos, reason, reference,
                              available_after_centavos, in_transit_after_centavos, posted_at)
       SELECT :account, n, 'SPI', 'AVAILABLE', 1, 'RECEIVE', id, n, 0, at FROM filling""",
    """UPDATE balances SET available_centavos = :lines, seq = :lines,
                           moved_at = (SELECT max(at) FROM filling) WHERE account_id = :account""",
)
