"""The other sides of the contract: each adapter with a network behind it, and the few things a test does to one."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol
from uuid import uuid4

from lastro.providers import network_http, openpix_http
from lastro.providers.features import Feature
from lastro.providers.protocol import Holder, Instruction, Party, Provider
from lastro.values.bank_account import AccountType, BankAccount
from lastro.values.end_to_end_id import EndToEndId
from lastro.values.money import Money
from lastro.values.pix_key import KeyType, PixKey
from lastro.values.tax_id import TaxId
from providers.openpix_double import Double, Fault, Somebody
from simulator.world import COMPANY, OUR_ISPB, THEIR_ISPB, World, new_id

COMPANY_HOLDER = Holder("Empresa ABC Ltda", TaxId.parse(COMPANY))
ANA = Holder("Ana Conceição d'Ávila", TaxId.parse("39053344705"))
AT_OPENPIX = BankAccount.from_bare("54811417", "0001", "123456", AccountType.PAYMENT)
FEATURES = {"network": network_http.FEATURES, "openpix": openpix_http.FEATURES}

Letter = tuple[dict[str, str], bytes]


class Side(Protocol):
    """A provider, what it offers, and what happens on its side of the wire."""

    @property
    def provider(self) -> Provider: ...
    @property
    def features(self) -> frozenset[Feature]: ...
    @property
    def ispb(self) -> str: ...
    @property
    def kind(self) -> AccountType: ...

    unwelcome: Holder
    """For whom it opens no account."""

    async def introduce(self, holder: Holder, key: PixKey) -> None:
        """Somebody at another bank registers a key."""

    async def order(self, amount: str = "1500.00") -> Instruction:
        """A payment to somebody at another bank, looked up as a service looks it up."""

    async def doomed(self) -> tuple[Instruction, str]:
        """A payment that the rail will refuse, and its code."""

    async def left(self, order: Instruction) -> list[int]:
        """In centavos, each time that money left for this payment."""

    async def takes_its_time(self, order: Instruction) -> None:
        """The rail will not speak of this payment for now."""

    async def loses_its_answer(self, order: Instruction) -> None:
        """The next answer about this payment does not arrive, though it is carried out."""

    async def pays_us(self, centavos: int) -> EndToEndId:
        """Somebody at another bank pays a customer of ours."""

    async def returns(self, order: Instruction, centavos: int) -> None:
        """Whoever was paid gives some of it back."""

    def letters(self) -> list[Letter]:
        """What it told us: headers and body."""


def instruction(payee: Party, key: PixKey, amount: str, end_to_end_id: EndToEndId, payer: BankAccount) -> Instruction:
    """A payment from the company."""
    return Instruction(
        end_to_end_id=end_to_end_id,
        amount=Money.parse(amount),
        payer=Party(COMPANY_HOLDER.name, COMPANY_HOLDER.tax_id, payer),
        payee=payee,
        key=key,
        description="Aluguel de março – nº 3",
        accepted_at=datetime(2024, 1, 15, 10, 30, 0, 123456, tzinfo=UTC),
    )


def an_address() -> PixKey:
    """An e-mail key that nobody has."""
    return PixKey.parse(KeyType.EMAIL, f"{uuid4().hex}@exemplo.com.br")


@dataclass
class NetworkSide:
    """The adapter to docs/network.md before the real simulator."""

    world: World
    provider: Provider
    features: frozenset[Feature] = network_http.FEATURES
    ispb: str = OUR_ISPB
    kind: AccountType = AccountType.SAVINGS
    unwelcome: Holder = field(default_factory=lambda: Holder("x" * 200, ANA.tax_id))

    async def account(self, holder: Holder = COMPANY_HOLDER, ispb: str = OUR_ISPB) -> BankAccount:
        kind = AccountType.PAYMENT
        opened = await self.provider.open_account(holder, kind, ispb=ispb, provider_id=uuid4(), request_id=uuid4())
        return BankAccount.parse(ispb, opened.branch, opened.number, kind)

    async def introduce(self, holder: Holder, key: PixKey) -> None:
        account = await self.account(holder, THEIR_ISPB)
        await self.provider.register_key(key, kind=key.kind, owner=holder, account=account, request_id=uuid4())

    async def order(self, amount: str = "1500.00") -> Instruction:
        key = an_address()
        await self.introduce(ANA, key)
        return await self._to(key, amount)

    async def _to(self, key: PixKey, amount: str = "1500.00") -> Instruction:
        ours, payer = EndToEndId(new_id()), await self.account()
        found = await self.provider.find_key(key, ispb=OUR_ISPB, payer_tax_id=COMPANY_HOLDER.tax_id, end_to_end_id=ours)
        return instruction(found.party, key, amount, ours, payer)

    async def doomed(self) -> tuple[Instruction, str]:
        return await self._to(PixKey.parse(KeyType.EMAIL, "ac07@rejeita.example")), "AC07"

    async def left(self, order: Instruction) -> list[int]:
        book = await self.world.book(endToEndId=order.end_to_end_id)
        # The simulator's book is in reais.
        return [Money.parse(f"{each['amount']:.2f}").centavos for each in book["payments"]]

    async def takes_its_time(self, order: Instruction) -> None:
        await self.world.rule(key=order.key.value, delaySeconds=60)

    async def loses_its_answer(self, order: Instruction) -> None:
        await self.world.rule(key=order.key.value, dropAnswer=True, times=1)

    async def pays_us(self, centavos: int) -> EndToEndId:
        account = await self.world.open_account()
        paid = await self.world.pay(account, centavos / 100, description="Oi")
        return EndToEndId(paid["endToEndId"])

    async def returns(self, order: Instruction, centavos: int) -> None:
        await self.world.steering.post("/returns", json={"endToEndId": order.end_to_end_id, "amount": centavos / 100})

    def letters(self) -> list[Letter]:
        return self.world.lastro.letters


@dataclass
class OpenPixSide:
    """The adapter to OpenPix before its double."""

    double: Double
    provider: Provider
    features: frozenset[Feature] = openpix_http.FEATURES
    ispb: str = "54811417"
    kind: AccountType = AccountType.PAYMENT
    unwelcome: Holder = ANA

    async def introduce(self, holder: Holder, key: PixKey) -> None:
        self.double.directory[key.value] = Somebody(holder.name, holder.tax_id.value, key.kind.value)

    async def order(self, amount: str = "1500.00") -> Instruction:
        key = an_address()
        await self.introduce(ANA, key)
        found = await self.provider.find_key(
            key, ispb=self.ispb, payer_tax_id=COMPANY_HOLDER.tax_id, end_to_end_id=EndToEndId(new_id(self.ispb))
        )
        assert found.end_to_end_id is not None
        return instruction(found.party, key, amount, found.end_to_end_id, AT_OPENPIX)

    async def doomed(self) -> tuple[Instruction, str]:
        order = await self.order()
        self.double.refused_keys[order.key.value] = "AC07"
        return order, "AC07"

    async def left(self, order: Instruction) -> list[int]:
        return [each["value"] for each in self.double.left if each["correlationID"] == order.end_to_end_id]

    async def takes_its_time(self, order: Instruction) -> None:
        self.double.slow_keys.add(order.key.value)

    async def loses_its_answer(self, order: Instruction) -> None:  # noqa: ARG002 - there is no other
        self.double.faults.append(Fault("POST /payment/approve", dropped=True))

    async def pays_us(self, centavos: int) -> EndToEndId:
        return self.double.is_paid(centavos, comment="Oi")

    async def returns(self, order: Instruction, centavos: int) -> None:
        self.double.comes_back(order.end_to_end_id, centavos)

    def letters(self) -> list[Letter]:
        return self.double.letters
