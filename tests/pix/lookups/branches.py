"""A branch of the quiet bank, and directories that misbehave."""

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

from sqlalchemy import text, update

from build import World, a_cnpj, reached
from lastro.accounts import service as accounts
from lastro.accounts.models import Account
from lastro.accounts.order import Application
from lastro.accounts.states import AccountStatus
from lastro.attempt import Answer, Attempt
from lastro.auth.caller import Caller
from lastro.bank import Bank
from lastro.errors import BankError
from lastro.ledger import book
from lastro.ledger.movements import receive
from lastro.pix.keys.models import KeyHolder, PixKeyRow
from lastro.pix.keys.states import KeyStage
from lastro.pix.lookups import service
from lastro.pix.lookups.service import Found
from lastro.pix.payments import service as payments
from lastro.pix.payments.order import Wish
from lastro.providers.directory import NETWORK, ProviderDirectory, ProviderFacts
from lastro.providers.protocol import KeyOwner, Party
from lastro.tenants import service as tenants
from lastro.values.bank_account import AccountType, BankAccount
from lastro.values.end_to_end_id import EndToEndId
from lastro.values.money import Money
from lastro.values.pix_key import KeyType, PixKey
from lastro.values.tax_id import TaxId
from lastro.values.time_ordered_id import new_id
from lastro.wiring import Assembly

NOBODYS = PixKey(KeyType.EMAIL, "ninguem@empresa.example")
ITAU = "60701190"


async def written_tokens(assembly: Assembly | World, holder: str) -> float | None:
    """What is left to a payer; None when nothing was ever charged."""
    await assembly.bank.metering.drain()
    async with assembly.bank.db.transaction() as tx:
        query = text("SELECT millitokens FROM lookup_budgets WHERE level = 'PAYER' AND holder = :holder")
        found = (await tx.execute(query, {"holder": holder})).scalar_one_or_none()
    return None if found is None else float(found) / 1000


@dataclass
class Directory:
    """Answers each question in the same way, and counts them."""

    answer: KeyOwner | BankError
    asked: int = 0
    payers: list[str] = field(default_factory=list)
    takes: float = 0
    hangs: bool = False

    async def find_key(self, _key: PixKey, *, payer_tax_id: TaxId, **_: object) -> KeyOwner:
        self.asked += 1
        await asyncio.sleep(60 if self.hangs else self.takes)
        self.payers.append(payer_tax_id.value)
        if isinstance(self.answer, BankError):
            raise self.answer
        return self.answer


def somebody(document: str = "39053344705") -> KeyOwner:
    """At another bank."""
    account = BankAccount(ITAU, "0001", "54321-0", AccountType.SAVINGS)
    return KeyOwner(NOBODYS, Party("Maria Souza", TaxId.parse(document), account), datetime(2024, 1, 1, tzinfo=UTC))


@dataclass
class Branch:
    """A tenant with a provider and accounts, on the bank whose network is nowhere."""

    assembly: Assembly
    tenant_id: UUID
    provider: ProviderFacts
    caller: Caller

    @classmethod
    async def open(
        cls, assembly: Assembly, *, hides: bool = False, ispb: str = "00000000", strict: bool = False
    ) -> "Branch":
        tenant_id = await tenants.create_tenant(assembly.bank, "branch", a_cnpj())
        provider_id = await tenants.add_provider(
            assembly.bank,
            tenant_id=tenant_id,
            name="bank",
            code="001",
            ispb=ispb,
            account_types=list(AccountType),
            strict_documents=strict,
            hides_accounts=hides,
        )
        facts = await assembly.bank.providers.get(provider_id)
        return cls(assembly, tenant_id, facts, Caller(tenant_id, "token", frozenset()))

    def asking(self, directory: Directory) -> Bank:
        """The bank, where this directory stands behind every provider."""
        bank = self.assembly.bank
        return replace(bank, providers=ProviderDirectory(bank.db, {NETWORK: reached(directory)}, bank.key_ring))

    async def account(self, document: str | None = None, centavos: int = 0) -> UUID:
        account_id, now = uuid4(), self.assembly.bank.now()
        holder = TaxId.parse(document or a_cnpj())
        async with self.assembly.bank.db.transaction() as tx:
            application = Application(self.provider.id, "Loja Nossa", holder, AccountType.CHECKING, None)
            await accounts.add(tx, account_id, self.tenant_id, application, now=now)
            number = f"{account_id.int % 10**12}-0"
            opened = update(Account).where(Account.id == account_id)
            await tx.execute(opened.values(status=AccountStatus.ACTIVE, branch="0001", account_number=number))
            if centavos:
                await book.post(tx, [receive(account_id, Money(centavos), uuid4())], posted_at=now)
        return account_id

    async def key(self, account_id: UUID) -> PixKey:
        """An active key of this account."""
        now = self.assembly.bank.now()
        key, key_id = PixKey(KeyType.EMAIL, f"{uuid4().hex}@loja.example"), new_id(now)
        async with self.assembly.bank.db.transaction() as tx:
            tx.add(
                PixKeyRow(
                    account_id=account_id,
                    id=key_id,
                    tenant_id=self.tenant_id,
                    provider_id=self.provider.id,
                    type=key.kind,
                    value=key.value,
                    stage=KeyStage.ACTIVE,
                    holder_name="Loja",
                    activated_at=now,
                    registration_id=uuid4(),
                    version=1,
                    created_at=now,
                    updated_at=now,
                )
            )
            tx.add(KeyHolder(key_value=key.value, account_id=account_id, key_id=key_id))
        return key

    async def ask(self, directory: Directory, payer: str, key: PixKey = NOBODYS, ispb: str = "00000000") -> Found:
        """A lookup, as it is asked once the payer is known."""
        return await service.ask(
            self.assembly.bank,
            replace(self.provider, speaks=directory, ispb=ispb, house=ispb),  # type: ignore[arg-type]
            key,
            payer_tax_id=TaxId.parse(payer),
            tenant_id=self.tenant_id,
            end_to_end_id=EndToEndId.new(ispb, self.assembly.bank.now()),
        )

    async def pay(
        self,
        directory: Directory,
        account_id: UUID,
        key: PixKey | str = NOBODYS,
        *,
        attempt: Attempt | None = None,
        lookup: EndToEndId | None = None,
    ) -> Answer:
        """A payment of one centavo, whose payee only this directory knows."""
        wish = Wish(account_id, Money(1), key, None, lookup)
        return await payments.send(self.asking(directory), self.caller, wish, attempt)
